"""Repeated runs: every seed alike, the learning rate chosen on validation, one look at the test."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:  # `tl-course claims` reads stored runs and should not wait for torch
    import pandas
    import torch
    from torch import nn

    from tl_course.tasks import Task


def repeat(run: Callable[[int], Mapping], seeds: Iterable[int] = range(5)) -> "pandas.DataFrame":
    """One row a seed: the column ``seed`` and whatever ``run(seed)`` returns.

    Raises ``BadInput`` for fewer than five seeds: the course states nothing from fewer.
    """
    import pandas

    seeds = list(seeds)
    if len(set(seeds)) < max(5, len(seeds)):
        raise store.BadInput(
            f"{len(set(seeds))} seeds", "an interval needs five or more, each once", "Use five"
        )
    return pandas.DataFrame([{"seed": seed, **run(seed)} for seed in seeds])


def sweep(
    run: Callable[..., list[dict]],
    cells: Sequence[Mapping],
    work: Path,
    jobs: int,
    dask: str | None = None,
) -> list[dict]:
    """The rows of ``run(**cell)`` for every cell, ``jobs`` side by side; each row repeats its cell.

    ``dask``, the address of a scheduler, runs them on that cluster instead. Finished cells are
    kept in ``work``, one a line, and a sweep that was stopped goes on where it ended; a line that
    a kill cut short is dropped. A cell's values are numbers or texts. Raises ``NotAvailable``
    where the cluster does not answer or the package ``distributed`` is missing.
    """
    from tqdm.auto import tqdm

    done = []
    if work.is_file():
        text = work.read_text(encoding="utf-8")
        whole = text[: text.rfind("\n") + 1]
        if whole != text:
            work.write_text(whole, encoding="utf-8", newline="\n")
        done = [row for line in whole.splitlines() for row in json.loads(line)]
    keys = sorted(cells[0]) if cells else []
    wanted = {tuple(cell[key] for key in keys) for cell in cells}
    done = [row for row in done if tuple(row[key] for key in keys) in wanted]
    finished = {tuple(row[key] for key in keys) for row in done}
    missing = [cell for cell in cells if tuple(cell[key] for key in keys) not in finished]
    if not missing:
        return done
    finishing = _on_cluster(run, missing, dask) if dask else _here(run, missing, jobs)
    with work.open("a", encoding="utf-8") as file:
        for rows in tqdm(finishing, total=len(missing)):
            done += rows
            file.write(json.dumps(rows, default=float) + "\n")
            file.flush()
    return done


def _here(run: Callable[..., list[dict]], cells: Sequence[Mapping], jobs: int) -> Iterator:
    import joblib

    runner = joblib.Parallel(n_jobs=jobs, return_as="generator_unordered")
    return runner(joblib.delayed(_labelled)(run, cell) for cell in cells)


def _on_cluster(run: Callable[..., list[dict]], cells: Sequence[Mapping], address: str) -> Iterator:
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise store.NotAvailable(
            "Dask", "the package distributed is not installed", "Run `pip install distributed`"
        ) from None
    try:
        client = Client(address, timeout=10)
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise _no_cluster(address, error) from None
    with client:
        try:
            client.wait_for_workers(1, timeout=30)
        except OSError as error:
            raise _no_cluster(address, error) from None
        # not pure: two cells that look alike are still two runs
        futures = [client.submit(_labelled, run, cell, pure=False) for cell in cells]
        for future in as_completed(futures):
            yield future.result()


def _no_cluster(address: str, error: Exception) -> store.NotAvailable:
    return store.NotAvailable(
        f"the Dask cluster at {address}",
        f"it does not answer, or has no workers ({error})",
        "Start it with `dask scheduler` and `dask worker ADDRESS`, or leave out --dask",
    )


def _labelled(run: Callable[..., list[dict]], cell: Mapping) -> list[dict]:
    return [{**cell, **row} for row in run(**cell)]


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
    ``seconds``; the test columns are missing for rates that were not chosen.
    """
    import torch

    from tl_course import train

    if not len(rates):
        raise store.BadInput("tune(rates=[])", "there is no rate to try", "Pass [1e-3, 3e-3]")
    made = []

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
        history = train.fit(
            model, task, epochs=epochs, lr=rate, seed=seed, augment=augment, progress=False
        )
        if history.stopped.startswith("interrupted"):
            raise KeyboardInterrupt
        return model, {
            "epochs": epochs,
            "val_accuracy": max(history.val_accuracy, default=0.0),
            "seconds": round(history.seconds, 2),
        }

    return tested_best(learn, rates, task)[0]


def tested_best(
    learn: "Callable[[float], tuple[nn.Module, dict]]", rates: Sequence[float], task: "Task"
) -> "tuple[list[dict], dict, nn.Module]":
    """What ``learn(rate)`` gives for each rate; the best on validation alone is tested, once.

    ``learn`` returns a model and its row, which holds ``val_accuracy``. Returns one row a rate,
    with ``lr``; the best of them, with ``test_accuracy`` and ``test_balanced`` too; its model.
    """
    from tl_course import train

    rows, best, kept = [], None, None
    for rate in rates:
        model, row = learn(rate)
        rows.append({"lr": rate, **row})
        if best is None or row["val_accuracy"] > best["val_accuracy"]:
            best, kept = rows[-1], model
    scores = train.evaluate(kept, task.test)
    best.update(test_accuracy=scores.accuracy, test_balanced=scores.balanced_accuracy)
    return rows, best, kept


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
    for most, epochs, batch in PACE:
        if labels <= most:
            return epochs, batch
    return 2, 64


def best_rates(search: "pandas.DataFrame") -> dict[tuple[str, str, int], float]:
    """The rate with the best mean accuracy on validation, by (task, strategy, labels)."""
    means = search.groupby(["task", "strategy", "labels", "lr"]).val_accuracy.mean()
    return {key[:3]: key[3] for key in means.groupby(level=[0, 1, 2]).idxmax()}


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
