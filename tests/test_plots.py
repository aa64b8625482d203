"""The kinds of chart that lessons share show the data that they are given."""

import inspect
import io

import numpy as np
import pandas
import pytest
import torch
from drawn import ODD, assert_apart, colour, key, marks, texts, titles, xs
from matplotlib.cbook import is_math_text
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from tl_course import evidence, features, plots, store
from tl_course.evidence import Interval
from tl_course.plots.lines import apart
from tl_course.plots.style import colour_of, legible

LONGER = "nothing, four times as long"
KEYS = {"spanish_reversed": "made on purpose", "nothing": "nothing", LONGER: "nothing"}


def of(*names: str) -> list[str]:
    return [plots.COLOURS[name].upper() for name in names]


# the style


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore:Glyph|constrained_layout")
def test_names_are_drawn_as_they_are_in_every_chart(name):
    one, tiles = Interval(0.2, 0.1, 0.3, 5), torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    labels, look = torch.tensor([0, 1]), {name: plots.Look("#123456")}
    for chart in (
        plots.learning_curves({name: [0.1, 0.2], "b": [0.1]}, None, name, name, name),
        plots.differences({name: one, "heading": None}, name, name, name),
        plots.forest({"a": {name: one}}, written=lambda _: name, title=name),
        plots.heat_map(pandas.DataFrame([[0.5]], [name], [name]), title=name),
        plots.by_stage({name: seeds(0.3, 0.4, 0.5).set_axis([name, "b", "c"], axis=1)}, name),
        plots.contact_sheet(tiles, labels, [name, "b"]),
        plots.gallery({name: tiles}, {name: [name, "b"]}),
        plots.photographs([{name: tiles[0], "b": tiles[1]}], title=name),
        plots.panels([name], 3, 3, title=name, looks=look, xlabel=name, ylabel=name)[0],
    ):
        figure = chart if isinstance(chart, Figure) else chart.get_figure()
        assert plots.png(figure).startswith(b"\x89PNG")
    assert legible(legible(name)) == legible(name) and len(legible(name)) < 70


def test_numbers_at_a_logarithmic_axis_stay_mathematics():
    ax = plots.axes()
    ax.set(xscale="log", xlim=(1e-4, 1))
    plots.png(ax.get_figure())
    assert any(is_math_text(text) for text in texts(ax.get_xticklabels()))


def test_nothing_opens_a_window_and_ax_is_respected():
    assert "pyplot" not in inspect.getsource(plots)
    ax, one = plots.axes(), Interval(0.2, 0.1, 0.3, 5)
    assert plots.learning_curves({"fine-tuning": [0.1, 0.5]}, ax=ax) is ax
    assert plots.by_stage({"random": seeds(0.3, 0.3, 0.2)}, "accuracy", ax=ax) is ax
    assert plots.heat_map(accuracies(), ax=ax) is ax
    assert plots.differences({"a": one}, "+", "-", ax=ax) is ax
    assert plots.png(ax.get_figure()).startswith(b"\x89PNG")


def test_show_carries_alt_text(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: seen.update(data, metadata=metadata)
    )
    plots.show(plots.axes(), alt="An empty chart.")
    assert seen["text/plain"] == "An empty chart."
    assert seen["metadata"] == {"image/png": {"alt": "An empty chart."}}
    noisy = plots.axes(4, 4)
    noisy.imshow(np.random.default_rng(0).random((400, 400, 3)))
    plots.show(noisy, alt="Noise.")
    assert Image.open(io.BytesIO(seen["image/png"])).mode == "P"  # 256 colours: it was too large


def test_a_colour_means_one_thing_and_a_label_begins_with_its_name(monkeypatch):
    assert len({*of("pretrained", "from scratch", "frozen", "random")}) == 4
    assert of("pretrained") == of("fine-tuning")
    for name in ("new job", "LoRA", "probe on random backbone", "nothing"):
        assert colour_of(f"{name}, rank 4") == plots.COLOURS[name]
    monkeypatch.setitem(plots.COLOURS, "nothing at all", "#123456")
    assert colour_of("nothing at all") == "#123456"  # the longest name counts
    assert colour_of("nothing at noon") == plots.COLOURS["nothing"]
    assert colour_of("something") is None and colour_of("") is None


def test_values_are_moved_apart_and_stay_below_the_top():
    assert apart([0.2, 0.9, 0.85], 0.1) == pytest.approx([0.2, 0.95, 0.85])
    assert apart([0.97, 0.99, 0.1], 0.1, 1.0) == pytest.approx([0.9, 1.0, 0.1])
    assert apart([1.5, 0.5], 0.1, 1.0) == [1.5, 0.5]  # what is above the top already may stay
    assert apart([], 0.1) == []


def test_panels_stand_in_rows_under_one_title_and_one_key():
    looks = {"a": plots.Look("#123456"), "b, hollow": plots.Look("#654321", "o", hollow=True)}
    figure, spots = plots.panels(["one", None, "three", "four", "five"], 6, 2, 0.5, columns=2,
                                 title="All", looks=looks, xlabel="x", sharex=True)  # fmt: skip
    assert titles(figure) == ["one", "three", "four", "five"] and figure.axes == spots
    assert figure.get_size_inches().tolist() == [6, 6.5] and figure.get_supxlabel() == "x"
    assert key(figure) == [*looks] and figure.legends[0].get_title().get_text() == "All"
    assert [colour(text) for text in figure.legends[0].get_texts()] == ["#123456", "#654321"]
    spots[2].plot([0, 1])
    figure.draw_without_rendering()
    numbered = [bool(texts(ax.get_xticklabels())) for ax in spots]
    assert numbered == [False, False, True, True]  # with nothing below
    again, (ax,) = plots.panels(["six"], 3, 2, title="One", figure=figure)
    assert again is figure and figure.axes == [ax] and figure.get_suptitle() == "One"


# curves


def test_learning_curves_plot_the_values_and_labels_do_not_touch():
    ax = plots.learning_curves({"fine-tuning": [0.2, 0.61], "from scratch": [0.2, 0.60]})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.2, 0.61], [0.2, 0.60]]
    assert [colour(line) for line in ax.lines] == of("fine-tuning", "from scratch")
    assert texts(ax) == ["fine-tuning  0.61", "from scratch  0.60"]
    assert "epoch" in ax.get_xlabel() and [*ax.lines[0].get_xdata()] == [1, 2]
    low = plots.learning_curves({"pretrained: a": [0.6], "nothing": [0.6]}, ax=plots.axes(8.0, 2.3))
    assert_apart(low.texts)  # though the axes are low


@pytest.mark.parametrize("every", [1, 8])
def test_learning_curves_can_begin_before_the_first_step(every):
    curves = {"new job: Italian": [0.1, 0.5, 0.8], "old job: Spanish": [0.9, 0.6, 0.4]}
    ax = plots.learning_curves(curves, chance=0.05, xlabel="steps", first=0, every=every)
    steps = [0, every, 2 * every]
    assert [line.get_xdata().tolist() for line in ax.lines] == [steps] * 2
    (guessing,) = ax.collections
    assert guessing.get_segments()[0].tolist() == [[0, 0.05], [steps[-1], 0.05]]
    assert {text.xy[0] for text in ax.texts if hasattr(text, "xy")} == {steps[-1]}
    assert ax.get_xlabel() == "steps"


def test_training_that_ended_at_once_has_no_curve():
    ax = plots.learning_curves({"fine-tuning": [], "from scratch": [0.5]}, first=0)
    assert len(ax.lines) == 1 and plots.png(ax.get_figure())


def test_runs_show_every_seed():
    frame = evidence.load("sweep_pictures")
    ax = plots.runs(frame, [("leaves", 200), ("satellite", 200)], title="Five runs")
    names = ["fine-tuning", "from scratch"]
    rows = evidence.chosen(frame)
    rows = rows[rows.task.isin(["leaves", "satellite"]) & (rows.labels == 200)]
    cells = rows[rows.strategy.isin(names)].groupby(["task", "strategy"]).test_balanced
    for points, bar, (_, values) in zip(ax.collections, ax.lines, cells, strict=True):
        assert sorted(points.get_offsets()[:, 0]) == pytest.approx(sorted(values))
        assert bar.get_xdata()[0] == pytest.approx(values.mean())
    assert key(ax.get_figure()) == names


@pytest.fixture
def languages(analogy_runs):
    runs = {
        "spanish_reversed": {0: 0.01, 10: 0.3, 100: 0.6, 1000: 0.95},
        "nothing": {0: 0.0, 10: 0.1, 100: 0.2, 1000: 0.94},
        LONGER: {0: 0.0, 10: 0.1, 100: 0.999},  # not tried with 1,000
    }
    frame = analogy_runs(runs)
    return frame.assign(test_balanced=frame.test_accuracy / 2)


def test_label_curves_show_means_and_their_intervals(languages):
    ax = plots.label_curves(languages, "numbers_italian", KEYS, title="By labels")
    assert ax.get_title(loc="left") == "By labels" and ax.get_xscale() == "log"
    counts = [10, 100, 1000]  # without labels there is no place
    assert [[*line.get_xdata()] for line in ax.lines] == [counts, counts, counts[:2]]
    assert ax.lines[0].get_ydata() == pytest.approx([0.3, 0.6, 0.95], abs=1e-3)
    assert [colour(line) for line in ax.lines] == of(*KEYS.values())
    assert [line.get_linestyle() for line in ax.lines] == ["-", "-", "--"]
    assert texts(ax.get_xticklabels()) == ["10", "100", "1,000"]
    rows = evidence.chosen(languages).query("strategy == 'spanish_reversed' and labels == 100")
    found = evidence.paired(rows.test_accuracy, np.zeros(5))
    assert band(ax, 0, 100) == pytest.approx([found.low, found.high])
    assert band(ax, 2, 100)[1] == 1  # no accuracy is higher


def band(ax, curve: int, x: float) -> list[float]:
    """From where to where the band of a curve reaches at ``x``."""
    corners = ax.collections[curve].get_paths()[0].vertices
    heights = corners[np.isclose(corners[:, 0], x)][:, 1]
    return [heights.min(), heights.max()]


def test_each_curve_is_named_beside_its_end_unless_asked_not_to(languages):
    ax = plots.label_curves(languages, "numbers_italian", KEYS)
    assert texts(ax) == ["Spanish reversed", "Nothing", LONGER.capitalize()]
    for line, text in zip(ax.lines, ax.texts, strict=True):
        assert text.xy == pytest.approx(tuple(line.get_xydata()[-1])), text.get_text()
    assert_apart(ax.texts)
    options = {"column": "test_balanced", "named": False}
    bare = plots.label_curves(languages, "numbers_italian", KEYS, **options)
    assert not bare.texts and bare.get_ylabel() == "balanced test accuracy"
    assert 2 * bare.lines[0].get_ydata() == pytest.approx(ax.lines[0].get_ydata())


# effects


def test_differences_show_effect_and_interval_in_points_under_headings():
    found = {"far": None, "a": Interval(0.2, 0.1, 0.3, 5), "b": Interval(0.0, -0.1, 0.1, 5)}
    found["c"] = Interval(-0.2, -0.3, -0.1, 5)
    ax = plots.differences(found, "helps", "hurts")
    bars = [line.get_xdata() for line in ax.lines if len(line.get_xdata()) == 2][1:]
    assert np.allclose(bars, [[10, 30], [-10, 10], [-30, -10]])
    assert xs(ax) == pytest.approx([20, 0, -20])
    assert [line.get_ydata()[0] for line in marks(ax)] == [1, 2, 3]
    assert [colour(line) for line in marks(ax)] == [
        *of("pretrained"), "#555555", *of("from scratch")]  # fmt: skip
    names = ax.get_yticklabels()
    assert texts(names) == [*found] and texts(ax) == ["+20", "+0", "-20"]
    assert [name.get_weight() == "bold" for name in names] == [True, False, False, False]
    assert "left of 0: hurts" in ax.get_xlabel()


def test_a_forest_keeps_a_level_for_each_series():
    one, two = Interval(0.2, 0.1, 0.3, 5), Interval(0.4, 0.3, 0.5, 5)
    looks = {"x": plots.Look("#123456", "s"), "y": plots.Look("#654321", "^", hollow=True)}
    rows = {"both": {"x": one, "y": two}, "none": {}, "second": {"y": two}}
    ax = plots.forest(rows, lambda name, _: looks[name], unit=1, xlabel="share")
    assert xs(ax) == [0.2, 0.4, 0.4] and not ax.texts and ax.get_xlabel() == "share"
    first, second, alone = (line.get_ydata()[0] for line in marks(ax))
    assert first < 0 < second and alone - 2 == pytest.approx(second)
    assert [line.get_markerfacecolor() for line in marks(ax)] == ["#123456", "white", "white"]
    assert all(label.get_weight() == "normal" for label in ax.get_yticklabels())


# stages


def accuracies() -> pandas.DataFrame:
    found = {"pixels": (0.3, 0.3), "stem": (0.95, np.nan), "layer1": (0.5, 0.65)}
    return pandas.DataFrame(found, index=["edges", "objects"])


def test_a_heat_map_is_the_darker_the_further_from_guessing():
    ax = plots.heat_map(accuracies(), chance={"edges": 0.25, "objects": 0.3}, title="Probes")
    assert ax.get_title(loc="left") == "Probes"
    assert texts(ax.get_xticklabels()) == ["pixels", "stem", "layer1"]
    assert texts(ax.get_yticklabels()) == ["edges", "objects"]
    (picture,) = ax.images
    expected = np.array([[0.05 / 0.75, 0.7 / 0.75, 0.25 / 0.75], [0.0, np.nan, 0.5]]) / 1.1
    assert np.allclose(picture.get_array().filled(np.nan), expected, equal_nan=True)
    assert (np.diff(picture.get_cmap()(picture.norm([0.0, 0.5, 0.9])).sum(1)) < 0).all()
    plain = plots.heat_map(accuracies()).images[0].get_array()  # guessing is never right
    assert np.allclose(1.1 * plain[0], [0.3, 0.95, 0.5])


def test_a_heat_map_says_each_number_where_it_belongs():
    half = accuracies() * 0 + 0.02
    ax = plots.heat_map(accuracies(), half, marked=[("edges", "stem"), ("objects", "stem")])
    shown: dict[tuple, list[str]] = {}
    for text in ax.texts:
        x, y = map(round, text.get_position())
        shown.setdefault((x, y), []).append(text.get_text())
    places = {(0, 0): "0.30", (1, 0): "0.95", (2, 0): "0.50", (0, 1): "0.30", (2, 1): "0.65"}
    assert shown == {place: [value, "± 0.02"] for place, value in places.items()}  # one is missing
    (frame,) = ax.patches  # nor is it framed
    assert frame.get_center() == pytest.approx((1, 0)) and not frame.get_fill()
    assert to_hex(frame.get_edgecolor()).upper() == plots.COLOURS["from scratch"]
    inks = {text.get_text(): text.get_color() for text in ax.texts}
    assert inks["0.95"] == "white" and inks["0.30"] == "black"
    assert_apart([*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()])
    bare = plots.heat_map(accuracies())
    assert len(bare.texts) == 5 and not bare.patches


STAGES = ("stem", "layer1", "layer2")
TASKS = ("satellite", "leaves", "digits", "pneumonia", "pacs_photo", "materials")


def seeds(*means: float) -> pandas.DataFrame:
    """A row a seed, a column a stage."""
    rows = {
        stage: mean + 0.01 * np.arange(-2, 3) for stage, mean in zip(STAGES, means, strict=True)
    }
    return pandas.DataFrame(rows)


def test_curves_by_stage_show_means_and_intervals():
    curves = {"pretrained": seeds(0.3, 0.6, 0.99), "random": seeds(0.3, 0.3, 0.2)}
    ax = plots.by_stage(curves, "accuracy", chance=0.25, title="Leaves")
    assert ax.get_title(loc="left") == "Leaves" and ax.get_ylabel() == "accuracy"
    assert texts(ax.get_xticklabels()) == [*STAGES]
    for line, table in zip(ax.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == [0, 1, 2]
        assert line.get_ydata() == pytest.approx(table.mean().to_numpy())
    expected = evidence.paired(curves["pretrained"].layer1, np.zeros(5))
    assert band(ax, 0, 1) == pytest.approx([expected.low, expected.high])
    assert band(ax, 0, 2)[1] == 1
    (guessing,) = (c for c in ax.collections if hasattr(c, "get_segments"))
    assert guessing.get_segments()[0].tolist() == [[0, 0.25], [2, 0.25]]
    assert ax.get_ylim() == (0, 1.02) and texts(ax) == ["guessing", "pretrained", "random"]


def test_curves_by_stage_may_be_no_accuracies():
    ax = plots.by_stage({"near: satellite": seeds(1.5, 2.5, 4.0)}, "weights moved")
    assert "guessing" not in texts(ax) and ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 4
    below = plots.by_stage({"near: satellite": seeds(-0.3, 0.1, 0.2)}, "difference")
    assert below.get_ylim()[0] < -0.3
    assert [0, 0] in [[*line.get_ydata()] for line in below.lines]  # a line at zero
    alone = plots.by_stage({"digits": seeds(0.1, 0.2, 0.3)[:1]}, "one seed")
    assert alone.lines[0].get_ydata() == pytest.approx([0.08, 0.18, 0.28])
    assert plots.png(plots.by_stage({}, "change").figure)


def test_curves_without_a_colour_of_their_own_can_be_told_apart():
    curves = {name: seeds(0.1, 0.2, 0.3 + 0.1 * i) for i, name in enumerate(TASKS)}
    curves |= {"pretrained: all": seeds(0.1, 0.2, 0.25), "random": seeds(0.1, 0.2, 0.1)}
    ax = plots.by_stage(curves, "change")
    lines = [colour(line) for line in ax.lines]
    assert len({*lines}) == len(curves) and lines[-2:] == of("pretrained", "random")
    assert not {*lines[:-2]} & {*of(*plots.COLOURS)}  # a colour means one thing
    assert [colour(text) for text in ax.texts] == lines
    bands = [to_hex(shade.get_facecolor()[0]).upper() for shade in ax.collections]
    assert bands == lines and texts(ax) == [*curves]
    more = plots.by_stage({f"task {i}": seeds(0.1, 0.2, 0.1 + 0.1 * i) for i in range(9)}, "change")
    assert len(more.lines) == 9 and colour(more.lines[6]) == colour(more.lines[0])


@pytest.mark.parametrize("ends", [(0.9, 0.9, 0.9, 0.9), (0.5, 0.49, 0.51, 0.1), (0, 0, 1, 1)])
@pytest.mark.parametrize("chance", [None, 0.25])
def test_labels_of_curves_by_stage_do_not_overlap(ends, chance):
    curves = {name: seeds(0.5, 0.5, end) for name, end in zip(TASKS, ends, strict=False)}
    ax = plots.by_stage(curves, "change", chance=chance)
    assert_apart([*ax.texts, *ax.get_xticklabels()])


# pictures


def test_contact_sheet_puts_each_class_in_its_row():
    labels = torch.arange(12) % 3
    pictures = (labels * 100).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    ax = plots.contact_sheet(pictures, labels, ["a", "b", "under $5_{ or $6"], columns=5)
    sheet = ax.images[0].get_array()
    assert texts(ax.get_yticklabels()) == ["a", "b", "under $5_{ or $6"]  # no formula
    for row, y in enumerate(ax.get_yticks()):
        assert (sheet[int(y), :16] == row * 100).all()
    assert (sheet[:, -16:] == 255).all() and sheet.shape == (52, 88, 3)  # four of each there are
    assert plots.png(ax.get_figure())
    alone = plots.contact_sheet(pictures[:1], labels[:1], ["a"], columns=1)
    assert alone.images[0].get_array().shape == (16, 16, 3)


@pytest.mark.parametrize("pictures", [torch.rand(4, 3, 8, 8), torch.zeros(4, 3, 4, 8).byte()])
def test_contact_sheet_refuses_what_it_cannot_show(pictures):
    with pytest.raises(store.BadInput, match="a contact sheet shows"):
        plots.contact_sheet(pictures, torch.zeros(4, dtype=torch.int64), ("a",))


def test_gallery_shows_rows_of_pictures():
    flat = torch.arange(6, dtype=torch.uint8).view(-1, 1, 1, 1).mul(40).expand(6, 3, 64, 64)
    rows = {"stem": flat, "layer1": flat[:2] + 5}
    ax = plots.gallery(rows, {"stem": ["a", "b", "c", "d"], "layer1": ["e", "f"]})
    sheet = ax.images[0].get_array()
    assert sheet.shape == (2 * 154 - 6, 4 * 134 - 6, 3)
    assert [int(sheet[60, 134 * i + 60, 0]) for i in range(4)] == [0, 40, 80, 120]
    second = int(ax.get_yticks()[1])
    assert [int(sheet[second, 134 * i + 60, 0]) for i in range(4)] == [5, 45, 255, 255]
    assert texts(ax.get_yticklabels()) == ["stem", "layer1"] and texts(ax) == [*"abcdef"]
    given = plots.axes()
    assert plots.gallery({"x": flat}, columns=2, zoom=1, ax=given) is given
    assert given.images[0].get_array().shape == (64, 134, 3)


def test_a_gallery_of_all_stages_fits_a_notebook():
    chosen = [5, 9, 20, 21]
    stages = ("stem", *(f"layer{i}" for i in range(1, 5)))
    rows = {stage: features.stored_preferred(stage).pictures[chosen] for stage in stages}
    figure = plots.gallery(rows, dict.fromkeys(rows, [*map(str, chosen)])).get_figure()
    encoded = plots.png(figure)
    assert len(encoded) < 150_000
    shown, sheet = np.array(Image.open(io.BytesIO(encoded))), figure.axes[0].images[0].get_array()
    # no pixel is blended with its neighbour
    assert (shown[6:134, -6 - sheet.shape[1] : -6] == sheet[:128]).mean() > 0.99


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"a": torch.zeros(2, 3, 8, 8)},
        {"a": torch.zeros(2, 3, 8, 9).byte()},
        {"a": torch.zeros(3, 8, 8).byte()},
        {"a": torch.zeros(2, 3, 8, 8).byte(), "b": torch.zeros(2, 3, 4, 4).byte()},
    ],
)
def test_gallery_refuses(rows):
    with pytest.raises(store.BadInput, match="a gallery shows"):
        plots.gallery(rows)


def test_photographs_stand_under_their_captions():
    first, second = (torch.full((3, 4, 4), value).byte() for value in (10, 20))
    figure = plots.photographs([{"a": first, "b": first}, {"a": second, "c": first}], "Pairs")
    assert titles(figure) == ["a", "b", "a", "c"] and figure.get_suptitle() == "Pairs"
    shown = [int(ax.images[0].get_array()[0, 0, 0]) for ax in figure.axes]
    assert shown == [10, 10, 20, 10]


# a chart that stays


def test_marks_come_and_go_above_those_that_are_laid():
    still = plots.Still(plots.axes(2, 2))

    def mark(x: float) -> list:
        return still.ax.plot(x, 0.5, "o", color="black")

    bare = still.png([])
    first = still.png(mark(0.2))
    assert first.startswith(b"\x89PNG") and first != bare and not still.ax.lines
    assert still.png([]) == bare and still.png(mark(0.2)) == first
    still.lay(mark(0.2))
    assert still.png([]) == first and still.png(mark(0.8)) not in (first, bare)
    still.lay([])
    assert still.png([]) == bare


@pytest.mark.parametrize(
    ("kind", "start"), [(plots.jpeg, b"\xff\xd8"), (plots.small_png, b"\x89PNG")]
)
def test_pictures_come_in_small_files(kind, start):
    ax = plots.axes(3, 3)
    ax.imshow(np.random.default_rng(0).random((99, 99, 3)))
    encoded, large = kind(ax.figure), plots.png(ax.figure)
    assert encoded.startswith(start) and len(encoded) < len(large)
    assert Image.open(io.BytesIO(encoded)).size == Image.open(io.BytesIO(large)).size
