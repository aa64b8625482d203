"""A chart that stays while marks on it come and go."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg

from tl_course.plots.style import figure_of, pixels

if TYPE_CHECKING:
    from matplotlib.artist import Artist


class Still:
    """A chart that stays, with marks that come and go: a picture in a fifth of the time."""

    def __init__(self, ax: Axes) -> None:
        self.ax, self.figure = ax, figure_of(ax)
        self._canvas = cast(FigureCanvasAgg, self.figure.canvas)
        self._canvas.draw()
        self.figure.set_layout_engine("none")  # marks must not move what is drawn
        self._bare = self._laid = self._canvas.copy_from_bbox(self.figure.bbox)

    def lay(self, marks: "Sequence[Artist]") -> None:
        """Draw ``marks`` under those that come and go, until others take their place."""
        self._draw(self._bare, marks)
        self._laid = self._canvas.copy_from_bbox(self.figure.bbox)

    def png(self, marks: "Sequence[Artist]") -> bytes:
        """The chart with ``marks``, which are removed from it."""
        self._draw(self._laid, marks)
        buffer = io.BytesIO()
        pixels(self.figure).save(buffer, "PNG", compress_level=3)
        return buffer.getvalue()

    def _draw(self, under, marks: "Sequence[Artist]") -> None:
        self._canvas.restore_region(under)
        for mark in marks:
            self.ax.draw_artist(mark)
            mark.remove()
