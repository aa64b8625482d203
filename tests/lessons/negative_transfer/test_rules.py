"""The rules of lesson 08, on made-up tables whose verdict is known."""

import pytest

from tl_course import store
from tl_course.evidence.results import distances
from tl_course.lessons.negative_transfer import rules

TUNED, HEAD = rules.WAYS
NEAR, NOISE, SOUND, TEXT = "satellite", "satellite noise", rules.AUDIO, rules.TEXT
FAR = {task: far / 1000 for task, far in distances().items() if not task.startswith("p")}


@pytest.fixture
def table(made_up):
    """Builds ``sweep_suspects``: what a source, or photographs, brings with 50 and 500 labels."""

    def build(brings):
        cells = {}
        for key, both in brings.items():
            task, _, source = key.partition(" ")
            for labels, more in zip((50, 500), both, strict=True):
                cells[task, labels, "fine-tuned", source or "photographs"] = 0.5 + more
                cells[task, labels, "fine-tuned", "nothing"] = 0.5
                if task == TEXT:
                    cells[task, labels, "frozen", "words counted"] = 0.8
        return made_up(cells, "task labels strategy source")

    return build


@pytest.mark.parametrize(("claim", "brings", "verdict", "says"), [
    ("neg-1", {NOISE: (-0.1, -0.1), NEAR: (-0.1, -0.2)}, "holds", ": -10.0 and -20.0 points."),
    ("neg-1", {NOISE: (-0.1, 0.0), NEAR: (0.2, -0.1)}, "holds-when",
     " hurts on satellite scenes (500 labels from photographs, 50 labels from noise) (-10.0 p"),
    ("neg-1", {NOISE: (0.0, 0.0), NEAR: (0.1, 0.0)}, "does-not-hold", ": +10.0 and +0.0 points."),
    ("neg-2", {each: (0.3 - far, -far) for each, far in FAR.items()}, "holds", "lowers the gain "),
    ("neg-2", {each: (far, -far) for each, far in FAR.items()}, "holds-when",
     "lowers the gain on all targets (many labels) (-13.2 points); raises the gain on all targets"
     " (few labels) ("),
    ("neg-2", {each: (far, far) for each, far in FAR.items()}, "does-not-hold", "(+13.2 points)"),
    ("neg-2", {each: (far * 5 % 0.2, 9 * far % 0.2) for each, far in FAR.items()},
     "cannot-tell", "has an unclear effect on all targets"),
    ("neg-4", {SOUND: (0.1, 0.1), TEXT: (0.0, -0.1)}, "holds", "hurts on pictures of text ("),
    ("neg-4", {SOUND: (0.1, 0.0), TEXT: (0.1, 0.0)}, "holds-when",
     "hurts on pictures of text (50, 500 against words counted) (-30.0 to -20.0 points)"),
    ("neg-4", {SOUND: (0.0, -0.1), TEXT: (0.4, 0.4)}, "does-not-hold",
     "hurts on spoken digits (500 labels) (-10.0 points); helps on pictures of text ("),
])  # fmt: skip
def test_what_a_source_brings(judged, table, claim, brings, verdict, says):
    found = judged(claim, table(brings), verdict)
    rows = {"neg-1": 4, "neg-2": 2, "neg-4": 6}[claim]
    assert says in found.sentence and len(found.contrasts) == rows


LED, BEST = {TUNED: 0.4, HEAD: 0.6, "head on random backbone": 0.3}, {TUNED: 0.6, HEAD: 0.4}


@pytest.mark.parametrize(("claim", "cells", "verdict", "says"), [
    ("neg-3", (LED, LED, LED), "holds", "random weights: +30.0 points."),
    ("neg-3", (LED, {HEAD: 0.4}, BEST), "holds-when", "with 50, fine-tuning with 200, fine-tuning"),
    ("neg-3", ({HEAD: 0.4},) * 3, "does-not-hold", "random weights: -10.0 points."),
    ("real-3", (BEST, BEST, BEST), "holds", "helps on X-rays (+10.0 points)."),
    ("real-3", (LED, BEST, {}), "holds-when", "hurts on X-rays (50 labels) (-10.0 points); helps"),
    ("real-3", (LED, LED, {}), "does-not-hold", "hurts on X-rays (50, 200 labels)"),
])  # fmt: skip
def test_whether_photographs_help_xrays(judged, freezing_runs, claim, cells, verdict, says):
    cells = dict(zip([(rules.XRAYS, n) for n in rules.HUNDREDS], cells, strict=True))
    found = judged(claim, freezing_runs(cells | {("leaves", 25): LED}), verdict)
    assert says in found.sentence and {each.target for each in found.contrasts} == {rules.XRAYS}


@pytest.mark.parametrize("claim", rules.RULES)
def test_what_swings_or_is_missing(judged, table, freezing_runs, unsure, claim):
    frame = table(dict.fromkeys((*FAR, TEXT), (0.05, 0.05)))
    column, ours, none = "source", "photographs", "nothing"
    if claim in ("neg-3", "real-3"):
        frame = freezing_runs({(rules.XRAYS, n): {TUNED: 0.55} for n in rules.HUNDREDS})
        column, ours, none = "strategy", TUNED, "from scratch"
    with pytest.raises(store.UnknownName, match=none):
        judged(claim, frame[frame[column] != none])
    if claim != "neg-2":  # which is over targets
        unsure(frame, 2.0, **{column: ours})
        judged(claim, frame, "cannot-tell")


def test_a_slope_needs_targets(judged, table):
    with pytest.raises(store.BadInput, match="a slope over 2 targets"):
        judged("neg-2", table(dict.fromkeys(("satellite", "digits"), (0.05, 0.05))))
