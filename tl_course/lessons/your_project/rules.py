"""The rule of lesson 13."""

from tl_course.evidence.findings import HELPS, SAME, Row
from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "13_your_project"
LABELS, WORKS, HOUR = 200, 0.8, 3600  # training pictures; accuracy of a model that works; seconds


def prototype_rule() -> Verdict:
    """proto-1: does a minute's computing, from files to a model, give one that works?

    With up to 200 labelled pictures of each target: the balanced accuracy of the head alone on
    ``lite0`` against 80 %. How long it took is said besides.
    """
    runs = stored("sweep_project")
    rows = []
    for cell in runs.cells("task"):
        found = runs.rows(**cell).set_index("seed")
        rows.append(
            Row(cell["task"], "right in 80 %", [*(found.test_balanced - WORKS)], (HELPS, SAME))
        )
    seconds = runs.frame.seconds
    more = (
        f"From files to a model took {seconds.min():.0f} to {seconds.max():.0f} seconds of "
        f"computing on one core, an hour's {HOUR / seconds.max():.0f}th part at most."
    )
    says = (
        "falls short of working on {}",
        "works on {}",
        "just works on {}",
        "may or may not work on {}",
    )
    subject = f"A prototype of a minute, the head alone on lite0 with {LABELS} pictures or fewer,"
    return concluded(subject, rows, networks="lite0", says=says, more=[more])


RULES = {"proto-1": prototype_rule}
