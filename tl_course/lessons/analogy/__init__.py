"""Lesson 01: Does a network that reads Spanish learn Italian faster?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "rules"],
    submod_attrs={
        "charts": ["reading", "scatter"],
        "checks": ["check_cipher", "check_hurts", "check_language"],
        "experiment": ["letter_by_letter", "teach_italian"],
    },
)
