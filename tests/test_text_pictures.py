"""Sentences as pictures: each letter can be read back, in its place."""

import textwrap

import numpy as np
import pytest
import torch

from tl_course import tasks
from tl_course.tasks import text_pictures
from tl_course.tasks.text_pictures import COLUMNS, ROWS, drawn

ALPHABET = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789()-"
WIDE, HIGH = 5, 8  # pixels of a letter's place; it may touch the next


def left(column: int) -> int:
    return 2 + int(text_pictures.ADVANCE * column + 0.5)


def place(page: np.ndarray, row: int, column: int) -> np.ndarray:
    return page[row * HIGH : (row + 1) * HIGH, left(column) : left(column) + WIDE].astype(int)


@pytest.fixture(scope="module")
def known():
    """What every letter looks like, drawn alone."""
    found = {letter: place(drawn(letter), 0, 0) for letter in ALPHABET}
    assert len({picture.tobytes() for picture in found.values()}) == len(ALPHABET)
    return found | {" ": np.full((HIGH, WIDE), 255)}


def read(page: np.ndarray, known: dict[str, np.ndarray]) -> list[str]:
    """The page as lines of text: in every place the letter that looks most alike."""

    def letter(row: int, column: int) -> str:
        before = left(column - 1) + WIDE if column else 0
        alone = slice(max(before - left(column), 0), left(column + 1) - left(column))
        seen = place(page, row, column)[:, alone]
        return min(known, key=lambda letter: np.abs(known[letter][:, alone] - seen).sum())

    return [
        "".join(letter(row, column) for column in range(COLUMNS)).rstrip() for row in range(ROWS)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  \n ",
        "Compute the mean",
        "Return a random matrix drawn from the special orthogonal group SO(N)",
        "abcdefghijklm nopqrstuvwxyz",
        "Draw lines\nand points",
        "M" * COLUMNS * ROWS,
        "gjpqy" * 20,  # what hangs below the line is not cut, on the last line either
        "words " * 60,
    ],
)
def test_a_sentence_is_legible_as_far_as_it_fits(text, known):
    page = drawn(text)
    assert page.shape == (64, 64) and page.dtype == np.uint8
    lines = textwrap.wrap(text, COLUMNS)[:ROWS]
    assert read(page, known) == lines + [""] * (ROWS - len(lines))
    assert np.array_equal(drawn(" ".join(lines)), page)
    assert page.min() < 60 if lines else page.min() == 255  # dark on white


def test_both_tasks_hold_the_same_examples_in_the_same_order(known):
    pictures, letters = (tasks.load(name) for name in ("text_pictures", "text_letters"))
    assert pictures.classes == letters.classes and pictures.title != letters.title
    seen = 0
    for part in ("train", "val", "test"):
        pages, written = getattr(pictures, part), getattr(letters, part)
        assert torch.equal(pages.labels, written.labels)
        for index in range(0, len(written), 60):
            text = "".join(map(chr, written.inputs[index].tolist())).rstrip("\0")
            page = pages.inputs[index].numpy()
            assert all(np.array_equal(channel, drawn(text)) for channel in page)
            first = textwrap.wrap(text, COLUMNS)[0]
            if set(first) <= {*ALPHABET, " "}:
                assert read(page[0], known)[0] == first
                seen += 1
    assert seen >= 5
    assert len(letters.train) >= 400 and len(letters.test) >= 250  # the sweep takes 400 labels
    few = [task.few(400, seed=3).train.labels for task in (pictures, letters)]
    assert torch.equal(*few) and few[0].bincount().min() > 0
