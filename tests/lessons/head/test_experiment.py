"""Lesson 03's bench: what it says of a network is what ``surgery`` says of one cut by hand."""

import html
import re

import pandas
import pytest
import torch
from played import play

from tl_course import models, store, surgery
from tl_course.lessons.head import experiment


@pytest.fixture(scope="module")
def bench():
    return experiment.bench()


def rows(bench) -> dict[str, list[str]]:
    """The table by stage: the text of each cell."""
    found = {}
    count = len(bench.controls["frozen"].options)  # the stages, less the head, and "nothing"
    for row in re.findall("<tr>(.*?)</tr>", bench.places["table"].value)[-count - 1 :]:
        name, *cells = re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)
        found[name] = [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in cells]
    return found


def agrees(bench, name: str, classes: int, last: str | None) -> None:
    """What is said is what ``surgery`` says of the same network, cut by hand."""
    model = models.load(name, pretrained=name == "resnet10")
    surgery.replace_head(model, classes)
    body = [*surgery.stages(model)][:-1]
    if last:
        surgery.freeze(model, *body[: body.index(last) + 1])
    table: pandas.DataFrame = surgery.summary(model)
    total = f"<b>{table.trained.sum():,} of {table.parameters.sum():,} weights are trained</b>"
    assert bench.places["said"].value.startswith(total)
    found = rows(bench)
    assert [*found][:-1] == [*table.index] and [*found][-1].startswith("└ ")
    for stage, row in table.iterrows():
        *_, weights, state = found[stage]
        assert weights == f"{row.parameters:,}"
        assert (state == "❄ frozen") == (row.trained == 0)
        assert ("new" in state) == (stage == "head")


@pytest.mark.parametrize("name", experiment.FAMILIES)
def test_every_family_can_be_chosen(bench, name):
    before = bench.places["picture"].value
    said = play(bench, whole=True, classes=5, network=name)
    assert bench.places["picture"].value != before or name == "resnet10"
    model = models.load(name, pretrained=False)
    *body, _ = models.stages(model)
    last = bench.controls["frozen"]
    assert [*last.options] == ["nothing", *body] and last.value == body[-1]
    classes = 6 if name == "yolos" else 5
    agrees(bench, name, classes, body[-1])
    layer = models.classifier(model)
    cells = rows(bench)[f"└ {models.head_name(model)}, its last layer"]
    assert cells[0] == f"Linear({layer.in_features} → {layer.out_features})" or name == "resnet10"
    assert cells[2] == f"Linear({layer.in_features} → {classes})" and cells[-1] == "new"
    assert f"({layer.in_features},) features" in said
    entry, official = models.catalogue()[name], bench.places["official"].value
    assert f"{entry.parameters:,} weights" in official and entry.licence in official
    assert (f"{entry.download} MB" in official) == bool(entry.download)
    held = {stage: cells[0] for stage, cells in rows(bench).items()}
    assert all(held.values())
    for stage, layers in HELD.get(name, {}).items():
        assert {*held[stage].split(", ")} == {*layers.split(", ")}


BLOCK = "attention, 2 linear layers, LayerNorm"
HELD = {
    "resnet10": {
        "stem": "convolution, BatchNorm",
        "layer2": "3 convolutions, BatchNorm",
        "head": "pooling, linear layer",
    },
    "vit_b_16": {"patches": "convolution, class token, positions"},
    "bert": {"embeddings": "3 embeddings, LayerNorm", "block1": BLOCK},
    "yolos": {"block1": BLOCK},
    "vgg16": {"block3": "3 convolutions, pooling"},
    "efficientnet_b0": {"stem": "convolution, BatchNorm"},
    "gpt2": {"block1": BLOCK},
    "wav2vec2": {"conv": "3 convolutions, GroupNorm"},
}


@pytest.mark.parametrize("name", ["resnet10", "bert", "whisper", "yolos"])
def test_shapes_are_those_of_a_forward_pass(bench, name):
    play(bench, network=name, classes=4)
    model = surgery.replace_head(models.load(name, pretrained=False), 5 if name == "yolos" else 4)
    raw, _ = experiment._example(models.catalogue()[name].purpose)
    with torch.inference_mode():
        values = model.preprocess(raw)
        for stage, part in models.stages(model).items():
            values = part(values)
            assert rows(bench)[stage][3] == str(tuple(values.shape[1:]))


def test_frozen_trained_and_new(bench):
    last, whole = bench.controls["frozen"], bench.controls["whole"]
    said = play(bench, network="resnet10", classes=3, frozen="layer3")
    assert not whole.value and "the new head and <code>layer4</code>." in said
    agrees(bench, "resnet10", 3, "layer3")
    states = {stage: cells[-1] for stage, cells in rows(bench).items()}
    assert [states[f"layer{i}"] for i in (1, 2, 3, 4)] == [*["❄ frozen"] * 3, "trained"]
    assert states["head"] == "771 new"  # 256 * 3 + 3
    said = play(bench, frozen="stem")
    assert "the new head and <code>layer1</code> to <code>layer4</code>." in said
    assert "the new head and all stages before it." in play(bench, frozen="nothing")
    agrees(bench, "resnet10", 3, None)
    assert "the new head alone." in play(bench, whole=True) and last.value == "layer4"
    agrees(bench, "resnet10", 3, "layer4")
    play(bench, whole=False)
    assert last.value == "nothing"
    play(bench, frozen="layer4")
    assert whole.value


def test_another_network_keeps_what_is_frozen_where_it_can(bench):
    last, whole = bench.controls["frozen"], bench.controls["whole"]
    play(bench, network="resnet10", frozen="layer2")
    play(bench, network="resnet18")
    assert last.value == "layer2" and not whole.value
    play(bench, network="vit_b_16")
    assert last.value == "nothing" and not whole.value
    play(bench, whole=True, network="resnet10")
    assert last.value == "layer4" and whole.value


@pytest.mark.parametrize("classes", [2, 20])
@pytest.mark.parametrize("name", ["resnet10", "t5", "yolos"])
def test_fewest_and_most_classes(bench, name, classes):
    said = play(bench, whole=True, network=name, classes=classes)
    outputs = classes + (name == "yolos")
    assert f"{outputs} logits" in said and f"guessing gives {1 / outputs:.2f}." in said
    bench.controls["classes"].number.value = 99 if classes == 20 else 0
    assert bench.controls["classes"].value == classes


def test_a_detector_answers_for_every_box(bench):
    said = play(bench, network="yolos", classes=5, whole=True)
    assert "10 × (48,) features" in said and "6 logits: your 5 classes and “no object”" in said
    assert "the head alone, whose last layer is new." in said
    head = rows(bench)["head"]
    assert head[3] == "(10, 6)" and head[-1] == "294 new trained"


@pytest.mark.parametrize("name", ["whisper", "wav2vec2", "roberta"])
def test_heads_that_no_official_file_holds_are_new_altogether(bench, name):
    said = play(bench, network=name, whole=True)
    head = rows(bench)["head"]
    assert head[-1] == f"{head[-2]} new" and "the new head alone" in said
    assert "the one before is random too" in bench.places["official"].value


def test_what_is_never_trained_is_told(bench):
    play(bench, network="whisper", whole=False)
    assert rows(bench)["conv"][-1] == "9,312 trained 2,400 fixed by design"


def test_a_family_that_cannot_be_loaded_is_one_line(monkeypatch):
    bench = experiment.bench()
    controls, picture = bench.controls, bench.places["picture"]

    def failing(error):
        def load(*_, **__):
            raise error

        return load

    with monkeypatch.context() as patched:
        damaged = store.CorruptFile("vgg16", "its file is\ndamaged <b>", "Install again")
        patched.setattr(models, "load", failing(damaged))
        said = play(bench, network="vgg16")
        assert said == "vgg16: its file is damaged &lt;b&gt;. Install again."
        assert controls["classes"].disabled and not controls["network"].disabled
        assert picture.layout.display == "none" and not bench.places["table"].value
        patched.setattr(models, "load", failing(ImportError("x")))
        assert play(bench, network="bert") == "bert: it cannot be loaded (ImportError: x)."
    assert "weights are trained" in play(bench, network="vgg16")
    assert not controls["classes"].disabled and picture.layout.display is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "resnet"}, "did you mean 'resnet"),
        ({"family": "reader_spanish"}, "there is no family of this name"),
        ({"family": None}, "there is no family of this name"),
        *(({"classes": classes}, "from 2 to 20") for classes in (1, 21, 2.0, True)),
    ],
)
def test_the_bench_refuses(options, message):
    with pytest.raises(store.CourseError, match=message):
        experiment.bench(**options)


def test_the_bench_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    first = experiment.bench("vit_b_16", 4)
    assert torch.equal(torch.rand(2), wanted)
    second = experiment.bench("vit_b_16", 4)
    assert first.places["said"].value == second.places["said"].value
