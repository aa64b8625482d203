"""Claims, repeated runs, intervals and verdicts: what the course says, and how it knows."""

from tl_course.evidence.claims import CLAIMS, Claim
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.results import chosen, load, machine, means, save
from tl_course.evidence.runs import (
    best_rates,
    flip,
    learned,
    pace,
    repeat,
    sweep,
    tested_best,
    tune,
)
from tl_course.evidence.verdicts import Verdict, compare, gains, pooled, scores

__all__ = [
    "CLAIMS",
    "Claim",
    "Interval",
    "Verdict",
    "best_rates",
    "chosen",
    "compare",
    "flip",
    "gains",
    "learned",
    "load",
    "machine",
    "means",
    "pace",
    "paired",
    "pooled",
    "repeat",
    "save",
    "scores",
    "sweep",
    "tested_best",
    "tune",
]
