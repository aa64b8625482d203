"""The rule of lesson 09, on made-up runs."""

import pytest

from tl_course.lessons.preprocessing import rules

TASKS = ("leaves_128", "pneumonia")


@pytest.fixture
def fed(made_up):
    """Made-up results as data_scripts/sweep_feeding.py writes them, from fault to what it costs
    where it is new, and ``trained`` where training had it too.
    """

    def build(costs, trained=0.0):
        cells = {}
        for task in TASKS:
            for fault, cost in {rules.RIGHT: 0.0, **costs}.items():
                known = trained if fault != rules.RIGHT else 0.0
                cells[task, rules.WRONG, fault] = 0.8 - cost
                cells[task, rules.TRAINED, fault] = 0.8 - known
        return made_up(cells, "task strategy fault", labels=200)

    return build


@pytest.mark.parametrize(
    ("costs", "yes", "no"),
    [
        ({"BGR": 0.3, "grey": 0.2}, ["BGR", "grey"], []),
        ({"BGR": 0.3, "grey": 0.0}, ["BGR"], ["grey"]),
        ({"BGR": -0.1, "grey": -0.1}, [], ["BGR", "grey"]),
        ({"BGR": 0.3, "labels off by one": 0.0}, ["BGR"], []),
    ],
)
def test_preparing_matters_where_each_fault_costs(judged, fed, costs, yes, no):
    told = (", ".join(f"{fault} ({', '.join(TASKS)})" for fault in side) for side in (yes, no))
    found = judged("prep-1", fed(costs), ("with {}", "with {}", *told))
    faults = [*yes, *no]
    assert f"lost in 0 of {2 * len(faults)} cells: none" in found.condition
    mean = sum(costs[fault] for fault in faults) / len(faults)
    assert found.effect == pytest.approx(-mean, abs=0.005)


def test_what_training_with_the_fault_leaves_is_told(judged, fed):
    found = judged("prep-1", fed({"BGR": 0.3}, trained=0.1))
    assert found.condition.endswith("lost in 2 of 2 cells: BGR (leaves_128, pneumonia)")
