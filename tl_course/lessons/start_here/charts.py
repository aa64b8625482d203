"""Charts of lesson 00: one picture, and what each network makes of it."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.figure import Figure

from tl_course.plots.effects import rows_axis
from tl_course.plots.grids import panels
from tl_course.plots.pictures import photograph
from tl_course.plots.style import COLOURS, legible

if TYPE_CHECKING:
    import torch


def answers(
    picture: "torch.Tensor",
    probabilities: Mapping[str, "torch.Tensor"],
    classes: Sequence[str],
    truth: int,
    figure: Figure | None = None,
) -> Figure:
    """One picture and what each network makes of it; the true class is set in bold.

    ``picture``: uint8 (3, H, W). ``probabilities``: strategy to (classes,), summing to one.
    ``figure`` is cleared and drawn on again, which is faster than a new one.
    """
    titles = [textwrap.fill(legible(name), 18) for name in (classes[truth], *probabilities)]
    titles[0] = f"truth: {titles[0]}"
    inks = ["black", *(COLOURS.get(name, "#555555") for name in probabilities)]
    widths = [1.1, *[1] * len(probabilities)]
    figure, (first, *spots) = panels(
        titles, 8.4, 2.9, inks=inks, figure=figure, width_ratios=widths
    )
    photograph(first, picture)
    first.set_axis_off()
    for ax, ink, values in zip(spots, inks[1:], probabilities.values(), strict=True):
        bars = [ink if row == int(values.argmax()) else "#C9C9C9" for row in range(len(classes))]
        ax.barh(range(len(classes)), values.numpy(), color=bars)
        rows_axis(ax, classes)
        ax.get_yticklabels()[truth].set_weight("bold")
        ax.set_xlim(0, 1)
        ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
        ax.set_xlabel("probability")
    return figure
