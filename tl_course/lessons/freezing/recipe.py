"""Freezing depth: how one cell of the freezing map is trained, stored runs and live ones alike."""

from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence import runs

if TYPE_CHECKING:
    from torch import nn

    from tl_course.tasks import Task

# what is frozen, from the bottom up to and with this stage; the head is always new and trained
FROZEN = {
    "fine-tuning": None,
    "frozen to layer1": "layer1",
    "frozen to layer2": "layer2",
    "frozen to layer3": "layer3",
    "head alone": "layer4",
    "from scratch": None,
    "head on random backbone": "layer4",
}
PRETRAINED = tuple(FROZEN)[:5]
# three learning rates for each strategy; a head alone bears larger ones
RATES = {
    **dict.fromkeys(PRETRAINED, (3e-4, 1e-3, 3e-3)),
    **dict.fromkeys(("head alone", "head on random backbone"), (1e-2, 3e-2, 1e-1)),
    "from scratch": (1e-3, 3e-3, 1e-2),
}


def build(strategy: str, classes: int, seed: int) -> "nn.Module":
    """The resnet10 that ``strategy`` starts from; ``seed`` draws its new weights.

    Raises ``UnknownName`` for a strategy that is not in ``FROZEN``.
    """
    import torch

    from tl_course import models, surgery

    top = FROZEN[store.choose("strategy", strategy, FROZEN)]
    torch.manual_seed(int(seed))
    model = models.load("resnet10", pretrained=strategy in PRETRAINED)
    surgery.replace_head(model, classes)
    return model if top is None else surgery.freeze_to(model, top)


def train_cell(task: "Task", strategy: str, lr: float, seed: int, cache: bool = True) -> dict:
    """``learned`` from where ``strategy`` starts, on all of ``task.train``."""
    return runs.learned(build(strategy, len(task.classes), seed), task, lr, seed, cache)
