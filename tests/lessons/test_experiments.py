"""The experiments as they are in the notebooks: each answers at once and shows a picture before."""

import importlib
import io
import statistics
import time

import pytest
from PIL import Image
from played import play, press

from tl_course import plots, train

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


TRAININGS = {
    "analogy.teach_italian": "teach",
    "overfitting.lab": "train",
    "freezing.slider": "train",
    "forgetting.price_list": "train",
}
BOOM = "It stopped with RuntimeError: &lt;boom&gt;."


def boom(*_, **__):
    raise RuntimeError("<boom>")


def made(name: str):
    lesson, experiment = name.split(".")
    return getattr(importlib.import_module(f"tl_course.lessons.{lesson}"), experiment)()


@pytest.mark.parametrize("name", MOVES)
def test_a_move_is_quick_and_a_picture_stands_in(name):
    box = made(name)
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


@pytest.mark.parametrize("name", MOVES)
def test_a_drawing_that_stops_is_told_and_the_next_one_is_drawn(name, monkeypatch, caplog):
    box = made(name)
    control, values = MOVES[name]
    before = box.controls[control].value
    with monkeypatch.context() as broken:
        for owner, function in ((plots, "png"), (plots, "jpeg"), (plots.Still, "png")):
            broken.setattr(owner, function, boom)
        assert play(box, **{control: values[0]}).startswith(BOOM)
    assert not box.places["picture"].value and "in boom" in caplog.text
    assert BOOM not in play(box, **{control: before}) and box.places["picture"].value


@pytest.mark.parametrize("name", TRAININGS)
def test_a_training_that_stops_is_told_and_another_may_be_tried(name, monkeypatch, caplog):
    box, button = made(name), TRAININGS[name]
    if "epochs" in box.controls:
        play(box, epochs=1)
    shown = {place: part.value for place, part in box.places.items() if place != "picture"}
    with monkeypatch.context() as broken:
        broken.setattr(train, "fit", boom)
        assert press(box, button).startswith(BOOM) and "in boom" in caplog.text
    assert not box.controls[button].disabled
    assert shown == {place: box.places[place].value for place in shown}, "what was learned before"
    assert not press(box, button)
