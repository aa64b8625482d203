"""Predictions kept for later, and checks of the exercises that say what the model shows."""

from tl_course.practice.analogy import check_cipher, check_hurts, check_language
from tl_course.practice.forgetting import both, check_between, check_both, check_merged
from tl_course.practice.head import check_head_only
from tl_course.practice.predictions import commit, compare, compare_rank, rank, recall

__all__ = [
    "both",
    "check_between",
    "check_both",
    "check_cipher",
    "check_head_only",
    "check_hurts",
    "check_language",
    "check_merged",
    "commit",
    "compare",
    "compare_rank",
    "rank",
    "recall",
]
