"""Lesson 06's checks: when to stop, how to vary pictures, and a smaller gap."""

import math

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import surgery, tasks, train
from tl_course.lessons.overfitting import checks, recipe
from tl_course.lessons.overfitting.checks import (
    STOPS,
    check_augmentation,
    check_smaller_gap,
    check_stopping,
)

KEPT = (3, 1, 4, 2, 5, 2, 2, 1, 4, 3)  # epochs that are right for STOPS


def stop(losses, patience, best=math.inf, kept=0, better=float.__lt__):
    """The epoch to keep, and the one at which training stops."""
    for epoch, loss in enumerate(losses, 1):
        if better(loss, best):
            best, kept = loss, epoch
        elif epoch - kept >= patience:
            break
    return kept, epoch


def stopped(losses, patience, **options):
    return stop(losses, patience, **options)[0]


@pytest.mark.parametrize("given", [stopped, lambda *given: np.int64(stopped(*given))])
def test_right_stopping(given):
    right(check_stopping(given))
    assert [stopped(*case[1:]) for case in STOPS] == [*KEPT]


def remembered(losses, patience):
    """Knows the named curves, and nothing else."""
    known = {str(case[1:]): want for case, want in zip(STOPS, KEPT, strict=True)}
    return known.get(str((losses, patience)), 1)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (lambda losses, patience: None, ["returns None. Return the epoch to keep"]),
        (lambda losses, patience: 1.0, ["a float, not a whole number"]),
        (lambda losses, patience: True, ["a bool, not a whole number"]),
        (lambda losses, patience: losses[6], ["never turns", "IndexError"]),
        (lambda *given: stopped(*given) - 1, ["count epochs from 0"]),
        (lambda *given: stop(*given)[1], ["at which you stop"]),
        (lambda losses, patience: losses.index(min(losses)) + 1, ["after you have stopped"]),
        (
            lambda losses, patience: len(losses),
            ["turns at once, [1.0, 2.0, 3.0, 4.0] with patience 2, it gives 4, not 1."],
        ),
        (lambda losses, wait: stopped(losses, wait, best=losses[0], kept=1), ["begins with NaN"]),
        (lambda *given: stopped(*given, better=float.__le__), ["no better is not better"]),
        (remembered, ["drawn by chance", "gives 1"]),
    ],
)
def test_wrong_stopping(given, parts):
    wrong(check_stopping(given), *parts)


def turned(pictures):
    return torch.stack([p.rot90(int(torch.randint(4, ())), (1, 2)) for p in pictures])


@pytest.mark.parametrize("augment", [recipe.augmented, turned])
def test_right_augmentation(augment):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    right(check_augmentation(augment))
    assert torch.equal(before, torch.get_rng_state())


def in_place(pictures):
    pictures[torch.rand(len(pictures)) < 0.5] //= 2
    return pictures


def seeded(pictures):
    torch.manual_seed(0)
    return recipe.augmented(pictures)


def shifted_alike(pictures):
    return pictures.roll(int(torch.randint(1, 60, ())), 3)


def wraps(pictures):
    return pictures + torch.randint(50, 90, (len(pictures), 1, 1, 1), dtype=torch.uint8)


def noise(pictures):
    return (pictures.float() + 60 * torch.randn(pictures.shape)).clamp(0, 255).to(torch.uint8)


def grey(pictures):
    light = 0.7 + 0.3 * torch.rand(len(pictures), 1, 1, 1)
    return (pictures.float().mean(1, keepdim=True) * light).expand(-1, 3, -1, -1).to(torch.uint8)


def mixes(pictures):
    return recipe.augmented(pictures[torch.randperm(len(pictures))])


def squeezes_one(pictures):
    return recipe.augmented(pictures).squeeze(0)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (lambda pictures: None, ["returns None. Return the new pictures"]),
        (lambda pictures: pictures.numpy(), ["ndarray, not a tensor"]),
        (lambda pictures: pictures.clone(), ["nothing has changed"]),
        (lambda pictures: pictures.flip(3), ["the same every time"]),
        (lambda pictures: pictures[:, :1], ["(300, 1, 64, 64) come out"]),
        (lambda pictures: turned(pictures)[:150], ["(150, 3, 64, 64) come out"]),
        (lambda pictures: pictures.float(), ["float32", "uint8"]),
        (seeded, ["the same every time"]),
        (in_place, ["changes the pictures it is given", "on top"]),
        (shifted_alike, ["draws once for the whole batch"]),
        (wraps, ["wrap around"]),
        (squeezes_one, ["a single picture comes out as (3, 64, 64)"]),
        (noise, ["takes away what the label says"]),
        (grey, ["takes away what the label says"]),
        (mixes, ["mixes up the pictures"]),
    ],
)
def test_wrong_augmentation(given, parts):
    wrong(check_augmentation(given), *parts)


class Recites(nn.Module):
    """Stands in for a trained network: knows some pictures, and a share of all others."""

    def __init__(self, known, share: float):
        super().__init__()
        self.answers = {}
        whole, draw = tasks.load("leaves"), np.random.default_rng(0)
        rest = [(split, share) for split in (whole.train, whole.val, whole.test)]
        for split, share in [*((split, 1) for split in known), *rest]:
            for picture, label in zip(split.inputs, split.labels, strict=True):
                if share == 1 or draw.random() < share:
                    self.answers.setdefault(picture.numpy().tobytes(), int(label))

    def scores(self, split) -> train.Scores:
        found = [self.answers.get(picture.numpy().tobytes(), 0) for picture in split.inputs]
        return train.score(nn.functional.one_hot(torch.tensor(found), 5).float(), split.labels)


@pytest.mark.parametrize(
    ("known", "share", "part"),
    [
        ("some", 0.5, "Right: "),
        ("few", 0.1, "Wanted are 48%"),
        ("few", 0.33, "gap should be at most 48"),
        ("", 0.1, "learned little"),
        ("few test", 0.4, "the test set"),
        ("few val", 0.4, "the validation pictures"),
        ("whole", 0.4, "more than the 100 leaves"),
    ],
)
def test_what_was_learned_from_is_noticed(monkeypatch, known, share, part):
    whole = tasks.load("leaves")
    few = whole.few(100, seed=0)
    splits = {"few": few.train, "some": few.train.take(range(40)), "val": few.val}
    splits |= {"test": whole.test, "whole": whole.train}
    monkeypatch.setattr(surgery, "stages", lambda model: {})
    monkeypatch.setattr(train, "evaluate", Recites.scores)
    model = Recites([splits[name] for name in known.split()], share)
    found = checks.check_smaller_gap(model, few)
    assert part in found and found.startswith("Right") == (known == "some")


def test_what_is_no_answer_to_the_exercise():
    leaves = tasks.load("leaves")
    few, model = leaves.few(100, seed=0), recipe.build(5, 0)
    wrong(check_smaller_gap("network", few), "str, not a network")
    wrong(check_smaller_gap(nn.Linear(2, 2), few))
    wrong(check_smaller_gap(model, leaves.few(50, seed=0)), "100 leaves of the lesson")
    wrong(check_smaller_gap(recipe.build(3, 0), few), "outputs")
    wrong(check_smaller_gap(model, few), "learned little")
