"""The rules of lesson 03."""

from tl_course.evidence.intervals import mean_paired, paired
from tl_course.evidence.results import stored
from tl_course.evidence.verdicts import Verdict, settled, share

LESSON = "03_head"
LABELS = 200
SMALL, SIMILAR = 50, "pacs_photo"
LEARNT = 0.75  # of the loss may be left when 16 examples were learned by heart
MARGIN = 0.05  # of accuracy: a head that loses less than this against fine-tuning is enough
NEW, TUNED = "linear probe", "fine-tuning"
MADE_DO = {
    "old head renamed": "the old answers renamed",
    "probe on old head": "a new head on the old one",
}


def new_head_rule() -> Verdict:
    """head-1: is a new head better than making do with the old one, on every task?

    Two ways to make do: rename the old answers, each to the new class it meets most; keep the old
    head and train a new one on its outputs. Holds where the new head in place of the old one beats
    both on every task, does not where it beats neither on any. The effect is against renaming, the
    mean over tasks.
    """
    runs = stored("sweep_head")
    shown = []
    for other, words in MADE_DO.items():
        for task in runs.tasks:
            better = runs.compare(NEW, other, task=task, labels=LABELS).sign > 0
            shown.append(({"other": words, "task": task}, better))
    found = runs.pooled(NEW, "old head renamed", labels=LABELS)
    return settled(*share(shown, "better than {}", "against {}"), found)


def head_alone_rule() -> Verdict:
    """head-2: on a small, similar set, does training the head alone match fine-tuning?

    It is enough where the whole interval of what is lost lies below five points. Holds where that
    is so on photographs of things, with 50 labels and with 200; holds when it is so with one of
    them, or elsewhere; does not hold where it is so nowhere. The effect is that on the photographs
    with 50 labels.
    """
    runs = stored("sweep_head")
    shown, similar = [], []
    for task in runs.tasks:
        for labels in runs.counts(task):
            found = runs.compare(NEW, TUNED, task=task, labels=labels)
            enough = found.low > -MARGIN
            shown.append((f"{task} {labels} ({100 * found.effect:+.0f})", enough))
            if task == SIMILAR:
                similar.append(enough)
    verdict, condition = share(shown, "enough (points against fine-tuning): {}", "on {}")
    if all(similar):
        verdict = "holds"
    return settled(verdict, condition, runs.compare(NEW, TUNED, task=SIMILAR, labels=SMALL))


def families_rule() -> Verdict:
    """zoo-1: does each family named take a new job, and is it worth starting from?

    A family takes it where, with every seed, the new head has its shape, what is frozen stays, and
    all of it can learn 16 examples by heart. Worth is measured for those whose weights come with
    the course: pretrained against random features of the same network. Holds where all families
    take a new job and the worth of all is shown; holds when that is so for some; does not hold
    where none takes it, or none is worth it. The effect is the mean worth.
    """
    families = stored("sweep_families")
    rows = families.rows(strategy="operations")
    takes = rows["head"].astype(bool) & rows.frozen.astype(bool)
    learns = takes & (rows.loss_after < LEARNT * rows.loss_before)
    seeds, parts = rows.seed.nunique(), []
    for word, fine in (("take a new head and freeze", takes), ("learn by heart", learns)):
        times = fine.groupby(rows.family, sort=False).sum()
        part = f"{(times == seeds).sum()} of {len(times)} families {word}"
        short = [f"{name} with {n} of {seeds} seeds" for name, n in times[times < seeds].items()]
        parts.append(f"{part} ({', '.join(short)})" if short else part)
    able = (times == seeds).sum()
    starts = (NEW, "probe on random backbone")
    measured = {
        "ResNet": (stored("sweep_head"), {"task": SIMILAR, "labels": LABELS}),
        "BERT": (families, {"family": "minilm"}),
    }
    pairs = {
        name: [runs.cell(strategy=start, **cell) for start in starts]
        for name, (runs, cell) in measured.items()
    }
    proven = [name for name, pair in pairs.items() if paired(*pair).sign > 0]
    worth = " and ".join(proven) or "none"
    parts.append(f"that their weights are worth it was measured for {worth}")
    verdict = "holds-when" if able and proven else "does-not-hold"
    if able == len(times) == len(proven):
        verdict = "holds"
    return settled(verdict, "; ".join(parts), mean_paired(pairs.values()))


RULES = {
    "head-1": new_head_rule,
    "head-2": head_alone_rule,
    "zoo-1": families_rule,
}
