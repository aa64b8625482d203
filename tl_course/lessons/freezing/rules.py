"""The rules of lesson 04."""

from typing import TYPE_CHECKING

import numpy as np

from tl_course.evidence.findings import HELPS, HURTS, SAME, Row
from tl_course.evidence.results import Runs, near_and_far, stored
from tl_course.evidence.verdicts import Verdict, concluded
from tl_course.lessons.freezing.recipe import PRETRAINED

if TYPE_CHECKING:
    import pandas

LESSON = "04_freezing"
HUNDREDS, FEW, THOUSANDS = 200, 25, 1000
PASSES = 3  # through the network and back costs as much as three times through it
BETWEEN = PRETRAINED[1:-1]  # neither nothing frozen nor all but the head
ALL, HEAD, SCRATCH, RANDOM = "fine-tuning", "head alone", "from scratch", "head on random backbone"
PARTIAL, MOST = "frozen to layer2", "frozen to layer3"
AT_ONCE = "fine-tune at once"
POLICY = "features until they stop, then all"
HASTY = "features for one epoch, then all"
FEATURES = "features only"


def quick_features_rule() -> Verdict:
    """freeze-1: does a head alone work with 200 labels, and is it fast?

    It works on a target where it beats a head on random features, and is at least as good as
    training from scratch. How many times as fast it is, counted in passes through the network, is
    said besides.
    """
    runs = stored("sweep_freezing")
    cells = runs.cells("task", labels=HUNDREDS)
    rows = [runs.row(HEAD, SCRATCH, "against from scratch", (HELPS, SAME), **c) for c in cells]
    rows += [runs.row(HEAD, RANDOM, "against random features", **cell) for cell in cells]
    epochs = runs.rows(strategy=ALL, labels=HUNDREDS).epochs
    fast = (
        f"It goes through every picture once, fine-tuning {PASSES} times in each of "
        f"{epochs.min():.0f} or more epochs."
    )
    alone = runs.rows(strategy=SCRATCH, labels=HUNDREDS)
    subject = f"With {HUNDREDS} labels, training the head alone"
    return concluded(subject, rows, more=[fast], baseline=alone)


def partial_rule() -> Verdict:
    """freeze-2: is partial fine-tuning more accurate than a head alone, but only from thousands?

    Training layer3 and layer4 too, against the head alone. From 1,000 labels on it should help;
    with fewer it should not.
    """
    runs = stored("sweep_freezing")
    rows = []
    for cell in runs.cells("task", "labels"):
        claimed = (HELPS,) if cell["labels"] >= THOUSANDS else (HURTS, SAME)
        rows.append(runs.row(PARTIAL, HEAD, claimed=claimed, **cell))
    return concluded("Training layer3 and layer4 too instead of the head alone", rows)


def full_rule() -> Verdict:
    """freeze-3: is training all weights best with many labels, and overfit with 25?

    Many are the most labels measured, on targets that have a thousand or more: all weights against
    the frozen depth that leads on validation. With 25 labels: against freezing up to layer3.
    """
    runs = stored("sweep_freezing")
    rows = []
    for task in runs.tasks:
        cell = {"task": task, "labels": runs.counts(task)[-1]}
        if cell["labels"] >= THOUSANDS:
            rival = runs.leader("strategy", PRETRAINED[1:], **cell)
            where = f"{cell['labels']:,} labels against {rival}"
            rows.append(runs.row(ALL, rival, where, **cell))
        rows.append(runs.row(ALL, MOST, claimed=(HURTS,), task=task, labels=FEW))
    return concluded("Training all weights instead of freezing some", rows)


def found_by_experiment(runs: Runs, task: str, labels: int) -> "pandas.Series":
    """Balanced test accuracy of the depth that each seed would choose on its own validation.

    Between depths that are level there the one with more frozen is taken.
    """
    import pandas

    validated, tested = (
        [runs.cell(of, strategy=depth, task=task, labels=labels) for depth in PRETRAINED[::-1]]
        for of in ("val_accuracy", "test_balanced")
    )
    picks = np.argmax(validated, axis=0)  # the first of those that are level
    return pandas.Series(np.choose(picks, tested), tested[0].index)


def sweet_spot_rule() -> Verdict:
    """freeze-4: is a depth between the ends better than both, and worth looking for?

    With 25 labels, with 200 and with the most: the depth between the ends that is best on
    validation, against nothing frozen and against the head alone. What looking brings, that is,
    the depth each seed chooses on its own validation against always training everything, is said
    besides.
    """
    runs = stored("sweep_freezing")
    rows, brought = [], []
    for task in runs.tasks:
        for labels in dict.fromkeys((FEW, HUNDREDS, runs.counts(task)[-1])):
            cell = {"task": task, "labels": labels}
            spot = runs.leader("strategy", BETWEEN, **cell)
            rows += [
                runs.row(spot, end, f"{labels:,} against {end}", **cell) for end in (ALL, HEAD)
            ]
            brought.append(found_by_experiment(runs, **cell) - runs.cell(strategy=ALL, **cell))
    mean = 100 * np.mean([each.mean() for each in brought])
    more = f"Choosing on validation instead of training everything brings {mean:+.1f} points."
    return concluded("Freezing to a depth between the ends", rows, more=[more])


def policy_rule() -> Verdict:
    """freeze-5: at equal compute, is it better to fine-tune only once features stop improving?

    Against fine-tuning at once, in every cell of three targets and two counts of labels. How
    waiting does against switching after one epoch, and against features alone, is said besides.
    """
    runs = stored("sweep_policies")
    cells = runs.cells("task", "labels")
    rows = [runs.row(POLICY, AT_ONCE, **cell) for cell in cells]
    means = {
        other: 100
        * np.mean([np.mean(runs.row(POLICY, other, **cell).differences) for cell in cells])
        for other in (HASTY, FEATURES)
    }
    more = "; ".join(f"against *{name}*: {mean:+.1f} points" for name, mean in means.items())
    subject = "At equal compute, features first and then all"
    return concluded(subject, rows, more=[f"{more.capitalize()}."])


def strategy_rule() -> Verdict:
    """choose-1: does the size of the data and its similarity to the source tell the strategy?

    With up to 200 labels the documents would train the head alone on the nearer half of the targets
    (by the declared distance) and part of the network on the farther half; with more, everything.
    One row a target: what they would choose with few labels, against always training everything.
    """
    runs = stored("sweep_freezing")
    near, far = near_and_far(runs.tasks)
    rows = []
    for task in near + far:
        advised = HEAD if task in near else PARTIAL
        counts = [labels for labels in runs.counts(task) if labels <= HUNDREDS]
        each = [runs.row(advised, ALL, advised, task=task, labels=labels) for labels in counts]
        if each:
            gaps = np.mean([row.differences for row in each], 0)
            rows.append(each[0]._replace(differences=[*gaps]))
    subject = f"With up to {HUNDREDS} labels, choosing by size and similarity"
    return concluded(subject, rows)


def tuning_rule() -> Verdict:
    """tuning-1: does a pretrained start forgive a bad learning rate more than a random one?

    The share of the best accuracy on validation that is lost by taking another of the rates tried,
    in the mean: from scratch minus fine-tuning, for each count of labels of the search.
    """
    runs = stored("sweep_freezing_rates")
    rows = []
    for count in sorted(runs.frame.labels.unique()):
        gaps = []
        for cell in runs.cells("task", labels=count):
            lost = []
            for strategy in (SCRATCH, ALL):
                found = runs.rows(strategy=strategy, **cell)
                means = found.groupby("lr").val_accuracy.mean()
                lost.append(1 - means.drop(means.idxmax()).mean() / means.max())
            gaps.append(lost[0] - lost[1])
        rows.append(Row("all targets", f"{count} labels", gaps, over="targets"))
    says = (
        "costs a pretrained start more on {}",
        "costs a start from scratch more on {}",
        "costs both the same on {}",
        "costs one of the two more, nobody can tell which, on {}",
    )
    return concluded("A wrong learning rate", rows, says=says)


RULES = {
    "freeze-1": quick_features_rule,
    "freeze-2": partial_rule,
    "freeze-3": full_rule,
    "freeze-4": sweet_spot_rule,
    "freeze-5": policy_rule,
    "choose-1": strategy_rule,
    "tuning-1": tuning_rule,
}
