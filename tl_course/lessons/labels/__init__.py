"""Lesson 05: How many labels, how much time does it save?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "experiment", "rules", "worth"],
    submod_attrs={
        "charts": [
            "by_epoch",
            "by_target",
            "costs",
            "gains_by_labels",
            "shares",
            "worth_in_labels",
        ],
        "checks": ["check_fair", "check_labels_needed", "check_plan", "plan_cost"],
        "experiment": ["exchange"],
        "rules": ["CLASSES"],
        "worth": ["epochs_needed", "factor", "times_the_labels"],
    },
)
