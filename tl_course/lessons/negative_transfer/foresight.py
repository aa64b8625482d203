"""Could harm have been foreseen? Scores that need no training, against the gain measured."""

import warnings
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store

if TYPE_CHECKING:
    import pandas

AGAINST = ("score", "score minus random")
KEYS = ["task", "labels", "source"]
RESAMPLES = 2000


def pairs(
    scores: "pandas.DataFrame", gains: "pandas.DataFrame", strategy: str
) -> "pandas.DataFrame":
    """One row a source, task and labels: the mean of every score over draws, and the gain.

    ``scores`` is the stored ``sweep_scores``, ``gains`` what ``evidence.gains`` gives. Columns
    ``amount`` (few or many labels), one a score, one more with `` minus random`` behind its name
    (less the score of a network with random weights), ``gain``, ``low``, ``high``.
    """
    names = [name for name in scores if name not in (*KEYS, "seed")]
    table = scores.groupby(KEYS)[names].mean().reset_index()
    random = table[table.source == "nothing"].drop(columns="source")
    table = table.merge(random, on=KEYS[:2], suffixes=("", " of random"))
    for name in names:
        table[f"{name} minus random"] = table[name] - table.pop(f"{name} of random")
    found = gains[gains.strategy == store.choose("strategy", strategy, {*gains.strategy})]
    table = table.merge(found.drop(columns=["strategy", "seeds"]), on=KEYS)
    table = table[table.source != "nothing"]
    fewest = table.groupby("task").labels.transform("min")
    table.insert(3, "amount", np.where(table.labels == fewest, "few", "many"))
    return table.reset_index(drop=True)


def foreseen(scores: "pandas.DataFrame", gains: "pandas.DataFrame") -> "pandas.DataFrame":
    """How well each score orders the pairs of source and target by their gain.

    One row a score, strategy and amount of labels. ``against``: the score itself, or less that of
    random weights. ``correlation``: Spearman's, with its 95 % interval ``low`` to ``high`` from
    2,000 resamples of the pairs. ``warned``: how often, in [0, 1], a pair that did harm has a lower
    score than one that did not (0.5: by chance; missing where all or none did harm).
    """
    import pandas
    from scipy.stats import spearmanr

    names = [name for name in scores if name not in (*KEYS, "seed")]
    rows = []
    for strategy in dict.fromkeys(gains.strategy):
        table = pairs(scores, gains, strategy)
        for amount, part in table.groupby("amount"):
            gain, harmed = part.gain.to_numpy(), (part.high < 0).to_numpy()
            draws = np.random.default_rng(0).integers(0, len(part), (RESAMPLES, len(part)))
            for name in names:
                for against in AGAINST:
                    column = part[name if against == AGAINST[0] else f"{name} minus random"]
                    values = column.to_numpy()
                    again = _rank_correlations(values[draws], gain[draws])
                    low, high = np.nanquantile(again, (0.025, 0.975))
                    rows.append({
                        "score": name, "against": against, "strategy": strategy, "amount": amount,
                        "correlation": float(spearmanr(values, gain).statistic),
                        "low": float(low), "high": float(high), "pairs": len(part),
                        "warned": _warned(values, harmed),
                    })  # fmt: skip
    return pandas.DataFrame(rows)


def _rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation row by row; missing where a row does not vary."""
    from scipy.stats import pearsonr, rankdata

    ranks = (rankdata(rows, axis=1) for rows in (first, second))
    with warnings.catch_warnings(action="ignore"):
        return pearsonr(*ranks, axis=1).statistic


def _warned(values: np.ndarray, harmed: np.ndarray) -> float:
    """The area under the curve of telling the innocent from the guilty by their score."""
    from sklearn.metrics import roc_auc_score

    if harmed.all() or not harmed.any():
        return float("nan")
    return float(roc_auc_score(~harmed, values))
