"""Tasks whose pictures are drawn by the course: made once, then read from the cache."""

import hashlib
import inspect
import io
import os
from types import ModuleType

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task

SEED = 20_26


def make(module: ModuleType, title: str, sizes: tuple[int, int, int], overlap: str) -> Task:
    """A task drawn by ``module.pictures``; ``sizes`` are those of train, val and test."""
    import torch

    name = module.__name__.rpartition(".")[2]
    splits = []
    for index, size in enumerate(sizes):
        labels = np.arange(size) % len(module.CLASSES)
        pictures = _cached(module, name, labels, SEED + index)
        splits.append(Split(torch.from_numpy(pictures), torch.from_numpy(labels.astype(np.int64))))
    return Task(
        name,
        title,
        module.CLASSES,
        *splits,
        licence="MIT (drawn by this course)",
        source=f"tl_course.tasks.{name}",
        overlap=overlap,
    )


def _cached(module: ModuleType, name: str, labels: np.ndarray, seed: int) -> np.ndarray:
    """What ``module.pictures`` draws, kept in the cache under a key of its source code."""
    recipe = inspect.getsource(module) + f"{len(labels)} {seed} {np.__version__}"
    key = hashlib.sha256(recipe.encode()).hexdigest()[:12]
    path = store.cache_dir() / "generated" / f"{name}-{key}.npy"
    try:
        pictures = np.load(path)
        if pictures.shape == (len(labels), 3, 64, 64) and pictures.dtype == np.uint8:
            return pictures
    except Exception:  # noqa: BLE001, S110 - numpy raises many kinds for a damaged file
        pass  # not there yet, or damaged: draw it again
    pictures = _drawn(module, labels, seed)
    buffer = io.BytesIO()
    np.save(buffer, pictures)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        store.write_atomically(path, buffer.getvalue())
    except OSError:
        pass  # a cache that cannot be written only costs the time of drawing
    return pictures


def _drawn(module: ModuleType, labels: np.ndarray, seed: int) -> np.ndarray:
    """``module.pictures(labels, seed)``, drawn by several processes when there are many."""
    import joblib

    workers = min(4, os.cpu_count() or 1, 1 + len(labels) // 200)
    parts = np.array_split(np.arange(len(labels)), workers)
    jobs = [joblib.delayed(module.pictures)(labels[p], seed, first=int(p[0])) for p in parts]
    # the processes end soon after: their memory is needed for training
    with joblib.parallel_config("loky", n_jobs=workers, idle_worker_timeout=3):
        return np.concatenate(joblib.Parallel()(jobs))
