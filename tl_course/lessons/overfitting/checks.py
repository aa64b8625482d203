"""The checks of lesson 06: when to stop, how to vary pictures, and a smaller gap."""

import math
import operator
import random
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, SupportsIndex

import torch
from torch import nn

from tl_course import features, models, surgery, tasks, train
from tl_course.practice.grading import NotYet, ask, compare_cases, graded, want, without

if TYPE_CHECKING:
    from tl_course.tasks import Task

# what a curve is about, validation losses, patience
STOPS = (
    ("never turns", [3.0, 2.0, 1.0], 2),
    ("turns at once", [1.0, 2.0, 3.0, 4.0], 2),
    ("comes down again while you still wait", [3.0, 2.0, 2.5, 1.0, 2.0, 2.0], 2),
    ("comes down again after you have stopped", [3.0, 2.0, 2.5, 2.6, 1.0], 2),
    ("comes down again, with more patience", [3.0, 2.0, 2.5, 2.6, 1.0], 3),
    ("stays level (no better is not better)", [2.0, 1.0, 1.0, 1.0, 0.5], 2),
    ("ends before your patience does", [3.0, 1.0, 2.0], 5),
    ("has a single epoch", [1.0], 3),
    ("has a NaN on the way", [3.0, 2.0, math.nan, 1.0, 4.0, 4.0], 2),
    ("begins with NaN", [math.nan, 2.0, 1.0, 3.0, 3.0], 2),
)


@graded
def check_stopping(stop_after: Callable) -> str:
    """Whether ``stop_after(val_losses, patience)`` gives the epoch to keep, counted from 1.

    Training stops when ``patience`` epochs in a row were no better than the best before them; the
    best so far is kept.
    """
    draw = random.Random(6)
    curves = [*STOPS]
    for _ in range(200):
        losses = [float(draw.randint(1, 9)) for _ in range(draw.randint(1, 12))]
        curves.append(("was drawn by chance", losses, draw.randint(1, 4)))
    cases = [
        (f"a curve that {what}, {losses} with patience {wait},", losses, wait)
        for what, losses, wait in curves
    ]
    mistakes = {
        "you count epochs from 0. The first one is 1, as in a History.": (
            lambda losses, wait: _keep(losses, wait) - 1
        ),
        "this is the epoch at which you stop. Keep the best one before it.": (
            lambda losses, wait: min(len(losses), _keep(losses, wait) + wait)
        ),
    }
    compare_cases(stop_after, cases, _keep, read=_epoch, mistakes=mistakes)
    return f"{len(cases)} curves, and each is stopped where it should be."


def _epoch(answer: object) -> int:
    if answer is None:
        raise NotYet("it returns None. Return the epoch to keep.")
    want(answer, SupportsIndex, "a whole number", "it returns a")
    return operator.index(answer)


def _keep(losses: Sequence[float], wait: int) -> int:
    best, kept = math.inf, 0
    for epoch, loss in enumerate(losses, 1):
        if loss < best:
            best, kept = loss, epoch
        elif epoch - kept >= wait:
            break
    return kept


STAGES = ("layer2", "layer3", "layer4")
READ = 300  # leaves that the judge looks at
FOUNDATION = 500  # leaves that the judge has learned from
KEPT = 0.6  # of what the judge can do beyond guessing, at least


@cache
def _judge() -> Callable[[torch.Tensor, torch.Tensor], float]:
    """What tells the share of leaves whose condition can be read from a network's features."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    network = models.load("resnet10")

    def read(pictures: torch.Tensor) -> torch.Tensor:
        seen = features.every_stage(network, pictures)
        return torch.cat([seen[stage] for stage in STAGES], 1)

    known = tasks.load("leaves").train.take(range(FOUNDATION))
    reader = make_pipeline(StandardScaler(), LogisticRegression(C=1e-2, max_iter=300))
    reader.fit(read(known.inputs), known.labels)
    return lambda pictures, labels: float(reader.score(read(pictures), labels))


@graded
@torch.random.fork_rng(devices=[])
def check_augmentation(augment: Callable) -> str:
    """Whether ``augment(pictures)`` changes leaves at random, each in its own way, and spares what
    the label says. Pictures are uint8 (N, 3, H, W), before and after.
    """
    leaves = tasks.load("leaves").val.take(range(READ))
    torch.manual_seed(0)
    changed = ask(
        augment,
        leaves.inputs,
        spoiled="it changes the pictures it is given. In the next epoch they would be changed "
        "again, on top. Work on a copy.",
    )
    _pictures(changed, leaves.inputs)
    _varied(augment, leaves.inputs, changed)
    before, after = (_judge()(pictures, leaves.labels) for pictures in (leaves.inputs, changed))
    guess = 1 / (int(leaves.labels.max()) + 1)
    if after < guess + KEPT * (before - guess):
        raise NotYet(
            f"a reader of leaves that names {before:.0%} of them right names {after:.0%} after "
            "your change. It takes away what the label says, or mixes up the pictures. What tells "
            "rust from mildew: colour, small spots?"
        )
    return (
        f"each leaf is changed in its own way, and a reader of leaves names {after:.0%} right, "
        f"{before:.0%} before."
    )


def _pictures(changed: object, given: torch.Tensor) -> None:
    if changed is None:
        raise NotYet("it returns None. Return the new pictures.")
    want(changed, torch.Tensor, "a tensor", "it returns a")
    if changed.shape != given.shape:
        raise NotYet(
            f"{tuple(given.shape)} go in and {tuple(changed.shape)} come out. Number, colours and "
            "size must stay."
        )
    if changed.dtype != torch.uint8:
        raise NotYet(
            f"it returns {changed.dtype}, and the network's preprocessing expects whole numbers "
            "from 0 to 255. End with .round().clamp(0, 255).to(torch.uint8)."
        )


def _varied(augment: Callable, given: torch.Tensor, changed: torch.Tensor) -> None:
    if torch.equal(changed, given):
        raise NotYet("nothing has changed.")
    if torch.equal(changed, augment(given.clone())):
        raise NotYet("it does the same every time. Draw with torch.rand or torch.randint.")
    copies = given[:1].repeat(32, 1, 1, 1)
    varied = augment(copies.clone())
    if all(torch.equal(picture, varied[0]) for picture in varied):
        raise NotYet(
            "32 copies of one leaf came out alike, so it draws once for the whole batch. Draw a "
            "number for each picture: torch.rand(len(pictures))."
        )
    if augment(torch.full_like(copies, 250)).float().mean() < 125:
        raise NotYet(
            "a white picture comes out dark. Whole numbers from 0 to 255 wrap around: 250 + 50 is "
            "44. Calculate with .float(), and clamp before you go back."
        )
    if (alone := augment(given[:1].clone())).shape != given[:1].shape:
        raise NotYet(f"a single picture comes out as {tuple(alone.shape)}. Batches can be small.")


LABELS = 100  # leaves of the lesson
BETTER, CLOSER = 0.48, 0.48  # accuracy on unseen leaves at least, gap at most; recipe: 0.44, 0.56
BY_CHANCE = 0.12  # two sets of unseen leaves may differ by so much


@graded
def check_smaller_gap(model: nn.Module, task: "Task") -> str:
    """Whether ``model``, trained on the 100 leaves of ``task``, does better on unseen ones, with a
    smaller gap; and whether it has learned from leaves that it should not have seen.

    The unseen leaves are those of the whole task's validation set that ``task`` leaves out.
    """
    surgery.stages(model)  # raises, and says what it lacks
    whole = tasks.load("leaves")
    if task.name != whole.name or len(task.train) != LABELS:
        raise NotYet(f"this is about the {LABELS} leaves of the lesson.")
    known, found = train.evaluate(model, task.train).accuracy, _unseen(model, task, whole)
    numbers = f"training {known:.0%}, unseen {found:.0%}, gap {100 * (known - found):.0f} points"
    small, good = known - found <= CLOSER, found >= BETTER
    if small and good:
        return f"{numbers}. Closer together, and better."
    if small:
        raise NotYet(
            f"{numbers}. The gap is small because it learned little: unseen leaves want "
            f"{BETTER:.0%}."
        )
    if good:
        raise NotYet(
            f"{numbers}. Unseen leaves are fine, but the gap should be at most "
            f"{100 * CLOSER:.0f} points. Can it still learn the 100 by heart?"
        )
    raise NotYet(
        f"{numbers}. Wanted are {BETTER:.0%} on unseen leaves and a gap of at most "
        f"{100 * CLOSER:.0f}. What may change in a leaf without its condition changing?"
    )


def _unseen(model: nn.Module, task: "Task", whole: "Task") -> float:
    """Accuracy on leaves that ``task`` leaves out, much as on all that was not to be learned."""
    unseen, more = without(whole.val, task.val), without(whole.train, task.train).take(range(600))
    found = train.evaluate(model, unseen).accuracy
    for split, spare, what in (
        (whole.test, 1, "the test set. It was opened for training, so it measures nothing now"),
        (task.val, 2, "the validation pictures. What is learned cannot be chosen by"),
        (more, 1, f"more than the {LABELS} leaves. More labels would help, but are cheat"),
    ):
        share = train.evaluate(model, split).accuracy
        if share > found + spare * BY_CHANCE:
            raise NotYet(
                f"{share:.0%} right there and {found:.0%} on {len(unseen)} leaves that nobody "
                f"saw: it has learned from {what}."
            )
    return found
