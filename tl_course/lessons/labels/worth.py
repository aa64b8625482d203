"""What pretraining is worth, counted in labels."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store
from tl_course.evidence.intervals import paired
from tl_course.evidence.results import Runs

if TYPE_CHECKING:
    import pandas


CLOSE = 0.01  # accuracy


@dataclass(frozen=True)
class Factor:
    """How many times the labels: the geometric mean over seeds, with its 95 % interval.

    ``beyond`` counts the seeds in which even the most labels measured were not enough; where it
    is not 0, ``times`` is a lower bound, and the interval is that of the bound alone.
    """

    times: float
    low: float
    high: float
    seeds: int
    beyond: int

    def __str__(self) -> str:
        more = "more than " if self.beyond else ""
        return f"{more}{self.times:.1f} times [{self.low:.1f}, {self.high:.1f}], {self.seeds} seeds"


def times_the_labels(
    frame: "pandas.DataFrame",
    task: str,
    labels: int,
    first: str = "fine-tuning",
    second: str = "from scratch",
) -> "pandas.DataFrame":
    """How many labels ``second`` needs for what ``first`` reaches with ``labels``; one row a seed.

    Columns ``seed``, ``accuracy`` (of ``first``, balanced, in [0, 1]), ``needed``, ``times``
    (needed / labels), ``beyond``. The curve of ``second`` is made monotone (its best so far) and
    read on a logarithmic axis of labels. Where it does not get there, ``needed`` is the most
    labels measured, a lower bound, and ``beyond`` is true; where it starts above, ``needed`` is
    the fewest. Raises ``UnknownName`` where nothing is stored.
    """
    import pandas

    runs, found = Runs(frame), []
    reached = runs.cell(task=task, labels=labels, strategy=first)
    curves = runs.wide("labels", task=task, strategy=second)
    reached, curves = reached.align(curves, axis=0)  # what a seed lacks is missing
    for seed, accuracy in reached.items():
        curve = curves.loc[seed].dropna().sort_index()
        needed = labels_needed(curve.index, curve, accuracy)
        beyond = needed is None
        needed = float(curve.index.max()) if beyond else needed
        found.append((seed, accuracy, needed, needed / labels, beyond))
    columns = ["seed", "accuracy", "needed", "times", "beyond"]
    return pandas.DataFrame(found, columns=columns)


def labels_needed(counts, accuracies, wanted: float) -> float | None:
    """Labels at which a curve reaches ``wanted``; ``None`` where it never does.

    ``counts`` rise; between them the curve is a line over the logarithm of the count. What falls
    counts as the best so far. ``wanted`` below the first point gives the first count. Raises
    ``BadInput`` for a curve without points, with missing values or counts that do not rise from
    above 0, and for no finite ``wanted``.
    """
    counts, accuracies = np.asarray(counts, dtype=float), np.asarray(accuracies, dtype=float)
    same = counts.ndim == 1 and counts.size > 0 and counts.shape == accuracies.shape
    if not (
        same
        and np.isfinite([*counts, *accuracies, wanted]).all()
        and (np.diff(counts, prepend=0) > 0).all()
    ):
        raise store.BadInput(
            "a curve of accuracy over labels",
            "it needs counts that rise from above 0, an accuracy for each, and none missing",
            "Sort it by count and leave out what is missing",
        )
    best = np.maximum.accumulate(accuracies)
    if wanted > best[-1]:
        return None
    place = int(np.argmax(best >= wanted))
    if place == 0:
        return float(counts[0])
    share = (wanted - best[place - 1]) / (best[place] - best[place - 1])
    start, end = np.log(counts[place - 1]), np.log(counts[place])
    return float(np.exp(start + share * (end - start)))


def epochs_needed(frame: "pandas.DataFrame", task: str) -> "pandas.DataFrame":
    """Epochs and seconds until fine-tuning is as good as from scratch ever gets; one row a seed.

    ``frame`` has a row an epoch. Columns ``seed``, ``wanted`` (the best validation accuracy from
    scratch), ``ours`` (the first epoch that reaches it), ``theirs`` (the first that comes within
    one point, for the best of many epochs comes late by chance), ``times`` (theirs / ours),
    ``seconds_times``, and ``missed``: true where fine-tuning never reaches it; then ``ours`` is
    the last epoch from scratch, as if it had taken all of that time. Raises ``UnknownName`` for a
    task or a strategy without runs.
    """
    import pandas

    runs, found = Runs(frame), []
    for seed in sorted(runs.rows(task=task).seed.unique()):
        tuned, alone = (
            runs.rows(task=task, seed=seed, strategy=strategy).sort_values("epoch")
            for strategy in ("fine-tuning", "from scratch")
        )
        wanted = alone.val_accuracy.max()
        theirs = alone[alone.val_accuracy >= wanted - CLOSE - 1e-9].iloc[0]
        good = tuned[tuned.val_accuracy >= wanted]
        ours = alone.iloc[-1] if good.empty else good.iloc[0]
        times = theirs.epoch / ours.epoch, theirs.seconds / ours.seconds
        found.append((seed, wanted, ours.epoch, theirs.epoch, *times, good.empty))
    columns = ["seed", "wanted", "ours", "theirs", "times", "seconds_times", "missed"]
    return pandas.DataFrame(found, columns=columns)


def factor(table: "pandas.DataFrame") -> Factor:
    """The table of ``times_the_labels`` in one ``Factor``; five seeds or more."""
    found = paired(np.log(table.times), np.zeros(len(table)))
    low, mean, high = np.exp([found.low, found.effect, found.high])
    return Factor(float(mean), float(low), float(high), found.seeds, int(table.beyond.sum()))
