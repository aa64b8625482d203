"""Lesson 06's six runs: each shows what is said of it."""

import numpy as np
import pytest
import torch
from said import right, wrong

from tl_course import store
from tl_course.lessons.overfitting.curves import LOOKS, curve_cases, diagnose


def test_each_pair_of_curves_shows_what_is_said_of_it():
    cases = curve_cases()
    assert sorted(case.truth for case in cases.values()) == sorted(LOOKS)
    by = {case.truth: {k: np.array(v) for k, v in case.curves.items()} for case in cases.values()}
    over, under, good = (by[name] for name in ("overfitting", "underfitting", "a good fit"))
    assert over["train_loss"][-1] < 0.1
    assert over["val_loss"][-1] > 1.2 * over["val_loss"].min()
    assert under["train_accuracy"][-1] < 0.6
    assert abs(under["val_loss"] - under["train_loss"])[-1] < 0.3
    assert good["val_accuracy"][-1] > 0.85 and np.diff(good["train_loss"]).max() < 0.05
    assert good["train_accuracy"][-1] - good["val_accuracy"][-1] < 0.1
    assert np.diff(by["learning rate too high"]["train_loss"]).max() > 0.3
    few, leaked = by["validation set too small"], by["validation leaked"]
    assert len({*few["val_accuracy"].round(6)}) < 10
    assert np.diff(few["train_loss"]).max() < 0.2
    assert leaked["val_accuracy"][-1] > 0.95
    assert (leaked["val_loss"] <= leaked["train_loss"] + 0.05).mean() > 0.9


def test_the_cases_leave_the_random_numbers_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    curve_cases.cache_clear()
    curve_cases()
    assert torch.equal(before, torch.get_rng_state())


def test_each_wrong_diagnosis_has_its_reason():
    for letter, case in curve_cases().items():
        said = {name: diagnose(letter, name) for name in LOOKS}
        right(said.pop(case.truth))
        assert len({*said.values()}) == 5
        for name, text in said.items():
            wrong(text, name, LOOKS[name], letter)
    for given in (("A", "sick"), ("G", "overfitting"), (None, "overfitting")):
        with pytest.raises(store.UnknownName):
            diagnose(*given)
