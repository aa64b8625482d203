"""Every fault changes what it says, and its symptom is there."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tl_course import evidence, models, store, tasks, train
from tl_course.lessons.preprocessing import charts, clues, experiment, faults

SHOWN = 100


@pytest.fixture(scope="module")
def clinic():
    """The leaf doctor and what it answers in each way of being fed: asked once for all tests."""
    return experiment._clinic()


@pytest.fixture(scope="module")
def doctor():
    return models.load("leaf_doctor")


@pytest.fixture(scope="module")
def good(clinic):
    return clinic.of("right")


def accuracy(found) -> float:
    return float((found.probabilities.argmax(1) == found.labels).float().mean())


def confidence(found) -> float:
    return float(found.probabilities.amax(1).mean())


def matrix(found) -> np.ndarray:
    return charts.confusion(found.labels, found.probabilities.argmax(1), 5)


def spread(found) -> float:
    return float(found.seen.float().std(dim=(1, 2, 3)).mean())


def test_the_doctor_is_good_when_fed_rightly(good):
    assert accuracy(good) > 0.85 and confidence(good) > 0.85 and good.changed == 0
    assert (matrix(good).argmax(1) == np.arange(5)).all()
    assert -2.2 < good.least < -1.5 and 1.5 < good.most < 2.7


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        ("no mean and std", 0.3),
        ("another mean and std", 0.05),
        ("0 to 255", 0.5),
        ("BGR", 0.3),
        ("not resized", 0.1),
        ("corner crop", 0.2),
        ("stretched", 0.02),
        ("grey", 0.3),
        ("compressed", 0.05),
        ("training mode", 0.3),
        ("labels off by one", 0.75),
        ("classes in another order", 0.65),
    ],
)
def test_a_fault_costs_accuracy(clinic, good, fault, lost):
    assert accuracy(clinic.of(fault)) < accuracy(good) - lost


def test_numbers_that_are_not_those_of_training(clinic, good):
    plain = clinic.of("no mean and std")
    assert plain.least >= 0 and 0.9 < plain.most <= 1
    assert spread(plain) < 0.4 * spread(good) and confidence(plain) > 0.7
    usual = clinic.of("another mean and std")
    assert -1 <= usual.least < -0.8 and 0.8 < usual.most <= 1
    assert spread(usual) < 0.7 * spread(good)
    large = clinic.of("0 to 255")
    assert large.most > 1000 and (large.seen == 255).float().mean() > 0.95
    assert confidence(large) > 0.99
    assert matrix(large).sum(0).max() > 0.9 * SHOWN  # one column


def test_colours_that_are_exchanged_or_lost(clinic, good):
    found = clinic.of("BGR")
    swapped = good.seen[:, [2, 1, 0]].float()
    assert (found.seen.float() - swapped).abs().mean() < 2
    assert (found.seen.float() - good.seen.float()).abs().mean() > 5
    assert (found.shares != good.shares)[[0, 2]].any() and (found.shares[1] == good.shares[1]).all()
    grey = clinic.of("grey").seen.int()
    assert (grey.amax(1) - grey.amin(1)).max() <= 1


def test_sizes_and_parts_that_are_not_those_of_training(clinic, good):
    leaves = clinic.leaves.inputs
    original = clinic.of("not resized").seen
    assert original.shape[-2:] == (128, 128) and good.seen.shape[-1] == 64
    assert (original.int() - leaves.int()).abs().max() <= 1
    corner = clinic.of("corner crop").seen.int()
    assert (corner - leaves[..., :64, :64].int()).abs().max() <= 1
    middle = leaves[..., 32:96].float()
    middle = F.interpolate(middle, (64, 64), mode="bilinear", antialias=True)
    assert (clinic.of("stretched").seen.float() - middle).abs().max() <= 1


def edges(pictures: torch.Tensor) -> torch.Tensor:
    """How much neighbours differ, in the mean, by their place in the row."""
    return pictures.float().diff(dim=3).abs().mean((0, 1, 2))


def test_compressed(clinic):
    original = clinic.leaves.inputs[:20]
    small, better = faults.compressed(original), faults.compressed(original, quality=90)
    assert edges(small)[7::8].mean() > 1.3 * edges(small).mean()  # blocks of eight
    assert edges(original)[7::8].mean() < 1.1 * edges(original).mean()
    lost = [(each.float() - original.float()).abs().mean() for each in (better, small)]
    assert lost[0] < lost[1]


def test_another_filter(clinic, good):
    found = clinic.of("another filter")
    assert edges(found.seen).mean() > 1.1 * edges(good.seen).mean()  # jagged
    assert torch.equal(found.seen[0, :, 5, 7], clinic.leaves.inputs[0, :, 10, 14])
    assert abs(accuracy(found) - accuracy(good)) < 0.08


def test_training_mode(clinic, doctor, good):
    found = clinic.of("training mode")
    assert found.changed > 0.3 * SHOWN and torch.equal(found.seen, good.seen)
    mixed = faults.logits(doctor, clinic.leaves.inputs, "training mode").argmax(1)
    assert (mixed == clinic.leaves.labels).float().mean() > accuracy(found) + 0.3


def test_answers_that_are_read_wrongly(clinic, good):
    names = ("labels off by one", "classes in another order")
    shifted, sorted_ = map(clinic.of, names)
    assert (matrix(shifted).argmax(1) == (np.arange(5) - 1) % 5).all()
    strongest = [clinic.classes[column] for column in matrix(sorted_).argmax(1)]
    assert strongest == sorted(clinic.classes) != [*clinic.classes]
    assert confidence(shifted) == confidence(sorted_) == confidence(good)


def test_only_training_mode_depends_on_the_order(doctor):
    leaves = tasks.load("leaves_128").test.inputs[:24]
    turned = torch.arange(24).flip(0)
    for fault in (faults.RIGHT, "no mean and std", "compressed", "grey"):
        there = faults.logits(doctor, leaves, fault)
        back = faults.logits(doctor, leaves[turned], fault)[turned]
        assert torch.allclose(there, back, atol=1e-3), fault


def test_the_network_is_left_as_it_was(doctor):
    before = {name: value.clone() for name, value in doctor.state_dict().items()}
    doctor.layer1.train()
    faults.logits(doctor, tasks.load("leaves_128").test.inputs[:16], "training mode")
    assert doctor.layer1.training and not doctor.layer2.training and not doctor.training
    doctor.eval()
    assert all(torch.equal(before[name], value) for name, value in doctor.state_dict().items())


def test_what_is_asked_rightly_scores_as_evaluate_says(doctor):
    split = tasks.load("leaves_128").test.take(range(40))
    scores = train.score(*faults.asked(doctor, split))
    known = train.evaluate(doctor, split).accuracy  # in bfloat16 where that is faster
    assert scores.accuracy == pytest.approx(known, abs=2 / 40)
    assert torch.equal(scores.labels, split.labels)
    assert scores.loss > 0


def test_what_is_asked_wrongly_keeps_its_order(doctor):
    split = tasks.load("leaves_128").test.take(range(40))
    right, labels = faults.asked(doctor, split)
    answers, wrong = faults.asked(doctor, split, "labels off by one")
    assert torch.equal(answers, right) and torch.equal(wrong, (labels + 1) % 5)
    answers, same = faults.asked(doctor, split, "training mode")
    assert torch.equal(same, labels)
    order = labels.argsort(stable=True)  # asked class by class, as from folders
    expected = faults.logits(doctor, split.inputs[order], "training mode")
    torch.testing.assert_close(answers[order], expected)


def test_what_applies_and_what_is_unknown(doctor):
    small, large = (torch.zeros(5, 3, side, side, dtype=torch.uint8) for side in (64, 128))
    splits = [tasks.Split(pictures, torch.arange(5)) for pictures in (small, large)]
    resizing = {name for name in faults.FAULTS if not faults.applies(name, splits[0], doctor)}
    assert resizing == {"not resized", "corner crop", "another filter"}
    assert all(faults.applies(name, splits[1], doctor) for name in ("right", *faults.FAULTS))
    ordered = models.load("resnet10", pretrained=False, classes=("normal", "pneumonia"))
    two = tasks.Split(small, torch.arange(5) % 2)
    assert not faults.applies("classes in another order", two, ordered)
    for call in (
        lambda: faults.applies("cold", splits[0], doctor),
        lambda: faults.logits(doctor, large, "cold"),
        lambda: faults.Fed(doctor.preprocess, "training mode"),
        lambda: faults.build("right", "frozen", 5, 0),
    ):
        with pytest.raises(store.UnknownName):
            call()


def test_a_network_can_be_built_to_learn_with_the_fault(doctor, trained_stages):
    model = faults.build("BGR", "head alone", 5, 0)
    leaves = tasks.load("leaves").test.inputs[:2]
    assert torch.equal(model.preprocess(leaves), doctor.preprocess(leaves[:, [2, 1, 0]]))
    assert trained_stages(model) == ("head",)


def test_training_may_know_of_the_fault(monkeypatch, tiny):
    asked = []
    monkeypatch.setattr(evidence, "learned", lambda *given: asked.append(given) or {})
    assert faults.repaired(tiny, "grey", "head alone", 3) == {}
    ((model, task, lr, seed),) = asked
    assert model.preprocess.fault == "grey" and (task, lr, seed) == (tiny, 3e-2, 3)


def test_every_fault_has_a_cause_a_cure_and_a_clue():
    assert {name for name, fault in faults.FAULTS.items() if fault.part == "inputs"} == {
        *faults.FEEDS
    }
    assert len(faults.FAULTS) == 13 and {*clues.CLUES} == {faults.RIGHT, *faults.FAULTS}
    texts = [text for f in faults.FAULTS.values() for text in (f.cause, f.cure)]
    assert all(texts) and len({*clues.CLUES.values()}) == 14
