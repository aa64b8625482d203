"""What the layers of a picture network look for, and where they find it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.grids import panels
from tl_course.plots.pictures import bare, photograph, sheet
from tl_course.plots.style import axes, colour_of, entitle, styled

if TYPE_CHECKING:
    import torch
    from torch import nn

QUICK_DPI = 90  # of a figure that follows a slider: fewer pixels, sooner there
DEAD = 0.02  # a filter this small beside the largest has been trained away
# of a map: its colours, which get lighter and lighter, and how it is interpolated
KINDS = {"activation": ("viridis", "nearest"), "cam": ("inferno", "bilinear")}
FAINT, STRONG = 0.15, 0.8  # how much a shade covers of the picture where there is little, or most
PANELS = {  # of a channel: the title of each to its width, and how its layers are interpolated
    "the picture": (1, ("bilinear",)),
    "": (1, ("bilinear", "nearest")),  # a map over the picture: its units are to be seen
    "made for this channel": (1, ("bilinear",)),
    "what excites it most": (1.5, ("nearest",)),
}


def filters(networks: "Mapping[str, nn.Module]") -> Figure:
    """The first layer's filters of each network, side by side; zero is grey.

    ``networks``: what to call it (a key of ``COLOURS`` gives the colour) to a network whose first
    convolution takes RGB. Each filter is scaled by itself. First those without colour, by their
    orientation, then the coloured ones, by their colour, then those that have shrunk to nothing.
    Raises ``BadInput`` for a network without such a convolution.
    """
    if not networks:
        raise store.BadInput("layers.filters", "it has no networks to show", "Pass one at least")
    inks = [colour_of(name) or "#222222" for name in networks]
    figure, spots = panels([*networks], 4.2 * len(networks), 2.9, inks=inks)
    for ax, (name, network) in zip(spots, networks.items(), strict=True):
        ordered, alive = _ordered(_first_layer(name, network))
        columns = 8 if len(ordered) <= 64 else 16
        ax.imshow(sheet(ordered.split(columns), columns, 1), interpolation="nearest")
        ax.set_yticks([])
        bare(ax)
        if dead := len(ordered) - alive:
            ax.set_xlabel(f"{dead} of {len(ordered)} have shrunk to nothing", loc="left")
    return figure


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


def activations(picture: "torch.Tensor", maps: "Mapping[str, torch.Tensor]") -> Figure:
    """Several channels' maps over the same picture, side by side, each to its own highest.

    ``maps``: title to (h, w). See ``overlay``. Raises ``BadInput`` without maps.
    """
    figure, spots = _row([*maps])
    for ax, values in zip(spots, maps.values(), strict=True):
        overlay(picture, values, ax=ax)
    return figure


def cams(panels: "Mapping[str, tuple[torch.Tensor, torch.Tensor]]") -> Figure:
    """Pictures side by side, and below each where it speaks for its class.

    ``panels``: title to picture and heat, (H, W), from 0 to 1. Raises ``BadInput`` without any.
    """
    figure, spots = _row([*panels], below=True)
    for place, (picture, heat) in enumerate(panels.values()):
        photograph(spots[place], picture, "bilinear")
        spots[place].set_axis_off()
        overlay(picture, heat, "cam", top=1.0, ax=spots[len(panels) + place])
    return figure


def _row(titles: list[str], below: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure for pictures side by side, and as many without a title ``below``."""
    if not titles:
        raise store.BadInput("a row of pictures", "it has none to show", "Pass one at least")
    names = titles + [""] * (below * len(titles))
    figure, spots = panels(names, 2.0 * len(titles), 2.0, 0.4, columns=len(titles))
    figure.get_layout_engine().set(h_pad=0.06, w_pad=0.04)
    return figure, spots


def channel(
    picture: "torch.Tensor",
    values: "torch.Tensor",
    preferred: "torch.Tensor",
    patches: "torch.Tensor",
    title: str = "",
    figure: Figure | None = None,
) -> Figure:
    """All about one channel: a picture, what the channel makes of it, and what it likes best.

    ``picture``: uint8 (3, H, W). ``values``: (h, w), its map. ``preferred``: uint8 (3, S, S), the
    picture made for it. ``patches``: uint8 (6, 3, P, P) at most, those that excite it most.
    ``title`` stands above the map. A ``figure`` made here before gets the new contents, which is
    three times as fast as drawing another.
    """
    tiles = sheet((patches[:3], patches[3:6]), 3, max(1, patches.shape[-1] // 16))
    first, made = (part.permute(1, 2, 0).numpy() for part in (picture, preferred))
    figure = figure or _panels()
    images = [image for ax in figure.axes for image in ax.images]
    shown = (first, greyed(picture), shaded(values), made, tiles)
    for image, data in zip(images, shown, strict=True):
        image.set_data(data)
    entitle(figure.axes[1], title, fontsize=10)
    return figure


@styled
def _panels() -> Figure:
    """Four empty panels for ``channel``, at fixed places: arranging them would take time."""
    whole, left = sum(width for width, _ in PANELS.values()), 0.0
    figure = Figure(figsize=(9.4, 2.25), dpi=QUICK_DPI)
    FigureCanvasAgg(figure)
    for title, (width, layers) in PANELS.items():
        ax = figure.add_axes((left / whole + 0.005, 0.02, 0.94 * width / whole, 0.85))
        left += width
        for smooth in layers:
            ax.imshow(np.zeros((1, 1, 3)), extent=(0, width, 1, 0), interpolation=smooth)
        entitle(ax, title, fontsize=10)
        ax.set_axis_off()
    return figure


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


def _first_layer(name: str, network: "nn.Module") -> np.ndarray:
    """Its weights, (filters, 3, h, w)."""
    from torch import nn

    convolutions = (m for m in network.modules() if isinstance(m, nn.Conv2d))
    first = next(convolutions, None)
    if first is None or first.weight.shape[1] != 3:
        raise store.BadInput(
            f"layers.filters: {name!r}",
            "it has no first convolution that takes red, green and blue",
            "Pass a network for pictures, such as models.load('resnet10')",
        )
    return first.weight.detach().cpu().numpy()


def _ordered(weights: np.ndarray) -> "tuple[torch.Tensor, int]":
    """Filters in order as pictures, uint8 (N, 3, h, w), and how many have not shrunk to nothing."""
    import torch

    sizes = np.sqrt((weights**2).sum((1, 2, 3)))
    dead = sizes < DEAD * sizes.max()
    grey = weights.mean(1)
    colour = weights - grey[:, None]
    coloured = (colour**2).sum((1, 2, 3)) > 3 * (grey**2).sum((1, 2))
    order = sorted(
        range(len(weights)),
        key=lambda i: (
            dead[i],
            coloured[i],
            _hue(colour[i]) if coloured[i] else _orientation(grey[i]),
        ),
    )
    largest = np.abs(weights).max((1, 2, 3), keepdims=True).clip(1e-12)
    shades = 127.5 * (1 + np.where(dead[:, None, None, None], 0, weights / largest))
    return torch.from_numpy(shades[order].round().astype(np.uint8)), int((~dead).sum())


def _orientation(grey: np.ndarray) -> float:
    """The direction in which a filter (h, w) changes fastest, an angle from 0 to pi."""
    power = np.abs(np.fft.fft2(grey, (32, 32))) ** 2
    down, across = np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32), indexing="ij")
    # an angle and its opposite are one orientation: the mean is that of the doubled angles
    doubled = (power * np.exp(2j * np.arctan2(down, across)) * (np.hypot(down, across) > 0)).sum()
    return float(np.angle(doubled) % (2 * np.pi) / 2)


def _hue(colour: np.ndarray) -> float:
    """The main colour of a filter without its grey part (3, h, w), an angle from 0 to pi.

    A colour and its complement are one axis, as a filter sees the one against the other.
    """
    axes_of_hue = np.array([[1, -0.5, -0.5], [0, 3**0.5 / 2, -(3**0.5) / 2]])
    plane = np.tensordot(axes_of_hue, colour, 1).reshape(2, -1)
    doubled = ((plane[0] + 1j * plane[1]) ** 2).sum()
    return float(np.angle(doubled) % (2 * np.pi) / 2)
