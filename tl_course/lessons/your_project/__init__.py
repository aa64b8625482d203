"""Lesson 13: Which strategy fits your data, and does it work on your photos?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "rules"],
    submod_attrs={
        "handover": ["card"],
        "charts": [
            *("calibration", "mistakes", "outlook", "pairs", "picked", "standings"),
            "strangers",
        ],
        "checks": ["check_choice", "check_groups", "check_threshold"],
        "example": ["example_folder"],
        "experiment": ["doubt"],
        "inspection": ["counts", "likeness", "suspects", "twins"],
        "prospects": ["Outlook", "learning_curve"],
        "recipe": ["Race", "confidence", "level", "threshold"],
    },
)
