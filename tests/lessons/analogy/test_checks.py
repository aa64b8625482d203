"""Lesson 01's checks: a language, a source that misleads, and a cipher."""

import copy
import math

import pandas
import pytest
import torch
from num2words import num2words
from said import right, wrong

from tl_course import evidence, models, surgery, tasks, train
from tl_course.lessons.analogy import checks
from tl_course.tasks import number_words

SPANISH, ITALIAN = number_words.spell("spanish"), number_words.spell("italian")
STROKES = ("oi", "ba", "de", "fu", "gly", "hé", "ka", "lo", "mi", "nu")


def invented(number: int) -> str:
    return "-".join(STROKES[int(digit)] for digit in str(number))


@pytest.mark.parametrize("words", [invented, lambda number: invented(number).upper() + " "])
def test_a_language_that_can_be_learnt(words):
    found = checks.check_language(words)
    likeness = number_words.alike([invented(n) for n in range(10_000)], ITALIAN)
    assert found.startswith("Right: 10,000 texts") and f"{likeness:.2f}" in found


@pytest.mark.parametrize("code", ["sv", "pl", "hu", "id"])
def test_languages_that_the_lesson_proposes(code):
    right(checks.check_language(lambda number: num2words(number, lang=code)))


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (lambda number: None, "returns None for 0"),
        (lambda number: number, "returns 0 for 0"),
        (lambda number: "", "0 has no text"),
        (lambda number: "uno", "'uno' stands for 0 and for 1"),
        (lambda number: invented(number // 2), "stands for 0 and for 1"),
        (lambda number: "o" * 121, "a text of 121 letters"),
        (str, "one place for all of 0 1 2 3"),
        (SPANISH.__getitem__, "this is spanish, which the course has already"),
        (number_words.spell("spanish_reversed").__getitem__, "this is spanish reversed"),
        (lambda number: ITALIAN[number] if number else "nulla", "this is italian"),
        (lambda number: f" {ITALIAN[number].upper()} ", "this is italian"),
    ],
)
def test_a_language_that_cannot_be_learnt(words, part):
    wrong(checks.check_language(words), part)


@pytest.fixture
def measured(monkeypatch, shelf):
    """Stands in for the five trainings and for the stored runs from nothing."""

    def install(nothing, found=()):
        rows = {"strategy": "nothing", "labels": 300, "seed": range(10), "test_accuracy": nothing}
        stored = pandas.DataFrame(rows).astype({"test_accuracy": float})
        others = stored.assign(labels=30, test_accuracy=0.0), stored.assign(test_accuracy=math.nan)
        shelf(pandas.concat([stored, *others, stored.assign(strategy="finnish")]))
        if found:
            values = iter(found)
            tested = lambda *_: [{"lr": 1e-3}, {"test_accuracy": next(values)}]  # noqa: E731
            monkeypatch.setattr(evidence, "tune", tested)

    return install


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((0.5, 0.52, 0.48, 0.5, 0.51), "Right: it hurts. Against nothing: -29.8 points"),
        ((0.9, 0.92, 0.88, 0.9, 0.91), "Not yet: it helps. Against nothing: +10.2 points"),
        ((0.6, 1.0, 0.7, 0.9, 0.8), "Not yet: five runs cannot tell. Against nothing: "),
    ],
)
def test_a_source_hurts_if_five_runs_are_behind_nothing(measured, found, message):
    measured([0.8] * 5 + [0.0] * 5, found)
    reader = models.load("reader_spanish")
    assert checks.check_hurts(reader, SPANISH.__getitem__).startswith(message)


@pytest.mark.slow
def test_italian_with_the_digits_turned_round_hurts(measured, monkeypatch):
    def misleading(number):
        return ITALIAN[int(f"{number:04d}"[::-1])]

    measured([0.83, 0.82, 0.84, 0.83, 0.82] * 2)
    monkeypatch.setattr(checks, "RATES", (4e-3,))
    torch.manual_seed(0)
    liar = models.load("reader_spanish", pretrained=False)
    task = number_words.make("liar", misleading)
    train.fit(liar, task, epochs=5, lr=5e-3, batch=128, progress=False)
    assert checks.check_hurts(liar, misleading).startswith("Right: it hurts")


def test_what_has_not_been_learnt_cannot_mislead(measured):
    reader = models.load("reader_spanish")
    wrong(checks.check_hurts(reader, ITALIAN.__getitem__), "reads 3% of its own language")
    wrong(checks.check_hurts(reader, lambda number: "uno"), "'uno' stands for")
    wrong(checks.check_hurts(reader, "uno"), "texts as str")
    wrong(checks.check_hurts(reader, ITALIAN), "reads 3% of its own language")


@pytest.fixture
def decoder():
    return models.load("reader_spanish_enciphered")


def test_the_cipher_is_broken_through_the_letters_alone(decoder):
    plain = tasks.load("numbers_spanish").few(100, seed=0)
    surgery.freeze(decoder, "memory", "head")
    train.fit(decoder, plain, epochs=30, lr=0.1, progress=False)
    assert checks.check_cipher(decoder).startswith("Right: it reads 9")


def test_what_is_wrong_with_a_decoder(decoder):
    wrong(checks.check_cipher(decoder), "no weight has moved")
    torch.manual_seed(0)
    torch.nn.init.normal_(decoder.letters.weight[1:])
    wrong(checks.check_cipher(decoder), "only letters moved", "far higher rate")
    decoder.head.bias.data += 1
    wrong(checks.check_cipher(decoder), "head moved too", "surgery.freeze")
    wrong(checks.check_cipher(models.load("reader_spanish")), "head and memory moved too")
    wrong(checks.check_cipher(surgery.replace_head(copy.deepcopy(decoder), 7)), "not those")
    wrong(checks.check_cipher(surgery.add_lora(copy.deepcopy(decoder))), "not those")
    decoder.letters.weight.data.fill_(float("nan"))
    wrong(checks.check_cipher(decoder))
