"""Claims, repeated runs, intervals and verdicts: what the course says, and how it knows."""

from tl_course.evidence.claims import CLAIMS, Claim
from tl_course.evidence.foresight import foreseen
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.results import chosen, load, machine, means, save
from tl_course.evidence.rules import settle, table
from tl_course.evidence.rules.forgetting import at_rate, best_rate, tuned
from tl_course.evidence.rules.freezing import found_by_experiment, sweet_spot
from tl_course.evidence.runs import flip, repeat, sweep, tested_best, tune
from tl_course.evidence.suspects import gains
from tl_course.evidence.verdicts import Verdict, compare, pooled, scores
from tl_course.evidence.worth import Factor, epochs_needed, factor, labels_needed, times_the_labels

__all__ = [
    "CLAIMS",
    "Claim",
    "Factor",
    "Interval",
    "Verdict",
    "at_rate",
    "best_rate",
    "chosen",
    "compare",
    "epochs_needed",
    "factor",
    "flip",
    "foreseen",
    "found_by_experiment",
    "gains",
    "labels_needed",
    "load",
    "machine",
    "means",
    "paired",
    "pooled",
    "repeat",
    "save",
    "scores",
    "settle",
    "sweep",
    "sweet_spot",
    "table",
    "tested_best",
    "times_the_labels",
    "tune",
    "tuned",
]
