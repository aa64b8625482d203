"""The rules of lesson 01."""

from tl_course.evidence.intervals import mean_paired
from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, settled, share

LESSON = "01_analogy"

FEW = 30  # Italian numbers at which starts are compared
LONGER = "nothing, four times as long"
# what each relative of Spanish has lost
LOST = {
    "spanish_false_friends": "cognates",
    "spanish_reversed": "grammar",
    "spanish_enciphered": "alphabet",
    "spanish_invented": "roots",
}


def faster_rule() -> Verdict:
    """analogy-1: Spanish against nothing, for each number of Italian labels.

    Holds where Spanish is ahead at every number of labels, also of a start from nothing that
    trains four times as long, wherever that was tried; holds when the labels are those at which
    it is ahead of all.
    """
    runs = stored("sweep_analogy")
    longer = [cell["labels"] for cell in runs.cells("labels", strategy=LONGER)]
    shown = []
    for labels in runs.counts("numbers_italian")[1:]:  # the first is none
        controls = ["nothing", LONGER] if labels in longer else ["nothing"]
        against = [runs.compare("spanish", control, labels=labels) for control in controls]
        shown.append((f"{labels:,}", all(found.sign > 0 for found in against)))
    found = runs.compare("spanish", "nothing", labels=FEW)
    return settled(*share(shown, "with {} Italian numbers", "with {}"), found)


def ablation_rule() -> Verdict:
    """analogy-2: Spanish against a relative that lacks one thing, with 30 Italian numbers.

    Holds where each of the four was worth something, does not where none was. The effect is the
    mean worth of the four.
    """
    runs = stored("sweep_analogy")
    shown = []
    for relative, lost in LOST.items():
        found = runs.compare("spanish", relative, labels=FEW)
        shown.append((f"{lost} {100 * found.effect:+.0f}", found.sign > 0))
    spanish, *others = (runs.cell(labels=FEW, strategy=start) for start in ("spanish", *LOST))
    mean = mean_paired([(spanish, sum(others) / len(others))])
    return settled(*share(shown, "worth, in points: {}", "{}"), mean)


RULES = {
    "analogy-1": faster_rule,
    "analogy-2": ablation_rule,
}
