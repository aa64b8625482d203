import importlib
import warnings

import ipywidgets
import pytest
import torch

from tl_course import evidence, models, practice, store, tasks, train
from tl_course.lessons.analogy import experiment as analogy_experiment
from tl_course.lessons.forgetting import experiment as forgetting_experiment
from tl_course.lessons.start_here import experiment as start_here_experiment
from tl_course.tasks import number_words


def find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += find(child, kind)
    return found


@pytest.fixture
def opinions(toy):
    torch.manual_seed(0)
    networks = {
        name: models.load("resnet10", pretrained=False, classes=toy.classes)
        for name in ("fine-tuning", "from scratch")
    }
    return start_here_experiment.two_opinions(toy, networks)


def test_moving_the_slider_changes_picture_and_sentence(opinions):
    (slider,), (number,) = (
        find(opinions, ipywidgets.IntSlider),
        find(opinions, ipywidgets.BoundedIntText),
    )
    (picture,), (sentence,) = find(opinions, ipywidgets.Image), find(opinions, ipywidgets.HTML)
    before = picture.value
    slider.value = 7
    assert picture.value != before and number.value == 7
    assert sentence.value.startswith("Picture 7 shows <b>down</b>: fine-tuning says")
    number.value = 8
    assert slider.value == 8 and sentence.value.startswith("Picture 8 shows <b>none</b>")


def test_only_disagreements(opinions):
    (only,) = find(opinions, ipywidgets.Dropdown)
    if only.disabled:
        pytest.skip("these two random networks agree on every picture")
    only.value = "where they disagree"
    (sentence,) = find(opinions, ipywidgets.HTML)
    answers = [part.split("</b>")[0] for part in sentence.value.split("says <b>")[1:]]
    assert len(set(answers)) == 2


def test_networks_that_agree_leave_nothing_to_choose(toy):
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=False, classes=toy.classes)
    found = start_here_experiment.two_opinions(toy, {"fine-tuning": model, "from scratch": model})
    assert find(found, ipywidgets.Dropdown)[0].disabled


def test_a_picture_stands_in_without_a_kernel(opinions):
    data, metadata = opinions._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_answers_come_at_once(opinions):
    import time

    (slider,) = find(opinions, ipywidgets.IntSlider)
    began = time.perf_counter()
    for index in range(1, 6):
        slider.value = index
    assert (time.perf_counter() - began) / 5 < 2


def test_a_prediction_is_committed_and_remembered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box = practice.predict("k", "How far?", ["near", "far"])
    (options,), (button,) = find(box, ipywidgets.RadioButtons), find(box, ipywidgets.Button)
    assert options.value is None
    button.click()
    assert practice.recall("k") is None
    assert "Choose" in find(box, ipywidgets.HTML)[1].value
    options.value = "far"
    button.click()
    assert practice.recall("k") == "far"
    assert "far" in find(box, ipywidgets.HTML)[1].value
    assert (
        find(practice.predict("k", "How far?", ["near", "far"]), ipywidgets.RadioButtons)[0].value
        == "far"
    )


def test_a_prediction_no_longer_offered_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    practice.commit("k", "an old choice")
    box = practice.predict("k", "How far?", ["near", "far"])
    assert find(box, ipywidgets.RadioButtons)[0].value is None


def test_a_prediction_that_cannot_be_kept_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(practice, "commit", full)
    box = practice.predict("k", "How far?", ["near"])
    find(box, ipywidgets.RadioButtons)[0].value = "near"
    find(box, ipywidgets.Button)[0].click()
    assert "No space left" in find(box, ipywidgets.HTML)[1].value


def pictures_are_png(widget) -> bool:
    images = find(widget, ipywidgets.Image)
    png = b"\x89PNG\r\n\x1a\n"
    return all(image.format == "png" and bytes(image.value).startswith(png) for image in images)


def test_a_ranking_is_committed_and_remembered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = ("Spanish", "French", "nothing")
    box = practice.predict_ranking("k", "Who reads best?", names)
    places, (button,) = find(box, ipywidgets.Dropdown), find(box, ipywidgets.Button)
    said = find(box, ipywidgets.HTML)[1]
    assert [place.value for place in places] == [None] * 3
    button.click()
    assert said.value == "Not placed yet: Spanish, French, nothing."
    for place, name in zip(places, ("French", "French", "nothing"), strict=True):
        place.value = name
    button.click()
    assert said.value == "Not placed yet: Spanish." and practice.recall("k") is None
    places[1].value = "Spanish"
    button.click()
    assert practice.recall("k") == "French > Spanish > nothing" and "Kept" in said.value
    again = find(practice.predict_ranking("k", "Who reads best?", names), ipywidgets.Dropdown)
    assert [place.value for place in again] == ["French", "Spanish", "nothing"]
    others = find(
        practice.predict_ranking("k", "Who reads best?", (*names, "Finnish")), ipywidgets.Dropdown
    )
    assert [place.value for place in others] == [None] * 4


def test_names_in_a_ranking_are_no_html(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    box = practice.predict_ranking("k", "Which?", ("<b>x</b>",))
    (place,), (button,) = find(box, ipywidgets.Dropdown), find(box, ipywidgets.Button)
    button.click()
    assert "&lt;b&gt;x" in find(box, ipywidgets.HTML)[1].value
    place.value = "<b>x</b>"
    button.click()
    assert "&lt;b&gt;x" in find(box, ipywidgets.HTML)[1].value


@pytest.mark.parametrize("kept", ["5", '["a"]', '"near"'])
def test_a_damaged_ranking_is_asked_for_again(tmp_path, monkeypatch, kept):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_predictions.json").write_text(f'{{"k": {kept}}}')
    places = find(practice.predict_ranking("k", "Which?", ("a", "b")), ipywidgets.Dropdown)
    assert [place.value for place in places] == [None, None]


def test_what_is_said_after_each_letter_is_what_the_part_gives():
    reader = models.load("reader_spanish")
    text = "mil dos"
    found = analogy_experiment.letter_by_letter(reader, text)
    assert found.shape == (7, 4, 10)
    torch.testing.assert_close(found.sum(-1), torch.ones(7, 4))
    assert found[-1].argmax(-1).tolist() == [1, 0, 0, 2]
    for end in (1, 3, 7):
        alone = train.predict(reader, number_words.codes([text[:end]]))[0]
        torch.testing.assert_close(found[end - 1], alone, rtol=1e-3, atol=1e-4)
    assert not torch.equal(found[3], found[2])  # the space after "mil" is read


@pytest.mark.parametrize("text", ["MIL DOS", "mil dós", "mil do\u0301s"])
def test_letters_are_folded_as_in_training(text):
    reader = models.load("reader_spanish")
    expected = train.predict(reader, number_words.codes([text]))[0]
    found = analogy_experiment.letter_by_letter(reader, text)[-1]
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)


class Italian:
    """The controls of ``teach_italian`` by name."""

    def __init__(self, *args, **options):
        self.box = analogy_experiment.teach_italian(*args, **options)
        (self.source,) = find(self.box, ipywidgets.Dropdown)
        (self.count,) = find(self.box, ipywidgets.SelectionSlider)
        (self.button,) = find(self.box, ipywidgets.Button)
        (self.line,) = find(self.box, ipywidgets.Text)
        self.curve, self.grid = find(self.box, ipywidgets.Image)
        self.learnt, self.said = find(self.box, ipywidgets.HTML)

    def read(self, text: str) -> str:
        self.line.value = text
        return self.said.value


@pytest.fixture(scope="module")
def taught():
    """A reader of Spanish and one of nothing that have seen 300 Italian numbers."""
    return Italian("spanish", 300)


def test_a_number_nobody_trained_on_is_read_by_both(taught):
    italian = tasks.load("numbers_italian")
    seen = {row.tobytes() for row in italian.few(300, seed=0).train.inputs.numpy()}
    assert not seen & {row.tobytes() for row in italian.test.inputs[:12].numpy()}
    words, right = number_words.spell("italian"), 0
    for digits in italian.test.labels[:12].tolist():
        number = int("".join(map(str, digits)))
        found = taught.read(words[number])
        assert found.startswith(f"“{words[number]}” is {number:,}, which neither has seen: ")
        spanish, nothing = found.split("; from scratch ")
        right += f"pretrained: Spanish <b>{number}</b> ✓" in spanish
        assert "<b>" in nothing and "sure" in nothing and ("✓" in nothing or "✗" in nothing)
    assert right >= 8


def test_each_number_has_its_own_picture(taught):
    taught.read("trentadue")
    before = taught.grid.value
    taught.read("seimilasette")
    assert taught.grid.value != before and pictures_are_png(taught.box)


def test_a_number_among_the_examples_is_said_to_be(taught):
    few = tasks.load("numbers_italian").few(300, seed=0)
    number = int("".join(map(str, few.train.labels[0].tolist())))
    found = taught.read(number_words.spell("italian")[number])
    assert "and it was among the examples" in found


@pytest.mark.parametrize("text", ["Trentadue", " TRENTADUE ", "trenta due"])
def test_case_and_spaces_do_not_matter(taught, text):
    assert "is 32" in taught.read(text)


def test_a_word_that_is_no_number_is_read_all_the_same(taught):
    before = taught.read("trentadue"), taught.grid.value
    found = taught.read("gatto")
    assert found.startswith("“gatto” is no number in Italian") and "✓" not in found
    assert "pretrained: Spanish <b>" in found and "from scratch <b>" in found
    assert taught.grid.value != before[1]


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("", "An empty line: there is nothing to read."),
        ("    ", "An empty line: there is nothing to read."),
        ("a" * 500, "A text of 500 letters: the longest number here has 39."),
        ("тридцать два", "no reader has seen such letters"),
        ("٤٧٢", "there is no letter in it"),
        ("🙂", "there is no letter in it"),
        ("12000", "the readers know the numbers from 0 to 9,999"),
        ("12.000", ""),
        ("diecimila", "the readers know the numbers from 0 to 9,999"),
        ("un milione", "the readers know the numbers from 0 to 9,999"),
        ("-5", "the readers know the numbers from 0 to 9,999"),
        ("472", "the readers take words. Type &#x27;quattrocentosettantadue&#x27;."),
        ("<i>٤</i>" * 20, "A text of 160 letters"),
        ("<ж>", "&lt;ж&gt;"),
    ],
)
def test_what_no_reader_can_take_is_refused_and_the_picture_stays(taught, text, answer):
    taught.read("trentadue")
    before = taught.grid.value
    found = taught.read(text)
    assert answer in found and found != "" and "is 32" not in found
    assert taught.grid.value == before
    assert "is 32" in taught.read("trentadue")


@pytest.mark.parametrize("text", ["<b>x</b>", "<script>alert(1)</script>", "&eacute;", "a < b"])
def test_what_is_typed_is_no_html(taught, text):
    found = taught.read(text)
    assert "“" in found and text not in found
    for part in ("<b>x", "<script", "&eacute;", "a < b"):
        assert part not in found
    assert ("&lt;" in found) == ("<" in text)


@pytest.mark.parametrize(
    "text", ["$due$", "due 🙂", "due\\frac", "x" * 120, "ventitre\u0301", "%s {}"]
)
def test_odd_letters_can_be_drawn(taught, text):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a font lacks the sign
        assert "pretrained: Spanish <b>" in taught.read(text)
    assert pictures_are_png(taught.box)


def test_an_accent_on_its_own_is_the_same_letter(taught):
    assert taught.read("ventitre\u0301") == taught.read("ventitré")


def test_a_picture_of_the_two_readers_stands_in_without_a_kernel(taught):
    data, metadata = taught.box._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert "quattrocentosettantadue" in data["text/plain"]
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert pictures_are_png(taught.box) and "neither has seen" in taught.learnt.value


def test_another_source_and_count_are_taught_at_the_button():
    experiment = Italian(labels=10)
    assert experiment.source.value == "spanish"
    assert "</b> (pretrained: Spanish)" in experiment.learnt.value
    curve, grid, learnt = (
        experiment.curve.value,
        experiment.grid.value,
        experiment.learnt.value,
    )
    experiment.source.value, experiment.count.value = "spanish_false_friends", 30
    assert experiment.learnt.value == learnt  # nothing before the button is pressed
    experiment.button.click()
    assert not experiment.button.disabled
    assert "</b> (pretrained: Spanish, false friends)" in experiment.learnt.value
    assert experiment.learnt.value.count("%</b>") == 2
    assert experiment.curve.value != curve and experiment.grid.value != grid
    assert "pretrained: Spanish, false friends <b>" in experiment.said.value
    assert "pretrained: Spanish, false friends <b>" in experiment.read("trentadue")
    assert pictures_are_png(experiment.box)


def test_a_lesson_that_fails_leaves_the_button_alive(monkeypatch):
    experiment = Italian(labels=10)

    def failing(*_, **__):
        raise MemoryError  # which ipywidgets writes into the log

    monkeypatch.setattr(analogy_experiment.train, "fit", failing)
    experiment.button.click()
    assert not experiment.button.disabled


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"source": "italian"}, "there is no source of this name"),
        ({"source": "Spanish"}, "did you mean 'spanish'"),
        ({"source": None}, "there is no source of this name"),
        ({"labels": 31}, "Choose from"),
        ({"labels": "30"}, "Choose from"),
        ({"labels": None}, "Choose from"),
    ],
)
def test_teach_italian_refuses(options, message):
    with pytest.raises(store.CourseError, match=message):
        analogy_experiment.teach_italian(**options)


RATES = (1e-3, 3e-3, 1e-2)
STORED = {
    "": ((0.5, 0.9), (0.8, 0.6), (0.7, 0.2)),
    "letters": ((0.4, 0.95), (0.7, 0.7), (0.6, 0.3)),
    "letters memory": ((0.1, 0.98), (0.1, 0.97), (0.15, 0.96)),
}
module = importlib.import_module("tl_course.lessons.forgetting.experiment")


@pytest.fixture
def forgetting(forgetting_runs, monkeypatch):
    settings = {
        ("reader", "fine-tuning", frozen, 0): dict(zip(RATES, values, strict=True))
        for frozen, values in STORED.items()
    }
    settings |= {
        ("reader", "from scratch", "", 0): {3e-3: (0.0, 0.0)},
        ("resnet10", "fine-tuning", "", 0): {3e-3: (0.0, 0.0)},
    }
    frame = forgetting_runs(settings)
    monkeypatch.setattr(evidence, "load", {"sweep_forgetting": frame}.__getitem__)
    return forgetting_experiment.price_list()


def test_what_italian_costs_in_spanish(forgetting):
    (slider,) = find(forgetting, ipywidgets.SelectionSlider)
    (frozen,) = find(forgetting, ipywidgets.Dropdown)
    (picture,), (said,) = find(forgetting, ipywidgets.Image), find(forgetting, ipywidgets.HTML)
    assert slider.value == 3e-3 and frozen.value == "nothing"
    assert said.value == (
        "Learning rate 0.003, frozen: nothing. Mean of 5 runs: Italian <b>80%</b>, "
        "Spanish <b>60%</b> (before: 99.0%)."
    )
    before = picture.value
    slider.value = 1e-2
    assert "Learning rate 0.01" in said.value and picture.value != before
    assert "Italian <b>70%</b>, Spanish <b>20%</b>" in said.value
    before = picture.value
    frozen.value = "letters and memory"
    assert "frozen: letters and memory" in said.value and picture.value != before
    assert "Italian <b>15%</b>, Spanish <b>96%</b>" in said.value
    slider.value, frozen.value = 3e-3, "the letters"
    assert "Italian <b>70%</b>, Spanish <b>70%</b>" in said.value
    assert pictures_are_png(forgetting)


def test_the_button_adds_a_run_of_ones_own(forgetting, monkeypatch):
    (slider,), (button,) = (
        find(forgetting, ipywidgets.SelectionSlider),
        find(forgetting, ipywidgets.Button),
    )
    (picture,), (said,) = find(forgetting, ipywidgets.Image), find(forgetting, ipywidgets.HTML)
    monkeypatch.setattr(module, "EPOCHS", 2)
    before = picture.value
    assert "Your run" not in said.value
    button.click()
    assert picture.value != before and not button.disabled
    assert said.value.startswith("Learning rate 0.003") and "Your run (diamonds): " in said.value
    mine = said.value
    slider.value = 1e-2
    assert "Your run" not in said.value  # it was another setting
    slider.value = 3e-3
    assert said.value == mine


def test_the_run_is_the_one_that_was_chosen(forgetting, monkeypatch):
    (slider,), (frozen,), (button,) = (
        find(forgetting, kind)
        for kind in (ipywidgets.SelectionSlider, ipywidgets.Dropdown, ipywidgets.Button)
    )
    runs = []
    monkeypatch.setattr(module, "_run", lambda *setting: runs.append(setting) or (0.25, 0.0))
    slider.value, frozen.value = 1e-3, "letters and memory"
    button.click()
    assert runs == [("letters memory", 1e-3)]
    assert (
        "Your run (diamonds): Italian 0%, Spanish 25%."
        in find(forgetting, ipywidgets.HTML)[0].value
    )


def test_a_run_that_fails_leaves_the_button_alive(forgetting, monkeypatch):
    (button,) = find(forgetting, ipywidgets.Button)

    def failing(*_):
        raise MemoryError

    monkeypatch.setattr(module, "_run", failing)
    button.click()
    assert not button.disabled


def test_a_picture_of_forgetting_stands_in_without_a_kernel(forgetting):
    data, metadata = forgetting._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert "Italian" in data["text/plain"] and "Spanish" in data["text/plain"]


def test_forgetting_needs_its_stored_runs(forgetting_runs, monkeypatch):
    frame = forgetting_runs({("reader", "from scratch", "", 0): {3e-3: (0.0, 0.0)}})
    monkeypatch.setattr(evidence, "load", lambda name: frame)
    with pytest.raises(store.UnknownName, match="no stored run"):
        forgetting_experiment.price_list()
