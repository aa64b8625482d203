"""What gives each fault away, and three cases to find it in."""

from dataclasses import dataclass
from functools import lru_cache

import torch

from tl_course import models, store, tasks
from tl_course.lessons.preprocessing import faults

# what each fault shows; the first is no fault
CLUES = {
    faults.RIGHT: "the numbers lie where they lay in training, the picture is whole, smooth and "
    "in its colours, most answers are on the diagonal, and another order changes none",
    "no mean and std": "all numbers lie between 0 and 1, none below, and what the network sees is "
    "flat and pale",
    "another mean and std": "the numbers end at −1 and 1, narrower than in training, and what the "
    "network sees has less contrast",
    "0 to 255": "the numbers run to 1,000 and beyond, what the network sees is white, and it is "
    "quite sure of nearly always the same class",
    "BGR": "red and blue have changed places: yellow turns to cyan, brown to blue, green stays",
    "not resized": "the network sees as many pixels as the file has, not 64 × 64",
    "corner crop": "the network sees the upper left quarter of the picture alone",
    "stretched": "the network sees the middle half alone, pulled to twice its width",
    "grey": "the network sees no colour: red, green and blue show the same picture",
    "compressed": "what the network sees has blocks, and colours that leak over edges",
    "another filter": "edges are jagged, and all else is nearly as it should be",
    "training mode": "answers change when the same pictures are asked in another order; nothing "
    "else does that",
    "labels off by one": "the matrix has a clear diagonal, but one place beside its own, and the "
    "network is sure",
    "classes in another order": "each row of the matrix has one strong column, yet not all are "
    "one place beside the diagonal, and the network is sure",
}


def diagnose_fault(truth: str, guess: str) -> str:
    """Whether ``guess`` is the fault ``truth``, and what gave it away; one line.

    Both are keys of ``CLUES``: a fault, or ``right``. Raises ``UnknownName``.
    """
    store.choose("fault", truth, CLUES)
    clue = CLUES[store.choose("diagnosis", guess, CLUES)]
    if guess == truth:
        return f"Right. What gives it away: {clue}."
    when = "Where nothing is wrong" if guess == faults.RIGHT else f"With {guess!r}"
    return f"Not yet. {when}, {clue}. Look again."


@dataclass(frozen=True)
class FeedingCase:
    """What a leaf doctor with an unknown fault answered. ``logits``: float32 (N, 5); ``again``:
    for the same leaves, asked in another order; ``labels``: as the file has them, int64 (N,).
    """

    logits: torch.Tensor
    again: torch.Tensor
    labels: torch.Tensor


# the fault of each case, and where it shows
CASES = {
    "A": (
        "classes in another order",
        "in each row of the confusion matrix, which column is largest?",
    ),
    "B": ("training mode", "how many answers differ between logits and again?"),
    "C": ("0 to 255", "how sure is it, and how many different classes does it answer?"),
}


@lru_cache(maxsize=1)
def feeding_cases() -> dict[str, FeedingCase]:
    """Three leaf doctors by letter, each with one of the thirteen faults."""
    doctor = models.load("leaf_doctor")
    leaves = tasks.load("leaves_128").test.take(range(200, 300))
    order = torch.randperm(len(leaves), generator=torch.Generator().manual_seed(9))
    found = {}
    for letter, (fault, _) in CASES.items():
        logits, labels = faults.asked(doctor, leaves, fault)
        again = logits
        if fault == "training mode":  # the others answer each picture by itself
            again = faults.logits(doctor, leaves.inputs[order], fault)[order.argsort()]
        found[letter] = FeedingCase(logits, again, labels)
    return found
