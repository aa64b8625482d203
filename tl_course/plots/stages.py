"""Charts along the stages of a network, and tables of colours."""

from collections.abc import Collection, Mapping
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from tl_course.plots.lines import band, guessing, label_ends, means_of
from tl_course.plots.style import COLOURS, axes, colour_of, legible

if TYPE_CHECKING:
    import pandas
    from matplotlib.artist import Artist

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
    shades = (values.to_numpy(float) - floor) / (1 - floor) / 1.1
    texts = values.map("{:.2f}".format).where(values.notna(), "").to_numpy()
    cells(ax, shades, texts, lower=0.0 if half is None else -0.16, weight="bold")
    if half is not None:
        below = half.reindex_like(values).map("± {:.2f}".format).where(values.notna(), "")
        write_cells(ax, shades, below.to_numpy(), lower=0.22, size=8)
    for row, column in marked:
        if not np.isnan(values.loc[row, column]):
            frame_cell(ax, rows.index(row), columns.index(column), COLOURS["from scratch"], 3)
    ax.set_xticks(range(len(columns)), map(legible, columns))
    ax.set_yticks(range(len(rows)), map(legible, rows))
    return unframed(ax)


def cells(ax: Axes, shades: np.ndarray, texts: np.ndarray, cmap="Blues", **font) -> "list[Artist]":
    """A table of colours (rows, columns), from 0, white, to 1, and a text in each cell."""
    image = ax.imshow(shades, cmap=cmap, vmin=0, vmax=1, aspect="auto")
    return [image, *write_cells(ax, shades, texts, **font)]


def write_cells(
    ax: Axes, shades: np.ndarray, texts: np.ndarray, lower: float = 0.0, **font
) -> "list[Artist]":
    """A text in each cell of a table, light where the cell is dark; ``lower``: in rows."""
    middle = {"ha": "center", "va": "center"} | font
    return [
        ax.text(x, y + lower, text, color="white" if shades[y, x] > 0.6 else "black", **middle)
        for (y, x), text in np.ndenumerate(texts)
        if text
    ]


def frame_cell(ax: Axes, row: int, column: int, colour: str, width: float) -> None:
    """A line around a cell of a table."""
    corner = (column - 0.46, row - 0.44)
    ax.add_patch(Rectangle(corner, 0.92, 0.88, fill=False, edgecolor=colour, linewidth=width))


def unframed(ax: Axes) -> Axes:
    """Without the lines of its axes."""
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
    ends, stages, spare = [], [], cycle(SPARE)
    for label, table in curves.items():
        stages, colour = [*table.columns], colour_of(label) or next(spare)
        long = table.set_axis(range(len(stages)), axis=1).melt(var_name="place")
        lowest = 0.0 if long.value.min() >= 0 else None  # what is never negative has no such mean
        means = means_of(long, "place", "value", (lowest, None if chance is None else 1.0))
        ends.append((*band(ax, means, colour), label, colour))
    low, high = ax.get_ylim()
    ax.set_ylim(min(0, low), high)
    if chance is not None:
        ax.set_ylim(0, 1.02)
        guessing(ax, chance, 0, len(stages) - 1)
    elif low < 0:
        ax.axhline(0, color="black", linewidth=1)
    label_ends(ax, ends)
    ax.set_xticks(range(len(stages)), map(legible, stages))
    ax.set_ylabel(legible(ylabel, 400))
    return ax
