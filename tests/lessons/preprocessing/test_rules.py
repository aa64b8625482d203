"""The rules of lesson 09, on made-up runs."""

import pytest

from tl_course import store
from tl_course.lessons.preprocessing import rules

TASKS = ("leaves_128", "pneumonia")
TREATED = {"prep-1": rules.TRAINED, "prep-2": rules.WRONG}
pytestmark = pytest.mark.parametrize("claim", TREATED)


@pytest.fixture
def fed(made_up, claim):
    """Builds ``sweep_feeding``: what a fault costs on each task, treated as the claim asks."""

    def build(costs):
        costs = {rules.RIGHT: (0, 0), "labels off by one": (0.7, 0.7)} | costs
        return made_up({
            (task, strategy, fault): 0.8 - cost * (strategy == TREATED[claim])
            for fault, both in costs.items()
            for task, cost in zip(TASKS, both, strict=True)
            for strategy in TREATED.values()
        }, "task strategy fault")  # fmt: skip

    return build


@pytest.mark.parametrize(("costs", "verdict", "says"), [
    ({"BGR": (0.3, 0.1), "grey": (0.2, 0.2)}, "holds", "hurts on large leaves and X-rays (-30.0"),
    ({"BGR": (0.3, 0), "grey": (0, -0.1)}, "holds-when", "hurts on large leaves (BGR) (-30.0"),
    ({"BGR": (-0.1, 0), "grey": (0, 0)}, "does-not-hold", "helps on large leaves (BGR) (+10.0"),
])  # fmt: skip
def test_whether_each_fault_of_the_inputs_costs(judged, fed, claim, costs, verdict, says):
    found = judged(claim, fed(costs), verdict)
    asked = [(each.target, each.where) for each in found.contrasts]
    assert asked == [(task, fault) for fault in costs for task in TASKS]
    assert f"{'pretraining' if claim == 'prep-1' else 'training'} {says}" in found.sentence


def test_what_swings_cannot_be_told_and_what_is_missing_is_named(judged, fed, unsure, claim):
    frame = fed({"BGR": (0.05, 0.05)})
    with pytest.raises(store.UnknownName, match=rules.RIGHT):
        judged(claim, frame[frame.fault != rules.RIGHT])
    unsure(frame, 0.3, fault="BGR")
    judged(claim, frame, "cannot-tell")
