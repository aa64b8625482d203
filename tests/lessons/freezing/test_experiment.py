"""Lesson 04's slider on made-up runs: chart, sentence, and a run of one's own."""

import pytest
from played import play, press

from tl_course import evidence, store, tasks
from tl_course.lessons.freezing import experiment, recipe

FEW = {
    "fine-tuning": 0.30,
    "frozen to layer1": 0.40,
    "frozen to layer2": 0.46,
    "frozen to layer3": 0.47,
    "head alone": 0.25,
}
MANY = {name: value + 0.3 for name, value in FEW.items()} | {"fine-tuning": 0.9}
BESIDE = {"from scratch": 0.2, "head on random backbone": 0.15}


@pytest.fixture
def bench(made_up, monkeypatch):
    """The slider; with 50 leaves or materials, and with 1,000 and more."""
    cells = {
        (task, labels, strategy): mean
        for task in experiment.TARGETS.values()
        for labels in ((50, 1000, 10_000) if task in experiment.AT_HAND else (50,))
        for strategy, mean in ((FEW if labels == 50 else MANY) | BESIDE).items()
    }
    frame = made_up(cells, lr=1e-3, seconds=2.0)
    monkeypatch.setattr(evidence, "load", lambda name: frame)
    return experiment.slider()


def test_moving_the_slider_changes_chart_and_sentence(bench):
    values = {name: bench.controls[name].value for name in ("target", "labels", "depth")}
    assert values == {"target": "leaves", "labels": 50, "depth": "to layer2"}
    said = bench.places["said"].value
    assert said.startswith("Frozen: to layer2. Mean of 5 runs: <b>46.0%</b> [45.")
    assert "The best depth here (to layer3) has 1.0 points more" in said
    assert said.endswith("from scratch 20%, head on random backbone 15%.")
    before = bench.places["picture"].value
    assert "No depth has a higher mean here" in play(bench, depth="to layer3")
    assert bench.places["picture"].value != before
    assert "<b>77.0%</b>" in play(bench, labels=1000)


def test_a_target_with_fewer_labels_takes_the_nearest_count(bench):
    labels = bench.controls["labels"]
    assert "<b>46.0%</b>" in play(bench, labels=10_000, target="digits")
    assert labels.value == 50 and labels.options == (("50", 50),)
    play(bench, target="materials")
    assert labels.options == (("50", 50), ("1,000", 1000), ("10,000", 10_000))


def test_the_button_says_why_it_cannot_train(bench, monkeypatch):
    button = bench.controls["train"]
    assert button.description == "Train this cell now (about 2 s)" and not button.disabled
    play(bench, labels=10_000)
    assert "minutes to draw" in button.description and button.disabled
    monkeypatch.setattr(tasks, "available", lambda name: False)
    play(bench, target="satellite")
    assert "not on your machine" in button.description and button.disabled
    monkeypatch.setattr(tasks, "available", lambda name: True)
    monkeypatch.setattr(experiment, "LONGEST", 1.5)
    play(bench, target="digits")
    assert button.description == "Cannot train here: it takes about 2 s" and button.disabled


def test_a_live_run_is_the_stored_cell(bench, monkeypatch):
    asked, button = [], bench.controls["train"]

    def trained(task, strategy, lr, seed):
        assert button.disabled and button.description == "Training …"
        if asked:
            raise store.NotAvailable("leaves", "the <disk> is full", "Make room")
        asked.append((task.name, len(task.train), strategy, lr, seed))
        return {"test_balanced": 0.512}

    monkeypatch.setattr(recipe, "train_cell", trained)
    play(bench, depth="all but the head")
    before = bench.places["picture"].value
    press(bench, "train")
    assert asked == [("leaves", 50, "head alone", 1e-3, 0)]
    mine = "Your run (diamond), seed 0: 51.2%."
    assert bench.places["said"].value.endswith(mine) and bench.places["picture"].value != before
    assert not button.disabled and button.description.startswith("Train this cell now")
    assert "Your run" not in play(bench, depth="nothing")
    assert play(bench, depth="all but the head").endswith(mine), "it is kept"
    told = "Not trained: leaves: the &lt;disk&gt; is full. Make room."
    assert press(bench, "train") == told and not button.disabled


def test_a_live_run_really_trains(bench):
    play(bench, depth="all but the head")
    assert not press(bench, "train")
    assert "Your run (diamond), seed 0: " in bench.places["said"].value


def test_what_is_at_hand_is_what_the_tasks_have():
    for name, count in experiment.AT_HAND.items():
        assert len(tasks.load(name).train) == count
    assert {*experiment.TARGETS.values()} <= {*tasks.names()}
