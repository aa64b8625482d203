"""Lesson 08's checks: a verdict, a cure, a rule that does no harm, and a score."""

import math

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import evidence, models, store, surgery
from tl_course.lessons.negative_transfer import checks
from tl_course.lessons.negative_transfer.checks import (
    MISTAKES,
    WORDS,
    check_centroid,
    check_harmless,
    check_judge,
    check_spared,
)


@pytest.mark.parametrize("judge", [checks._verdict, lambda a, b: WORDS[evidence.paired(a, b).sign]])
def test_right_judges(judge):
    right(check_judge(judge))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        *((rule, [message]) for message, rule in MISTAKES.items()),
        (lambda source, scratch: None, ["returns None. Return one of three words"]),
        (lambda source, scratch: -1, ["'-1'"]),
        (lambda source, scratch: "Guilty", ["'Guilty'"]),
        (lambda source, scratch: np.array(["guilty"]), ["not 'guilty'"]),
        (
            lambda source, scratch: "not proven",
            ["on a clear gain (+20.0 points [", "gives 'not proven', not 'innocent'"],
        ),
    ],
)
def test_wrong_judges(given, parts):
    wrong(check_judge(given), *parts)


@pytest.fixture
def anatomy(shelf, made_up):
    worth = {"from scratch": 0.8, "only letters": 0.8, "only memory": 0.7, "only head": 0.4}
    cells = {("reversed", "numbers_italian", name): value for name, value in worth.items()}
    shelf(made_up(cells, "source task strategy"))


def reader(*names):
    """A reader with these stages of the reversed one, the rest random."""
    torch.manual_seed(0)
    fresh = models.load("reader_spanish", pretrained=False)
    donor = models.load("reader_spanish_reversed")
    return surgery.transplant(donor, fresh, *names) if names else fresh


def test_the_spared_reader_is_trained_and_the_start_stays(anatomy, monkeypatch):
    monkeypatch.setattr(checks, "EPOCHS", 1)
    start = reader("letters", "memory")
    before, state = {n: w.clone() for n, w in start.state_dict().items()}, torch.get_rng_state()
    right(check_spared(start))
    assert all(torch.equal(before[name], w) for name, w in start.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def without_numbers():
    start = reader("letters", "memory")
    nn.init.zeros_(start.head.weight)
    return start


def borrowed():
    return surgery.transplant(models.load("reader_spanish"), without_numbers(), "head")


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: reader("letters", "memory", "head"), ["the whole"]),
        (reader, ["no stage", "do not train"]),
        (lambda: reader("memory", "head"), ["letters went", "still there"]),
        (lambda: reader("letters"), ["memory and head went", "one stage is enough"]),
        (without_numbers, ["drawn at random"]),
        (borrowed, ["another trained reader"]),
    ],
)
def test_wrongly_spared_readers(anatomy, make, parts):
    wrong(check_spared(make()), *parts)


def test_a_missing_table_is_told(shelf):
    shelf(store.UnknownName("the runs", "there are none", "Look"))
    wrong(check_spared(reader("letters")), "there are none")
    wrong(check_harmless(lambda ours, theirs: "source"), "there are none")


@pytest.fixture
def suspects(shelf, made_up):
    worth = {"nothing": 0.5, "photographs": 0.6, "noise": 0.4, "reversed": 0.2}
    frozen = {name: value - 0.1 for name, value in worth.items()}
    cells = {
        ("digits", 50, source, strategy): {"val_accuracy": value, "test_balanced": value}
        for strategy, values in (("fine-tuned", worth), ("frozen", frozen))
        for source, value in values.items()
    }
    shelf(made_up(cells, "task labels source strategy"))


def when(better):
    return lambda ours, theirs: "source" if better(ours, theirs) else "scratch"


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (when(lambda ours, theirs: True), ["always keeps the source: worst case -40.0 points"]),
        (when(lambda ours, theirs: False), ["never keeps"]),
        (when(lambda ours, theirs: ours < theirs), ["The worst is reversed on digits, 50 labels"]),
        (when(lambda ours, theirs: ours == theirs), ["Too careful"]),
        (lambda ours, theirs: ours > theirs, ["not 'source' or 'scratch'"]),
        (lambda ours, theirs: None, ["'None'"]),
    ],
)
def test_rules_that_harm_or_are_none(suspects, given, parts):
    wrong(check_harmless(given), *parts)


def test_a_harmless_rule(suspects):
    right(check_harmless(when(lambda ours, theirs: ours > theirs)))


def centroids(features, labels, leave=True, balanced=False, alone=False) -> float:
    """The score by its definition, input by input, and what each mistake makes of it."""
    right, classes = torch.zeros(len(labels)), labels.unique()
    for i, (feature, label) in enumerate(zip(features.double(), labels, strict=True)):
        others = torch.arange(len(labels)) != i if leave else torch.ones(len(labels)).bool()
        if not (others & (labels == label)).any():
            right[i] = float(alone)
            continue
        means = [features[others & (labels == c)].double().mean(0) for c in classes]
        away = torch.stack([(feature - mean).norm() for mean in means])
        right[i] = classes[away.argmin()] == label
    if balanced:
        return float(torch.stack([right[labels == c].mean() for c in classes]).mean())
    return float(right.mean())


@pytest.mark.parametrize("given", [centroids, lambda *given: torch.tensor(centroids(*given))])
def test_right_scores(given):
    right(check_centroid(given))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (lambda *given: centroids(*given, leave=False), ["Leave it out"]),
        (lambda *given: centroids(*given, balanced=True), ["mean over the classes"]),
        (lambda *given: centroids(*given, alone=True), ["alone in its class"]),
        (lambda features, labels: None, ["returns None. Return the share"]),
        (lambda features, labels: 70.0, ["on three classes far apart it returns 70, not a share"]),
        (lambda features, labels: math.nan, ["not a share"]),
        (lambda features, labels: features, ["a Tensor, not a number"]),
        (lambda features, labels: True, ["a bool, not a number"]),
        (lambda features, labels: 0.0, ["three classes far apart it gives 0, not 1."]),
    ],
)
def test_wrong_scores(given, parts):
    wrong(check_centroid(given), *parts)
