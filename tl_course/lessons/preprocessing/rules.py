"""The rules of lesson 09: inputs prepared as in pretraining, and as in your own training."""

from tl_course.evidence.findings import HURTS
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "09_preprocessing"
RIGHT, WRONG, TRAINED = "right", "fed wrongly", "fine-tuned"
ELSEWHERE = ("training mode", "labels off by one", "classes in another order")  # not the inputs


def _cells(runs: Runs, strategy: str) -> list[dict]:
    """Every fault of the inputs on every task, of networks that were treated in one way."""
    cells = runs.cells("fault", "task", strategy=strategy)
    return [cell for cell in cells if cell["fault"] not in (RIGHT, *ELSEWHERE)]


def _verdict(strategy: str, subject: str) -> Verdict:
    runs = stored("sweep_feeding")
    rows = [
        runs.row({}, {"fault": RIGHT}, cell["fault"], (HURTS,), **cell)
        for cell in _cells(runs, strategy)
    ]
    return concluded(subject, rows)


def as_pretrained_rule() -> Verdict:
    """prep-1: a network that is fine-tuned and tested on inputs that are not as in pretraining."""
    subject = "Fine-tuning on inputs that are prepared otherwise than in pretraining"
    return _verdict(TRAINED, subject)


def as_trained_rule() -> Verdict:
    """prep-2: a network that was trained rightly is fed wrongly, in many ways, on each task."""
    return _verdict(WRONG, "Predicting on inputs that are prepared otherwise than in training")


RULES = {
    "prep-1": as_pretrained_rule,
    "prep-2": as_trained_rule,
}
