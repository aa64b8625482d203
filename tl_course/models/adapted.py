"""A network of the library transformers behind the same few names as every other model."""

from collections.abc import Callable

import torch
from torch import nn


class Adapted(nn.Module):
    """Runs a network of the library as its stages, one after the other.

    ``network`` is the library's own object, as ``from_pretrained`` gives it; it can be saved and
    called by itself, and shares its weights with the stages. ``cut`` takes it and gives the
    stages by name, ``head_name`` is the place of the last linear layer in it. ``answers``: how
    many an input gets. ``name``: what ``models.load`` calls it.
    """

    def __init__(
        self,
        network: nn.Module,
        cut: Callable[[nn.Module], dict[str, nn.Module]],
        head_name: str,
        answers: int = 1,
        name: str = "",
    ):
        super().__init__()
        self._hidden = (network,)  # in a tuple, so that no weight is listed or saved twice
        self._cut = cut
        self.head_name = head_name
        self.answers = answers
        self.name = name
        self.parts = nn.ModuleDict(cut(network))

    @property
    def network(self) -> nn.Module:
        """The library's own object."""
        return self._hidden[0]

    def set_last(self, layer: nn.Module) -> None:
        """Put the linear ``layer`` in the place that ``head_name`` names."""
        old = self.network.get_submodule(self.head_name)
        self.network.config.num_labels += layer.out_features - old.out_features
        self.network.set_submodule(self.head_name, layer)
        self.parts = nn.ModuleDict(self._cut(self.network))

    def train(self, mode: bool = True) -> "Adapted":
        self.network.train(mode)  # also what no stage holds, for calls of the network itself
        return super().train(mode)

    def forward(self, prepared: torch.Tensor) -> torch.Tensor:
        for part in self.parts.values():
            prepared = part(prepared)
        return prepared
