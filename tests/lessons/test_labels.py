"""Lesson 05: its charts, its widget and its checks, on made-up runs."""

import numpy as np
import pandas
import pytest
from said import right, wrong

from tl_course import evidence, store
from tl_course.lessons.freezing.recipe import FROZEN
from tl_course.lessons.labels import checks as labels_checks
from tl_course.lessons.labels import worth as labels_worth

COUNTS = (25, 50, 100, 200, 500, 1000)
# accuracy with COUNTS; from scratch needs ten times the labels of fine-tuning
CURVES = {
    "fine-tuning": (0.4, 0.5, 0.6, 0.7, 0.8, 0.85),
    "head alone": (0.4, 0.45, 0.5, 0.55, 0.62, 0.65),
    "from scratch": (0.2, 0.25, 0.3, 0.36, 0.5, 0.6),
    "head on random backbone": (0.2, 0.2, 0.22, 0.22, 0.25, 0.3),
}
KEYS = {name: name for name in CURVES}
TARGETS = {"leaves": "leaves", "digits": "handwritten digits"}


def made_up() -> pandas.DataFrame:
    """Results as data_scripts/sweep_freezing.py writes them, seeds around the means of CURVES."""
    rows = []
    for task in TARGETS:
        for strategy in FROZEN:
            means = CURVES.get(strategy, CURVES["head alone"])
            for labels, mean in zip(COUNTS, means, strict=True):
                for seed in range(5):
                    shift = 0.005 * (seed - 2) * (1 if len(strategy) % 2 else -1)
                    row = {"task": task, "labels": labels, "strategy": strategy, "seed": seed}
                    found = mean + shift
                    rows.append(row | {"test_accuracy": found / 2, "test_balanced": found})
    return pandas.DataFrame(rows)


@pytest.fixture(scope="module")
def frame():
    return made_up()


@pytest.fixture
def stored(frame, monkeypatch):
    monkeypatch.setattr(evidence, "load", lambda name: frame.copy())


def by_interp(counts, accuracies, wanted):
    best = np.maximum.accumulate(accuracies)
    if wanted > best[-1]:
        return None
    return np.exp(np.interp(wanted, best, np.log(counts)))


def other_base(counts, accuracies, wanted):
    found = by_interp(counts, accuracies, wanted)
    return None if found is None else round(2 ** np.log2(float(found)))


@pytest.mark.parametrize("needed", [by_interp, other_base, labels_worth.labels_needed])
def test_right_readings(needed):
    right(labels_checks.check_labels_needed(needed))


def clamped(counts, accuracies, wanted):
    return np.exp(np.interp(wanted, np.maximum.accumulate(accuracies), np.log(counts)))


def straight(counts, accuracies, wanted):
    best = np.maximum.accumulate(accuracies)
    return None if wanted > best[-1] else np.interp(wanted, best, counts)


def not_monotone(counts, accuracies, wanted):
    if wanted > max(accuracies):
        return None
    return np.exp(np.interp(wanted, accuracies, np.log(counts)))


def sorts_in_place(counts, accuracies, wanted):
    accuracies.sort()
    return by_interp(counts, accuracies, wanted)


def next_count(counts, accuracies, wanted):
    return next((n for n, a in zip(counts, accuracies, strict=True) if a >= wanted), None)


def none_below(counts, accuracies, wanted):
    return None if wanted < accuracies[0] else by_interp(counts, accuracies, wanted)


def last_only(counts, accuracies, wanted):
    return None if wanted > accuracies[-1] else by_interp(counts, accuracies, wanted)


def never(counts, accuracies, wanted):
    found = by_interp(counts, accuracies, wanted)
    return float("inf") if found is None else found


@pytest.mark.parametrize(
    ("needed", "parts"),
    [
        (clamped, ["never reached", "you answer 1000", "None"]),
        (straight, ["a curve that rises", "line over labels", "logarithm"]),
        (not_monotone, ["a curve that falls", "best so far"]),
        (sorts_in_place, ["a curve that falls once", "changes the arrays"]),
        (next_count, ["you answer 500, it is 316", "Between two points"]),
        (none_below, ["less than the first point", "you answer None, but it is reached at 25"]),
        (last_only, ["falls at its end", "reached at"]),
        (never, ["you answer inf"]),
        (lambda c, a, w: np.log(by_interp(c, a, w)), ["np.exp brings it back"]),
        (lambda c, a, w: None, ["you answer None, but it is reached at 316"]),
        (lambda c, a, w: "316", ["a str, not with a number"]),
        (lambda c, a, w: True, ["a bool, not with a number"]),
        (lambda c, a, w: c, ["a ndarray, not with a number"]),
        (lambda c, a: 316, ["TypeError"]),
        (lambda c, a, w: 1 / 0, ["ZeroDivisionError"]),
        (316, ["this is int, not a function"]),
        (None, ["this is NoneType, not a function"]),
    ],
)
def test_what_is_wrong_with_a_reading(needed, parts):
    wrong(labels_checks.check_labels_needed(needed), *parts)


def test_a_plan_that_keeps_its_promise_as_cheaply_as_can_be(stored):
    right(labels_checks.check_plan({"start": "fine-tuning", "labels": 200}))
    right(labels_checks.check_plan({"start": "fine-tuning", "labels": np.int64(200)}))


@pytest.mark.parametrize(
    ("plan", "parts"),
    [
        ({"start": "from scratch", "labels": 100}, ["30% [", "below 60%, whatever"]),
        ({"start": "fine-tuning", "labels": 100}, ["60% [59%, 61%]", "reaches below 60%"]),
        ({"start": "fine-tuning", "labels": 500}, ["would do", "with 200 labels", "300 € less"]),
        ({"start": "head alone", "labels": 500}, ["fine-tuning with 200 labels"]),
        ({"start": "fine-tuning", "labels": 150}, ["no runs with 150 labels", "25, 50, 100"]),
        ({"start": "fine-tuning", "labels": True}, ["no runs with True labels"]),
        ({"start": "fine-tuning", "labels": "200"}, ["no runs with '200' labels"]),
        ({"start": "magic", "labels": 200}, ["no start of this name"]),
        ({"start": None, "labels": None}, ["no start of this name"]),
        ({"labels": 200}, ["a plan looks like"]),
        (("fine-tuning", 200), ["a plan looks like"]),
        (None, ["a plan looks like"]),
    ],
)
def test_what_is_wrong_with_a_plan(stored, plan, parts):
    wrong(labels_checks.check_plan(plan), *parts)


def test_validation_needs_labels_too():
    assert labels_checks.plan_cost(25) == 0.5 * (25 + 50)
    assert labels_checks.plan_cost(200) == 0.5 * (200 + 200)
    assert labels_checks.plan_cost(1000) == 0.5 * (1000 + 500)


RATES = (3e-4, 1e-3, 3e-3)


def fair(task, train_it, test):
    few, best = task.few(100, seed=0), []
    for start in ("fine-tuning", "from scratch"):
        runs = [train_it(start, few, epochs=12, lr=rate) for rate in RATES]
        best.append(max(runs, key=lambda run: run[0])[1])
    return test(best[0]) - test(best[1])


def over_draws(task, train_it, test):
    return np.mean([fair_with(task.few(60, seed), train_it, test) for seed in range(3)])


def fair_with(few, train_it, test, ours=None, epochs=12, rates=RATES, by_test=False, sign=1):
    """A comparison that is fair as long as nothing is given."""
    tuned = [train_it("fine-tuning", ours or few, 12, rate) for rate in RATES]
    alone = [train_it("from scratch", few, epochs, rate) for rate in rates]
    if by_test:
        return max(test(run[1]) for run in tuned) - max(test(run[1]) for run in alone)
    best = [max(runs, key=lambda run: run[0])[1] for runs in (tuned, alone)]
    return sign * (test(best[0]) - test(best[1]))


def one_rate(task, train_it, test):
    few = task.few(100, seed=0)
    models = [train_it(s, few, 12, 1e-3)[1] for s in ("fine-tuning", "from scratch")]
    return test(models[0]) - test(models[1])


@pytest.mark.parametrize("duel", [fair, over_draws, one_rate])
def test_fair_comparisons(duel):
    right(labels_checks.check_fair(duel))


@pytest.mark.parametrize(
    ("changed", "parts"),
    [
        (lambda t: {"ours": t.few(100, seed=1)}, ["the draw of labels", "another seed"]),
        (lambda t: {"ours": t.few(60, seed=0)}, ["training labels (60 against 100)"]),
        (lambda t: {"ours": t.few(60, seed=0)}, ["validation pictures (60 against 100)"]),
        (lambda t: {"epochs": 6}, ["epochs (12 against 6)."]),
        (lambda t: {"rates": RATES[:1]}, ["learning rates tried (3 against 1)."]),
        (lambda t: {"rates": [1e-3] * 3}, ["learning rates tried (3 against 1)."]),
        (lambda t: {"by_test": True}, ["the test was asked 6 times, for 2 results"]),
        (lambda t: {"sign": -1}, ["duel returns", "fine-tuning minus from scratch"]),
        (lambda t: {"epochs": -1}, ["nothing is learnt with that"]),
        (lambda t: {"epochs": "12"}, ["nothing is learnt with that"]),
        (lambda t: {"ours": 3}, ["learn needs a task"]),
    ],
)
def test_what_is_unequal(changed, parts):
    def duel(task, train_it, test):
        return fair_with(task.few(100, seed=0), train_it, test, **changed(task))

    wrong(labels_checks.check_fair(duel), *parts)


def worst_tested(task, train_it, test):
    few = task.few(100, seed=0)
    runs = [[train_it(s, few, 12, r) for r in RATES] for s in ("fine-tuning", "from scratch")]
    ours, theirs = (min(one, key=lambda run: run[0])[1] for one in runs)
    return test(ours) - test(theirs)


def only_one(task, train_it, test):
    return test(train_it("fine-tuning", task, 12, 1e-3)[1])


@pytest.mark.parametrize(
    ("duel", "parts"),
    [
        (worst_tested, ["not the best on validation"]),
        (only_one, ["nothing was trained from scratch"]),
        (lambda t, learn, test: 0.1, ["nothing was trained fine-tuning"]),
        (lambda t, learn, test: fair(t, learn, test) and None, ["returns None"]),
        (lambda t, learn, test: test(3), ["learn did not make it"]),
        (lambda t, learn, test: learn("magic", t, 1, 1), ["no start of this name"]),
        (lambda t: 1, ["TypeError"]),
        (None, ["not a function"]),
    ],
)
def test_what_is_no_fair_comparison(duel, parts):
    wrong(labels_checks.check_fair(duel), *parts)


def test_without_stored_runs_the_check_says_so(monkeypatch):
    def missing(name):
        raise store.UnknownName(f"stored result {name!r}", "there is none", "Make it")

    monkeypatch.setattr(evidence, "load", missing)
    wrong(labels_checks.check_plan({"start": "fine-tuning", "labels": 200}), "there is none")
