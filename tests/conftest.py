import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before any import of transformers
# before any import of torch, and inherited by the lessons' kernels: two threads that wait for each
# other on cores that something else uses too can take thirty times as long as one
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

from tl_course.tasks import Split, Task


def stripes(count: int, seed: int) -> Split:
    """Pictures of three kinds that a network tells apart at once: stripes across, down, none."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    pictures = rng.integers(60, 120, (count, 3, 64, 64))
    for picture, label in zip(pictures, labels, strict=True):
        offset = rng.integers(8)
        if label == 0:
            picture[:, offset::8] += 120
        elif label == 1:
            picture[:, :, offset::8] += 120
    inputs = torch.from_numpy(pictures.astype(np.uint8))
    return Split(inputs, torch.from_numpy(labels.astype(np.int64)))


@pytest.fixture(scope="session")
def toy() -> Task:
    """A task that trains in a second."""
    splits = (stripes(count, seed) for seed, count in enumerate((90, 60, 90)))
    return Task("toy", "Stripes", ("across", "down", "none"), *splits, "MIT", "tests", "none")


@pytest.fixture
def real_data():
    """Skips a test, with the reason, where the real data sets are absent."""
    folder = os.environ.get("TL_COURSE_DATA")
    if not folder:
        pytest.skip("TL_COURSE_DATA is not set: no real data sets to test with")
    return folder
