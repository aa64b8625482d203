"""Pictures and what networks say about them."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.style import COLOURS, DPI, STYLE, axes, blank

if TYPE_CHECKING:
    import torch


def contact_sheet(
    pictures: "torch.Tensor",
    labels: "torch.Tensor",
    classes: Sequence[str],
    columns: int = 8,
    zoom: float = 1.7,
    ax: Axes | None = None,
) -> Axes:
    """A row of pictures for each class. ``pictures``: uint8 (N, 3, H, W); ``labels``: (N,).

    The first ``columns`` pictures of each class are shown, with a gap of white between them.
    Raises ``BadInput`` for pictures that are not uint8 and square.
    """
    if (
        pictures.ndim != 4
        or pictures.shape[2] != pictures.shape[3]
        or str(pictures.dtype) != "torch.uint8"
    ):
        raise store.BadInput(
            f"pictures of shape {tuple(pictures.shape)} and type {pictures.dtype}",
            "a contact sheet shows uint8 (N, 3, H, H)",
            "Pass split.inputs",
        )
    size, gap = pictures.shape[-1], max(2, pictures.shape[-1] // 16)
    step = size + gap
    sheet = np.full((len(classes) * step - gap, columns * step - gap, 3), 255, np.uint8)
    for row in range(len(classes)):
        for column, index in enumerate((labels == row).nonzero()[:columns, 0]):
            tile = pictures[index].permute(1, 2, 0).numpy()
            top, left = row * step, column * step
            sheet[top : top + size, left : left + size] = tile
    height, width = (edge * zoom / DPI for edge in sheet.shape[:2])
    ax = ax or axes(width + 1.0, height + 0.15)
    ax.imshow(sheet, interpolation="lanczos")
    ax.set_xticks([])
    ax.set_yticks([row * step + size / 2 for row in range(len(classes))], classes, parse_math=False)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


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
