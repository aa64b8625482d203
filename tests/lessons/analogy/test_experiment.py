"""Lesson 01's experiment: two networks learn Italian, and read what is typed."""

import re
import warnings

import pytest
import torch
from played import play, press

from tl_course import models, plots, store, tasks, train
from tl_course.lessons.analogy import experiment
from tl_course.tasks import number_words


@pytest.fixture(scope="module")
def taught():
    """A reader of Spanish and one of nothing that have seen 300 Italian numbers."""
    return experiment.teach_italian("spanish", 300)


@pytest.mark.parametrize("text", ["mil dos", "MIL DOS", "mil dós", "mil do\u0301s"])
def test_what_is_said_after_each_letter_is_what_the_part_gives(text):
    reader = models.load("reader_spanish")
    found = experiment.letter_by_letter(reader, text)
    assert found.shape == (7, 4, 10)
    torch.testing.assert_close(found.sum(-1), torch.ones(7, 4))
    for end in (1, 3, 7):
        alone = train.predict(reader, number_words.codes([number_words.folded(text)[:end]]))[0]
        torch.testing.assert_close(found[end - 1], alone, rtol=1e-3, atol=1e-4)
    assert not torch.equal(found[3], found[2])  # the space after "mil" is read
    assert text != "mil dos" or found[-1].argmax(-1).tolist() == [1, 0, 0, 2]


def test_a_number_nobody_trained_on_is_read_by_both(taught):
    learnt = taught.places["learnt"].value
    spanish, nothing = map(int, re.findall(r"<b>(\d+)%</b>", learnt))
    assert "neither has seen" in learnt and spanish > nothing + 20
    italian = tasks.load("numbers_italian")
    seen = {row.tobytes() for row in italian.few(300, seed=0).train.inputs.numpy()}
    assert not seen & {row.tobytes() for row in italian.test.inputs[:12].numpy()}
    words, right, pictures = number_words.spell("italian"), 0, set()
    for digits in italian.test.labels[:12].tolist():
        number = int("".join(map(str, digits)))
        found = play(taught, line=words[number])
        assert found.startswith(f"“{words[number]}” is {number:,}, which neither has seen: ")
        spanish, nothing = found.split("; from scratch ")
        right += f"pretrained: Spanish <b>{number}</b> ✓" in spanish
        assert "<b>" in nothing and "sure" in nothing and ("✓" in nothing or "✗" in nothing)
        pictures.add(bytes(taught.places["grid"].value))
    assert right >= 8 and len(pictures) == 12
    number = int("".join(map(str, italian.few(300, seed=0).train.labels[0].tolist())))
    assert "and it was among the examples" in play(taught, line=words[number])


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "An empty line: there is nothing to read."),
        ("472", "the readers take words. Type &#x27;quattrocentosettantadue&#x27;."),
        ("<ж>", "&lt;ж&gt;"),
    ],
)
def test_what_no_reader_can_take_is_refused_and_the_picture_stays(taught, text, answer):
    assert "is 32" in play(taught, line=" TRENTA due ")
    before = taught.places["grid"].value
    found = play(taught, line=text)
    assert answer in found and "is 32" not in found
    assert taught.places["grid"].value == before
    assert "is 32" in play(taught, line="trentadue")


@pytest.mark.parametrize(
    "text",
    [
        *("gatto", "<b>x</b>", "<script>alert(1)</script>", "&eacute;", "a < b"),
        *("$gatto$", "gatto 🙂", "gatto\\frac", "x" * 60, "%s {}"),
    ],
)
def test_what_is_no_number_is_read_all_the_same_and_is_no_html(taught, text):
    play(taught, line="trentadue")
    before = taught.places["grid"].value
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font lacks the sign
        found = play(taught, line=text)
    start, answers = found.split("” is no number in Italian")
    assert "pretrained: Spanish <b>" in answers and "from scratch <b>" in answers
    assert "✓" not in found and taught.places["grid"].value != before
    for part in ("<b>x", "<script", "&eacute;", "a < b"):
        assert part not in found
    assert ("&lt;" in start) == ("<" in text)


def test_a_drawing_that_stops_is_told_and_what_was_learned_stays(taught, monkeypatch):
    play(taught, line="trentadue")
    with monkeypatch.context() as broken:
        broken.setattr(plots, "png", lambda *_: 1 / 0)
        assert play(taught, line="uno").startswith("It stopped with ZeroDivisionError")
    assert "neither has seen" in taught.places["learnt"].value and taught.places["curve"].value
    assert not taught.places["grid"].value and "is 32" in play(taught, line="trentadue")


def test_another_source_and_count_are_taught_at_the_button():
    taught = experiment.teach_italian(labels=10)
    assert taught.controls["source"].value == "spanish"
    assert "</b> (pretrained: Spanish)" in taught.places["learnt"].value
    before = {name: place.value for name, place in taught.places.items()}
    play(taught, source="spanish_false_friends", examples=30)
    assert before == {name: place.value for name, place in taught.places.items()}
    play(taught, line="")
    press(taught, "teach")
    after = {name: place.value for name, place in taught.places.items()}
    assert "</b> (pretrained: Spanish, false friends)" in after["learnt"]
    assert after["learnt"].count("%</b>") == 2 and after["curve"] != before["curve"]
    assert after["grid"] != before["grid"], "text that is refused keeps no old picture"
    assert "pretrained: Spanish, false friends <b>" in play(taught, line="trentadue")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "italian"}, "there is no source of this name"),
        ({"source": "Spanish"}, "did you mean 'spanish'"),
        ({"source": None}, "there is no source of this name"),
        *(({"labels": labels}, "Choose from") for labels in (31, "30", None)),
    ],
)
def test_teach_italian_refuses(options, message):
    with pytest.raises(store.CourseError, match=message):
        experiment.teach_italian(**options)
