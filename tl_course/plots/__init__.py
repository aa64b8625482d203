"""The few kinds of chart that lessons share. Each takes ``ax=None`` and returns the ``Axes``."""

from tl_course.plots.charts import label_curves, learning_curves, runs
from tl_course.plots.effects import differences, forest
from tl_course.plots.grids import panels
from tl_course.plots.maps import cams, overlay
from tl_course.plots.pictures import contact_sheet, gallery, photographs
from tl_course.plots.stages import by_stage, heat_map
from tl_course.plots.still import Still
from tl_course.plots.style import COLOURS, Look, axes, jpeg, png, show, small_png

__all__ = [
    "COLOURS",
    "Look",
    "Still",
    "axes",
    "by_stage",
    "cams",
    "contact_sheet",
    "differences",
    "forest",
    "gallery",
    "heat_map",
    "jpeg",
    "label_curves",
    "learning_curves",
    "overlay",
    "panels",
    "photographs",
    "png",
    "runs",
    "show",
    "small_png",
]
