"""The rules of lesson 06, on made-up runs."""

import numpy as np
import pytest

from tl_course import store
from tl_course.lessons.overfitting import recipe, rules

CURE, BASE, LABELS, EVERY = rules.CURE, rules.BASE, rules.LABELS, "all but labels"
SMALL = ("on {} over 25 to 100 labels", "on {}")


def tiny(leaves, digits):
    """How far one strategy is ahead with each of the small counts of labels."""
    counts = dict.fromkeys(("leaves", "digits"), rules.TINY)
    return {
        task: dict(zip(counts[task], values, strict=True))
        for task, values in (("leaves", leaves), ("digits", digits))
    }


@pytest.mark.parametrize(
    ("leaves", "digits", "yes", "no", "better", "worse"),
    [
        ((0.1, 0.1, 0.1), (0.2, 0.1, 0.1), "leaves, digits", "", 6, 0),
        ((0.1, 0.1, 0), (0, -0.1, -0.1), "leaves", "digits", 2, 2),
        # mixed cells: what counts is their mean
        ((0.2, 0, -0.1), (0.3, -0.1, -0.1), "leaves, digits", "", 2, 3),
        ((0.1, 0.1, -0.3), (0.1, -0.02, -0.1), "", "leaves, digits", 3, 3),
        ((0, 0, 0), (-0.1, -0.1, -0.1), "", "leaves, digits", 0, 3),
    ],
)
def test_whether_freezing_protects_small_sets(
    judged, ahead, leaves, digits, yes, no, better, worse
):
    more = tiny(leaves, digits)
    more["leaves"][500] = -0.5  # no small set
    found = judged("freeze-6", ahead(rules.MOST, more), (*SMALL, yes, no))
    mean = np.mean([*leaves, *digits])
    assert found.effect == pytest.approx(mean, abs=0.005)
    points = round(100 * (0.5 - mean))  # of the plain test accuracy, see ``freezing_runs``
    assert found.condition.endswith(
        f"; better in {better}, worse in {worse} of 6 pairs of target and labels; training is "
        f"ahead of the test by {points} points instead of 50"
    )


def test_protection_that_may_be_chance_is_none(judged, ahead, unsure):
    more = {"leaves": dict.fromkeys(rules.TINY, 0.05)}
    frame = ahead(rules.MOST, more)
    unsure(frame, strategy=rules.MOST)
    found = judged("freeze-6", frame, verdict="does-not-hold")
    assert "better in 0, worse in 0 of 3" in found.condition
    # in the mean over cells it may show, where in each another seed swings
    frame = ahead(rules.MOST, more)
    for seed, labels in enumerate(rules.TINY):
        rows = (frame.strategy == rules.MOST) & (frame.labels == labels)
        frame.loc[rows, "test_balanced"] += np.where(frame.seed[rows] == seed, 0.1, -0.025)
    found = judged("freeze-6", frame, (*SMALL, "leaves", ""))
    assert "better in 0, worse in 0 of 3" in found.condition


@pytest.fixture(scope="module")
def treated(made_up):
    """Made-up results as data_scripts/sweep_cures.py writes them: from cure to balanced test
    accuracy, and as much on validation.
    """

    def build(leaves, digits=None, trained=1.0):
        cells = {
            (task, labels, cure): given.get(cure, 0.5)
            for task, labels, given in (("leaves", 100, leaves), ("digits", 50, digits))
            if given is not None
            for cure in (BASE, CURE, LABELS, EVERY)
        }
        return made_up(cells, train_accuracy=trained)

    return build


@pytest.mark.parametrize(
    ("digits", "trained", "yes", "no"),
    [
        (0.64, 0.99, ["leaves", "digits"], []),
        (0.66, 1.0, ["leaves"], ["digits"]),
        (0.5, 0.986, [], ["leaves", "digits"]),
    ],
)
def test_whether_overfitting_looks_like_the_picture(judged, treated, digits, trained, yes, no):
    told = {
        "leaves": f"leaves with 100 labels ({trained:.1%} in training, 50.0% in the test)",
        "digits": f"digits with 50 labels ({trained:.1%} in training, {digits:.1%} in the test)",
    }
    words = ("on {}", "on {}", *(", ".join(told[task] for task in side) for side in (yes, no)))
    found = judged("fit-1", treated({}, {BASE: digits}, trained), words)
    assert found.effect == pytest.approx(trained - (0.5 + digits) / 2)


@pytest.mark.parametrize(
    ("leaves", "digits", "yes", "no"),
    [
        (0.6, 0.7, "leaves (100), digits (50)", ""),
        (0.6, 0.5, "leaves (100)", "digits (50)"),
        (0.4, 0.5, "", "leaves (100), digits (50)"),
    ],
)
def test_whether_the_cure_cures(judged, treated, leaves, digits, yes, no):
    others = {EVERY: 0.62, LABELS: 0.8}
    frame = treated(others | {CURE: leaves}, others | {CURE: digits})
    found = judged("fit-2", frame, ("on {}", "on {}", yes, no))
    best = f"{CURE} (+15.0" if digits == 0.7 else f"{EVERY} (+12.0"
    assert found.condition.endswith(
        f"; best of 2 on validation: {best} in the test); {LABELS}: +30.0 points"
    )
    assert found.effect == pytest.approx((leaves + digits) / 2 - 0.5, abs=0.005)


def test_the_best_cure_is_chosen_on_validation_by_its_mean_over_tasks(judged, treated):
    cures = {CURE: 0.6, EVERY: 0.45, LABELS: 0.7}
    frame = treated(cures, cures)
    here = frame.strategy == EVERY
    frame.loc[here, "val_accuracy"] = np.where(frame.task[here] == "leaves", 0.8, 0.5)
    for other in (BASE, LABELS):  # neither is a cure to choose
        frame.loc[frame.strategy == other, "val_accuracy"] = 0.9
    found = judged("fit-2", frame, verdict="holds")
    assert f"{EVERY} (-5.0 in the test); {LABELS}: +20.0 points" in found.condition


def test_a_cure_that_may_bring_nothing_is_none(judged, treated, unsure):
    frame = treated({CURE: 0.55})
    judged("fit-2", frame, verdict="holds")
    unsure(frame, strategy=CURE)
    judged("fit-2", frame, verdict="does-not-hold")


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        ("freeze-6", rules.ALL),
        ("freeze-6", rules.MOST),
        ("fit-1", BASE),
        *(("fit-2", name) for name in (BASE, CURE, LABELS)),
    ],
)
def test_a_strategy_that_is_missing_is_named(judged, ahead, treated, claim, name):
    frame = treated({}) if claim != "freeze-6" else ahead(rules.MOST, tiny((0,) * 3, (0,) * 3))
    judged(claim, frame)
    with pytest.raises(store.UnknownName, match="tored") as found:
        judged(claim, frame[frame.strategy != name])
    assert name in str(found.value)


def test_rules_speak_of_cures_that_there_are():
    assert {BASE, CURE, LABELS} <= {*recipe.CURES}
