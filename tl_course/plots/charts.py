"""Charts of accuracy: while learning, over seeds, and by labels."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes

from tl_course import evidence
from tl_course.plots.effects import rows_axis
from tl_course.plots.grids import key
from tl_course.plots.lines import (
    band,
    guessing,
    label_ends,
    log_axis,
    means_of,
    seed_points,
    written,
)
from tl_course.plots.style import COLOURS, Look, axes, colour_of, figure_of, legible

if TYPE_CHECKING:
    import pandas

    from tl_course.train import History


def learning_curves(
    histories: Mapping[str, "History | Sequence[float]"],
    chance: float | None = None,
    title: str = "",
    xlabel: str = "epoch (one pass over the labelled pictures)",
    ylabel: str = "validation accuracy",
    first: int = 1,
    every: int = 1,
    dashed: Collection[str] = (),
    look: Look | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Validation accuracy by epoch, one line a strategy, labelled at its end.

    A label begins with a name in ``COLOURS``, which gives its colour. Values: a ``History``, or
    numbers in [0, 1], one an epoch; a missing one (NaN) leaves a gap. ``chance``: the accuracy of
    guessing, drawn as a dotted line. The first value belongs to ``first``, and the next one to
    ``every`` later. ``dashed``: labels of lines that are; ``look``: colour of those whose label has
    none, and marker of all.
    """
    ax = ax or axes(8.0, 3.8, title)
    look = look or Look("#555555")
    curves: dict[str, Any] = {
        name: getattr(found, "val_accuracy", found) for name, found in histories.items()
    }
    if chance is not None:  # it ends with the curves, so that their labels stay free of it
        last = max(map(len, curves.values()), default=1)
        guessing(ax, chance, first, first + every * max(last - 1, 0))
    ends = []
    for name, values in curves.items():
        if not len(values):
            continue  # training ended before the first epoch did
        epochs = first + every * np.arange(len(values))
        colour, dash = colour_of(name) or look.colour, (0, (4, 1)) if name in dashed else "-"
        style: dict[str, Any] = {"linewidth": 2.4, "solid_capstyle": "round", "marker": look.marker}
        ax.plot(epochs, values, color=colour, linestyle=dash, **style)
        if np.isfinite(values[-1]):
            ends.append((epochs[-1], values[-1], f"{name}  {values[-1]:.2f}", colour))
    ax.set_ylim(0, 1.02)
    label_ends(ax, ends)
    ax.set(xlabel=legible(xlabel, 400), ylabel=legible(ylabel, 400))
    ax.locator_params("x", integer=True)
    return ax


def runs(
    frame: "pandas.DataFrame",
    cells: Sequence[tuple[str, int]],
    strategies: Sequence[str] = ("fine-tuning", "from scratch"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Every seed's balanced test accuracy as a point, for (task, labels) cells; bars mark means.

    ``frame``: stored results with columns task, labels, strategy, seed, test_balanced.
    """
    ax = ax or axes(8.0, 1.3 + 0.62 * len(cells))
    rows = evidence.chosen(frame)
    for y, (task, labels) in enumerate(cells):
        here = rows[(rows.task == task) & (rows.labels == labels)]
        for index, strategy in enumerate(strategies):
            values = here.loc[here.strategy == strategy, "test_balanced"].to_numpy()
            level = y + 0.26 * (index - (len(strategies) - 1) / 2)
            seed_points(ax, values, level, 0.05, COLOURS[strategy], size=22)
            bar = [values.mean()] * 2, [level - 0.13, level + 0.13]
            ax.plot(*bar, color=COLOURS[strategy], linewidth=3)
    rows_axis(ax, [f"{task}\n{labels:,} labels" for task, labels in cells])
    ax.set(xlim=(0, 1), xlabel="balanced test accuracy (each point one seed, bar: mean)")
    key(figure_of(ax), {name: Look(COLOURS[name], "o") for name in strategies}, title)
    return ax


def label_curves(
    frame: "pandas.DataFrame",
    task: str,
    strategies: Mapping[str, str],
    title: str = "",
    column: str = "test_accuracy",
    named: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Test accuracy by number of labels: the mean over seeds, and its 95 % interval as a band.

    ``frame``: stored results with columns task, labels, strategy, seed, test_accuracy, and
    ``column``, which is drawn.
    ``strategies``: name in the table to a key of ``COLOURS``; "four times as long" is dashed.
    ``named``: whether each curve's name stands at its end.
    """
    ax = ax or axes(8.0, 4.4, title)
    rows = evidence.chosen(frame)
    rows = rows[(rows.task == task) & (rows.labels > 0)]
    ends = []
    for strategy, name in strategies.items():
        means = means_of(rows[rows.strategy == strategy], "labels", column)
        end = band(ax, means, COLOURS[name], "--" if "as long" in strategy else "-")
        ends.append((*end, written(strategy), COLOURS[name]))
    log_axis(ax, sorted(set(rows.labels)))
    ax.set_ylim(0, 1.02)
    if named:
        label_ends(ax, ends)
    measured = "balanced test accuracy" if column == "test_balanced" else "test accuracy"
    ax.set(xlabel="labelled examples", ylabel=measured)
    return ax
