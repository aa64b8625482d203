"""Claims, repeated runs, intervals and verdicts: what the course says, and how it knows."""

from tl_course.evidence.claims import CLAIMS, Claim
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.results import chosen, load, machine, means, save
from tl_course.evidence.rules import settle, table
from tl_course.evidence.rules.forgetting import at_rate, best_rate, tuned
from tl_course.evidence.runs import flip, repeat, sweep, tune
from tl_course.evidence.verdicts import Verdict, compare, pooled

__all__ = [
    "CLAIMS",
    "Claim",
    "Interval",
    "Verdict",
    "at_rate",
    "best_rate",
    "chosen",
    "compare",
    "flip",
    "load",
    "machine",
    "means",
    "paired",
    "pooled",
    "repeat",
    "save",
    "settle",
    "sweep",
    "table",
    "tune",
    "tuned",
]
