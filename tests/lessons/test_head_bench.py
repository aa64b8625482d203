"""The head bench, and the picture of a network's stages that it draws.

``pytest -s tests/test_head_bench.py`` prints how long a move takes.
"""

import html
import re
import time

import ipywidgets
import pandas
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from tl_course import models, plots, store, surgery
from tl_course.lessons.head import charts as head_charts
from tl_course.lessons.head import experiment as head
from tl_course.lessons.head import experiment as head_experiment
from tl_course.lessons.head.charts import LEAST, TALL


def find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += find(child, kind)
    return found


class Controls:
    """The controls of ``head_bench`` by name."""

    def __init__(self, *args, **options):
        self.box = head_experiment.bench(*args, **options)
        self.family, self.last = find(self.box, ipywidgets.Dropdown)
        (self.every,) = find(self.box, ipywidgets.Checkbox)
        (self.slider,) = find(self.box, ipywidgets.IntSlider)
        (self.number,) = find(self.box, ipywidgets.BoundedIntText)
        (self.picture,) = find(self.box, ipywidgets.Image)
        self.said, self.table, self.official = find(self.box, ipywidgets.HTML)

    def rows(self) -> dict[str, list[str]]:
        """The table by stage: the text of each cell."""
        found = {}
        for row in re.findall("<tr>(.*?)</tr>", self.table.value)[-len(self.last.options) - 1 :]:
            name, *cells = re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row)
            found[name] = [html.unescape(re.sub("<[^>]+>", "", cell)) for cell in cells]
        return found


@pytest.fixture(scope="module")
def bench():
    return Controls()


def expected(name: str, classes: int, last: str | None) -> pandas.DataFrame:
    """What ``surgery`` says of the same network, cut by hand."""
    model = models.load(name, pretrained=name == "resnet10")
    surgery.replace_head(model, classes)
    body = [*surgery.stages(model)][:-1]
    if last:
        surgery.freeze(model, *body[: body.index(last) + 1])
    return surgery.summary(model)


def agrees(bench: Controls, table: pandas.DataFrame) -> None:
    total = f"<b>{table.trained.sum():,} of {table.parameters.sum():,} weights are trained</b>"
    assert bench.said.value.startswith(total)
    rows = bench.rows()
    assert [*rows][:-1] == [*table.index] and [*rows][-1].startswith("└ ")
    for stage, row in table.iterrows():
        *_, weights, state = rows[stage]
        assert weights == f"{row.parameters:,}"
        assert (state == "❄ frozen") == (row.trained == 0)
        assert ("new" in state) == (stage == "head")


@pytest.mark.parametrize("name", head.FAMILIES)
def test_every_family_can_be_chosen(bench, name):
    before = bench.picture.value
    bench.every.value = True
    bench.slider.value = 5
    began = time.perf_counter()
    bench.family.value = name
    loaded = time.perf_counter() - began
    assert bytes(bench.picture.value).startswith(b"\x89PNG")
    assert bench.picture.value != before or name == "resnet10"
    model = models.load(name, pretrained=False)
    parts = [*models.stages(model)]
    assert [*bench.last.options] == ["nothing", *parts[:-1]] and bench.last.value == parts[-2]
    classes = 6 if name == "yolos" else 5
    agrees(bench, expected(name, classes, parts[-2]))
    rows, layer = bench.rows(), models.classifier(model)
    cells = rows[f"└ {models.head_name(model)}, its last layer"]
    assert cells[0] == f"Linear({layer.in_features} → {layer.out_features})" or name == "resnet10"
    assert cells[2] == f"Linear({layer.in_features} → {classes})" and cells[-1] == "new"
    assert f"({layer.in_features},) features" in bench.said.value
    entry = models.catalogue()[name]
    assert f"{entry.parameters:,} weights" in bench.official.value
    assert entry.licence in bench.official.value
    assert (f"{entry.download} MB" in bench.official.value) == bool(entry.download)
    began = time.perf_counter()
    bench.slider.value = 7
    print(f"\n{name}: {loaded:.2f} s to load, {time.perf_counter() - began:.3f} s a move")


@pytest.mark.parametrize("name", ["resnet10", "bert", "whisper", "yolos"])
def test_shapes_are_those_of_a_forward_pass(bench, name):
    bench.family.value, bench.slider.value = name, 4
    model = surgery.replace_head(models.load(name, pretrained=False), 5 if name == "yolos" else 4)
    raw, _ = head._example(models.catalogue()[name].purpose)
    with torch.inference_mode():
        values = model.preprocess(raw)
        for stage, part in models.stages(model).items():
            values = part(values)
            assert bench.rows()[stage][3] == str(tuple(values.shape[1:]))


def test_frozen_trained_and_new(bench):
    bench.family.value, bench.slider.value = "resnet10", 3
    bench.last.value = "layer3"
    assert not bench.every.value
    agrees(bench, expected("resnet10", 3, "layer3"))
    states = {stage: cells[-1] for stage, cells in bench.rows().items()}
    assert [states[f"layer{i}"] for i in (1, 2, 3, 4)] == [*["❄ frozen"] * 3, "trained"]
    assert states["head"] == "771 new"  # 256 * 3 + 3
    assert "the new head and <code>layer4</code>." in bench.said.value
    bench.last.value = "stem"
    assert "the new head and <code>layer1</code> to <code>layer4</code>." in bench.said.value
    bench.last.value = "nothing"
    assert "the new head and all stages before it." in bench.said.value
    agrees(bench, expected("resnet10", 3, None))
    bench.every.value = True
    assert bench.last.value == "layer4" and "the new head alone." in bench.said.value
    agrees(bench, expected("resnet10", 3, "layer4"))
    bench.last.value = "layer4"
    bench.every.value = False
    assert bench.last.value == "nothing"
    bench.last.value = "layer4"
    assert bench.every.value


def test_another_network_keeps_what_is_frozen_where_it_can(bench):
    bench.family.value, bench.last.value = "resnet10", "layer2"
    bench.family.value = "resnet18"
    assert bench.last.value == "layer2" and not bench.every.value
    bench.family.value = "vit_b_16"
    assert bench.last.value == "nothing" and not bench.every.value
    bench.every.value = True
    bench.family.value = "resnet10"
    assert bench.last.value == "layer4" and bench.every.value


@pytest.mark.parametrize("classes", [2, 20])
@pytest.mark.parametrize("name", ["resnet10", "t5", "yolos"])
def test_fewest_and_most_classes(bench, name, classes):
    bench.every.value = True
    bench.family.value, bench.number.value = name, classes
    assert bench.slider.value == classes
    outputs = classes + (name == "yolos")
    assert f"{outputs} logits" in bench.said.value
    assert f"guessing gives {1 / outputs:.2f}." in bench.said.value
    bench.number.value = 99
    assert bench.slider.value == 20
    bench.number.value = 0
    assert bench.slider.value == 2


def test_a_detector_answers_for_every_box(bench):
    bench.family.value, bench.slider.value, bench.every.value = "yolos", 5, True
    text = bench.said.value
    assert "10 × (48,) features" in text and "6 logits: your 5 classes and “no object”" in text
    assert "the head alone, whose last layer is new." in text
    rows = bench.rows()
    assert rows["head"][3] == "(10, 6)" and rows["head"][-1] == "294 new trained"


@pytest.mark.parametrize("name", ["whisper", "wav2vec2", "roberta"])
def test_heads_that_no_official_file_holds_are_new_altogether(bench, name):
    bench.family.value, bench.every.value = name, True
    head_row = bench.rows()["head"]
    assert head_row[-1] == f"{head_row[-2]} new" and "the new head alone" in bench.said.value
    assert "the one before is random too" in bench.official.value


def test_what_is_never_trained_is_told(bench):
    bench.family.value, bench.every.value = "whisper", False
    assert bench.rows()["conv"][-1] == "9,312 trained 2,400 fixed by design"


@pytest.mark.parametrize(
    ("name", "stage", "holds"),
    [
        ("resnet10", "stem", "convolution, BatchNorm"),
        ("resnet10", "layer2", "3 convolutions, BatchNorm"),
        ("resnet10", "head", "pooling, linear layer"),
        ("vit_b_16", "patches", "convolution, class token, positions"),
        *((name, "block1", "attention, 2 linear layers, LayerNorm") for name in ("bert", "yolos")),
        ("bert", "embeddings", "3 embeddings, LayerNorm"),
        ("vgg16", "block3", "3 convolutions, pooling"),
        ("efficientnet_b0", "stem", "convolution, BatchNorm"),
        ("gpt2", "block1", "attention, 2 linear layers, LayerNorm"),
        ("wav2vec2", "conv", "3 convolutions, GroupNorm"),
    ],
)
def test_what_a_stage_holds(name, stage, holds):
    part = models.stages(models.load(name, pretrained=False))[stage]
    assert {*head._holds(part).split(", ")} == {*holds.split(", ")}


def test_every_stage_is_said_to_hold_something():
    for name in head.FAMILIES:
        for stage, part in models.stages(models.load(name, pretrained=False)).items():
            assert head._holds(part), (name, stage)


def test_a_family_that_cannot_be_loaded_is_one_line(monkeypatch):
    bench = Controls()

    def failing(name, **_):
        raise store.CorruptFile(name, "its file is\ndamaged <b>", "Install again")

    with monkeypatch.context() as patched:
        patched.setattr(models, "load", failing)
        bench.family.value = "vgg16"
        assert bench.said.value.startswith("vgg16: its file is damaged &lt;b&gt;")
        assert "\n" not in bench.said.value and bench.slider.disabled
        assert bench.picture.layout.display == bench.table.layout.display == "none"
        patched.setattr(models, "load", lambda *_, **__: (_ for _ in ()).throw(ImportError("x")))
        bench.family.value = "bert"
        assert bench.said.value == "bert cannot be loaded (ImportError: x)"
    bench.family.value = "vgg16"
    assert "weights are trained" in bench.said.value and not bench.slider.disabled
    assert bench.picture.layout.display == ""


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"family": "resnet"}, "did you mean 'resnet"),
        ({"family": "reader_spanish"}, "there is no family of this name"),
        ({"family": None}, "there is no family of this name"),
        ({"classes": 1}, "from 2 to 20"),
        ({"classes": 21}, "from 2 to 20"),
        ({"classes": 2.0}, "from 2 to 20"),
        ({"classes": True}, "from 2 to 20"),
    ],
)
def test_head_bench_refuses(options, message):
    with pytest.raises(store.CourseError, match=message):
        head_experiment.bench(**options)


def test_a_picture_stands_in_without_a_kernel(bench):
    data, metadata = bench.box._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and len(data["image/png"]) < 50_000
    assert metadata["image/png"]["alt"] == data["text/plain"]
    assert "resnet10" in data["text/plain"] and "2 classes" in data["text/plain"]


def test_the_bench_leaves_the_random_numbers_of_others_alone():
    torch.manual_seed(3)
    wanted = torch.rand(2)
    torch.manual_seed(3)
    first = Controls("vit_b_16", 4)
    assert torch.equal(torch.rand(2), wanted)
    assert first.said.value == Controls("vit_b_16", 4).said.value


def boxes(ax, colour: str) -> list[Rectangle]:
    return [patch for patch in ax.patches if to_hex(patch.get_facecolor()).upper() == colour]


def words(ax) -> list[str]:
    return [text.get_text() for text in ax.texts if text.get_text()]


def test_anatomy_takes_a_plain_summary():
    model = surgery.freeze(models.load("resnet10"), "stem", "layer1")
    table = surgery.summary(model)
    ax = head_charts.anatomy(table, "two are frozen")
    assert ax.get_title(loc="left") == "two are frozen"
    frozen, trained = (boxes(ax, plots.COLOURS[kind]) for kind in ("frozen", "fine-tuning"))
    assert len(frozen) == 2 and len(trained) == 4
    found = [box.get_height() for box in frozen + trained]
    scale = (table.parameters / table.parameters.max()) ** 0.5
    assert found == pytest.approx((TALL * scale).clip(lower=LEAST).tolist())
    assert [*table.index] == [word for word in words(ax) if word in table.index]
    assert words(ax).count("❄ frozen") == 2 and words(ax).count("trained") == 4
    assert {f"{count:,}" for count in table.parameters} <= {*words(ax)}
    legend = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [label.split(":")[0] for label in legend] == ["frozen", "trained", "height"]


def test_anatomy_shows_what_is_new_and_what_was_before():
    table = pandas.DataFrame(
        {
            "parameters": [100, 400, 0],
            "trained": [0, 400, 0],
            "new": [0, 100, 0],
            "shape": [(8, 4, 4), (5,), (5,)],
        },
        index=["body", "head", "end"],
    )
    before = table[["parameters"]].assign(parameters=[100, 1600, 0])
    answers = torch.tensor([[0.5, 0.2, 0.3], [1.0, 0.0, 0.0]])
    ax = head_charts.anatomy(table, before=before, example="$a$ text", answers=answers)
    shown = words(ax)
    kinds = ["❄ frozen", "partly new", "no weights"]
    assert [word for word in shown if word in kinds] == kinds
    assert {"8×4×4", "5", "first of 2", "highest 0.50", "guess 0.33", "$a$ text"} <= {*shown}
    (new,), (old,) = (boxes(ax, plots.COLOURS[kind]) for kind in ("from scratch", "fine-tuning"))
    assert new.get_height() + old.get_height() == pytest.approx(TALL / 2)
    assert new.get_y() == pytest.approx(old.get_y() + old.get_height())
    (outline,) = [patch for patch in ax.patches if patch.get_linestyle() == "--"]
    assert outline.get_height() == pytest.approx(TALL)
    assert [bar.get_width() for bar in ax.containers[1]] == pytest.approx([0.33, 0.132, 0.198])


def test_anatomy_draws_where_it_is_told():
    table = surgery.summary(models.load("resnet10"))
    ax = plots.axes(6, 3)
    assert head_charts.anatomy(table, ax=ax) is ax
    picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
    assert len(head_charts.anatomy(table, example=picture).images) == 1
    assert len(head_charts.anatomy(table, example=torch.zeros(900)).lines) == 1  # silence too


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pandas.DataFrame({"parameters": [1]}), "it has no trained"),
        (pandas.DataFrame(), "no columns"),
        (pandas.DataFrame({"parameters": [], "trained": []}), "it has no rows"),
    ],
)
def test_anatomy_refuses(table, message):
    with pytest.raises(store.BadInput, match=message):
        head_charts.anatomy(table)


def overlaps(ax) -> list[tuple[str, str]]:
    """Texts that cover each other, or leave the figure."""
    figure = ax.get_figure()
    figure.canvas.draw()
    texts = [text for text in [*ax.texts, *ax.get_legend().get_texts()] if text.get_text()]
    found = [(text.get_text(), text.get_window_extent()) for text in texts]
    width, height = figure.bbox.size
    bad = [
        (text, "the edge")
        for text, box in found
        if min(box.x0, box.y0) < 0 or box.x1 > width or box.y1 > height
    ]
    for place, (text, box) in enumerate(found):
        bad += [(text, other) for other, theirs in found[:place] if box.overlaps(theirs)]
    return bad


@pytest.mark.parametrize("name", head.FAMILIES)
def test_no_word_covers_another(name):
    bench = head._Bench(name)
    bench.operate(20, bench.body[0])
    ax = plots.axes(9.4, 3.1)
    bench.draw(ax)
    assert not overlaps(ax)


def test_no_word_covers_another_in_a_deep_network():
    table = pandas.DataFrame({"parameters": [7_087_872] * 14, "trained": [0] * 14})
    table.index = ["patches", *[f"block{i}" for i in range(1, 13)], "head"]
    assert not overlaps(head_charts.anatomy(table.assign(shape=[(197, 768)] * 14)))
