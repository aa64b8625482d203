"""The rule of lesson 00."""

from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "00_start_here"
SMALL = (200, 1000)  # labels; the articles speak of 1,000
SCRATCH = "from scratch"


def small_set_rule() -> Verdict:
    """why-1: with 200 labels and with 1,000, fine-tuning against training from scratch."""
    runs = stored("sweep_freezing")
    cells = [cell for count in SMALL for cell in runs.cells("task", labels=count)]
    rows = [runs.row("fine-tuning", SCRATCH, **cell) for cell in cells]
    subject = "On a small labelled set, fine-tuning instead of training from scratch"
    alone = runs.rows(strategy=SCRATCH)
    return concluded(subject, rows, baseline=alone[alone.labels.isin(SMALL)])


RULES = {
    "why-1": small_set_rule,
}
