"""The rules of lesson 08, on made-up tables whose verdict is known."""

import pytest

from tl_course.lessons.negative_transfer import rules

STARTS = [(source, way) for source in ("photographs", "noise", "nothing")
          for way in ("fine-tuned", "frozen")]  # fmt: skip


def plan(task, source, way):
    """Near +0.2, far +0.1, X-rays and text 0, words counted +0.3, everything frozen -0.2."""
    if source == "words counted":
        return 0.3
    if (source, way) == ("nothing", "fine-tuned"):
        return 0.0
    if way == "frozen":
        return -0.2
    if source != "photographs":
        return 0.02
    return 0.2 if task in rules.NEAR else 0.1 if task in ("digits", "spoken_digits") else 0.0


@pytest.fixture
def table(made_up):
    """Builds ``sweep_suspects`` as ``plan`` says, but for the starts that are named."""

    def build(other=None, everywhere=plan):
        cells = {
            (task, labels, way, source): 0.5 + everywhere(task, source, way)
            for task in (*rules.NEAR, *rules.FAR)
            for labels in (50, 400 if task == rules.TEXT else 500)
            for source, way in (*STARTS, *[("words counted", "frozen")] * (task == rules.TEXT))
        }
        assert {*(other or {})} <= {*cells}
        cells |= {cell: 0.5 + more for cell, more in (other or {}).items()}
        return made_up(cells, "task labels strategy source")

    return build


def both(task, way, source, more, counts=(50, 500)):
    return {(task, labels, way, source): more for labels in counts}


def test_harm_beyond_every_interval_is_found_and_the_example_told_apart(judged, table):
    harmful = table(both("digits", "fine-tuned", "noise", -0.1))
    found = judged("neg-1", harmful, verdict="holds-when")
    assert found.condition.startswith("2 of 28 pairs do harm: noise to digits (50), noise to dig")
    assert "satellite, the document's example, gains +20" in found.condition
    assert found.effect == pytest.approx(-0.1, abs=0.005)
    judged("neg-1", table(both("satellite", "fine-tuned", "photographs", -0.1)), verdict="holds")
    # a frozen backbone that loses is no harm of pretraining
    judged("neg-1", table(), verdict="does-not-hold")


def test_the_benefit_fades_where_far_targets_gain_less(judged, table):
    found = judged("neg-2", table(), ("with {}", "with {}", "few labels, many labels", ""))
    still = "digits (50, 500), spoken_digits (50, 500)"
    assert found.condition.endswith(f"; far targets that gain all the same: {still}")
    same = table(everywhere=lambda task, source, way: 0.1 * (source != "nothing"))
    judged("neg-2", same, verdict="does-not-hold")


def test_xrays_work_only_where_the_leader_on_validation_gains(judged, table):
    words = ("with {} X-rays", "with {}")
    judged("neg-3", table(), (*words, "", "50, 500"))
    head = table(both("pneumonia", "frozen", "photographs", 0.1, counts=[50]))
    found = judged("neg-3", head, (*words, "50", "500"))
    assert "; frozen leads with 50, fine-tuned leads with 500; head alone" in found.condition


def test_sound_may_work_and_text_not(judged, table):
    found = judged("neg-4", table(), verdict="holds")
    assert found.effect == pytest.approx(-0.3, abs=0.005)
    assert found.condition.startswith(
        "sound gains with 50, 500 labels; text gains nothing; reading words beats pictures of text:"
    )
    read = both("text_pictures", "fine-tuned", "photographs", 0.1, counts=[50, 400])
    found = judged("neg-4", table(read), verdict="holds-when")
    assert "text gains with 50, 400" in found.condition
    silent = both("spoken_digits", "fine-tuned", "photographs", 0.0)
    found = judged("neg-4", table(read | silent), verdict="does-not-hold")
    assert found.condition.startswith("sound gains nothing")
