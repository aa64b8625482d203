"""Lesson 03: How do you give a trained network a new job?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["checks", "experiment", "rules"],
    submod_attrs={
        "checks": ["check_frozen_training", "check_rates", "check_sewn"],
        "experiment": ["bench"],
    },
)
