import pytest
import torch

from tl_course import models, store, surgery, tasks, train
from tl_course.models.reader import ALPHABET, UNKNOWN, Letters
from tl_course.tasks.number_words import codes

TEXTS = ["dos", "mil doscientos treinta y cuatro", "cero", "nueve mil"]


@pytest.fixture
def reader():
    return models.load("reader_spanish")


@pytest.fixture(scope="module")
def few():
    """30 Italian numbers to learn from; the test is all 2,000."""
    return tasks.load("numbers_italian").few(30, seed=0)


def logits(model, points):
    with torch.no_grad():
        return model(model.preprocess(points))


def test_letters_are_places_in_the_alphabet():
    letters = Letters()
    found = letters(codes(["dós", "ü"]))
    assert found[0].tolist() == [ALPHABET.index(c) + 2 for c in "dós"]
    assert found[1].tolist() == [ALPHABET.index("ü") + 2, 0, 0]
    assert len(letters(codes([ALPHABET.strip()])).unique()) == len(ALPHABET) - 1


def test_unknown_letters_are_one_and_the_same():
    strange = codes(["日", "9", "ж", "🙂", "\U0010ffff"])
    assert set(Letters()(strange).flatten().tolist()) == {UNKNOWN}
    assert (Letters()(torch.tensor([[2**40, ord("a")]]))[0] == torch.tensor([UNKNOWN, 6])).all()


def test_what_is_empty_behind_a_text_changes_nothing(reader):
    plain, longer = logits(reader, codes(TEXTS)), logits(reader, codes(TEXTS, 100))
    torch.testing.assert_close(plain, longer, atol=1e-4, rtol=1e-4)
    parts = models.stages(reader)
    with torch.no_grad():
        memory = parts["memory"](parts["letters"](reader.preprocess(codes(TEXTS))))
    written = codes(TEXTS) != 0
    assert (memory[~written] == 0).all() and (memory[written] != 0).any(-1).all()


def test_a_text_is_read_the_same_alone_and_in_company(reader):
    together = logits(reader, codes(TEXTS))
    for text, expected in zip(TEXTS, together, strict=True):
        torch.testing.assert_close(logits(reader, codes([text]))[0], expected, atol=1e-4, rtol=1e-4)
    assert together.argmax(-1).tolist() == [[0, 0, 0, 2], [1, 2, 3, 4], [0, 0, 0, 0], [9, 0, 0, 0]]


def test_no_text_and_no_known_letter_still_give_an_answer(reader):
    found = logits(reader, codes(["", "日本", "dos"]))
    assert found.isfinite().all()
    torch.testing.assert_close(found[2], logits(reader, codes(["dos"]))[0], atol=1e-4, rtol=1e-4)
    assert logits(reader, codes([""], 5)).isfinite().all()


@pytest.mark.parametrize("source", models.SOURCES)
def test_a_reader_is_small_and_reads_its_own_language(source):
    assert store.embedded(f"reader_{source}").stat().st_size <= 600_000
    model = models.load(f"reader_{source}")
    assert model.classes == (*"0123456789",) and not model.training
    test = tasks.load(f"numbers_{source}").test
    assert train.evaluate(model, test).accuracy >= 0.99


def test_spanish_does_not_help_to_read_finnish(reader):
    scores = train.evaluate(reader, tasks.load("numbers_finnish").test)
    assert scores.accuracy < 0.01
    assert (scores.answers == scores.labels).double().mean() < 0.25


def test_thirty_italian_numbers_are_enough_for_who_reads_spanish(few):
    found = []
    for pretrained in (True, False):
        torch.manual_seed(0)
        model = models.load("reader_spanish", pretrained=pretrained)
        history = train.fit(model, few, epochs=30, lr=4e-3, progress=False)
        assert len(history.val_accuracy) == 30 and history.dtype == "float32"
        found.append(train.evaluate(model, few.test).accuracy)
    assert found[0] - found[1] >= 0.2


@pytest.mark.parametrize("names", [("letters",), ("letters", "memory")])
def test_what_is_frozen_runs_once_and_gives_the_same(few, names):
    runs, scores = [], []
    for cache in (True, False):
        model = surgery.freeze(models.load("reader_spanish"), *names)
        options = {"epochs": 5, "lr": 4e-3, "cache": cache, "progress": False}
        runs.append(train.fit(model, few, **options))
        scores.append(train.evaluate(model, few.test).accuracy)
    assert runs[0].cached == names and runs[1].cached == ()
    for column, slack in (("train_accuracy", 0.1), ("val_accuracy", 0.1), ("train_loss", 1e-2)):
        assert getattr(runs[0], column) == pytest.approx(getattr(runs[1], column), abs=slack)
    assert scores[0] == pytest.approx(scores[1], abs=0.01)
