"""Grids of panels, and the row on top that names colours and marks."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.legend import Legend
from matplotlib.lines import Line2D

from tl_course.plots.style import DPI, Look, blank, entitle, legible, styled


@styled
def panels(
    titles: Sequence[str | None],
    width: float,
    height: float,
    more: float = 0.0,
    columns: int | None = None,
    title: str = "",
    looks: Mapping[str, Look] | None = None,
    xlabel: str = "",
    ylabel: str = "",
    inks: Sequence[str] = (),
    figure: Figure | None = None,
    **grid,
) -> tuple[Figure, list[Axes]]:
    """A figure with a panel for each title, row by row, and its axes in that order.

    Inches: the figure is ``width`` wide, each row ``height`` high, and ``more`` is left for what
    all share: ``title`` and ``looks`` (see ``key``) on top, ``xlabel`` and ``ylabel`` once. By
    default one row; ``None`` leaves a place empty. ``inks``: colours of the titles. ``figure`` is
    cleared and drawn on again, which is faster than a new one. ``grid``: options of
    ``Figure.subplots``.
    """
    columns = columns or len(titles)
    rows = -(-len(titles) // columns)
    figure = figure or blank(width, height * rows + more)
    figure.clear()
    figure.set_size_inches(width, height * rows + more)
    spots = [*figure.subplots(rows, columns, squeeze=False, **grid).flat]
    titles = [*titles, *[None] * (len(spots) - len(titles))]
    for place, (ax, text) in enumerate(zip(spots, titles, strict=True)):
        if text is None:
            ax.remove()
            continue
        entitle(ax, text, fontsize=10.5, pad=6, color=inks[place] if inks else "black")
        if (titles[place + columns :] or [None])[0] is None:  # nothing below hides its numbers
            ax.tick_params(labelbottom=True)
    if looks:
        key(figure, looks, title)
    elif title:
        figure.suptitle(legible(title, 400), x=0.01, ha="left", weight="bold", fontsize=12)
    for name, text in ((figure.supxlabel, xlabel), (figure.supylabel, ylabel)):
        if text:
            name(legible(text, 400), fontsize=10.5)
    return figure, [ax for ax, text in zip(spots, titles, strict=True) if text is not None]


def key(owner: Figure | Axes, looks: Mapping[str, Look], title: str = "", **place) -> Legend:
    """The names of ``looks`` in their colours, on top of a figure after its title.

    ``place``: other options of the legend, such as its place within axes.
    """
    handles = [Line2D([], [], label=legible(n), **look.sample()) for n, look in looks.items()]
    wide = sum(len(name) + 6 for name in looks) > 13 * owner.figure.bbox.width / DPI
    options: dict[str, Any] = {"loc": "outside upper left"} if isinstance(owner, Figure) else {}
    options |= {"ncols": 3 if wide else len(looks), "columnspacing": 1.5, "handletextpad": 0.7}
    options |= {"title": legible(title, 400), "title_fontsize": 12}
    options |= {"alignment": "left", "frameon": False}
    options |= {"labelcolor": [look.colour for look in looks.values()], "prop": {"weight": "bold"}}
    legend = owner.legend(handles=handles, **options | place)
    legend.get_title().set_fontweight("bold")
    return legend
