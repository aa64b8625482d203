"""Pictures and what networks say about them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.style import DPI, STYLE, axes

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


def gallery(
    pictures: "Mapping[str, torch.Tensor]",
    titles: Mapping[str, Sequence[str]] | None = None,
    columns: int = 4,
    zoom: int = 2,
    ax: Axes | None = None,
) -> Axes:
    """Rows of pictures, such as the preferred ones of each stage.

    ``pictures``: row to uint8 (N, 3, S, S), of which the first ``columns`` are shown, each pixel
    as ``zoom`` × ``zoom``. ``titles`` are written below each, smaller. Textures make large files:
    each picture keeps 12 colours, and then needs about 7 kB in a notebook. Raises ``BadInput``
    where there is nothing to show, and for pictures that are not uint8, square and of one size.
    """
    kinds = {(str(row.dtype), *row.shape[1:]) for row in pictures.values()}
    kind, *shape = next(iter(kinds), ("nothing",))
    if len(kinds) != 1 or kind != "torch.uint8" or len(shape) != 3 or shape[1] != shape[2]:
        raise store.BadInput(
            f"pictures of {' and '.join(map(str, sorted(kinds))) or 'no kind'}",
            "a gallery shows uint8 (N, 3, S, S), all of one size",
            "Pass one such tensor for each row",
        )
    size, below = zoom * shape[1], 20 if titles else 0
    columns = min(columns, max(len(row) for row in pictures.values()))
    step, tall = size + 6, size + 6 + below
    sheet = np.full((len(pictures) * tall - 6, columns * step - 6, 3), 255, np.uint8)
    for row, tiles in enumerate(pictures.values()):
        for column, tile in enumerate(tiles[:columns].permute(0, 2, 3, 1).numpy()):
            top, left = row * tall, column * step
            large = _fewer_colours(tile).repeat(zoom, 0).repeat(zoom, 1)
            sheet[top : top + size, left : left + size] = large
    ax = ax or _pixel_axes(sheet, margin=12 + 8 * max(map(len, pictures)))
    ax.imshow(sheet, interpolation="nearest")
    for row, name in enumerate(pictures if titles else ()):
        for column, text in enumerate(titles[name][:columns]):
            place = (column * step + size / 2, row * tall + size + 2)
            ax.text(*place, text, ha="center", va="top", fontsize=8, parse_math=False)
    ax.set_yticks([row * tall + size / 2 for row in range(len(pictures))], [*pictures])
    return bare(ax)


def _pixel_axes(sheet: np.ndarray, margin: int) -> Axes:
    """Axes in which a pixel of ``sheet`` (H, W, 3) is one of the figure's; ``margin`` on the left.

    Pixels that are doubled by repeating them make a smaller file than those that are blended.
    """
    height, width = sheet.shape[:2]
    whole = (width + margin + 6, height + 12)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(whole[0] / DPI, whole[1] / DPI), dpi=DPI)
        FigureCanvasAgg(figure)
        return figure.add_axes(
            (margin / whole[0], 6 / whole[1], width / whole[0], height / whole[1])
        )


def bare(ax: Axes) -> Axes:
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def _fewer_colours(tile: np.ndarray) -> np.ndarray:
    """The same picture in the 12 colours that matter most."""
    from PIL import Image

    few = Image.fromarray(tile).quantize(12, kmeans=1, dither=Image.Dither.NONE)
    return np.array(few.convert("RGB"))
