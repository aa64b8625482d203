"""The rule of lesson 13, on made-up runs."""

import pandas
import pytest

from tl_course.evidence import Runs
from tl_course.lessons.your_project import rules


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"photo": 0.95, "satellite": 0.9}, "holds"),
        ({"photo": 0.95, "pneumonia": 0.6}, "holds-when"),
        ({"leaves": 0.5, "pneumonia": 0.6}, "does-not-hold"),
    ],
)
def test_a_prototype_of_a_minute(monkeypatch, found, verdict):
    rows = [
        {"task": task, "seed": seed, "test_balanced": value + 0.002 * (seed % 3), "seconds": 6.0}
        for task, value in found.items()
        for seed in range(10)
    ]
    monkeypatch.setattr(rules, "stored", lambda name: Runs(pandas.DataFrame(rows)))
    settled = rules.prototype_rule()
    assert settled.verdict == verdict and "an hour's 600th part" in settled.sentence
