"""Maps over pictures: where a channel is active, where a picture speaks for its class."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.grids import panels
from tl_course.plots.pictures import bare, photograph
from tl_course.plots.style import axes, entitle

if TYPE_CHECKING:
    import torch

# of a map: its colours, which get lighter and lighter, and how it is interpolated
KINDS = {"activation": ("viridis", "nearest"), "cam": ("inferno", "bilinear")}
FAINT, STRONG = 0.15, 0.8  # how much a shade covers of the picture where there is little, or most


def overlay(
    picture: "torch.Tensor",
    values: "torch.Tensor",
    kind: str = "activation",
    top: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """A map over the picture that it belongs to: the lighter, the more.

    ``picture``: uint8 (3, H, W). ``values``: (h, w), not negative. ``kind``: "activation" of a
    channel, a square a unit, or "cam", where a picture speaks for its class. ``top`` is what counts
    as most, by default the map's own highest.
    """
    ax = ax or axes(3.0, 3.3)
    height, width = picture.shape[1:]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)  # a map has fewer pixels than the picture
    ax.imshow(_coarse(greyed(picture)), extent=extent, interpolation="nearest")
    ax.imshow(shaded(values, top, kind), extent=extent, interpolation=KINDS[kind][1])
    if title:
        entitle(ax, title)
    ax.set_yticks([])
    return bare(ax)


def cams(panels: "Mapping[str, tuple[torch.Tensor, torch.Tensor]]") -> Figure:
    """Pictures side by side, and below each where it speaks for its class.

    ``panels``: title to picture and heat, (H, W), from 0 to 1. Raises ``BadInput`` without any.
    """
    figure, spots = row([*panels], below=True)
    for place, (picture, heat) in enumerate(panels.values()):
        photograph(spots[place], picture, "bilinear")
        spots[place].set_axis_off()
        overlay(picture, heat, "cam", top=1.0, ax=spots[len(panels) + place])
    return figure


def row(titles: list[str], below: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure for pictures side by side, and as many without a title ``below``."""
    if not titles:
        raise store.BadInput("a row of pictures", "it has none to show", "Pass one at least")
    names = titles + [""] * (below * len(titles))
    figure, spots = panels(names, 2.0 * len(titles), 2.0, 0.4, columns=len(titles))
    figure.set_layout_engine("constrained", h_pad=0.06, w_pad=0.04)
    return figure, spots


def shaded(
    values: "torch.Tensor", top: float | None = None, kind: str = "activation"
) -> np.ndarray:
    """A map (h, w) as RGBA, float (h, w, 4): darker and more transparent where there is less."""
    values = values.detach().cpu().numpy().astype(float)
    top = float(values.max()) if top is None else top
    share = np.clip(values / top, 0, 1) if top > 0 else np.zeros_like(values)
    colours = mpl.colormaps[KINDS[kind][0]](share)
    colours[..., 3] = FAINT + (STRONG - FAINT) * share
    return colours


def greyed(picture: "torch.Tensor") -> np.ndarray:
    """A picture without its colours, so that those laid over it can be read: uint8 (H, W, 3)."""
    grey = np.tensordot([0.299, 0.587, 0.114], picture.numpy(), 1)
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, 2)


def _coarse(grey: np.ndarray) -> np.ndarray:
    """At most 128 pixels a side and 32 shades: the network sees no more, and the file is small."""
    from PIL import Image

    height, width = (min(edge, 128) for edge in grey.shape[:2])
    small = np.array(Image.fromarray(grey).resize((width, height), Image.Resampling.BOX))
    return small // 8 * 8 + 4
