"""The rule of lesson 00."""

from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, settled

LESSON = "00_start_here"


def small_set_rule() -> Verdict:
    """why-1: at 200 labels, fine-tuning against training from scratch, task by task.

    Holds where every task's interval lies above zero, does not where none does, and holds
    when the task is one of those in which it does otherwise.
    """
    runs = stored("sweep_pictures")
    cells = runs.cells("task", labels=200)
    better, same = [], []
    for cell in cells:
        found = runs.compare("fine-tuning", "from scratch", **cell)
        (better if found.sign > 0 else same).append(cell["task"])
    if not same:
        verdict, condition = "holds", f"on all {len(better)} tasks tried at 200 labels"
    elif better:
        verdict = "holds-when"
        condition = f"on {', '.join(better)}; not shown on {', '.join(same)} (200 labels)"
    else:
        verdict, condition = "does-not-hold", f"on none of {', '.join(same)} (200 labels)"
    return settled(verdict, condition, runs.pooled("fine-tuning", "from scratch", labels=200))


RULES = {
    "why-1": small_set_rule,
}
