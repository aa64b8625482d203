"""Tasks whose pictures the course draws: how they are drawn, and the cache they are kept in."""

import hashlib
import inspect
import io
import os
import sys
from collections.abc import Callable
from functools import partial

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task

SEED = 20_26

Array = np.ndarray
Rng = np.random.Generator


def make(
    module: str,
    title: str,
    sizes: tuple[int, int, int],
    overlap: str,
    kind: str | None = None,
    side: int = 64,
) -> Task:
    """A task drawn by the ``pictures`` of ``module``; ``sizes`` are those of train, val and test.

    ``kind`` is one of several that the module draws: the first argument of its ``pictures``;
    ``side`` is that of a picture, in pixels.
    """
    import torch

    name = module.rpartition(".")[2]
    classes, draw = sys.modules[module].CLASSES, sys.modules[module].pictures
    if kind is not None:
        name, classes, draw = f"{name}_{kind}", classes[kind], partial(draw, kind)
    if side != 64:
        name, draw = f"{name}_{side}", partial(draw, size=side)
    recipe = "".join(inspect.getsource(sys.modules[used]) for used in (module, __name__))
    splits = []
    for index, size in enumerate(sizes):
        labels = np.arange(size, dtype=np.int64) % len(classes)
        pictures = _cached(draw, recipe, name, labels, SEED + index, side)
        splits.append(Split(torch.from_numpy(pictures), torch.from_numpy(labels)))
    train, val, test = splits
    return Task(
        name, title, classes, train, val, test, "MIT (drawn by this course)", module, overlap
    )


def each(
    draw: Callable[[Rng, int, int], Array], labels: Array, seed: int, size: int, first: int
) -> Array:
    """What ``draw`` (of chance, label, size) gives for each label: uint8 (N, 3, size, size), RGB.

    Picture ``i`` has random numbers of its own, from ``seed`` and ``first + i``, so that parts may
    be drawn one by one and are the same on every run on one machine.
    """
    pictures = np.empty((len(labels), 3, size, size), np.uint8)
    for index, label in enumerate(labels):
        pictures[index] = draw(np.random.default_rng([seed, first + index]), int(label), size)
    return pictures


def smooth(t: Array) -> Array:
    """Smooth step: from 0 where ``t`` ≤ 0 to 1 where ``t`` ≥ 1 without a kink."""
    t = np.clip(t, 0, 1)
    return t * t * (3 - 2 * t)


def developed(light: Array) -> Array:
    """Light in 0 … 1 as uint8; what is brighter is cut off."""
    return (np.clip(light, 0, 1) * 255 + 0.5).astype(np.uint8)


def _cached(
    draw: Callable[..., Array], recipe: str, name: str, labels: Array, seed: int, side: int
) -> Array:
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


def _drawn(draw: Callable[..., Array], labels: Array, seed: int) -> Array:
    """``draw(labels, seed)``, by several processes when there are many."""
    import joblib

    workers = min(4, os.cpu_count() or 1, 1 + len(labels) // 200)
    parts = np.array_split(np.arange(len(labels)), workers)
    jobs = [joblib.delayed(draw)(labels[p], seed, first=int(p[0])) for p in parts]
    # the processes end soon after: their memory is needed for training
    with joblib.parallel_config("loky", n_jobs=workers, idle_worker_timeout=3):
        return np.concatenate(joblib.Parallel()(jobs))
