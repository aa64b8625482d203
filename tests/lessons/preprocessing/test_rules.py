"""The rules of lesson 09, on made-up runs."""

import pytest

from tl_course import store
from tl_course.lessons.preprocessing import rules

TASKS = ("leaves_128", "pneumonia")
CLAIMS = {"prep-1": rules.TRAINED, "prep-2": rules.WRONG}


@pytest.fixture
def fed(made_up):
    """Made-up results as data_scripts/sweep_feeding.py writes them: from fault to what it costs on
    each task, in networks treated as ``claim`` asks; in the others all is alike.
    """

    def build(claim, costs):
        costs = {rules.RIGHT: (0, 0), "labels off by one": (0.7, 0.7)} | costs
        cells = {
            (task, strategy, fault): 0.8 - cost * (strategy == CLAIMS[claim])
            for fault, both in costs.items()
            for task, cost in zip(TASKS, both, strict=True)
            for strategy in CLAIMS.values()
        }
        return made_up(cells, "task strategy fault", labels=200)

    return build


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(
    ("costs", "verdict", "condition"),
    [
        ({"BGR": (0.3, 0.1), "grey": (0.2, 0.2)}, "holds", "large leaves and X-rays"),
        ({"BGR": (0.3, 0.1), "grey": (0, -0.1)}, "holds-when", "large leaves (BGR) and X-rays (BGR)"),
        ({"BGR": (-0.1, 0), "grey": (0, 0)}, "does-not-hold", ""),
    ],
)
def test_whether_each_fault_of_the_inputs_costs(judged, fed, claim, costs, verdict, condition):
    found = judged(claim, fed(claim, costs), verdict)
    wheres = [(each.target, each.where) for each in found.contrasts]
    assert wheres == [(task, fault) for fault in costs for task in TASKS]
    assert found.condition == condition
    assert ("otherwise than in pretraining" in found.sentence) == (claim == "prep-1")
    assert ("hurts on" in found.sentence.split(";")[0]) == bool(condition)


@pytest.mark.parametrize("claim", CLAIMS)
def test_runs_that_swing_cannot_tell_and_missing_ones_are_an_error(judged, fed, unsure, claim):
    frame = fed(claim, {"BGR": (0.05, 0.05)})
    for rest in (frame.fault != rules.RIGHT, frame.fault != "BGR", frame.seed > 0):
        with pytest.raises((store.UnknownName, store.BadInput)):
            judged(claim, frame[rest])
    unsure(frame, 0.3, fault="BGR")
    judged(claim, frame, "cannot-tell")
