"""Lesson 13's checks: what belongs together, when to say nothing, which model to take."""

import numpy as np
import pytest
from said import right, wrong

from tl_course.lessons.your_project import checks, recipe


def belongs(file):
    return file.rsplit("_", 2)[0]


def test_what_belongs_together():
    right(checks.check_groups(belongs))
    right(checks.check_groups(lambda file: hash(belongs(file))))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda file: file, "show the same thing, and it tells them apart"),
        (lambda file: file.rpartition("_")[0], "show the same thing"),
        (lambda file: file.partition("/")[0], "show two things"),
        (lambda file: file.rsplit("_", 2)[0].partition("/")[2], "show two things"),
        (lambda file: file.partition("_")[0], "show two things"),
        (lambda file: 1, "everything belongs together"),
        (lambda file: None, "Does it return"),
        (lambda file: [file], "gives a list"),
        (lambda file: file[99], "stops with IndexError"),
        (5, "not a function"),
    ],
)
def test_what_does_not(answer, fault):
    wrong(checks.check_groups(answer), fault)


def promised(sure, right, wanted):
    for least in np.sort(sure):
        if right[sure >= least].mean() >= wanted:
            return least
    return 2


@pytest.mark.parametrize("choose", [recipe.threshold, promised])
def test_promises_kept(choose):
    right(checks.check_threshold(choose))


@pytest.mark.parametrize(
    ("choose", "fault"),
    [
        (lambda sure, right, wanted: 0.0, "from 0.00 on only"),
        (lambda sure, right, wanted: wanted, "it refuses"),
        (lambda sure, right, wanted: 1.01, "it refuses"),
        (lambda sure, right, wanted: promised(sure, right, wanted) if right.any() else 0, "only"),
        (lambda sure, right, wanted: None, "not a number"),
        (lambda sure, right, wanted: True, "not a number"),
        (lambda sure, right, wanted: sure.fill(0), "changes what it is given"),
    ],
)
def test_promises_broken(choose, fault):
    wrong(checks.check_threshold(choose), fault)


def choose(right, effort):
    best = max(right, key=lambda name: right[name].mean())
    names = [name for name in right if recipe.level(right[best], right[name])]
    return min(names, key=lambda name: (effort[name], -right[name].mean()))


def test_a_good_choice():
    right(checks.check_choice(choose))


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (lambda right, effort: max(right, key=lambda n: right[n].mean()), "One picture more of 40"),
        (
            lambda right, effort: min(right, key=lambda n: (effort[n], -right[n].mean())),
            "however bad",
        ),
        (lambda right, effort: "z", "it gives 'z'"),
        (lambda right, effort: right["q"], "stops with KeyError"),
    ],
)
def test_bad_choices(answer, fault):
    wrong(checks.check_choice(answer), fault)
