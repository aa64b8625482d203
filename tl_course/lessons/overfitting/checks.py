"""Lesson 06: curves to be told apart, and the checks."""

import math
import operator
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import features, models, store, surgery, tasks, train
from tl_course.practice.patience import one_line, patient

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from tl_course.tasks import Split, Task

LABELS, SEED = 100, 0  # of the lesson's leaves
# what each diagnosis looks like
LOOKS = {
    "overfitting": "the training loss would go on falling while the validation loss turns and "
    "rises",
    "underfitting": "training itself would stay poor: both losses high, smooth and close together",
    "a good fit": "both losses would fall smoothly and end low, training a little ahead",
    "learning rate too high": "the training loss itself would jump up and down instead of falling",
    "validation set too small": "the training curves would be smooth, and the validation accuracy "
    "would move in a few large steps",
    "validation leaked": "validation would follow training closely, or be ahead of it, even on a "
    "task that is hard with so few labels",
}


@dataclass(frozen=True)
class CurveCase:
    """One run to be diagnosed. ``curves``: the columns of a ``History`` by name; ``truth``: a key
    of the diagnoses; ``seen``: what its curves show, in words.
    """

    title: str
    curves: dict[str, list[float]]
    truth: str
    seen: str


@lru_cache(maxsize=1)
def curve_cases() -> dict[str, CurveCase]:
    """Six runs by letter, each with something to notice; trained now, on features, in seconds.

    Small networks learn from ``resnet10``'s features of leaves (100 labels) and digits (300).
    """
    with torch.random.fork_rng(devices=[]):
        runs = _runs()
    names = {
        letter: "leaves, 100 labels" if letter in "CD" else "digits, 300 labels" for letter in runs
    }
    return {
        letter: CurveCase(f"{letter}: {names[letter]}", curves, *TRUTHS[letter])
        for letter, curves in runs.items()
    }


TRUTHS = {
    "A": (
        "validation set too small",
        "training is smooth, and the validation accuracy knows only a few values, one picture "
        "apart. With ten pictures, each is ten points: this curve cannot choose anything",
    ),
    "B": (
        "a good fit",
        "both losses fall to the end and stay close together; what is left between them is small",
    ),
    "C": (
        "validation leaked",
        "validation follows training all the way, up to all right, although the same task with as "
        "many labels is hard in the other panel. Its pictures are training pictures",
    ),
    "D": (
        "overfitting",
        "the training loss falls to nearly nothing; the validation loss turns and rises, although "
        "the validation accuracy hardly moves",
    ),
    "E": (
        "learning rate too high",
        "both losses jump, also the one on training, which every step should lower; much of them "
        "lies above the panel's edge",
    ),
    "F": (
        "underfitting",
        "both losses stay high and close together: the network is too narrow to learn even the "
        "training pictures",
    ),
}


def _runs() -> dict[str, dict[str, list[float]]]:
    source = models.load("resnet10")

    def stored(split: "Split") -> tuple[torch.Tensor, torch.Tensor]:
        return features.extract(source, split.inputs), split.labels

    leaf, digit = tasks.load("leaves").few(LABELS, SEED), tasks.load("digits").few(300, SEED)
    leaves, leaves_val = stored(leaf.train), stored(leaf.val)
    digits, digits_val = stored(digit.train), stored(digit.val)
    few, copied = [part[:10] for part in digits_val], [part[:50] for part in leaves]
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Linear(256, 128), nn.ReLU(), nn.Linear(128, 5))
    middle = nn.Sequential(nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 5))
    narrow = nn.Sequential(nn.Linear(256, 1), nn.Linear(1, 10))
    plain = [nn.Linear(256, 10) for _ in range(3)]
    return {
        "A": _follow(plain[0], digits, few, lr=2e-2, batch=8),
        "B": _follow(plain[1], digits, digits_val, lr=3e-3),
        "C": _follow(middle, leaves, copied, lr=2e-3),
        "D": _follow(wide, leaves, leaves_val, lr=3e-3),
        "E": _follow(plain[2], digits, digits_val, lr=1.0),
        "F": _follow(narrow, digits, digits_val, lr=1e-2),
    }


def _follow(
    network: nn.Module,
    known: Sequence[torch.Tensor],
    val: Sequence[torch.Tensor],
    lr: float,
    batch: int = 32,
    epochs: int = 40,
) -> dict[str, list[float]]:
    """Train ``network`` on features; as in ``fit``, training is measured while it learns."""
    inputs, labels = known
    optimizer = torch.optim.AdamW(network.parameters(), lr=lr, weight_decay=0)
    curves = {f"{split}_{kind}": [] for split in ("train", "val") for kind in ("loss", "accuracy")}
    for _ in range(epochs):
        seen = []
        for chosen in torch.randperm(len(labels)).split(batch):
            logits = network(inputs[chosen])
            loss = F.cross_entropy(logits, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            seen.append((logits.detach(), labels[chosen]))
        with torch.no_grad():
            asked = network(val[0]), val[1]
        for split, (logits, truth) in (
            ("train", [torch.cat(part) for part in zip(*seen, strict=True)]),
            ("val", asked),
        ):
            curves[f"{split}_loss"].append(F.cross_entropy(logits, truth).item())
            right = (logits.argmax(1) == truth).double().mean().item()
            curves[f"{split}_accuracy"].append(right)
    return curves


def diagnose(letter: str, diagnosis: str) -> str:
    """Whether ``diagnosis`` fits the curves ``letter`` of ``curve_cases``, and why; one line.

    Raises ``UnknownName`` for a letter or a diagnosis that is not there.
    """
    store.choose("diagnosis", diagnosis, LOOKS)
    truth, seen = TRUTHS[store.choose("pair of curves", letter, TRUTHS)]
    if diagnosis == truth:
        return f"Right: {seen}."
    return f"Not yet: with {_article(diagnosis)}, {LOOKS[diagnosis]}. Look at {letter} again."


def _article(diagnosis: str) -> str:
    articles = {"learning rate too high": "a ", "validation set too small": "a "}
    return articles.get(diagnosis, "") + diagnosis


# curves, patience and the epoch to keep; the name says what is special about them
STOPS = (
    ("never turns", (3.0, 2.0, 1.0), 2, 3),
    ("turns at once", (1.0, 2.0, 3.0, 4.0), 2, 1),
    ("comes down again while you still wait", (3.0, 2.0, 2.5, 1.0, 2.0, 2.0), 2, 4),
    ("comes down again after you have stopped", (3.0, 2.0, 2.5, 2.6, 1.0), 2, 2),
    ("comes down again, with more patience", (3.0, 2.0, 2.5, 2.6, 1.0), 3, 5),
    ("stays level (no better is not better)", (2.0, 1.0, 1.0, 1.0, 0.5), 2, 2),
    ("ends before your patience does", (3.0, 1.0, 2.0), 5, 2),
    ("has a single epoch", (1.0,), 3, 1),
    ("has a NaN on the way", (3.0, 2.0, math.nan, 1.0, 4.0, 4.0), 2, 4),
    ("begins with NaN", (math.nan, 2.0, 1.0, 3.0, 3.0), 2, 3),
)


@patient
def check_stopping(stop_after: Callable) -> str:
    """Whether ``stop_after(val_losses, patience)`` gives the epoch to keep, counted from 1.

    Training stops when ``patience`` epochs in a row were no better than the best before them; the
    best so far is kept.
    """
    if not callable(stop_after):
        return f"Not yet: this is {type(stop_after).__name__}, not a function."
    found = []
    for name, losses, wait, _ in STOPS:
        given = [*losses]
        try:
            answer = stop_after(given, wait)
        except Exception as error:  # the learner's own code
            return one_line(
                f"Not yet: on a curve that {name} it stops with {type(error).__name__}: {error}."
            )
        if str(given) != str([*losses]):  # as text, since NaN equals nothing
            return "Not yet: it changes the list of losses. Whoever draws them later will wonder."
        if answer is None:
            return "Not yet: it returns None. Return the epoch to keep."
        if isinstance(answer, bool) or not hasattr(answer, "__index__"):
            return f"Not yet: it returns a {type(answer).__name__}, not a whole number."
        found.append(operator.index(answer))
    if found == [want - 1 for *_, want in STOPS]:
        return "Not yet: you count epochs from 0. The first one is 1, as in a History."
    if found == [_stop(losses, wait)[1] for _, losses, wait, _ in STOPS]:
        return "Not yet: this is the epoch at which you stop. Keep the best one before it."
    for (name, losses, wait, want), answer in zip(STOPS, found, strict=True):
        if answer != want:
            return (
                f"Not yet: a curve that {name}: {[*losses]} with patience {wait} keeps epoch "
                f"{want}, yours is {answer}."
            )
    draw = random.Random(6)
    for _ in range(200):
        losses = [float(draw.randint(1, 9)) for _ in range(draw.randint(1, 12))]
        wait = draw.randint(1, 4)
        want, answer = _stop(losses, wait)[0], stop_after([*losses], wait)
        if answer != want:
            return f"Not yet: {losses} with patience {wait} keeps epoch {want}, yours is {answer}."
    return f"Right: {len(STOPS) + 200} curves, and each is stopped where it should be."


def _stop(losses: Sequence[float], wait: int) -> tuple[int, int]:
    """The epoch to keep, and the one at which training stops."""
    best, kept, epoch = math.inf, 0, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept >= wait:
            break
    return kept, epoch


STAGES = ("layer2", "layer3", "layer4")
READ = 300  # leaves that the judge looks at
FOUNDATION = 500  # leaves that the judge has learned from
KEPT = 0.6  # of what the judge can do beyond guessing, at least


@lru_cache(maxsize=1)
def _judge() -> tuple[nn.Module, "Pipeline"]:
    """A network and what reads leaves from its features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = models.load("resnet10")
    known = tasks.load("leaves").train.take(range(FOUNDATION))
    reader = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=300))
    return network, reader.fit(_read(network, known.inputs), known.labels)


def _read(network: nn.Module, pictures: torch.Tensor) -> torch.Tensor:
    with torch.no_grad(), features.Tap(network, *STAGES) as tap:
        network(network.preprocess(pictures))
    return torch.cat([tap[stage].mean((2, 3)) for stage in STAGES], 1)


def _legible(pictures: torch.Tensor, labels: torch.Tensor) -> float:
    network, reader = _judge()
    return float(reader.score(_read(network, pictures), labels))


@patient
def check_augmentation(augment: Callable) -> str:
    """Whether ``augment(pictures)`` changes leaves at random, each in its own way, and spares what
    the label says. Pictures are uint8 (N, 3, H, W), before and after.
    """
    if not callable(augment):
        return f"Not yet: this is {type(augment).__name__}, not a function."
    leaves = tasks.load("leaves").val.take(range(READ))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return _judged(augment, leaves)


def _judged(augment: Callable, leaves: "Split") -> str:
    given = leaves.inputs.clone()
    changed = augment(given)
    if not torch.equal(given, leaves.inputs):
        return (
            "Not yet: it changes the pictures it is given. In the next epoch they would be changed "
            "again, on top. Work on a copy."
        )
    if changed is None:
        return "Not yet: it returns None. Return the new pictures."
    if not isinstance(changed, torch.Tensor):
        return f"Not yet: it returns a {type(changed).__name__}, not a tensor."
    if changed.shape != given.shape:
        return (
            f"Not yet: {tuple(given.shape)} go in and {tuple(changed.shape)} come out. Number, "
            "colours and size must stay."
        )
    if changed.dtype != torch.uint8:
        return (
            f"Not yet: it returns {changed.dtype}, and the network's preprocessing expects whole "
            "numbers from 0 to 255. End with .round().clamp(0, 255).to(torch.uint8)."
        )
    if torch.equal(changed, given):
        return "Not yet: nothing has changed."
    if torch.equal(changed, augment(given.clone())):
        return "Not yet: it does the same every time. Draw with torch.rand or torch.randint."
    copies = given[:1].repeat(32, 1, 1, 1)
    varied = augment(copies.clone())
    if all(torch.equal(picture, varied[0]) for picture in varied):
        return (
            "Not yet: 32 copies of one leaf came out alike, so it draws once for the whole batch. "
            "Draw a number for each picture: torch.rand(len(pictures))."
        )
    bright = augment(torch.full_like(copies, 250)).float()
    if bright.mean() < 125:
        return (
            "Not yet: a white picture comes out dark. Whole numbers from 0 to 255 wrap around: "
            "250 + 50 is 44. Calculate with .float(), and clamp before you go back."
        )
    if (alone := augment(given[:1].clone())).shape != given[:1].shape:
        return f"Not yet: a single picture comes out as {tuple(alone.shape)}. Batches can be small."
    before, after = (_legible(pictures, leaves.labels) for pictures in (given, changed))
    guess = 1 / (int(leaves.labels.max()) + 1)
    if after < guess + KEPT * (before - guess):
        return (
            f"Not yet: a reader of leaves that names {before:.0%} of them right names {after:.0%} "
            "after your change. It takes away what the label says, or mixes up the pictures. What "
            "tells rust from mildew: colour, small spots?"
        )
    return (
        f"Right: each leaf is changed in its own way, and a reader of leaves names {after:.0%} "
        f"right, {before:.0%} before."
    )


BETTER, CLOSER = 0.48, 0.48  # accuracy on unseen leaves at least, gap at most; recipe: 0.44, 0.56
BY_CHANCE = 0.12  # two sets of unseen leaves may differ by so much


@patient
def check_smaller_gap(model: nn.Module, task: "Task") -> str:
    """Whether ``model``, trained on the 100 leaves of ``task``, does better on unseen ones, with a
    smaller gap; and whether it has learned from leaves that it should not have seen.

    The unseen leaves are those of the whole task's validation set that ``task`` leaves out.
    """
    if not isinstance(model, nn.Module):
        return f"Not yet: this is {type(model).__name__}, not a network."
    surgery.stages(model)  # raises, and says what it lacks
    whole = tasks.load("leaves")
    if task.name != whole.name or len(task.train) != LABELS:
        return f"Not yet: this is about the {LABELS} leaves of the lesson."
    unseen = _without(whole.val, task.val)
    shares = {
        name: train.evaluate(model, split).accuracy
        for name, split in (
            ("known", task.train),
            ("val", task.val),
            ("test", whole.test),
            ("more", _without(whole.train, task.train).take(range(600))),
            ("unseen", unseen),
        )
    }
    known, found = shares["known"], shares["unseen"]
    for name, spare, what in (
        ("test", BY_CHANCE, "the test set. It was opened for training, so it measures nothing now"),
        ("val", 2 * BY_CHANCE, "the validation pictures. What is learned cannot be chosen by"),
        (
            "more",
            BY_CHANCE,
            f"more than the {LABELS} leaves. More labels would help, but are cheat",
        ),
    ):
        if shares[name] > found + spare:
            return (
                f"Not yet: {shares[name]:.0%} right there and {found:.0%} on {len(unseen)} leaves "
                f"that nobody saw: it has learned from {what}."
            )
    numbers = f"training {known:.0%}, unseen {found:.0%}, gap {100 * (known - found):.0f} points"
    small, good = known - found <= CLOSER, found >= BETTER
    if small and good:
        return f"Right: {numbers}. Closer together, and better."
    if small:
        return (
            f"Not yet: {numbers}. The gap is small because it learned little: unseen leaves want "
            f"{BETTER:.0%}."
        )
    if good:
        return (
            f"Not yet: {numbers}. Unseen leaves are fine, but the gap should be at most "
            f"{100 * CLOSER:.0f} points. Can it still learn the 100 by heart?"
        )
    return (
        f"Not yet: {numbers}. Wanted are {BETTER:.0%} on unseen leaves and a gap of at most "
        f"{100 * CLOSER:.0f}. What may change in a leaf without its condition changing?"
    )


def _without(split: "Split", some: "Split") -> "Split":
    """The examples of ``split`` whose pictures are not in ``some``."""
    known = {picture.numpy().tobytes() for picture in some.inputs}
    rest = [
        index
        for index, picture in enumerate(split.inputs)
        if picture.numpy().tobytes() not in known
    ]
    return split.take(rest)
