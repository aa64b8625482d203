"""Lesson 07: Do you forget Spanish?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "rules"],
    submod_attrs={
        "charts": ["by_rate", "rate_finder", "tradeoff"],
        "checks": ["both", "check_between", "check_both", "check_merged"],
        "experiment": ["price_list"],
    },
)
