"""The experiments as they are in the notebooks: each answers at once and shows a picture before."""

import importlib
import io
import statistics
import time

import pytest
from PIL import Image

MOVES = {  # a control, and where it is moved to
    "labels.exchange": ("wanted", range(30, 60)),
    "layers.explorer": ("channel", range(20)),
    "head.bench": ("classes", range(3, 13)),
    "freezing.slider": ("depth", ("nothing", "to layer1", "to layer3", "all but the head")),
    "forgetting.price_list": ("frozen", ("the letters", "letters and memory")),
    "negative_transfer.board": ("amount", ("many", "few")),
    "preprocessing.broken_on_purpose": ("leaf", range(1, 20)),
    "preprocessing.mystery_fault": ("leaf", range(1, 20)),
}
LARGEST = 150_000  # bytes of a stored picture: a notebook has room for 1.5 MB in all
LONGEST = 0.5  # seconds of processor time a move; 0.02 to 0.1 on a laptop


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_quick_and_a_picture_stands_in(name):
    lesson, experiment = name.split(".")
    lesson = importlib.import_module(f"tl_course.lessons.{lesson}")
    box = getattr(lesson, experiment)()
    data, metadata = box._repr_mimebundle_()
    assert Image.open(io.BytesIO(data["image/png"])).format == "PNG"
    assert len(data["image/png"]) < LARGEST
    assert metadata["image/png"]["alt"] == data["text/plain"] and len(data["text/plain"]) > 20
    control, values = MOVES[name]
    values = [box.controls[control].value, *values]
    taken, seen = [], set()
    for value in values:
        began = time.process_time()
        box.controls[control].value = value
        taken.append(time.process_time() - began)
        seen.add((bytes(box.places["picture"].value), box.places["said"].value))
    assert len(seen) == len({*values})
    assert statistics.median(taken) < LONGEST, taken
