"""Lesson 07's checks: two languages at once, by rehearsal, low rank and mixing."""

import copy

import pytest
import torch
from said import right, wrong

from tl_course import models, surgery, tasks, train
from tl_course.lessons.forgetting import checks


@pytest.fixture
def reader():
    return models.load("reader_spanish")


def blind(reader):
    """The reader with letters that are no numbers."""
    reader = copy.deepcopy(reader)
    reader.letters.weight.data.fill_(float("nan"))
    return reader


def test_a_reader_of_spanish_reads_no_italian(reader):
    spanish, italian = checks.both(reader)
    assert spanish > 0.99 and italian < 0.1
    wrong(checks.check_both(reader), "Spanish 99", "too little learnt")


def test_rehearsal_keeps_both_languages(reader):
    mixed = tasks.load("numbers_italian").few(100, seed=0)
    mixed = mixed.mixed(tasks.load("numbers_spanish").few(50, seed=0).train)
    train.fit(reader, mixed, epochs=30, lr=3e-3, progress=False)
    assert checks.check_both(reader).startswith("Right: Spanish 9")


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.95, 0.85), "Right: Spanish 95.0%, Italian 85.0%."),
        ((0.99, 0.84), "Not yet: Spanish 99.0%, Italian 84.0%. Little is lost"),
        ((0.94, 0.99), "Not yet: Spanish 94.0%, Italian 99.0%. It forgets"),
        ((0.94, 0.84), "Not yet: Spanish 94.0%, Italian 84.0%. Both are low"),
    ],
)
def test_each_way_to_fail_at_two_languages(monkeypatch, reader, shares, message):
    monkeypatch.setattr(checks, "both", lambda model: shares)
    assert checks.check_both(reader).startswith(message)


def test_readers_that_cannot_answer_get_a_line(reader):
    wrong(checks.check_both(surgery.replace_head(copy.deepcopy(reader), 7)))
    wrong(checks.check_both(blind(reader)))


@pytest.fixture
def lora(reader):
    torch.manual_seed(0)
    model = surgery.add_lora(reader)
    torch.nn.init.normal_(model.memory.there.parametrizations.weight_ih_l0[0].b, std=0.1)
    return model


def test_merging_adds_the_change_to_the_old_weight(lora):
    kept = lora.memory.there.parametrizations.weight_ih_l0
    old, change = kept.original, kept[0].b @ kept[0].a
    expected = f"Right: {4 * (256 + 48):,} trained numbers changed {256 * 48:,}."
    assert checks.check_merged(lora, old + change) == expected
    assert checks.check_merged(lora, (old + change).detach().double()) == expected
    cases = {
        "the old weight alone": old,
        "the change alone": change,
        "neither old weight, nor change, nor their sum": old + 2 * change,
        "nor their sum": (old + change).long(),
        "its shape is (4, 48), not (256, 48)": kept[0].a,
        "its shape is (48, 256)": (old + change).T,
        "weight is ndarray, not a tensor": (old + change).detach().numpy(),
    }
    for message, weight in cases.items():
        wrong(checks.check_merged(lora, weight), message)
    merged = surgery.merge_lora(lora)
    wrong(checks.check_merged(merged, merged.memory.there.weight_ih_l0), "no low-rank change")


@pytest.fixture(scope="module")
def ends():
    """A reader of Spanish, and what 300 Italian numbers make of it."""
    old = models.load("reader_spanish")
    new = copy.deepcopy(old)
    few = tasks.load("numbers_italian").few(300, seed=0)
    train.fit(new, few, epochs=12, lr=4e-3, progress=False)
    return old, new


def mix(old, new, share):
    model, ahead = copy.deepcopy(old), new.state_dict()
    mixture = {n: (1 - share) * w + share * ahead[n] for n, w in old.state_dict().items()}
    model.load_state_dict(mixture)
    return model


def test_halfway_back_reads_both_languages(ends):
    found = checks.check_between(mix(*ends, 0.55), *ends)
    right(found)
    assert "55% of the way, Spanish 9" in found


def test_what_is_wrong_between_two_readers(ends):
    old, new = ends
    wrong(checks.check_between(old, old, new), "0% of the way", "Too far from Italian")
    wrong(checks.check_between(new, old, new), "100% of the way", "Too far from Spanish")
    beside = mix(old, new, 0.55)
    beside.letters.load_state_dict(new.letters.state_dict())
    wrong(checks.check_between(beside, old, new), "not on the line", "Mix all of them alike")
    wrong(checks.check_between(blind(old), old, new), "not on the line")
    wrong(checks.check_between(old, old, copy.deepcopy(old)), "nothing lies between them")
    wrong(checks.check_between(surgery.add_lora(copy.deepcopy(old)), old, new), "merge_lora")
    wrong(checks.check_between(old, None, new), "old is NoneType, not a reader")
    wrong(checks.check_between(old, old, models.load("resnet10")), "new is ResNet10")
