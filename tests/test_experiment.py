"""What every experiment does by itself, and the predictions asked for before one."""

import io
import threading
from functools import partial

import ipywidgets
import pytest
import torch
from PIL import Image
from played import play, press

from tl_course import practice, store
from tl_course.practice.experiment import Experiment, Slider, choice, seldom, steps


def picture(shade: int, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (2, 2), shade).save(buffer, kind)
    return buffer.getvalue()


class Toy:
    """An experiment with a control of each kind, and what it has drawn so far."""

    def __init__(self, **options):
        self.drawn, self.runs, self.broken = [], 0, None
        self.sizes = choice("size", {"few": 2, "many": 3})
        self.place = Slider("place", 0, 1)
        self.again = ipywidgets.Button(description="Again", disabled=True)
        buttons = {name: ipywidgets.Button() for name in ("learn", "add")}
        rows = [{"size": self.sizes, "place": self.place}, {**buttons, "again": self.again}]
        self.box = Experiment(
            rows,
            self.draw,
            "a square",
            on={"size": self.limit, "add": self.add},
            run={"learn": self.learn},
            **options,
        )

    def limit(self, size: int) -> None:
        self.place.value, self.place.max = 1, size

    def draw(self, size: int, place: int) -> dict:
        assert torch.is_inference_mode_enabled()
        self.drawn.append((size, place))
        if place == 3:
            raise store.BadInput("place 3", "it is <far>\naway", "Come back")
        if self.broken:
            raise self.broken()
        kind = "JPEG" if place == 2 else "PNG"
        return {"picture": picture(place, kind), "said": f"{size} {place} {self.runs}"}

    def add(self) -> str:
        self.runs += 1
        if self.broken:
            raise self.broken()
        return "more & more"

    def learn(self, size: int, **chosen) -> None:
        assert chosen == {"place": self.place.value}
        assert all(control.disabled for control in self.box.controls.values())
        assert self.place.number.disabled and not torch.is_inference_mode_enabled()
        self.box.controls["learn"].click()  # a second click while it runs changes nothing
        self.box.show(said="at work")
        assert self.box.places["said"].value == "at work"
        self.runs += 1
        if size == 3:
            raise store.NotAvailable("many", "there are <none>", "Wait")
        if self.broken:
            raise self.broken()


def test_one_drawing_a_change_and_none_for_what_was_drawn_before():
    toy = Toy()
    assert toy.drawn == [(2, 1)]  # after what a control does was done
    assert play(toy.box, size=3) == "3 1 0" and toy.place.max == 3
    assert play(toy.box, size=2) == "2 1 0"
    assert toy.drawn == [(2, 1), (3, 1)]
    toy = Toy(cached=False)
    play(toy.box, size=3)
    play(toy.box, size=2)
    assert toy.drawn == [(2, 1), (3, 1), (2, 1)]


def test_a_slider_and_its_number_box_agree():
    toy = Toy()
    assert play(toy.box, place=2) == "2 2 0" and toy.place.number.value == 2
    toy.place.number.value = 0
    assert toy.place.value == 0 and toy.box.places["said"].value == "2 0 0"
    play(toy.box, size=3)
    assert toy.place.number.max == 3
    toy.place.number.value = 99
    assert toy.place.value == 3
    row = toy.box.children[0].children
    assert row == (toy.sizes, toy.place, toy.place.number)


def test_a_drawing_that_fails_is_a_sentence_without_a_picture():
    toy = Toy()
    play(toy.box, size=3, place=2)
    image = toy.box.places["picture"]
    assert image.format == "jpeg" and image.layout.display is None
    assert play(toy.box, place=3) == "place 3: it is &lt;far&gt; away. Come back."
    assert image.layout.display == "none" and not image.value
    assert play(toy.box, place=0) == "3 0 0"
    assert image.format == "png" and image.layout.display is None


def test_a_button_does_something_and_it_is_drawn_again():
    toy = Toy()
    assert press(toy.box, "add") == "more &amp; more"
    assert toy.box.places["said"].value == "2 1 1" and toy.drawn == [(2, 1)] * 2
    play(toy.box, place=0)
    assert toy.box.told.value, "it is told until something else is"
    play(toy.box, size=3)
    assert not toy.box.told.value


def test_a_run_disables_all_and_gives_all_back_even_if_it_fails():
    toy = Toy()
    assert press(toy.box, "learn") == "" and toy.box.places["said"].value == "2 1 1"
    play(toy.box, size=3)
    assert press(toy.box, "learn") == "many: there are &lt;none&gt;. Wait."
    assert toy.box.places["said"].value == "3 1 2"
    assert toy.again.disabled and not toy.sizes.disabled and not toy.place.number.disabled


class Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (partial(RuntimeError, "<b>\n$"), "It stopped with RuntimeError: &lt;b&gt; $. For more"),
        (KeyboardInterrupt, "It stopped with KeyboardInterrupt. For more"),
        (partial(SystemExit, 1), "It stopped with SystemExit: 1. For more"),
        (partial(KeyError, Unprintable()), "It stopped with KeyError: &lt;exception str() failed"),
    ],
)
def test_whatever_stops_is_told_the_log_has_more_and_controls_are_alive(caplog, error, said):
    """What a control does, a button, a run that takes its time, and the drawing after each."""
    toy = Toy()
    toy.broken = error
    assert press(toy.box, "learn").startswith(said)
    assert not toy.sizes.disabled and toy.box.places["said"].value.startswith(said)
    assert caplog.text.count("in learn") == caplog.text.count("in draw") == 1
    assert press(toy.box, "add").startswith(said)
    assert play(toy.box, place=0).startswith(said) and not toy.box.places["picture"].value
    toy.broken = None
    assert play(toy.box, place=1) == "2 1 2" and press(toy.box, "learn") == ""
    assert play(toy.box, size=3) and not toy.box.busy and not toy.box.told.value


def test_an_experiment_that_cannot_be_made_is_an_error_of_its_cell():
    with pytest.raises(ZeroDivisionError):
        Experiment([{"a": choice("a", "xyz")}], lambda a: 1 / 0, "")


def test_an_experiment_without_a_place_for_sentences_tells_too():
    answers = iter([{"picture": b""}])  # and then none
    rows = [{"picture": bytes}, {"a": choice("a", "xyz")}]
    box = Experiment(rows, lambda a: next(answers), "", cached=False)
    box.controls["a"].value = "y"
    assert box.told.value.startswith("It stopped with StopIteration.")


def test_a_run_that_can_be_stopped_has_a_thread_of_its_own():
    asked, heard = threading.Event(), []

    def learn() -> None:
        heard.append(threading.current_thread() is not threading.main_thread())
        assert not stop.disabled and train.disabled and torch.is_grad_enabled()
        asked.wait(60)
        heard.append(box.stopping)

    train, stop = ipywidgets.Button(), ipywidgets.Button(disabled=True)
    rows = [{"train": train, "stop": stop}]
    box = Experiment(rows, lambda: {"picture": b"", "said": "x"}, "", run={"train": learn})
    train.click()
    stop.click()
    assert box.busy and stop.disabled
    asked.set()
    assert press(box, "stop") == "" and heard == [True, True]
    assert stop.disabled and not train.disabled


def test_a_picture_stands_in_without_a_kernel():
    toy = Toy()
    data, metadata = toy.box._repr_mimebundle_()
    assert data["image/png"] == picture(1) and data["text/plain"] == "a square"
    assert metadata["image/png"]["alt"] == "a square"
    assert "application/vnd.jupyter.widget-view+json" in data
    toy.box.still = picture(9)
    assert toy.box._repr_mimebundle_()[0]["image/png"] == picture(9)


def test_what_is_told_stands_below_the_last_controls():
    rows = [{"picture": bytes}, {"a": choice("a", "xyz")}, {"said": str}]
    box = Experiment(rows, lambda a: {"picture": picture(0), "said": a}, "")
    assert box.children == (box.places["picture"], box.controls["a"], box.told, box.places["said"])


def test_choices_and_steps_have_names_and_values():
    few = choice("which", ["a", "b"], undecided=True)
    assert few.value == "" and few.options == (("choose …", ""), ("a", "a"), ("b", "b"))
    slider = steps("learning rate", (0.1, 1.0), "{:g}".format, value=1.0)
    assert slider.options == (("0.1", 0.1), ("1", 1.0)) and slider.value == 1.0
    assert not slider.continuous_update and slider.style.description_width == "initial"


@pytest.mark.parametrize(("seconds", "heard"), [(60, [0]), (0, [0, 1, 2])])
def test_seldom_leaves_out_what_comes_too_soon(seconds, heard):
    calls = []
    call = seldom(seconds)(calls.append)
    for number in range(3):
        call(number)
    assert calls == heard


# Predictions


def parts(box) -> tuple:
    """The inputs, the button and the sentence of a question."""
    question, *inputs, button, answer = box.children
    assert isinstance(question, ipywidgets.HTML)
    return inputs, button, answer


@pytest.fixture(autouse=True)
def alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def ask(*choices: str):
    (options,), button, answer = parts(practice.predict("k", "How far?", choices))
    return options, button, answer


def test_a_prediction_is_committed_and_remembered():
    options, button, answer = ask("near", "far")
    button.click()
    assert options.value is None and practice.recall("k") is None and "Choose" in answer.value
    options.value = "far"
    button.click()
    assert practice.recall("k") == "far" and "<b>far</b>" in answer.value
    assert ask("near", "far")[0].value == "far"
    assert ask("here", "there")[0].value is None  # it is no longer offered


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (
            store.StorageError("my_predictions.json", "the <disk> is full", "Make room"),
            "&lt;disk&gt;",
        ),
        (RuntimeError("odd"), "It stopped with RuntimeError: odd."),
    ],
)
def test_a_prediction_that_cannot_be_kept_is_told(monkeypatch, error, why):
    def full(*_):
        raise error

    monkeypatch.setattr(practice.predictions, "commit", full)
    options, button, answer = ask("near")
    options.value = "near"
    button.click()
    assert answer.value.startswith("Not kept, so note it down. ") and why in answer.value


def rank(*names: str):
    return parts(practice.predict_ranking("k", "Who reads best?", names))


def test_a_ranking_is_committed_and_remembered():
    names = ("Spanish", "<b>French", "nothing")
    places, button, said = rank(*names)
    assert [place.value for place in places] == [""] * 3
    button.click()
    assert said.value == "Not placed yet: Spanish, &lt;b&gt;French, nothing."
    for place, name in zip(places, ("<b>French", "<b>French", "nothing"), strict=True):
        place.value = name
    button.click()
    assert said.value == "Not placed yet: Spanish." and practice.recall("k") is None
    places[1].value = "Spanish"
    button.click()
    assert practice.recall("k") == "<b>French > Spanish > nothing"
    assert said.value.startswith("Kept: <b>&lt;b&gt;French &gt; Spanish")
    assert [place.value for place in rank(*names)[0]] == ["<b>French", "Spanish", "nothing"]
    assert [place.value for place in rank(*names, "Finnish")[0]] == [""] * 4


@pytest.mark.parametrize("kept", ["5", '["a"]', '"near"'])
def test_a_damaged_ranking_is_asked_for_again(tmp_path, kept):
    (tmp_path / "my_predictions.json").write_text(f'{{"k": {kept}}}')
    assert [place.value for place in rank("a", "b")[0]] == ["", ""]
