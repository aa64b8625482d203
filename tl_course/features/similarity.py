"""How alike two sets of features are."""

import torch

from tl_course import store


def cka(first: torch.Tensor, second: torch.Tensor) -> float:
    """Linear centred kernel alignment of two networks' features of the same N inputs.

    ``first`` (N, c) and ``second`` (N, d); 1 where one is a rotated, moved or rescaled copy of
    the other, 0 where nothing is shared (Kornblith et al. 2019, arXiv:1905.00414). It is high by
    chance where N is not well above c and d. Raises ``BadInput`` for unequal N, fewer than two
    inputs, and features that are all the same.
    """
    if first.ndim != 2 or second.ndim != 2 or len(first) != len(second) or len(first) < 2:
        raise store.BadInput(
            f"features of shapes {tuple(first.shape)} and {tuple(second.shape)}",
            "both must be (N, channels), for the same two or more inputs",
            "Pass what features.extract gives for the same pictures",
        )
    first, second = (features.double() - features.double().mean(0) for features in (first, second))
    within = (first.T @ first).norm() * (second.T @ second).norm()
    if not within > 0:
        raise store.BadInput(
            "features that do not vary, or are no numbers",
            "the same for every input tell nothing",
            "Pass others",
        )
    return float((first.T @ second).square().sum() / within)
