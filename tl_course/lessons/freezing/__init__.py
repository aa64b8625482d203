"""Lesson 04: How much of it should you freeze?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "recipe", "rules"],
    submod_attrs={
        "charts": ["batches_shown", "by_group", "depth_lines", "depth_maps", "standings"],
        "checks": ["check_held", "check_hundred", "check_ladder"],
        "experiment": ["slider"],
        "recipe": ["PRETRAINED"],
    },
)
