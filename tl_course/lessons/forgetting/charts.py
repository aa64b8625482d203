"""Charts of lesson 07: what a learning rate costs, and how to find one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course.plots.lines import band, label_ends, means_of
from tl_course.plots.style import COLOURS, axes, colour_of

if TYPE_CHECKING:
    import pandas


def by_rate(
    rows: "pandas.DataFrame",
    columns: Mapping[str, str],
    before: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Accuracies by learning rate: means over seeds with 95 % intervals.

    ``rows``: columns lr, seed and those named. ``columns``: the curve's label to its column; the
    label begins with a key of ``COLOURS``. ``before``: accuracy on the old job before the new one
    was learnt, drawn as a dotted line.
    """
    ax = ax or axes(8.0, 3.8, title)
    if before is not None:
        ax.axhline(before, color=COLOURS["old job"], linestyle=":")
        ax.text(max(rows.lr), before - 0.02, "old job, before", va="top", ha="right")
    rates, ends = sorted(set(rows.lr)), []
    for label, column in columns.items():
        means = means_of(rows, "lr", column)
        band(ax, means, colour_of(label))
        ends.append((rates[-1], max(float(means["mean"].iloc[-1]), 0.03), label))
    ax.set_xscale("log")
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    ax.minorticks_off()
    ax.set_ylim(0, 1.02)
    label_ends(ax, ends)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("test accuracy")
    return ax


def tradeoff(
    frame: "pandas.DataFrame",
    ways: Sequence[str],
    kept: str,
    learnt: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What is kept of the old job against what is learnt of the new, one point a setting.

    ``frame``: columns strategy, frozen, strength, lr, seed, test_accuracy, source_accuracy.
    ``ways``: strategies, "frozen" for those with frozen stages; the first is joined by a line from
    the lowest learning rate to the highest. Each point is a mean over seeds. ``kept`` and
    ``learnt`` name the axes.
    """
    ax = ax or axes(7.6, 5.0, title)
    keys = ["strategy", "frozen", "strength", "lr"]
    columns = ["test_accuracy", "source_accuracy"]
    named = frame.assign(frozen=frame.frozen.astype(object).fillna(""))
    means = named.groupby(keys)[columns].mean().dropna().reset_index()
    means["way"] = np.where(means.frozen != "", "frozen", means.strategy)
    first, *_ = ways
    for way in ways:
        here = means[means.way == way].sort_values("lr")
        style = "o-" if way == first else "o"
        points = here.test_accuracy, here.source_accuracy
        ax.plot(
            *points, style, color=COLOURS[way], linewidth=2, markersize=8, alpha=0.85, label=way
        )
    line = means[means.way == first].sort_values("lr")
    for row in line.itertuples():
        ax.annotate(
            f"{row.lr:g}",
            (row.test_accuracy, row.source_accuracy),
            (-9, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=COLOURS[first],
            fontsize=9,
        )
    ax.legend(loc="lower right", frameon=False, labelcolor="linecolor")
    ax.set_xlim(0, 1.03)
    ax.set_ylim(0, 1.06)
    ax.set_xlabel(learnt)
    ax.set_ylabel(kept)
    return ax


def rate_finder(
    rates: Sequence[float], losses: Mapping[str, Sequence[float]], title: str = "", ax=None
) -> Axes:
    """The loss while the learning rate is raised step by step, one line a start."""
    ax = ax or axes(8.0, 3.6, title)
    for name, values in losses.items():
        colour = COLOURS.get(name, COLOURS["other language"])
        ax.plot(rates[: len(values)], values, color=colour, linewidth=2.4)
        fallen = (i for i, value in enumerate(values) if value < 0.6 * values[0])
        half = next(fallen, len(values) - 1)
        ax.annotate(
            name,
            (rates[half], values[half]),
            (8, 6),
            textcoords="offset points",
            color=colour,
            weight="bold",
        )
    ax.set_xscale("log")
    ax.set_ylim(0, 1.5 * max(values[0] for values in losses.values()))
    ax.set_xlabel("learning rate of the step")
    ax.set_ylabel("loss (nats a digit)")
    return ax
