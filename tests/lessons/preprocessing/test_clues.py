"""Lesson 09's clues: a reason for every diagnosis, and three cases that show what they have."""

import pytest

from tl_course import store
from tl_course.lessons.preprocessing import faults
from tl_course.lessons.preprocessing.charts import confusion
from tl_course.lessons.preprocessing.clues import CLUES, diagnose_fault, feeding_cases


def test_diagnose_fault_says_why():
    told = diagnose_fault("BGR", "BGR")
    assert told.startswith("Right. ") and "red and blue" in told
    told = diagnose_fault("BGR", "grey")
    assert told.startswith("Not yet. With 'grey', ") and CLUES["grey"] in told
    assert "Where nothing is wrong, " in diagnose_fault("BGR", faults.RIGHT)
    for given in (("BGR", "flu"), ("flu", "BGR")):
        with pytest.raises(store.UnknownName):
            diagnose_fault(*given)


def test_the_three_cases_show_what_they_have():
    cases = feeding_cases()
    answers = {letter: case.logits.argmax(1) for letter, case in cases.items()}
    table = confusion(cases["A"].labels, answers["A"], 5)
    assert sorted(table.argmax(1)) == [*range(5)] and table.diagonal().sum() < 20
    changed = {k: int((answers[k] != case.again.argmax(1)).sum()) for k, case in cases.items()}
    assert changed["B"] > 30 and changed["A"] == changed["C"] == 0
    assert cases["C"].logits.softmax(1).amax(1).mean() > 0.99
