"""Scores that need no training: against oracles, on features that are good, useless and broken."""

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.metrics import balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from tl_course import features, store


def made(count: int, width: int, signal: float, seed: int = 0, kinds: int = 3):
    """Noise of ``width`` columns, the first ``kinds`` of them moved by the class."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % kinds
    table = rng.standard_normal((count, width))
    table[:, :kinds] += signal * np.eye(kinds)[labels]
    return torch.from_numpy(table), torch.from_numpy(labels)


def best_evidence(table: np.ndarray, answer: np.ndarray) -> float:
    """The log density of the answers at the best variances of weights and noise, by search."""

    def lack(logs):
        weights, noise = np.exp(logs)
        covariance = weights * table @ table.T + noise * np.eye(len(table))
        return -multivariate_normal.logpdf(answer, cov=covariance, allow_singular=True)

    starts = [(w, n) for w in (-6.0, -2.0, 2.0) for n in (-3.0, 0.0)]
    options = {"xatol": 1e-5, "fatol": 1e-8, "maxiter": 400}
    return max(
        -minimize(lack, s, method="Nelder-Mead", bounds=[(-12, 6)] * 2, options=options).fun
        for s in starts
    )


@pytest.mark.parametrize(
    ("count", "width", "signal"), [(30, 4, 1), (30, 4, 0), (14, 24, 1), (14, 24, 0), (12, 12, 2)]
)
def test_logme_is_the_best_evidence_of_a_bayesian_linear_model(count, width, signal):
    table, labels = made(count, width, signal)
    expected = [
        best_evidence(table.numpy(), (labels.numpy() == kind).astype(float)) for kind in range(3)
    ]
    found = features.logme(table, labels)
    assert found == pytest.approx(np.mean(expected) / count, abs=2e-4)
    assert found >= np.mean(expected) / count - 1e-6


def test_logme_finds_the_higher_of_two_peaks():
    table, labels = made(20, 40, 1)  # climbing from strengths of one ends on a lower peak here
    nothing = [np.log(2 * np.pi * share) + 1 for share in (7 / 20, 7 / 20, 6 / 20)]
    assert features.logme(table, labels) >= -0.5 * np.mean(nothing) - 1e-6


def test_logme_does_not_change_with_scale_or_rotation():
    table, labels = made(40, 6, 1)
    turned = table @ torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64))[0]
    expected = features.logme(table, labels)
    for other in (1e-4 * table, 1e4 * table, turned):
        assert features.logme(other, labels) == pytest.approx(expected, abs=1e-5)


def test_h_score_is_the_plain_formula_where_inputs_are_many():
    table, labels = made(6000, 5, 2)
    x, y = table.numpy(), labels.numpy()
    means = np.stack([x[y == label].mean(0) for label in y])
    plain = np.trace(np.linalg.inv(np.cov(x.T)) @ np.cov(means.T))
    assert features.h_score(table, labels) == pytest.approx(plain, rel=0.03)


def test_h_score_lies_between_none_and_one_less_than_the_classes():
    apart, labels = made(300, 6, 50, kinds=4)
    noise, _ = made(300, 6, 0, kinds=4)
    assert 2.7 < features.h_score(apart, labels) <= 3
    assert 0 <= features.h_score(noise, labels) < 0.2
    few, their_labels = made(20, 100, 3, kinds=4)  # fewer inputs than features
    assert 0 < features.h_score(few, their_labels) <= 3


@pytest.mark.parametrize("signal", [0.0, 1.0, 4.0])
def test_nearest_neighbours_are_those_of_scikit_learn(signal):
    table, labels = made(60, 5, signal)
    x, y = table.numpy(), labels.numpy()
    answers = []
    for index in range(len(y)):
        others = np.arange(len(y)) != index
        # a weight by rank, so that a tie goes to the nearest as it does in the course
        judge = KNeighborsClassifier(
            3, metric="cosine", weights=lambda d: np.array([[1, 0.999, 0.998]] * len(d))
        )
        answers.append(judge.fit(x[others], y[others]).predict(x[[index]])[0])
    expected = balanced_accuracy_score(y, answers)
    assert features.nearest_neighbours(table, labels) == pytest.approx(expected)


def test_no_input_is_its_own_neighbour():
    table = torch.eye(3)[:2]
    assert features.nearest_neighbours(table, torch.tensor([0, 1])) == 0
    assert features.nearest_neighbours(torch.eye(3), torch.tensor([0, 1, 2])) == 0
    assert features.nearest_neighbours(torch.ones(4, 2), torch.tensor([0, 0, 1, 1])) < 1


def test_classes_count_alike_however_frequent():
    table, labels = made(90, 3, 30)
    keep = torch.cat([torch.arange(90)[labels == 0], torch.arange(90)[labels == 1][:2]])
    # two alone have one of their kind among three neighbours: both are missed
    assert features.nearest_neighbours(table[keep], labels[keep]) == pytest.approx(0.5)


def test_cka_with_labels():
    table, labels = made(80, 4, 1)
    columns = torch.nn.functional.one_hot(labels).double()
    expected = features.cka(table, columns)
    assert features.alignment(table, labels) == pytest.approx(expected)
    assert features.alignment(columns, labels) == pytest.approx(1)


@pytest.mark.parametrize("name", features.SCORES)
@pytest.mark.parametrize("shape", [(120, 8), (40, 64)])
def test_every_score_puts_good_features_above_noise(name, shape):
    score = features.SCORES[name]
    for seed in range(3):
        found = [score(*made(*shape, signal, seed)) for signal in (0, 2, 6)]
        assert found == sorted(found) and found[0] < found[2] and all(np.isfinite(found))


def test_all_scores_at_once_and_several_answers_are_the_mean_over_those_that_vary():
    table, labels = made(60, 5, 2)
    found = features.transfer_scores(table, labels)
    assert found == {name: score(table, labels) for name, score in features.SCORES.items()}
    assert list(found) == ["LogME", "H-score", "nearest neighbours", "CKA with labels"]
    assert all(type(value) is float for value in found.values())
    other = labels.roll(1)
    both = torch.stack([labels, other, torch.zeros_like(labels)], 1)
    found = features.transfer_scores(table, both)
    parts = [features.transfer_scores(table, each) for each in (labels, other)]
    for name, value in found.items():
        assert value == pytest.approx(np.mean([part[name] for part in parts]))
    turned = both.T.contiguous().T  # another layout in memory
    assert features.transfer_scores(table, turned) == found


@pytest.mark.parametrize(
    ("table", "labels"),
    [
        (torch.full((5, 3), torch.nan), torch.arange(5)),
        (torch.tensor([[torch.inf], [1.0]]), torch.arange(2)),
        (torch.zeros(5, 3), torch.arange(4)),
        (torch.zeros(5), torch.arange(5)),
        (torch.zeros(5, 3, 2), torch.arange(5)),
        (torch.zeros(5, 3), torch.tensor(1)),
        (torch.zeros(5, 3), torch.zeros(5, 0, dtype=torch.int64)),
        (torch.zeros(5, 3), torch.zeros(5)),
        (torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)),
        (torch.randn(5, 3), torch.full((5,), 2)),
        (torch.randn(5, 3), torch.zeros(5, 2, dtype=torch.int64)),
        (torch.randn(1, 3), torch.tensor([0])),
    ],
)
def test_bad_input_is_refused_by_every_score(table, labels):
    with pytest.raises(store.BadInput, match=r"features\.extract|two or more classes"):
        features.transfer_scores(table, labels)
    if labels.ndim == 1:
        for score in features.SCORES.values():
            with pytest.raises(store.BadInput):
                score(table, labels)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_features_that_never_change_say_nothing(value):
    labels = torch.arange(12) % 3
    table = torch.full((12, 4), value)
    blank = features.logme(table, labels)
    assert np.isfinite(blank) and blank < features.logme(*made(12, 4, 9))
    assert features.h_score(table, labels) == pytest.approx(0)
    assert features.nearest_neighbours(table, labels) <= 1 / 3
    with pytest.raises(store.BadInput, match="do not vary"):
        features.alignment(table, labels)


@pytest.mark.filterwarnings("error")
def test_one_dead_channel_does_no_harm():
    table, labels = made(50, 4, 2)
    dead = torch.cat([table, torch.zeros(50, 1, dtype=torch.float64)], 1)
    expected = features.transfer_scores(table, labels)
    for name, value in features.transfer_scores(dead, labels).items():
        assert value == pytest.approx(expected[name], rel=0.2), name


def test_labels_need_not_count_from_zero_and_nothing_is_changed():
    table, labels = made(60, 5, 2)
    expected, before = features.transfer_scores(table, labels), table.clone()
    found = features.transfer_scores(table.float().requires_grad_(), 2 * labels + 1)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-4), name
    assert torch.equal(table, before)
