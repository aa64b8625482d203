"""What the layers of a picture network look for, and where they find it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.grids import panels
from tl_course.plots.maps import cams, greyed, overlay, row, shaded
from tl_course.plots.pictures import bare, sheet
from tl_course.plots.style import colour_of, entitle, styled

if TYPE_CHECKING:
    import torch
    from torch import nn

__all__ = ["activations", "cams", "channel", "filters", "overlay"]

QUICK_DPI = 90  # of a figure that follows a slider: fewer pixels, sooner there
DEAD = 0.02  # a filter this small beside the largest has been trained away
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


def activations(picture: "torch.Tensor", maps: "Mapping[str, torch.Tensor]") -> Figure:
    """Several channels' maps over the same picture, side by side, each to its own highest.

    ``maps``: title to (h, w). See ``overlay``. Raises ``BadInput`` without maps.
    """
    figure, spots = row([*maps])
    for ax, values in zip(spots, maps.values(), strict=True):
        overlay(picture, values, ax=ax)
    return figure


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
