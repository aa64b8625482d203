"""The rules behind the verdicts, on made-up results: each must be able to give every verdict."""

import numpy as np
import pytest

from tl_course import evidence, store
from tl_course.evidence import results

LABELS = (10, 30, 1000)
FOUR_TIMES = "nothing, four times as long"
RATES = (1e-4, 1e-3, 1e-2)


@pytest.fixture
def settled(monkeypatch):
    def settle(claim, frame):
        monkeypatch.setattr(results, "load", lambda name: frame)
        found = evidence.settle(claim)
        assert found.id == claim and found.seeds == 5 and found.low <= found.effect <= found.high
        return found

    return settle


def languages(spanish, nothing, longer):
    """Accuracy with each number of ``LABELS``; before any label all guess."""
    return {
        name: {0: 0.01} | dict(zip(LABELS, values, strict=True))
        for name, values in (("spanish", spanish), ("nothing", nothing), (FOUR_TIMES, longer))
    }


@pytest.mark.parametrize(
    ("longer", "verdict", "condition"),
    [
        ((0.1, 0.3, 0.8), "holds", "with 10, 30, 1,000 Italian numbers"),
        ((0.1, 0.3, 0.9), "holds-when", "with 10, 30 Italian numbers; not shown with 1,000"),
        ((0.1, 0.9, 0.97), "holds-when", "with 10 Italian numbers; not shown with 30, 1,000"),
        ((0.3, 0.7, 0.9), "does-not-hold", "with 10, 30, 1,000 Italian numbers"),
    ],
)
def test_spanish_must_also_beat_who_trains_four_times_as_long(
    settled, analogy_runs, longer, verdict, condition
):
    frame = analogy_runs(languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), longer))
    found = settled("analogy-1", frame)
    assert (found.verdict, found.condition) == (verdict, condition)
    assert found.effect == pytest.approx(0.5, abs=0.01)  # against nothing, with 30 numbers
    assert found.lesson == "01_analogy"


def test_the_long_start_from_nothing_counts_where_it_was_tried(settled, analogy_runs):
    accuracies = languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), (0.9, 0.3, 0.95))
    tried = {labels: accuracies[FOUR_TIMES][labels] for labels in (0, 30)}
    found = settled("analogy-1", analogy_runs(accuracies | {FOUR_TIMES: tried}))
    assert found.verdict == "holds"
    tried[30] = 0.8
    found = settled("analogy-1", analogy_runs(accuracies | {FOUR_TIMES: tried}))
    assert found.condition == "with 10, 1,000 Italian numbers; not shown with 30"


def test_spanish_that_is_behind_is_not_faster(settled, analogy_runs):
    frame = analogy_runs(languages((0.1, 0.2, 0.3), (0.3, 0.4, 0.5), (0.3, 0.4, 0.5)))
    found = settled("analogy-1", frame)
    assert found.verdict == "does-not-hold" and found.effect == pytest.approx(-0.2, abs=0.01)


RELATIVES = ("false_friends", "reversed", "enciphered", "invented")


@pytest.mark.parametrize(
    ("relatives", "verdict", "condition"),
    [
        (
            (0.1, 0.2, 0.3, 0.4),
            "holds",
            "worth, in points: cognates +40, grammar +30, alphabet +20, roots +10",
        ),
        (
            (0.1, 0.5, 0.3, 0.6),
            "holds-when",
            "worth, in points: cognates +40, alphabet +20; not shown grammar +0, roots -10",
        ),
        (
            (0.5, 0.6, 0.7, 0.5),
            "does-not-hold",
            "worth, in points: cognates +0, grammar -10, alphabet -20, roots +0",
        ),
    ],
)
def test_what_was_taken_away_must_be_worth_something(
    settled, analogy_runs, relatives, verdict, condition
):
    starts = {"spanish": 0.5} | {
        f"spanish_{name}": value for name, value in zip(RELATIVES, relatives, strict=True)
    }
    # with 10 numbers it would look otherwise; 30 count
    frame = analogy_runs({name: {10: 1 - value, 30: value} for name, value in starts.items()})
    found = settled("analogy-2", frame)
    assert found.verdict == verdict
    assert found.condition.replace("-0", "+0") == condition
    assert found.effect == pytest.approx(0.5 - np.mean(relatives), abs=0.01)


FINE, SCRATCH = "fine-tuning", "from scratch"


def both_networks(reader, pictures=None):
    """Settings of both networks: for fine-tuning and from scratch, what each of RATES gives."""
    frame = {}
    for network, found in (("reader", reader), ("resnet10", pictures or reader)):
        for strategy, values in zip((FINE, SCRATCH), found, strict=True):
            frame[network, strategy, "", 0] = dict(zip(RATES, values, strict=True))
    return frame


def new_job(*accuracies):
    return [(accuracy, 0.5) for accuracy in accuracies]


HIGH_FROM_SCRATCH = new_job(0.1, 0.2, 0.6)
VERY_LOW = (new_job(0.9, 0.8, 0.5), HIGH_FROM_SCRATCH)
LOWER = (new_job(0.4, 0.9, 0.5), HIGH_FROM_SCRATCH)
THE_SAME = (new_job(0.4, 0.8, 0.9), HIGH_FROM_SCRATCH)


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (VERY_LOW, VERY_LOW, "holds"),
        (LOWER, LOWER, "holds-when"),
        (VERY_LOW, LOWER, "holds-when"),
        (THE_SAME, VERY_LOW, "holds-when"),
        (THE_SAME, THE_SAME, "does-not-hold"),
    ],
)
def test_whether_fine_tuning_needs_a_very_low_rate(
    settled, forgetting_runs, reader, pictures, verdict
):
    assert settled("rate-1", forgetting_runs(both_networks(reader, pictures))).verdict == verdict


def test_what_the_rate_from_scratch_costs(settled, forgetting_runs):
    found = settled("rate-1", forgetting_runs(both_networks(LOWER, VERY_LOW)))
    assert found.effect == pytest.approx((0.4 + 0.4) / 2, abs=0.01)
    assert found.condition.endswith(
        "Spanish to Italian: best at 0.001; 0.01, best from scratch, costs 40 points, 0.0001 costs "
        "50; photographs to leaves: best at 0.0001; 0.01, best from scratch, costs 40 points, "
        "0.0001 costs 0"
    )


def old_job(*accuracies):
    """What is kept at each of RATES; the middle one is best for the new job."""
    return list(zip((0.4, 0.9, 0.5), accuracies, strict=True)), HIGH_FROM_SCRATCH


FORGOTTEN, HALF_FORGOTTEN, KEPT = old_job(1, 0.9, 0.1), old_job(1, 0.9, 0.6), old_job(1, 0.9, 0.9)


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (FORGOTTEN, FORGOTTEN, "holds"),
        (FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (HALF_FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (FORGOTTEN, KEPT, "holds-when"),
        (KEPT, KEPT, "does-not-hold"),
        (old_job(1, 0.1, 0.1), old_job(1, 0.1, 0.1), "does-not-hold"),  # no worse than the best
    ],
)
def test_whether_a_high_rate_forgets(settled, forgetting_runs, reader, pictures, verdict):
    assert settled("rate-2", forgetting_runs(both_networks(reader, pictures))).verdict == verdict


def test_what_a_high_rate_loses(settled, forgetting_runs):
    found = settled("rate-2", forgetting_runs(both_networks(FORGOTTEN, HALF_FORGOTTEN)))
    assert found.effect == pytest.approx((0.8 + 0.3) / 2, abs=0.01)
    assert found.condition.startswith("Spanish to Italian: 0.99 before, 0.90 after 0.001, 0.10")


REMEDIES = (("rehearsal", 10), ("rehearsal", 30), ("L2-SP", 0.1), ("LoRA", 4))


def with_remedies(settings, saving=()):
    return settings | {
        ("reader", name, "", strength): {1e-3: (0.9, 0.98 if (name, strength) in saving else 0.5)}
        for name, strength in REMEDIES
    }


def test_a_skill_that_survives_by_itself(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.97, 0.1))))
    found = settled("analogy-3", frame)
    assert found.verdict == "holds" and found.effect == pytest.approx(-0.02, abs=0.01)


def test_a_skill_that_a_remedy_saves(settled, forgetting_runs):
    saving = {("rehearsal", 30), ("LoRA", 4)}
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.7, 0.1)), saving))
    found = settled("analogy-3", frame)
    assert found.verdict == "holds-when"
    assert found.condition == (
        "in the reader with rehearsal 30, LoRA 4; without, Spanish to Italian: -29 points on the "
        "old job; photographs to leaves: -29 points on the old job"
    )


def test_a_skill_that_nothing_saves(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.7, 0.1))))
    found = settled("analogy-3", frame)
    assert found.verdict == "does-not-hold" and "Spanish to Italian: -29 points" in found.condition


def test_a_skill_must_survive_in_both_networks(settled, forgetting_runs):
    settings = both_networks(old_job(1, 0.98, 0.1), old_job(1, 0.5, 0.1))
    assert settled("analogy-3", forgetting_runs(with_remedies(settings))).verdict != "holds"


def test_a_loss_that_might_be_five_points_is_no_survival(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.96, 0.1))))
    frame.source_accuracy += np.where(frame.seed == 0, -0.1, 0.025)  # the same mean, but unsure
    found = settled("analogy-3", frame)
    assert found.effect > -0.05 > found.low and found.verdict == "does-not-hold"


def test_every_verdict_has_a_condition(settled, forgetting_runs):
    kept = forgetting_runs(with_remedies(both_networks(old_job(1, 0.98, 0.1))))
    for claim in ("rate-1", "rate-2", "analogy-3"):
        assert settled(claim, kept).condition, claim


def test_tuned_takes_runs_with_nothing_frozen(forgetting_runs):
    rates = {1e-3: (0.9, 0.5), 1e-2: (0.7, 0.1)}
    frame = forgetting_runs(
        {
            ("reader", FINE, "", 0): rates,
            ("reader", FINE, "letters", 0): rates,
            ("resnet10", FINE, "", 0): rates,
            ("reader", "LoRA", "", 4): rates,
            ("reader", "LoRA", "", 16): rates,
        }
    )
    for empty in (np.nan, ""):
        stored = frame.assign(frozen=frame.frozen.fillna(empty))
        rows = evidence.tuned(stored, "reader", FINE)
        assert len(rows) == 10 and rows.frozen.isin(["", np.nan]).all()
        assert set(zip(rows.network, rows.strategy, strict=True)) == {("reader", FINE)}
    assert set(evidence.tuned(frame, "reader", FINE, frozen="letters").frozen) == {"letters"}
    assert set(evidence.tuned(frame, "reader", "LoRA", strength=16).strength) == {16}
    for missing in ({"strategy": "rehearsal"}, {"network": "resnet18"}, {"frozen": "head"}):
        with pytest.raises(store.UnknownName, match="there is no stored run"):
            evidence.tuned(frame, **{"network": "reader", "strategy": FINE, **missing})


def test_the_best_rate_is_best_on_validation_not_on_the_test(forgetting_runs):
    rates = dict(zip(RATES, new_job(0.4, 0.9, 0.5), strict=True))
    frame = forgetting_runs({("reader", FINE, "", 0): rates})
    frame["test_accuracy"] = frame.lr
    assert evidence.best_rate(frame) == 1e-3


def test_at_rate_is_in_the_order_of_the_seeds(forgetting_runs):
    frame = forgetting_runs({("reader", FINE, "", 0): {1e-3: (0.9, 0.5), 1e-2: (0.7, 0.1)}})
    frame["source_accuracy"] = frame.seed / 10
    shuffled = frame.sample(frac=1, random_state=0)
    found = evidence.at_rate(shuffled, 1e-2, "source_accuracy")
    assert found.index.tolist() == [*range(5)]
    assert found.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]
