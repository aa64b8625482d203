"""Predictions kept for later, checks of the exercises, and experiments to play with."""

from tl_course.practice.experiment import Experiment, Slider, predict, predict_ranking
from tl_course.practice.grading import NotYet, graded
from tl_course.practice.predictions import commit, compare, compare_ranking, ranking, recall

__all__ = [
    "Experiment",
    "NotYet",
    "Slider",
    "commit",
    "compare",
    "compare_ranking",
    "graded",
    "predict",
    "predict_ranking",
    "ranking",
    "recall",
]
