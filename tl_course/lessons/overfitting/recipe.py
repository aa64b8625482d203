"""Overfitting on purpose, and what may cure it: one recipe, and changes of one thing each."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:
    import torch
    from torch import nn

    from tl_course.tasks import Task
    from tl_course.train import Epoch, History

# all weights trained for long, a large head, nothing that restrains them, the last epoch kept
RECIPE = {
    "frozen": "",  # up to and with this stage
    "epochs": 30,
    "keep": "last",
    "augment": False,
    "weight_decay": 0.0,
    "dropout": 0.0,
    "hidden": 256,  # units of a layer in the head, 0 for a linear head
    "labels": 1,  # times as many
}
CURES = {
    "no cure": {},
    "freeze to layer2": {"frozen": "layer2"},
    "freeze to layer3": {"frozen": "layer3"},
    "head alone": {"frozen": "layer4"},
    "train less": {"epochs": 6},
    "stop early": {"keep": "best"},
    "augment": {"augment": True},
    "weight decay": {"weight_decay": 10.0},  # AdamW takes the rate times this: 1 % a step
    "dropout": {"dropout": 0.5},
    "smaller head": {"hidden": 0},
    "twice the labels": {"labels": 2},
    "freeze and train less": {"frozen": "layer2", "epochs": 6},
    "all but labels": {
        "frozen": "layer2",
        "keep": "best",
        "augment": True,
        "weight_decay": 10.0,
        "dropout": 0.5,
        "hidden": 0,
    },
}
LR = 1e-3


def augmented(pictures: "torch.Tensor") -> "torch.Tensor":
    """Pictures (N, 3, H, W), uint8, each mirrored or not, shifted and made lighter or darker.

    By up to an eighth of the side and a fifth of the brightness; torch's global generator draws.
    """
    import torch
    from torch.nn import functional as F

    from tl_course.evidence.runs import flip

    count, _, height, width = pictures.shape
    reach = height // 8
    padded = F.pad(flip(pictures).float(), [reach] * 4, mode="replicate")
    here = {"device": pictures.device}
    tops, lefts = torch.randint(0, 2 * reach + 1, (2, count), **here)
    rows = (tops[:, None] + torch.arange(height, **here)).view(count, 1, height, 1)
    columns = (lefts[:, None] + torch.arange(width, **here)).view(count, 1, 1, width)
    each = torch.arange(count, **here).view(count, 1, 1, 1)
    shifted = padded[each, torch.arange(3, **here).view(1, 3, 1, 1), rows, columns]
    light = 0.8 + 0.4 * torch.rand(count, 1, 1, 1, **here)
    return (shifted * light).round().clamp(0, 255).to(torch.uint8)


def build(classes: int, seed: int, frozen: str = "", hidden: int = 256, dropout: float = 0.0):
    """A pretrained resnet10, frozen up to and with the stage ``frozen``, with a new head.

    ``hidden`` units in a layer of its own, or 0 for a linear head; ``dropout`` comes before the
    last layer.
    """
    import torch
    from torch import nn

    from tl_course import models, surgery

    torch.manual_seed(int(seed))
    model = models.load("resnet10")
    if frozen:
        surgery.freeze_to(model, frozen)
    width = model.head.in_features
    layers = [nn.Linear(width, hidden), nn.ReLU()] if hidden else []
    model.head = nn.Sequential(*layers, nn.Dropout(dropout), nn.Linear(hidden or width, classes))
    model.classes = ()
    return model


def learn(
    task: "Task", seed: int, watch: "Callable[[int, Epoch], None] | None" = None, **changes
) -> "tuple[nn.Module, History]":
    """Train ``RECIPE`` with ``changes`` of its entries; gives the model and its history.

    ``labels`` is not used here: pass a task that has them. Raises ``UnknownName`` for a change
    that the recipe does not have.
    """
    import torch

    from tl_course import train

    for name in changes:
        store.choose("part of the recipe", name, RECIPE)
    recipe = {**RECIPE, **changes}
    head = {name: recipe[name] for name in ("frozen", "hidden", "dropout")}
    fitted = {name: recipe[name] for name in ("epochs", "keep", "weight_decay")}
    fitted["augment"] = augmented if recipe["augment"] else None
    model = build(len(task.classes), seed, **head)
    torch.manual_seed(int(seed))
    history = train.fit(model, task, lr=LR, watch=watch, seed=seed, progress=False, **fitted)
    return model, history
