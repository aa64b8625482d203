"""Claims, repeated runs, intervals and verdicts: what the course says, and how it knows."""

from tl_course.evidence.claims import CLAIMS, Claim
from tl_course.evidence.findings import Contrast, Row, judged, overall
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.nearness import distance_of
from tl_course.evidence.results import (
    Runs,
    chosen,
    distances,
    gains,
    load,
    machine,
    means,
    near_and_far,
    save,
)
from tl_course.evidence.runs import (
    best_rates,
    fit_or_stop,
    flip,
    learned,
    pace,
    tested,
    tested_best,
    tune,
)
from tl_course.evidence.sweeps import Sweep, contrasts, grid, sweep
from tl_course.evidence.verdicts import Verdict, concluded

__all__ = [
    "CLAIMS",
    "Claim",
    "Contrast",
    "Interval",
    "Row",
    "Runs",
    "Sweep",
    "Verdict",
    "best_rates",
    "chosen",
    "concluded",
    "contrasts",
    "distance_of",
    "distances",
    "fit_or_stop",
    "flip",
    "gains",
    "grid",
    "judged",
    "learned",
    "load",
    "machine",
    "means",
    "near_and_far",
    "overall",
    "pace",
    "paired",
    "save",
    "sweep",
    "tested",
    "tested_best",
    "tune",
]
