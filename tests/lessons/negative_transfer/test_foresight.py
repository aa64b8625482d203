"""Scores that need no training, against the gain measured."""

import numpy as np
import pandas
import pytest

from tl_course.lessons.negative_transfer import foresight


def scored(pairs, score):
    """``sweep_scores`` of two draws, and the gains of ``pairs``: (task, source) to gain."""
    rows = [
        {"task": task, "labels": labels, "source": source, "seed": seed}
        | {"score": score(task, source)}
        for task, source in [*pairs, *{(task, "nothing") for task, _ in pairs}]
        for labels in (50, 500)
        for seed in (0, 1)
    ]
    measured = [
        {"task": task, "labels": labels, "source": source, "strategy": "frozen", "gain": gain}
        | {"low": gain - 0.01, "high": gain + 0.01, "seeds": 10}
        for (task, source), gain in pairs.items()
        for labels in (50, 500)
    ]
    return pandas.DataFrame(rows), pandas.DataFrame(measured)


def test_a_score_that_orders_pairs_by_gain_correlates_and_warns():
    pairs = {(f"task {n}", "noise"): 0.1 * n - 0.35 for n in range(8)}
    scores, measured = scored(pairs, lambda task, source: int(task[-1]) * (source != "nothing"))
    found = foresight.foreseen(scores, measured)
    assert set(found.amount) == {"few", "many"} and (found.pairs == 8).all()
    assert (found.correlation > 0.99).all() and (found.low > 0.9).all()
    assert (found.warned == 1).all()
    harmless = foresight.foreseen(scores, measured.assign(high=1.0))
    assert harmless.warned.isna().all()


def test_a_score_of_the_task_alone_says_nothing_once_random_weights_are_subtracted():
    rng = np.random.default_rng(0)
    pairs = {(f"task {n}", "noise"): rng.normal() for n in range(8)}
    luck = {(task, s): rng.normal() for task, _ in pairs for s in ("noise", "nothing")}
    scores, measured = scored(pairs, lambda task, source: 10 * int(task[-1]) + luck[task, source])
    found = foresight.foreseen(scores, measured).set_index(["against", "amount"])
    assert found.loc[("score minus random", "few"), "low"] < 0.5
    assert found.loc[("score", "few"), "correlation"] != pytest.approx(
        found.loc[("score minus random", "few"), "correlation"]
    )


def test_correlations_of_resamples_are_spearmans():
    from scipy.stats import spearmanr

    first, second = np.random.default_rng(0).integers(0, 5, (2, 20, 8))  # with ties
    first[3] = 1  # does not vary
    found = foresight._rank_correlations(first, second)
    assert np.isnan(found[3])
    for place in {*range(20)} - {3}:
        expected = spearmanr(first[place], second[place]).statistic
        assert found[place] == pytest.approx(expected)
