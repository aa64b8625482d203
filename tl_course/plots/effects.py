"""Effects with their intervals, drawn in one way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes

from tl_course.evidence import Interval
from tl_course.plots.lines import PAPER, beside
from tl_course.plots.style import COLOURS, Look, axes, legible, lined

SIGNS = {  # an interval above zero, below it, around it
    1: Look(COLOURS["pretrained"], "o"),
    -1: Look(COLOURS["from scratch"], "o"),
    0: Look("#555555", "o"),
}


def by_sign(_: str, found: Interval) -> Look:
    """The look of an interval, told by the side of zero on which it lies."""
    return SIGNS[found.sign]


def forest(
    rows: Mapping[str, Interval | Mapping[str, Interval] | None],
    look: Callable[[str, Interval], Look] = by_sign,
    written: Callable[[Interval], str] | None = None,
    unit: float = 100,
    size: float = 8,
    xlabel: str = "",
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Effects with their intervals, a row a name from top to bottom, and a line at zero.

    A row holds one interval, or several by name, each name at a level of its own, or ``None``,
    which makes it a heading. ``look`` is asked with an interval and its name, by default that of
    the row. ``written``: what stands beyond an interval. ``unit``: what effects are multiplied by;
    100 makes points of accuracies.
    """
    ax = ax or axes(8.0, 1.3 + 0.42 * len(rows), title)
    ax.axvline(0, color="black", linewidth=1, zorder=1)
    series = [*dict.fromkeys(p for row in rows.values() if isinstance(row, Mapping) for p in row)]
    middle = (len(series) - 1) / 2
    levels = {part: 0.7 / len(series) * (place - middle) for place, part in enumerate(series)}
    for y, (name, row) in enumerate(rows.items()):
        for part, found in ({name: row} if isinstance(row, Interval) else row or {}).items():
            level, here = y + levels.get(part, 0.0), look(part, found)
            interval(ax, level, found, here, size, unit)
            if written:
                end = (unit * max(found.high, found.effect), level)
                beside(ax, written(found), end, 8, color=here.colour, weight="bold", bbox=PAPER)
    rows_axis(ax, [*rows])
    for label, row in zip(ax.get_yticklabels(), rows.values(), strict=False):  # inner panels: none
        label.set_fontweight("bold" if row is None else "normal")
    ax.margins(x=0.1)
    ax.set_xlabel(legible(xlabel, 400))
    return ax


def interval(
    ax: Axes,
    place: float,
    found: Interval,
    look: Look,
    size: float = 8,
    unit: float = 100,
    upright: bool = False,
) -> None:
    """One effect with its interval: across at height ``place``, or ``upright`` at that place."""
    low, effect, high = (unit * value for value in (found.low, found.effect, found.high))
    bar, point = ([low, high], [place, place]), ([effect], [place])
    way = -1 if upright else 1
    wide: dict[str, Any] = {"linewidth": 0.34 * size, "alpha": 0.6, "solid_capstyle": "round"}
    ax.plot(*bar[::way], color=look.colour, **wide)
    ax.plot(*point[::way], **look.point(size))


def rows_axis(ax: Axes, names: Sequence[str]) -> None:
    """A y axis with a row for each name, from top to bottom."""
    ax.set_yticks(range(len(names)), map(legible, names))
    ax.set_ylim(len(names) - 0.45, -0.6)
    ax.tick_params(axis="y", length=0)
    lined(ax, "x")


def differences(
    intervals: Mapping[str, Interval | None],
    gain: str,
    loss: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Paired differences with their intervals, in points; ``gain`` and ``loss`` name the sides.

    A name with ``None`` is the heading of those that follow.
    """
    return forest(
        intervals,
        written=lambda found: f"{100 * found.effect:+.0f}",
        xlabel=f"difference in points of accuracy (left of 0: {loss}; right: {gain})",
        title=title,
        ax=ax,
    )
