"""How readers take in a number, letter by letter."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.style import DPI, STYLE, colour_of

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
            "plots.reading", "it has no text or no readers to show", "Pass at least one of each"
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
