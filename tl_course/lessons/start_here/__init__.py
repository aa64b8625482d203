"""Lesson 00: What does a pretrained network buy you in ninety seconds?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["checks", "experiment", "rules"],
    submod_attrs={
        "checks": ["check_head_only"],
        "experiment": ["two_opinions"],
    },
)
