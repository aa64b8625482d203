"""What charts of several curves share: means with bands, named axes, and words beside points."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.transforms import offset_copy

from tl_course.plots.style import COLOURS, figure_of, legible

if TYPE_CHECKING:
    import pandas
    from matplotlib.text import Annotation

PAPER = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # behind words that may cross a line


def means_of(
    rows: "pandas.DataFrame",
    by: str,
    column: str,
    limits: tuple[float | None, float | None] = (0.0, 1.0),
) -> "pandas.DataFrame":
    """Mean of ``column`` over seeds for each value of ``by``, with its Student interval.

    Columns mean, low, high, n. The interval is cut at ``limits``, where no value can be beyond.
    """
    import pandas
    from scipy.stats import t

    groups = rows.groupby(by)[column]
    found = pandas.DataFrame({"mean": groups.mean(), "n": groups.count()})
    half = groups.sem() * t.ppf(0.975, found["n"] - 1)
    low, high = (found["mean"] - half).clip(*limits), (found["mean"] + half).clip(*limits)
    return found.assign(low=low, high=high)


def band(
    ax: Axes, means: "pandas.DataFrame", colour: str | None, style: str = "-", size: float = 6
) -> tuple[float, float]:
    """The means as a line, their intervals as a band around it; returns where the line ends."""
    ax.plot(
        means.index, means["mean"], style, color=colour, linewidth=2.4, marker="o", markersize=size
    )
    ax.fill_between(means.index, means.low, means.high, color=colour, alpha=0.18, linewidth=0)
    return means.index[-1], float(means["mean"].iloc[-1])


def label_ends(
    ax: Axes, ends: Sequence[tuple[float, float, str, str | None]], last: float | None = None
) -> None:
    """Write each label right of all curves, level with its curve's end, and none over another.

    ``ends``: x, y, label, colour. Where a label is not beside its end, a thin line leads there.
    ``last``: right of where, by default of the last end. The limits of the y axis are set before.
    """
    low, high = ax.get_ylim()
    least = 0.3 * (high - low) / figure_of(ax).get_figheight()
    last = max((x for x, *_ in ends), default=0) if last is None else last
    beyond = offset_copy(ax.transData, figure_of(ax), 10, units="points")
    heights = apart([y for _, y, *_ in ends], least, high)
    for height, (x, y, label, colour) in zip(heights, ends, strict=True):
        thin = {"arrowstyle": "-", "color": colour or "#555555", "linewidth": 0.8, "shrinkB": 4}
        leader = {**thin, "shrinkA": 0, "relpos": (0, 0.5)} if (x, y) != (last, height) else None
        ax.annotate(
            legible(label),
            (x, y),
            (last, height),
            textcoords=beyond,
            color=colour,
            va="center",
            weight="bold",
            annotation_clip=False,
            arrowprops=leader,
        )


def apart(values: Sequence[float], least: float, most: float = np.inf) -> list[float]:
    """The same values, moved where needed: neighbours are ``least`` apart, none above ``most``."""
    moved, order = [*map(float, values)], np.argsort(values)
    for below, above in pairwise(order):
        moved[above] = max(moved[above], moved[below] + least)
    for last in order[-1:]:
        moved[last] = min(moved[last], max(most, values[last]))
    for above, below in pairwise(order[::-1]):
        moved[below] = min(moved[below], moved[above] - least)
    return moved


def beside(
    ax: Axes, text: str, place: tuple[float, float], right: float = 0, up: float = 0, **font: Any
) -> "Annotation":
    """Words ``right`` and ``up`` so many points from ``place``, which they do not cover."""
    side = "left" if right > 0 else "right" if right < 0 else "center"
    options: dict[str, Any] = {"ha": side, "va": "center", "annotation_clip": False} | font
    return ax.annotate(legible(text), place, (right, up), textcoords="offset points", **options)


def guessing(ax: Axes, chance: float, first: float, last: float) -> None:
    """A dotted line at the accuracy of guessing, from ``first`` to ``last``."""
    ax.hlines(chance, first, last, color=COLOURS["random"], linestyle=":")
    ax.text(first, chance - 0.02, "guessing", color=COLOURS["random"], va="top")


def log_axis(
    ax: Axes, values: Sequence[float], written: Callable[[float], str] = "{:,}".format
) -> None:
    """A logarithmic x axis with ticks at ``values`` alone, each as it is ``written``."""
    ax.set_xscale("log")
    ax.set_xticks(values, [written(value) for value in values])
    ax.minorticks_off()


def seed_points(
    ax: Axes,
    values: Sequence[float],
    place: float,
    spread: float,
    colour: str,
    upright: bool = False,
    size: float = 12,
) -> None:
    """Every seed's value as a small point around ``place``, so that none hides another."""
    levels = place + np.linspace(-spread, spread, len(values))
    x, y = (levels, values) if upright else (values, levels)
    ax.scatter(x, y, s=size, color=colour, alpha=0.6, linewidth=0)


def written(name: str) -> str:
    """A name from a table as it is written in a text: "Spanish reversed"."""
    return name.replace("_", " ").capitalize()
