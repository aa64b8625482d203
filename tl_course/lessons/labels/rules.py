"""The rules of lesson 05."""

import re
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence.intervals import Interval, mean_paired, paired
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, by_task, settled, share
from tl_course.lessons.labels.worth import epochs_needed, factor, times_the_labels

if TYPE_CHECKING:
    import pandas

LESSON = "05_labels"
OURS, ALONE = "fine-tuning", "from scratch"
FEW, SMALL, HUNDREDS = 50, 100, 200
USUAL = 1000  # labels that an article recommends
ENOUGH = 0.9  # of the way from guessing to what the most labels give
CHEAP = 100  # times
SOURCE_PICTURES = 78_000  # 390 of each of the 200 classes of Tiny ImageNet
# the rows of article D's table, by the course's targets
SIMILAR = "materials"
DIFFERENT = ("satellite", "leaves", "digits", "pneumonia")
UNRELATED = "spoken_digits"
CLASSES = {"materials": 9, "satellite": 7, "leaves": 5, "digits": 10}
CLASSES |= {"spoken_digits": 10, "pneumonia": 2}


def fraction_rule() -> Verdict:
    """why-2: how many times the labels does training from scratch need for the same accuracy?

    On each target, for what fine-tuning reaches with 50 labels. Confirmed where the whole interval
    of that factor lies above 1. Holds where all are, does not where none is. The effect is
    fine-tuning with 100 labels minus from scratch with 200, the mean over targets.
    """
    runs = stored("sweep_freezing")
    shown = []
    for task in runs.tasks:
        found = factor(times_the_labels(runs.frame, task, FEW))
        text = f"{task} ({'more than ' if found.beyond else ''}{found.times:.1f} times)"
        shown.append((text, found.low > 1))
    when = f"more labels from scratch than the {FEW} of fine-tuning on {{}}"
    both = ({"strategy": OURS, "labels": SMALL}, {"strategy": ALONE, "labels": HUNDREDS})
    return settled(*share(shown, when, "on {}"), runs.mean(*both, runs.cells("task")))


def fewer_epochs_rule() -> Verdict:
    """why-3: does fine-tuning need fewer epochs, and less time, to be as good?

    As good as from scratch ever gets on validation with four times the epochs, which counts as
    reached from scratch one point below it: the best of many epochs comes late by chance. The
    learning rate falls over all epochs, so a longer training starts more slowly. Confirmed on a
    target where the intervals of both ratios, of epochs and of seconds, lie above 1, and every seed
    gets there. Holds where all are, does not where none is. The effect is the difference in
    validation accuracy after three epochs of either, the mean over targets.
    """
    runs = stored("sweep_epochs")
    shown = []
    for task in runs.tasks:
        table = epochs_needed(runs.frame, task)
        faster, sooner = (
            factor(table.assign(times=table[times], beyond=False))
            for times in ("times", "seconds_times")
        )
        missed = int(table.missed.sum())
        text = f"{task} (from scratch: {faster.times:.1f} times the epochs)"
        if missed:
            text = f"{task} (never as good with {missed} of {len(table)} seeds)"
        shown.append((text, min(faster.low, sooner.low) > 1 and not missed))
    early = [{"task": task, "epoch": 3, "of": "val_accuracy"} for task in runs.tasks]
    return settled(*share(shown, "on {}", "on {}"), runs.mean(OURS, ALONE, early))


def source_passes() -> int:
    """Pictures that pretraining showed to the source network, each once for every epoch."""
    recipe = store.manifest()["resnet10"]["recipe"]
    return SOURCE_PICTURES * int(re.search(r"--epochs (\d+)", recipe)[1])


def cheap_rule() -> Verdict:
    """why-4: is the source expensive against adapting it?

    Pictures shown in training, the source's against those of fine-tuning, for every count of
    labels. Confirmed where the source took at least a hundred times as many. Holds where that is
    so up to the most labels measured, does not where it is not so even with the fewest. The effect
    is what the cheap part brings: fine-tuning minus from scratch at the same cost, 200 labels, the
    mean over targets.
    """
    runs = stored("sweep_freezing")
    tuned = runs.rows(strategy=OURS)
    times = source_passes() / (tuned.labels * tuned.epochs).groupby(tuned.labels).max()
    shown = []
    for part in (times[times >= CHEAP], times[times < CHEAP]):
        texts = [f"{n:,} labels ({t:,.0f} times the pictures)" for n, t in part.items()]
        ends = dict.fromkeys((*texts[:1], *texts[-1:]))
        shown += [(" to ".join(ends), part.min() >= CHEAP)] if texts else []
    found = runs.mean(OURS, ALONE, [{"task": task, "labels": HUNDREDS} for task in runs.tasks])
    return settled(*share(shown, "against fine-tuning with {}", "with {}"), found)


def shrinking_rule() -> Verdict:
    """why-5: does the advantage shrink with many labels, and can from scratch catch up?

    Shrinking on a target where the advantage with 50 labels minus that with the most labels
    measured has its whole interval above zero. Holds where it shrinks on all, does not where on
    none. From scratch has caught up where the last interval is not above zero. The effect is the
    shrinking, the mean over targets.
    """
    runs = stored("sweep_freezing")
    shown, caught, pairs = [], [], []
    for task in runs.tasks:
        last = {"task": task, "labels": runs.counts(task)[-1]}
        pairs.append([_gap(runs, **cell) for cell in (last | {"labels": FEW}, last)])
        shown.append((task, paired(*pairs[-1]).sign > 0))
        if runs.compare(OURS, ALONE, **last).sign <= 0:
            caught.append(last)
    reached = f"from scratch has caught up on {', '.join(by_task(caught)) or 'no target'}"
    smaller = share(shown, "smaller with the most labels on {}", "on {}")
    return settled(*smaller, mean_paired(pairs), reached)


def _gap(runs: Runs, **cell) -> "pandas.Series":
    """Fine-tuning minus from scratch, by seed."""
    return runs.cell(strategy=OURS, **cell) - runs.cell(strategy=ALONE, **cell)


def enough_with(runs: Runs, task: str, labels: int) -> float:
    """How far fine-tuning gets with ``labels``: 0 is guessing, 1 what the most labels give."""
    here, most = (
        runs.cell(task=task, labels=n, strategy=OURS).mean()
        for n in (labels, runs.counts(task)[-1])
    )
    chance = 1 / CLASSES[task]
    return float((here - chance) / (most - chance))


def hundred_rule() -> Verdict:
    """data-1: do 100 labels sometimes suffice, and 1,000 usually?

    They suffice on a target where fine-tuning gets 90 % of the way from guessing to what it
    reaches with the most labels measured. Holds where 100 do on some target but not on all, and
    1,000 on every target that has more; does not where 100 suffice nowhere. The effect is 1,000
    labels minus 100, the mean over the targets that have both.
    """
    runs = stored("sweep_freezing")
    shown = [(task, enough_with(runs, task, SMALL) >= ENOUGH) for task in runs.tasks]
    verdict, condition = share(shown, f"enough with {SMALL} labels on {{}}", "on {}")
    larger = [task for task in runs.tasks if runs.counts(task)[-1] > USUAL]
    cells = [{"task": task, "strategy": OURS} for task in larger]
    found = runs.mean({"labels": USUAL}, {"labels": SMALL}, cells)
    if verdict == "does-not-hold":
        return settled(verdict, condition, found)
    usual = [task for task in larger if enough_with(runs, task, USUAL) >= ENOUGH]
    # on all targets would be always, not sometimes
    verdict = "holds" if usual == larger and verdict == "holds-when" else "holds-when"
    which = "all" if usual == larger else ", ".join(usual) or "none"
    return settled(verdict, condition, found, f"with {USUAL:,} on {which} of {', '.join(larger)}")


def situations_rule() -> Verdict:
    """sim-1: the five rows of article D's table, each against fine-tuning minus from scratch.

    Limited data (50 labels, mean over targets): helps clearly, the interval lies above five
    points. Similar domain (200 labels): the same. Different domain (200): depends, so that some
    intervals lie above zero and some do not. Abundant data (the most labels, targets that have a
    thousand or more): helps, but less than 200 labels do there. Unrelated (200): does not help.
    Holds where all five rows are as the table says, does not where none is. The effect is that of
    limited data.
    """
    runs = stored("sweep_freezing")
    most = {task: runs.counts(task)[-1] for task in runs.tasks}
    rich = {task: count for task, count in most.items() if count >= USUAL}

    def mean(counts: dict) -> Interval:
        cells = [{"task": task, "labels": count} for task, count in counts.items()]
        return runs.mean(OURS, ALONE, cells)

    limited, many, fewer = map(
        mean, (dict.fromkeys(most, FEW), rich, dict.fromkeys(rich, HUNDREDS))
    )
    here = {task: runs.compare(OURS, ALONE, task=task, labels=HUNDREDS) for task in most}
    helped = [here[task].sign > 0 for task in DIFFERENT]
    rows = {
        "limited data": limited.low > 0.05,
        "similar domain": here[SIMILAR].low > 0.05,
        "different domain": any(helped) and not all(helped),
        "abundant data": many.sign > 0 and many.effect < fewer.effect,
        "unrelated": here[UNRELATED].sign <= 0,
    }
    return settled(*share(rows.items(), "as the table says for {}", "for {}"), limited)


RULES = {
    "why-2": fraction_rule,
    "why-3": fewer_epochs_rule,
    "why-4": cheap_rule,
    "why-5": shrinking_rule,
    "data-1": hundred_rule,
    "sim-1": situations_rule,
}
