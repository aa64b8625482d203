"""The rule of lesson 09: inputs must be prepared as in pretraining."""

from typing import TYPE_CHECKING

from tl_course.evidence import results
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.judging import by_task, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict

if TYPE_CHECKING:
    import pandas

LESSON = "09_preprocessing"
RIGHT, WRONG, TRAINED = "right", "fed wrongly", "fine-tuned"
ELSEWHERE = ("training mode", "labels off by one", "classes in another order")  # not the inputs


def accuracies(frame: "pandas.DataFrame", task: str, fault: str, strategy: str) -> "pandas.Series":
    """Balanced test accuracy in [0, 1] of one cell of ``sweep_feeding``, by seed."""
    rows = frame[(frame.task == task) & (frame.fault == fault) & (frame.strategy == strategy)]
    return rows.set_index("seed").test_balanced.sort_index()


def cost(frame: "pandas.DataFrame", task: str, fault: str, strategy: str) -> Interval:
    """What a fault changes, against no fault with the same ``strategy``."""
    right = accuracies(frame, task, RIGHT, strategy)
    return paired(*accuracies(frame, task, fault, strategy).align(right))


def prepared_rule() -> Verdict:
    """prep-1: a network that was trained rightly is fed wrongly, fault by fault and task by task.

    A fault costs where its interval lies below zero. Holds where each does, holds when the fault
    is one of those that do on some task. The condition adds what training on wrongly fed pictures
    leaves. The effect is the mean over faults and tasks.
    """
    frame = results.load("sweep_feeding")
    cells = frame.loc[
        (frame.strategy == WRONG) & ~frame.fault.isin([RIGHT, *ELSEWHERE]), ["fault", "task"]
    ].drop_duplicates()
    cells = [*cells.itertuples(index=False, name=None)]
    costs = {cell: cost(frame, cell[1], cell[0], WRONG) for cell in cells}
    yes = by_task([cell for cell, found in costs.items() if found.sign < 0])
    no = by_task([cell for cell, found in costs.items() if found.sign >= 0])
    verdict, condition = share(yes, no, "with {}", "with {}")
    left = [c for c in cells if cost(frame, c[1], c[0], TRAINED).sign < 0]
    condition += (
        f"; where it is trained with the same fault, accuracy is lost in {len(left)} of "
        f"{len(cells)} cells: {', '.join(by_task(left)) or 'none'}"
    )
    overall = mean_paired(
        (accuracies(frame, task, fault, WRONG), accuracies(frame, task, RIGHT, WRONG))
        for fault, task in cells
    )
    return settled(verdict, condition, overall)


RULES = {
    "prep-1": prepared_rule,
}
