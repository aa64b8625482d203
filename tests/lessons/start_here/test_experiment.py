"""Lesson 00's experiment: two networks and what they disagree on."""

import time

import pytest
import torch
from played import play

from tl_course import models, plots, store, train
from tl_course.lessons.start_here import experiment


def networks(toy) -> dict:
    torch.manual_seed(0)
    return {
        name: models.load("resnet10", pretrained=False, classes=toy.classes)
        for name in ("fine-tuning", "from <scratch>")
    }


def test_the_sentence_says_what_the_networks_answer(toy):
    models = networks(toy)
    opinions = experiment.two_opinions(toy, models)
    before = opinions.places["picture"].value
    said = play(opinions, only="all pictures", place=7)
    assert opinions.places["picture"].value != before
    found = [train.predict(model, toy.test.inputs[7:8])[0] for model in models.values()]
    tuned, scratch = (f"<b>{toy.classes[f.argmax()]}</b> ({f.max():.0%})" for f in found)
    assert said == (
        f"Picture 7 shows <b>down</b>: fine-tuning says {tuned}; "
        f"from &lt;scratch&gt; says {scratch}."
    )


def test_a_drawing_that_stops_is_told(toy, monkeypatch):
    opinions = experiment.two_opinions(toy, networks(toy))
    with monkeypatch.context() as broken:
        broken.setattr(plots, "png", lambda *_: 1 / 0)
        assert play(opinions, place=1).startswith("It stopped with ZeroDivisionError")
    assert "shows <b>" in play(opinions, place=2) and opinions.places["picture"].value


def test_answers_come_at_once(toy):
    opinions = experiment.two_opinions(toy, networks(toy))
    began = time.process_time()  # of this process, whatever runs beside it
    for place in range(1, 6):
        play(opinions, place=place)
    assert (time.process_time() - began) / 5 < 2


def test_only_disagreements(toy):
    torch.manual_seed(0)
    models = networks(toy)
    models["from <scratch>"].head.bias.data[0] += 100  # it always says the first
    opinions = experiment.two_opinions(toy, models, pictures=30)
    play(opinions, only="all pictures", place=20)
    said = play(opinions, only="where they disagree")
    answers = [part.split("</b>")[0] for part in said.split("says <b>")[1:]]
    assert opinions.controls["place"].value == 0 and len({*answers}) == 2
    assert opinions.controls["place"].max < 29


def test_networks_that_agree_leave_nothing_to_choose(toy):
    model = networks(toy)["fine-tuning"]
    opinions = experiment.two_opinions(toy, {"fine-tuning": model, "from scratch": model})
    assert opinions.controls["only"].disabled


def test_there_must_be_something_to_show(toy):
    with pytest.raises(store.BadInput, match="no pictures or no networks"):
        experiment.two_opinions(toy, {})
