"""The rules of lesson 06."""

from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, settled, share

LESSON = "06_overfitting"
MOST, ALL = "frozen to layer3", "fine-tuning"
BASE, CURE, LABELS = "no cure", "freeze and train less", "twice the labels"
TRAINED, TESTED = 0.99, 0.65
TINY = (25, 50, 100)


def picture_rule() -> Verdict:
    """fit-1: does overfitting on a tiny set look like 99 % in training and 65 % in the test?

    Confirmed on a task where the mean over seeds is at least 99 % in training and at most 65 % in
    the test, with no cure. Holds where all are, does not where none is. The effect is training
    minus test accuracy, the mean over tasks.
    """
    runs = stored("sweep_cures")
    cells = runs.cells("task", "labels")
    both = {"of": "train_accuracy", "strategy": BASE}, {"of": "test_balanced", "strategy": BASE}
    shown = []
    for cell in cells:
        trained, tested = (runs.cell(**each, **cell).mean() for each in both)
        means = f"{trained:.1%} in training, {tested:.1%} in the test"
        text = f"{cell['task']} with {cell['labels']} labels ({means})"
        shown.append((text, trained >= TRAINED and tested <= TESTED))
    return settled(*share(shown, "on {}", "on {}"), runs.mean(*both, cells))


def cure_rule() -> Verdict:
    """fit-2: is the cure to freeze more layers and train less?

    Freezing up to layer2 and a fifth of the epochs, against no cure. Confirmed on a task where the
    interval of the test accuracy lies above zero. Holds where all are, does not where none is. The
    condition names the cure that leads on validation, and says what it and twice the labels were
    worth in the test. The effect is the difference, the mean over tasks.
    """
    runs = stored("sweep_cures")
    cells = runs.cells("task", "labels")
    shown = [(cell, runs.compare(CURE, BASE, **cell).sign > 0) for cell in cells]
    names = [c["strategy"] for c in runs.cells("strategy") if c["strategy"] not in (BASE, LABELS)]
    best = runs.leader("strategy", names)
    worth = {cure: runs.mean(cure, BASE, cells) for cure in (best, LABELS, CURE)}
    points = {cure: f"{100 * found.effect:+.1f}" for cure, found in worth.items()}
    chosen = f"best of {len(names)} on validation: {best} ({points[best]} in the test)"
    more = f"{LABELS}: {points[LABELS]} points"
    return settled(*share(shown, "on {}", "on {}"), worth[CURE], chosen, more)


def protection_rule() -> Verdict:
    """freeze-6: does freezing protect small sets, that is, is the test better for it?

    Frozen up to layer3 against all weights trained. Confirmed on a target where the interval of the
    difference in test accuracy, the mean over 25, 50 and 100 labels, lies above zero. Holds where
    all are, does not where none is. The condition counts single cells, and says by how much the
    gap between training and test shrinks. The effect is the difference, the mean over cells.
    """
    runs = stored("sweep_freezing")
    cells = {task: [{"task": task, "labels": n} for n in TINY] for task in runs.tasks}
    shown = [(task, runs.mean(MOST, ALL, each).sign > 0) for task, each in cells.items()]
    every = sum(cells.values(), [])
    signs = [runs.compare(MOST, ALL, **cell).sign for cell in every]
    small = runs.frame[runs.frame.labels.isin(TINY)]
    gaps = (small.train_accuracy - small.test_accuracy).groupby(small.strategy).mean()
    pairs = (
        f"better in {signs.count(1)}, worse in {signs.count(-1)} of {len(every)} pairs of target "
        "and labels"
    )
    ahead = (
        f"training is ahead of the test by {100 * gaps[MOST]:.0f} points instead of "
        f"{100 * gaps[ALL]:.0f}"
    )
    protects = share(shown, "on {} over 25 to 100 labels", "on {}")
    return settled(*protects, runs.mean(MOST, ALL, every), pairs, ahead)


RULES = {
    "freeze-6": protection_rule,
    "fit-1": picture_rule,
    "fit-2": cure_rule,
}
