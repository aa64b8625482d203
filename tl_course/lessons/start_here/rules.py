"""The rule of lesson 00."""

from tl_course.evidence import results
from tl_course.evidence.judging import settled
from tl_course.evidence.verdicts import Verdict, compare, pooled

LESSON = "00_start_here"


def small_set_rule() -> Verdict:
    """why-1: at 200 labels, fine-tuning against training from scratch, task by task.

    Holds where every task's interval lies above zero, does not where none does, and holds
    when the task is one of those in which it does otherwise.
    """
    frame = results.load("sweep_pictures")
    cells = frame.loc[frame.strategy == "fine-tuning", ["task", "labels"]].drop_duplicates()
    better, same = [], []
    for task in cells.loc[cells.labels == 200, "task"]:
        found = compare(frame, task, 200, "fine-tuning", "from scratch")
        (better if found.sign > 0 else same).append(task)
    overall = pooled(frame, 200, "fine-tuning", "from scratch")
    if not same:
        verdict, condition = "holds", f"on all {len(better)} tasks tried at 200 labels"
    elif better:
        verdict = "holds-when"
        condition = f"on {', '.join(better)}; not shown on {', '.join(same)} (200 labels)"
    else:
        verdict, condition = "does-not-hold", f"on none of {', '.join(same)} (200 labels)"
    return settled(verdict, condition, overall)


RULES = {
    "why-1": small_set_rule,
}
