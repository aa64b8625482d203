"""Freezing depth: how one cell of the freezing map is trained, stored runs and live ones alike."""

from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:
    import pandas
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
# labels at most, epochs, pictures a batch
PACE = (
    *((25, 40, 32), (50, 24, 32), (100, 16, 32), (200, 12, 32)),
    *((500, 8, 64), (1000, 5, 64), (2000, 4, 64)),
)


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


def pace(labels: int) -> tuple[int, int]:
    """Epochs and batch size for a number of training labels: more passes over fewer pictures."""
    for most, epochs, batch in PACE:
        if labels <= most:
            return epochs, batch
    return 2, 64


def best_rates(search: "pandas.DataFrame") -> dict[tuple[str, str, int], float]:
    """The rate with the best mean accuracy on validation, by (task, strategy, labels)."""
    means = search.groupby(["task", "strategy", "labels", "lr"]).val_accuracy.mean()
    return {key[:3]: key[3] for key in means.groupby(level=[0, 1, 2]).idxmax()}


def train_cell(task: "Task", strategy: str, lr: float, seed: int, cache: bool = True) -> dict:
    """``learned`` from where ``strategy`` starts, on all of ``task.train``."""
    return learned(build(strategy, len(task.classes), seed), task, lr, seed, cache)


def learned(model: "nn.Module", task: "Task", lr: float, seed: int, cache: bool = True) -> dict:
    """Train ``model`` at the pace of the labels, choose the epoch on validation, test once.

    Returns ``train_accuracy`` (of the chosen epoch, while it trained), ``val_accuracy``,
    ``test_accuracy``, ``test_balanced`` (all in [0, 1]), ``epochs``, ``best_epoch``, ``seconds``.
    """
    from tl_course import train

    epochs, batch = pace(len(task.train))
    history = train.fit(
        model, task, epochs, lr=lr, batch=batch, seed=seed, cache=cache, progress=False
    )
    if history.stopped.startswith("interrupted"):
        raise KeyboardInterrupt
    best = max(history.best_epoch, 1) - 1
    scores = train.evaluate(model, task.test)
    return {
        "train_accuracy": history.train_accuracy[best] if history.train_accuracy else 0.0,
        "val_accuracy": history.val_accuracy[best] if history.val_accuracy else 0.0,
        "test_accuracy": scores.accuracy,
        "test_balanced": scores.balanced_accuracy,
        "epochs": epochs,
        "best_epoch": history.best_epoch,
        "seconds": round(history.seconds, 2),
    }
