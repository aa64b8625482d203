"""Texts as tensors."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


def codes(texts: Sequence[str], length: int | None = None) -> "torch.Tensor":
    """Texts as Unicode code points: int32 (N, ``length``), zeros after the last letter.

    ``length`` defaults to the longest text; longer texts are cut.
    """
    import torch

    if length is None:
        length = max([1, *map(len, texts)])
    points = np.zeros((len(texts), length), np.int32)
    for row, text in zip(points, texts, strict=True):
        row[: len(text)] = [ord(letter) for letter in text[:length]]
    return torch.from_numpy(points)
