"""The rules of lesson 06, on made-up runs."""

import numpy as np
import pytest

from tl_course import store
from tl_course.lessons.overfitting import recipe, rules

CURE, BASE, LABELS, EVERY = rules.CURE, rules.BASE, rules.LABELS, "all but labels"
KNOWN, MET = "in training", "in the test"


def rows(found):
    return [(each.target, each.where) for each in found.contrasts]


@pytest.mark.parametrize(
    ("leaves", "digits", "verdict", "condition"),
    [
        ((0.1, 0.1, 0.1), (0.2, 0.1, 0.1), "holds", "leaves and digits"),
        ((0.1, 0.1, 0), (0, -0.1, -0.1), "holds-when", "leaves (25, 50 labels)"),
        ((0, 0, 0), (0, -0.1, -0.2), "does-not-hold", ""),
    ],
)
def test_whether_freezing_protects_small_sets(judged, ahead, leaves, digits, verdict, condition):
    more = {"leaves": leaves, "digits": digits}
    more = {task: dict(zip(rules.TINY, gains, strict=True)) for task, gains in more.items()}
    more["leaves"][500] = -0.5  # no small set
    found = judged("freeze-6", ahead(rules.MOST, more), verdict)
    assert rows(found) == [(task, f"{n} labels") for task in more for n in rules.TINY]
    assert found.condition == condition
    assert ("layer3 hurts on digits" in found.sentence) == (digits[1] < 0)
    points = round(100 * (0.5 - np.mean([*leaves, *digits])))  # see ``freezing_runs``
    assert found.sentence.endswith(f"ahead of the test by {points} points instead of 50.")


@pytest.fixture(scope="module")
def treated(made_up):
    """Made-up results as data_scripts/sweep_cures.py writes them: from cure to balanced test
    accuracy, and as much on validation.
    """

    def build(leaves, digits, trained=1.0):
        cells = {
            (task, labels, cure): given.get(cure, 0.5)
            for task, labels, given in (("leaves", 100, leaves), ("digits", 50, digits))
            for cure in (BASE, CURE, LABELS, EVERY)
        }
        return made_up(cells, train_accuracy=trained)

    return build


@pytest.mark.parametrize(
    ("digits", "trained", "verdict", "findings"),
    [
        (0.65, 0.99, "holds", {("leaves", KNOWN): "same", ("digits", MET): "same"}),
        (0.7, 1.0, "holds-when", {("digits", KNOWN): "helps", ("digits", MET): "hurts"}),
        (0.6, 0.9, "holds-when", {("leaves", KNOWN): "hurts", ("leaves", MET): "helps"}),
    ],
)
def test_whether_overfitting_looks_like_the_picture(
    judged, treated, digits, trained, verdict, findings
):
    found = judged("fit-1", treated({}, {BASE: digits}, trained), verdict, findings)
    assert rows(found) == [(task, side) for task in ("leaves", "digits") for side in (KNOWN, MET)]
    less = "Overfitting with no cure, beside 99 % in training and 65 % in the test, is less on"
    assert found.sentence.startswith(less) == (verdict != "holds")


def test_a_network_that_knows_little_and_is_right_all_the_same_is_no_picture(judged, treated):
    judged("fit-1", treated({BASE: 0.8}, {BASE: 0.8}, 0.9), "does-not-hold")


@pytest.mark.parametrize(
    ("leaves", "digits", "verdict", "condition", "best"),
    [
        (0.6, 0.7, "holds", "leaves and digits", f"{CURE}, +15.0"),
        (0.6, 0.4, "holds-when", "leaves", f"{EVERY}, +12.0"),
        (0.4, 0.5, "does-not-hold", "", f"{EVERY}, +12.0"),
    ],
)
def test_whether_the_cure_cures(judged, treated, leaves, digits, verdict, condition, best):
    others = {EVERY: 0.62, LABELS: 0.8}  # twice the labels is no cure to choose
    found = judged("fit-2", treated(others | {CURE: leaves}, others | {CURE: digits}), verdict)
    assert rows(found) == [("leaves", "100 labels"), ("digits", "50 labels")]
    assert found.condition == condition
    assert ("a fifth as long hurts" in found.sentence) == (0.4 in (leaves, digits))
    assert found.sentence.endswith(
        f"Best of 2 cures on validation: {best} points in the test. Twice the labels: +30.0 points."
    )


def test_the_best_cure_is_chosen_on_validation_by_its_mean_over_tasks(judged, treated):
    cures = {CURE: 0.6, EVERY: 0.45, LABELS: 0.7}
    frame = treated(cures, cures)
    here = frame.strategy == EVERY
    frame.loc[here, "val_accuracy"] = np.where(frame.task[here] == "leaves", 0.8, 0.5)
    assert f"on validation: {EVERY}, -5.0 points" in judged("fit-2", frame, "holds").sentence


@pytest.fixture(scope="module")
def plain(ahead, treated):
    """For each claim runs in which all is alike."""
    small = dict.fromkeys(rules.TINY, 0.0)
    return {"freeze-6": ahead(rules.MOST, {"leaves": small})} | dict.fromkeys(
        ("fit-1", "fit-2"), treated({}, {})
    )


@pytest.mark.parametrize(("claim", "swings"), [("freeze-6", rules.MOST), ("fit-2", CURE)])
def test_runs_that_swing_cannot_tell(judged, plain, unsure, claim, swings):
    frame = plain[claim].copy()
    unsure(frame, strategy=swings)
    judged(claim, frame, "cannot-tell", {"leaves": "cannot tell"})


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        *(("freeze-6", name) for name in (rules.ALL, rules.MOST)),
        ("fit-1", BASE),
        *(("fit-2", name) for name in (BASE, CURE, LABELS)),
    ],
)
def test_a_strategy_that_is_missing_is_named(judged, plain, claim, name):
    frame = plain[claim]
    judged(claim, frame)
    with pytest.raises(store.UnknownName, match="tored") as found:
        judged(claim, frame[frame.strategy != name])
    assert name in str(found.value)
    with pytest.raises(store.BadInput, match="Run more seeds"):
        judged(claim, frame[frame.seed > 0])


def test_rules_speak_of_cures_that_there_are():
    assert {BASE, CURE, LABELS} <= {*recipe.CURES}
