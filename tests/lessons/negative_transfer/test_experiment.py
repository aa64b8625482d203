"""Lesson 08's board of suspects, on made-up runs."""

import pytest
from played import play

from tl_course import evidence
from tl_course.lessons.negative_transfer import experiment

GAINS = {  # (source, task): gain fine-tuned, gain frozen
    ("photographs", "satellite"): (0.2, 0.1),
    ("photographs", "digits"): (0.001, -0.1),
    ("noise", "digits"): (-0.1, -0.3),
    ("reversed", "numbers_italian"): (-0.2, -0.4),
    ("nothing", "satellite"): (0.0, -0.15),
    ("nothing", "digits"): (0.0, -0.2),
    ("nothing", "numbers_italian"): (0.0, -0.3),
}


@pytest.fixture
def frame(made_up, unsure):
    cells = {
        (task, labels, strategy, source): 0.5 + gain
        for (source, task), gains in GAINS.items()
        for labels in ((30, 300) if task == "numbers_italian" else (50, 500))
        for strategy, gain in zip(("fine-tuned", "frozen"), gains, strict=True)
    }
    cells |= {("digits", labels, "frozen", "words counted"): 0.6 for labels in (50, 500)}
    frame = made_up(cells, "task labels strategy source")
    unsure(frame, source="photographs", task="digits")
    return frame


@pytest.fixture
def board(frame, monkeypatch):
    monkeypatch.setattr(evidence, "load", {"sweep_suspects": frame}.__getitem__)
    return experiment.board()


def choose(board, source, target, amount="many", frozen=False) -> str:
    return play(board, source=source, target=target, amount=amount, frozen=frozen)


def test_the_board_gives_verdicts_with_interval_and_seeds(board):
    said = choose(board, "reversed", "numbers_italian")
    assert said.startswith("<b>Guilty</b>, reversed Spanish → Italian, 300 labels, fine-tuned: ")
    assert "worse than from scratch. Difference: -20.0 points [-" in said
    assert said.endswith("5 seeds; the source lost in 5 of them.")
    first = board.places["picture"].value
    said = choose(board, "photographs", "satellite", "few", frozen=True)
    assert said.startswith("<b>Innocent</b>") and "50 labels, frozen" in said
    assert "Minus a frozen random backbone: +" in said
    assert board.places["picture"].value != first
    assert "<b>Not proven</b>" in choose(board, "photographs", "digits")


def test_the_board_explains_what_has_no_run(board):
    said = choose(board, "noise", "satellite")
    assert "not tried on satellite scenes. It was on digits." in said
    offered = board.controls["target"].options
    assert {("satellite scenes (not tried)", "satellite"), ("digits", "digits")} <= {*offered}
    assert "<b>is</b> from scratch" in choose(board, "nothing", "digits")
    assert "<b>A control</b>" in choose(board, "nothing", "digits", frozen=True)
    assert "no weights to fine-tune" in choose(board, "words counted", "digits")
    said = choose(board, "words counted", "digits", frozen=True)
    assert "<b>A control</b>" in said and "random backbone" not in said
    assert "not tried on leaves" in choose(board, "photographs", "leaves")
    sources = [shown for shown, _ in board.controls["source"].options]
    assert sources[-2:] == ["reversed Spanish", "nothing (random weights)"]


def test_too_few_seeds_give_no_verdict(frame, monkeypatch):
    frame = frame[(frame.source != "noise") | (frame.seed < 3)]
    monkeypatch.setattr(evidence, "load", lambda name: frame)
    assert "<b>No verdict</b>" in choose(experiment.board(), "noise", "digits")
