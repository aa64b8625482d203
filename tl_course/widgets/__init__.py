"""The interactive experiments. Each has a picture that stands in where no kernel runs."""

from tl_course.widgets.experiment import Experiment, predict, rank
from tl_course.widgets.forgetting import forgetting
from tl_course.widgets.head import head_bench
from tl_course.widgets.languages import letter_by_letter, teach_italian
from tl_course.widgets.layers import explore_layers
from tl_course.widgets.pictures import two_opinions

__all__ = [
    "Experiment",
    "explore_layers",
    "forgetting",
    "head_bench",
    "letter_by_letter",
    "predict",
    "rank",
    "teach_italian",
    "two_opinions",
]
