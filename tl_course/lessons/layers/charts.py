"""What the layers of a picture network look for, and where they find it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from tl_course import store
from tl_course.plots.pictures import bare
from tl_course.plots.style import STYLE, axes, blank, colour_of

if TYPE_CHECKING:
    import torch
    from torch import nn

QUICK_DPI = 90  # of a figure that follows a slider: fewer pixels, sooner there
DEAD = 0.02  # a filter this small beside the largest has been trained away
PANELS = {**STYLE, "axes.titlesize": 10}
SHADES = {"activation": "viridis", "cam": "inferno"}  # both get lighter and lighter
FAINT, STRONG = 0.15, 0.8  # how much a shade covers of the picture where there is little, or most


def filters(networks: "Mapping[str, nn.Module]") -> Figure:
    """The first layer's filters of each network, side by side; zero is grey.

    ``networks``: what to call it (a key of ``COLOURS`` gives the colour) to a network whose first
    convolution takes RGB. Each filter is scaled by itself. First those without colour, by their
    orientation, then the coloured ones, by their colour, then those that have shrunk to nothing.
    Raises ``BadInput`` for a network without such a convolution.
    """
    if not networks:
        raise store.BadInput("layers.filters", "it has no networks to show", "Pass one at least")
    with mpl.rc_context(STYLE):
        figure = blank(4.2 * len(networks), 2.9)
        spots = figure.subplots(1, len(networks), squeeze=False)[0]
        for ax, (name, network) in zip(spots, networks.items(), strict=True):
            ordered, alive = _ordered(_first_layer(name, network))
            _tiles(ax, ordered, columns=8 if len(ordered) <= 64 else 16)
            ax.set_title(name, color=colour_of(name) or "#222222", parse_math=False)
            if dead := len(ordered) - alive:
                ax.set_xlabel(f"{dead} of {len(ordered)} have shrunk to nothing", loc="left")
    return figure


def activation(
    picture: "torch.Tensor",
    values: "torch.Tensor",
    top: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """One channel's map over the picture that caused it: the lighter, the more active.

    ``picture``: uint8 (3, H, W). ``values``: the channel's map, (h, w), not negative; one square
    is one unit. ``top`` is what counts as most, by default the map's own highest.
    """
    return _overlay(picture, shaded(values, top), title, "nearest", ax)


def activations(picture: "torch.Tensor", maps: "Mapping[str, torch.Tensor]") -> Figure:
    """Several channels' maps over the same picture, side by side, each to its own highest.

    ``maps``: title to (h, w). See ``activation``. Raises ``BadInput`` without maps.
    """
    figure, spots = _grid(1, len(maps))
    for ax, (title, values) in zip(spots[0], maps.items(), strict=True):
        activation(picture, values, title=title, ax=ax)
    return figure


def cams(panels: "Mapping[str, tuple[torch.Tensor, torch.Tensor]]") -> Figure:
    """Pictures side by side, and below each where it speaks for its class.

    ``panels``: title to picture and heat, as ``cam`` takes them. Raises ``BadInput`` without any.
    """
    figure, spots = _grid(2, len(panels))
    for above, below, (title, (picture, heat)) in zip(*spots, panels.items(), strict=True):
        above.imshow(picture.permute(1, 2, 0).numpy(), interpolation="bilinear")
        with mpl.rc_context(PANELS):
            above.set_title(title, parse_math=False)
        above.set_yticks([])
        bare(above)
        cam(picture, heat, ax=below)
    return figure


def _grid(rows: int, columns: int) -> tuple[Figure, np.ndarray]:
    if not columns:
        raise store.BadInput("a row of pictures", "it has none to show", "Pass one at least")
    with mpl.rc_context(PANELS):
        figure = blank(2.0 * columns, 2.0 * rows + 0.4)
        figure.get_layout_engine().set(h_pad=0.06, w_pad=0.04)
        return figure, figure.subplots(rows, columns, squeeze=False)


def cam(
    picture: "torch.Tensor", heat: "torch.Tensor", title: str = "", ax: Axes | None = None
) -> Axes:
    """Where a picture speaks for a class, over the picture. ``heat``: (H, W), from 0 to 1."""
    return _overlay(picture, shaded(heat, 1.0, "cam"), title, "bilinear", ax)


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
    shown = (
        picture.permute(1, 2, 0).numpy(),
        greyed(picture),
        shaded(values),
        preferred.permute(1, 2, 0).numpy(),
        _two_rows(patches.permute(0, 2, 3, 1).numpy()),
    )
    if figure is None:
        figure = _panels()
    images = [image for ax in figure.axes for image in ax.images]
    for image, data in zip(images, shown, strict=True):
        image.set_data(data)
    with mpl.rc_context(PANELS):
        figure.axes[1].set_title(title, parse_math=False)
    return figure


def _panels() -> Figure:
    """Four empty panels for ``channel``, at fixed places: arranging them would take time."""
    panels = {
        "the picture": (1, ("bilinear",)),
        "": (1, ("bilinear", "nearest")),  # a map over the picture: its units are to be seen
        "made for this channel": (1, ("bilinear",)),
        "what excites it most": (1.5, ("nearest",)),
    }
    whole, left = sum(width for width, _ in panels.values()), 0.0
    with mpl.rc_context(PANELS):
        figure = Figure(figsize=(9.4, 2.25), dpi=QUICK_DPI)
        FigureCanvasAgg(figure)
        for title, (width, layers) in panels.items():
            ax = figure.add_axes((left / whole + 0.005, 0.02, 0.94 * width / whole, 0.85))
            left += width
            for smooth in layers:
                ax.imshow(np.zeros((1, 1, 3)), extent=(0, width, 1, 0), interpolation=smooth)
            ax.set_title(title)
            ax.set_axis_off()
    return figure


def _two_rows(tiles: np.ndarray) -> np.ndarray:
    """Up to six tiles (N, P, P, 3) in two rows of three with white between them."""
    size = tiles.shape[1]
    gap = max(1, size // 16)
    sheet = np.full((2 * size + gap, 3 * size + 2 * gap, 3), 255, np.uint8)
    for index, tile in enumerate(tiles[:6]):
        top, left = index // 3 * (size + gap), index % 3 * (size + gap)
        sheet[top : top + size, left : left + size] = tile
    return sheet


def shaded(
    values: "torch.Tensor", top: float | None = None, kind: str = "activation"
) -> np.ndarray:
    """A map (h, w) as RGBA, float (h, w, 4): darker and more transparent where there is less."""
    values = values.detach().cpu().numpy().astype(float)
    top = float(values.max()) if top is None else top
    share = np.clip(values / top, 0, 1) if top > 0 else np.zeros_like(values)
    colours = mpl.colormaps[SHADES[kind]](share)
    colours[..., 3] = FAINT + (STRONG - FAINT) * share
    return colours


def greyed(picture: "torch.Tensor") -> np.ndarray:
    """A picture without its colours, so that those laid over it can be read: uint8 (H, W, 3)."""
    grey = np.tensordot([0.299, 0.587, 0.114], picture.numpy(), 1)
    return np.repeat(grey.round().astype(np.uint8)[..., None], 3, 2)


def _overlay(picture, colours: np.ndarray, title: str, smooth: str, ax: Axes | None) -> Axes:
    ax = ax or axes(3.0, 3.3)
    height, width = picture.shape[1:]
    extent = (-0.5, width - 0.5, height - 0.5, -0.5)  # a map has fewer pixels than the picture
    ax.imshow(_coarse(greyed(picture)), extent=extent, interpolation="nearest")
    ax.imshow(colours, extent=extent, interpolation=smooth)
    with mpl.rc_context(STYLE):
        ax.set_title(title, parse_math=False)
    ax.set_yticks([])
    return bare(ax)


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


def _ordered(weights: np.ndarray) -> tuple[np.ndarray, int]:
    """Filters in order as pictures, uint8 (N, h, w, 3), and how many have not shrunk to nothing."""
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
    return shades[order].round().astype(np.uint8).transpose(0, 2, 3, 1), int((~dead).sum())


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


def _tiles(ax: Axes, tiles: np.ndarray, columns: int) -> None:
    """Small pictures (N, h, w, 3) in rows, with a white line between them."""
    height, width = tiles.shape[1:3]
    rows = -(-len(tiles) // columns)
    sheet = np.full((rows * (height + 1) - 1, columns * (width + 1) - 1, 3), 255, np.uint8)
    for index, tile in enumerate(tiles):
        top, left = index // columns * (height + 1), index % columns * (width + 1)
        sheet[top : top + height, left : left + width] = tile
    ax.imshow(sheet, interpolation="nearest")
    ax.set_yticks([])
    bare(ax)
