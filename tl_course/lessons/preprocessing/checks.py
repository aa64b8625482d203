"""Lesson 09: what gives each fault away, cases to diagnose, and the checks."""

import itertools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch.nn import functional as F

from tl_course import models, store, tasks
from tl_course.lessons.preprocessing import faults
from tl_course.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from tl_course.practice.patience import one_line, patient

if TYPE_CHECKING:
    from tl_course.tasks import Split

SIZE = 64  # of the leaf doctor's pictures
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
    "not resized": f"the network sees as many pixels as the file has, not {SIZE} × {SIZE}",
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


# Exercise 1: prepare files

SIZES = ((128, 128), (128, 96), (96, 128), (112, 112), (80, 120), (128, 128))
ENOUGH = 0.02  # what rounding to whole numbers on the way may change, in normalised units


def camera_files(count: int = 6) -> list[np.ndarray]:
    """Leaves as OpenCV reads them: uint8 (height, width, 3), blue first, of several sizes."""
    return _files(0, count)


def _files(first: int, count: int) -> list[np.ndarray]:
    pictures = tasks.load("leaves_128").val.inputs[first : first + count]
    sizes = itertools.cycle(SIZES)
    return [
        np.ascontiguousarray(picture[[2, 1, 0], :high, :wide].permute(1, 2, 0).numpy())
        for picture, (high, wide) in zip(pictures, sizes, strict=False)
    ]


# the steps, each with the ways in which they go wrong; the first of each is right
LAYOUTS = {
    "": lambda file: file.permute(2, 0, 1),
    "(height, width, 3) was reshaped, not permuted: that mixes up the pixels": lambda file: (
        file.reshape(3, *file.shape[:2])
    ),
    "height and width have changed places: permute(2, 0, 1) keeps them": lambda file: file.permute(
        2, 1, 0
    ),
}
CHANNELS = {
    "": lambda file: file.flip(2),
    "blue still comes first": lambda file: file,
    "[::-1] stood the picture on its head; [..., ::-1] turns the colours round": lambda file: (
        file.flip(0)
    ),
    "[:, ::-1] mirrored the picture; [..., ::-1] turns the colours round": lambda file: file.flip(
        1
    ),
}
FILTERS = {
    "": {"mode": "bilinear", "antialias": True},
    "the filter lacks antialias=True": {"mode": "bilinear"},
    "the filter takes the nearest pixel": {"mode": "nearest"},
    "the filter takes the nearest pixel (exactly)": {"mode": "nearest-exact"},
    "the filter is bicubic": {"mode": "bicubic"},
    "the filter is bicubic (with antialias)": {"mode": "bicubic", "antialias": True},
    "the filter is area": {"mode": "area"},
}
SCALES = {"": 1 / 255, "nobody divided by 255": 1.0, "255 divides it twice": 1 / 255**2}
NORMS = {
    "": (IMAGENET_MEAN, IMAGENET_STD),
    "mean and std are missing": ((0.0,) * 3, (1.0,) * 3),
    "mean and std are 0.5": ((0.5,) * 3, (0.5,) * 3),
    "the mean is subtracted, but nothing divided by the std": (IMAGENET_MEAN, (1.0,) * 3),
    "mean and std are in the order of BGR": (IMAGENET_MEAN[::-1], IMAGENET_STD[::-1]),
}


@patient
def check_prepare(prepare: Callable) -> str:
    """Whether ``prepare(files)`` makes of ``camera_files`` what the leaf doctor was trained on."""
    if not callable(prepare):
        return f"Not yet: this is {type(prepare).__name__}, not a function."
    files = _files(50, len(SIZES))
    given = [file.copy() for file in files]
    with _watched() as called:
        ready = prepare(given)
    if called:
        return "Not yet: this calls a network's own preprocess. Write its steps yourself."
    if len(given) != len(files) or any(
        not np.array_equal(one, other) for one, other in zip(given, files, strict=False)
    ):
        return "Not yet: it changes the files that it is given. Work on copies."
    if complaint := _misshapen(ready, len(files)):
        return complaint
    ready, wanted = ready.detach().cpu(), _prepared(files)
    if torch.equal(ready, ready[:1].expand_as(ready)):
        return "Not yet: all files come out the same. Does each pass through your lines?"
    if not _close(ready, wanted):
        return _recognised(ready, files, wanted)
    alone = prepare(given[1:2])
    if not isinstance(alone, torch.Tensor) or not _close(alone, wanted[1:2]):
        return "Not yet: a single file comes out differently than among others."
    doctor = models.load("leaf_doctor")
    with torch.no_grad():
        answers, right = doctor(ready).argmax(1), doctor(wanted).argmax(1)
    if not torch.equal(answers, right):  # a tie that rounding has turned
        return "Not yet: very close, but the doctor changes an answer. Round nothing on the way."
    return f"Right: for {len(files)} files of {len(set(SIZES))} sizes, the doctor's own inputs."


@contextmanager
def _watched() -> Iterator[list[str]]:
    """Notes when a network's own preprocessing runs, by a call or by ``forward``."""
    called, kinds = [], (models.Preprocess, faults.Fed)
    forwards = [kind.forward for kind in kinds]

    def noting(forward: Callable) -> Callable:
        def noted(self, *given, **named):
            called.append(type(self).__name__)
            return forward(self, *given, **named)

        return noted

    for kind, forward in zip(kinds, forwards, strict=True):
        kind.forward = noting(forward)
    try:
        yield called
    finally:
        for kind, forward in zip(kinds, forwards, strict=True):
            kind.forward = forward


def _close(ready: torch.Tensor, wanted: torch.Tensor, scale: float = 1.0) -> bool:
    return ready.shape == wanted.shape and bool((ready - wanted).abs().max() <= ENOUGH * scale)


def _misshapen(ready, count: int) -> str:
    """What is wrong with shape and type of ``ready``; empty if nothing is."""
    if ready is None:
        return "Not yet: it returns None. Return a tensor (N, 3, 64, 64)."
    if not isinstance(ready, torch.Tensor):
        hint = " Join the pictures with torch.cat." if isinstance(ready, (list, tuple)) else ""
        return f"Not yet: it returns {type(ready).__name__}, not a tensor.{hint}"
    shape = tuple(ready.shape)
    if ready.ndim != 4 or len(ready) != count:
        return (
            f"Not yet: {count} files come out as {shape}. Wanted is ({count}, 3, {SIZE}, {SIZE})."
        )
    if shape[3] == 3:
        return f"Not yet: {shape} has its channels last. PyTorch wants (N, 3, height, width)."
    if shape[1] != 3:
        return f"Not yet: {shape} has {shape[1]} channels, not 3."
    if shape[2:] != (SIZE, SIZE):
        return f"Not yet: pictures are {shape[2]} × {shape[3]}. The doctor learned from 64 × 64."
    if ready.dtype != torch.float32:
        return f"Not yet: it returns {ready.dtype}; the network calculates in torch.float32."
    if not ready.isfinite().all():
        return "Not yet: some of the numbers are NaN or infinite."
    return ""


def _prepared(files: Sequence[np.ndarray], *steps: str) -> torch.Tensor:
    """Files as the network wants them; ``steps``: keys of the five tables, empty where right."""
    layout, channels, kind, scale, norm = steps or ("",) * 5
    resize = {"size": (SIZE, SIZE), **FILTERS[kind]}
    pictures = [
        F.interpolate(LAYOUTS[layout](CHANNELS[channels](torch.from_numpy(file)))[None].float(),
                      **resize)
        for file in files
    ]  # fmt: skip
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in NORMS[norm])
    return (torch.cat(pictures) * SCALES[scale] - mean) / std


def _recognised(ready: torch.Tensor, files: Sequence[np.ndarray], wanted: torch.Tensor) -> str:
    """Which steps are wrong, where some combination of known mistakes gives the same numbers."""
    tables = (LAYOUTS, CHANNELS, FILTERS, SCALES, NORMS)
    # fewest mistakes first, and only combinations of three: nobody is served by a longer list
    combinations = sorted(itertools.product(*tables), key=lambda steps: sum(map(bool, steps)))
    for steps in combinations:
        wrong = [step for step in steps if step]
        if 0 < len(wrong) <= 3:
            scale = SCALES[steps[3]] / SCALES[""]
            alike = (  # one by one: most combinations fail at the first file
                _close(one[None], _prepared([file], *steps), scale)
                for one, file in zip(ready, files, strict=True)
            )
            if all(alike):
                return f"Not yet: {', and '.join(wrong)}."
    numbers = f"{ready.min():.2f} to {ready.max():.2f}"
    right = f"{wanted.min():.2f} to {wanted.max():.2f}"
    away = float((ready - wanted).abs().mean())
    return (
        f"Not yet: its numbers run from {numbers}, the doctor's from {right}, and differ by "
        f"{away:.2f} in the mean. Is the whole picture resized, to a square whatever its "
        "ratio? Are the steps in order: colours and layout, [0, 1], resize, mean and std?"
    )


# Exercise 2: diagnose


@dataclass(frozen=True)
class FeedingCase:
    """What a leaf doctor with an unknown fault answered. ``logits``: float32 (N, 5); ``again``:
    for the same leaves, asked in another order; ``labels``: as the file has them, int64 (N,).
    """

    logits: torch.Tensor
    again: torch.Tensor
    labels: torch.Tensor


CASES = {"A": "classes in another order", "B": "training mode", "C": "0 to 255"}
LOOK_AT = {
    "A": "in each row of the confusion matrix, which column is largest?",
    "B": "how many answers differ between logits and again?",
    "C": "how sure is it, and how many different classes does it answer?",
}


@lru_cache(maxsize=1)
def feeding_cases() -> dict[str, FeedingCase]:
    """Three leaf doctors by letter, each with one of the thirteen faults."""
    doctor = models.load("leaf_doctor")
    leaves = tasks.load("leaves_128").test.take(range(200, 300))
    order = torch.randperm(len(leaves), generator=torch.Generator().manual_seed(9))
    found = {}
    for letter, fault in CASES.items():
        logits, labels = faults.asked(doctor, leaves, fault)
        again = logits
        if fault == "training mode":  # the others answer each picture by itself
            again = faults.logits(doctor, leaves.inputs[order], fault)[order.argsort()]
        found[letter] = FeedingCase(logits, again, labels)
    return found


@patient
def check_diagnoses(found: Mapping[str, str]) -> str:
    """Whether ``found`` names the fault of each of ``feeding_cases``: letter to a fault's name."""
    if not isinstance(found, Mapping):
        return f"Not yet: this is {type(found).__name__}, not a dict of letters and faults."
    for letter, truth in CASES.items():
        guess = found.get(letter)
        if guess is None or (isinstance(guess, str) and not guess):
            return f"Not yet: {letter} has no diagnosis. Choose from list(faults.FAULTS)."
        if not isinstance(guess, str):
            return f"Not yet: {letter} has a {type(guess).__name__}, not the name of a fault."
        if guess not in faults.FAULTS:
            return one_line(
                f"Not yet: {guess[:40]!r} is no fault of this lesson: {', '.join(faults.FAULTS)}."
            )
        if guess != truth:
            return f"Not yet: {letter} has another fault. {_told(guess)} {_ask(letter)}"
    return "Right: all three. Neither picture nor numbers were needed, only answers."


def _told(guess: str) -> str:
    """What ``guess`` would show, and whether answers alone show it."""
    unseen = faults.FAULTS[guess].part == "inputs" and guess != "0 to 255"
    only = ", which answers alone would not show" if unseen else ""
    return f"With {guess!r}, {CLUES[guess]}{only}."


def _ask(letter: str) -> str:
    return f"For {letter}, {LOOK_AT[letter]}"


# Exercise 3: another order of classes

NUMBER_OF = (3, 0, 4, 1, 2)  # no inverse of itself, so that a wrong direction shows


def their_leaves() -> "Split":
    """100 leaves whose file numbers the five classes in an order of its own."""
    from dataclasses import replace

    leaves = tasks.load("leaves_128").test.take(range(300, 400))
    return replace(leaves, labels=torch.tensor(NUMBER_OF)[leaves.labels])


@patient
def check_numbers(number_of: Sequence[int]) -> str:
    """Whether ``number_of[k]`` is the number in ``their_leaves`` of the leaf doctor's class k."""
    if isinstance(number_of, (torch.Tensor, np.ndarray)):
        number_of = number_of.tolist()
    if isinstance(number_of, (str, bytes, Mapping)) or not isinstance(number_of, Sequence):
        return f"Not yet: this is {type(number_of).__name__}, not a list of five numbers."
    count = len(NUMBER_OF)
    if len(number_of) != count:
        return (
            f"Not yet: this has length {len(number_of)}. Wanted are {count} numbers, one for each "
            "class of the doctor."
        )
    try:
        numbers = [operator.index(number) for number in number_of]  # tensors of one number too
    except TypeError:
        kinds = ", ".join(sorted({type(number).__name__ for number in number_of}))
        return f"Not yet: these are of type {kinds}. Wanted are whole numbers: int(…) makes them."
    if sorted(numbers) != [*range(count)]:
        return one_line(
            f"Not yet: {numbers} should have each number from 0 to {count - 1} exactly once."
        )
    if numbers == [*range(count)]:
        return "Not yet: this is the order of the doctor. Theirs is another one."
    if numbers == [NUMBER_OF.index(number) for number in range(count)]:
        return (
            "Not yet: this goes the other way, from their numbers to the doctor's classes. "
            "Position: class of the doctor; value: their number."
        )
    right = sum(mine == theirs for mine, theirs in zip(numbers, NUMBER_OF, strict=True))
    if right < count:
        return (
            f"Not yet: {right} of {count} classes are right. Which label is most frequent among "
            "the leaves that get one answer?"
        )
    doctor, leaves = models.load("leaf_doctor"), their_leaves()
    answers = torch.tensor(numbers)[faults.logits(doctor, leaves.inputs).argmax(1)]
    share = float((answers == leaves.labels).float().mean())
    return f"Right: with their numbers, {share:.0%} of the answers agree with the file."
