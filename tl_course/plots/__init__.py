"""Every chart and picture. Takes ``ax=None``, returns the ``Axes``; colours mean one thing each."""

from tl_course.plots.anatomy import anatomy
from tl_course.plots.charts import (
    by_rate,
    differences,
    label_curves,
    learning_curves,
    rate_finder,
    runs,
    scatter,
    tradeoff,
)
from tl_course.plots.layers import (
    activation,
    activations,
    cam,
    cams,
    channel,
    filters,
    gallery,
)
from tl_course.plots.letters import reading
from tl_course.plots.pictures import answers, contact_sheet
from tl_course.plots.stages import by_stage, heat_map
from tl_course.plots.style import COLOURS, axes, jpeg, png, show, small_png

__all__ = [
    "COLOURS",
    "activation",
    "activations",
    "anatomy",
    "answers",
    "axes",
    "by_rate",
    "by_stage",
    "cam",
    "cams",
    "channel",
    "contact_sheet",
    "differences",
    "filters",
    "gallery",
    "heat_map",
    "jpeg",
    "label_curves",
    "learning_curves",
    "png",
    "rate_finder",
    "reading",
    "runs",
    "scatter",
    "show",
    "small_png",
    "tradeoff",
]
