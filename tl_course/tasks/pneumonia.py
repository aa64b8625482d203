"""PneumoniaMNIST: chest X-rays, 28×28 (Yang et al. 2023, doi:10.1038/s41597-022-01721-8)."""

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task, enlarged, expecting, published


def load() -> Task:
    """X-rays with the published splits, enlarged to 64×64, grey as RGB.

    Classes are uneven (about 3 in 4 are pneumonia in training, 5 in 8 in the test): report
    balanced accuracy.
    """
    path = store.fetch("pneumonia")
    splits = []
    with expecting(path, "it is not PneumoniaMNIST"), np.load(path, allow_pickle=False) as arrays:
        for part in ("train", "val", "test"):
            grey = arrays[f"{part}_images"]
            if grey.dtype != np.uint8 or grey.ndim != 3:
                raise ValueError(f"its pictures are {grey.dtype} {grey.shape}")
            pictures = enlarged(grey, "bilinear")
            splits.append(Split.grey(pictures, arrays[f"{part}_labels"][:, 0]))
    return published(
        "pneumonia",
        "Chest X-rays (PneumoniaMNIST)",
        ("normal", "pneumonia"),
        splits,
        overlap="none: no X-rays among the source pictures",
    )
