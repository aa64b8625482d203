"""The rules of lesson 03."""

from dataclasses import replace

import numpy as np

from tl_course.evidence.findings import HELPS, SAME
from tl_course.evidence.intervals import told
from tl_course.evidence.results import near_and_far, stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "03_head"
LABELS = 200
SIMILAR = "pacs_photo"
LEARNT = 0.75  # of the loss may be left when 16 examples were learned by heart
NEW, TUNED = "linear probe", "fine-tuning"
MADE_DO = {
    "old head renamed": "against the old answers renamed",
    "probe on old head": "against a new head on the old one",
}


def new_head_rule() -> Verdict:
    """head-1: is a new head better than making do with the old one, on every task?

    Two ways to make do: rename the old answers, each to the new class it meets most; keep the old
    head and train a new one on its outputs.
    """
    runs = stored("sweep_head")
    rows = [
        runs.row(NEW, other, words, task=task, labels=LABELS)
        for other, words in MADE_DO.items()
        for task in runs.tasks
    ]
    return concluded(f"With {LABELS} labels, a new head in place of the old one", rows)


def head_alone_rule() -> Verdict:
    """head-2: on a small, similar set, is training the head alone as good as fine-tuning all?

    Similar are the targets in the nearer half by the declared distance; small is 50 labels and 200.
    What the head alone loses elsewhere is said besides.
    """
    runs = stored("sweep_head")
    near, far = (
        [
            runs.row(NEW, TUNED, claimed=(HELPS, SAME), task=task, labels=labels)
            for task in half
            for labels in runs.counts(task)
        ]
        for half in near_and_far(runs.tasks)
    )
    means = [np.mean(row.differences) for row in far]
    ends = dict.fromkeys(told(end(means), "points") for end in (min, max))
    more = f"On targets farther away it brings {' to '.join(ends)} points."
    return concluded("Training the head alone instead of everything", near, more=[more])


def families_rule() -> Verdict:
    """zoo-1: is each family of networks worth starting from?

    Measured for those whose weights come with the course: pretrained against random features of
    the same network. How many families take a new head, stay frozen and learn 16 examples by heart
    is said besides.
    """
    families = stored("sweep_families")
    rows = families.rows(strategy="operations")
    takes = rows["head"].astype(bool) & rows.frozen.astype(bool)
    learns = takes & (rows.loss_after < LEARNT * rows.loss_before)
    seeds, more = rows.seed.nunique(), []
    for word, fine in (("take a new head and freeze", takes), ("learn by heart", learns)):
        times = fine.groupby(rows.family, sort=False).sum()
        short = [f"{name} with {n} of {seeds} seeds" for name, n in times[times < seeds].items()]
        part = f"{(times == seeds).sum()} of {len(times)} families {word}"
        more.append(f"{part} ({', '.join(short)})." if short else f"{part}.")
    starts = (NEW, "probe on random backbone")
    worth = [
        stored("sweep_head")
        .row(*starts, "", task=SIMILAR, labels=LABELS)
        ._replace(target="ResNet"),
        families.row(*starts, "", family="minilm")._replace(target="BERT"),
    ]
    subject = "Starting from pretrained instead of random weights"
    found = concluded(subject, worth, networks="resnet10 and minilm", more=more)
    if found.verdict == "holds" and len(worth) < rows.family.nunique():  # of the others none knows
        found = replace(found, verdict="holds-when")
    return found


RULES = {
    "head-1": new_head_rule,
    "head-2": head_alone_rule,
    "zoo-1": families_rule,
}
