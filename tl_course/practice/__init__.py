"""Predictions kept for later, and checks of the exercises that say what the model shows."""

from tl_course.practice.analogy import check_cipher, check_hurts, check_language
from tl_course.practice.feeding import (
    CLUES,
    camera_files,
    check_diagnoses,
    check_numbers,
    check_prepare,
    diagnose_fault,
    feeding_cases,
    their_leaves,
)
from tl_course.practice.forgetting import both, check_between, check_both, check_merged
from tl_course.practice.freezing import check_held, check_hundred, check_ladder, pass_mark
from tl_course.practice.head import (
    check_frozen_training,
    check_head_only,
    check_rates,
    check_sewn,
)
from tl_course.practice.labels import check_fair, check_labels_needed, check_plan, plan_cost
from tl_course.practice.layers import check_channel, check_disguise, check_features
from tl_course.practice.negative import (
    check_centroid,
    check_harmless,
    check_judge,
    check_spared,
)
from tl_course.practice.overfitting import (
    LOOKS,
    check_augmentation,
    check_smaller_gap,
    check_stopping,
    curve_cases,
    diagnose,
)
from tl_course.practice.predictions import commit, compare, compare_rank, rank, recall

__all__ = [
    "CLUES",
    "LOOKS",
    "both",
    "camera_files",
    "check_augmentation",
    "check_between",
    "check_both",
    "check_centroid",
    "check_channel",
    "check_cipher",
    "check_diagnoses",
    "check_disguise",
    "check_fair",
    "check_features",
    "check_frozen_training",
    "check_head_only",
    "check_harmless",
    "check_held",
    "check_hundred",
    "check_hurts",
    "check_judge",
    "check_labels_needed",
    "check_ladder",
    "check_language",
    "check_merged",
    "check_numbers",
    "check_plan",
    "check_prepare",
    "check_rates",
    "check_sewn",
    "check_smaller_gap",
    "check_spared",
    "check_stopping",
    "commit",
    "compare",
    "compare_rank",
    "curve_cases",
    "diagnose",
    "diagnose_fault",
    "feeding_cases",
    "pass_mark",
    "plan_cost",
    "rank",
    "recall",
    "their_leaves",
]
