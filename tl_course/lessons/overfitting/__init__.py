"""Lesson 06: 99 % in training, 65 % in the test: what happened?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "curves", "experiment", "recipe", "rules"],
    submod_attrs={
        "charts": ["confidence", "cures", "fit_curves", "gaps", "reliability"],
        "checks": ["check_augmentation", "check_smaller_gap", "check_stopping"],
        "experiment": ["lab", "which_is_overfitting"],
        "recipe": ["augmented", "build", "CURES", "learn", "RECIPE"],
    },
)
