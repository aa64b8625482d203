"""The widget of lesson 13: when should a model say that it does not know?"""

import html
from collections.abc import Mapping

import numpy as np

from tl_course import plots, store
from tl_course.lessons.your_project.charts import doubts
from tl_course.practice.experiment import Experiment, Slider, choice


def doubt(
    right: np.ndarray, ours: Mapping[str, np.ndarray], strange: Mapping[str, np.ndarray]
) -> Experiment:
    """Move the limit below which answers are refused; see what is kept and what is lost.

    ``ours``: measures by name, such as confidence, each (N,) from 0 to 1, for pictures of the
    model's classes, which it got ``right`` (N,); ``strange``: the same (M,) for other pictures.
    Raises ``BadInput`` where one of them is empty.
    """
    some = len(right) and ours and all(map(len, strange.values()))
    if not some or ours.keys() != strange.keys() or {*map(len, ours.values())} != {len(right)}:
        cause = "it needs pictures of the classes and others, by the same measures"
        raise store.BadInput("doubt", cause, "Pass some of both")
    slider = Slider("refuse below %", 0, 100, value=40, style={"description_width": "initial"})
    measures = choice("measure", [*ours])
    ax = plots.axes(8.0, 2.9)

    def draw(least: int, measure: str) -> dict:
        known, odd, limit = ours[measure], strange[measure], least / 100
        doubts(known, right, odd, limit, measure, ax=ax)
        kept, fooled = known >= limit, int((odd >= limit).sum())
        share = f", {right[kept].mean():.0%} of them right" if kept.any() else ""
        said = (
            f"By {html.escape(measure)} it answers <b>{kept.sum()}</b> of {len(known)} pictures of "
            f"its classes{share}. Of {len(odd)} pictures of other things it still names "
            f"<b>{fooled}</b>."
        )
        return {"picture": plots.png(ax.figure), "said": said}

    alt = "Every answer as a point; those left of the limit are refused."
    return Experiment([{"least": slider, "measure": measures}], draw, alt)
