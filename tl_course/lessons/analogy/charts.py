"""How readers take in a number, letter by letter; and gains against likeness."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from tl_course import evidence, store
from tl_course.plots.effects import interval
from tl_course.plots.grids import panels
from tl_course.plots.lines import beside, written
from tl_course.plots.stages import cells, unframed
from tl_course.plots.style import COLOURS, Look, axes, colour_of

if TYPE_CHECKING:
    import torch

PLACES = ("thousands", "hundreds", "tens", "units")
# where a name can stand beside its point: points to the right, points up, its alignment
SIDES = ((10, 0, "left"), (-10, 0, "right"), (0, 13, "center"), (0, -13, "center"),
         (9, 10, "left"), (9, -10, "left"), (-9, 10, "right"), (-9, -10, "right"))  # fmt: skip


def reading(
    text: str,
    opinions: Mapping[str, "torch.Tensor"],
    figure: Figure | None = None,
) -> Figure:
    """What each reader would answer after every letter of ``text``.

    ``opinions``: reader to probabilities (L, 4, 10); entry i is what it says after i + 1 letters.
    A cell holds the likeliest digit, the darker the surer. The name of a reader begins with one in
    ``COLOURS``, else it is grey. ``figure`` is cleared and drawn on again, which is faster than a
    new one.
    """
    if not text or not opinions:
        raise store.BadInput(
            "analogy.reading", "it has no text or no readers to show", "Pass at least one of each"
        )
    sure, digits = zip(*(values.max(-1) for values in opinions.values()), strict=True)
    answers = ["".join(map(str, found[-1].tolist())).lstrip("0") or "0" for found in digits]
    inks = [colour_of(name) or "#555555" for name in opinions]
    titles = [f"{name} → {answer}" for name, answer in zip(opinions, answers, strict=True)]
    width = max(6.0, 1.9 + 0.27 * len(text))
    figure, spots = panels(titles, width, 1.75, 0.4, columns=1, inks=inks, figure=figure)
    for ax, ink, shades, found in zip(spots, inks, sure, digits, strict=True):
        cmap = LinearSegmentedColormap.from_list("", ["#FFFFFF", ink])
        drawn = cells(ax, 0.85 * shades.T.numpy(), found.T.numpy().astype(str), cmap, fontsize=9)
        for cell in drawn[len(text) :: len(text)]:  # the last letter's
            cell.set_weight("bold")
        ax.set_yticks(range(4), PLACES)
        ax.set_xticks(range(len(text)), ["␣" if c == " " else c for c in text], parse_math=False)
        unframed(ax)
    return figure


def scatter(
    points: Mapping[str, tuple[float, evidence.Interval]],
    kinds: Mapping[str, str],
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Named points with the interval of their height, in points of accuracy.

    ``points``: name to (x, ``Interval``). ``kinds``: name to a key of ``COLOURS``.
    """
    ax = ax or axes(8.0, 4.8, title)
    for name, (x, found) in points.items():
        interval(ax, x, found, Look(COLOURS[kinds[name]], "o"), upright=True)
    ax.axhline(0, color="black", linewidth=1)
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.margins(0.12)
    places = {name: (x, 100 * found.effect) for name, (x, found) in points.items()}
    name_points(ax, places, {name: COLOURS[kinds[name]] for name in points})
    return ax


def name_points(
    ax: Axes, points: Mapping[str, tuple[float, float]], colours: Mapping[str, str]
) -> None:
    """Write each name beside its point, on the side where it covers least."""
    ax.figure.draw_without_rendering()
    frame = ax.get_window_extent()
    centres = ax.transData.transform([*points.values()])
    taken = [Bbox.from_extents(x - 6, y - 6, x + 6, y + 6) for x, y in centres]
    for name, place in points.items():
        label = beside(ax, written(name), place, color=colours[name])

        def covered(side: tuple[float, float, str], label=label) -> float:
            """Area of other labels and points under this one, and how far it leaves the axes."""
            label.set(position=side[:2], ha=side[2])
            box = label.get_window_extent()
            shared = [both for other in taken if (both := Bbox.intersection(box, other))]
            beyond = max(frame.x0 - box.x0, box.x1 - frame.x1, box.y1 - frame.y1, 0)
            return sum(both.width * both.height for both in shared) + 100 * beyond

        covered(min(SIDES, key=covered))
        taken.append(label.get_window_extent())
