import copy
import json

import pandas
import pytest
import torch

from tl_course import evidence, models, practice, surgery, tasks, train
from tl_course.lessons.analogy import checks as analogy_checks
from tl_course.lessons.forgetting import checks as forgetting_checks
from tl_course.lessons.start_here import checks as start_here_checks
from tl_course.tasks import number_words

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


def test_predictions_are_kept_and_compared(tmp_path):
    path = tmp_path / "kept.json"
    assert practice.recall("a", path) is None
    assert "commit to a prediction" in practice.compare("a", "ahead", path)
    practice.commit("a", "behind", path)
    practice.commit("b", "ahead", path)
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == practice.recall("b", path) == "ahead"
    assert "that is what was measured" in practice.compare("a", "ahead", path)
    assert "What made the difference?" in practice.compare("a", "behind", path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '"text"'])
def test_damaged_predictions_count_as_none(tmp_path, content):
    path = tmp_path / "kept.json"
    path.write_text(content)
    assert practice.recall("a", path) is None
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == "ahead"


def prepared(toy, pretrained=True):
    model = surgery.replace_head(models.load("resnet10", pretrained=pretrained), len(toy.classes))
    return surgery.freeze(model, *BODY)


def test_right_answers(toy):
    assert start_here_checks.check_head_only(prepared(toy), toy).startswith("Right: 771 of ")
    plain = models.load("resnet10")
    for weight in plain.parameters():
        weight.requires_grad = False
    plain.head = torch.nn.Linear(256, 3)
    assert start_here_checks.check_head_only(plain, toy).startswith("Right")


def test_trained_head_is_still_right(toy):
    from tl_course import train

    model = prepared(toy)
    train.fit(model, toy, epochs=1, progress=False)
    assert start_here_checks.check_head_only(model, toy).startswith("Right")


def test_the_check_says_what_the_model_shows(toy):
    cases = {
        "not a network": None,
        "head has 200 outputs": models.load("resnet10"),
        "head is frozen too": surgery.freeze(prepared(toy), "head"),
        "layer3, layer4 would still be trained": surgery.unfreeze(
            prepared(toy), "layer3", "layer4"
        ),
        "differs from the pretrained": prepared(toy, pretrained=False),
    }
    moved = prepared(toy)
    moved.train()
    moved(moved.preprocess(toy.train.inputs[:32]))
    cases["BatchNorm statistics moved"] = moved
    for message, model in cases.items():
        found = start_here_checks.check_head_only(model, toy)
        assert found.startswith("Not yet") and message in found, (message, found)


def test_other_networks_get_a_line_not_a_trace(toy):
    assert start_here_checks.check_head_only(torch.nn.Linear(2, 2), toy).startswith("Not yet")
    other = surgery.replace_head(models.load("resnet18", pretrained=False), 3)
    assert "resnet10" in start_here_checks.check_head_only(surgery.freeze(other), toy)


def test_a_ranking_joins_what_nobody_could_tell_apart():
    measured = {"b": 0.1, "a": 0.5, "c": 0.08, "d": -0.3}
    assert practice.ranking(measured) == "a > b = c > d"
    assert practice.ranking(measured, margin=0.01) == "a > b > c > d"
    assert practice.ranking({"a": 0.2}) == "a"


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ("a > b > c > d", "5 of 5"),
        ("a > c > b > d", "5 of 5"),  # b and c are level: either order will do
        ("d > c > b > a", "0 of 5"),
        ("b > a > c > d", "4 of 5"),
        ("a > x > d", "1 of 1"),  # no longer offered
    ],
)
def test_a_ranking_is_compared_pair_by_pair(tmp_path, kept, found):
    path = tmp_path / "kept.json"
    assert "commit to a ranking" in practice.compare_ranking("k", "a > b = c > d", path)
    practice.commit("k", kept, path)
    line = practice.compare_ranking("k", "a > b = c > d", path)
    assert line.startswith(f"You ranked {kept}. Measured: a > b = c > d.")
    assert line.endswith(f"{found} pairs in this order.")


@pytest.mark.parametrize("kept", [5, ["a", "b"]])
def test_a_damaged_ranking_counts_as_none(tmp_path, kept):
    path = tmp_path / "kept.json"
    path.write_text(json.dumps({"k": kept}))
    assert "commit to a ranking" in practice.compare_ranking("k", "a > b", path)


SPANISH, ITALIAN = number_words.spell("spanish"), number_words.spell("italian")
STROKES = ("oi", "ba", "de", "fu", "gly", "hé", "ka", "lo", "mi", "nu")


def one_line(found: str, *parts: str) -> None:
    assert found.startswith("Not yet") and "\n" not in found.strip(), found
    for part in parts:
        assert part in found, (part, found)


def invented(number: int) -> str:
    return "-".join(STROKES[int(digit)] for digit in str(number))


@pytest.mark.parametrize("words", [invented, lambda number: invented(number).upper() + " "])
def test_a_language_that_can_be_learnt(words):
    found = analogy_checks.check_language(words)
    likeness = number_words.alike([invented(n) for n in range(10_000)], ITALIAN)
    assert found.startswith("Right: 10,000 texts") and f"{likeness:.2f}" in found


@pytest.mark.parametrize("code", ["sv", "pl", "hu", "id"])
def test_languages_that_the_lesson_proposes(code):
    from num2words import num2words

    found = analogy_checks.check_language(lambda number: num2words(number, lang=code))
    assert found.startswith("Right"), found


def broken(number):
    raise LookupError("no word for it")


def two_lines(number):
    raise ValueError("no word\nfor it")


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (None, "NoneType"),
        ("trentadue", "this is str, not a function"),
        (32, "this is int, not a function"),
        ([*map(invented, range(9))], "this is list, not a function"),
        (broken, "LookupError: no word for it"),
        (two_lines, "ValueError: no word"),
        (lambda: "uno", "TypeError"),
        (lambda number: None, "returns None for 0"),
        (lambda number: number, "returns 0 for 0"),
        (lambda number: "", "0 has no text"),
        (lambda number: "uno", "'uno' stands for 0 and for 1"),
        (lambda number: invented(number // 2), "stands for 0 and for 1"),
        (lambda number: "o" * 121, "a text of 121 letters"),
        (str, "one place for all of 0 1 2 3"),
        (SPANISH.__getitem__, "this is spanish, which the course has already"),
        (
            lambda number: number_words.spell("spanish_reversed")[number],
            "this is spanish reversed, which the course has already",
        ),
        (lambda number: ITALIAN[number] if number else "nulla", "this is italian"),
        (lambda number: ITALIAN[number].upper(), "this is italian"),
        (lambda number: f" {ITALIAN[number]} ", "this is italian"),
    ],
)
def test_a_language_that_cannot_be_learnt(words, part):
    one_line(analogy_checks.check_language(words), part)


@pytest.fixture
def measured(monkeypatch):
    """Stands in for the five trainings and for the stored runs from nothing."""

    def install(found, nothing, **options):
        values = iter(found)
        rows = {"strategy": "nothing", "labels": 300, "seed": range(10)}
        stored = pandas.DataFrame(rows | {"test_accuracy": nothing}).astype(
            {"test_accuracy": float}
        )
        others = stored.assign(labels=30, test_accuracy=0.0), stored.assign(test_accuracy=None)
        frame = pandas.concat([stored, *others, stored.assign(strategy="finnish")])
        monkeypatch.setattr(evidence, "load", {"sweep_analogy": frame}.__getitem__)
        if found:
            tested = lambda: {"test_accuracy": next(values)}  # noqa: E731
            monkeypatch.setattr(evidence, "tune", lambda *_: [{"lr": 1e-3}, tested()])

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
    measured(found, [0.8] * 5 + [0.0] * 5)
    reader = models.load("reader_spanish")
    assert analogy_checks.check_hurts(reader, SPANISH.__getitem__).startswith(message)


def misleading(number):
    return ITALIAN[int(f"{number:04d}"[::-1])]


def test_italian_with_the_digits_turned_round_hurts(measured, monkeypatch):
    measured((), [0.83, 0.82, 0.84, 0.83, 0.82] * 2)
    monkeypatch.setattr(analogy_checks, "RATES", (4e-3,))
    torch.manual_seed(0)
    liar = models.load("reader_spanish", pretrained=False)
    task = number_words.make("liar", misleading)
    train.fit(liar, task, epochs=5, lr=5e-3, batch=128, progress=False)
    found = analogy_checks.check_hurts(liar, misleading)
    assert found.startswith("Right: it hurts"), found


def test_what_has_not_been_learnt_cannot_mislead(measured):
    measured((0.5,) * 5, 0.8)
    reader = models.load("reader_spanish")
    one_line(
        analogy_checks.check_hurts(reader, ITALIAN.__getitem__), "reads 3% of its own language"
    )


@pytest.mark.parametrize("words", [None, "uno", broken, lambda number: "uno", lambda number: 5])
def test_a_source_without_words_gets_a_line(measured, words):
    measured((0.5,) * 5, 0.8)
    one_line(analogy_checks.check_hurts(models.load("reader_spanish"), words))


@pytest.fixture
def decoder():
    return models.load("reader_spanish_enciphered")


def test_the_cipher_is_broken_through_the_letters_alone(decoder):
    plain = tasks.load("numbers_spanish").few(100, seed=0)
    surgery.freeze(decoder, "memory", "head")
    train.fit(decoder, plain, epochs=30, lr=0.1, progress=False)
    assert analogy_checks.check_cipher(decoder).startswith("Right: it reads 9")


def test_what_is_wrong_with_a_decoder(decoder):
    one_line(analogy_checks.check_cipher(decoder), "no weight has moved")
    torch.manual_seed(0)
    torch.nn.init.normal_(decoder.letters.weight[1:])
    one_line(analogy_checks.check_cipher(decoder), "only letters moved", "far higher rate")
    decoder.head.bias.data += 1
    one_line(analogy_checks.check_cipher(decoder), "head moved too", "surgery.freeze")
    one_line(
        analogy_checks.check_cipher(models.load("reader_spanish")), "head and memory moved too"
    )


def test_a_decoder_built_otherwise_gets_a_line(decoder):
    one_line(
        analogy_checks.check_cipher(surgery.replace_head(copy.deepcopy(decoder), 7)), "not those"
    )
    one_line(analogy_checks.check_cipher(surgery.add_lora(decoder)))


def test_both_asks_in_both_languages():
    spanish, italian = forgetting_checks.both(models.load("reader_spanish"))
    assert spanish > 0.99 and italian < 0.1


def test_rehearsal_keeps_both_languages():
    reader = models.load("reader_spanish")
    mixed = tasks.load("numbers_italian").few(100, seed=0)
    mixed = mixed.mixed(tasks.load("numbers_spanish").few(50, seed=0).train)
    train.fit(reader, mixed, epochs=30, lr=3e-3, progress=False)
    found = forgetting_checks.check_both(reader)
    assert found.startswith("Right: Spanish 9"), found


@pytest.mark.parametrize(
    ("shares", "message"),
    [
        ((0.95, 0.85), "Right: Spanish 95.0%, Italian 85.0%."),
        ((0.99, 0.84), "too little learnt"),
        ((0.94, 0.99), "It forgets"),
        ((0.94, 0.84), "Both are low"),
    ],
)
def test_each_way_to_fail_at_two_languages(monkeypatch, shares, message):
    monkeypatch.setattr(forgetting_checks, "both", lambda model: shares)
    found = forgetting_checks.check_both(models.load("reader_spanish"))
    assert found.startswith("Right" if message.startswith("Right") else "Not yet")
    assert message in found


def test_an_untouched_reader_has_learnt_too_little():
    one_line(
        forgetting_checks.check_both(models.load("reader_spanish")),
        "Spanish 99",
        "too little learnt",
    )


@pytest.fixture
def lora():
    torch.manual_seed(0)
    model = surgery.add_lora(models.load("reader_spanish"))
    torch.nn.init.normal_(model.memory.there.parametrizations.weight_ih_l0[0].b, std=0.1)
    return model


def test_merging_adds_the_change_to_the_old_weight(lora):
    kept = lora.memory.there.parametrizations.weight_ih_l0
    old, change = kept.original, kept[0].b @ kept[0].a
    expected = f"Right: {4 * (256 + 48):,} trained numbers changed {256 * 48:,}."
    assert forgetting_checks.check_merged(lora, old + change) == expected
    assert forgetting_checks.check_merged(lora, (old + change).detach().clone()) == expected
    cases = {
        "the old weight alone": old,
        "the change alone": change,
        "neither old weight, nor change, nor their sum": old + 2 * change,
        "its shape is (4, 48), not (256, 48)": kept[0].a,
        "its shape is (48, 256)": (old + change).T,
        "this is NoneType, not a tensor": None,
        "this is ndarray, not a tensor": (old + change).detach().numpy(),
    }
    for message, weight in cases.items():
        one_line(forgetting_checks.check_merged(lora, weight), message)


@pytest.mark.parametrize("kind", [torch.float64, torch.int64, torch.bfloat16])
def test_merging_into_another_kind_of_number_gets_a_line(lora, kind):
    kept = lora.memory.there.parametrizations.weight_ih_l0
    found = forgetting_checks.check_merged(lora, (kept.original + kept[0].b @ kept[0].a).to(kind))
    assert found.startswith(("Right", "Not yet"))


def test_merging_needs_a_low_rank_change(lora):
    plain = models.load("reader_spanish")
    weight = plain.memory.there.weight_ih_l0
    one_line(forgetting_checks.check_merged(plain, weight), "no low-rank change")
    one_line(forgetting_checks.check_merged(surgery.merge_lora(lora), weight), "no low-rank change")


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
    found = forgetting_checks.check_between(mix(*ends, 0.55), *ends)
    assert found.startswith("Right, 55% of the way: Spanish 9"), found


def test_what_is_wrong_between_two_readers(ends):
    old, new = ends
    one_line(
        forgetting_checks.check_between(old, old, new), "0% of the way", "Too far from Italian"
    )
    one_line(
        forgetting_checks.check_between(new, old, new), "100% of the way", "Too far from Spanish"
    )
    beside = mix(old, new, 0.55)
    beside.letters.load_state_dict(new.letters.state_dict())
    one_line(
        forgetting_checks.check_between(beside, old, new),
        "not on the line",
        "Mix all of them alike",
    )


def test_ends_that_are_the_same_have_nothing_between(ends):
    old, _ = ends
    found = forgetting_checks.check_between(old, old, copy.deepcopy(old))
    one_line(found)
    assert "nan" not in found


def test_readers_built_otherwise_get_a_line(ends):
    old, new = ends
    one_line(forgetting_checks.check_between(surgery.add_lora(copy.deepcopy(old)), old, new))
    one_line(forgetting_checks.check_between(old, None, new))
    one_line(forgetting_checks.check_between(old, old, models.load("resnet10")))


def test_a_reader_that_answers_with_no_numbers_gets_a_line(decoder, ends):
    broken_reader = copy.deepcopy(ends[0])
    broken_reader.letters.weight.data.fill_(float("nan"))
    decoder.letters.weight.data.fill_(float("nan"))
    one_line(forgetting_checks.check_both(broken_reader))
    one_line(analogy_checks.check_cipher(decoder))
    one_line(forgetting_checks.check_between(broken_reader, *ends))


def test_a_reader_with_another_head_gets_a_line():
    reader = surgery.replace_head(models.load("reader_spanish"), 7)
    one_line(forgetting_checks.check_both(reader))


CHECKS = {
    "hurts": lambda model: analogy_checks.check_hurts(model, invented),
    "cipher": analogy_checks.check_cipher,
    "both": forgetting_checks.check_both,
    "merged": lambda model: forgetting_checks.check_merged(model, torch.zeros(256, 48)),
    "between": lambda model: forgetting_checks.check_between(model, model, model),
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", ["NoneType", "str", "list", "function", "Tensor", "ResNet10"])
def test_what_is_no_reader_gets_a_line(check, name):
    wrong = {"NoneType": None, "str": "reader_spanish", "list": [], "function": broken}
    wrong |= {"Tensor": torch.zeros(3), "ResNet10": models.load("resnet10")}
    one_line(CHECKS[check](wrong[name]), name)
