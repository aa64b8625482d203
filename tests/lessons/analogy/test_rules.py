"""The rules of lesson 01, on made-up runs."""

import numpy as np
import pytest

LABELS = (10, 30, 1000)
LONGER = "nothing, four times as long"
FASTER = ("with {} Italian numbers", "with {}")


def languages(spanish, nothing, longer):
    """Accuracy with each number of ``LABELS``; before any label all guess."""
    starts = {"spanish": spanish, "nothing": nothing, LONGER: longer}
    return {
        name: {0: 0.01} | dict(zip(LABELS, values, strict=True)) for name, values in starts.items()
    }


@pytest.mark.parametrize(
    ("longer", "yes", "no"),
    [
        ((0.1, 0.3, 0.8), "10, 30, 1,000", ""),
        ((0.1, 0.3, 0.9), "10, 30", "1,000"),
        ((0.1, 0.9, 0.97), "10", "30, 1,000"),
        ((0.3, 0.7, 0.9), "", "10, 30, 1,000"),
    ],
)
def test_spanish_must_also_beat_who_trains_four_times_as_long(
    judged, analogy_runs, longer, yes, no
):
    frame = analogy_runs(languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), longer))
    found = judged("analogy-1", frame, (*FASTER, yes, no))
    assert found.effect == pytest.approx(0.5, abs=0.01)  # against nothing, with 30 numbers


def test_the_long_start_from_nothing_counts_where_it_was_tried(judged, analogy_runs):
    accuracies = languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), (0.9, 0.3, 0.95))
    tried = {labels: accuracies[LONGER][labels] for labels in (0, 30)}
    judged("analogy-1", analogy_runs(accuracies | {LONGER: tried}), verdict="holds")
    tried[30] = 0.8
    judged("analogy-1", analogy_runs(accuracies | {LONGER: tried}), (*FASTER, "10, 1,000", "30"))


def test_spanish_that_is_behind_is_not_faster(judged, analogy_runs):
    frame = analogy_runs(languages((0.1, 0.2, 0.3), (0.3, 0.4, 0.5), (0.3, 0.4, 0.5)))
    found = judged("analogy-1", frame, verdict="does-not-hold")
    assert found.effect == pytest.approx(-0.2, abs=0.01)


@pytest.mark.parametrize(
    ("relatives", "yes", "no"),
    [
        ((0.1, 0.2, 0.3, 0.4), "cognates +40, grammar +30, alphabet +20, roots +10", ""),
        ((0.1, 0.5, 0.3, 0.6), "cognates +40, alphabet +20", "grammar +0, roots -10"),
        ((0.5, 0.6, 0.7, 0.5), "", "cognates +0, grammar -10, alphabet -20, roots +0"),
    ],
)
def test_what_was_taken_away_must_be_worth_something(judged, analogy_runs, relatives, yes, no):
    names = ("false_friends", "reversed", "enciphered", "invented")
    starts = {f"spanish_{name}": each for name, each in zip(names, relatives, strict=True)}
    starts["spanish"] = 0.5001  # no points are +0, not -0
    # with 10 numbers it would look otherwise; 30 count
    frame = analogy_runs({name: {10: 1 - each, 30: each} for name, each in starts.items()})
    found = judged("analogy-2", frame, ("worth, in points: {}", "{}", yes, no))
    assert found.effect == pytest.approx(0.5 - np.mean(relatives), abs=0.01)
