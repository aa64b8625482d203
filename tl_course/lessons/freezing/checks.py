"""The checks of lesson 04: what is frozen, how fast each stage learns, and an exam."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tl_course import evidence, models, surgery, tasks, train
from tl_course.practice.patience import hooked, one_line, patient
from tl_course.tasks import Split

if TYPE_CHECKING:
    from tl_course.tasks import Task

HELD = ("stem", "layer1", "layer2")  # what the exercise freezes
STEP = 3  # each stage learns so many times as slowly as the one above
TOP = 1e-2  # the rate of the head
LABELS = 100
MORE = 0.05  # how much better than the head alone the exam wants it
FRESH_SEED = 60_606  # of leaves that nobody has, about as hard as the test's (others are harder)


@patient
def check_held(learn: Callable) -> str:
    """Whether ``learn(model, task)`` trains ``layer3`` and above and leaves the rest as it was.

    The model is a pretrained ``resnet10`` with a head for the leaves, in training mode, nothing
    frozen. Weights and BatchNorm statistics are compared at every step, not only at the end.
    """
    if not callable(learn):
        return f"Not yet: this is {type(learn).__name__}, not a function."
    torch.manual_seed(0)
    task = tasks.load("leaves").few(64, seed=0)
    model = surgery.replace_head(models.load("resnet10"), len(task.classes)).train()
    parts = surgery.stages(model)
    start = {name: value.clone() for name, value in model.state_dict().items()}
    loss = train.evaluate(model, task.train).loss
    moved: list[str] = []  # what had moved while it trained
    handles = [parts["layer3"].register_forward_pre_hook(_notes(model, start, moved))]
    for name in HELD:
        for part in parts[name].modules():
            if isinstance(part, nn.BatchNorm2d):
                handles.append(part.register_forward_hook(_notes_batches(name, moved)))
    try:
        learn(model, task)
    finally:
        for handle in handles:
            handle.remove()
    if left := hooked(model):
        return f"Not yet: a hook is left behind on {left}. Remove it when you are done."
    now = model.state_dict()
    if now.keys() != start.keys():
        odd = sorted(now.keys() ^ start.keys())
        return f"Not yet: the network has other parts than before ({odd[0]}). Only train it."
    moved += _changed(start, now, HELD)
    if weights := [name for name in moved if not _is_statistic(name)]:
        return (
            f"Not yet: weights of {weights[0].partition('.')[0]} moved ({weights[0]}). Freeze the "
            "stage, or give the optimizer only what is to be trained."
        )
    if moved:
        return (
            f"Not yet: no weight moved, but statistics of {moved[0].partition('.')[0]} did, or it "
            f"used those of the batch ({moved[0]}). The frozen stages must be in eval mode "
            "whenever pictures pass, and model.train() undoes that."
        )
    above = [name for name in parts if name not in HELD]
    idle = [name for name in above if not _changed(start, now, (name,))]
    if idle:
        return (
            f"Not yet: {', '.join(idle)} did not move. Is it frozen too, or does the optimizer "
            "hold other weights than the model's?"
        )
    if not (after := train.evaluate(model, task.train).loss) < loss:
        return (
            f"Not yet: it moved, but its loss on what it learned from went from {loss:.2f} to "
            f"{after:.2f}. Is the rate too high?"
        )
    return f"Right: {', '.join(HELD)} stand still, statistics too; {', '.join(above)} learned."


def _is_statistic(name: str) -> bool:
    return "running" in name or "num_batches" in name


def _changed(start: Mapping, now: Mapping, stages: tuple[str, ...]) -> list[str]:
    return [
        name
        for name, value in start.items()
        if name.partition(".")[0] in stages and not torch.equal(value, now[name])
    ]


def _notes(model: nn.Module, start: Mapping, moved: list[str]) -> Callable:
    """A hook that writes down the first thing that has moved in the frozen stages."""

    def look(*_) -> None:
        if not moved:
            moved.extend(_changed(start, {**start, **model.state_dict()}, HELD)[:1])

    return look


def _notes_batches(stage: str, moved: list[str]) -> Callable:
    """A hook that writes down when a BatchNorm layer goes by its batch, not by its notes."""

    def look(part: nn.BatchNorm2d, *_) -> None:
        if (part.training or part.running_mean is None) and not moved:
            moved.append(f"{stage}: running statistics of a BatchNorm layer in training mode")

    return look


@patient
def check_ladder(rates: Mapping[str, float]) -> str:
    """Whether ``rates``, stage name to learning rate, fit ``resnet10``: each a third of the one
    above, the head at 0.01.
    """
    if not isinstance(rates, Mapping):
        kind = type(rates).__name__
        return f'Not yet: this is {kind}, not a dictionary such as {{"head": 1e-2}}.'
    stages = ("stem", "layer1", "layer2", "layer3", "layer4", "head")
    if odd := [name for name in rates if name not in stages]:
        return one_line(f"Not yet: {odd[0]!r} is no stage. There are {', '.join(stages)}.")
    if missing := [name for name in stages if name not in rates]:
        return (
            f"Not yet: {', '.join(missing)} has no rate. param_groups would give it that of the "
            "nearest stage above."
        )
    for name, rate in rates.items():
        real = isinstance(rate, Real) and not isinstance(rate, bool)
        if not real or not 0 < rate < math.inf:
            return one_line(f"Not yet: {rate!r} for {name} is no learning rate that trains.")
    if not math.isclose(rates["head"], TOP, rel_tol=0.05):
        return f"Not yet: the head learns at {rates['head']:g}. Begin there, with {TOP:g}."
    for below, above in zip(reversed(stages[:-1]), reversed(stages[1:]), strict=True):
        low, high = rates[below], rates[above]
        if low > high:
            return (
                f"Not yet: {below} learns at {low:g}, faster than {above} above it at {high:g}. "
                "The deeper a stage lies, the more general is what it knows."
            )
        if not math.isclose(STEP * low, high, rel_tol=0.05):
            wanted = high / STEP
            return f"Not yet: {below} learns at {low:g}. A third of {above} is {wanted:.2g}."
    return f"Right: from {rates['head']:g} in the head down to {rates['stem']:.1g} in the stem."


def pass_mark() -> float:
    """Test accuracy that the exam asks for: five points above the head alone, mean of the stored
    runs with 100 leaves.
    """
    runs = evidence.chosen(evidence.load("sweep_freezing"))
    here = runs[(runs.task == "leaves") & (runs.labels == LABELS)]
    return float(here[here.strategy == "head alone"].test_accuracy.mean()) + MORE


@patient
def check_hundred(learn: Callable) -> str:
    """Whether ``learn(task)`` gives a model that passes ``pass_mark``, from 100 labels alone.

    The task is drawn for this: the leaves' classes in another order, and a test split that notes
    who looks and holds wrong labels. The model is then tested on the true test leaves, and on
    leaves drawn for this check: whoever has learned the test, or more labels than given, is surer
    of what they have seen than of new ones.
    """
    if not callable(learn):
        return f"Not yet: this is {type(learn).__name__}, not a function."
    task, true_test, others, looks = _exam()
    torch.manual_seed(0)
    model = learn(task)
    if not isinstance(model, nn.Module):
        return f"Not yet: learn returns {type(model).__name__}, not a network."
    if looks:
        return (
            "Not yet: your function looked at task.test. What chose the model cannot judge it: "
            "choose on task.val. (The labels it found there are wrong.)"
        )
    found = train.evaluate(model, true_test).accuracy
    fresh = _fresh(task.classes)
    seen = {"the test leaves": true_test, "leaves it was not given": others}
    for name, split in seen.items():
        if _knows(model, split, fresh):
            return (
                f"Not yet: it is surer of {name} than of leaves drawn just now, by more than "
                f"chance can do. It has learned from them; {LABELS} labels were the rule."
            )
    mark, guess = pass_mark(), 1 / len(task.classes)
    if found >= mark:
        return f"Right: {found:.1%} of 1,000 test leaves from {LABELS} labels (bar {mark:.1%})."
    if found <= guess + 0.04:
        return (
            f"Not yet: {found:.1%} is guessing. Did it learn from task.train? The classes stand in "
            f"another order than in your own leaves: {', '.join(task.classes)}."
        )
    known = train.evaluate(model, task.train).accuracy
    where = (
        f"It has all of its {LABELS} by heart: try another depth or rate, or vary the pictures."
        if known > 0.98
        else f"It has {known:.0%} of its own {LABELS} right: freeze less, or train more."
    )
    return f"Not yet: {found:.1%} of the test leaves; the bar is {mark:.1%}. {where}"


class _Guarded(Split):
    """A split that says when its inputs or labels are looked at; its length is no secret."""

    def __getattribute__(self, name: str):
        if name in ("inputs", "labels"):
            vars(self)["_note"]()
        return super().__getattribute__(name)

    def __len__(self) -> int:
        return len(vars(self)["labels"])


def _exam() -> "tuple[Task, Split, Split, list]":
    """A task of 100 leaves with a guarded test split; the true test; leaves not given; who looked.

    The classes stand in another order than in the task that everyone can load.
    """
    whole = tasks.load("leaves")
    order = torch.tensor([3, 0, 4, 1, 2])  # new label of each old one
    classes = tuple(whole.classes[old] for old in order.argsort())
    splits = [Split(s.inputs, order[s.labels]) for s in (whole.train, whole.val, whole.test)]
    renamed = replace(whole, classes=classes, train=splits[0], val=splits[1], test=splits[2])
    few = renamed.few(LABELS, seed=405)  # the head alone is no better here than on other draws
    given = {picture.tobytes() for picture in few.train.inputs.numpy()}
    pool = renamed.train.inputs.numpy()
    rest = [i for i, picture in enumerate(pool) if picture.tobytes() not in given]
    wrong = (renamed.test.labels + 1) % len(classes)
    guarded = _Guarded.__new__(_Guarded)
    looks: list[bool] = []
    values = {"inputs": renamed.test.inputs, "labels": wrong, "_note": lambda: looks.append(True)}
    vars(guarded).update(values)
    return replace(few, test=guarded), renamed.test, renamed.train.take(rest), looks


@lru_cache(maxsize=1)
def _pictures() -> tuple[torch.Tensor, torch.Tensor]:
    from tl_course.tasks import leaves

    labels = np.arange(300) % len(leaves.CLASSES)
    return torch.from_numpy(leaves.pictures(labels, FRESH_SEED)), torch.from_numpy(labels)


def _fresh(classes: tuple[str, ...]) -> Split:
    """300 leaves by the same recipe, from a seed that no task uses, labelled by ``classes``."""
    pictures, labels = _pictures()
    known = tasks.load("leaves").classes
    order = torch.tensor([classes.index(name) for name in known])
    return Split(pictures, order[labels])


def _knows(model: nn.Module, seen: Split, fresh: Split) -> bool:
    """Whether ``model`` is surer of the right answers in ``seen`` than in ``fresh``.

    By chance alone it says so once in ten thousand times (Welch's test on the probability of the
    right class).
    """
    from scipy.stats import ttest_ind

    sure = [
        train.predict(model, split.inputs).gather(1, split.labels[:, None])[:, 0].double()
        for split in (seen, fresh)
    ]
    return bool(ttest_ind(*sure, equal_var=False, alternative="greater").pvalue < 1e-4)
