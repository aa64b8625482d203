"""Lesson 05's exchange office, on made-up runs."""

import re

import pytest
from played import play

from tl_course import evidence
from tl_course.lessons.labels import experiment

COUNTS = (25, 50, 100, 200, 500, 1000)
CURVES = {  # from scratch needs ten times the labels of fine-tuning
    "fine-tuning": (0.4, 0.5, 0.6, 0.7, 0.8, 0.85),
    "head alone": (0.4, 0.45, 0.5, 0.55, 0.62, 0.65),
    "from scratch": (0.2, 0.25, 0.3, 0.36, 0.5, 0.6),
    "head on random backbone": (0.2, 0.2, 0.22, 0.22, 0.25, 0.3),
}


@pytest.fixture
def exchange(made_up, monkeypatch):
    cells = {
        (task, count, strategy): accuracy
        for task in ("digits", "leaves")
        for strategy, curve in CURVES.items()
        for count, accuracy in zip(COUNTS, curve, strict=True)
    }
    monkeypatch.setattr(evidence, "load", lambda name: made_up(cells))
    return experiment.exchange()


def test_the_exchange_says_what_it_draws(exchange):
    assert [value for _, value in exchange.controls["target"].options] == ["leaves", "digits"]
    said = play(exchange, wanted=50)
    assert said.startswith("leaves, 50% wanted. Labels needed: <b>fine-tuning</b> about 50 ")
    found = re.search(r"<b>head alone</b> about 100 \(its runs: (\d+) to (\d+)\)", said)
    assert 80 < int(found[1]) < 100 < int(found[2]) < 120
    assert "<b>from scratch</b> about 500 (its runs:" in said
    assert "<b>head on random backbone</b> more than 1,000 (with 1,000: 30%)" in said
    before = exchange.places["picture"].value
    said = play(exchange, wanted=60)
    assert exchange.places["picture"].value != before
    assert re.search(r"scratch</b> about 1,000 \(its runs: 9\d\d to more than 1,000\)", said)
    assert play(exchange, wanted=20).count("25 or fewer") == 4
    assert play(exchange, target="digits").startswith("digits, 20% wanted")
