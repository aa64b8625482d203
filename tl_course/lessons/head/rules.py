"""The rules of lesson 03."""

from tl_course.evidence import results
from tl_course.evidence.intervals import paired
from tl_course.evidence.judging import settled, share
from tl_course.evidence.verdicts import Verdict, compare, pooled

LESSON = "03_head"
LABELS = 200
SMALL, SIMILAR = 50, "pacs_photo"
LEARNT = 0.75  # of the loss may be left when 16 examples were learned by heart
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
    for other, words in (
        ("old head renamed", "the old answers renamed"),
        ("probe on old head", "a new head on the old one"),
    ):
        won, level = [], []
        for task in dict.fromkeys(frame.task):
            better = compare(frame, task, LABELS, "linear probe", other).sign > 0
            (won if better else level).append(task)
        if won:
            yes.append(f"{words} ({', '.join(won)})")
        if level:
            no.append(f"{words} ({', '.join(level)})")
    found = pooled(frame, LABELS, "linear probe", "old head renamed")
    verdict, condition = share(yes, no, "better than {}", "against {}")
    return settled(verdict, condition, found)


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
    verdict, condition = share(*texts, "enough (points against fine-tuning): {}", "on {}")
    if SIMILAR not in {task for task, _ in short}:
        verdict = "holds"
    found = compare(frame, SIMILAR, SMALL, "linear probe", "fine-tuning")
    return settled(verdict, condition, found)


def families_rule() -> Verdict:
    """zoo-1: does each family named take a new job, and is it worth starting from?

    A family takes it where, with every seed, the new head has its shape, what is frozen stays, and
    all of it can learn 16 examples by heart. Worth is measured for those whose weights come with
    the course: pretrained against random features of the same network. Holds where all families
    take a new job and the worth of all is shown; holds when that is so for some; does not hold
    where none takes it, or none is worth it. The effect is the mean worth.
    """
    frame = results.load("sweep_families")
    rows = frame[frame.strategy == "operations"]
    takes = rows["head"].astype(bool) & rows.frozen.astype(bool)
    learns = takes & (rows.loss_after < LEARNT * rows.loss_before)
    names = [*dict.fromkeys(rows.family)]
    seeds = rows.seed.nunique()
    counts = {
        word: {name: int(fine[rows.family == name].sum()) for name in names}
        for word, fine in (("take a new head and freeze", takes), ("learn by heart", learns))
    }
    able = [name for name in names if learns[rows.family == name].all()]
    small = frame[frame.family == "minilm"].pivot(
        index="seed", columns="strategy", values="test_balanced"
    )
    pictures = results.load("sweep_head")
    pictures = pictures[(pictures.task == SIMILAR) & (pictures.labels == LABELS)]
    pictures = pictures.dropna(subset="test_balanced").pivot(
        index="seed", columns="strategy", values="test_balanced"
    )
    both = [
        (table["linear probe"], table["probe on random backbone"]) for table in (pictures, small)
    ]
    found = paired(*(sum(values) / len(both) for values in zip(*both, strict=True)))
    proven = [
        name
        for name, values in zip(("ResNet", "BERT"), both, strict=True)
        if paired(*values).sign > 0
    ]
    parts = []
    for word, found_in in counts.items():
        part = f"{sum(n == seeds for n in found_in.values())} of {len(names)} families {word}"
        short = [f"{name} with {n} of {seeds} seeds" for name, n in found_in.items() if n < seeds]
        parts.append(f"{part} ({', '.join(short)})" if short else part)
    worth = " and ".join(proven) or "none"
    text = f"{'; '.join(parts)}; that their weights are worth it was measured for {worth}"
    verdict = "holds-when" if able and proven else "does-not-hold"
    if len(able) == len(names) == len(proven):
        verdict = "holds"
    return settled(verdict, text, found)


RULES = {
    "head-1": new_head_rule,
    "head-2": head_alone_rule,
    "zoo-1": families_rule,
}
