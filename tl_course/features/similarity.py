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


def frechet(first: torch.Tensor, second: torch.Tensor) -> float:
    """Fréchet distance between two sets of features, each taken for a normal distribution.

    ``first`` (N, c) and ``second`` (M, c); the squared distance of the means plus that of the
    covariances (Heusel et al. 2017, arXiv:1706.08500). It is above 0 by chance between sets drawn
    alike, the more the fewer they are: compare only what has the same N and M. Raises ``BadInput``
    for other shapes, fewer than two inputs, and values that are not finite.
    """
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise store.BadInput(
            f"features of shapes {tuple(first.shape)} and {tuple(second.shape)}",
            "both must be (inputs, channels), with the same channels",
            "Pass what features.extract gives at the same stage",
        )
    if min(len(first), len(second)) < 2 or not (first.isfinite().all() and second.isfinite().all()):
        raise store.BadInput(
            f"{min(len(first), len(second))} features",
            "a distance needs two or more of both, all finite",
            "Pass more pictures",
        )
    first, second = first.double(), second.double()
    apart = (first.mean(0) - second.mean(0)).square().sum()
    one, other = (features.T.cov().view(features.shape[1], -1) for features in (first, second))
    # the trace of the root of a product of covariances: its eigenvalues are real and not negative
    shared = torch.linalg.eigvals(one @ other).real.clamp(min=0).sqrt().sum()
    return float((apart + one.trace() + other.trace() - 2 * shared).clamp(min=0))
