"""The interactive experiments. Each has a picture that stands in where no kernel runs."""

from tl_course.widgets.experiment import Experiment, predict, rank
from tl_course.widgets.feeding import broken_on_purpose, mystery_fault
from tl_course.widgets.forgetting import forgetting
from tl_course.widgets.freezing import freeze_slider
from tl_course.widgets.head import head_bench
from tl_course.widgets.labels import label_exchange
from tl_course.widgets.languages import letter_by_letter, teach_italian
from tl_course.widgets.layers import explore_layers
from tl_course.widgets.overfitting import overfitting_lab, which_is_overfitting
from tl_course.widgets.pictures import two_opinions
from tl_course.widgets.suspects import suspects_board

__all__ = [
    "Experiment",
    "broken_on_purpose",
    "explore_layers",
    "forgetting",
    "freeze_slider",
    "head_bench",
    "label_exchange",
    "letter_by_letter",
    "mystery_fault",
    "overfitting_lab",
    "predict",
    "rank",
    "suspects_board",
    "teach_italian",
    "two_opinions",
    "which_is_overfitting",
]
