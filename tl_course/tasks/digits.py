"""Scikit-learn's handwritten digits: real, 8×8, in the package already."""

import numpy as np
import torch
from torch.nn import functional as F

from tl_course.tasks.task import Split, Task, divide


def load() -> Task:
    """1,797 digits, enlarged from 8×8 to 64×64, grey as RGB."""
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = torch.from_numpy(data.images.astype(np.float32)).unsqueeze(1) / 16
    large = F.interpolate(grey, size=(64, 64), mode="bicubic", align_corners=False).clamp(0, 1)
    pictures = (large * 255).round().to(torch.uint8).expand(-1, 3, -1, -1).contiguous()
    whole = Split(pictures, torch.from_numpy(data.target.astype(np.int64)))
    return Task(
        "digits",
        "Handwritten digits",
        tuple(str(digit) for digit in data.target_names),
        *divide(whole, shares=(0.15, 0.35)),
        licence="CC BY 4.0 (UCI, Optical Recognition of Handwritten Digits)",
        source="sklearn.datasets.load_digits",
        overlap="none: no digits among the source classes",
    )
