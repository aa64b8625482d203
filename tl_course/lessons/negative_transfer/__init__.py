"""Lesson 08: When does borrowing knowledge hurt?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "foresight", "rules"],
    submod_attrs={
        "charts": ["correlations", "duel", "pair", "scores_and_gains", "suspects", "two_ways"],
        "checks": ["check_centroid", "check_harmless", "check_judge", "check_spared"],
        "experiment": ["board"],
        "foresight": ["foreseen"],
    },
)
