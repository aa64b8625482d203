"""Predictions kept for later, and checks of the exercises that say what the model shows."""

from tl_course.practice.analogy import check_cipher, check_hurts, check_language
from tl_course.practice.forgetting import both, check_between, check_both, check_merged
from tl_course.practice.head import (
    check_frozen_training,
    check_head_only,
    check_rates,
    check_sewn,
)
from tl_course.practice.layers import check_channel, check_disguise, check_features
from tl_course.practice.predictions import commit, compare, compare_rank, rank, recall

__all__ = [
    "both",
    "check_between",
    "check_both",
    "check_channel",
    "check_cipher",
    "check_disguise",
    "check_features",
    "check_frozen_training",
    "check_head_only",
    "check_hurts",
    "check_language",
    "check_merged",
    "check_rates",
    "check_sewn",
    "commit",
    "compare",
    "compare_rank",
    "rank",
    "recall",
]
