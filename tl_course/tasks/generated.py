"""Tasks whose pictures are drawn by the course: made once, then read from the cache."""

import hashlib
import inspect
import io
import os
from collections.abc import Callable
from functools import partial
from types import ModuleType

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task

SEED = 20_26


def make(
    module: ModuleType,
    title: str,
    sizes: tuple[int, int, int],
    overlap: str,
    kind: str | None = None,
    side: int = 64,
) -> Task:
    """A task drawn by ``module.pictures``; ``sizes`` are those of train, val and test.

    ``kind`` is one of several that the module draws: the first argument of its ``pictures``;
    ``side`` is that of a picture, in pixels.
    """
    import torch

    name = module.__name__.rpartition(".")[2]
    classes, draw = module.CLASSES, module.pictures
    if kind is not None:
        name, classes, draw = f"{name}_{kind}", classes[kind], partial(draw, kind)
    if side != 64:
        name, draw = f"{name}_{side}", partial(draw, size=side)
    recipe = inspect.getsource(module)
    splits = []
    for index, size in enumerate(sizes):
        labels = np.arange(size) % len(classes)
        pictures = _cached(draw, recipe, name, labels, SEED + index, side)
        splits.append(Split(torch.from_numpy(pictures), torch.from_numpy(labels.astype(np.int64))))
    return Task(
        name,
        title,
        classes,
        *splits,
        licence="MIT (drawn by this course)",
        source=module.__name__,
        overlap=overlap,
    )


def _cached(
    draw: Callable[..., np.ndarray],
    recipe: str,
    name: str,
    labels: np.ndarray,
    seed: int,
    side: int,
) -> np.ndarray:
    """What ``draw`` makes, kept in the cache under a key of ``recipe``, its source code."""
    recipe += f"{len(labels)} {seed} {np.__version__}"
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    path = store.cache_dir() / "generated" / f"{name}-{key}.npy"
    try:
        pictures = np.load(path)
        if pictures.shape == (len(labels), 3, side, side) and pictures.dtype == np.uint8:
            return pictures
    except Exception:  # noqa: BLE001, S110 - numpy raises many kinds for a damaged file
        pass  # not there yet, or damaged: draw it again
    pictures = _drawn(draw, labels, seed)
    buffer = io.BytesIO()
    np.save(buffer, pictures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write_atomically(path, buffer.getvalue())
    except OSError:
        pass  # a cache that cannot be written only costs the time of drawing
    return pictures


def _drawn(draw: Callable[..., np.ndarray], labels: np.ndarray, seed: int) -> np.ndarray:
    """``draw(labels, seed)``, by several processes when there are many."""
    import joblib

    workers = min(4, os.cpu_count() or 1, 1 + len(labels) // 200)
    parts = np.array_split(np.arange(len(labels)), workers)
    jobs = [joblib.delayed(draw)(labels[p], seed, first=int(p[0])) for p in parts]
    # the processes end soon after: their memory is needed for training
    with joblib.parallel_config("loky", n_jobs=workers, idle_worker_timeout=3):
        return np.concatenate(joblib.Parallel()(jobs))
