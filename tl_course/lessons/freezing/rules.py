"""The rules of lesson 04."""

from typing import TYPE_CHECKING

import numpy as np

from tl_course.evidence.intervals import mean_paired
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, by_task, settled, share
from tl_course.lessons.freezing.recipe import PRETRAINED

if TYPE_CHECKING:
    import pandas

LESSON = "04_freezing"
HUNDREDS, FEW, THOUSANDS = 200, 25, 1000
MARGIN = 0.05  # accuracy
FAST = 5  # times
BETWEEN = PRETRAINED[1:-1]  # neither nothing frozen nor all but the head
ALL, HEAD, SCRATCH, RANDOM = "fine-tuning", "head alone", "from scratch", "head on random backbone"
PARTIAL, MOST = "frozen to layer2", "frozen to layer3"
AT_ONCE = "fine-tune at once"
POLICY = "features until they stop, then all"
HASTY = "features for one epoch, then all"
FEATURES = "features only"


def quick_features_rule() -> Verdict:
    """freeze-1: is a head alone useful with 200 labels, and fast?

    Useful on a target where it beats a head on random features, and is less than five points
    behind training from scratch, both with the whole interval; fast where fine-tuning takes at
    least five times its seconds on every target. Holds where it is useful on all, does not where
    on none or not fast. The effect is head alone minus from scratch, the mean over targets.
    """
    runs = stored("sweep_freezing")
    cells = [{"task": task, "labels": HUNDREDS} for task in runs.tasks]
    shown, times = [], []
    for cell in cells:
        learned, found = (runs.compare(HEAD, other, **cell) for other in (RANDOM, SCRATCH))
        shown.append((cell["task"], learned.sign > 0 and found.low > -MARGIN))
        slow, quick = (runs.cell("seconds", strategy=s, **cell).mean() for s in (ALL, HEAD))
        times.append(slow / quick)
    verdict, condition = share(shown, f"useful with {HUNDREDS} labels on {{}}", "on {}")
    if min(times) < FAST:
        verdict = "does-not-hold"
    fast = f"{min(times):.1f} to {max(times):.1f} times as fast as fine-tuning"
    return settled(verdict, condition, runs.mean(HEAD, SCRATCH, cells), fast)


def better_from(runs: Runs, task: str, first: str, second: str) -> int | None:
    """The fewest labels from which on ``first`` is better by every interval, or ``None``."""
    found = None
    for labels in reversed(runs.counts(task)):
        if runs.compare(first, second, task=task, labels=labels).sign <= 0:
            break
        found = labels
    return found


def partial_rule() -> Verdict:
    """freeze-2: is partial fine-tuning more accurate than a head alone, and only from thousands?

    For each target, the fewest labels from which on training layer3 and layer4 too is better by
    every interval. Holds where that is so on all targets and only from 1,000 labels on; does not
    where it is never better; else it holds when one leaves out what was not found. The effect is
    the difference with the most labels measured, the mean over targets.
    """
    runs = stored("sweep_freezing")
    starts = {task: better_from(runs, task, PARTIAL, HEAD) for task in runs.tasks}
    shown = [
        (f"{task} from {start:,} labels" if start else task, bool(start))
        for task, start in starts.items()
    ]
    verdict, condition = share(shown, "more accurate on {}", "on {}")
    most = [{"task": task, "labels": runs.counts(task)[-1]} for task in runs.tasks]
    found = runs.mean(PARTIAL, HEAD, most)
    if not any(starts.values()):
        return settled(verdict, condition, found)
    many = [task for task, start in starts.items() if start and start >= THOUSANDS]
    verdict = "holds" if len(many) == len(starts) else "holds-when"
    need = f"on {', '.join(many)}" if many else "nowhere"
    return settled(verdict, condition, found, f"thousands needed {need}")


def full_rule() -> Verdict:
    """freeze-3: is training all weights best with many labels, and overfit with 25?

    Many are the most labels measured, on targets that have a thousand or more: best where the
    frozen depth that leads on validation is not ahead in the test by its interval. Overfit with 25
    labels where freezing up to layer3 is ahead by its interval. Holds where both are so on all
    targets, does not where neither is on any. The effect is all weights minus frozen to layer3
    with 25 labels, the mean over targets.
    """
    runs = stored("sweep_freezing")
    best, over = [], []
    for task in runs.tasks:
        cell = {"task": task, "labels": runs.counts(task)[-1]}
        if cell["labels"] >= THOUSANDS:
            rival = runs.leader("strategy", PRETRAINED[1:], **cell)
            best.append((cell, runs.compare(rival, ALL, **cell).sign <= 0))
        over.append((task, runs.compare(ALL, MOST, task=task, labels=FEW).sign < 0))
    halves = {
        "best with the most labels on": best,
        f"behind {MOST} with {FEW} labels on": over,
    }
    texts = []
    for side, word in ((True, " and "), (False, " or ")):
        tasks = {half: [task for task, it in found if it == side] for half, found in halves.items()}
        parts = [f"{half} {', '.join(by_task(on))}" for half, on in tasks.items() if on]
        texts += [(word.join(parts), side)] if parts else []
    few = [{"task": task, "labels": FEW} for task in runs.tasks]
    return settled(*share(texts, "{}", "to be {}"), runs.mean(ALL, MOST, few))


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

    In every cell (target and labels) the depth between the ends that is best on validation is
    compared, on the test, with nothing frozen and with the head alone. A cell has a sweet spot
    where both intervals lie above zero. Holds where all cells have one, does not where none has.
    The effect is what looking brings: the depth each seed chooses on validation minus always
    training everything, the mean over cells.
    """
    runs = stored("sweep_freezing")
    cells = [{"task": task, "labels": n} for task in runs.tasks for n in runs.counts(task)]
    costs, pairs = [], []
    for cell in cells:
        spot = runs.leader("strategy", BETWEEN, **cell)
        costs.append([runs.compare(spot, end, **cell).sign > 0 for end in (ALL, HEAD)])
        pairs.append((found_by_experiment(runs, **cell), runs.cell(strategy=ALL, **cell)))
    yes = [cell for cell, both in zip(cells, costs, strict=True) if all(both)]
    verdict, _ = share(zip(cells, map(all, costs), strict=True), "", "")
    found = f": {', '.join(by_task(yes))}" if yes else ""
    little, much = map(sum, zip(*costs, strict=True))
    condition = f"in {len(yes)} of {len(cells)} pairs of target and labels{found}"
    price = f"freezing too little costs in {little}, too much costs in {much}"
    return settled(verdict, condition, mean_paired(pairs), price)


def policy_rule() -> Verdict:
    """freeze-5: at equal compute, is it better to fine-tune only once features stop improving?

    Against fine-tuning at once, in every cell of three targets and two counts of labels. Holds
    where every interval lies above zero, does not where none does. The condition also says in how
    many cells waiting beats switching after one epoch, and fine-tuning beats the features. The
    effect is the difference to fine-tuning at once, the mean over cells.
    """
    runs = stored("sweep_policies")
    cells = runs.cells("task", "labels")
    at_once, hasty, features = (
        [runs.compare(POLICY, other, **cell).sign for cell in cells]
        for other in (AT_ONCE, HASTY, FEATURES)
    )
    shown = [(cell, sign > 0) for cell, sign in zip(cells, at_once, strict=True)]
    others = (
        f"behind it in {at_once.count(-1)}, ahead of switching after one epoch in "
        f"{hasty.count(1)}, of features alone in {features.count(1)} of {len(cells)} cells"
    )
    ahead = share(shown, "ahead of fine-tuning at once on {}", "on {}")
    return settled(*ahead, runs.mean(POLICY, AT_ONCE, cells), others)


RULES = {
    "freeze-1": quick_features_rule,
    "freeze-2": partial_rule,
    "freeze-3": full_rule,
    "freeze-4": sweet_spot_rule,
    "freeze-5": policy_rule,
}
