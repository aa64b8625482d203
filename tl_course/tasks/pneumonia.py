"""PneumoniaMNIST: chest X-rays, 28×28 (Yang et al. 2023, doi:10.1038/s41597-022-01721-8)."""

import numpy as np
import torch
from torch.nn import functional as F

from tl_course import store
from tl_course.tasks.task import Split, Task


def load() -> Task:
    """X-rays with the published splits, enlarged to 64×64, grey as RGB.

    Classes are uneven (about 3 in 4 are pneumonia in training, 5 in 8 in the test): report
    balanced accuracy.
    """
    path = store.fetch("pneumonia")
    try:
        with np.load(path, allow_pickle=False) as arrays:
            splits = [
                _split(arrays[f"{part}_images"], arrays[f"{part}_labels"])
                for part in ("train", "val", "test")
            ]
    except (KeyError, IndexError, ValueError, RuntimeError, OSError) as error:
        raise store.CorruptFile(
            str(path), f"it is not PneumoniaMNIST ({error})", "Fetch the published file again"
        ) from None
    published = store.published()["pneumonia"]
    return Task(
        "pneumonia",
        "Chest X-rays (PneumoniaMNIST)",
        ("normal", "pneumonia"),
        *splits,
        licence=published.licence,
        source=published.source,
        overlap="none: no X-rays among the source pictures",
    )


def _split(images: np.ndarray, labels: np.ndarray) -> Split:
    grey = torch.from_numpy(images).unsqueeze(1).float()
    large = F.interpolate(grey, size=(64, 64), mode="bilinear", align_corners=False)
    pictures = large.round().to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    return Split(pictures, torch.from_numpy(labels[:, 0].astype(np.int64)))
