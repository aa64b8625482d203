"""The checks of lesson 04: what is frozen, how fast each stage learns, and an exam."""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from numbers import Real
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import torch
from torch import nn

from tl_course import surgery, tasks, train
from tl_course.evidence.results import stored
from tl_course.practice.grading import (
    NotYet,
    graded,
    is_statistic,
    moved,
    no_hooks,
    pupil,
    state,
    want,
    without,
)
from tl_course.tasks import Split

if TYPE_CHECKING:
    from tl_course.tasks import Task

HELD = ("stem", "layer1", "layer2")  # what the exercise freezes
STAGES = (*HELD, "layer3", "layer4", "head")
STEP = 3  # each stage learns so many times as slowly as the one above
TOP = 1e-2  # the rate of the head
LABELS = 100
MORE = 0.05  # how much better than the head alone the exam wants it
FRESH_SEED = 60_606  # of leaves that nobody has, about as hard as the test's (others are harder)


@graded
def check_held(learn: Callable) -> str:
    """Whether ``learn(model, task)`` trains ``layer3`` and above of a ``pupil``, and nothing below.

    Weights and BatchNorm statistics are compared at every step, not only at the end.
    """
    model, task = pupil()
    start, loss = state(model), train.evaluate(model, task.train).loss
    seen = _watched(learn, model, task, start)
    no_hooks(model)
    now = model.state_dict()
    if odd := sorted(now.keys() ^ start.keys()):
        raise NotYet(f"the network has other parts than before ({odd[0]}). Only train it.")
    changed = moved(start, now)
    _stood_still([*seen, *_held(changed)])
    above = STAGES[3:]
    if idle := [name for name in above if name not in map(_stage, changed)]:
        raise NotYet(
            f"{', '.join(idle)} did not move. Is it frozen too, or does the optimizer hold other "
            "weights than the model's?"
        )
    after = train.evaluate(model, task.train).loss
    if not after < loss:
        raise NotYet(
            f"it moved, but its loss on what it learned from went from {loss:.2f} to {after:.2f}. "
            "Is the rate too high?"
        )
    return f"{', '.join(HELD)} stand still, statistics too; {', '.join(above)} learned."


def _stage(name: str) -> str:
    return name.partition(".")[0]


def _held(names: list[str]) -> list[str]:
    return [name for name in names if _stage(name) in HELD]


def _watched(learn: Callable, model: nn.Module, task: "Task", start: Mapping) -> list[str]:
    """The first thing in the frozen stages that moves while ``learn`` trains, if any does.

    It looks at weights and statistics whenever pictures have passed the frozen stages, and at
    BatchNorm layers there that go by their batch, not by their statistics.
    """
    seen: list[str] = []
    parts = surgery.stages(model)
    stage_of = {part: name for name in HELD for part in parts[name].modules()}

    def look(part: nn.Module, *_) -> None:
        if seen or part not in stage_of:
            return
        if part is parts[HELD[-1]]:
            seen.extend(_held(moved(start, {**start, **model.state_dict()}))[:1])
        elif isinstance(part, nn.BatchNorm2d) and (part.training or part.running_mean is None):
            seen.append(
                f"{stage_of[part]}: running statistics of a BatchNorm layer in training mode"
            )

    handle = nn.modules.module.register_module_forward_hook(look)
    try:
        learn(model, task)
    finally:
        handle.remove()
    return seen


def _stood_still(changed: list[str]) -> None:
    if weights := [name for name in changed if not is_statistic(name)]:
        raise NotYet(
            f"weights of {_stage(weights[0])} moved ({weights[0]}). Freeze the stage, or give the "
            "optimizer only what is to be trained."
        )
    if changed:
        raise NotYet(
            f"no weight moved, but statistics of {_stage(changed[0])} did, or it used those of the "
            f"batch ({changed[0]}). The frozen stages must be in eval mode whenever pictures pass, "
            "and model.train() undoes that."
        )


@graded
def check_ladder(rates: Mapping[str, float]) -> str:
    """Whether ``rates``, stage name to learning rate, fit ``resnet10``: each a third of the one
    above, the head at 0.01.
    """
    want(rates, Mapping, 'a dictionary such as {"head": 1e-2}')
    if odd := [name for name in rates if name not in STAGES]:
        raise NotYet(f"{odd[0]!r} is no stage. There are {', '.join(STAGES)}.")
    if missing := [name for name in STAGES if name not in rates]:
        raise NotYet(
            f"{', '.join(missing)} has no rate. param_groups would give it that of the nearest "
            "stage above."
        )
    for name, rate in rates.items():
        real = isinstance(rate, Real) and not isinstance(rate, bool)
        if not real or not 0 < rate < math.inf:
            raise NotYet(f"{rate!r} for {name} is no learning rate that trains.")
    if not math.isclose(rates["head"], TOP, rel_tol=0.05):
        raise NotYet(f"the head learns at {rates['head']:g}. Begin there, with {TOP:g}.")
    for below, above in zip(STAGES[-2::-1], STAGES[:0:-1], strict=True):
        low, high = rates[below], rates[above]
        if low > high:
            raise NotYet(
                f"{below} learns at {low:g}, faster than {above} above it at {high:g}. The deeper "
                "a stage lies, the more general is what it knows."
            )
        if not math.isclose(STEP * low, high, rel_tol=0.05):
            raise NotYet(f"{below} learns at {low:g}. A third of {above} is {high / STEP:.2g}.")
    return f"from {rates['head']:g} in the head down to {rates['stem']:.1g} in the stem."


def pass_mark() -> float:
    """Test accuracy that the exam asks for: five points above the head alone, mean of the stored
    runs with 100 leaves.
    """
    cell = {"task": "leaves", "labels": LABELS, "strategy": "head alone"}
    return float(stored("sweep_freezing").cell("test_accuracy", **cell).mean()) + MORE


@graded
def check_hundred(learn: Callable) -> str:
    """Whether ``learn(task)`` gives a model that passes ``pass_mark``, from 100 labels alone.

    The task is drawn for this: the leaves' classes in another order, and a test split that notes
    who looks and holds wrong labels. The model is then tested on the true test leaves, and on
    leaves drawn for this check: whoever has learned the test, or more labels than given, is surer
    of what they have seen than of new ones.
    """
    task, true_test, others = _exam()
    torch.manual_seed(0)
    model = learn(task)
    want(model, nn.Module, "a network", "learn returns")
    if task.test.looks:
        raise NotYet(
            "your function looked at task.test. What chose the model cannot judge it: choose on "
            "task.val. (The labels it found there are wrong.)"
        )
    found, mark = train.evaluate(model, true_test).accuracy, pass_mark()
    for name, split in (("the test leaves", true_test), ("leaves it was not given", others)):
        if _knows(model, split, _fresh(task.classes)):
            raise NotYet(
                f"it is surer of {name} than of leaves drawn just now, by more than chance can do. "
                f"It has learned from them; {LABELS} labels were the rule."
            )
    if found >= mark:
        return f"{found:.1%} of 1,000 test leaves from {LABELS} labels (bar {mark:.1%})."
    if found <= 1 / len(task.classes) + 0.04:
        raise NotYet(
            f"{found:.1%} is guessing. Did it learn from task.train? The classes stand in another "
            f"order than in your own leaves: {', '.join(task.classes)}."
        )
    said = f"{found:.1%} of the test leaves; the bar is {mark:.1%}."
    known = train.evaluate(model, task.train).accuracy
    if known > 0.98:
        raise NotYet(
            f"{said} It has all of its {LABELS} by heart: try another depth or rate, or vary the "
            "pictures."
        )
    raise NotYet(
        f"{said} It has {known:.0%} of its own {LABELS} right: freeze less, or train more."
    )


class _Guarded(Split):
    """A split that notes when its inputs or labels are looked at; its length is no secret."""

    looks: ClassVar[list[str]] = []  # at copies too

    def __getattribute__(self, name: str):
        if name in ("inputs", "labels"):
            _Guarded.looks.append(name)
        return super().__getattribute__(name)

    def __len__(self) -> int:
        return len(vars(self)["labels"])


def _exam() -> "tuple[Task, Split, Split]":
    """A task of 100 leaves with a guarded test split; the true test; leaves that are not given.

    The classes stand in another order than in the task that everyone can load.
    """
    whole = tasks.load("leaves")
    order = torch.tensor([3, 0, 4, 1, 2])  # new label of each old one
    classes = tuple(whole.classes[old] for old in order.argsort())
    given, val, test = (
        replace(split, labels=order[split.labels], classes=classes)
        for split in (whole.train, whole.val, whole.test)
    )
    guarded = _Guarded(test.inputs, (test.labels + 1) % len(classes))
    # with this seed, the head alone is no better than on other draws
    few = replace(whole, classes=classes, train=given, val=val, test=guarded).few(LABELS, seed=405)
    _Guarded.looks.clear()
    return few, test, without(given, few.train)


@lru_cache(maxsize=1)
def _fresh(classes: tuple[str, ...]) -> Split:
    """300 leaves by the same recipe, from a seed that no task uses, labelled by ``classes``."""
    from tl_course.tasks import leaves

    drawn = np.arange(300) % len(leaves.CLASSES)
    labels = [classes.index(tasks.load("leaves").classes[label]) for label in drawn]
    return Split(torch.from_numpy(leaves.pictures(drawn, FRESH_SEED)), torch.tensor(labels))


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
