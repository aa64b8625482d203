"""Single runs: the learning rate chosen on validation, one look at the test."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:  # `tl-course claims` reads stored runs and should not wait for torch
    import pandas
    import torch
    from torch import nn

    from tl_course.tasks import Task
    from tl_course.train import History


def fit_or_stop(model: "nn.Module", task: "Task", epochs: int, **options) -> "History":
    """``train.fit`` without a bar; Ctrl-C ends all runs, where ``fit`` would end this one alone."""
    from tl_course import train

    history = train.fit(model, task, epochs, progress=False, **options)
    if history.stopped.startswith("interrupted"):
        raise KeyboardInterrupt
    return history


def tested(model: "nn.Module", task: "Task") -> dict[str, float]:
    """The one look at the test: ``test_accuracy`` and ``test_balanced``, both in [0, 1]."""
    from tl_course import train

    scores = train.evaluate(model, task.test)
    return {"test_accuracy": scores.accuracy, "test_balanced": scores.balanced_accuracy}


def tested_best(
    learn: "Callable[[float], tuple[nn.Module, dict]]", rates: Sequence[float], task: "Task"
) -> "tuple[list[dict], dict, nn.Module]":
    """What ``learn(rate)`` gives for each rate; the best on validation alone is tested, once.

    ``learn`` returns a model and its row, which holds ``val_accuracy``. Returns one row a rate,
    with ``lr``; the best of them, with ``test_accuracy`` and ``test_balanced`` too; its model.
    """
    rows, best, kept = [], None, None
    for rate in rates:
        model, row = learn(rate)
        rows.append({"lr": rate, **row})
        if best is None or row["val_accuracy"] > best["val_accuracy"]:
            best, kept = rows[-1], model
    assert best is not None and kept is not None  # at least one rate was tried
    best.update(tested(kept, task))
    return rows, best, kept


def tune(
    build: Callable[[], "nn.Module"],
    task: "Task",
    rates: Sequence[float],
    epochs: int,
    seed: int,
    augment: "Callable[[torch.Tensor], torch.Tensor] | None" = None,
) -> list[dict]:
    """Train once for each learning rate; the best on validation alone is tested, once.

    ``build`` makes the model. Returns one row a rate with ``lr``, ``epochs``,
    ``val_accuracy``, ``test_accuracy``, ``test_balanced`` (accuracies in [0, 1]) and
    ``seconds``; the test columns are missing for rates that were not chosen. Raises ``BadInput``
    for no rate at all, and where ``build`` gives the same model twice.
    """
    import torch

    if not len(rates):
        raise store.BadInput("tune(rates=[])", "there is no rate to try", "Pass [1e-3, 3e-3]")
    made: list[nn.Module] = []

    def learn(rate: float) -> "tuple[nn.Module, dict]":
        torch.manual_seed(int(seed))
        model = build()
        if any(model is other for other in made):
            raise store.BadInput(
                "tune(build, …)",
                "build returned the same model twice, so the rates would not start alike",
                "Load or make the model inside build",
            )
        made.append(model)
        history = fit_or_stop(model, task, epochs, lr=rate, seed=seed, augment=augment)
        return model, {
            "epochs": epochs,
            "val_accuracy": max(history.val_accuracy, default=0.0),
            "seconds": round(history.seconds, 2),
        }

    return tested_best(learn, rates, task)[0]


def flip(pictures: "torch.Tensor") -> "torch.Tensor":
    """Mirror about half of the pictures (N, 3, H, W), drawn from torch's global generator."""
    import torch

    mirrored = torch.rand(len(pictures), device=pictures.device) < 0.5
    return torch.where(mirrored.view(-1, 1, 1, 1), pictures.flip(3), pictures)


# labels at most, epochs, pictures a batch
PACE = (
    *((25, 40, 32), (50, 24, 32), (100, 16, 32), (200, 12, 32)),
    *((500, 8, 64), (1000, 5, 64), (2000, 4, 64)),
)


def pace(labels: int) -> tuple[int, int]:
    """Epochs and batch size for a number of training labels: more passes over fewer pictures."""
    return next(((epochs, batch) for most, epochs, batch in PACE if labels <= most), (2, 64))


def best_rates(search: "pandas.DataFrame") -> dict[tuple[str, str, int], float]:
    """The rate with the best mean accuracy on validation, by (task, strategy, labels)."""
    means = search.groupby(["task", "strategy", "labels", "lr"]).val_accuracy.mean()
    return {key[:3]: key[3] for key in means.groupby(level=[0, 1, 2]).idxmax()}


def learned(model: "nn.Module", task: "Task", lr: float, seed: int, cache: bool = True) -> dict:
    """Train ``model`` at the pace of the labels, choose the epoch on validation, test once.

    Returns ``train_accuracy`` (of the chosen epoch, while it trained), ``val_accuracy``,
    ``test_accuracy``, ``test_balanced`` (all in [0, 1]), ``epochs``, ``best_epoch``, ``seconds``.
    """
    epochs, batch = pace(len(task.train))
    history = fit_or_stop(model, task, epochs, lr=lr, batch=batch, seed=seed, cache=cache)
    at = history.best_epoch  # 0 where none was finished
    return {
        "train_accuracy": history.train_accuracy[at - 1] if at else 0.0,
        "val_accuracy": history.val_accuracy[at - 1] if at else 0.0,
        **tested(model, task),
        "epochs": epochs,
        "best_epoch": at,
        "seconds": round(history.seconds, 2),
    }
