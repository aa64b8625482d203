"""How the rows of a claim's table are judged, and what verdict follows from them."""

import dataclasses

import numpy as np
import pandas
import pytest

from tl_course import evidence, lessons, store
from tl_course.evidence import Row, findings, judged, verdicts
from tl_course.evidence.findings import CANNOT_TELL, HELPS, HURTS, SAME

SPREAD = 0.03  # of the differences between seeds, as it is in the stored runs
ROWS = 6


def simulated(claims: int, seeds: int, effect: float, rows: int = ROWS) -> list[tuple]:
    """The judged rows of claims in which every row has the same true effect."""
    draws = np.random.default_rng(0).normal(effect, SPREAD, (claims, rows, seeds))
    return [judged([Row(f"t{i}", "", row) for i, row in enumerate(claim)]) for claim in draws]


def share(claims: list[tuple], finding: str) -> float:
    return float(np.mean([row.finding == finding for rows in claims for row in rows]))


@pytest.mark.parametrize(
    ("seeds", "power"),
    # of finding +2 points, and +5, in one row of six
    [(5, (0.04, 0.46)), (10, (0.21, 0.99)), (20, (0.68, 1.0))],
)
def test_false_alarms_coverage_and_power(seeds, power):
    idle = simulated(2000, seeds, 0.0)
    alarms = np.mean([any(row.finding in (HELPS, HURTS) for row in rows) for rows in idle])
    assert 0.03 < alarms <= 0.055  # 5 % and what chance adds in 2,000
    assert np.mean([row.low <= 0 <= row.high for rows in idle for row in rows]) >= 0.94
    level = simulated(500, seeds, findings.MARGIN)
    assert share(level, SAME) <= 0.06  # at the margin they are not the same
    for effect, expected in zip((0.02, 0.05), power, strict=True):
        assert share(simulated(400, seeds, effect), HELPS) == pytest.approx(expected, abs=0.04)


def test_the_mean_over_targets_is_covered():
    rng, held = np.random.default_rng(0), []
    for _ in range(1500):
        truths = rng.normal(0.1, 0.1, 5)
        found = evidence.overall([Row(f"t{t}", "", rng.normal(t, SPREAD, 10)) for t in truths])
        held.append(found.low <= 0.1 <= found.high)
    assert 0.94 <= np.mean(held) <= 0.97 and found.over == "targets" and found.seeds == 5


def row(*differences: float, target="leaves", where="50 labels", **more) -> Row:
    return Row(target, where, differences, **more)


CLEAR = {
    HURTS: row(-0.21, -0.2, -0.19, -0.2, -0.22),
    HELPS: row(0.21, 0.2, 0.19, 0.2, 0.22),
    SAME: row(0.001, -0.001, 0.002, -0.002, 0.0),
    CANNOT_TELL: row(0.3, -0.2, 0.1, -0.1, 0.05),
}


@pytest.mark.parametrize("finding", findings.FINDINGS)
def test_one_row(finding):
    (found,) = judged([CLEAR[finding]])
    assert found.finding == finding and found.supports == (finding == HELPS)
    plain = evidence.paired(CLEAR[finding].differences, [0] * 5)
    assert (found.effect, found.low, found.high, found.seeds) == dataclasses.astuple(plain)[:4]
    assert str(found).startswith(f"{findings.MARKS[finding]} leaves 50 labels: ")


def test_rows_without_any_difference_pay_for_no_other():
    weak, level = row(0.05, 0.04, 0.01, 0.03, 0.02), row(*[0.0] * 5)
    assert judged([weak])[0].finding == HELPS
    among = judged([weak, *[level] * 3])
    assert [each.finding for each in among] == [CANNOT_TELL, SAME, SAME, SAME]
    rounded = judged([row(*[-2.8e-17] * 5)])
    assert rounded[0].finding == SAME and rounded[0].effect == 0


def test_many_looks_are_paid_for():
    """What is sure alone is not among forty; what is surest keeps its finding (Holm)."""
    weak = row(0.05, 0.04, 0.01, 0.03, 0.02)
    assert judged([weak])[0].finding == HELPS
    among = judged([weak, CLEAR[HELPS], *[CLEAR[CANNOT_TELL]] * 38])
    assert [each.finding for each in among[:2]] == [CANNOT_TELL, HELPS]
    assert among[0].low < judged([weak])[0].low and among[0].low <= 0 <= among[0].high
    in_turn = judged([CLEAR[HELPS], weak])  # once the first is found, the second stands alone
    assert in_turn[1].finding == HELPS and in_turn[1].low > 0


@pytest.mark.parametrize(("value", "finding"), [(0.0, SAME), (0.1, HELPS), (-0.1, HURTS)])
def test_differences_that_are_all_equal(value, finding):
    (found,) = judged([row(*[value] * 5)])
    assert found.finding == finding and found.low == found.high == value


def test_what_cannot_be_judged():
    with pytest.raises(store.BadInput, match="Run the whole sweep"):
        judged([])
    for differences in ([0.1] * 4, [0.1, 0.2, 0.3, 0.4, float("nan")]):
        with pytest.raises(store.BadInput, match="Run more seeds"):
            judged([row(*differences)])


AGAINST, FOR, LEVEL, OPEN = (CLEAR[name] for name in (HURTS, HELPS, SAME, CANNOT_TELL))


@pytest.mark.parametrize(
    ("rows", "verdict"),
    [
        ([FOR, FOR], "holds"),
        ([FOR, OPEN], "holds-when"),
        ([FOR, AGAINST], "holds-when"),
        ([LEVEL, LEVEL], "does-not-hold"),  # a tie never wins
        ([LEVEL, OPEN], "does-not-hold"),
        ([AGAINST, OPEN, OPEN], "cannot-tell"),
        ([OPEN], "cannot-tell"),
        ([LEVEL._replace(claimed=(HELPS, SAME)), FOR], "holds"),
        ([AGAINST._replace(claimed=(HURTS,))], "holds"),
    ],
)
def test_the_verdict_that_follows(rows, verdict):
    rows = [each._replace(target=f"t{place}") for place, each in enumerate(rows)]
    found = evidence.concluded("It", rows)
    assert found.verdict == verdict and len(found.contrasts) == len(rows)
    assert bool(found.condition) == verdict.startswith("holds")


def test_the_sentence_says_harm_first_and_in_plain_words():
    rows = [
        FOR._replace(target="digits", where=""),
        AGAINST._replace(target="pneumonia", where="50 labels"),
        AGAINST._replace(target="pneumonia", where="500 labels"),
        LEVEL,
        OPEN._replace(where="500 labels"),
    ]
    found = evidence.concluded("With few labels, it", rows, more=["And so on."])
    assert found.sentence == (
        "With few labels, it hurts on X-rays (-20.4 points); helps on digits (+20.4 points); makes "
        "no difference on leaves (50 labels); is unclear on leaves (500 labels). And so on."
    )
    assert found.condition == "digits"
    assert found.counts == "✗ 2 hurts · ✓ 1 helps · = 1 same · ? 1 cannot tell"
    assert found.scope == "resnet10; 3 targets; 5 seeds"
    assert str(found.interval).endswith("3 targets") and found.seeds == 5
    assert str(dataclasses.replace(found, id="x-1")).startswith("x-1 holds-when\nWith few labels")
    assert str(evidence.Verdict("x-1")) == "x-1 open"


def test_a_long_list_is_counted():
    rows = [FOR._replace(where=f"{n} labels") for n in range(10)]
    found = evidence.concluded("It", [*rows[:8], *[OPEN._replace(where=r.where) for r in rows[8:]]])
    assert found.condition == "leaves (8 of 10)" and "leaves (8, 9 labels)" in found.sentence


def test_the_scope_tells_how_from_scratch_was_trained():
    runs = pandas.DataFrame({
        "task": "leaves", "labels": [50, 50, 100, 100], "epochs": [24, 24, 16, 16],
        "train_accuracy": [1.0, 1.0, 0.5, 0.48],
    })  # fmt: skip
    found = evidence.concluded("It", [FOR], networks="two networks", baseline=runs)
    assert found.scope == (
        "two networks; 1 target; 5 seeds; from scratch trained for 16 to 24 epochs, to a "
        "training accuracy of 0.49 to 1.00"
    )


def test_over_what_an_interval_speaks():
    two = [FOR, AGAINST._replace(target="digits")]
    found = evidence.overall(two)
    assert found.over == "seeds" and found.seeds == 5  # the first target alone
    assert found.effect == pytest.approx(np.mean(FOR.differences))
    here = evidence.overall([FOR, AGAINST._replace(where="500 labels"), two[1]])
    assert here.effect == pytest.approx(np.mean([*FOR.differences, *AGAINST.differences]))
    assert evidence.overall([FOR, row(*[0.1] * 6)]).effect == found.effect  # other seeds
    three = [*two, LEVEL._replace(target="digits"), LEVEL._replace(target="materials")]
    found = evidence.overall(three)  # each target counts once
    assert found.over == "targets" and found.effect == pytest.approx((0.204 - 0.102) / 3)
    other = [each._replace(claimed=(HURTS,)) for each in three[1:]]
    assert evidence.overall([FOR, *other]).effect == pytest.approx(np.mean(FOR.differences))
    mixed = evidence.concluded("It", [FOR, *other])
    assert mixed.interval.over == "seeds" and "mean of 1 of 4 rows +20" in str(mixed)
    slope = row(*[0.1] * 7, unit="times", over="targets")
    verdict = evidence.concluded("It", [slope])
    assert str(verdict.interval) == "1.1 times [1.1, 1.1], 7 targets"
    assert verdict.scope == "resnet10; 7 targets" and "(1.1 times)" in verdict.sentence


def test_targets_are_called_by_plain_names():
    tables = [
        verdicts.NAMES.get(each.target, each.target)
        for v in lessons.table()
        for each in v.contrasts
    ]
    assert tables and not any("_" in name for name in tables)
