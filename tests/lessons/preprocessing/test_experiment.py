"""Lesson 09's two experiments: faults chosen, and a fault to be found."""

import random

import pytest
import torch
from played import play, press

from tl_course import models
from tl_course.lessons.preprocessing import experiment, faults


@pytest.fixture(scope="module")
def clinic():
    return experiment._clinic()


@pytest.fixture
def broken():
    return experiment.broken_on_purpose()


def test_it_begins_with_nothing_wrong(broken):
    assert broken.places["cures"].value == "Nothing is wrong. Choose a fault, or several."
    said = broken.places["said"].value
    assert said.startswith("Leaf 0: the file says <b>healthy</b>, the network <b>healthy</b> (")
    assert said.endswith("Asked again in another order, <b>0</b> answers change.")


def test_faults_are_told_and_can_be_combined(broken, clinic):
    before, cures = broken.places["picture"].value, broken.places["cures"]
    play(broken, fed="BGR")
    assert "OpenCV reads blue first" in cures.value and broken.places["picture"].value != before
    play(broken, answers="labels off by one")
    assert "subtract one" in cures.value and "OpenCV" in cures.value
    said = play(broken, training=True)
    assert cures.value.count("Cure") == 3
    both = clinic.symptoms("BGR", True, "labels off by one")
    assert torch.equal(both.seen, clinic.of("BGR").seen) and both.changed > 0
    assert f"<b>{both.changed}</b> answers change" in said


def test_the_leaf_moves_the_picture_and_the_sentence(broken):
    before = broken.places["picture"].value
    assert play(broken, leaf=1).startswith("Leaf 1: the file says <b>rust</b>")
    assert broken.places["picture"].value != before
    play(broken, answers="labels off by one")
    play(broken, leaf=0, answers=faults.RIGHT)
    assert broken.places["picture"].value == before  # nothing is left behind


def test_labels_of_the_file_are_shown(broken, clinic):
    shifted = clinic.of("labels off by one")
    assert torch.equal(shifted.labels, (clinic.leaves.labels + 1) % 5)
    said = play(broken, answers="labels off by one")
    assert "the file says <b>rust</b>, the network <b>healthy</b>" in said


def test_a_broken_clinic_is_put_back(clinic):
    clinic.symptoms("grey", True, faults.RIGHT)
    assert clinic._doctor.preprocess is clinic._right and not clinic._doctor.training
    for name, value in models.load("leaf_doctor").state_dict().items():
        assert torch.equal(clinic._doctor.state_dict()[name], value)


@pytest.fixture
def game():
    return experiment._Game(random.Random(3))


@pytest.fixture
def mystery(game):
    return experiment._mystery(game)


def test_a_case_is_solved_at_once(game, mystery):
    diagnosis, button = mystery.controls["diagnosis"], mystery.controls["diagnose"]
    score = mystery.places["score"]
    assert press(mystery, "diagnose") == "Choose a diagnosis first." and score.value == ""
    diagnosis.value = game.fault
    assert press(mystery, "diagnose").startswith("Right. What gives it away")
    assert score.value == "Right at once: <b>1</b> of 1 case." and button.disabled
    play(mystery, leaf=3)
    assert mystery.told.value.startswith("Right")
    before = mystery.places["picture"].value
    assert press(mystery, "next") == "" and mystery.places["picture"].value != before
    assert not button.disabled and diagnosis.value == ""


def test_a_second_try_does_not_count(game):
    wrong = next(name for name in experiment.NAMES if name != game.fault)
    assert game.judge(wrong).startswith("Not yet") and not game.solved
    assert game.judge(game.fault).startswith("Right") and game.solved
    assert game.score() == "Right at once: <b>0</b> of 1 case."


def test_giving_up_tells_and_counts(game):
    first = game.fault
    told = game.turn()
    assert experiment.NAMES[first] in told and "It showed" in told
    assert game.score() == "Right at once: <b>0</b> of 1 case."


def test_every_fault_comes_once_before_any_comes_again(game):
    seen = [(game.fault, game.turn())[0] for _ in range(14)]
    assert {*seen} == {faults.RIGHT, *faults.FAULTS}
    assert game.score().endswith("of 14 cases.")


def test_nothing_gives_the_fault_away_in_words(game, mystery):
    for _ in range(14):
        assert game.fault == faults.RIGHT or game.fault not in mystery.places["said"].value
        press(mystery, "next")


def test_the_seed_decides():
    said = [experiment.mystery_fault(seed).places["said"].value for seed in (1, 1, 2)]
    assert said[0] == said[1] != said[2]
