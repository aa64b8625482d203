"""The rules of lesson 08, on made-up tables whose verdict is known."""

import pytest

from tl_course import store
from tl_course.evidence.results import distances
from tl_course.lessons.negative_transfer import rules

XRAYS, AUDIO, TEXT = rules.XRAYS, rules.AUDIO, rules.TEXT
TARGETS = ("digits", "satellite", "leaves", "materials", XRAYS, AUDIO, TEXT)


@pytest.fixture
def table(made_up):
    """Builds ``sweep_suspects``: from (task, source) to what it brings, with few labels and many.

    What is not said is 0.1 for photographs, 0.3 for words counted and 0 for noise.
    """

    def build(brings=()):
        cells = {}
        for task in TARGETS:
            starts = {"photographs": 0.1, "noise": 0.0, "nothing": 0.0}
            starts |= {"words counted": 0.3} if task == TEXT else {}
            for source, usual in starts.items():
                found = dict(brings).get((task, source), (usual, usual))
                way = "frozen" if source == "words counted" else "fine-tuned"
                for labels, more in zip((50, 400 if task == TEXT else 500), found, strict=True):
                    cells[task, labels, way, source] = 0.5 + more
        return made_up(cells, "task labels strategy source")

    return build


PAIRS = [(task, source) for task in TARGETS for source in ("photographs", "noise")]


@pytest.mark.parametrize(
    ("brings", "verdict", "condition"),
    [
        ({}, "does-not-hold", ""),
        ({("digits", "noise"): (-0.1, 0)}, "holds-when", "digits (50 labels from noise)"),
        (dict.fromkeys(PAIRS, (-0.1, -0.2)), "holds",
         "satellite scenes, digits, leaves, materials, X-rays, spoken digits and pictures of text"),
    ],
)  # fmt: skip
def test_whether_borrowing_hurts(judged, table, brings, verdict, condition):
    brings = {("satellite", "photographs"): (0.2, -0.1)} | brings
    found = judged("neg-1", table(brings))
    first = ("satellite", "50 labels from photographs")
    assert (found.contrasts[0].target, found.contrasts[0].where) == first
    assert len(found.contrasts) == 4 * len(TARGETS)
    few, many = (f"{100 * more:+.1f}" for more in brings["satellite", "photographs"])
    assert found.sentence.endswith(f"photographs to satellite scenes: {few} and {many} points.")
    assert "something hurts" in found.sentence
    brings.pop(("satellite", "photographs")) if verdict != "holds" else None
    assert judged("neg-1", table(brings), verdict).condition == condition


def gains(few, many):
    """What photographs bring by a rule of the target's distance."""
    far = {task: distances()[task] / 1000 for task in TARGETS}
    return {(task, "photographs"): (few(far[task]), many(far[task])) for task in TARGETS}


@pytest.mark.parametrize(
    ("few", "many", "verdict", "says"),
    [
        (lambda far: 0.3 - far, lambda far: 0.3 - 2 * far, "holds", "hurts on all targets ("),
        (lambda far: 0.3 - far, lambda far: far, "holds-when", "helps on all targets (many labels)"),
        (lambda far: far, lambda far: 2 * far, "does-not-hold", "helps on all targets ("),
        (lambda far: far % 0.03 * 9, lambda far: far % 0.02 * 9, "cannot-tell", "cannot be told"),
    ],
)
def test_whether_the_benefit_fades_with_distance(judged, table, few, many, verdict, says):
    found = judged("neg-2", table(gains(few, many)), verdict)
    assert [each.where for each in found.contrasts] == ["few labels", "many labels"]
    assert says in found.sentence and "7 targets" in found.scope


def test_a_slope_is_told_from_the_nearest_target_to_the_farthest(judged, table):
    found = judged("neg-2", table(gains(lambda far: 0.3 - far, lambda far: 0.3 - far)))
    span = (distances()["digits"] - distances()["satellite"]) / 1000
    assert found.effect == pytest.approx(-span)


TUNED, HEAD, SCRATCH, RANDOM = *rules.WAYS, "from scratch", "head on random backbone"
LED = {TUNED: 0.4, HEAD: 0.6, RANDOM: 0.3}


@pytest.mark.parametrize(
    ("claim", "cells", "verdict", "condition"),
    [
        ("neg-3", [LED, LED, LED], "holds", "X-rays"),
        ("neg-3", [LED, {HEAD: 0.4}, {TUNED: 0.6}], "holds-when", "X-rays (50, 500 labels)"),
        ("neg-3", [{HEAD: 0.4}] * 3, "does-not-hold", ""),
        ("real-3", [{TUNED: 0.6}] * 3, "holds", "X-rays"),
        ("real-3", [LED, {TUNED: 0.6}, {}], "holds-when", "X-rays (200 labels)"),
        ("real-3", [LED] * 3, "does-not-hold", ""),
    ],
)
def test_whether_photographs_help_xrays(judged, freezing_runs, claim, cells, verdict, condition):
    frame = freezing_runs({
        (XRAYS, labels): cell for labels, cell in zip(rules.HUNDREDS, cells, strict=True)
    } | {("leaves", 50): LED})  # fmt: skip
    found = judged(claim, frame, verdict)
    assert [each.where for each in found.contrasts] == ["50 labels", "200 labels", "500 labels"]
    assert found.condition == condition and "a training accuracy of 0.99" in found.scope
    assert ("hurts on X-rays" in found.sentence) == (claim == "real-3" and LED in cells)
    if claim == "neg-3":
        ways = [HEAD if cell is LED else TUNED for cell in cells]
        chosen = zip(ways, rules.HUNDREDS, strict=True)
        assert ", ".join(f"{way} with {labels}" for way, labels in chosen) in found.sentence
        worth = 100 * sum(c.get(HEAD, 0.5) - c.get(RANDOM, 0.5) for c in cells) / 3
        assert found.sentence.endswith(f"one on random weights: {worth:+.1f} points.")


SILENT, READ, LEVEL = (((AUDIO, "photographs"), (0, 0)), ((TEXT, "photographs"), (0.4, 0.4)),
                       ((TEXT, "photographs"), (0, 0)))  # fmt: skip


@pytest.mark.parametrize(
    ("brings", "verdict", "condition"),
    [
        ([LEVEL], "holds", "spoken digits and pictures of text"),
        ([], "holds-when", "spoken digits and pictures of text (50, 400 against words counted)"),
        ([READ], "holds-when", "spoken digits"),
        ([SILENT, READ], "does-not-hold", ""),
    ],
)
def test_sound_may_work_and_text_not(judged, table, brings, verdict, condition):
    found = judged("neg-4", table(brings), verdict)
    wheres = ("50 labels", "500 labels", "50 labels", "400 labels")
    wheres += ("50 against words counted", "400 against words counted")
    tasks = (AUDIO,) * 2 + (TEXT,) * 4
    assert [(each.target, each.where) for each in found.contrasts] == [*zip(tasks, wheres)]
    assert found.condition == condition


@pytest.mark.parametrize("claim", rules.RULES)
def test_runs_that_swing_cannot_tell_and_missing_ones_are_named(
    judged, table, freezing_runs, unsure, claim
):
    frame, ours, none = table(), {"source": "photographs"}, {"source": "nothing"}
    if claim in ("neg-3", "real-3"):
        frame = freezing_runs({(XRAYS, labels): {TUNED: 0.6} for labels in rules.HUNDREDS})
        ours, none = {"strategy": TUNED}, {"strategy": SCRATCH}
    judged(claim, frame)
    for where in (ours, none):
        ((column, value),) = where.items()
        with pytest.raises((store.UnknownName, store.BadInput)) as found:
            judged(claim, frame[frame[column] != value])
        assert value in str(found.value), claim
    if claim != "neg-2":
        unsure(frame, 0.9, **none)
        unsure(frame, -2.5, **({"source": "words counted"} if claim == "neg-4" else {"seed": 9}))
        judged(claim, frame, "cannot-tell")
