"""What the families share: the names of blocks, and the way from many vectors to a head's few."""

from collections.abc import Iterable

import torch
from torch import nn


def numbered(blocks: Iterable[nn.Module], norm: nn.Module | None = None) -> dict[str, nn.Module]:
    """Stages ``block1``, ``block2`` …; the last one ends with the ``norm`` that follows them."""
    *others, last = blocks
    last = last if norm is None else nn.Sequential(last, norm)
    return {f"block{i}": block for i, block in enumerate((*others, last), 1)}


class Pool(nn.Module):
    """Takes vectors (N, L, C) and gives (N, C), or (N, K, C) where there are K answers.

    There is nothing to learn in it.
    """


class First(Pool):
    """The first vector: the class token of a picture, or the start token of a text."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors[:, 0]


class LastWritten(Pool):
    """The last vector that is not empty: where a network that reads onward has seen it all."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        last = (written(vectors).sum(1) - 1).clamp(min=0)
        return vectors[torch.arange(len(vectors), device=vectors.device), last]


class MeanWritten(Pool):
    """The mean of the vectors that are not empty."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.sum(1) / written(vectors).sum(1, keepdim=True).clamp(min=1)


class Mean(Pool):
    """The mean of all vectors, for networks that know no empty ones."""

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors.mean(1)


class Last(Pool):
    """The last ``count`` vectors, each of which gets an answer of its own."""

    def __init__(self, count: int):
        super().__init__()
        self.count = count

    def forward(self, vectors: torch.Tensor) -> torch.Tensor:
        return vectors[:, -self.count :]


def written(vectors: torch.Tensor) -> torch.Tensor:
    """Where (N, L, C) holds a letter or token: bool (N, L). What is empty is zero throughout."""
    return (vectors != 0).any(-1)
