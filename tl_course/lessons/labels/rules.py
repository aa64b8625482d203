"""The rules of lesson 05."""

import re

import numpy as np

from tl_course import store
from tl_course.evidence.findings import HELPS, HURTS, SAME, Row
from tl_course.evidence.results import Runs, near_and_far, stored
from tl_course.evidence.verdicts import NAMES, SAYS, Verdict, concluded
from tl_course.lessons.labels.worth import factor, times_the_labels

LESSON = "05_labels"
OURS, ALONE = "fine-tuning", "from scratch"
FEW, SMALL, HUNDREDS = 50, 100, 200
USUAL = 1000  # labels that an article recommends
ENOUGH = 0.9  # of the way from guessing to what the most labels give
CHEAP = 100  # times
SOURCE_PICTURES = 78_000  # 390 of each of the 200 classes of Tiny ImageNet
CLASSES = {"materials": 9, "satellite": 7, "leaves": 5, "digits": 10}
CLASSES |= {"spoken_digits": 10, "pneumonia": 2}


def fraction_rule() -> Verdict:
    """why-2: does half the labels suffice for the same accuracy?

    Fine-tuning with 50 and with 100 labels, against from scratch with twice as many. How many times
    the labels from scratch needs for what fine-tuning reaches with 50 is said besides.
    """
    runs = stored("sweep_freezing")
    rows, times = [], []
    for task in runs.tasks:
        for count in (FEW, SMALL):
            both = ({"strategy": OURS, "labels": count}, {"strategy": ALONE, "labels": 2 * count})
            where = f"{count} instead of {2 * count}"
            rows.append(runs.row(*both, where, (HELPS, SAME), task=task))
        found = factor(times_the_labels(runs.frame, task, FEW))
        times.append(
            f"{NAMES.get(task, task)} {'more than ' if found.beyond else ''}{found.times:.1f}"
        )
    more = f"Times the labels from scratch needs for what fine-tuning reaches with {FEW}: "
    subject = "Fine-tuning with half of the labels, against training from scratch with all,"
    more += f"{', '.join(times)}."
    return concluded(subject, rows, more=[more], baseline=runs.rows(strategy=ALONE))


def fewer_epochs_rule() -> Verdict:
    """why-3: does fine-tuning need fewer epochs to be as good?

    Fine-tuning against from scratch with four times the epochs, 200 labels.
    """
    runs = stored("sweep_epochs")
    rows = [
        runs.row(OURS, ALONE, claimed=(HELPS, SAME), **cell)
        for cell in runs.cells("task", "labels")
    ]
    ours, alone = (runs.rows(strategy=each).epoch.max() for each in (OURS, ALONE))
    more = f"Fine-tuning took {ours} epochs, from scratch {alone}."
    return concluded("Fine-tuning in fewer epochs than training from scratch", rows, more=[more])


def source_passes() -> int:
    """Pictures that pretraining showed to the source network, each once for every epoch."""
    recipe = store.manifest()["resnet10"]["recipe"]
    return SOURCE_PICTURES * int(re.search(r"--epochs (\d+)", recipe)[1])


def cheap_rule() -> Verdict:
    """why-4: is the source expensive against adapting it?

    Pictures shown in training, the source's against those of fine-tuning, for every count of
    labels: the source should have taken a hundred times as many.
    """
    runs = stored("sweep_freezing")
    rows = []
    for cell in runs.cells("task", "labels", strategy=OURS):
        shown = runs.cell("epochs", **cell) * cell["labels"]
        times = np.log(source_passes() / shown / CHEAP)
        rows.append(Row(cell["task"], f"{cell['labels']:,} labels", [*times], unit="times"))
    says = (
        "is less than fine-tuning on {}",
        "is more than fine-tuning on {}",
        "is as much as fine-tuning on {}",
        "may be as much as fine-tuning on {}",
    )
    more = f"Pretraining showed {source_passes():,} pictures."
    subject = "A hundredth of pretraining, in pictures shown,"
    return concluded(subject, rows, says=says, more=[more])


def shrinking_rule() -> Verdict:
    """why-5: does the advantage shrink with many labels, and can from scratch catch up?

    The advantage with 50 labels minus that with the most measured; and from scratch against
    fine-tuning with the most, which has caught up where it is at least the same.
    """
    runs = stored("sweep_freezing")
    rows = []
    for task in runs.tasks:
        last = {"task": task, "labels": runs.counts(task)[-1]}
        gaps = [_gap(runs, **cell) for cell in (last | {"labels": FEW}, last)]
        shrunk = gaps[0] - gaps[1]
        rows.append(Row(task, f"{FEW} against {last['labels']:,} labels", [*shrunk]))
    for task in runs.tasks:
        last = {"task": task, "labels": runs.counts(task)[-1]}
        where = f"caught up with {last['labels']:,}"
        rows.append(runs.row(ALONE, OURS, where, (HELPS, SAME), **last))
    says = ("still trails or loses ground on {}", "gains on {}", "is level on {}", SAYS[-1])
    subject = "With more labels, from scratch against fine-tuning"
    return concluded(subject, rows, says=says, baseline=runs.rows(strategy=ALONE))


def _gap(runs: Runs, **cell):
    """Fine-tuning minus from scratch, by seed."""
    return runs.cell(strategy=OURS, **cell) - runs.cell(strategy=ALONE, **cell)


def beyond_enough(runs: Runs, task: str, labels: int) -> Row:
    """By how much fine-tuning with ``labels`` exceeds what is enough, by seed.

    Enough is 90 % of the way from guessing to what the most labels measured give.
    """
    here, most = (
        runs.cell(task=task, labels=n, strategy=OURS) for n in (labels, runs.counts(task)[-1])
    )
    chance = 1 / CLASSES[store.choose("target", task, CLASSES)]
    gaps = here - chance - ENOUGH * (most - chance)
    return Row(task, f"{labels:,} labels", [*gaps], (HELPS, SAME))


def hundred_rule() -> Verdict:
    """data-1: do 100 labels sometimes suffice, and 1,000 usually?

    They suffice on a target where fine-tuning gets 90 % of the way from guessing to what it
    reaches with the most labels measured.
    """
    runs = stored("sweep_freezing")
    rows = [beyond_enough(runs, task, SMALL) for task in runs.tasks]
    larger = [task for task in runs.tasks if runs.counts(task)[-1] > USUAL]
    rows += [beyond_enough(runs, task, USUAL) for task in larger]
    says = ("is not enough on {}", "is enough on {}", "is just enough on {}", SAYS[-1])
    return concluded("Fine-tuning with 100 labels or 1,000", rows, says=says)


def poor_alone_rule() -> Verdict:
    """data-2: are 1,000 labels and more not enough to train from scratch?

    From scratch against fine-tuning with 1,000 and with 2,000 labels, wherever there are as many.
    """
    runs = stored("sweep_freezing")
    cells = [cell for cell in runs.cells("task", "labels") if cell["labels"] >= USUAL]
    rows = [runs.row(ALONE, OURS, claimed=(HURTS,), **cell) for cell in cells]
    subject = "With 1,000 labels or more, training from scratch instead of fine-tuning"
    alone = runs.rows(strategy=ALONE)
    return concluded(subject, rows, baseline=alone[alone.labels >= USUAL])


def situations_rule() -> Verdict:
    """sim-1: four rows of article D's table, each by fine-tuning minus from scratch.

    Limited data (50 labels, every target): helps. Similar domain (200 labels, the nearer half of
    the targets by the declared distance): helps. Abundant data (the most labels, targets that have
    a thousand or more): still helps. Unrelated (the farthest target, 200 labels): does not help.
    The fifth row, different domains, says "maybe" and cannot fail; how many of the farther half
    gain is said besides.
    """
    runs = stored("sweep_freezing")
    near, far = near_and_far(runs.tasks)
    rows = []
    for task in near + far:
        most = runs.counts(task)[-1]
        asked = [(FEW, "limited data", (HELPS,))]
        asked += [(HUNDREDS, "similar domain", (HELPS,))] * (task in near)
        asked += [(most, "abundant data", (HELPS,))] * (most >= USUAL)
        asked += [(HUNDREDS, "unrelated", (SAME, HURTS))] * (task == far[-1])
        for labels, words, claimed in asked:
            where = f"{words}, {labels:,} labels"
            rows.append(runs.row(OURS, ALONE, where, claimed, task=task, labels=labels))
    gains = [runs.compare(OURS, ALONE, task=task, labels=HUNDREDS).sign > 0 for task in far]
    more = (
        f"Of the {len(far)} targets far from photographs, {sum(gains)} gain with {HUNDREDS} labels."
    )
    subject = "Fine-tuning instead of training from scratch"
    return concluded(subject, rows, more=[more], baseline=runs.rows(strategy=ALONE))


RULES = {
    "why-2": fraction_rule,
    "why-3": fewer_epochs_rule,
    "why-4": cheap_rule,
    "why-5": shrinking_rule,
    "data-1": hundred_rule,
    "data-2": poor_alone_rule,
    "sim-1": situations_rule,
}
