"""The rule of lesson 00, on made-up runs."""

import pytest


@pytest.mark.parametrize(
    ("better", "verdict", "condition"),
    [
        ((0.2, 0.3), "holds", "on all 2 tasks tried at 200 labels"),
        ((0.2, 0.0), "holds-when", "on a; not shown on b (200 labels)"),
        ((0.0, -0.2), "does-not-hold", "on none of a, b (200 labels)"),
    ],
)
def test_fine_tuning_must_win_on_every_task(judged, made_up, better, verdict, condition):
    cells = {(task, 200, "from scratch"): 0.5 for task in "ab"}
    for task, more in zip("ab", better, strict=True):
        cells[task, 200, "fine-tuning"] = 0.5 + more
    found = judged("why-1", made_up(cells | {("c", 1000, "fine-tuning"): 0.1}), verdict=verdict)
    assert found.condition == condition
    assert found.effect == pytest.approx(sum(better) / 2, abs=0.005)
