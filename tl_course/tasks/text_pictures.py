"""First sentences of documentation, drawn as pictures: can a network for photographs read?"""

import textwrap
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from tl_course.tasks import docstrings
from tl_course.tasks.task import Split, Task

SIDE, POINTS = 64, 8  # pixels of a picture; size of the letters
COLUMNS, ROWS = 12, 8  # letters that fit
ADVANCE = 4.8125  # pixels from letter to letter


def load() -> Task:
    """The task ``text_letters`` with each sentence ``drawn``: the same splits, the same order."""
    task = docstrings.load("text_letters")

    def pages(split: Split) -> Split:
        texts = ("".join(map(chr, row)).rstrip("\0") for row in split.inputs)
        return Split.grey([*map(drawn, texts)], split.labels)

    return replace(
        task,
        name="text_pictures",
        title="Topics of documentation, as pictures of text",
        overlap="slight: some everyday photographs show writing, no class is text",
        train=pages(task.train),
        val=pages(task.val),
        test=pages(task.test),
    )


def drawn(text: str) -> np.ndarray:
    """``text`` in black on white, eight lines of twelve letters: uint8 (64, 64).

    What does not fit is cut off.
    """
    from PIL import Image, ImageDraw

    page = Image.new("L", (SIDE, SIDE), 255)
    pen = ImageDraw.Draw(page)
    for row, line in enumerate(textwrap.wrap(text, COLUMNS)[:ROWS]):
        for column, letter in enumerate(line):
            # one by one: how a line is laid out differs with the libraries a machine has
            place = 2 + int(ADVANCE * column + 0.5), row * SIDE // ROWS - 1
            pen.text(place, letter, fill=0, font=_font())
    return np.asarray(page)


@lru_cache(maxsize=1)
def _font():
    import matplotlib
    from PIL import ImageFont

    # matplotlib brings its own, so that the pictures are the same on every machine
    folder = Path(matplotlib.get_data_path()) / "fonts" / "ttf"
    path = str(folder / "DejaVuSansMono.ttf")
    return ImageFont.truetype(path, POINTS, layout_engine=ImageFont.Layout.BASIC)
