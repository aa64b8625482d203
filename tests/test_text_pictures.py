"""Sentences as pictures: each letter can be read back, in its place."""

import textwrap

import numpy as np
import pytest
import torch

from tl_course import tasks
from tl_course.tasks import docstrings, text_pictures
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


def test_shape_and_determinism():
    page = drawn("Fit a line")
    assert page.shape == (64, 64) and page.dtype == np.uint8
    assert np.array_equal(drawn("Fit a line"), page)
    assert page.min() < 60 and (page == 255).mean() > 0.8  # dark on white
    assert (drawn("") == 255).all() and (drawn("  \n ") == 255).all()


@pytest.mark.parametrize(
    "text",
    [
        "Compute the mean",
        "Return a random matrix drawn from the special orthogonal group SO(N)",
        "abcdefghijklm nopqrstuvwxyz",
        "Draw lines\nand points",
    ],
)
def test_a_sentence_is_legible(text, known):
    lines = textwrap.wrap(text, COLUMNS)
    assert read(drawn(text), known) == lines + [""] * (ROWS - len(lines))


def test_every_place_of_a_page_holds_a_whole_letter(known):
    full = "M" * COLUMNS * ROWS
    assert read(drawn(full), known) == ["M" * COLUMNS] * ROWS
    letters = "gjpqy" * 20  # what hangs below the line is not cut, on the last line either
    wanted = textwrap.wrap(letters, COLUMNS)[:ROWS]
    assert read(drawn(letters), known) == wanted


def test_what_does_not_fit_is_cut_off():
    words = " ".join(["words"] * 60)
    fitting = " ".join(textwrap.wrap(words, COLUMNS)[:ROWS])
    assert np.array_equal(drawn(words), drawn(fitting))
    assert np.array_equal(drawn("x" * 5000), drawn("x" * COLUMNS * ROWS))


@pytest.fixture(scope="module")
def both():
    return tasks.load("text_pictures"), tasks.load("text_letters")


def parts(task):
    return (task.train, task.val, task.test)


def test_both_tasks_hold_the_same_examples_in_the_same_order(both, known):
    pictures, letters = both
    assert (pictures.name, letters.name) == ("text_pictures", "text_letters")
    assert pictures.classes == letters.classes == (*docstrings.MODULES,)
    seen = 0
    for drawn_split, written in zip(parts(pictures), parts(letters), strict=True):
        assert torch.equal(drawn_split.labels, written.labels)
        for index in range(0, len(written), 60):
            text = "".join(map(chr, written.inputs[index].tolist())).rstrip("\0")
            page = drawn_split.inputs[index]
            assert page.shape == (3, 64, 64)
            assert all(np.array_equal(channel, drawn(text)) for channel in page.numpy())
            first = textwrap.wrap(text, COLUMNS)[0]
            if set(first) <= {*ALPHABET, " "}:
                assert read(page[0].numpy(), known)[0] == first
                seen += 1
    assert seen >= 5
    few = [task.few(50, seed=3) for task in both]
    assert torch.equal(few[0].train.labels, few[1].train.labels)


def test_what_the_tasks_say(both):
    pictures, letters = both
    for task in both:
        assert tasks.available(task.name) and task.licence and task.source and task.overlap
        counts = sum(split.labels.bincount() for split in parts(task))
        assert len(counts) == 6 and counts.max() <= text_pictures.MOST
        assert len(task.train) >= 400 and len(task.test) >= 250  # the sweep takes 400 labels
        assert task.few(400, seed=0).train.labels.bincount().min() > 0
    assert pictures.train.inputs.dtype == torch.uint8
    assert letters.train.inputs.dtype == torch.int32 and letters.train.inputs.shape[1] == 160
    assert pictures.title != letters.title


def test_no_sentence_is_in_two_splits(both):
    _, letters = both
    texts = [row.numpy().tobytes() for split in parts(letters) for row in split.inputs]
    assert len({*texts}) == len(texts)


def test_docstrings_themselves_are_as_before(monkeypatch):
    monkeypatch.setattr(docstrings, "sentences", lambda m: [f"{m} says {i}" for i in range(300)])
    few, many = docstrings.load(), docstrings.load("text_letters", 120)
    assert few.name == "docstrings" and many.name == "text_letters"
    for task, most in ((few, docstrings.MOST), (many, 120)):
        counts = sum(split.labels.bincount() for split in parts(task))
        assert counts.tolist() == [most] * 6
