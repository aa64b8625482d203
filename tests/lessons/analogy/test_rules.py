"""The rules of lesson 01, on made-up runs."""

import pytest

from tl_course import store

LONGER, AGAINST = "nothing, four times as long", "labels against four times the training"
LOST = ("false_friends", "reversed", "enciphered", "invented")


@pytest.mark.parametrize(
    ("nothing", "longer", "verdict", "says"),
    [
        ((0.1, 0.2, 0.7), {10: 0.2, 30: 0.6}, "holds", "helps on Italian (+10.0 to +50.0 points)."),
        (
            (0.1, 0.2, 0.9),
            {10: 0.5},
            "holds-when",
            f"hurts on Italian (10 {AGAINST}) (-20.0 points); helps on Italian (10, 30 labels)",
        ),
        ((0.3, 0.8, 0.9), {}, "does-not-hold", "hurts on Italian (30 labels) (-10.0 points);"),
        ((0.3, 0.7, 0.9), {}, "cannot-tell", "is unclear on Italian."),
    ],
)
def test_spanish_must_also_beat_who_trains_four_times_as_long(
    judged, analogy_runs, unsure, nothing, longer, verdict, says
):
    starts = {"spanish": (0.3, 0.7, 0.9), "nothing": nothing}
    starts = {name: dict(zip((10, 30, 1000), each, strict=True)) for name, each in starts.items()}
    starts[LONGER] = longer
    frame = analogy_runs({name: {0: 0.01} | each for name, each in starts.items()})
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="spanish")
    found = judged("analogy-1", frame, verdict)
    assert f"Spanish instead of nothing {says}" in found.sentence
    assert len(found.contrasts) == 3 + len(longer)  # none without a label


@pytest.mark.parametrize(
    ("relatives", "verdict", "says"),
    [
        ((0.1, 0.2, 0.3, 0.4), "holds", "was worth more with its cognates, grammar, alphabet and"),
        ((0.1, 0.5, 0.3, 0.6), "holds-when", "gained when it lost its roots (-10.0 points);"),
        ((0.5, 0.7, 0.5, 0.6), "does-not-hold", "gained when it lost its grammar and roots ("),
        ((0.5, 0.5, 0.5, 0.5), "cannot-tell", "cannot be told from one without its cognates,"),
    ],
)
def test_what_was_taken_away_must_be_worth_something(
    judged, analogy_runs, unsure, relatives, verdict, says
):
    starts = {f"spanish_{name}": each for name, each in zip(LOST, relatives, strict=True)}
    starts["spanish"] = 0.5  # with 10 numbers it would look otherwise
    frame = analogy_runs({name: {10: 1 - each, 100: each} for name, each in starts.items()})
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="spanish")
    found = judged("analogy-2", frame, verdict)
    assert found.sentence.startswith(f"With 100 Italian numbers, Spanish {says}")
    with pytest.raises(store.UnknownName, match="'spanish_invented'.*no stored run"):
        judged("analogy-2", frame[frame.strategy != "spanish_invented"])
