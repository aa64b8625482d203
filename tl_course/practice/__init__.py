"""Predictions kept for later, checks of the exercises, and experiments to play with."""

from tl_course.practice.experiment import Experiment, Slider, predict, predict_ranking
from tl_course.practice.patience import hooked, not_a_reader, one_line, patient
from tl_course.practice.predictions import commit, compare, compare_ranking, ranking, recall

__all__ = [
    "Experiment",
    "Slider",
    "commit",
    "compare",
    "compare_ranking",
    "hooked",
    "not_a_reader",
    "one_line",
    "patient",
    "predict",
    "predict_ranking",
    "ranking",
    "recall",
]
