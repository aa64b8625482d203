"""The rules of lesson 07, on made-up runs."""

import numpy as np
import pytest

RATES = (1e-4, 1e-3, 1e-2)
HIGH_FROM_SCRATCH = [(accuracy, 0.5) for accuracy in (0.1, 0.2, 0.6)]


def new_job(*accuracies):
    """What each of RATES gives in the new job; best from scratch is the highest rate."""
    return [(accuracy, 0.5) for accuracy in accuracies], HIGH_FROM_SCRATCH


def old_job(*accuracies):
    """What is kept at each of RATES; the middle one is best for the new job."""
    return list(zip((0.4, 0.9, 0.5), accuracies, strict=True)), HIGH_FROM_SCRATCH


@pytest.fixture
def runs(forgetting_runs):
    """Made-up runs of both networks, and of remedies, of which those in ``saving`` work."""

    def build(reader, pictures=None, saving=()):
        settings = {
            (network, strategy, "", 0): dict(zip(RATES, values, strict=True))
            for network, found in (("reader", reader), ("resnet10", pictures or reader))
            for strategy, values in zip(("fine-tuning", "from scratch"), found, strict=True)
        }
        for name, strength in (("rehearsal", 10), ("rehearsal", 30), ("L2-SP", 0.1), ("LoRA", 4)):
            kept = 0.98 if (name, strength) in saving else 0.5
            settings["reader", name, "", strength] = {1e-3: (0.9, kept)}
        # what is frozen must not count
        settings["reader", "fine-tuning", "letters", 0] = {1e-3: (1.0, 0.99)}
        return forgetting_runs(settings)

    return build


VERY_LOW, LOWER, THE_SAME = new_job(0.9, 0.8, 0.5), new_job(0.4, 0.9, 0.5), new_job(0.4, 0.8, 0.9)


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (VERY_LOW, VERY_LOW, "holds"),
        (LOWER, LOWER, "holds-when"),
        (VERY_LOW, LOWER, "holds-when"),
        (THE_SAME, VERY_LOW, "holds-when"),
        (THE_SAME, THE_SAME, "does-not-hold"),
    ],
)
def test_whether_fine_tuning_needs_a_very_low_rate(judged, runs, reader, pictures, verdict):
    judged("rate-1", runs(reader, pictures), verdict=verdict)


def test_what_the_rate_from_scratch_costs(judged, runs):
    frame = runs(LOWER, VERY_LOW)
    found = judged("rate-1", frame)
    assert found.effect == pytest.approx((0.4 + 0.4) / 2, abs=0.01)
    assert found.condition.endswith(
        "Spanish to Italian: best at 0.001; 0.01, best from scratch, costs 40 points, 0.0001 costs "
        "50; photographs to leaves: best at 0.0001; 0.01, best from scratch, costs 40 points, "
        "0.0001 costs 0"
    )
    frame["test_accuracy"] = frame.lr  # the best rate is the best on validation
    assert "Spanish to Italian: best at 0.001" in judged("rate-1", frame).condition


FORGOTTEN, HALF_FORGOTTEN, KEPT = old_job(1, 0.9, 0.1), old_job(1, 0.9, 0.6), old_job(1, 0.9, 0.9)
AT_ANY_RATE = old_job(1, 0.1, 0.1)  # the highest is no worse than the best


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (FORGOTTEN, FORGOTTEN, "holds"),
        (FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (HALF_FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (FORGOTTEN, KEPT, "holds-when"),
        (KEPT, KEPT, "does-not-hold"),
        (AT_ANY_RATE, AT_ANY_RATE, "does-not-hold"),
    ],
)
def test_whether_a_high_rate_forgets(judged, runs, reader, pictures, verdict):
    judged("rate-2", runs(reader, pictures), verdict=verdict)


def test_what_a_high_rate_loses(judged, runs):
    found = judged("rate-2", runs(FORGOTTEN, HALF_FORGOTTEN))
    assert found.effect == pytest.approx((0.8 + 0.3) / 2, abs=0.01)
    assert found.condition.startswith("Spanish to Italian: 0.99 before, 0.90 after 0.001, 0.10")


def test_a_skill_that_survives_by_itself_must_do_so_in_both_networks(judged, runs):
    found = judged("analogy-3", runs(old_job(1, 0.97, 0.1)), verdict="holds")
    assert found.effect == pytest.approx(-0.02, abs=0.01)
    frame = runs(old_job(1, 0.98, 0.1), old_job(1, 0.5, 0.1))
    judged("analogy-3", frame, verdict="does-not-hold")


@pytest.mark.parametrize("saving", [((("rehearsal", 30), ("LoRA", 4))), ()])
def test_a_skill_that_a_remedy_saves_or_none(judged, runs, saving):
    frame = runs(old_job(1, 0.7, 0.1), saving=saving)
    found = judged("analogy-3", frame, verdict="holds-when" if saving else "does-not-hold")
    plain = (
        "Spanish to Italian: -29 points on the old job; photographs to leaves: -29 points on the "
        "old job"
    )
    saved = "in the reader with rehearsal 30, LoRA 4; without, " if saving else ""
    assert found.condition == saved + plain


def test_a_loss_that_might_be_five_points_is_no_survival(judged, runs):
    frame = runs(old_job(1, 0.96, 0.1))
    frame.source_accuracy += np.where(frame.seed == 0, -0.1, 0.025)  # the same mean, but unsure
    found = judged("analogy-3", frame, verdict="does-not-hold")
    assert found.effect > -0.05 > found.low
