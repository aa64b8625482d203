"""Lesson 02: What does each layer know?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "rules"],
    submod_attrs={
        "charts": ["activations", "cams", "filters"],
        "checks": ["check_channel", "check_disguise", "check_features"],
        "experiment": ["explorer"],
        "rules": [
            "CHANCE",
            "EXPECTED",
            "HALVED",
            "halved",
            "probe_table",
            "readable_at",
            "TABLE",
            "TARGETS",
        ],
    },
)
