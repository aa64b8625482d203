"""Charts of lesson 00: one picture, and what each network makes of it."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
from matplotlib.figure import Figure

from tl_course.plots.style import COLOURS, STYLE, blank

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
    with mpl.rc_context(STYLE):
        if figure is None:
            figure = blank(8.4, 2.9)
        figure.clear()
        widths = [1.1, *[1] * len(probabilities)]
        spots = figure.subplots(1, 1 + len(probabilities), width_ratios=widths)
        spots[0].imshow(picture.permute(1, 2, 0).numpy(), interpolation="lanczos")
        spots[0].set_title(f"truth: {classes[truth]}", parse_math=False)
        spots[0].set_axis_off()
        for ax, (name, values) in zip(spots[1:], probabilities.items(), strict=True):
            colour = COLOURS.get(name, "#555555")
            bars = [colour if i == int(values.argmax()) else "#C9C9C9" for i in range(len(classes))]
            ax.barh(range(len(classes)), values.numpy(), color=bars)
            ax.set_title(textwrap.fill(name, 18), color=colour)
            ax.set_xlim(0, 1)
            ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"])
            ax.set_ylim(len(classes) - 0.4, -0.6)
            ax.set_yticks(range(len(classes)), classes, parse_math=False)
            ax.get_yticklabels()[truth].set_weight("bold")
            ax.set_xlabel("probability")
    return figure
