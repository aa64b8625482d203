"""Predictions kept for later, and checks of the exercises that say what the model shows."""

from tl_course.practice.head import check_head_only
from tl_course.practice.predictions import commit, compare, recall

__all__ = ["check_head_only", "commit", "compare", "recall"]
