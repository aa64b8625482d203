"""What charts of several lines share: means with bands, and labels at the lines' ends."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course.plots.style import colour_of

if TYPE_CHECKING:
    import pandas


def means_of(
    rows: "pandas.DataFrame",
    by: str,
    column: str,
    limits: tuple[float | None, float | None] = (0.0, 1.0),
) -> "pandas.DataFrame":
    """Mean of ``column`` over seeds for each value of ``by``, with its Student interval.

    The interval is cut at ``limits``, where no value can be beyond.
    """
    import pandas
    from scipy.stats import t

    groups = rows.groupby(by)[column]
    found = pandas.DataFrame({"mean": groups.mean(), "n": groups.count()})
    half = groups.sem() * t.ppf(0.975, found["n"] - 1)
    low, high = (found["mean"] - half).clip(*limits), (found["mean"] + half).clip(*limits)
    return found.assign(low=low, high=high)


def band(ax: Axes, means: "pandas.DataFrame", colour: str, style: str = "-") -> None:
    """The means as a line, their intervals as a band around it."""
    ax.plot(means.index, means["mean"], style, color=colour, linewidth=2.4, marker="o")
    ax.fill_between(means.index, means.low, means.high, color=colour, alpha=0.18, linewidth=0)


def label_ends(ax: Axes, ends: Sequence[tuple[float, float, str]]) -> None:
    """Write each label to the right of its point (x, y, label), and none over another.

    The limits of the y axis are set before.
    """
    low, high = ax.get_ylim()
    least = 0.3 * (high - low) / ax.get_figure().get_figheight()
    heights = apart([y for _, y, _ in ends], least)
    for height, (x, _, label) in zip(heights, ends, strict=True):
        ax.annotate(
            label,
            (x, height),
            (10, 0),
            textcoords="offset points",
            color=colour_of(label),
            va="center",
            weight="bold",
            annotation_clip=False,
        )


def apart(values: Sequence[float], least: float) -> list[float]:
    """The same values, moved up where needed so that neighbours are ``least`` apart."""
    moved = list(values)
    order = np.argsort(values)
    for below, above in zip(order[:-1], order[1:], strict=True):
        moved[above] = max(moved[above], moved[below] + least)
    return moved


def written(name: str) -> str:
    """A name from a table as it is written in a text: "Spanish reversed"."""
    return name.replace("_", " ").capitalize()
