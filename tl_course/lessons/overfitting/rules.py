"""The rules of lesson 06."""

import numpy as np

from tl_course.evidence.findings import HELPS, SAME
from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "06_overfitting"
MOST, ALL = "frozen to layer3", "fine-tuning"
BASE, CURE, LABELS = "no cure", "freeze and train less", "twice the labels"
TRAINED, TESTED = 0.99, 0.65
TINY = (25, 50, 100)


def picture_rule() -> Verdict:
    """fit-1: does overfitting on a tiny set look like 99 % in training and 65 % in the test?

    With no cure, on each task: training accuracy against 99 %, and 65 % against the test accuracy.
    """
    runs = stored("sweep_cures")
    rows = []
    for cell in runs.cells("task", "labels"):
        known, met = (
            runs.cell(of, strategy=BASE, **cell) for of in ("train_accuracy", "test_balanced")
        )
        row = runs.row({"of": "train_accuracy"}, {}, strategy=BASE, **cell)
        sides = {
            "in training": (known - TRAINED, (HELPS, SAME)),
            "in the test": (TESTED - met, (HELPS, SAME)),
        }
        rows += [
            row._replace(where=where, differences=[*gap], claimed=claimed)
            for where, (gap, claimed) in sides.items()
        ]
    subject = "Overfitting with no cure, beside 99 % in training and 65 % in the test,"
    says = (
        "is less on {}",
        "is as much or more on {}",
        "is just as much on {}",
        "is unclear on {}",
    )
    return concluded(subject, rows, says=says)


def cure_rule() -> Verdict:
    """fit-2: is the cure to freeze more layers and train less, against no cure?

    What the cure that leads on validation and twice the labels were worth is said besides.
    """
    runs = stored("sweep_cures")
    cells = runs.cells("task", "labels")
    rows = [runs.row(CURE, BASE, **cell) for cell in cells]
    names = [c["strategy"] for c in runs.cells("strategy") if c["strategy"] not in (BASE, LABELS)]
    best = runs.leader("strategy", names)
    worth = {
        cure: np.mean([np.mean(runs.row(cure, BASE, **cell).differences) for cell in cells])
        for cure in (best, LABELS)
    }
    chosen = (
        f"Best of {len(names)} cures on validation: {best}, {100 * worth[best]:+.1f} points in "
    )
    more = (f"{chosen}the test.", f"{LABELS.capitalize()}: {100 * worth[LABELS]:+.1f} points.")
    return concluded("Freezing to layer2 and training for a fifth as long", rows, more=more)


def protection_rule() -> Verdict:
    """freeze-6: does freezing protect small sets, that is, is the test better for it?

    Frozen up to layer3 against all weights trained, with 25, 50 and 100 labels. By how much the gap
    between training and test shrinks is said besides.
    """
    runs = stored("sweep_freezing")
    cells = [{"task": task, "labels": n} for task in runs.tasks for n in TINY]
    rows = [runs.row(MOST, ALL, **cell) for cell in cells]
    small = runs.frame[runs.frame.labels.isin(TINY)]
    gaps = (small.train_accuracy - small.test_accuracy).groupby(small.strategy).mean()
    ahead = (
        f"Training is ahead of the test by {100 * gaps[MOST]:.0f} points instead of "
        f"{100 * gaps[ALL]:.0f}."
    )
    return concluded("With 25 to 100 labels, freezing up to layer3", rows, more=[ahead])


RULES = {
    "freeze-6": protection_rule,
    "fit-1": picture_rule,
    "fit-2": cure_rule,
}
