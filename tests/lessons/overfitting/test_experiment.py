"""Lesson 06's laboratory on a task that trains in a second, and its quiz."""

from dataclasses import replace

import pytest
from played import play, press

from tl_course import store, tasks
from tl_course.lessons.overfitting import experiment, recipe


@pytest.fixture
def lab(toy, monkeypatch):
    monkeypatch.setattr(tasks, "load", lambda name: toy)
    monkeypatch.setattr(experiment, "REDRAW", 0.0)
    lab = experiment.lab()
    play(lab, epochs=2, frozen="all but the head", labels=50)
    return lab


def train(lab, **changes) -> str:
    play(lab, **changes)
    assert not press(lab, "train")
    return lab.places["said"].value


def test_the_test_set_opens_once_a_setting_and_is_counted(lab):
    opened, tested = lab.controls["open"], lab.places["tested"]
    assert lab.places["said"].value == "Press <b>Train</b>." and opened.disabled
    before = lab.places["picture"].value
    said = train(lab)
    assert said.startswith("50 labels, frozen: all but the head, 2 epochs: training <b>")
    assert "validation <b>" in said and "Test" not in said
    assert lab.places["picture"].value != before and not opened.disabled
    assert tested.value == "The test set is closed."
    press(lab, "open")
    assert "Test <b>" in lab.places["said"].value and opened.disabled
    assert "opened <b>once</b>" in tested.value
    assert "Test <b>" in train(lab) and opened.disabled, "what was seen stays seen"
    assert "controls have moved" in play(lab, dropout=0.5) and opened.disabled
    said = train(lab)
    assert "dropout 0.5" in said and "Test" not in said
    press(lab, "open")
    assert "opened <b>2 times</b>" in tested.value and "second validation" in tested.value


def test_a_run_can_be_stopped_and_stays_out_of_the_test(lab):
    play(lab, epochs=30, decay=1.0, augment=True)
    lab.controls["train"].click()
    press(lab, "stop")
    said = lab.places["said"].value
    assert "weight decay 1, augmented: " in said and "You stopped it: the test set stays" in said
    assert lab.controls["open"].disabled and not lab.controls["train"].disabled


def test_earlier_runs_stay_in_view_and_epochs_have_a_limit(lab, monkeypatch):
    shown = []
    draw = experiment.charts.fit_curves
    monkeypatch.setattr(
        experiment.charts, "fit_curves", lambda *given: shown.append(given[1]) or draw(*given)
    )
    for dropout in (0.0, 0.25, 0.5, 0.75, 0.0):
        train(lab, dropout=dropout)
    assert len(shown[-1]) == 3
    play(lab, epochs=30, labels=200)
    assert lab.controls["epochs"].value == 15
    for labels in experiment.LABELS:
        play(lab, labels=labels)
        assert labels * lab.controls["epochs"].max <= experiment.MOST


def test_trouble_is_told_and_the_button_comes_back(lab, monkeypatch):
    def missing(name):
        raise store.NotAvailable("leaves", "they are <gone>", "Look for them")

    monkeypatch.setattr(tasks, "load", missing)
    assert press(lab, "train") == "leaves: they are &lt;gone&gt;. Look for them."
    assert not lab.controls["train"].disabled
    monkeypatch.setattr(tasks, "load", lambda name: None)
    assert "stopped with AttributeError" in press(lab, "train")
    assert not lab.controls["train"].disabled


def test_the_lab_begins_with_a_run_of_the_lesson(toy):
    _, history = recipe.learn(replace(toy, train=toy.train.take(range(32))), 0, epochs=1)
    lab = experiment.lab(history)
    said = lab.places["said"].value
    assert said.startswith("100 labels, frozen: nothing, 30 epochs: training <b>")
    empty = experiment.lab(replace(history, train_accuracy=[], val_accuracy=[], stopped=""))
    assert empty.places["said"].value.endswith("30 epochs: no epoch ended.")


def test_the_quiz_says_why_and_keeps_count():
    quiz = experiment.which_is_overfitting()
    letter, diagnosis = quiz.controls["letter"], quiz.controls["diagnosis"]
    score = quiz.places["score"]
    assert press(quiz, "answer") == "Choose what the curves show first."
    letter.value, diagnosis.value = "D", "a good fit"
    told = press(quiz, "answer")
    assert told.startswith("D, a good fit. Not yet: with a good fit")
    assert score.value == "Right so far: none of 6."
    diagnosis.value = "overfitting"
    assert press(quiz, "answer").startswith("D, overfitting. Right: ")
    assert score.value == "Right so far: D of 6."
    letter.value = "B"
    assert diagnosis.value == "" and quiz.told.value == ""
    letter.value, diagnosis.value = "D", "underfitting"
    press(quiz, "answer")
    assert score.value == "Right so far: D of 6.", "what was found stays found"
