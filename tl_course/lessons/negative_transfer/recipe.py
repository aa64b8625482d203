"""Suspects of negative transfer: what a source was trained on, and what it was asked to learn."""

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:
    from torch import nn

    from tl_course.tasks import Split, Task

# model each source is, by what the lesson calls it; the first is the course's usual one
PICTURES = {
    "photographs": "resnet10",
    "colours": "resnet10_colours",
    "random labels": "resnet10_random_labels",
    "too long on little": "resnet10_too_long",
    "noise": "resnet10_noise",
}
READERS = {
    "Spanish": "reader_spanish",
    "false friends": "reader_spanish_false_friends",
    "enciphered": "reader_spanish_enciphered",
    "reversed": "reader_spanish_reversed",
}
ORDERS = ("red green blue", "red blue green", "green red blue", "green blue red", "blue red green",
          "blue green red")  # fmt: skip
RANDOM_CLASSES = 10
# pictures, epochs, whether the best epoch on validation is kept; the last one else
RECIPES = {
    "colours": (1000, 8, True),
    "random labels": (500, 40, False),
    "too long on little": (36, 250, False),
    "noise": (1000, 12, True),
}
LR, BATCH = 2e-3, 32
# learning rates that are tried for each start; a head alone bears larger ones
RATES = {"fine-tuned": (1e-3, 3e-3, 1e-2), "frozen": (1e-2, 3e-2, 1e-1)}


def by_colour(split: "Split") -> "Split":
    """The same pictures, asked for the order of their mean colours: an index into ``ORDERS``."""
    import torch

    channels = ("red", "green", "blue")
    order = split.inputs.float().mean((2, 3)).argsort(1, descending=True).tolist()
    labels = [ORDERS.index(" ".join(channels[c] for c in row)) for row in order]
    return replace(split, labels=torch.tensor(labels))


def by_chance(split: "Split", seed: int) -> "Split":
    """The same pictures with labels drawn by chance, ten kinds: nothing but memory can help."""
    import torch

    generator = torch.Generator().manual_seed(int(seed))
    drawn = torch.randint(RANDOM_CLASSES, (len(split),), generator=generator)
    return replace(split, labels=drawn)


def source_task(source: str, seed: int) -> "Task":
    """What ``source``, a key of ``RECIPES``, is trained on; ``seed`` draws it.

    All but the noise are pictures of materials: with labels by colour, with labels by chance, or
    very few with their own labels. Raises ``UnknownName``.
    """
    from tl_course import tasks

    count = RECIPES[store.choose("suspect", source, RECIPES)][0]
    few = tasks.load("noise" if source == "noise" else "materials_many").few(count, seed)
    if source in ("noise", "too long on little"):
        return few
    if source == "colours":
        parts = {name: by_colour(getattr(few, name)) for name in ("train", "val", "test")}
        return replace(few, name="materials_by_colour", classes=ORDERS, **parts)
    train = by_chance(few.train, seed)
    # there is nothing to validate: no other picture has a label that could be known
    kinds = tuple(f"kind {number}" for number in range(RANDOM_CLASSES))
    return replace(few, name="materials_by_chance", classes=kinds, train=train, val=train,
                   test=train)  # fmt: skip


def pretrain(source: str, seed: int) -> "tuple[nn.Module, float]":
    """A resnet10 that has learned ``source_task(source, seed)`` from random weights.

    Returns it with its accuracy in [0, 1]: on the validation pictures, or on the training
    pictures where a source learns by heart.
    """
    import torch

    from tl_course import evidence, models, surgery, train

    task = source_task(source, seed)
    _, epochs, choose = RECIPES[source]
    torch.manual_seed(int(seed))
    model = models.load("resnet10", pretrained=False)
    surgery.replace_head(model, len(task.classes))
    if not choose:
        task = replace(task, val=task.train.take(torch.arange(min(50, len(task.train)))))
    keep = "best" if choose else "last"
    evidence.fit_or_stop(model, task, epochs, lr=LR, batch=BATCH, seed=seed, keep=keep)
    return model, train.evaluate(model, task.val if choose else task.train).accuracy


def start(model: "nn.Module", strategy: str, classes: int) -> "nn.Module":
    """Give ``model`` a new head, drawn from torch's generator; ``frozen``: train nothing else."""
    from tl_course import surgery

    surgery.replace_head(model, classes)
    if store.choose("strategy", strategy, RATES) == "frozen":
        surgery.freeze(model)
    return model


def assemble(source: "nn.Module", fresh: "nn.Module", part: str) -> "nn.Module":
    """A network of which ``part`` comes from ``source`` and the rest from ``fresh``.

    ``part``: ``from scratch``, ``whole source``, ``only STAGE``, ``all but STAGE``, ``keep up to
    STAGE``, or ``shrink and perturb`` (half of each weight). Changes one of the two networks and
    returns it. Raises ``UnknownName`` for another part or stage.
    """
    from tl_course import surgery

    names = [*surgery.stages(source)]
    parts = {
        "from scratch": lambda: fresh,
        "whole source": lambda: source,
        "shrink and perturb": lambda: surgery.shrink(source, fresh, 0.5),
    }
    for last, name in enumerate(names, 1):
        parts |= {
            f"only {name}": partial(surgery.transplant, source, fresh, name),
            f"all but {name}": partial(surgery.transplant, fresh, source, name),
            f"keep up to {name}": partial(surgery.transplant, source, fresh, *names[:last]),
        }
    return parts[store.choose("part", part, parts)]()
