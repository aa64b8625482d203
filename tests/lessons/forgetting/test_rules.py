"""The rules of lesson 07, on made-up runs."""

import pytest

from tl_course import store

RATES = (1e-4, 1e-3, 1e-2)
READER, PICTURES = "Spanish to Italian", "photographs to leaves"
REMEDIES = {("rehearsal", 10): 0.99, ("rehearsal", 30): 0.9, ("L2-SP", 0.1): 0.69}


@pytest.fixture
def runs(forgetting_runs):
    """Made-up runs of both networks, which know 0.99 of the old job before, and of remedies: each
    of RATES with its accuracy on the new job and on the old. What is frozen must not count.
    """

    def build(reader, pictures):
        settings = {}
        for network, found in (("reader", reader), ("resnet10", pictures)):
            scratch = ((0.1, 0.5), (0.2, 0.5), (0.6, 0.5))
            for strategy, values in (("fine-tuning", found), ("from scratch", scratch)):
                settings[network, strategy, "", 0] = dict(zip(RATES, values, strict=True))
        settings["reader", "fine-tuning", "letters", 0] = {1e-3: (1.0, 0.99)}
        for remedy, kept in (REMEDIES | {("LoRA", 4): 0.29}).items():
            settings["reader", remedy[0], "", remedy[1]] = {1e-4: (0.5, 0.8), 1e-3: (0.9, kept)}
        return forgetting_runs(settings)

    return build


def new_job(*accuracies):
    return [(accuracy, 0.5) for accuracy in accuracies]


def old_job(*accuracies, new=0.9):
    """The middle one of RATES is best for the new job."""
    return list(zip((0.1, new, 0.2), accuracies, strict=True))


VERY_LOW, LOWER, HIGHER = new_job(0.9, 0.8, 0.5), new_job(0.6, 0.9, 0.5), new_job(0.4, 0.9, 0.5)
HIGHEST = new_job(0.1, 0.5, 0.9)  # as from scratch
SCRATCH, OWN = "against the rate best from scratch, 0.01", "against its own best, 0.001"
KEPT, LESS, BETTER = old_job(1, 0.99, 0.99), old_job(1, 0.89, 0.6), old_job(1, 1.0, 0.1)
LOST, GAINED = old_job(0.1, 0.1, 0.1), old_job(0.4, 0.1, 0.9)
LEFT = "less than half of the old job is left at"
HIGH, LOW = "at 0.01 instead of 0.001", "at 0.0001, against half of it"


@pytest.mark.parametrize(
    ("claim", "reader", "pictures", "verdict", "says"),
    [
        ("rate-1", VERY_LOW, VERY_LOW, "holds", f"Best on validation: 0.0001 ({READER}) and"),
        ("rate-1", VERY_LOW, HIGHER, "holds-when", f"0.0001 ({READER}) and 0.001 ({PICTURES})."),
        (
            "rate-1",
            LOWER,
            HIGHER,
            "holds-when",
            f"very low rate of 0.0001 hurts on {READER} ({OWN}) and {PICTURES} (-50.0 to -10.0 "
            f"points); helps on {READER} ({SCRATCH}) (+10.0 points).",
        ),
        ("rate-1", HIGHER, HIGHER, "does-not-hold", f"hurts on {READER} and {PICTURES} (-50.0"),
        ("rate-1", HIGHEST, VERY_LOW, "holds-when", f"hurts on {READER} (-80.0 points); helps"),
        ("rate-2", LESS, BETTER, "holds", f"{READER}: {LEFT} no rate. {PICTURES}: {LEFT} 0.01."),
        (
            "rate-2",
            LOST,
            LESS,
            "holds-when",
            f"less of the old job on {READER} ({LOW}) and {PICTURES} ({HIGH}) (-39.5 to -29.0 "
            f"points); leaves more of the old job on {PICTURES} ({LOW}) (+50.5 points); leaves as "
            f"much of the old job on {READER} ({HIGH}).",
        ),
        (
            "rate-2",
            LOST,
            GAINED,
            "does-not-hold",
            f"{LEFT} every rate. {PICTURES}: {LEFT} 0.0001, 0.001.",
        ),
        ("lose-1", LESS, LOST, "holds", ": rehearsal 10: +0, L2-SP 0.1: -30, LoRA 4: -70."),
        ("lose-1", BETTER, LESS, "holds-when", f"loses the old job on {PICTURES} (-10.0 points);"),
        ("lose-1", KEPT, BETTER, "does-not-hold", f"improves the old job on {PICTURES} (+1.0"),
        ("both-1", LOST, KEPT, "holds", "the new job (+30.0 points); leaves it as good at"),
        ("both-1", LOST, LESS, "holds-when", "worse at the old job (-10.0 points); leaves it"),
        ("both-1", KEPT, old_job(1, 0.8, 1, new=0.3), "does-not-hold", "the old job and the new"),
    ],
)
def test_the_verdict_and_its_sentence(judged, runs, claim, reader, pictures, verdict, says):
    frame = runs(reader, pictures)
    assert says in judged(claim, frame, verdict).sentence
    with pytest.raises(store.UnknownName, match="'fine-tuning'.*no stored run"):
        judged(claim, frame[frame.strategy != "fine-tuning"])


@pytest.mark.parametrize("claim", ["rate-1", "rate-2", "lose-1", "both-1"])
def test_runs_that_swing_cannot_tell_and_rates_are_chosen_on_validation(
    judged, runs, unsure, claim
):
    frame = runs(KEPT, KEPT)
    frame["test_accuracy"] = 0.5
    unsure(frame, of="source_accuracy", lr=1e-3)
    unsure(frame, 2.0, of="source_accuracy", lr=1e-4)
    unsure(frame, of="test_accuracy", lr=1e-4)
    unsure(frame, of="test_accuracy", lr=1e-2, strategy="from scratch")
    found = judged(claim, frame, "cannot-tell")
    pair = ("the old job", "the new job") if claim == "both-1" else (READER, PICTURES)
    wheres = {"rate-1": (SCRATCH, OWN), "rate-2": (HIGH, LOW)}.get(claim, ("",))
    rows = [(each.target, each.where) for each in found.contrasts]
    assert rows == [(target, where) for target in pair for where in wheres]


@pytest.mark.parametrize(
    ("nothing", "verdict", "condition"),
    [
        ((0.1, 0.2, 0.9), "holds", "Italian"),
        ((0.3, 0.2, 0.1), "holds-when", "Italian (10 labels)"),
        ((0.3, 0.9, 0.1), "does-not-hold", ""),
        ((0.3, 0.5, 0.1), "cannot-tell", ""),
    ],
)
def test_the_first_numbers_come_from_spanish(
    judged, analogy_runs, unsure, nothing, verdict, condition
):
    starts = {"spanish": (0.3, 0.5, 0.5), "nothing": nothing}
    frame = analogy_runs({k: dict(zip((0, 10, 30), v, strict=True)) for k, v in starts.items()})
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="spanish")
    found = judged("analogy-3", frame, verdict)
    assert [each.where for each in found.contrasts] == ["0 labels", "10 labels"]
    assert found.condition == condition
