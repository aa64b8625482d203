import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")  # before any import of transformers
# before any import of torch, and inherited by the lessons' kernels: two threads that wait for each
# other on cores that something else uses too can take thirty times as long as one
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas
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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Solved notebooks are slow tests; the longest files, most of them notebooks, come first."""
    for item in items:
        if "solutions" in item.path.parts:
            item.add_marker("slow")
    long = ("browser/test_experiments.py", "test_solutions.py", ".ipynb")  # the last comes first
    items.sort(key=lambda item: [not item.path.as_posix().endswith(each) for each in long[::-1]])


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


def wobble(strategy: str, lr: float, seed: int) -> float:
    """A little noise with a mean of zero, another for each strategy and rate."""
    shift = len(strategy) + round(-10 * np.log10(lr))
    return 0.002 * ((seed * (1 + shift % 4) + shift) % 5 - 2)


@pytest.fixture(scope="session")
def analogy_runs():
    """Builds made-up results as data_scripts/sweep_analogy.py writes them."""

    def build(accuracies: dict[str, dict[int, float]]) -> pandas.DataFrame:
        rows = []
        for strategy, by_labels in accuracies.items():
            for labels, accuracy in by_labels.items():
                for seed in range(5):
                    row = {"strategy": strategy, "seed": seed, "task": "numbers_italian"}
                    row |= {"labels": labels}
                    found = accuracy + wobble(strategy, 4e-3, seed)
                    tested = {"test_accuracy": found, "test_balanced": found}
                    if not labels:
                        rows.append(row | tested)
                        continue
                    row |= {"epochs": 12, "seconds": 1.0}
                    rows.append(row | {"lr": 1e-3, "val_accuracy": 0.0})  # a rate not chosen
                    rows.append(row | {"lr": 4e-3, "val_accuracy": found, **tested})
        return pandas.DataFrame(rows)

    return build


@pytest.fixture(scope="session")
def forgetting_runs():
    """Builds made-up results as data_scripts/sweep_forgetting.py writes them.

    From (network, strategy, frozen, strength) to rate to (new job, old job).
    """

    def build(settings: dict, before: float = 0.99) -> pandas.DataFrame:
        rows = []
        for (network, strategy, frozen, strength), rates in settings.items():
            for lr, (new, old) in rates.items():
                for seed in range(5):
                    row = {"network": network, "seed": seed, "strategy": strategy}
                    row |= {"frozen": frozen or np.nan, "strength": strength, "lr": lr}
                    found = new + wobble(strategy, lr, seed)
                    row |= {"val_accuracy": found, "test_accuracy": found}
                    row |= {"source_before": before, "seconds": 1.0}
                    row |= {"source_accuracy": old + wobble(strategy, 10 * lr, seed)}
                    row |= {"drift": np.nan if network == "reader" else 1 - old}
                    rows.append(row)
        return pandas.DataFrame(rows).astype({"frozen": object})

    return build
