"""The rules of lesson 01."""

from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "01_analogy"
ITALIAN, READER = "numbers_italian", "reader"
ENOUGH = 100  # Italian numbers at which the parts of Spanish can be told apart
LONGER = "nothing, four times as long"
# what each relative of Spanish has lost
LOST = {
    "spanish_false_friends": "cognates",
    "spanish_reversed": "grammar",
    "spanish_enciphered": "alphabet",
    "spanish_invented": "roots",
}


def faster_rule() -> Verdict:
    """analogy-1: Spanish against nothing, for each number of Italian labels; also against a start
    from nothing that trains four times as long, wherever that was tried.
    """
    runs = stored("sweep_analogy")
    longer = {*runs.rows(strategy=LONGER).labels}
    rows = []
    for cell in runs.cells("task", "labels", strategy="spanish"):
        if not cell["labels"]:
            continue
        rows.append(runs.row("spanish", "nothing", **cell))
        if cell["labels"] in longer:
            where = f"{rows[-1].where} against four times the training"
            rows.append(runs.row("spanish", LONGER, where, **cell))
    subject = "For learning Italian, knowing Spanish instead of nothing"
    return concluded(subject, rows, networks=READER)


def ablation_rule() -> Verdict:
    """analogy-2: Spanish against a relative that lacks one thing, with 100 Italian numbers."""
    runs = stored("sweep_analogy")
    cell = {"task": ITALIAN, "labels": ENOUGH}
    rows = [
        runs.row("spanish", relative, "", **cell)._replace(target=lost)
        for relative, lost in LOST.items()
    ]
    says = (
        "gained when it lost its {}",
        "was worth more with its {}",
        "was worth the same without its {}",
        "cannot be told from one without its {}",
    )
    subject = f"With {ENOUGH} Italian numbers, Spanish"
    return concluded(subject, rows, networks=READER, says=says)


RULES = {
    "analogy-1": faster_rule,
    "analogy-2": ablation_rule,
}
