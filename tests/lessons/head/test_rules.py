"""The rules of lesson 03, on made-up runs."""

import numpy as np
import pytest

HEADS = ("linear probe", "old head renamed", "probe on old head", "fine-tuning")
NEW, RENAMED, STACKED = 0.7, 0.5, 0.6


@pytest.fixture
def heads(made_up):
    """Made-up results as data_scripts/sweep_head.py writes them, with the control at 0.3."""

    def build(cells):
        found = {
            (*cell, head): value
            for cell, values in cells.items()
            for head, value in zip(HEADS, values, strict=True)
        }
        return made_up(found | {(*cell, "probe on random backbone"): 0.3 for cell in cells})

    return build


BOTH = ("the old answers renamed", "a new head on the old one")
EVERYWHERE = ", ".join(f"{other} (pacs_photo, digits)" for other in BOTH)


@pytest.mark.parametrize(
    ("photo", "digits", "yes", "no"),
    [
        ((NEW, RENAMED, STACKED, 0.7), (NEW, RENAMED, STACKED, 0.7), EVERYWHERE, ""),
        (
            (NEW, RENAMED, 0.7, 0.7),
            (NEW, RENAMED, STACKED, 0.7),
            f"{BOTH[0]} (pacs_photo, digits), {BOTH[1]} (digits)",
            f"{BOTH[1]} (pacs_photo)",
        ),
        ((0.5, 0.5, 0.5, 0.7), (0.5, 0.6, 0.5, 0.7), "", EVERYWHERE),
    ],
)
def test_whether_a_new_head_is_needed(judged, heads, photo, digits, yes, no):
    worst = (0.1, 0.9, 0.9, 0.9)  # with 50 labels it would look otherwise; 200 count
    frame = heads({("pacs_photo", 200): photo, ("digits", 200): digits, ("digits", 50): worst})
    found = judged("head-1", frame, ("better than {}", "against {}", yes, no))
    expected = ((photo[0] - photo[1]) + (digits[0] - digits[1])) / 2
    assert found.effect == pytest.approx(expected, abs=0.005)


ENOUGH = ("enough (points against fine-tuning): {}", "on {}")
CELLS = (("pacs_photo", 50), ("pacs_photo", 200), ("leaves", 50), ("leaves", 200))


def ahead_by(heads, *ahead):
    """Fine-tuning ahead of the head alone by as much in each of CELLS."""
    cells = dict(zip(CELLS, ahead, strict=True))
    return heads({cell: (0.7, 0.5, 0.5, 0.7 + more) for cell, more in cells.items()})


@pytest.mark.parametrize(
    ("ahead", "enough", "verdict"),
    [
        ((0.02, -0.1, 0.2, 0.3), 2, "holds"),
        ((0.02, 0.2, 0.2, 0.3), 1, "holds-when"),
        ((0.2, 0.3, 0.2, -0.1), 1, "holds-when"),
        ((0.2, 0.3, 0.2, 0.3), 0, "does-not-hold"),
    ],
)
def test_whether_the_head_alone_is_enough(judged, heads, ahead, enough, verdict):
    told = [
        f"{task} {count} ({-100 * more:+.0f})"
        for (task, count), more in zip(CELLS, ahead, strict=True)
    ]
    yes = [text for text, more in zip(told, ahead, strict=True) if more < 0.05]
    no = [text for text in told if text not in yes]
    words = (*ENOUGH, ", ".join(yes), ", ".join(no))
    found = judged("head-2", ahead_by(heads, *ahead), words, verdict)
    assert found.effect == pytest.approx(-ahead[0], abs=0.005) and len(yes) == enough


def test_a_head_that_may_lose_five_points_is_not_enough(judged, heads, unsure):
    frame = ahead_by(heads, 0.02, 0.02, 0.2, 0.2)
    judged("head-2", frame, verdict="holds")
    unsure(frame, task="pacs_photo", strategy="fine-tuning")
    found = judged("head-2", frame, verdict="does-not-hold")
    assert found.effect == pytest.approx(-0.02, abs=0.005) and found.low < -0.05


@pytest.fixture
def zoo(made_up, heads):
    """Made-up results as data_scripts/sweep_families.py writes them: what goes wrong with a
    family, with one seed of five, and what the weights of two families add.
    """

    def build(broken=None, worth=0.3, pictures=0.7, names=("vgg16", "bert", "whisper")):
        fine = {"head": True, "frozen": True, "loss_before": 2.0, "loss_after": 1.0}
        cells = {
            ("minilm", "probe on random backbone"): 0.5,
            ("minilm", "linear probe"): 0.5 + worth,
        }
        cells |= {(name, "operations"): fine | {"test_balanced": 0.0} for name in names}
        frame = made_up(cells, "family strategy")
        frame = frame.astype({"head": object, "frozen": object})
        for name, wrong in (broken or {}).items():
            frame.loc[(frame.family == name) & (frame.seed == 3), [*wrong]] = [*wrong.values()]
        known = heads({("pacs_photo", n): (pictures, 0.5, 0.5, 0.7) for n in (50, 200)})
        return {"sweep_families": frame, "sweep_head": known}

    return build


BREAKS = {
    "head": {"head": False},
    "frozen": {"frozen": False},
    "loss": {"loss_after": 2.5},
    "nan": {"loss_after": np.nan},
}


def test_families_that_take_a_new_job(judged, zoo):
    found = judged("zoo-1", zoo(), verdict="holds-when")
    assert found.effect == pytest.approx((0.4 + 0.3) / 2, abs=0.01)
    assert found.condition == (
        "3 of 3 families take a new head and freeze; 3 of 3 families learn by heart; that their "
        "weights are worth it was measured for ResNet and BERT"
    )
    judged("zoo-1", zoo(names=("resnet18", "bert")), verdict="holds")  # all are worth it


@pytest.mark.parametrize("what", BREAKS)
def test_a_family_that_fails_with_one_seed(judged, zoo, what):
    found = judged("zoo-1", zoo({"bert": BREAKS[what]}), verdict="holds-when")
    taken = "2 of 3" if what in ("head", "frozen") else "3 of 3"
    assert found.condition.startswith(f"{taken} families take a new head and freeze")
    assert "2 of 3 families learn by heart (bert with 4 of 5 seeds)" in found.condition


@pytest.mark.parametrize(
    ("options", "verdict", "proven"),
    [
        ({"worth": 0.0}, "holds-when", "measured for ResNet"),
        ({"pictures": 0.3}, "holds-when", "measured for BERT"),
        ({"worth": -0.1, "pictures": 0.3}, "does-not-hold", "measured for none"),
        (
            {"broken": dict.fromkeys(("vgg16", "bert", "whisper"), BREAKS["loss"])},
            "does-not-hold",
            "0 of 3",
        ),
    ],
)
def test_families_that_are_not_worth_it(judged, zoo, options, verdict, proven):
    assert proven in judged("zoo-1", zoo(**options), verdict=verdict).condition
