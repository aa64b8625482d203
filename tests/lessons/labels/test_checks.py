"""Lesson 05's checks: labels read off a curve, a budget, and a fair comparison."""

import numpy as np
import pytest
from said import right, wrong

from tl_course import store
from tl_course.lessons.labels import worth
from tl_course.lessons.labels.checks import check_fair, check_labels_needed, check_plan, plan_cost


def by_interp(counts, accuracies, wanted):
    best = np.maximum.accumulate(accuracies)
    if wanted > best[-1]:
        return None
    return np.exp(np.interp(wanted, best, np.log(counts)))


def changed(change, read=by_interp):
    """A reading of which something else is made where it is a number."""

    def needed(*given):
        found = read(*given)
        return None if found is None else change(found)

    return needed


rounded = changed(lambda found: round(2 ** np.log2(float(found))))


@pytest.mark.parametrize("needed", [by_interp, rounded, worth.labels_needed, changed(np.array)])
def test_right_readings(needed):
    right(check_labels_needed(needed))


def straight(counts, accuracies, wanted):
    best = np.maximum.accumulate(accuracies)
    return None if wanted > best[-1] else np.interp(wanted, best, counts)


def not_monotone(counts, accuracies, wanted):
    if wanted > max(accuracies):
        return None
    return np.exp(np.interp(wanted, accuracies, np.log(counts)))


def next_count(counts, accuracies, wanted):
    return next((n for n, a in zip(counts, accuracies, strict=True) if a >= wanted), None)


def none_below(counts, accuracies, wanted):
    return None if wanted < accuracies[0] else by_interp(counts, accuracies, wanted)


def last_only(counts, accuracies, wanted):
    return None if wanted > accuracies[-1] else by_interp(counts, accuracies, wanted)


@pytest.mark.parametrize(
    ("needed", "parts"),
    [
        (lambda *given: by_interp(*given) or 1000, ["never reached", "gives 1000, not None"]),
        (lambda *given: by_interp(*given) or float("inf"), ["gives inf, not None", "you promise"]),
        (straight, ["a curve that rises", "line over labels", "logarithm"]),
        (not_monotone, ["a curve that falls", "best so far"]),
        (next_count, ["gives 500, not 316.228", "Between two points"]),
        (none_below, ["less than the first point", "gives None, not 25. It gets there"]),
        (lambda c, a, w: 30.0 if w < a[0] else by_interp(c, a, w), ["Even the fewest labels"]),
        (last_only, ["falls at its end", "gives None"]),
        (changed(np.log), ["np.exp brings it back"]),
        (changed(lambda found: 10 ** np.log(found)), ["must have the same base"]),
        (changed(np.log10), ["must have the same base"]),
        (lambda c, a, w: float("nan"), ["gives nan, not 316.228."]),
        (lambda c, a, w: "316", ["a str, not a number"]),
        (lambda c, a, w: True, ["a bool, not a number"]),
        (lambda c, a, w: c, ["a ndarray, not a number"]),
    ],
)
def test_what_is_wrong_with_a_reading(needed, parts):
    wrong(check_labels_needed(needed), *parts)


@pytest.fixture
def stored(shelf, made_up):
    curves = {"fine-tuning": (0.4, 0.5, 0.6, 0.7, 0.8, 0.85), "from scratch": (0.3,) * 6}
    curves["head alone"] = (0.4, 0.45, 0.5, 0.55, 0.62, 0.65)
    counts = (25, 50, 100, 200, 500, 1000)
    cells = {
        (task, labels, strategy): value
        for task in ("leaves", "digits")
        for strategy, curve in curves.items()
        for labels, value in zip(counts, curve, strict=True)
    }
    shelf(made_up(cells))


def plan(start, labels):
    return {"start": start, "labels": labels}


def test_a_plan_that_keeps_its_promise_as_cheaply_as_can_be(stored):
    right(check_plan(plan("fine-tuning", 200)))
    right(check_plan(plan("fine-tuning", np.int64(200))))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (plan("from scratch", 100), ["30% [", "below 60%, whatever"]),
        (plan("fine-tuning", 100), ["60% [60%, 60%]", "reaches below 60%"]),
        (plan("fine-tuning", 500), ["would do", "with 200 labels", "300 € less"]),
        (plan("head alone", 500), ["fine-tuning with 200 labels"]),
        (plan("fine-tuning", 150), ["no runs with 150 labels", "25, 50, 100"]),
        (plan("fine-tuning", True), ["no runs with True labels"]),
        (plan("fine-tuning", "200"), ["no runs with '200' labels"]),
        (plan("magic", 200), ["no start of this name"]),
        (plan(None, None), ["no start of this name"]),
        ({"labels": 200}, ["a plan looks like"]),
        (("fine-tuning", 200), ["a plan looks like"]),
    ],
)
def test_what_is_wrong_with_a_plan(stored, given, parts):
    wrong(check_plan(given), *parts)


def test_validation_needs_labels_too():
    assert [plan_cost(labels) for labels in (25, 200, 1000)] == [37.5, 200, 750]


def test_without_stored_runs_the_check_says_so(shelf):
    shelf(store.UnknownName("the runs", "there are none", "Make them"))
    wrong(check_plan(plan("fine-tuning", 200)), "there are none")


RATES = (3e-4, 1e-3, 3e-3)


def compared(few, learn, test, ours=None, epochs=12, rates=RATES, choose=max):
    """A comparison that is fair as long as nothing is given."""
    tuned = [learn("fine-tuning", ours or few, 12, rate) for rate in RATES]
    alone = [learn("from scratch", few, epochs, rate) for rate in rates]
    best, other = (choose(runs, key=lambda run: run[0])[1] for runs in (tuned, alone))
    return test(best) - test(other)


def fair(task, learn, test, **changes):
    return compared(task.few(100, seed=0), learn, test, **changes)


def over_draws(task, learn, test):
    return np.mean([compared(task.few(60, seed), learn, test) for seed in range(3)])


def one_rate(task, learn, test):
    few = task.few(100, seed=0)
    models = [learn(start, few, 12, 1e-3)[1] for start in ("fine-tuning", "from scratch")]
    return test(models[0]) - test(models[1])


@pytest.mark.parametrize("duel", [fair, over_draws, one_rate])
def test_fair_comparisons(duel):
    right(check_fair(duel))


def by_test(task, learn, test):
    few = task.few(100, seed=0)
    runs = [[learn(s, few, 12, r) for r in RATES] for s in ("fine-tuning", "from scratch")]
    ours, theirs = (max(test(model) for _, model in each) for each in runs)
    return ours - theirs


def changing(change):
    """A comparison with something changed that is made of the task."""
    return lambda task, learn, test: fair(task, learn, test, **change(task))


@pytest.mark.parametrize(
    ("duel", "parts"),
    [
        (
            changing(lambda task: {"ours": task.few(100, seed=1)}),
            ["the draw of labels (another seed); the validation pictures (another draw)."],
        ),
        (
            changing(lambda task: {"ours": task.few(60, seed=0)}),
            ["training labels (60 against 100); validation pictures (60 against 100)."],
        ),
        (changing(lambda task: {"epochs": 6}), ["still unequal are epochs (12 against 6)."]),
        (changing(lambda task: {"rates": RATES[:1]}), ["learning rates tried (3 against 1)."]),
        (changing(lambda task: {"rates": [1e-3] * 3}), ["learning rates tried (3 against 1)."]),
        (changing(lambda task: {"choose": min}), ["not the best on validation"]),
        (changing(lambda task: {"epochs": -1}), ["nothing is learnt with that"]),
        (changing(lambda task: {"epochs": "12"}), ["nothing is learnt with that"]),
        (changing(lambda task: {"ours": 3}), ["learn needs a task"]),
        (by_test, ["the test was asked 6 times, for 2 results"]),
        (lambda *given: -fair(*given), ["duel returns", "fine-tuning minus from scratch"]),
        (lambda *given: fair(*given) and None, ["returns None"]),
        (lambda t, learn, test: learn("fine-tuning", t, 12, 1e-3), ["trained from scratch"]),
        (lambda t, learn, test: 0.1, ["nothing was trained fine-tuning"]),
        (lambda t, learn, test: test(3), ["learn did not make it"]),
        (lambda t, learn, test: learn("magic", t, 1, 1), ["no start of this name"]),
    ],
)
def test_what_is_no_fair_comparison(duel, parts):
    wrong(check_fair(duel), *parts)
