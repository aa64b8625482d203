"""Pictures and what networks say about them."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from tl_course import store
from tl_course.plots.grids import panels
from tl_course.plots.stages import unframed
from tl_course.plots.style import DPI, axes, blank, legible

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
    shape, kind = tuple(pictures.shape), str(pictures.dtype)
    if len(shape) != 4 or shape[2] != shape[3] or kind != "torch.uint8":
        raise store.BadInput(
            f"pictures of shape {shape} and type {kind}",
            "a contact sheet shows uint8 (N, 3, H, H)",
            "Pass split.inputs",
        )
    size, gap = shape[-1], max(2, shape[-1] // 16)
    rows = [pictures[labels == row][:columns] for row in range(len(classes))]
    shown = sheet(rows, columns, gap)
    height, width = (edge * zoom / DPI for edge in shown.shape[:2])
    ax = ax or axes(width + 1.0, height + 0.15)
    ax.imshow(shown, interpolation="lanczos")
    places = [row * (size + gap) + size / 2 for row in range(len(classes))]
    ax.set_yticks(places, map(legible, classes))
    return bare(ax)


def sheet(rows: "Sequence[torch.Tensor]", columns: int, gap: int) -> np.ndarray:
    """Rows of tiles, each uint8 (N, 3, H, W), as one picture (H, W, 3); white where none is."""
    import torch
    from torchvision.utils import make_grid

    white = [row.new_full((columns - len(row), *row.shape[1:]), 255) for row in rows]
    tiles = torch.cat([part for pair in zip(rows, white, strict=True) for part in pair])
    grid = make_grid(tiles, columns, padding=gap, pad_value=255).permute(1, 2, 0).numpy()
    return grid[gap:-gap, gap:-gap] if len(tiles) > 1 else grid  # one alone has no margin


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
    rows = [_enlarged(row[:columns], zoom, below) for row in pictures.values()]
    shown = sheet(rows, columns, 6)
    names = [*map(legible, pictures)]
    ax = ax or _pixel_axes(shown, margin=12 + 8 * max(map(len, names)))
    ax.imshow(shown, interpolation="nearest")
    step, tall = size + 6, size + 6 + below
    for row, texts in enumerate([titles[name] for name in pictures] if titles else ()):
        for column, text in enumerate(texts[:columns]):
            place = (column * step + size / 2, row * tall + size + 2)
            ax.text(*place, legible(text), ha="center", va="top", fontsize=8)
    ax.set_yticks([row * tall + size / 2 for row in range(len(pictures))], names)
    return bare(ax)


def _enlarged(tiles: "torch.Tensor", zoom: int, below: int) -> "torch.Tensor":
    """Tiles in the 12 colours that matter most to each, larger, with ``below`` white pixels."""
    import torch
    from PIL import Image
    from torchvision.transforms.v2.functional import pad, pil_to_tensor, to_pil_image

    few = [to_pil_image(t).quantize(12, kmeans=1, dither=Image.Dither.NONE) for t in tiles]
    fewer = torch.stack([pil_to_tensor(tile.convert("RGB")) for tile in few])
    large = fewer.repeat_interleave(zoom, 2).repeat_interleave(zoom, 3)
    return pad(large, [0, 0, 0, below], fill=255)


def _pixel_axes(shown: np.ndarray, margin: int) -> Axes:
    """Axes in which a pixel of ``shown`` (H, W, 3) is one of the figure's; ``margin`` on the left.

    Pixels that are doubled by repeating them make a smaller file than those that are blended.
    """
    height, width = shown.shape[:2]
    whole = (width + margin + 6, height + 12)
    figure = blank(whole[0] / DPI, whole[1] / DPI)
    figure.set_layout_engine("none")
    return figure.add_axes((margin / whole[0], 6 / whole[1], width / whole[0], height / whole[1]))


def bare(ax: Axes) -> Axes:
    """Without lines and ticks; names of rows stay."""
    ax.set_xticks([])
    return unframed(ax)


def photograph(ax: Axes, picture: "torch.Tensor", smooth: str = "lanczos", **place) -> AxesImage:
    """One picture, uint8 (3, H, W); ``smooth``: how it is interpolated."""
    return ax.imshow(picture.permute(1, 2, 0).numpy(), interpolation=smooth, **place)


def photographs(rows: "Sequence[Mapping[str, torch.Tensor]]", title: str = "") -> Figure:
    """Pictures in rows of equal length, each under its caption: uint8 (3, H, W)."""
    captions = [caption for row in rows for caption in row]
    width = len(captions) // len(rows)
    figure, spots = panels(captions, 1.55 * width + 0.2, 2.0, 0.3, columns=width, title=title)
    for ax, picture in zip(spots, [one for row in rows for one in row.values()], strict=True):
        photograph(ax, picture)
        ax.set_axis_off()
    return figure
