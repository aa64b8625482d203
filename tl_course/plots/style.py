"""What all charts share: size, colours with one meaning each, and how they are shown."""

import io
import re
from typing import Any, Literal, NamedTuple, cast

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

DPI = 110
LARGE = 120_000  # bytes
# Okabe and Ito's colour-blind safe palette (2008) and two darker tones, one fixed meaning each
COLOURS = {
    "pretrained": "#0072B2",
    "fine-tuning": "#0072B2",
    "from scratch": "#D55E00",
    "linear probe": "#009E73",
    "frozen": "#009E73",
    "old head renamed": "#CC79A7",
    "probe on old head": "#E69F00",
    "probe on random backbone": "#7A7A7A",
    "random": "#7A7A7A",
    "nothing": "#D55E00",
    "related language": "#0072B2",
    "other language": "#56B4E9",
    "made on purpose": "#CC79A7",
    "near": "#440154",  # tasks, by how far they are from photographs of things
    "middle": "#21778C",
    "far": "#7A9A01",
    "new job": "#0072B2",
    "old job": "#222222",
    "rehearsal": "#332288",
    "L2-SP": "#8C6D1F",
    "LoRA": "#E69F00",
    "training": "#5B2A86",
    "validation": "#148A99",
    "test": "#A61E4D",
    "confidence when right": "#5C5C5C",
    "confidence when wrong": "#9A4F0B",
    "frozen to layer1": "#1B2F73",  # between fine-tuning and head alone; they differ in grey too
    "frozen to layer2": "#3FA9C9",
    "frozen to layer3": "#0E5A54",
    "frozen to block6": "#0E5A54",
    "likeness": "#556B2F",
    "head alone": "#009E73",
    "head on random backbone": "#7A7A7A",
    "fed wrongly": "#222222",
}


def colour_of(label: str) -> str | None:
    """The colour whose name ``label`` begins with, or ``None``; the longest such name counts."""
    names = [name for name in COLOURS if label.startswith(name)]
    return COLOURS[max(names, key=len)] if names else None


STYLE: dict[Any, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlelocation": "left",
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlepad": 10,
    "axes.labelsize": 10.5,
    "font.size": 10,
}
styled = mpl.rc_context(STYLE)  # a decorator: what the function draws is in the course's style


class Look(NamedTuple):
    """How marks of one kind are drawn. ``marker``: as in matplotlib; without one, a line."""

    colour: str
    marker: str = ""
    hollow: bool = False

    def sample(self) -> dict[str, Any]:
        """What ``Line2D`` needs to show the look beside its name."""
        return self.point() if self.marker else {"color": self.colour, "linewidth": 3}

    def point(self, size: float = 8) -> dict[str, Any]:
        """What ``Axes.plot`` needs to draw single points; ``size`` in points."""
        face = "white" if self.hollow else self.colour
        point = {"marker": self.marker, "markerfacecolor": face, "markersize": size}
        return {"color": self.colour, "linestyle": "", **point}


def blank(width: float, height: float) -> Figure:
    """An empty figure at the course's resolution that lays itself out; sizes in inches."""
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def legible(text: object, most: int = 60) -> str:
    """A text from data as matplotlib is to draw it: literally, and cut after ``most`` characters.

    Without mathematics between dollars, and "?" for what is no character. Twice is once.
    """
    text = str(text)
    text = text if len(text) <= most else f"{text[:most]}…"
    return re.sub(r"(?<!\\)\$", r"\\$", text.encode("utf-8", "replace").decode())


@styled
def axes(width: float = 8.0, height: float = 4.0, title: str = "") -> Axes:
    """Empty axes in the course's style on a new figure; sizes in inches. No window opens."""
    ax = blank(width, height).add_subplot()
    ax.set_title(legible(title, 400))
    return ax


@styled
def entitle(ax: Axes, title: str, **font) -> None:
    """Set the title of ``ax`` in the course's style."""
    ax.set_title(legible(title, 400), **font)


def figure_of(ax: Axes) -> Figure:
    """The whole figure that ``ax`` is a part of."""
    return cast(Figure, ax.get_figure(root=True))


def lined(ax: Axes, axis: Literal["x", "y"]) -> None:
    """Light lines behind what is drawn, at the numbers of ``axis``: "x" or "y"."""
    ax.grid(axis=axis, color="#E5E5E5")
    ax.set_axisbelow(True)


def png(figure: Figure) -> bytes:
    """The figure as PNG. Drawn once, where ``savefig`` draws twice: sliders need it soon."""
    return _encoded(figure, "RGB", "PNG")


def jpeg(figure: Figure) -> bytes:
    """The figure as JPEG: of pictures, a third as large as PNG and ten times as fast."""
    return _encoded(figure, "RGB", "JPEG", quality=90, subsampling=0)


def small_png(figure: Figure) -> bytes:
    """The figure as PNG in 256 colours: of pictures, a third as large as in all colours."""
    return _encoded(figure, "P", "PNG", optimize=True)


def pixels(figure: Figure) -> Image.Image:
    """What has been drawn of the figure."""
    canvas = cast(FigureCanvasAgg, figure.canvas)
    return Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")


def _encoded(figure: Figure, mode: str, kind: str, **options) -> bytes:
    figure.canvas.draw()
    picture = pixels(figure)
    if mode == "P":  # a rare colour, such as that of the few most active units, keeps its place
        picture = picture.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def show(chart: Axes | Figure, alt: str) -> None:
    """Display a chart in the notebook, with ``alt`` for those who cannot see it."""
    from IPython.display import display

    figure = chart if isinstance(chart, Figure) else figure_of(chart)
    picture = png(figure)
    if len(picture) > LARGE:  # full of photographs: a notebook has room for few such
        picture = small_png(figure)
    bundle = {"image/png": picture, "text/plain": alt}
    display(bundle, raw=True, metadata={"image/png": {"alt": alt}})
