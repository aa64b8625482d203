"""The rules of lesson 06."""

from tl_course import store
from tl_course.evidence import results
from tl_course.evidence.rules.freezing import MOST
from tl_course.evidence.rules.shared import by_task, mean_paired, settled, share
from tl_course.evidence.verdicts import Verdict, compare, scores

LESSON = "06_overfitting"
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
    return settled("fit-1", verdict, condition, mean_paired(pairs), LESSON)


def cure_rule() -> Verdict:
    """fit-2: is the cure to freeze more layers and train less?

    Freezing up to layer2 and a fifth of the epochs, against no cure. Confirmed on a task where the
    interval of the test accuracy lies above zero. Holds where all are, does not where none is. The
    condition names the cure that was worth most, and what twice the labels were worth. The effect
    is the difference, the mean over tasks.
    """
    frame = results.load("sweep_cures")
    cells = [*frame[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)]
    yes = [cell for cell in cells if compare(frame, *cell, CURE, BASE).sign > 0]
    no = [cell for cell in cells if cell not in yes]

    def worth(cure: str):
        return mean_paired([[scores(frame, *cell, s) for s in (cure, BASE)] for cell in cells])

    names = [cure for cure in dict.fromkeys(frame.strategy) if cure not in (BASE, LABELS)]
    others = {cure: worth(cure) for cure in names}
    best = max(others, key=lambda cure: others[cure].effect)
    verdict, condition = share(by_task(yes), by_task(no), "on {}", "on {}")
    condition = (
        f"{condition}; worth most without new labels: {best} ({100 * others[best].effect:+.1f}); "
        f"{LABELS}: {100 * worth(LABELS).effect:+.1f} points"
    )
    return settled("fit-2", verdict, condition, others[CURE], LESSON)


def protection_rule() -> Verdict:
    """freeze-6: does freezing protect small sets, that is, is the test better for it?

    Frozen up to layer3 against all weights trained, with 25, 50 and 100 labels. Confirmed in a
    cell where the interval of the difference in test accuracy lies above zero. Holds where all
    are, does not where none is. The condition says by how much the gap between training and test
    shrinks. The effect is the difference in test accuracy, the mean over cells.
    """
    frame = results.load("sweep_freezing")
    cells = [(task, n) for n in TINY for task in dict.fromkeys(frame.task)]
    order = [*dict.fromkeys(frame.task)]
    yes = [cell for cell in cells if compare(frame, *cell, MOST, "fine-tuning").sign > 0]
    no = [cell for cell in cells if cell not in yes]
    yes, no = (sorted(part, key=lambda cell: (order.index(cell[0]), cell[1])) for part in (yes, no))
    harmed = [cell for cell in cells if compare(frame, *cell, MOST, "fine-tuning").sign < 0]
    small = frame[frame.labels.isin(TINY)]
    gaps = (small.train_accuracy - small.test_balanced).groupby(small.strategy).mean()
    verdict, condition = share(by_task(yes), by_task(no), "on {}", "on {}")
    condition = (
        f"{condition}; worse in {len(harmed)} of {len(cells)} cells; "
        f"training is ahead of the test by {100 * gaps[MOST]:.0f} points instead of "
        f"{100 * gaps['fine-tuning']:.0f}"
    )
    pairs = [[scores(frame, *cell, s) for s in (MOST, "fine-tuning")] for cell in cells]
    return settled("freeze-6", verdict, condition, mean_paired(pairs), LESSON)
