"""Rules of lesson 08: when borrowing hurts."""

import numpy as np

from tl_course import store
from tl_course.evidence.findings import HURTS, SAME, Row
from tl_course.evidence.results import Runs, distances, near_and_far, stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "08_negative_transfer"
PHOTOGRAPHS = {"source": "photographs", "strategy": "fine-tuned"}
SCRATCH = {"source": "nothing", "strategy": "fine-tuned"}
AUDIO, XRAYS, TEXT = "spoken_digits", "pneumonia", "text_pictures"
EXAMPLE = "satellite"  # the document's own
LEAST = 5  # targets that tell of a slope
HUNDREDS = (50, 200, 500)  # X-rays
WAYS = ("fine-tuning", "head alone")


def _cells(runs: Runs, *tasks: str) -> list[dict]:
    """Every count of labels of every task, rising."""
    return [{"task": task, "labels": count} for task in tasks for count in runs.counts(task)]


def hurt_rule() -> Verdict:
    """neg-1: photographs of the earth from above, the document's example, and every other pair of a
    source and a target, all weights fine-tuned, against from scratch.
    """
    runs = stored("sweep_suspects")
    cells = runs.cells("source", "task", "labels", strategy="fine-tuned")
    cells = [cell for cell in cells if cell["source"] != "nothing"]
    cells.sort(key=lambda cell: (cell["task"] != EXAMPLE, cell["source"] != "photographs"))
    rows = [
        runs.row({}, SCRATCH, f"{cell['labels']} labels from {cell['source']}", (HURTS,), **cell)
        for cell in cells
    ]
    example = [runs.compare(PHOTOGRAPHS, SCRATCH, **cell) for cell in _cells(runs, EXAMPLE)]
    said = " and ".join(f"{100 * each.effect:+.1f}" for each in example)
    more = f"The document's example, photographs to satellite scenes: {said} points."
    return concluded("Borrowing from a source instead of starting from scratch", rows, more=[more])


def fading_rule() -> Verdict:
    """neg-2: does what photographs bring fade with the declared distance of the target?

    The slope of the gain over from scratch on the distance, with few labels and with many, over
    targets: a t-interval of the jackknife's pseudo-values (Tukey 1958), one a target. Points are
    those from the nearest target to the farthest.
    """
    runs, away = stored("sweep_suspects"), distances()
    targets = {*runs.rows(**PHOTOGRAPHS).task} & {*away}
    if len(targets) < LEAST:
        raise store.BadInput(
            f"a slope over {len(targets)} targets", f"it needs {LEAST}", "Run the whole sweep"
        )
    near, far = near_and_far(targets)
    span = away[far[-1]] - away[near[0]]
    places = np.array([away[task] / span for task in near + far])
    rows = []
    for place, name in ((0, "few labels"), (-1, "many labels")):
        cells = [_cells(runs, task)[place] for task in near + far]
        gains = np.array(
            [np.mean(runs.row(PHOTOGRAPHS, SCRATCH, **cell).differences) for cell in cells]
        )
        whole = np.polyfit(places, gains, 1)[0]
        rest = [np.polyfit(*np.delete([places, gains], i, 1), 1)[0] for i in range(len(gains))]
        pseudo = len(gains) * whole - (len(gains) - 1) * np.array(rest)
        rows.append(Row("all targets", name, [*pseudo], (HURTS,), over="targets"))
    says = (
        "lowers the gain on {}",
        "raises the gain on {}",
        "leaves the gain as it is on {}",
        "has an unclear effect on {}",
    )
    return concluded("A larger distance from photographs", rows, says=says)


def xray_rule() -> Verdict:
    """neg-3: photographs for chest X-rays, everything fine-tuned or the head alone, against from
    scratch; the way is chosen on validation, where both classes count alike.

    How the head does on random weights is said besides.
    """
    runs = stored("sweep_freezing")
    rows, ways = [], []
    cells = [{"task": XRAYS, "labels": labels} for labels in HUNDREDS]
    for cell in cells:
        way = runs.leader("strategy", WAYS, **cell)
        rows.append(runs.row(way, "from scratch", **cell))
        ways.append(f"{way} with {cell['labels']}")
    random = [np.mean(runs.row(WAYS[1], "head on random backbone", **c).differences) for c in cells]
    more = (
        f"Chosen on validation: {', '.join(ways)}.",
        f"The head alone against one on random weights: {100 * np.mean(random):+.1f} points.",
    )
    alone = runs.rows(task=XRAYS, strategy="from scratch")
    subject = "Photographs as the source for chest X-rays instead of nothing"
    return concluded(subject, rows, more=more, baseline=alone[alone.labels.isin(HUNDREDS)])


def small_xray_rule() -> Verdict:
    """real-3: fine-tuning everything on a small set of X-rays, against from scratch."""
    runs = stored("sweep_freezing")
    alone = runs.rows(task=XRAYS, strategy="from scratch")
    rows = [runs.row(WAYS[0], "from scratch", task=XRAYS, labels=labels) for labels in HUNDREDS]
    return concluded(
        "Fine-tuning everything on a few hundred X-rays",
        rows,
        baseline=alone[alone.labels.isin(HUNDREDS)],
    )


def audio_and_text_rule() -> Verdict:
    """neg-4: photographs for pictures of sound ("maybe works") and of text ("won't work").

    Sound works where fine-tuning gains over from scratch. Text does not where fine-tuning gains
    nothing, and where counting words in the same sentences is better.
    """
    runs = stored("sweep_suspects")
    counted = {"source": "words counted", "strategy": "frozen"}
    rows = [runs.row(PHOTOGRAPHS, SCRATCH, **cell) for cell in _cells(runs, AUDIO)]
    for cell in _cells(runs, TEXT):
        rows.append(runs.row(PHOTOGRAPHS, SCRATCH, claimed=(HURTS, SAME), **cell))
    for cell in _cells(runs, TEXT):
        where = f"{cell['labels']} against words counted"
        rows.append(runs.row(PHOTOGRAPHS, counted, where, (HURTS,), **cell))
    return concluded("Photographs as the source", rows)


RULES = {
    "neg-1": hurt_rule,
    "neg-2": fading_rule,
    "neg-3": xray_rule,
    "neg-4": audio_and_text_rule,
    "real-3": small_xray_rule,
}
