"""Charts along the stages of a network."""

from collections.abc import Collection, Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tl_course.plots.lines import band, label_ends, means_of
from tl_course.plots.style import COLOURS, axes, colour_of

if TYPE_CHECKING:
    import pandas

# for labels that begin with no name in COLOURS: from Paul Tol's muted palette, colour-blind safe
SPARE = ("#882255", "#44AA99", "#999933", "#117733", "#CC6677", "#88CCEE")


def heat_map(
    values: "pandas.DataFrame",
    half: "pandas.DataFrame | None" = None,
    chance: Mapping[str, float] | None = None,
    marked: Collection[tuple[str, str]] = (),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Accuracies as a table of colours: a row a question, a column a stage.

    ``values``: accuracies in [0, 1]; ``half``: half the width of each interval, written below.
    A cell is the darker the further it lies from ``chance``, by row, on the way to 1. ``marked``:
    cells (row, column) with a frame around them.
    """
    rows, columns = [*values.index], [*values.columns]
    ax = ax or axes(1.6 + 0.95 * len(columns), 0.9 + 0.62 * len(rows), title)
    chance = dict.fromkeys(rows, 0.0) | dict(chance or {})
    floor = np.array([[chance[row]] for row in rows])
    share = (values.to_numpy(float) - floor) / (1 - floor)
    ax.imshow(share, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1.1, aspect="auto")
    for y, row in enumerate(rows):
        for x, column in enumerate(columns):
            value = values.loc[row, column]
            if np.isnan(value):
                continue
            ink = {"ha": "center", "color": "white" if share[y, x] > 0.6 else "black"}
            low = 0.16 if half is not None else 0.0
            ax.text(x, y - low, f"{value:.2f}", va="center", weight="bold", **ink)
            if half is not None:
                ax.text(x, y + 0.22, f"± {half.loc[row, column]:.2f}", va="center", size=8, **ink)
            if (row, column) in marked:
                frame = {"fill": False, "edgecolor": COLOURS["from scratch"], "linewidth": 3}
                ax.add_patch(Rectangle((x - 0.46, y - 0.46), 0.92, 0.92, **frame))
    ax.set_xticks(range(len(columns)), columns)
    ax.set_yticks(range(len(rows)), rows)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def by_stage(
    curves: Mapping[str, "pandas.DataFrame"],
    ylabel: str,
    chance: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One line a curve along the stages: means over seeds with 95 % intervals.

    ``curves``: label to a table with a row a seed and a column a stage. A label that begins with a
    name in ``COLOURS`` has its colour, others one from ``SPARE``. ``chance``: the accuracy of
    guessing, a dotted line; the values are accuracies then, from 0 to 1. Differences below zero
    get a line at zero.
    """
    ax = ax or axes(7.2, 3.6, title)
    ends, stages = [], []
    spare = cycle(SPARE)
    colours = [colour_of(label) or next(spare) for label in curves]
    for colour, (label, table) in zip(colours, curves.items(), strict=True):
        stages = [*table.columns]
        places = range(len(stages))
        long = table.set_axis(places, axis=1).melt(var_name="place", value_name="value")
        lowest = 0.0 if long.value.min() >= 0 else None  # what is never negative has no such mean
        means = means_of(long, "place", "value", (lowest, None if chance is None else 1.0))
        band(ax, means, colour)
        ends.append((places[-1], float(means["mean"].iloc[-1]), label))
    low, high = ax.get_ylim()
    ax.set_ylim(min(0, low), high)
    if chance is not None:
        ax.set_ylim(0, 1.02)
        ax.hlines(chance, 0, len(stages) - 1, color=COLOURS["random"], linestyle=":")
        ax.text(0, chance, "guessing", color=COLOURS["random"], va="bottom")
    elif low < 0:
        ax.axhline(0, color="black", linewidth=1)
    label_ends(ax, ends)
    for text, colour in zip(reversed(ax.texts), reversed(colours), strict=False):
        text.set_color(colour)  # the labels are the texts written last
    ax.set_xticks(range(len(stages)), stages)
    ax.set_ylabel(ylabel)
    return ax
