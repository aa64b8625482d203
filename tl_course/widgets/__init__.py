"""The interactive experiments. Each has a picture that stands in where no kernel runs."""

from tl_course.widgets.experiment import Experiment, predict
from tl_course.widgets.pictures import two_opinions

__all__ = ["Experiment", "predict", "two_opinions"]
