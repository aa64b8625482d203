"""Lesson 07's experiment: what Italian costs in Spanish, stored and live."""

import pytest
from played import play, press

from tl_course import evidence, store
from tl_course.lessons.forgetting import experiment

RATES = (1e-3, 3e-3, 1e-2)
STORED = {
    "": ((0.5, 0.9), (0.8, 0.6), (0.7, 0.2)),
    "letters": ((0.4, 0.95), (0.7, 0.7), (0.6, 0.3)),
    "letters memory": ((0.1, 0.98), (0.1, 0.97), (0.15, 0.96)),
}


@pytest.fixture
def prices(forgetting_runs, monkeypatch):
    cells = {
        ("reader", "fine-tuning", frozen, 0): dict(zip(RATES, values, strict=True))
        for frozen, values in STORED.items()
    }
    frame = forgetting_runs(cells | {("reader", "from scratch", "", 0): {3e-3: (0.0, 0.0)}})
    monkeypatch.setattr(evidence, "load", {"sweep_forgetting": frame}.__getitem__)
    return experiment.price_list()


def test_what_italian_costs_in_spanish(prices):
    assert prices.places["said"].value == (
        "Learning rate 0.003, frozen: nothing. Mean of 5 runs: Italian <b>80%</b>, "
        "Spanish <b>60%</b> (before: 99.0%)."
    )
    pictures = {bytes(prices.places["picture"].value)}
    for rate, frozen, italian, spanish in (
        (1e-2, "nothing", 70, 20),
        (1e-2, "letters and memory", 15, 96),
        (3e-3, "the letters", 70, 70),
    ):
        said = play(prices, rate=rate, frozen=frozen)
        assert said.startswith(f"Learning rate {rate:g}, frozen: {frozen}. ")
        assert f"Italian <b>{italian}%</b>, Spanish <b>{spanish}%</b>" in said
        pictures.add(bytes(prices.places["picture"].value))
    assert len(pictures) == 4


def test_the_button_adds_the_run_that_was_chosen(prices, monkeypatch):
    runs = []
    monkeypatch.setattr(experiment, "_run", lambda *setting: runs.append(setting) or (0.25, 0.0))
    play(prices, rate=1e-3, frozen="letters and memory")
    before = prices.places["picture"].value
    press(prices, "train")
    assert runs == [("letters memory", 1e-3)] and prices.places["picture"].value != before
    mine = "Your run (diamonds): Italian 0%, Spanish 25%."
    assert prices.places["said"].value.endswith(mine)
    assert "Your run" not in play(prices, rate=1e-2)  # it was another setting
    assert play(prices, rate=1e-3).endswith(mine)


def test_a_run_really_trains(prices, monkeypatch):
    monkeypatch.setattr(experiment, "EPOCHS", 2)
    play(prices, frozen="the letters")
    assert not press(prices, "train") and "Your run" in prices.places["said"].value


def test_forgetting_needs_its_stored_runs(forgetting_runs, monkeypatch):
    frame = forgetting_runs({("reader", "from scratch", "", 0): {3e-3: (0.0, 0.0)}})
    monkeypatch.setattr(evidence, "load", lambda name: frame)
    with pytest.raises(store.UnknownName):
        experiment.price_list()
