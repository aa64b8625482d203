"""Every chart and picture. Takes ``ax=None``, returns the ``Axes``; colours mean one thing each."""

from tl_course.plots.charts import differences, learning_curves, runs
from tl_course.plots.pictures import answers, contact_sheet
from tl_course.plots.style import COLOURS, axes, png, show

__all__ = [
    "COLOURS",
    "answers",
    "axes",
    "contact_sheet",
    "differences",
    "learning_curves",
    "png",
    "runs",
    "show",
]
