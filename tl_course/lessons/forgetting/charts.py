"""Charts of lesson 07: what a learning rate costs, and how to find one."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course.plots.grids import key
from tl_course.plots.lines import band, beside, label_ends, log_axis, means_of
from tl_course.plots.style import COLOURS, Look, axes, colour_of

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
    ends = []
    for label, column in columns.items():
        end = band(ax, means_of(rows, "lr", column), colour_of(label))
        ends.append((*end, label, colour_of(label)))
    log_axis(ax, sorted(set(rows.lr)), "{:g}".format)
    ax.set_ylim(0, 1.02)
    label_ends(ax, ends)
    ax.set(xlabel="learning rate", ylabel="test accuracy")
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
    looks = {way: Look(COLOURS[way], "o") for way in ways}
    for way, look in looks.items():
        here = means[means.way == way]
        ax.plot(here.test_accuracy, here.source_accuracy, alpha=0.85, **look.point())
    colour, joined = COLOURS[ways[0]], means[means.way == ways[0]].sort_values("lr")
    ax.plot(joined.test_accuracy, joined.source_accuracy, color=colour, linewidth=2)
    for row in joined.itertuples():
        place = row.test_accuracy, row.source_accuracy
        beside(ax, f"{row.lr:g}", place, -9, -4, va="top", color=colour, fontsize=9)
    key(ax, looks, loc="lower right", ncols=1)
    ax.set(xlim=(0, 1.03), ylim=(0, 1.06), xlabel=learnt, ylabel=kept)
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
        font = {"color": colour, "weight": "bold", "va": "bottom"}
        beside(ax, name, (rates[half], values[half]), 8, 6, **font)
    top = 1.5 * max(values[0] for values in losses.values())
    ax.set(xscale="log", xlabel="learning rate of the step", ylabel="loss (nats a digit)")
    ax.set_ylim(0, top)
    return ax
