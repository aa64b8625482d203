"""Lesson 08: charts of the suspects, the checks, and the board."""

import math
import zlib

import numpy as np
import pandas
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import evidence, models, store, surgery
from tl_course.lessons.negative_transfer import checks
from tl_course.lessons.negative_transfer import checks as negative_transfer_checks

GAINS = {  # (source, task): gain fine-tuned, gain frozen
    ("photographs", "satellite"): (0.2, 0.1),
    ("photographs", "digits"): (0.0, -0.1),
    ("noise", "digits"): (-0.1, -0.3),
    ("reversed", "numbers_italian"): (-0.2, -0.4),
    ("nothing", "satellite"): (0.0, -0.15),
    ("nothing", "digits"): (0.0, -0.2),
    ("nothing", "numbers_italian"): (0.0, -0.3),
}


@pytest.fixture(scope="module")
def runs():
    """Made-up results as data_scripts/sweep_suspects.py writes them."""
    rows = []
    for (source, task), gains in GAINS.items():
        for labels in (30, 300) if task == "numbers_italian" else (50, 500):
            for strategy, gain in zip(("fine-tuned", "frozen"), gains, strict=True):
                key = zlib.crc32(f"{source} {task} {labels} {strategy}".encode())
                noise = 0.02 * np.random.default_rng(key).standard_normal(6)
                noise = noise - noise.mean()  # the mean gain is the one asked for
                for seed in range(6):
                    found = 0.5 + gain + noise[seed] * (gain != 0 or source != "nothing")
                    row = {"task": task, "labels": labels, "source": source, "strategy": strategy}
                    row |= {"seed": seed, "val_accuracy": found, "test_accuracy": found}
                    rows.append(row | {"test_balanced": found})
    for labels in (50, 500):
        for seed in range(6):
            row = {"task": "digits", "labels": labels, "source": "words counted", "seed": seed}
            row |= {"strategy": "frozen", "val_accuracy": 0.6, "test_accuracy": 0.6}
            rows.append(row | {"test_balanced": 0.6 + 0.01 * seed})
    return pandas.DataFrame(rows)


@pytest.fixture(scope="module")
def gains(runs):
    return evidence.gains(runs)


# Charts


# The judge


def judged(source, scratch):
    return checks.WORDS[checks._student(source, scratch)]


@pytest.mark.parametrize(("fault", "rule"), checks.FAULTS.items())
def test_each_wrong_judge_hears_its_own_fault(fault, rule):
    wrong(negative_transfer_checks.check_judge(lambda a, b: checks.WORDS[rule(a, b)]), fault)


def spoils(source, scratch):
    source -= scratch
    return "guilty"


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("guilty", ["str, not a function"]),
        (lambda source: "guilty", ["TypeError"]),
        (lambda source, scratch: None, ["returns None"]),
        (lambda source, scratch: -1, ["'-1'"]),
        (lambda source, scratch: "Guilty", ["'Guilty'"]),
        (lambda source, scratch: np.array(["guilty"]), ["not 'guilty'"]),
        (lambda source, scratch: "not proven", ["a clear gain", "'innocent'"]),
        (lambda source, scratch: "", ["''"]),
        (spoils, ["changes the arrays"]),
    ],
)
def test_wrong_judges(given, parts):
    wrong(negative_transfer_checks.check_judge(given), *parts)


def test_right_judges():
    right(negative_transfer_checks.check_judge(judged))
    signs = checks.WORDS
    right(negative_transfer_checks.check_judge(lambda a, b: signs[evidence.paired(a, b).sign]))


# The spared reader


@pytest.fixture
def anatomy(monkeypatch):
    worth = {"from scratch": 0.8, "only letters": 0.8, "only memory": 0.7, "only head": 0.4}
    rows = [
        {"source": "reversed", "task": "numbers_italian", "strategy": name, "test_balanced": value}
        for name, value in worth.items()
    ]
    monkeypatch.setattr(checks.evidence, "load", lambda name: pandas.DataFrame(rows))


def reader(*names, source="reader_spanish_reversed"):
    """A reader with these stages from ``source``, the rest random."""
    torch.manual_seed(0)
    fresh = models.load("reader_spanish", pretrained=False)
    return surgery.transplant(models.load(source), fresh, *names)


def test_the_spared_reader_is_trained_and_the_start_stays(anatomy, monkeypatch):
    monkeypatch.setattr(checks, "EPOCHS", 1)
    start = reader("letters", "memory")
    before, state = {n: w.clone() for n, w in start.state_dict().items()}, torch.get_rng_state()
    right(negative_transfer_checks.check_spared(start))
    assert all(torch.equal(before[name], w) for name, w in start.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_wrongly_spared_readers(anatomy):
    wrong(negative_transfer_checks.check_spared(None), "NoneType")
    wrong(negative_transfer_checks.check_spared(nn.Linear(2, 2)), "Linear")
    wrong(negative_transfer_checks.check_spared(reader("letters", "memory", "head")), "the whole")
    wrong(negative_transfer_checks.check_spared(reader()), "no stage", "do not train")
    wrong(
        negative_transfer_checks.check_spared(reader("memory", "head")),
        "letters went",
        "still there",
    )
    wrong(
        negative_transfer_checks.check_spared(reader("letters")),
        "memory and head went",
        "one stage is enough",
    )
    zeros = reader("letters", "memory")
    nn.init.zeros_(zeros.head.weight)
    wrong(negative_transfer_checks.check_spared(zeros), "drawn at random")
    borrowed = surgery.transplant(models.load("reader_spanish"), zeros, "head")
    wrong(negative_transfer_checks.check_spared(borrowed), "another trained reader")


def test_a_missing_table_is_told(monkeypatch):
    def missing(name):
        raise store.UnknownName(name, "there is none", "Look")

    monkeypatch.setattr(checks.evidence, "load", missing)
    wrong(negative_transfer_checks.check_spared(reader("letters")), "there is none")
    wrong(negative_transfer_checks.check_harmless(lambda a, b: "source"), "there is none")


# A rule that does no harm


@pytest.fixture
def stored(runs, monkeypatch):
    monkeypatch.setattr(checks.evidence, "load", lambda name: runs)


def test_harmless_rules(stored):
    right(
        negative_transfer_checks.check_harmless(
            lambda ours, theirs: "source" if ours > theirs else "scratch"
        )
    )
    wrong(negative_transfer_checks.check_harmless(lambda ours, theirs: "source"), "always keeps")
    wrong(negative_transfer_checks.check_harmless(lambda ours, theirs: "scratch"), "never keeps")
    backwards = negative_transfer_checks.check_harmless(
        lambda ours, theirs: "source" if ours < theirs else "scratch"
    )
    wrong(backwards, "The worst is reversed on numbers_italian")
    timid = negative_transfer_checks.check_harmless(
        lambda ours, theirs: "source" if ours > theirs + 0.2 else "scratch"
    )
    wrong(timid, "Too careful")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("source", ["str, not a function"]),
        (lambda ours, theirs: ours > theirs, ["not 'source' or 'scratch'"]),
        (lambda ours, theirs: None, ["'None'"]),
        (lambda ours: "source", ["TypeError"]),
        (lambda ours, theirs: 1 / 0, ["ZeroDivisionError"]),
    ],
)
def test_what_is_no_rule(stored, given, parts):
    wrong(negative_transfer_checks.check_harmless(given), *parts)


# A score


def variant(**rule):
    return lambda features, labels: checks._centroids(features, labels, **rule)


def test_right_scores():
    right(negative_transfer_checks.check_centroid(variant()))
    right(
        negative_transfer_checks.check_centroid(lambda f, t: torch.tensor(checks._centroids(f, t)))
    )


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (variant(leave=False), ["Leave it out"]),
        (variant(balanced=True), ["mean over the classes"]),
        (variant(alone=True), ["alone in its class"]),
        (0.5, ["float, not a function"]),
        (lambda features, labels: None, ["returns None"]),
        (lambda features, labels: 70.0, ["not a share"]),
        (lambda features, labels: math.nan, ["not a share"]),
        (lambda features, labels: features, ["a Tensor, not a number"]),
        (lambda features, labels: True, ["a bool, not a number"]),
        (lambda features, labels: 0.0, ["three classes far apart", "yours is 0.000"]),
        (lambda features, labels: float(features.zero_().sum()), ["changes what it is given"]),
        (lambda features: 1.0, ["TypeError"]),
    ],
)
def test_wrong_scores(given, parts):
    wrong(negative_transfer_checks.check_centroid(given), *parts)


# The board
