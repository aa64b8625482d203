"""Lesson 09: Same picture, same weights, wrong answer: why?"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["charts", "checks", "clues", "experiment", "faults", "rules"],
    submod_attrs={
        "charts": [
            "confusions",
            "fault_costs",
            "fed_gallery",
            "input_histograms",
            "repairs",
            "Tile",
        ],
        "checks": [
            "camera_files",
            "check_diagnoses",
            "check_numbers",
            "check_prepare",
            "their_leaves",
        ],
        "clues": ["feeding_cases"],
        "experiment": ["broken_on_purpose", "mystery_fault"],
        "faults": ["asked", "compressed", "FAULTS", "logits", "preparation", "RIGHT"],
    },
)
