"""How readers take in a number, letter by letter."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tl_course import evidence, store
from tl_course.plots.lines import written
from tl_course.plots.style import COLOURS, DPI, STYLE, axes, colour_of

if TYPE_CHECKING:
    import torch

PLACES = ("thousands", "hundreds", "tens", "units")


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
    with mpl.rc_context(STYLE):
        if figure is None:
            figure = Figure(dpi=DPI, layout="constrained")
            FigureCanvasAgg(figure)
        figure.clear()
        figure.set_size_inches(max(6.0, 1.9 + 0.27 * len(text)), 0.4 + 1.75 * len(opinions))
        spots = figure.subplots(len(opinions), 1, squeeze=False)[:, 0]
        for ax, (name, values) in zip(spots, opinions.items(), strict=True):
            colour = colour_of(name) or "#555555"
            shades = LinearSegmentedColormap.from_list(name, ["#FFFFFF", colour])
            sure, digit = (part.T.numpy() for part in values.max(-1))
            ax.imshow(0.85 * sure, cmap=shades, vmin=0, vmax=1, aspect="auto")
            for row, column in [(r, c) for r in range(4) for c in range(len(text))]:
                ax.text(
                    column,
                    row,
                    str(digit[row, column]),
                    ha="center",
                    va="center",
                    color="white" if sure[row, column] > 0.7 else "#333333",
                    weight="bold" if column == len(text) - 1 else "normal",
                    fontsize=9,
                )
            answer = "".join(map(str, digit[:, -1])).lstrip("0") or "0"
            ax.set_title(f"{name} → {answer}", color=colour, parse_math=False)
            ax.set_yticks(range(4), PLACES)
            ax.set_xticks(range(len(text)), ["␣" if c == " " else c for c in text])
            ax.tick_params(length=0)
            ax.spines[:].set_visible(False)
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
        low, effect, high = (100 * value for value in (found.low, found.effect, found.high))
        colour = COLOURS[kinds[name]]
        ax.plot([x, x], [low, high], color=colour, linewidth=2, alpha=0.5)
        ax.plot(x, effect, "o", color=colour, markersize=8)
    ax.axhline(0, color="black", linewidth=1)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.margins(0.12)
    places = {name: (x, 100 * found.effect) for name, (x, found) in points.items()}
    _name_points(ax, places, {name: COLOURS[kinds[name]] for name in points})
    return ax


def _name_points(
    ax: Axes, points: Mapping[str, tuple[float, float]], colours: Mapping[str, str]
) -> None:
    """Write each name beside its point, on the side where it covers least."""
    ax.figure.draw_without_rendering()
    taken = [ax.transData.transform(place) for place in points.values()]
    boxes = [(x - 6, y - 6, x + 6, y + 6) for x, y in taken]
    sides = [(10, 0, "left"), (-10, 0, "right"), (0, 13, "center"), (0, -13, "center")]
    sides += [(9, 10, "left"), (9, -10, "left"), (-9, 10, "right"), (-9, -10, "right")]
    frame = ax.get_window_extent()
    for name, place in points.items():
        options = []
        for dx, dy, side in sides:
            label = ax.annotate(
                written(name),
                place,
                (dx, dy),
                textcoords="offset points",
                ha=side,
                va="center",
                color=colours[name],
            )
            box = label.get_window_extent().extents
            overlap = sum(_shared(box, other) for other in boxes)
            outside = max(frame.x0 - box[0], box[2] - frame.x1, box[3] - frame.y1, 0)
            options.append((overlap + 100 * outside, len(options), label, box))
        options.sort(key=lambda option: option[:2])
        boxes.append(options[0][3])
        for _, _, label, _ in options[1:]:
            label.remove()


def _shared(first: Sequence[float], second: Sequence[float]) -> float:
    """Area that two boxes (x0, y0, x1, y1) have in common."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)
