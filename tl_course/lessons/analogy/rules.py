"""The rules of lesson 01."""

from tl_course.evidence import results
from tl_course.evidence.intervals import paired
from tl_course.evidence.judging import settled, share
from tl_course.evidence.verdicts import Verdict, compare

LESSON = "01_analogy"

ITALIAN = "numbers_italian"
FEW = 30  # Italian numbers at which starts are compared
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
    frame = results.load("sweep_analogy")
    ahead, other = [], []
    longer = "nothing, four times as long"
    patient = set(frame.loc[frame.strategy == longer, "labels"])
    for labels in sorted(set(frame.labels) - {0}):
        controls = ["nothing", longer] if labels in patient else ["nothing"]
        against = [compare(frame, ITALIAN, labels, "spanish", control) for control in controls]
        (ahead if min(found.sign for found in against) > 0 else other).append(f"{labels:,}")
    found = compare(frame, ITALIAN, FEW, "spanish", "nothing")
    verdict, condition = share(ahead, other, "with {} Italian numbers", "with {}")
    return settled(verdict, condition, found)


def ablation_rule() -> Verdict:
    """analogy-2: Spanish against a relative that lacks one thing, with 30 Italian numbers.

    Holds where each of the four was worth something, does not where none was. The effect is the
    mean worth of the four.
    """
    frame = results.load("sweep_analogy")
    worth, nothing = [], []
    for relative, lost in LOST.items():
        found = compare(frame, ITALIAN, FEW, "spanish", relative)
        text = f"{lost} {100 * found.effect:+.0f}"
        (worth if found.sign > 0 else nothing).append(text)
    rows = frame[(frame.labels == FEW) & frame.test_balanced.notna()]
    wide = rows.pivot(index="seed", columns="strategy", values="test_balanced")
    mean = paired(wide["spanish"], wide[list(LOST)].mean(axis=1))
    verdict, condition = share(worth, nothing, "worth, in points: {}", "{}")
    return settled(verdict, condition, mean)


RULES = {
    "analogy-1": faster_rule,
    "analogy-2": ablation_rule,
}
