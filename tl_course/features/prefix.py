"""The frozen part of a model below what is trained: run once, not in every epoch."""

from dataclasses import dataclass
from itertools import takewhile

import torch
from torch import nn

from tl_course.features.extraction import run
from tl_course.models import Pool, stages

CACHE_LIMIT = 1_000_000_000  # bytes of features kept in memory


@dataclass(frozen=True)
class Prefix:
    """The part of a model below its first trainable stage, which gives the same for a picture
    in every epoch, and the rest.
    """

    model: nn.Module
    below: nn.Sequential
    above: nn.Sequential
    names: tuple[str, ...]

    def apply(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the prefix once over raw ``inputs``; float32 on the CPU."""
        return run(self.model, lambda x: self.below(self.model.preprocess(x)), inputs)

    def fits(self, inputs: torch.Tensor) -> bool:
        """Whether the features of ``inputs`` stay below ``CACHE_LIMIT``."""
        texts = inputs.ndim == 2 and not inputs.is_floating_point()
        largest = int((inputs != 0).sum(1).argmax()) if texts else 0
        return self.apply(inputs[largest : largest + 1]).nbytes * len(inputs) <= CACHE_LIMIT


def split_prefix(model: nn.Module, inputs: torch.Tensor | None = None) -> Prefix | None:
    """Cut the model at its first trainable stage; ``None`` where the first stage is trained.

    Pooling at the start of that stage goes below the cut: it has nothing to learn. ``None`` too
    where the features of ``inputs`` would not fit into memory.
    """
    parts = stages(model)
    names = (*takewhile(lambda name: not _learns(parts[name]), parts),)
    if len(names) in (0, len(parts)):
        return None
    below, (first, *above) = [parts[name] for name in names], [*parts.values()][len(names) :]
    rest = [*first] if isinstance(first, nn.Sequential) else [first]
    while len(rest) > 1 and _is_pooling(rest[0]):
        below.append(rest.pop(0))
    prefix = Prefix(model, nn.Sequential(*below), nn.Sequential(*rest, *above), names)
    return prefix if inputs is None or prefix.fits(inputs) else None


def _learns(part: nn.Module) -> bool:
    return any(parameter.requires_grad for parameter in part.parameters())


def _is_pooling(module: nn.Module) -> bool:
    return isinstance(module, nn.AdaptiveAvgPool2d | nn.Flatten | Pool) or (
        isinstance(module, nn.Sequential) and all(_is_pooling(child) for child in module)
    )
