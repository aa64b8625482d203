import ipywidgets
import pytest
import torch

from tl_course import models, practice, widgets


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
    return widgets.two_opinions(toy, networks)


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
    found = widgets.two_opinions(toy, {"fine-tuning": model, "from scratch": model})
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
    box = widgets.predict("k", "How far?", ["near", "far"])
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
        find(widgets.predict("k", "How far?", ["near", "far"]), ipywidgets.RadioButtons)[0].value
        == "far"
    )


def test_a_prediction_no_longer_offered_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    practice.commit("k", "an old choice")
    box = widgets.predict("k", "How far?", ["near", "far"])
    assert find(box, ipywidgets.RadioButtons)[0].value is None


def test_a_prediction_that_cannot_be_kept_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(practice, "commit", full)
    box = widgets.predict("k", "How far?", ["near"])
    find(box, ipywidgets.RadioButtons)[0].value = "near"
    find(box, ipywidgets.Button)[0].click()
    assert "No space left" in find(box, ipywidgets.HTML)[1].value
