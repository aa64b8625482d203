"""Lesson 06: charts of learning by heart, its checks, the laboratory and the quiz."""

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import store, tasks, train
from tl_course.lessons.overfitting import checks
from tl_course.lessons.overfitting import checks as overfitting_checks
from tl_course.lessons.overfitting import recipe as cures

# Charts

CURVES = {
    "train_loss": [1.5, 0.8, 0.2],
    "train_accuracy": [0.3, 0.8, 1.0],
    "val_loss": [1.5, 1.2, 1.9],
    "val_accuracy": [0.3, 0.4, 0.4],
}


# Curves to be told apart


@pytest.fixture(scope="module")
def cases():
    return overfitting_checks.curve_cases()


def test_each_pair_of_curves_shows_what_is_said_of_it(cases):
    assert sorted(case.truth for case in cases.values()) == sorted(overfitting_checks.LOOKS)
    by = {case.truth: {k: np.array(v) for k, v in case.curves.items()} for case in cases.values()}
    over, under, good = (by[name] for name in ("overfitting", "underfitting", "a good fit"))
    assert over["train_loss"][-1] < 0.1
    assert over["val_loss"][-1] > 1.2 * over["val_loss"].min()
    assert under["train_accuracy"][-1] < 0.6
    assert abs(under["val_loss"] - under["train_loss"])[-1] < 0.3
    assert good["val_accuracy"][-1] > 0.85 and np.diff(good["train_loss"]).max() < 0.05
    assert good["train_accuracy"][-1] - good["val_accuracy"][-1] < 0.1
    assert np.diff(by["learning rate too high"]["train_loss"]).max() > 0.3
    few, leaked = by["validation set too small"], by["validation leaked"]
    assert len({*few["val_accuracy"].round(6)}) < 10
    assert np.diff(few["train_loss"]).max() < 0.2
    assert leaked["val_accuracy"][-1] > 0.95
    assert (leaked["val_loss"] <= leaked["train_loss"] + 0.05).mean() > 0.9


def test_the_cases_leave_the_random_numbers_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    checks.curve_cases.cache_clear()
    overfitting_checks.curve_cases()
    assert torch.equal(before, torch.get_rng_state())


def test_each_wrong_diagnosis_has_its_reason(cases):
    for letter, case in cases.items():
        said = {
            name: overfitting_checks.diagnose(letter, name) for name in overfitting_checks.LOOKS
        }
        right(said.pop(case.truth))
        assert len(set(said.values())) == 5
        for name, text in said.items():
            wrong(text, overfitting_checks.LOOKS[name], letter)
    for given in (("A", "sick"), ("G", "overfitting"), (None, "overfitting")):
        with pytest.raises(store.UnknownName):
            overfitting_checks.diagnose(*given)


# Stopping


def stopped(losses, patience):
    best, kept = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept >= patience:
            break
    return kept


def from_first(losses, patience):
    best, kept = losses[0], 1
    for epoch, loss in enumerate(losses, 1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept >= patience:
            break
    return kept


def level_is_better(losses, patience):
    best, kept = float("inf"), 0
    for epoch, loss in enumerate(losses, 1):
        if loss <= best:
            best, kept = loss, epoch
        elif epoch - kept >= patience:
            break
    return kept


def remembered(losses, patience):
    """Knows the named curves, and nothing else."""
    known = {(str([*curve]), wait): want for _, curve, wait, want in checks.STOPS}
    return known.get((str(losses), patience), 1)


def spoils(losses, patience):
    kept = stopped(losses, patience)
    losses.sort()
    return kept


def test_right_stopping():
    right(overfitting_checks.check_stopping(stopped))
    right(overfitting_checks.check_stopping(lambda *given: np.int64(stopped(*given))))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (None, ["NoneType, not a function"]),
        (lambda losses, patience: None, ["returns None"]),
        (lambda losses, patience: 1.0, ["a float, not a whole number"]),
        (lambda losses, patience: True, ["a bool, not a whole number"]),
        (lambda losses: 1, ["TypeError"]),
        (lambda losses, patience: stopped(losses, patience) - 1, ["count epochs from 0"]),
        (lambda losses, patience: checks._stop(losses, patience)[1], ["at which you stop"]),
        (lambda losses, patience: losses.index(min(losses)) + 1, ["after you have stopped"]),
        (lambda losses, patience: len(losses), ["turns at once"]),
        (from_first, ["begins with NaN"]),
        (level_is_better, ["no better is not better"]),
        (remembered, ["yours is 1"]),
        (spoils, ["changes the list"]),
        (lambda losses, patience: losses[6], ["never turns", "IndexError"]),
    ],
)
def test_wrong_stopping(given, parts):
    wrong(overfitting_checks.check_stopping(given), *parts)


# Augmentation


def turned(pictures):
    return torch.stack([p.rot90(int(torch.randint(4, ())), (1, 2)) for p in pictures])


def floats(pictures):
    return pictures.float()


def in_place(pictures):
    pictures[torch.rand(len(pictures)) < 0.5] //= 2
    return pictures


def alike(pictures):
    return pictures.flip(3) if torch.rand(()) < 0.9 else (pictures // 2)


def seeded(pictures):
    torch.manual_seed(0)
    return cures.augmented(pictures)


def wraps(pictures):
    return pictures + torch.randint(50, 90, (len(pictures), 1, 1, 1), dtype=torch.uint8)


def noise(pictures):
    return (pictures.float() + 60 * torch.randn(pictures.shape)).clamp(0, 255).to(torch.uint8)


def grey(pictures):
    light = 0.7 + 0.3 * torch.rand(len(pictures), 1, 1, 1)
    return (pictures.float().mean(1, keepdim=True) * light).expand(-1, 3, -1, -1).to(torch.uint8)


def mixes(pictures):
    return cures.augmented(pictures[torch.randperm(len(pictures))])


def drops_one(pictures):
    return turned(pictures)[: max(1, len(pictures) // 2)]


@pytest.mark.parametrize("augment", [cures.augmented, turned])
def test_right_augmentation(augment):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    right(overfitting_checks.check_augmentation(augment))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (0.5, ["float, not a function"]),
        (lambda pictures: None, ["returns None"]),
        (lambda pictures: pictures.numpy(), ["ndarray, not a tensor"]),
        (lambda pictures: pictures.clone(), ["nothing has changed"]),
        (lambda pictures: pictures.flip(3), ["the same every time"]),
        (lambda pictures: pictures[:, :1], ["come out"]),
        (lambda pictures: 1 / 0, ["ZeroDivisionError"]),
        (seeded, ["the same every time"]),
        (floats, ["float32", "uint8"]),
        (in_place, ["changes the pictures it is given"]),
        (alike, []),
        (wraps, ["wrap around"]),
        (noise, ["takes away what the label says"]),
        (grey, ["takes away what the label says"]),
        (mixes, ["mixes up the pictures"]),
        (drops_one, ["come out"]),
    ],
)
def test_wrong_augmentation(given, parts):
    wrong(overfitting_checks.check_augmentation(given), *parts)


def test_one_draw_for_the_whole_batch():
    def shifted(pictures):
        return pictures.roll(int(torch.randint(1, 60, ())), 3)

    wrong(overfitting_checks.check_augmentation(shifted), "draws once for the whole batch")


# A smaller gap


class Recites(nn.Module):
    """Stands in for a trained network: knows some pictures, and a share of all others."""

    def __init__(self, known, share: float):
        super().__init__()
        self.preprocess, self.classes = nn.Identity(), ()
        self.head = nn.Linear(5, 5)
        self.answers = {
            picture.numpy().tobytes(): int(label)
            for split in known
            for picture, label in zip(split.inputs, split.labels, strict=True)
        }
        whole = tasks.load("leaves")
        draw = np.random.default_rng(0)
        for split in (whole.train, whole.val, whole.test):
            for picture, label in zip(split.inputs, split.labels, strict=True):
                if draw.random() < share:
                    self.answers.setdefault(picture.numpy().tobytes(), int(label))

    def forward(self, pictures):
        found = [self.answers.get(picture.numpy().tobytes(), 0) for picture in pictures]
        return 9.0 * nn.functional.one_hot(torch.tensor(found), 5).float()


@pytest.fixture
def judged(monkeypatch):
    """Judges a ``Recites`` as if it were a network of the course."""
    monkeypatch.setattr(checks.surgery, "stages", lambda model: {})

    def accuracy(model, split):
        answers = model(split.inputs).argmax(1)
        right = float((answers == split.labels).float().mean())
        return train.Scores(right, 0.0, answers, split.labels)

    monkeypatch.setattr(checks.train, "evaluate", accuracy)
    return overfitting_checks.check_smaller_gap


def test_what_was_learned_from_is_noticed(judged):
    whole = tasks.load("leaves")
    few = whole.few(100, seed=0)
    right(judged(Recites([few.train.take(range(40))], 0.5), few))
    wrong(judged(Recites([few.train], 0.1), few), "Wanted are 48%")
    wrong(judged(Recites([few.train], 0.33), few), "gap should be at most 48")
    wrong(judged(Recites([], 0.1), few), "learned little")
    wrong(judged(Recites([few.train, whole.test], 0.4), few), "the test set")
    wrong(judged(Recites([few.train, few.val], 0.4), few), "the validation pictures")
    wrong(judged(Recites([whole.train], 0.4), few), "more than the 100 leaves")


def test_what_is_no_answer_to_the_exercise():
    few = tasks.load("leaves").few(100, seed=0)
    wrong(overfitting_checks.check_smaller_gap("network", few), "str, not a network")
    wrong(overfitting_checks.check_smaller_gap(nn.Linear(2, 2), few))
    model = cures.build(5, 0)
    other = tasks.load("leaves").few(50, seed=0)
    wrong(overfitting_checks.check_smaller_gap(model, other), "100 leaves of the lesson")
    wrong(overfitting_checks.check_smaller_gap(cures.build(3, 0), few), "outputs")
    wrong(overfitting_checks.check_smaller_gap(model, few), "learned little")


# The laboratory


# The quiz
