import unicodedata

import numpy as np
import pytest
import torch

from tl_course import models, store, tasks, train
from tl_course.models.reader import UNKNOWN, Letters
from tl_course.tasks import number_words
from tl_course.tasks.number_words import codes, digits, distance, lookup, make, similarity, spell

PLACES = torch.tensor([1000, 100, 10, 1])


def bare(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))


def numbers(split: tasks.Split) -> list[int]:
    return (split.labels * PLACES).sum(1).tolist()


@pytest.mark.parametrize("language", number_words.NAMES)
def test_every_number_has_a_text_that_a_reader_can_tell_apart(language):
    points = codes(spell(language))
    assert len({row.tobytes() for row in points.numpy()}) == len(points) == 10_000
    assert points.shape[1] <= number_words.LONGEST
    letters = Letters()(points)
    assert (letters != UNKNOWN).all()
    assert len({row.tobytes() for row in letters.numpy()}) == 10_000


@pytest.mark.parametrize(
    ("language", "number", "text"),
    [
        ("italian", 32, "trentadue"),
        ("italian", 1234, "milleduecentotrentaquattro"),
        ("spanish", 0, "cero"),
        ("spanish", 1016, "mil dieciséis"),
        ("portuguese", 22, "vinte e dois"),
        ("catalan", 22, "vint-i-dos"),
        ("french", 97, "quatre-vingt-dix-sept"),
        ("romanian", 22, "douăzeci și doi"),
        ("english", 2005, "two thousand and five"),
        ("german", 735, "siebenhundertfünfunddreißig"),
        ("dutch", 22, "tweeëntwintig"),
        ("finnish", 22, "kaksikymmentäkaksi"),
        ("turkish", 22, "yirmiiki"),
        ("spanish_reversed", 1234, "cuatro y treinta doscientos mil"),
        ("spanish_enciphered", 2, "ozd"),
        ("spanish_invented", 1234, "porf lephodros fauginta y bulmo"),
        ("spanish_false_friends", 1030, "cuatro mil cincuenta"),
    ],
)
def test_numbers_that_anyone_can_check(language, number, text):
    assert spell(language)[number] == text


@pytest.mark.parametrize("ask", [spell, lambda language: lookup("due", language)])
def test_unknown_language(ask):
    with pytest.raises(store.UnknownName, match="did you mean 'spanish'"):
        ask("spannish")


def test_reversed_spanish_has_the_same_words():
    for ours, spanish in zip(spell("spanish_reversed"), spell("spanish"), strict=True):
        assert ours.split() == spanish.split()[::-1]


def test_enciphered_spanish_keeps_length_and_no_letter():
    pairs = set()
    for ours, spanish in zip(spell("spanish_enciphered"), spell("spanish"), strict=True):
        pairs |= set(zip(ours, bare(spanish), strict=True))
    assert (" ", " ") in pairs
    pairs.remove((" ", " "))
    assert all(ours != spanish for ours, spanish in pairs)
    assert len(pairs) == len({ours for ours, _ in pairs}) == len({spanish for _, spanish in pairs})


def test_invented_spanish_keeps_no_stem_but_the_grammar():
    words = {word for text in spell("spanish_invented") for word in text.split()}
    for stem in ("cero", "cuatro", "siete", "mil", *number_words.ROOTS):
        assert not [word for word in words if stem in word], stem
    assert words & {word for text in spell("spanish") for word in text.split()} == {"y"}
    for ours, spanish in zip(spell("spanish_invented"), spell("spanish"), strict=True):
        assert len(ours.split()) == len(spanish.split())
        assert ours.endswith("enta") == spanish.endswith("enta")


def test_false_friends_are_spanish_for_another_number():
    said = {text: number for number, text in enumerate(spell("spanish"))}
    mine = digits(range(10_000))
    others = digits([said[text] for text in spell("spanish_false_friends")])
    assert ((mine == 0) == (others == 0)).all()
    assert (mine != others)[mine != 0].all()
    meanings = set(zip(mine.flatten().tolist(), others.flatten().tolist(), strict=True))
    assert len(meanings) == len({other for _, other in meanings}) == 10


def test_the_same_numbers_are_kept_for_the_test_in_every_language():
    expected = None
    for name in ("numbers_italian", "numbers_finnish", "numbers_spanish_false_friends"):
        task = tasks.load(name)
        found = [numbers(split) for split in (task.train, task.val, task.test)]
        assert [len(part) for part in found] == [7000, 1000, 2000]
        assert sorted(sum(found, [])) == [*range(10_000)]  # none twice, so no overlap
        expected = expected or found
        assert found == expected
        texts = codes([spell(name.removeprefix("numbers_"))[number] for number in found[2]])
        assert torch.equal(task.test.inputs[:, : texts.shape[1]], texts)


def test_digits():
    found = digits([0, 42, 9999, 1200])
    assert found.tolist() == [[0, 0, 0, 0], [0, 0, 4, 2], [9, 9, 9, 9], [1, 2, 0, 0]]
    assert found.dtype == torch.int64


def test_codes_are_padded_code_points_of_folded_text():
    found = codes(["Zwölf", " elf ", ""])
    assert found.dtype == torch.int32
    assert found.tolist() == [[122, 119, 246, 108, 102], [101, 108, 102, 0, 0], [0] * 5]
    decomposed = unicodedata.normalize("NFD", "zwölf")
    assert len(decomposed) == 6 and torch.equal(codes([decomposed]), found[:1])
    assert codes(["elf"], 7).shape == (1, 7)
    assert codes(["x" * 120]).shape == (1, 120)
    assert codes(["🙂"]).tolist() == [[0x1F642]]
    assert codes([]).shape == (0, 1) and codes([""]).shape == (1, 1)
    expected = codes(["due", "tre"])
    for texts in (
        (text for text in ("due", "tre")),
        {"due": 2, "tre": 3},
        np.array(["due", "tre"]),
    ):
        assert torch.equal(codes(texts), expected)


@pytest.mark.parametrize(
    ("texts", "length", "message"),
    [
        *((texts, None, "a list of texts") for texts in ("trentadue", [32], b"due", ["due", None])),
        *((texts, None, "a list of texts") for texts in (None, 32, iter((1, 2)))),
        (["x" * 121], None, "a text of 121 letters.*at most 120"),
        (["tre", "quattro"], 6, "a text of 7 letters.*at most 6"),
    ],
)
def test_codes_refuse(texts, length, message):
    with pytest.raises(store.BadInput, match=message):
        codes(texts, length)


def test_a_language_of_ones_own():
    task = make("strokes", lambda number: f"{number:b}")
    again = make("strokes", [f"{number:b}" for number in range(10_000)])
    assert torch.equal(task.train.inputs, again.train.inputs)
    assert task.classes == (*"0123456789",) and task.title == "Numbers in Strokes"
    assert numbers(task.test) == numbers(tasks.load("numbers_italian").test)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["uno", "due"], "with 2 texts.*all of them in order"),
        (lambda number: str(number % 5000), "stands for 0 and for 5000"),
        *(
            (lambda number, pair=pair: pair.get(number, str(number)), "stands for 5 and for 9")
            for pair in ({5: "A", 9: "a"}, {5: "a", 9: " a\t"}, {5: "é", 9: "e\u0301"})
        ),
        (lambda number: " " if number == 77 else str(number), "77 has no text"),
        (lambda number: str(number) * 31, "a text of 124 letters"),
        (lambda number: number, "a list of texts"),
        (lambda number: None, "a list of texts"),
    ],
)
def test_make_refuses(words, message):
    with pytest.raises(store.BadInput, match=message):
        make("mine", words)


def test_distance_counts_letters_to_change():
    assert distance("kitten", "sitting") == 3 / 7
    assert distance("due", "due") == distance("", "") == 0
    assert distance("", "due") == distance("abc", "xyz") == 1
    assert distance("cuatro", "quattro") == distance("quattro", "cuatro")


def test_similarity_orders_languages_as_their_history_does():
    near, far = similarity("italian", "spanish"), similarity("italian", "finnish")
    assert 0 < far < near < 1
    assert similarity("italian", "italian") == 1
    assert similarity("spanish", "spanish_enciphered") < similarity("spanish", "portuguese")


def test_no_text_at_all_still_gets_an_answer():
    reader = models.load("reader_spanish")
    found = train.predict(reader, codes([""]))
    assert found.shape == (1, 4, 10) and found.isfinite().all()
    assert train.predict(reader, codes(["", "dos"])).isfinite().all()
    assert train.predict(reader, codes([])).shape == (0, 4, 10)


@pytest.mark.parametrize("language", number_words.NAMES)
def test_every_number_is_found_by_its_words(language):
    words = spell(language)
    for number in [*range(101), *range(101, 10_000, 97), *range(1000, 10_000, 999)]:
        assert lookup(words[number], language) == number
        assert lookup(f"  {words[number].capitalize()} ", language) == number


@pytest.mark.parametrize(
    ("text", "language", "number"),
    [
        ("ventitré", "italian", 23),
        ("ventitre", "italian", 23),
        ("ventitre\u0301", "italian", 23),
        ("Mille Due Cento", "italian", 1200),
        ("novemilanovecentonovantanove", "italian", 9999),
        ("gatto", "italian", None),
        ("milla", "italian", None),
        ("<b>due</b>", "italian", None),
        ("dieciseis", "spanish", 16),
        ("quatre vingt dix sept", "french", 97),
        ("Tweeentwintig", "dutch", 22),
        ("dreißig", "german", 30),
        ("yirmi iki", "turkish", 22),
        ("due", "spanish", None),
    ],
)
def test_case_accents_and_spaces_do_not_matter_to_a_lookup(text, language, number):
    assert lookup(text, language) == number


@pytest.mark.parametrize(
    ("cause", "texts"),
    [
        ("there is nothing to read", ("", " \t ")),
        ("the longest number here has 39", ("x" * 121, " " + "9" * 5000)),
        ("the readers take words", ("472", "4 72", "+0", "9999")),
        (
            "the readers know the numbers from 0 to 9,999",
            ("10000", "9" * 100, "-5", "diecimila", "Dieci Mila", "novantanovemilauno")
            + ("centomila", "un milione", "due milioni"),
        ),
        ("no reader has seen such letters", ("тридцать", "due三", "ثلاثة")),
        ("there is no letter in it", ("٤٧٢", "４７２", "🙂!?", "-", "'")),
    ],
)
def test_lookup_refuses_what_no_reader_can_take(cause, texts):
    for text in texts:
        with pytest.raises(store.BadInput, match=cause):
            lookup(text, "italian")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "An empty line: there is nothing to read. Type 'trentadue'."),
        ("+4 72", "+4 72: the readers take words. Type 'quattrocentosettantadue'."),
        ("x" * 121, "A text of 121 letters: the longest number here has 39. Type 'trentadue'."),
    ],
)
def test_what_lookup_says(text, message):
    with pytest.raises(store.BadInput) as caught:
        lookup(text, "italian")
    assert str(caught.value) == message
