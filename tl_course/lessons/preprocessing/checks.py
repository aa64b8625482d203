"""The checks of lesson 09: files to prepare, faults to find, and another order of classes."""

import itertools
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from operator import methodcaller
from typing import TYPE_CHECKING
from unittest.mock import patch

import numpy as np
import torch
from torch.nn import functional as F

from tl_course import models, tasks
from tl_course.lessons.preprocessing import faults
from tl_course.lessons.preprocessing.clues import CASES, CLUES
from tl_course.models.preprocess import IMAGENET_MEAN, IMAGENET_STD
from tl_course.practice.grading import NotYet, ask, graded, want

if TYPE_CHECKING:
    from tl_course.tasks import Split

SIZE = 64  # of the leaf doctor's pictures
SIZES = ((128, 128), (128, 96), (96, 128), (112, 112), (80, 120), (128, 128))  # of the files
ENOUGH = 0.02  # what rounding to whole numbers on the way may change, in normalised units


def camera_files(count: int = 6, first: int = 0) -> list[np.ndarray]:
    """Leaves as OpenCV reads them: uint8 (height, width, 3), blue first, of several sizes."""
    pictures = tasks.load("leaves_128").val.inputs[first : first + count]
    return [
        np.ascontiguousarray(picture[[2, 1, 0], :high, :wide].permute(1, 2, 0).numpy())
        for picture, (high, wide) in zip(pictures, itertools.cycle(SIZES), strict=False)
    ]


# the steps, each with the ways in which they go wrong; the first of each is right
LAYOUTS = {
    "": methodcaller("permute", 2, 0, 1),
    "(height, width, 3) was reshaped, not permuted: that mixes up the pixels": (
        lambda file: file.reshape(3, *file.shape[:2])
    ),
    "height and width have changed places: permute(2, 0, 1) keeps them": (
        methodcaller("permute", 2, 1, 0)
    ),
}
CHANNELS = {
    "": methodcaller("flip", 2),
    "blue still comes first": methodcaller("clone"),
    "[::-1] stood the picture on its head; [..., ::-1] turns the colours round": (
        methodcaller("flip", 0)
    ),
    "[:, ::-1] mirrored the picture; [..., ::-1] turns the colours round": methodcaller("flip", 1),
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


@graded
def check_prepare(prepare: Callable) -> str:
    """Whether ``prepare(files)`` makes of ``camera_files`` what the leaf doctor was trained on."""
    files = camera_files(len(SIZES), first=50)
    ours, fed = models.Preprocess, faults.Fed
    with (
        patch.object(ours, "forward", autospec=True, side_effect=ours.forward) as first,
        patch.object(fed, "forward", autospec=True, side_effect=fed.forward) as second,
    ):
        spoiled = "it changes the files that it is given. Work on copies."
        ready = ask(prepare, files, spoiled=spoiled)
    if first.called or second.called:
        raise NotYet("this calls a network's own preprocess. Write its steps yourself.")
    _shaped(ready, len(files))
    ready, wanted = ready.detach().cpu(), _prepared(files)
    if torch.equal(ready, ready[:1].expand_as(ready)):
        raise NotYet("all files come out the same. Does each pass through your lines?")
    if not _close(ready, wanted):
        raise NotYet(_recognised(ready, files, wanted))
    alone = prepare([files[1].copy()])
    if not isinstance(alone, torch.Tensor) or not _close(alone, wanted[1:2]):
        raise NotYet("a single file comes out differently than among others.")
    doctor = models.load("leaf_doctor")
    with torch.no_grad():
        answers, right = doctor(ready).argmax(1), doctor(wanted).argmax(1)
    if not torch.equal(answers, right):  # a tie that rounding has turned
        raise NotYet("very close, but the doctor changes an answer. Round nothing on the way.")
    return f"for {len(files)} files of {len(set(SIZES))} sizes, the doctor's own inputs."


def _close(ready: torch.Tensor, wanted: torch.Tensor, scale: float = 1.0) -> bool:
    return ready.shape == wanted.shape and bool((ready - wanted).abs().max() <= ENOUGH * scale)


def _shaped(ready: object, count: int) -> None:
    if ready is None:
        raise NotYet("it returns None. Return a tensor (N, 3, 64, 64).")
    join = ". Join the pictures with torch.cat" if isinstance(ready, list | tuple) else ""
    want(ready, torch.Tensor, f"a tensor{join}", "it returns")
    shape = tuple(ready.shape)
    if ready.ndim != 4 or len(ready) != count:
        raise NotYet(f"{count} files come out as {shape}. Wanted is ({count}, 3, {SIZE}, {SIZE}).")
    if shape[3] == 3:
        raise NotYet(f"{shape} has its channels last. PyTorch wants (N, 3, height, width).")
    if shape[1] != 3:
        raise NotYet(f"{shape} has {shape[1]} channels, not 3.")
    if shape[2:] != (SIZE, SIZE):
        raise NotYet(f"pictures are {shape[2]} × {shape[3]}. The doctor learned from 64 × 64.")
    if ready.dtype != torch.float32:
        raise NotYet(f"it returns {ready.dtype}; the network calculates in torch.float32.")
    if not ready.isfinite().all():
        raise NotYet("some of the numbers are NaN or infinite.")


def _prepared(files: Iterable[np.ndarray], *steps: str) -> torch.Tensor:
    """Files as the network wants them; ``steps``: keys of the five tables, empty where right."""
    layout, channels, kind, scale, norm = steps or ("",) * 5
    pictures = (LAYOUTS[layout](CHANNELS[channels](torch.from_numpy(file))) for file in files)
    small = [F.interpolate(one[None].float(), (SIZE, SIZE), **FILTERS[kind]) for one in pictures]
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in NORMS[norm])
    return (torch.cat(small) * SCALES[scale] - mean) / std


def _recognised(ready: torch.Tensor, files: Sequence[np.ndarray], wanted: torch.Tensor) -> str:
    """Which steps are wrong, where some combination of known mistakes gives the same numbers."""
    tables = (LAYOUTS, CHANNELS, FILTERS, SCALES, NORMS)
    # fewest mistakes first, and only combinations of three: nobody is served by a longer list
    for steps in sorted(itertools.product(*tables), key=lambda steps: sum(map(bool, steps))):
        wrong = [step for step in steps if step]
        scale = SCALES[steps[3]] / SCALES[""]
        if len(wrong) <= 3 and all(  # one by one: most combinations fail at the first file
            _close(one[None], _prepared([file], *steps), scale)
            for one, file in zip(ready, files, strict=True)
        ):
            return f"{', and '.join(wrong)}."
    return (
        f"its numbers run from {ready.min():.2f} to {ready.max():.2f}, the doctor's from "
        f"{wanted.min():.2f} to {wanted.max():.2f}, and differ by "
        f"{(ready - wanted).abs().mean():.2f} in the mean. Is the whole picture resized, to a "
        "square whatever its ratio? Are the steps in order: colours and layout, [0, 1], resize, "
        "mean and std?"
    )


@graded
def check_diagnoses(found: Mapping[str, str]) -> str:
    """Whether ``found`` names the fault of each of ``feeding_cases``: letter to a fault's name."""
    want(found, Mapping, "a dict of letters and faults")
    for letter, (truth, look_at) in CASES.items():
        guess = found.get(letter)
        if guess is None or (isinstance(guess, str) and not guess):
            raise NotYet(f"{letter} has no diagnosis. Choose from list(preprocessing.FAULTS).")
        want(guess, str, "the name of a fault", f"{letter} has a")
        if guess not in faults.FAULTS:
            raise NotYet(f"{guess[:40]!r} is no fault of this lesson: {', '.join(faults.FAULTS)}.")
        if guess != truth:
            unseen = faults.FAULTS[guess].part == "inputs" and guess != "0 to 255"
            only = ", which answers alone would not show" if unseen else ""
            raise NotYet(
                f"{letter} has another fault. With {guess!r}, {CLUES[guess]}{only}. For {letter}, "
                f"{look_at}"
            )
    return "all three. Neither picture nor numbers were needed, only answers."


NUMBER_OF = (3, 0, 4, 1, 2)  # no inverse of itself, so that a wrong direction shows


def their_leaves() -> "Split":
    """100 leaves whose file numbers the five classes in an order of its own."""
    leaves = tasks.load("leaves_128").test.take(range(300, 400))
    return replace(leaves, labels=torch.tensor(NUMBER_OF)[leaves.labels])


@graded
def check_numbers(number_of: Sequence[int]) -> str:
    """Whether ``number_of[k]`` is the number in ``their_leaves`` of the leaf doctor's class k."""
    numbers = _numbers(number_of)
    count = len(NUMBER_OF)
    if numbers == [*range(count)]:
        raise NotYet("this is the order of the doctor. Theirs is another one.")
    if numbers == [NUMBER_OF.index(number) for number in range(count)]:
        raise NotYet(
            "this goes the other way, from their numbers to the doctor's classes. Position: class "
            "of the doctor; value: their number."
        )
    right = sum(map(operator.eq, numbers, NUMBER_OF))
    if right < count:
        raise NotYet(
            f"{right} of {count} classes are right. Which label is most frequent among the leaves "
            "that get one answer?"
        )
    doctor, leaves = models.load("leaf_doctor"), their_leaves()
    answers = torch.tensor(numbers)[faults.logits(doctor, leaves.inputs).argmax(1)]
    share = float((answers == leaves.labels).float().mean())
    return f"with their numbers, {share:.0%} of the answers agree with the file."


def _numbers(number_of: object) -> list[int]:
    """``number_of`` as a list that has each number from 0 once."""
    if isinstance(number_of, torch.Tensor | np.ndarray):
        number_of = number_of.tolist()
    if isinstance(number_of, str | bytes) or not isinstance(number_of, Sequence):
        raise NotYet(f"this is {type(number_of).__name__}, not a list of five numbers.")
    count = len(NUMBER_OF)
    if len(number_of) != count:
        raise NotYet(
            f"this has length {len(number_of)}. Wanted are {count} numbers, one for each class of "
            "the doctor."
        )
    try:
        numbers = [operator.index(number) for number in number_of]  # tensors of one number too
    except TypeError:
        kinds = ", ".join(sorted({type(number).__name__ for number in number_of}))
        raise NotYet(
            f"these are of type {kinds}. Wanted are whole numbers: int(…) makes them."
        ) from None
    if sorted(numbers) != [*range(count)]:
        raise NotYet(f"{numbers} should have each number from 0 to {count - 1} exactly once.")
    return numbers
