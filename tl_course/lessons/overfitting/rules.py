"""The rules of lesson 06."""

from tl_course import store
from tl_course.evidence import results
from tl_course.evidence.intervals import paired
from tl_course.evidence.judging import by_task, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict, compare, scores

LESSON = "06_overfitting"
MOST = "frozen to layer3"
BASE, CURE, LABELS = "no cure", "freeze and train less", "twice the labels"
TRAINED, TESTED = 0.99, 0.65
TINY = (25, 50, 100)


def picture_rule() -> Verdict:
    """fit-1: does overfitting on a tiny set look like 99 % in training and 65 % in the test?

    Confirmed on a task where the mean over seeds is at least 99 % in training and at most 65 % in
    the test, with no cure. Holds where all are, does not where none is. The effect is training
    minus test accuracy, the mean over tasks.
    """
    frame = results.load("sweep_cures")
    frame = frame[
        frame.strategy == store.choose("stored cure", BASE, dict.fromkeys(frame.strategy))
    ]
    yes, no, pairs = [], [], []
    for (task, labels), rows in frame.groupby(["task", "labels"], sort=False):
        trained, tested = (rows.set_index("seed")[c] for c in ("train_accuracy", "test_balanced"))
        shown = f"{trained.mean():.1%} in training, {tested.mean():.1%} in the test"
        text = f"{task} with {labels} labels ({shown})"
        (yes if trained.mean() >= TRAINED and tested.mean() <= TESTED else no).append(text)
        pairs.append((trained, tested))
    verdict, condition = share(yes, no, "on {}", "on {}")
    return settled(verdict, condition, mean_paired(pairs))


def cure_rule() -> Verdict:
    """fit-2: is the cure to freeze more layers and train less?

    Freezing up to layer2 and a fifth of the epochs, against no cure. Confirmed on a task where the
    interval of the test accuracy lies above zero. Holds where all are, does not where none is. The
    condition names the cure that leads on validation, and says what it and twice the labels were
    worth in the test. The effect is the difference, the mean over tasks.
    """
    frame = results.load("sweep_cures")
    cells = [*frame[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)]
    yes = [cell for cell in cells if compare(frame, *cell, CURE, BASE).sign > 0]
    no = [cell for cell in cells if cell not in yes]

    def worth(cure: str):
        return mean_paired([[scores(frame, *cell, s) for s in (cure, BASE)] for cell in cells])

    names = [cure for cure in dict.fromkeys(frame.strategy) if cure not in (BASE, LABELS)]
    chosen = frame.groupby("strategy").val_accuracy.mean()[names].idxmax()
    verdict, condition = share(by_task(yes), by_task(no), "on {}", "on {}")
    condition = (
        f"{condition}; best of {len(names)} on validation: {chosen} "
        f"({100 * worth(chosen).effect:+.1f} in the test); {LABELS}: "
        f"{100 * worth(LABELS).effect:+.1f} points"
    )
    return settled(verdict, condition, worth(CURE))


def protection_rule() -> Verdict:
    """freeze-6: does freezing protect small sets, that is, is the test better for it?

    Frozen up to layer3 against all weights trained. Confirmed on a target where the interval of the
    difference in test accuracy, the mean over 25, 50 and 100 labels, lies above zero. Holds where
    all are, does not where none is. The condition counts single cells, and says by how much the
    gap between training and test shrinks. The effect is the difference, the mean over cells.
    """
    frame = results.load("sweep_freezing")
    pairs = {
        task: [[scores(frame, task, n, s) for s in (MOST, "fine-tuning")] for n in TINY]
        for task in dict.fromkeys(frame.task)
    }
    yes = [task for task, found in pairs.items() if mean_paired(found).sign > 0]
    no = [task for task in pairs if task not in yes]
    cells = [pair for found in pairs.values() for pair in found]
    signs = [paired(*pair).sign for pair in cells]
    small = frame[frame.labels.isin(TINY)]
    gaps = (small.train_accuracy - small.test_accuracy).groupby(small.strategy).mean()
    verdict, condition = share(yes, no, "on {} over 25 to 100 labels", "on {}")
    condition = (
        f"{condition}; better in {signs.count(1)}, worse in {signs.count(-1)} of {len(cells)} "
        f"pairs of target and labels; training is ahead of the test by {100 * gaps[MOST]:.0f} "
        f"points instead of {100 * gaps['fine-tuning']:.0f}"
    )
    return settled(verdict, condition, mean_paired(cells))


RULES = {
    "freeze-6": protection_rule,
    "fit-1": picture_rule,
    "fit-2": cure_rule,
}
