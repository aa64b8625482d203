"""The rules of lesson 05."""

import re
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence import results
from tl_course.evidence.intervals import paired
from tl_course.evidence.judging import by_task, counts, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict, compare, scores
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
    frame = results.load("sweep_freezing")
    yes, no, pairs = [], [], []
    for task in dict.fromkeys(frame.task):
        found = factor(times_the_labels(frame, task, FEW))
        text = f"{task} ({'more than ' if found.beyond else ''}{found.times:.1f} times)"
        (yes if found.low > 1 else no).append(text)
        pairs.append((scores(frame, task, SMALL, OURS), scores(frame, task, HUNDREDS, ALONE)))
    when = f"more labels from scratch than the {FEW} of fine-tuning on {{}}"
    verdict, condition = share(yes, no, when, "on {}")
    return settled(verdict, condition, mean_paired(pairs))


def fewer_epochs_rule() -> Verdict:
    """why-3: does fine-tuning need fewer epochs, and less time, to be as good?

    As good as from scratch ever gets on validation with four times the epochs, which counts as
    reached from scratch one point below it: the best of many epochs comes late by chance. The
    learning rate falls over all epochs, so a longer training starts more slowly. Confirmed on a
    target where the intervals of both ratios, of epochs and of seconds, lie above 1, and every seed
    gets there. Holds where all are, does not where none is. The effect is the difference in
    validation accuracy after three epochs of either, the mean over targets.
    """
    frame = results.load("sweep_epochs")
    yes, no, pairs = [], [], []
    for task in dict.fromkeys(frame.task):
        table = epochs_needed(frame, task)
        faster = factor(table.assign(times=table.times, beyond=False))
        sooner = factor(table.assign(times=table.seconds_times, beyond=False))
        missed = int(table.missed.sum())
        text = f"{task} (from scratch: {faster.times:.1f} times the epochs)"
        if missed:
            text = f"{task} (never as good with {missed} of {len(table)} seeds)"
        (yes if min(faster.low, sooner.low) > 1 and not missed else no).append(text)
        early = frame[(frame.task == task) & (frame.epoch == 3)]
        wide = early.pivot(index="seed", columns="strategy", values="val_accuracy")
        pairs.append((wide[OURS], wide[ALONE]))
    verdict, condition = share(yes, no, "on {}", "on {}")
    return settled(verdict, condition, mean_paired(pairs))


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
    frame = results.load("sweep_freezing")
    tuned = frame[frame.strategy == OURS]
    shown = (tuned.labels * tuned.epochs).groupby(tuned.labels).max()
    times = source_passes() / shown
    texts = [f"{n:,} labels ({t:,.0f} times the pictures)" for n, t in times.items()]
    cheap = int((times >= CHEAP).sum())  # of the fewest: what is shown grows with the labels
    yes, no = (
        [" to ".join(dict.fromkeys((part[0], part[-1])))] if part else []
        for part in (texts[:cheap], texts[cheap:])
    )
    verdict, condition = share(yes, no, "against fine-tuning with {}", "with {}")
    tasks = dict.fromkeys(frame.task)
    pairs = [[scores(frame, task, HUNDREDS, s) for s in (OURS, ALONE)] for task in tasks]
    return settled(verdict, condition, mean_paired(pairs))


def gap(frame: "pandas.DataFrame", task: str, labels: int) -> "pandas.Series":
    """Fine-tuning minus from scratch, by seed."""
    return scores(frame, task, labels, OURS) - scores(frame, task, labels, ALONE)


def shrinking_rule() -> Verdict:
    """why-5: does the advantage shrink with many labels, and can from scratch catch up?

    Shrinking on a target where the advantage with 50 labels minus that with the most labels
    measured has its whole interval above zero. Holds where it shrinks on all, does not where on
    none. From scratch has caught up where the last interval is not above zero. The effect is the
    shrinking, the mean over targets.
    """
    frame = results.load("sweep_freezing")
    yes, no, caught, pairs = [], [], [], []
    for task in dict.fromkeys(frame.task):
        most = counts(frame, task)[-1]
        few, many = gap(frame, task, FEW), gap(frame, task, most)
        (yes if paired(few, many).sign > 0 else no).append(task)
        if compare(frame, task, most, OURS, ALONE).sign <= 0:
            caught.append((task, most))
        pairs.append((few, many))
    verdict, condition = share(yes, no, "smaller with the most labels on {}", "on {}")
    reached = ", ".join(by_task(caught)) or "no target"
    condition = f"{condition}; from scratch has caught up on {reached}"
    return settled(verdict, condition, mean_paired(pairs))


def enough_with(frame: "pandas.DataFrame", task: str, labels: int) -> float:
    """How far fine-tuning gets with ``labels``: 0 is guessing, 1 what the most labels give."""
    most = scores(frame, task, counts(frame, task)[-1], OURS).mean()
    chance = 1 / CLASSES[task]
    return float((scores(frame, task, labels, OURS).mean() - chance) / (most - chance))


def hundred_rule() -> Verdict:
    """data-1: do 100 labels sometimes suffice, and 1,000 usually?

    They suffice on a target where fine-tuning gets 90 % of the way from guessing to what it
    reaches with the most labels measured. Holds where 100 do on some target but not on all, and
    1,000 on every target that has more; does not where 100 suffice nowhere. The effect is 1,000
    labels minus 100, the mean over the targets that have both.
    """
    frame = results.load("sweep_freezing")
    tasks = [*dict.fromkeys(frame.task)]
    enough = [task for task in tasks if enough_with(frame, task, SMALL) >= ENOUGH]
    larger = [task for task in tasks if counts(frame, task)[-1] > USUAL]
    usual = [task for task in larger if enough_with(frame, task, USUAL) >= ENOUGH]
    short = [task for task in tasks if task not in enough]
    verdict, condition = share(enough, short, f"enough with {SMALL} labels on {{}}", "on {}")
    if enough:
        verdict = "holds" if usual == larger and short else "holds-when"
        which = "all" if usual == larger else ", ".join(usual) or "none"
        condition += f"; with {USUAL:,} on {which} of {', '.join(larger)}"
    pairs = [[scores(frame, task, n, OURS) for n in (USUAL, SMALL)] for task in larger]
    return settled(verdict, condition, mean_paired(pairs))


def situations_rule() -> Verdict:
    """sim-1: the five rows of article D's table, each against fine-tuning minus from scratch.

    Limited data (50 labels, mean over targets): helps clearly, the interval lies above five
    points. Similar domain (200 labels): the same. Different domain (200): depends, so that some
    intervals lie above zero and some do not. Abundant data (the most labels, targets that have a
    thousand or more): helps, but less than 200 labels do there. Unrelated (200): does not help.
    Holds where all five rows are as the table says, does not where none is. The effect is that of
    limited data.
    """
    frame = results.load("sweep_freezing")
    tasks = [*dict.fromkeys(frame.task)]
    pairs = {
        n: [[scores(frame, task, n, s) for s in (OURS, ALONE)] for task in tasks]
        for n in (FEW, HUNDREDS)
    }
    limited = mean_paired(pairs[FEW])
    here = {task: compare(frame, task, HUNDREDS, OURS, ALONE) for task in tasks}
    rich = [task for task in tasks if counts(frame, task)[-1] >= USUAL]
    most = {task: counts(frame, task)[-1] for task in rich}
    many = mean_paired([[scores(frame, t, most[t], s) for s in (OURS, ALONE)] for t in rich])
    fewer = mean_paired([[scores(frame, t, HUNDREDS, s) for s in (OURS, ALONE)] for t in rich])
    helped = [here[task].sign > 0 for task in DIFFERENT]
    rows = {
        "limited data": limited.low > 0.05,
        "similar domain": here[SIMILAR].low > 0.05,
        "different domain": any(helped) and not all(helped),
        "abundant data": many.sign > 0 and many.effect < fewer.effect,
        "unrelated": here[UNRELATED].sign <= 0,
    }
    yes = [row for row, right in rows.items() if right]
    no = [row for row, right in rows.items() if not right]
    verdict, condition = share(yes, no, "as the table says for {}", "for {}")
    return settled(verdict, condition, limited)


RULES = {
    "why-2": fraction_rule,
    "why-3": fewer_epochs_rule,
    "why-4": cheap_rule,
    "why-5": shrinking_rule,
    "data-1": hundred_rule,
    "sim-1": situations_rule,
}
