"""The rules of lesson 04, on made-up runs."""

import pytest

from tl_course import store
from tl_course.evidence import Runs
from tl_course.lessons.freezing import recipe, rules

FINE, SCRATCH, HEAD, CONTROL = rules.ALL, rules.SCRATCH, rules.HEAD, rules.RANDOM
TO = {depth: f"frozen to layer{depth}" for depth in (1, 2, 3)}
ALONE, RANDOM = "against from scratch", "against random features"
NOTHING = {}  # all alike


def rows(found):
    return [(each.target, each.where) for each in found.contrasts]


GOOD, LEVEL, BEHIND, UNLEARNT = (
    {HEAD: head, CONTROL: control}
    for head, control in ((0.6, 0.3), (0.5, 0.3), (0.4, 0.3), (0.4, 0.4))
)


@pytest.mark.parametrize(("leaves", "digits", "verdict", "findings"), [
    (GOOD, LEVEL, "holds", {"leaves": "helps", ("digits", ALONE): "same"}),
    (GOOD, BEHIND, "holds-when", {("digits", ALONE): "hurts", ("digits", RANDOM): "helps"}),
    (UNLEARNT, UNLEARNT, "does-not-hold", {("leaves", RANDOM): "same"}),
])  # fmt: skip
def test_whether_features_are_useful(judged, freezing_runs, leaves, digits, verdict, findings):
    cells = {("leaves", 200): leaves, ("digits", 200): digits, ("digits", 500): UNLEARNT}
    found = judged("freeze-1", freezing_runs(cells), verdict, findings)
    both = ("leaves", "digits")
    assert rows(found) == [(task, other) for other in (ALONE, RANDOM) for task in both]


def test_harm_of_features_is_told_first_and_their_speed_last(judged, freezing_runs):
    frame = freezing_runs({("leaves", 200): GOOD, ("digits", 200): BEHIND})
    frame.loc[(frame.strategy == FINE) & (frame.task == "digits"), "epochs"] = 7
    found = judged("freeze-1", frame)
    assert found.sentence == (
        "With 200 labels, training the head alone hurts on digits (against from scratch) "
        "(-10.0 points); helps on leaves and digits (against random features) (+10.0 to +30.0 "
        "points). It goes through every picture once, fine-tuning 3 times in each of 7 or more "
        "epochs."
    )
    assert "to a training accuracy of 0.90" in found.scope


@pytest.mark.parametrize(
    ("leaves", "digits", "verdict", "condition", "harm"),
    [
        ((0, 0.1), (-0.1, 0.1), "holds", "leaves and digits", "digits (25 labels) (-10.0 points)"),
        ((0.1, 0.1), (0, 0), "holds-when", "leaves (1,000 labels) and digits (25 labels)", ""),
        ((0.1, 0), (0.1, -0.2), "does-not-hold", "", "digits (1,000 labels) (-20.0 points)"),
    ],
)
def test_whether_partial_fine_tuning_wants_thousands(
    judged, ahead, leaves, digits, verdict, condition, harm
):
    more = {"leaves": leaves, "digits": digits}
    more = {task: dict(zip((25, 1000), both, strict=True)) for task, both in more.items()}
    found = judged("freeze-2", ahead(TO[2], more), verdict)
    assert rows(found) == [(task, f"{n} labels") for task in more for n in ("25", "1,000")]
    assert found.condition == condition
    assert found.sentence.startswith(
        "Training layer3 and layer4 too instead of the head alone "
        + (f"hurts on {harm}" if harm else "helps on ")
    )


OVERFIT, BEST, BEATEN = {TO[3]: 0.6}, {FINE: 0.6}, {TO[1]: 0.6}


@pytest.mark.parametrize(("leaves", "digits", "verdict", "condition"), [
    ((OVERFIT, BEST), (OVERFIT, BEST), "holds", "leaves, digits and satellite scenes"),
    ((NOTHING, BEST), (OVERFIT, BEATEN), "holds-when",
     "leaves (2,000 labels against frozen to layer1), digits (25 labels) and satellite scenes"),
    ((BEST, NOTHING), (NOTHING, BEATEN), "holds-when", "satellite scenes"),
])  # fmt: skip
def test_whether_all_weights_want_many_labels(
    judged, freezing_runs, leaves, digits, verdict, condition
):
    cells = {("leaves", 25): leaves[0], ("leaves", 2000): leaves[1]}
    cells |= {("digits", 25): digits[0], ("digits", 1000): digits[1]}
    cells |= {("satellite", 25): OVERFIT, ("satellite", 500): BEATEN}  # not asked for a thousand
    found = judged("freeze-3", freezing_runs(cells), verdict)
    assert found.condition == condition and len(found.contrasts) == 5
    if condition == "satellite scenes":
        judged("freeze-3", freezing_runs(dict([*cells.items()][:4])), "does-not-hold")


def test_all_weights_are_asked_against_the_depth_that_leads_on_validation(judged, freezing_runs):
    first, second = (("leaves", f"2,000 labels against {each}") for each in (TO[1], HEAD))
    frame = freezing_runs({("leaves", 25): OVERFIT, ("leaves", 2000): {FINE: 0.6, TO[1]: 0.7}})
    judged("freeze-3", frame, "holds-when", {first: "hurts"})
    for other, value in ((HEAD, 0.9), (FINE, 1.0), (SCRATCH, 1.0), (CONTROL, 1.0)):
        frame.loc[(frame.labels == 2000) & (frame.strategy == other), "val_accuracy"] = value
    judged("freeze-3", frame, "holds", {second: "helps"})


SPOT, MUCH, NO_SPOT = {TO[2]: 0.6}, {TO[2]: 0.6, FINE: 0.7}, {FINE: 0.6, HEAD: 0.7}


@pytest.mark.parametrize(
    ("cells", "verdict", "findings", "brought"),
    [
        ((SPOT, SPOT, SPOT), "holds", {"leaves": "helps"}, "+10.0"),
        ((SPOT, NOTHING, MUCH), "holds-when", {
            ("leaves", "25 against fine-tuning"): "helps",
            ("leaves", "200 against head alone"): "same",
            ("leaves", "1,000 against fine-tuning"): "hurts",
            ("leaves", "1,000 against head alone"): "helps",
        }, "+3.3"),
        ((NO_SPOT, NO_SPOT, NOTHING), "does-not-hold", {}, "+6.7"),
    ],
)  # fmt: skip
def test_whether_there_is_a_sweet_spot(judged, freezing_runs, cells, verdict, findings, brought):
    counts = {25: cells[0], 100: NO_SPOT, 200: cells[1], 1000: cells[2]}  # 100 is not asked
    frame = freezing_runs({("leaves", labels): given for labels, given in counts.items()})
    found = judged("freeze-4", frame, verdict, findings)
    ends = (FINE, HEAD)
    assert rows(found) == [("leaves", f"{n} against {e}") for n in (25, 200, "1,000") for e in ends]
    assert found.sentence.endswith(f"instead of training everything brings {brought} points.")


def test_the_sweet_spot_is_chosen_on_validation_and_lies_between_the_ends(judged, freezing_runs):
    depths = {TO[1]: 0.6, TO[3]: 0.9, HEAD: 0.8}
    frame = freezing_runs({("leaves", labels): depths for labels in (25, 200, 500)})
    frame.loc[frame.strategy == HEAD, "val_accuracy"] = 1.0  # an end
    judged("freeze-4", frame, "holds")
    frame.loc[frame.strategy == TO[1], "val_accuracy"] = 0.92
    found = judged("freeze-4", frame, "holds-when", {("leaves", f"25 against {HEAD}"): "hurts"})
    assert found.sentence.startswith("Freezing to a depth between the ends hurts on leaves (")


def test_each_seed_finds_its_own_depth_and_freezes_more_where_two_are_level(freezing_runs):
    frame = freezing_runs({("leaves", 25): {TO[1]: 0.7, TO[2]: 0.7, HEAD: 0.6}})
    frame["test_balanced"] = frame.strategy.map([*recipe.FROZEN].index) + frame.seed / 10
    frame.loc[(frame.strategy == FINE) & (frame.seed == 3), "val_accuracy"] = 0.8
    frame.loc[(frame.strategy == SCRATCH) & (frame.seed == 1), "val_accuracy"] = 0.9  # no depth
    found = rules.found_by_experiment(Runs(frame), "leaves", 25)
    assert found.index.tolist() == [*range(5)]
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
    ("ahead", "verdict", "condition", "besides"),
    [
        ([(0.1, 0.1, 0.2)] * 3, "holds", "leaves and digits", (10, 20)),
        ([(0.1, 0, 0.1), (0, 0, 0.1), (-0.1, 0.03, 0.1)], "holds-when",
         "leaves (50 labels)", (1, 10)),
        ([(0, 0, 0), (-0.1, -0.3, 0), (0, 0, 0.06)], "does-not-hold", "", (-10, 2)),
    ],
)  # fmt: skip
def test_whether_to_wait_until_features_stop(judged, policies, ahead, verdict, condition, besides):
    found = judged("freeze-5", policies(ahead), verdict)
    assert rows(found) == [(task, f"{labels} labels") for task, labels in KEYS]
    assert found.condition == condition
    assert ("hurts" in found.sentence) == any(first < 0 for first, *_ in ahead)
    for name, mean in zip(OTHERS[1:], besides, strict=True):
        assert f"gainst *{name}*: {mean:+.1f} points" in found.sentence


@pytest.mark.parametrize(("leaves", "digits", "verdict", "findings"), [
    ({HEAD: 0.7}, {TO[2]: 0.6}, "holds", {}),
    ({HEAD: 0.7}, {HEAD: 0.6}, "holds-when", {"leaves": "helps", "digits": "same"}),
    ({HEAD: 0.2}, {TO[2]: 0.6}, "holds-when", {"leaves": "hurts", "digits": "helps"}),
    ({TO[2]: 0.6, HEAD: 0.4}, {HEAD: 0.6}, "does-not-hold", {"leaves": "same"}),
])  # fmt: skip
def test_whether_size_and_similarity_tell_the_strategy(
    judged, freezing_runs, leaves, digits, verdict, findings
):
    cells = {("digits", n): digits for n in (25, 200)}  # the farthest of all
    cells |= {("leaves", 25): {HEAD: 0.6}, ("leaves", 200): leaves, ("leaves", 500): {HEAD: 0.1}}
    found = judged("choose-1", freezing_runs(cells), verdict, findings)
    assert rows(found) == [("leaves", HEAD), ("digits", TO[2])]
    assert found.contrasts[0].effect == pytest.approx((leaves[HEAD] - 0.4) / 2)


@pytest.fixture
def searched(made_up):
    """Made-up searches: by count of labels what a wrong rate costs from scratch, and fine-tuned,
    on each of five targets.
    """

    def build(costs):
        cells = {}
        for labels, both in costs.items():
            for strategy, lost in zip((SCRATCH, FINE), both, strict=True):
                for task, share in zip("abcde", lost, strict=True):
                    for lr, rest in ((1e-4, 1 - share - 0.1), (1e-3, 1), (1e-2, 1 - share + 0.1)):
                        cells[task, labels, strategy, lr] = 0.8 * rest
        return made_up(cells, "task labels strategy lr")

    return build


DEAR, CHEAP, MIXED = (0.5,) * 5, (0.2,) * 5, (0.9, 0.2, 0.1, 0.2, 0.1)


@pytest.mark.parametrize(("few", "many", "verdict", "says"), [
    ((DEAR, CHEAP), (DEAR, CHEAP), "holds", "from scratch more on all targets (+30.0 points)."),
    ((DEAR, CHEAP), (CHEAP, DEAR), "holds-when",
     "costs a pretrained start more on all targets (500 labels) (-30.0 points); costs a start "),
    ((CHEAP, CHEAP), (CHEAP, DEAR), "does-not-hold", "both the same on all targets (100 label"),
    ((MIXED, CHEAP), (CHEAP, MIXED), "cannot-tell", "nobody can tell which, on all targets."),
])  # fmt: skip
def test_whether_a_pretrained_start_forgives(judged, searched, few, many, verdict, says):
    found = judged("tuning-1", searched({500: many, 100: few}), verdict)
    assert rows(found) == [("all targets", "100 labels"), ("all targets", "500 labels")]
    assert says in found.sentence and "5 targets" in found.scope


@pytest.mark.parametrize(("claim", "swings"), [
    ("freeze-1", HEAD), ("freeze-2", TO[2]), ("freeze-3", FINE), ("freeze-4", TO[1]),
    ("freeze-5", rules.POLICY), ("choose-1", TO[2]),
])  # fmt: skip
def test_runs_that_swing_cannot_tell(judged, ahead, policies, unsure, claim, swings):
    frame = ahead(FINE, {"leaves": dict.fromkeys((25, 200, 1000), 0.05)})
    frame = policies([(0.05, 0, 0)] * 3) if claim == "freeze-5" else frame
    unsure(frame, 0.9, strategy=swings)
    judged(claim, frame, "cannot-tell", {"leaves": "cannot tell"})


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        *(("freeze-1", name) for name in (FINE, SCRATCH, HEAD, CONTROL)),
        *(("freeze-2", name) for name in (TO[2], HEAD)),
        *((claim, name) for claim in ("freeze-3", "freeze-4") for name in recipe.PRETRAINED),
        *(("freeze-5", name) for name in (rules.POLICY, *OTHERS)),
        *(("choose-1", name) for name in (HEAD, TO[2], FINE)),
        *(("tuning-1", name) for name in (SCRATCH, FINE)),
    ],
)
def test_a_strategy_that_is_missing_is_named(judged, ahead, policies, searched, claim, name):
    more = dict.fromkeys((25, 200, 1000), 0.1)
    frame = ahead(FINE, {"leaves": more, "digits": more})
    others = {"freeze-5": policies([(0, 0, 0)]), "tuning-1": searched({100: (DEAR, CHEAP)})}
    frame = others.get(claim, frame)
    judged(claim, frame)
    with pytest.raises(store.UnknownName, match="tored") as found:
        judged(claim, frame[frame.strategy != name])
    assert name in str(found.value)
    with pytest.raises(store.BadInput):
        judged(claim, frame[frame.task == "a"] if claim == "tuning-1" else frame[frame.seed > 0])
