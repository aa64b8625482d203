"""The rules of lesson 04, on made-up runs."""

import numpy as np
import pytest

from tl_course import store
from tl_course.evidence import Runs
from tl_course.lessons.freezing import recipe, rules

FINE, SCRATCH, HEAD, CONTROL = rules.ALL, rules.SCRATCH, rules.HEAD, rules.RANDOM
TO = {depth: f"frozen to layer{depth}" for depth in (1, 2, 3)}
GOOD, WEAK, UNLEARNT = (
    {HEAD: head, CONTROL: control} for head, control in ((0.6, 0.3), (0.4, 0.3), (0.6, 0.6))
)


@pytest.mark.parametrize(
    ("first", "second", "slow", "yes", "no", "verdict"),
    [
        (GOOD, GOOD, 7, "leaves, digits", "", "holds"),
        (GOOD, WEAK, 5, "leaves", "digits", "holds-when"),
        (UNLEARNT, GOOD, 9, "digits", "leaves", "holds-when"),
        (UNLEARNT, WEAK, 7, "", "leaves, digits", "does-not-hold"),
        (GOOD, GOOD, 4.9, "leaves, digits", "", "does-not-hold"),
    ],
)
def test_whether_features_are_quick_and_useful(
    judged, freezing_runs, first, second, slow, yes, no, verdict
):
    cells = {("leaves", 200): first, ("digits", 200): second, ("digits", 500): GOOD}
    words = ("useful with 200 labels on {}", "on {}", yes, no)
    found = judged("freeze-1", freezing_runs(cells, slow), words, verdict)
    fast = f"; {slow:.1f} to {slow:.1f} times as fast as fine-tuning"
    assert found.condition.endswith(fast)
    assert found.effect == pytest.approx((first[HEAD] + second[HEAD]) / 2 - 0.5, abs=0.005)


def test_features_that_may_be_five_points_behind_are_not_useful(judged, freezing_runs, unsure):
    frame = freezing_runs({("leaves", 200): {HEAD: 0.47, CONTROL: 0.2}})
    judged("freeze-1", frame, verdict="holds")
    unsure(frame, strategy=HEAD)
    judged("freeze-1", frame, verdict="does-not-hold")


@pytest.mark.parametrize(
    ("leaves", "digits", "yes", "no", "need", "verdict"),
    [
        ((0, 1, 1), (0, 0, 1), (1000, 2000), "", "leaves, digits", "holds"),
        ((1, 1, 1), (-1, 1, 1), (25, 1000), "", "digits", "holds-when"),
        ((1, 1, 1), (1, 1, 0), (25, None), "digits", "nowhere", "holds-when"),
        # what was ahead with few labels by chance does not count
        ((1, 0, 1), (1, -1, 1), (2000, 2000), "", "leaves, digits", "holds"),
        ((0, 0, 0), (1, 0, -1), (None, None), "leaves, digits", "", "does-not-hold"),
    ],
)
def test_whether_partial_fine_tuning_wants_thousands(
    judged, ahead, leaves, digits, yes, no, need, verdict
):
    more = {
        task: {n: each / 10 for n, each in zip((25, 1000, 2000), signs, strict=True)}
        for task, signs in (("leaves", leaves), ("digits", digits))
    }
    starts = zip(("leaves", "digits"), yes, strict=True)
    told = ", ".join(f"{task} from {start:,} labels" for task, start in starts if start)
    words = ("more accurate on {}", "on {}", told, no)
    found = judged("freeze-2", ahead(TO[2], more), words, verdict)
    assert found.effect == pytest.approx((leaves[2] + digits[2]) / 20, abs=0.005)
    where = need if need == "nowhere" else f"on {need}"
    assert found.condition.endswith(f"; thousands needed {where}") == bool(need)


def test_better_from_wants_every_interval(ahead, unsure):
    frame = ahead(TO[2], {"leaves": {25: 0.1, 1000: 0.1}})
    assert rules.better_from(Runs(frame), "leaves", TO[2], HEAD) == 25
    assert rules.better_from(Runs(frame), "leaves", HEAD, TO[2]) is None
    unsure(frame, 0.5, strategy=TO[2])
    assert rules.better_from(Runs(frame), "leaves", TO[2], HEAD) is None


BEST, BEATEN = {}, {TO[1]: 0.6}
OVERFIT, FITTING = {TO[3]: 0.6}, {HEAD: 0.6}
MANY, FEW = "best with the most labels on {}", "behind frozen to layer3 with 25 labels on {}"
BOTH = ("leaves (2,000), digits (1,000)", "leaves, digits")


@pytest.mark.parametrize(
    ("leaves", "digits", "yes", "no"),
    [
        ((OVERFIT, BEST), (OVERFIT, BEST), BOTH, ("", "")),
        ((FITTING, BEST), (FITTING, BEST), (BOTH[0], ""), ("", BOTH[1])),
        (
            (OVERFIT, BEST),
            (FITTING, BEATEN),
            ("leaves (2,000)", "leaves"),
            ("digits (1,000)", "digits"),
        ),
        ((FITTING, BEATEN), (FITTING, BEATEN), ("", ""), BOTH),
    ],
)
def test_whether_all_weights_want_many_labels(judged, freezing_runs, leaves, digits, yes, no):
    cells = {("leaves", 25): leaves[0], ("leaves", 2000): leaves[1]}
    cells |= {("digits", 25): digits[0], ("digits", 1000): digits[1]}
    told = [
        word.join(half.format(on) for half, on in zip((MANY, FEW), tasks, strict=True) if on)
        for word, tasks in ((" and ", yes), (" or ", no))
    ]
    found = judged("freeze-3", freezing_runs(cells), ("{}", "to be {}", *told))
    lost = np.mean([few.get(TO[3], 0.5) - 0.5 for few, _ in (leaves, digits)])
    assert found.effect == pytest.approx(-lost, abs=0.005)


def test_a_depth_that_may_be_level_has_not_beaten_all_weights(judged, freezing_runs, unsure):
    frame = freezing_runs({("leaves", 25): OVERFIT, ("leaves", 2000): BEATEN})
    words = ("{}", "to be {}", FEW.format("leaves"), MANY.format("leaves (2,000)"))
    judged("freeze-3", frame, words)
    for depth in (TO[1], TO[3]):
        unsure(frame, 0.5, strategy=depth)
    judged("freeze-3", frame, (*words[:2], *words[:1:-1]))


def test_all_weights_are_asked_against_the_leader_on_validation_alone(judged, freezing_runs):
    frame = freezing_runs({("leaves", 25): OVERFIT, ("leaves", 2000): {TO[1]: 0.6, HEAD: 0.5}})
    judged("freeze-3", frame, verdict="holds-when")
    # another depth leads on validation, and is level in the test
    here = (frame.labels == 2000) & (frame.strategy == HEAD)
    frame.loc[here, "val_accuracy"] = 0.7
    judged("freeze-3", frame, verdict="holds")
    # what leads is no frozen depth
    for other in (FINE, SCRATCH, CONTROL):
        frame.loc[(frame.labels == 2000) & (frame.strategy == other), "val_accuracy"] = 0.9
    judged("freeze-3", frame, verdict="holds")
    frame.loc[here, "test_balanced"] += 0.1
    judged("freeze-3", frame, verdict="holds-when")


@pytest.mark.parametrize("most", [BEST, BEATEN])
def test_a_target_without_a_thousand_labels_is_not_asked_for_many(judged, freezing_runs, most):
    cells = {("leaves", 25): OVERFIT, ("leaves", 2000): BEST}
    cells |= {("digits", 25): OVERFIT, ("digits", 500): most}
    told = f"{MANY.format('leaves (2,000)')} and {FEW.format('leaves, digits')}"
    judged("freeze-3", freezing_runs(cells), ("{}", "to be {}", told, ""))


SPOT, LITTLE, MUCH, NO_SPOT = (
    {TO[2]: 0.6},
    {TO[2]: 0.6, HEAD: 0.7},
    {TO[2]: 0.6, FINE: 0.7},
    {TO[2]: 0.6, FINE: 0.6, HEAD: 0.7},
)


@pytest.mark.parametrize(
    ("cells", "yes", "little", "much", "verdict"),
    [
        ((SPOT, SPOT, SPOT), "3 of 3: leaves (25, 100), digits (25)", 3, 3, "holds"),
        ((LITTLE, SPOT, MUCH), "1 of 3: leaves (100)", 2, 2, "holds-when"),
        ((LITTLE, MUCH, NO_SPOT), "0 of 3", 1, 1, "does-not-hold"),
    ],
)
def test_whether_there_is_a_sweet_spot(judged, freezing_runs, cells, yes, little, much, verdict):
    keys = (("leaves", 25), ("leaves", 100), ("digits", 25))
    frame = freezing_runs(dict(zip(keys, cells, strict=True)))
    found = judged("freeze-4", frame, verdict=verdict)
    assert found.condition == (
        f"in {yes.replace('of 3', 'of 3 pairs of target and labels')}; freezing too little costs "
        f"in {little}, too much costs in {much}"
    )
    gains = [max(cell.values()) - cell.get(FINE, 0.5) for cell in cells]
    assert found.effect == pytest.approx(np.mean(gains), abs=0.005)


def test_a_sweet_spot_that_may_be_chance_is_none(judged, freezing_runs, unsure):
    frame = freezing_runs({("leaves", 25): SPOT})
    unsure(frame, 0.5, strategy=TO[2])
    judged("freeze-4", frame, verdict="does-not-hold")


def test_the_sweet_spot_is_chosen_on_validation_and_lies_between_the_ends(judged, freezing_runs):
    frame = freezing_runs({("leaves", 25): {TO[1]: 0.6, TO[3]: 0.9, HEAD: 0.8}})
    judged("freeze-4", frame, verdict="holds")
    frame.loc[frame.strategy == HEAD, "val_accuracy"] = 1.0  # an end
    judged("freeze-4", frame, verdict="holds")
    frame.loc[frame.strategy == TO[1], "val_accuracy"] = 0.92
    judged("freeze-4", frame, verdict="does-not-hold")


def test_each_seed_finds_its_own_depth_and_freezes_more_where_two_are_level(freezing_runs):
    frame = freezing_runs({("leaves", 25): {TO[1]: 0.7, TO[2]: 0.7, HEAD: 0.6}})
    frame["test_balanced"] = frame.strategy.map([*recipe.FROZEN].index) + frame.seed / 10
    found = rules.found_by_experiment(Runs(frame), "leaves", 25)
    assert found.index.tolist() == [*range(5)]
    assert found.tolist() == pytest.approx([2.0, 2.1, 2.2, 2.3, 2.4])
    frame.loc[(frame.strategy == FINE) & (frame.seed == 3), "val_accuracy"] = 0.8
    frame.loc[(frame.strategy == SCRATCH) & (frame.seed == 1), "val_accuracy"] = 0.9  # no depth
    found = rules.found_by_experiment(Runs(frame), "leaves", 25)
    assert found.tolist() == pytest.approx([2.0, 2.1, 2.2, 0.3, 2.4])


OTHERS = (rules.AT_ONCE, rules.HASTY, rules.FEATURES)
KEYS = (("leaves", 50), ("leaves", 200), ("digits", 50))


@pytest.fixture
def policies(made_up):
    """Made-up results as data_scripts/sweep_policies.py writes them: by how much the policy is
    ahead of each of OTHERS.
    """

    def build(ahead):
        cells = {}
        for key, signs in zip(KEYS, ahead, strict=False):
            cells[*key, rules.POLICY] = 0.5
            cells |= {(*key, s): 0.5 - more for s, more in zip(OTHERS, signs, strict=True)}
        return made_up(cells)

    return build


@pytest.mark.parametrize(
    ("ahead", "yes", "no", "counts"),
    [
        ([(0.1, 0.1, 0.1)] * 3, "leaves (50, 200), digits (50)", "", (0, 3, 3)),
        (
            [(0.1, 0, 0.1), (0, 0, 0.1), (-0.1, 0, 0)],
            "leaves (50)",
            "leaves (200), digits (50)",
            (1, 0, 2),
        ),
        (
            [(0, 0, 0), (-0.1, -0.1, -0.1), (0, 0.1, 0)],
            "",
            "leaves (50, 200), digits (50)",
            (1, 1, 0),
        ),
    ],
)
def test_whether_to_wait_until_features_stop_improving(judged, policies, ahead, yes, no, counts):
    words = ("ahead of fine-tuning at once on {}", "on {}", yes, no)
    found = judged("freeze-5", policies(ahead), words)
    behind, waits, tunes = counts
    assert found.condition.endswith(
        f"; behind it in {behind}, ahead of switching after one epoch in {waits}, of features "
        f"alone in {tunes} of 3 cells"
    )
    assert found.effect == pytest.approx(np.mean([first for first, *_ in ahead]), abs=0.005)


def test_waiting_that_may_bring_nothing_is_not_better(judged, policies, unsure):
    frame = policies([(0.05, 0, 0)])
    judged("freeze-5", frame, verdict="holds")
    unsure(frame, strategy=rules.POLICY)
    judged("freeze-5", frame, verdict="does-not-hold")


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        *(("freeze-1", name) for name in (FINE, SCRATCH, HEAD, CONTROL)),
        *(("freeze-2", name) for name in (TO[2], HEAD)),
        *((claim, name) for claim in ("freeze-3", "freeze-4") for name in recipe.PRETRAINED),
        *(("freeze-5", name) for name in (rules.POLICY, *OTHERS)),
    ],
)
def test_a_strategy_that_is_missing_is_named(judged, ahead, policies, claim, name):
    frame = policies([(0, 0, 0)])
    if claim != "freeze-5":
        frame = ahead(FINE, {"leaves": dict.fromkeys((25, 200, 1000), 0.1)})
    judged(claim, frame)
    with pytest.raises(store.UnknownName, match="tored") as found:
        judged(claim, frame[frame.strategy != name])
    assert name in str(found.value)
