"""Predictions kept for later, checks of the exercises, and experiments to play with."""

import lazy_loader

from tl_course.practice.order import watch

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["experiment", "grading", "order", "predictions", "pupil", "teach"],
    submod_attrs={
        "experiment": ["Experiment", "Slider", "predict", "predict_ranking"],
        "grading": ["NotYet", "graded"],
        "predictions": ["commit", "compare", "compare_ranking", "ranking", "recall"],
        "teach": ["Teach"],
    },
)

watch()
