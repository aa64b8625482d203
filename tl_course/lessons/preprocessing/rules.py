"""The rule of lesson 09: inputs must be prepared as in pretraining."""

from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, by_task, settled, share

LESSON = "09_preprocessing"
RIGHT, WRONG, TRAINED = "right", "fed wrongly", "fine-tuned"
ELSEWHERE = ("training mode", "labels off by one", "classes in another order")  # not the inputs


def prepared_rule() -> Verdict:
    """prep-1: a network that was trained rightly is fed wrongly, fault by fault and task by task.

    A fault costs where its interval lies below zero. Holds where each does, holds when the fault
    is one of those that do on some task. The condition adds what training on wrongly fed pictures
    leaves. The effect is the mean over faults and tasks.
    """
    runs = stored("sweep_feeding")
    fed = runs.cells("fault", "task", strategy=WRONG)
    fed = [cell for cell in fed if cell["fault"] not in (RIGHT, *ELSEWHERE)]
    shown = [(cell, runs.compare({}, {"fault": RIGHT}, **cell).sign < 0) for cell in fed]
    left = [cell | {"strategy": TRAINED} for cell in fed]
    left = [cell for cell in left if runs.compare({}, {"fault": RIGHT}, **cell).sign < 0]
    repaired = (
        f"where it is trained with the same fault, accuracy is lost in {len(left)} of "
        f"{len(fed)} cells: {', '.join(by_task(left)) or 'none'}"
    )
    overall = runs.mean({}, {"fault": RIGHT}, fed)
    return settled(*share(shown, "with {}", "with {}"), overall, repaired)


RULES = {
    "prep-1": prepared_rule,
}
