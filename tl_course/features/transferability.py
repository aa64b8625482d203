"""Scores that should say before any training how useful a source's features will be."""

from collections.abc import Callable

import numpy as np
import torch

from tl_course import store
from tl_course.features.similarity import cka

NEIGHBOURS = 3


def logme(features: torch.Tensor, labels: torch.Tensor) -> float:
    """Log evidence of a Bayesian linear model of the labels, a label and class; higher is better.

    ``features`` (N, d), ``labels`` int64 (N,). Both of its strengths are fitted, so that nothing
    needs to be held out (LogME, You et al. 2021, arXiv:2102.11005). The paper climbs step by step
    and can end on a lower peak where N < d; here the whole range is searched.
    """
    from scipy.optimize import minimize_scalar

    table, answers = _checked(features, labels)
    left, singular, _ = np.linalg.svd(table, full_matrices=False)
    spread, count = singular**2, len(table)
    # of the prior's strength to the noise's: from all that features can explain to nothing at all
    ratios = np.log(max(spread.max(), 1e-30)) + np.log(10) * np.linspace(-10, 6, 161)

    def lack(ratio: np.ndarray, seen: np.ndarray, unseen: float) -> np.ndarray:
        """Less the log evidence, at the best strength of the noise for each log ``ratio``."""
        widened = 1 + spread / np.exp(ratio)[..., None]
        noise = ((seen / widened).sum(-1) + unseen) / count
        return 0.5 * (count * (np.log(2 * np.pi * noise) + 1) + np.log(widened).sum(-1))

    found = []
    for wanted in np.unique(answers):
        answer = (answers == wanted).astype(float)
        seen = (left.T @ answer) ** 2
        unseen = max(answer @ answer - seen.sum(), 0.0)
        lacks = lack(ratios, seen, unseen)
        place = lacks.argmin()
        near = ratios[max(place - 1, 0)], ratios[min(place + 1, len(ratios) - 1)]
        best = minimize_scalar(lack, bounds=near, args=(seen, unseen), method="bounded").fun
        found.append(-min(best, lacks[place]))
    return float(np.mean(found) / count)


def h_score(features: torch.Tensor, labels: torch.Tensor) -> float:
    """How much of the features' spread lies between the classes, from 0 to classes - 1.

    ``features`` (N, d), ``labels`` int64 (N,). H-score (Bao et al. 2019) with the covariance shrunk
    as by Ledoit and Wolf (Ibrahim et al. 2021, arXiv:2110.06893), since N is often below d.
    """
    from sklearn.covariance import ledoit_wolf

    table, answers = _checked(features, labels)
    table = table - table.mean(0)
    covariance, shrinkage = ledoit_wolf(table, assume_centered=True)
    means = np.zeros_like(table)
    for wanted in np.unique(answers):
        means[answers == wanted] = table[answers == wanted].mean(0)
    between = (1 - shrinkage) * means.T @ means / len(table)
    return float(np.trace(np.linalg.pinv(covariance, hermitian=True) @ between))


def nearest_neighbours(features: torch.Tensor, labels: torch.Tensor) -> float:
    """Balanced share, in [0, 1], of inputs whose three nearest others vote for their label.

    ``features`` (N, d), ``labels`` int64 (N,); by cosine. A tie goes to the class of the nearest.
    """
    table, answers = _checked(features, labels)
    lengths = np.linalg.norm(table, axis=1, keepdims=True)
    table = table / np.maximum(lengths, 1e-12)
    alike = table @ table.T
    np.fill_diagonal(alike, -np.inf)
    others = min(NEIGHBOURS, len(table) - 1)  # never the input itself
    order = np.argsort(-alike, axis=1, kind="stable")[:, :others]
    votes = np.zeros((len(table), answers.max() + 1))
    for rank in range(order.shape[1]):
        votes[np.arange(len(table)), answers[order[:, rank]]] += 1 - 1e-3 * rank
    right = votes.argmax(1) == answers
    return float(np.mean([right[answers == wanted].mean() for wanted in np.unique(answers)]))


def alignment(features: torch.Tensor, labels: torch.Tensor) -> float:
    """Linear CKA of the features (N, d) with the labels, int64 (N,), one column a class."""
    _checked(features, labels)
    return cka(features.detach(), torch.nn.functional.one_hot(labels).float())


SCORES: dict[str, Callable[[torch.Tensor, torch.Tensor], float]] = {
    "LogME": logme,
    "H-score": h_score,
    "nearest neighbours": nearest_neighbours,
    "CKA with labels": alignment,
}


def transfer_scores(features: torch.Tensor, labels: torch.Tensor) -> dict[str, float]:
    """All of ``SCORES`` for ``features`` (N, d) and ``labels`` int64 (N,), or (N, K).

    With K answers an input, the mean over those answers that differ between inputs. Raises
    ``BadInput`` for features that are not finite, unequal N, and labels of one class.
    """
    columns = [*labels.T] if labels.ndim == 2 and labels.numel() else [labels]
    columns = [each for each in columns if len(each.unique()) > 1] or columns[:1]
    return {
        name: float(np.mean([score(features, column) for column in columns]))
        for name, score in SCORES.items()
    }


def _checked(features: torch.Tensor, labels: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Both as numpy arrays, features in float64."""
    shapes = features.ndim == 2 and labels.ndim == 1 and len(features) == len(labels)
    if not shapes or labels.is_floating_point():
        raise store.BadInput(
            f"features {tuple(features.shape)} and labels {tuple(labels.shape)}",
            "a score needs (N, d) features and a whole number as label for each of the N inputs",
            "Pass features.extract(model, split.inputs) and split.labels",
        )
    if not features.isfinite().all() or len(labels.unique()) < 2:
        raise store.BadInput(
            "a score of features",
            "they hold values that are not numbers, or all labels are alike",
            "Pass finite features of two or more classes",
        )
    return features.detach().cpu().double().numpy(), labels.cpu().numpy()
