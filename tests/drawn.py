"""What a chart shows: its marks, words and colours."""

from matplotlib.colors import to_hex
from matplotlib.text import Text

# names as folders and people have them, which are no mathematics and may be no text at all
ODD = (
    "$a$ of $\\frac{$",
    "$",
    "\\$ a_b^c\\",
    "x" * 5000,
    "🍃 leaf",
    "\udcff",
    "a\0\tb\n",
    "梨",
    "",
)


def colour(artist) -> str:
    return to_hex(artist.get_color()).upper()


def marks(ax, markers: str = "osv^DXdx+") -> list:
    """The lines of single points, in the order in which they were drawn."""
    return [line for line in ax.lines if line.get_marker() in (*markers,)]


def xs(ax, markers: str = "osv^DXdx+") -> list[float]:
    """Where single points stand, from left to right as they were drawn."""
    return [float(line.get_xdata()[0]) for line in marks(ax, markers)]


def texts(owner) -> list[str]:
    """Words on axes, or of tick labels."""
    found = [text.get_text() for text in getattr(owner, "texts", owner)]
    return [text.replace(r"\$", "$") for text in found if text]


def titles(figure) -> list[str]:
    return [ax.get_title(loc="left").replace(r"\$", "$") for ax in figure.axes]


def key(owner) -> list[str]:
    """The names beside colours and marks, of a figure or of axes."""
    legends = getattr(owner, "legends", None) or [owner.get_legend()]
    return [text.get_text() for legend in legends for text in legend.get_texts()]


def assert_apart(words) -> None:
    """None covers another, or leaves the picture."""
    figure = words[0].get_figure()
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in words]  # without the lines that lead there
    for index, box in enumerate(boxes):
        name = words[index].get_text()
        assert min(box.x0, box.y0) >= 0, name
        assert box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, name
        for other, text in zip(boxes[:index], words, strict=False):
            assert not box.overlaps(other), (name, text.get_text())
