"""The rules of lesson 03."""

from tl_course.evidence import results
from tl_course.evidence.rules.shared import settled, share
from tl_course.evidence.verdicts import Verdict, compare, pooled

LESSON = "03_head"
LABELS = 200
SMALL, SIMILAR = 50, "pacs_photo"
MARGIN = 0.05  # of accuracy: a head that loses less than this against fine-tuning is enough


def new_head_rule() -> Verdict:
    """head-1: is a new head better than making do with the old one, on every task?

    Two ways to make do: rename the old answers, each to the new class it meets most; keep the old
    head and train a new one on its outputs. Holds where the new head in place of the old one beats
    both on every task, does not where it beats neither on any. The effect is against renaming, the
    mean over tasks.
    """
    frame = results.load("sweep_head")
    yes, no = [], []
    for other, words in (("old head renamed", "renaming"), ("probe on old head", "stacking")):
        won, level = [], []
        for task in dict.fromkeys(frame.task):
            better = compare(frame, task, LABELS, "linear probe", other).sign > 0
            (won if better else level).append(task)
        if won:
            yes.append(f"{words} the old answers on {', '.join(won)}")
        if level:
            no.append(f"{words} them on {', '.join(level)}")
    found = pooled(frame, LABELS, "linear probe", "old head renamed")
    verdict, condition = share(yes, no, "better than {}", "against {}")
    return settled("head-1", verdict, condition, found, LESSON)


def head_alone_rule() -> Verdict:
    """head-2: on a small, similar set, does training the head alone match fine-tuning?

    It is enough where the whole interval of what is lost lies below five points. Holds where that
    is so on photographs of things, with 50 labels and with 200; holds when it is so with one of
    them, or elsewhere; does not hold where it is so nowhere. The effect is that on the photographs
    with 50 labels.
    """
    frame = results.load("sweep_head")
    enough, short = [], []
    for task in dict.fromkeys(frame.task):
        for labels in sorted(set(frame.labels)):
            found = compare(frame, task, labels, "linear probe", "fine-tuning")
            text = f"{task} {labels} ({100 * found.effect:+.0f})"
            (enough if found.low > -MARGIN else short).append((task, text))
    texts = [[text for _, text in cells] for cells in (enough, short)]
    verdict, condition = share(*texts, "{}, points against fine-tuning", "on {}")
    if SIMILAR not in {task for task, _ in short}:
        verdict = "holds"
    found = compare(frame, SIMILAR, SMALL, "linear probe", "fine-tuning")
    return settled("head-2", verdict, condition, found, LESSON)
