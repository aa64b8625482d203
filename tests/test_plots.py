import numpy as np
import pandas
import pytest
import torch
from matplotlib.colors import to_hex

from tl_course import evidence, plots, store
from tl_course.evidence import Interval
from tl_course.lessons.analogy import charts as analogy_charts
from tl_course.lessons.forgetting import charts as forgetting_charts
from tl_course.lessons.forgetting import rules as forgetting_rules
from tl_course.lessons.start_here import charts as start_here_charts
from tl_course.plots.style import colour_of


def test_nothing_opens_a_window_and_ax_is_respected():
    import inspect

    assert "pyplot" not in inspect.getsource(plots)
    ax = plots.axes()
    assert plots.learning_curves({"fine-tuning": [0.1, 0.5]}, ax=ax) is ax


def test_contact_sheet_puts_each_class_in_its_row():
    labels = torch.arange(12) % 3
    pictures = (labels * 100).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    ax = plots.contact_sheet(pictures, labels, ["a", "b", "c"], columns=4)
    sheet = ax.images[0].get_array()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    for row, y in enumerate(ax.get_yticks()):
        assert (sheet[int(y), :16] == row * 100).all()


def test_learning_curves_plot_the_values_and_labels_do_not_touch():
    ax = plots.learning_curves({"fine-tuning": [0.2, 0.61], "from scratch": [0.2, 0.60]})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.2, 0.61], [0.2, 0.60]]
    heights = sorted(text.xy[1] for text in ax.texts)
    assert heights == pytest.approx([0.60, 0.60 + 0.3 / 3.8])
    assert [text.get_text() for text in ax.texts] == ["fine-tuning  0.61", "from scratch  0.60"]
    low = plots.learning_curves({"pretrained: a": [0.6], "nothing": [0.6]}, ax=plots.axes(8.0, 2.3))
    low.figure.draw_without_rendering()
    first, second = (text.get_window_extent() for text in low.texts)
    assert not first.overlaps(second)  # though the axes are low


def test_runs_show_every_seed():
    frame = evidence.load("sweep_pictures")
    ax = plots.runs(frame, [("leaves", 200), ("satellite", 200)])
    shown = np.concatenate([c.get_offsets()[:, 0] for c in ax.collections])
    rows = evidence.chosen(frame).query(
        "task in ['leaves', 'satellite'] and labels == 200"
        " and strategy in ['fine-tuning', 'from scratch']"
    )
    assert sorted(shown) == pytest.approx(sorted(rows.test_balanced))


def test_differences_show_effect_and_interval_in_points():
    ax = plots.differences(
        {"a": Interval(0.2, 0.1, 0.3, 5), "b": Interval(0.0, -0.1, 0.1, 5)}, "+", "-"
    )
    assert ax.lines[0].get_xdata() == pytest.approx([10, 30])
    assert ax.lines[1].get_xdata() == pytest.approx([20])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_answers_reuse_a_figure():
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    opinions = {"fine-tuning": torch.tensor([0.7, 0.3]), "from scratch": torch.tensor([0.5, 0.5])}
    figure = start_here_charts.answers(picture, opinions, ["a", "b"], truth=1)
    first = plots.png(figure)
    assert start_here_charts.answers(picture, opinions, ["a", "b"], 1, figure) is figure
    assert plots.png(figure) == first and first.startswith(b"\x89PNG")


def test_show_carries_alt_text(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: seen.update(data, metadata=metadata)
    )
    plots.show(plots.axes(), alt="An empty chart.")
    assert seen["text/plain"] == "An empty chart."
    assert seen["metadata"] == {"image/png": {"alt": "An empty chart."}}


def test_colours_mean_one_thing():
    assert plots.COLOURS["fine-tuning"] == plots.COLOURS["pretrained"]
    groups = ("pretrained", "from scratch", "frozen", "random")
    assert len({plots.COLOURS[g] for g in groups}) == 4


def test_contact_sheet_refuses_what_it_cannot_show():
    pictures, labels = torch.rand(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(store.BadInput, match="uint8"):
        plots.contact_sheet(pictures, labels, ("a",))
    with pytest.raises(store.BadInput, match="uint8"):
        plots.contact_sheet(pictures[:, :, :4].byte(), labels, ("a",))


def test_class_names_are_not_formulas():
    picture = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    ax = plots.contact_sheet(picture, torch.zeros(1, dtype=torch.int64), ("under $5_{ or $6",))
    assert plots.png(ax.get_figure())
    shown = start_here_charts.answers(picture[0], {"pretrained": torch.ones(1)}, ("$5_{ $",), 0)
    assert plots.png(shown)


def labels(ax) -> list[str]:
    return [text.get_text().lower() for text in ax.texts]


def colour(line) -> str:
    return to_hex(line.get_color()).upper()


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("new job: Italian", "new job"),
        ("old job, rate 0.001", "old job"),
        ("LoRA, rank 4", "LoRA"),
        ("probe on random backbone", "probe on random backbone"),
        ("nothing", "nothing"),
    ],
)
def test_a_label_begins_with_the_name_of_its_colour(label, name):
    assert colour_of(label) == plots.COLOURS[name]


def test_the_longest_name_gives_the_colour(monkeypatch):
    monkeypatch.setitem(plots.COLOURS, "nothing at all", "#123456")
    assert colour_of("nothing at all") == "#123456"
    assert colour_of("nothing at noon") == plots.COLOURS["nothing"]
    assert colour_of("something") is None and colour_of("") is None


def test_learning_curves_can_begin_before_the_first_step():
    curves = {"new job: Italian": [0.1, 0.5, 0.8], "old job: Spanish": [0.9, 0.6, 0.4]}
    ax = plots.learning_curves(curves, chance=0.05, xlabel="steps / 8", first=0)
    assert ax.get_xlabel() == "steps / 8"
    assert [line.get_xdata().tolist() for line in ax.lines] == [[0, 1, 2]] * 2
    assert [colour(line) for line in ax.lines] == [
        plots.COLOURS["new job"].upper(),
        plots.COLOURS["old job"].upper(),
    ]
    (guessing,) = ax.collections
    assert guessing.get_segments()[0][:, 0].tolist() == [0, 2]
    assert plots.learning_curves(curves).lines[0].get_xdata().tolist() == [1, 2, 3]
    sparse = plots.learning_curves(curves, chance=0.05, first=0, every=8)
    assert [line.get_xdata().tolist() for line in sparse.lines] == [[0, 8, 16]] * 2
    assert sparse.collections[0].get_segments()[0][:, 0].tolist() == [0, 16]
    assert {text.xy[0] for text in sparse.texts if hasattr(text, "xy")} == {16}
    assert "epoch" in plots.learning_curves(curves).get_xlabel()


def test_training_that_ended_at_once_has_no_curve():
    ax = plots.learning_curves({"fine-tuning": [], "from scratch": [0.5]}, first=0)
    assert len(ax.lines) == 1 and plots.png(ax.get_figure())


LONGER = "nothing, four times as long"


@pytest.fixture
def languages(analogy_runs):
    return analogy_runs(
        {
            "spanish_reversed": {0: 0.01, 10: 0.3, 100: 0.6, 1000: 0.95},
            "nothing": {0: 0.0, 10: 0.1, 100: 0.2, 1000: 0.94},
            LONGER: {0: 0.0, 10: 0.1, 100: 0.999},  # not tried with 1,000
        }
    )


def test_label_curves_show_means_and_their_intervals(languages):
    keys = {"spanish_reversed": "made on purpose", "nothing": "nothing", LONGER: "nothing"}
    ax = plots.label_curves(languages, "numbers_italian", keys, title="By labels")
    assert ax.get_title(loc="left") == "By labels" and ax.get_xscale() == "log"
    spanish, nothing, longer = ax.lines
    for line, shown in zip(ax.lines, ([10, 100, 1000], [10, 100, 1000], [10, 100]), strict=True):
        assert line.get_xdata().tolist() == shown  # without labels there is no place
    assert spanish.get_ydata() == pytest.approx([0.3, 0.6, 0.95], abs=1e-3)
    assert colour(spanish) == plots.COLOURS["made on purpose"].upper()
    assert colour(nothing) == colour(longer) and nothing.get_linestyle() == "-"
    assert longer.get_linestyle() == "--"
    assert labels(ax) == ["spanish reversed", "nothing", LONGER]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["10", "100", "1,000"]
    rows = evidence.chosen(languages).query("strategy == 'spanish_reversed' and labels == 100")
    found = evidence.paired(rows.test_accuracy, np.zeros(5))
    bands = [band.get_paths()[0].vertices for band in ax.collections]
    heights = bands[0][np.isclose(bands[0][:, 0], 100)][:, 1]
    assert [heights.min(), heights.max()] == pytest.approx([found.low, found.high])
    assert all((band[:, 1] >= 0).all() and (band[:, 1] <= 1).all() for band in bands)
    ends = sorted(text.xyann[1] for text in ax.texts)
    assert min(np.diff(ends)) > 0.07
    assert plots.png(ax.get_figure())


def test_the_name_of_a_curve_points_to_its_end(languages):
    keys = {"spanish_reversed": "made on purpose", "nothing": "nothing", LONGER: "nothing"}
    ax = plots.label_curves(languages, "numbers_italian", keys)
    for line, text in zip(ax.lines, ax.texts, strict=True):
        assert text.xy == pytest.approx(tuple(line.get_xydata()[-1])), text.get_text()


@pytest.fixture
def forgotten(forgetting_runs):
    rates = (1e-4, 1e-3, 1e-2)
    kept = {
        ("fine-tuning", "", 0): [(0.2, 0.98), (0.9, 0.6), (0.6, 0.0)],
        ("fine-tuning", "letters", 0): [(0.1, 0.99), (0.7, 0.7), (0.5, 0.1)],
        ("rehearsal", "", 10): [(0.2, 0.99), (0.8, 0.9), (0.6, 0.3)],
        ("rehearsal", "", 30): [(0.2, 0.99), (0.85, 0.97), (0.6, 0.5)],
        ("LoRA", "", 4): [(0.1, 0.99), (0.5, 0.9), (0.8, 0.6)],
    }
    return forgetting_runs(
        {
            ("reader", *setting): dict(zip(rates, found, strict=True))
            for setting, found in kept.items()
        }
    )


def test_accuracies_by_rate(forgotten):
    rows = forgetting_rules.tuned(forgotten, "reader", "fine-tuning")
    names = {"new job: Italian": "test_accuracy", "old job: Spanish": "source_accuracy"}
    ax = forgetting_charts.by_rate(rows, names, title="The price")
    new, old = (line for line in ax.lines if len(line.get_xdata()) == 3)
    for line, column in ((new, "test_accuracy"), (old, "source_accuracy")):
        assert line.get_xdata().tolist() == [1e-4, 1e-3, 1e-2]
        assert line.get_ydata() == pytest.approx(rows.groupby("lr")[column].mean().to_numpy())
    assert colour(new) == plots.COLOURS["new job"].upper()
    assert colour(old) == plots.COLOURS["old job"].upper()
    assert ax.get_xscale() == "log" and labels(ax) == [name.lower() for name in names]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0.0001", "0.001", "0.01"]
    assert plots.png(ax.get_figure())


def test_the_old_job_before_is_a_dotted_line(forgotten):
    rows = forgetting_rules.tuned(forgotten, "reader", "fine-tuning")
    ax = forgetting_charts.by_rate(rows, {"old job: Spanish": "source_accuracy"}, before=0.99)
    (before,) = (line for line in ax.lines if line.get_linestyle() == ":")
    assert set(before.get_ydata()) == {0.99}


def test_a_trade_shows_every_setting(forgotten):
    ways = ("fine-tuning", "frozen", "rehearsal", "LoRA")
    ax = forgetting_charts.tradeoff(forgotten, ways, "Spanish kept", "Italian learnt")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Italian learnt", "Spanish kept")
    shown = np.concatenate([line.get_xydata() for line in ax.lines])
    keys = ["strategy", "frozen", "strength", "lr"]
    means = forgotten.groupby(keys, dropna=False)[["test_accuracy", "source_accuracy"]].mean()
    assert sorted(map(tuple, shown.round(6))) == sorted(map(tuple, means.to_numpy().round(6)))
    points = {colour(line): 0 for line in ax.lines}
    for line in ax.lines:
        points[colour(line)] += len(line.get_xdata())
    assert points[plots.COLOURS["frozen"].upper()] == 3
    assert points[plots.COLOURS["rehearsal"].upper()] == 6
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [*ways]
    (joined,) = (line for line in ax.lines if line.get_linestyle() == "-")
    assert joined.get_xdata() == pytest.approx([0.2, 0.9, 0.6], abs=1e-3)  # by rising rate
    assert labels(ax) == ["0.0001", "0.001", "0.01"]
    assert plots.png(ax.get_figure())


def test_a_trade_without_a_frozen_run(forgotten):
    frame = forgotten[forgotten.frozen.isna()].assign(frozen="")
    ax = forgetting_charts.tradeoff(frame, ["rehearsal"], "kept", "learnt")
    assert sum(len(line.get_xdata()) for line in ax.lines) == 6


def test_named_points_carry_their_interval_in_points():
    points = {
        "spanish": (0.55, Interval(0.3, 0.2, 0.45, 10)),
        "spanish_reversed": (0.3, Interval(-0.1, -0.2, 0.0, 10)),
    }
    kinds = {"spanish": "related language", "spanish_reversed": "made on purpose"}
    ax = analogy_charts.scatter(points, kinds, "likeness", "gain", title="Both")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("likeness", "gain")
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_alpha()]
    assert [bar.get_ydata() for bar in bars] == [
        pytest.approx([20, 45]),
        pytest.approx([-20, 0]),
    ]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [dot.get_xydata()[0].tolist() for dot in dots] == [
        pytest.approx([0.55, 30]),
        pytest.approx([0.3, -10]),
    ]
    assert [colour(dot) for dot in dots] == [
        plots.COLOURS["related language"].upper(),
        plots.COLOURS["made on purpose"].upper(),
    ]
    assert labels(ax) == ["spanish", "spanish reversed"]
    assert plots.png(ax.get_figure())


def test_names_stand_beside_their_points_and_cover_none():
    ax = plots.axes(8.0, 4.8)
    rng = np.random.default_rng(1)
    points = {f"language {i}": tuple(rng.uniform(0.1, 0.9, 2)) for i in range(14)}
    for place in points.values():
        ax.plot(*place, "o")
    ax.set_xlim(0, 1)
    ax.set_ylim(0, 1)
    analogy_charts._name_points(ax, points, dict.fromkeys(points, "black"))
    assert labels(ax) == [*points]  # one label a point; those tried and dropped are gone
    ax.figure.draw_without_rendering()
    boxes = [text.get_window_extent().extents for text in ax.texts]
    for index, (box, (name, place)) in enumerate(zip(boxes, points.items(), strict=True)):
        x, y = ax.transData.transform(place)
        assert abs((box[0] + box[2]) / 2 - x) < 100 and abs((box[1] + box[3]) / 2 - y) < 40, name
        assert not box[0] < x < box[2] or not box[1] < y < box[3], name
        for other in boxes[:index]:
            assert analogy_charts._shared(box, other) < 0.2 * analogy_charts._shared(box, box), name
    frame = ax.get_window_extent()
    assert all(box[0] >= frame.x0 and box[2] <= frame.x1 for box in boxes)


def test_boxes_share_what_lies_in_both():
    assert analogy_charts._shared((0, 0, 2, 2), (1, 1, 4, 4)) == 1
    assert analogy_charts._shared((0, 0, 2, 2), (0, 0, 2, 2)) == 4
    assert analogy_charts._shared((0, 0, 2, 2), (3, 0, 4, 2)) == analogy_charts._shared(
        (0, 0, 1, 1), (5, 5, 6, 6)
    )


RATES = [1e-4, 1e-3, 1e-2, 1e-1]


def test_a_rate_finder_draws_as_far_as_it_came():
    losses = {"pretrained": [5.0, 4.0, 1.0, 12.0], "from scratch": [10.0, 10.0, 9.0]}
    ax = forgetting_charts.rate_finder(RATES, losses, title="Finder")
    assert [line.get_xdata().tolist() for line in ax.lines] == [RATES, RATES[:3]]
    assert [line.get_ydata().tolist() for line in ax.lines] == [*losses.values()]
    assert ax.get_xscale() == "log" and ax.get_ylim()[1] == 15
    assert labels(ax) == [*losses]
    assert [text.xy for text in ax.texts] == [(1e-2, 1.0), (1e-2, 9.0)]
    assert plots.png(ax.get_figure())


@pytest.mark.parametrize(
    "values", [[5.0], [5.0, 5.0, 5.0], [5.0, 6.0, 11.0], [5.0, float("inf")], [5.0, 4.0, np.nan]]
)
def test_a_rate_finder_whose_loss_never_falls(values):
    ax = forgetting_charts.rate_finder(RATES, {"pretrained": values})
    assert labels(ax) == ["pretrained"] and plots.png(ax.get_figure())


def probabilities(*numbers: int) -> torch.Tensor:
    """What a reader says that is sure of ``numbers``, one after each letter: (L, 4, 10)."""
    digits = torch.tensor([[int(digit) for digit in f"{number:04d}"] for number in numbers])
    return 0.9 * torch.nn.functional.one_hot(digits, 10) + 0.01


def test_reading_shows_the_likeliest_digit_after_each_letter():
    opinions = {"pretrained: Spanish": probabilities(9, 42, 7), "mine": probabilities(1, 1, 1000)}
    figure = analogy_charts.reading("a b", opinions)
    first, second = figure.axes
    assert first.get_title(loc="left") == "pretrained: Spanish → 7"  # no zeros in front
    assert second.get_title(loc="left") == "mine → 1000"
    darkest = [to_hex(ax.images[0].get_cmap()(1.0)).upper() for ax in (first, second)]
    assert darkest == [plots.COLOURS["pretrained"], "#555555"]  # grey: no colour has this name
    assert [tick.get_text() for tick in first.get_xticklabels()] == ["a", "␣", "b"]
    assert [tick.get_text() for tick in first.get_yticklabels()][0] == "thousands"
    grid = {text.get_position(): text.get_text() for text in first.texts}
    shown = ["".join(grid[column, row] for row in range(4)) for column in range(3)]
    assert shown == ["0009", "0042", "0007"]
    before = plots.png(figure)
    assert before.startswith(b"\x89PNG")
    assert analogy_charts.reading("a b", opinions, figure) is figure
    assert plots.png(figure) == before
    longer = {name: values.repeat(9, 1, 1) for name, values in opinions.items()}
    analogy_charts.reading("a b" * 9, longer, figure)
    assert len(figure.axes) == 2 and plots.png(figure) != before


def test_reading_zero_says_zero():
    figure = analogy_charts.reading("o", {"nothing": probabilities(0)})
    assert figure.axes[0].get_title(loc="left") == "nothing → 0"


@pytest.mark.parametrize("text", ["$x$", "\\frac{1}", "<b>", "%s"])
def test_what_is_read_is_no_formula(text):
    opinions = {"$a_{ reader": probabilities(*range(len(text)))}
    assert plots.png(analogy_charts.reading(text, opinions))


def accuracies() -> pandas.DataFrame:
    found = {"pixels": (0.3, 0.3), "stem": (0.95, np.nan), "layer1": (0.5, 0.65)}
    return pandas.DataFrame(found, index=["edges", "objects"])


def test_a_heat_map_is_the_darker_the_further_from_guessing():
    ax = plots.heat_map(accuracies(), chance={"edges": 0.25, "objects": 0.3}, title="Probes")
    assert ax.get_title(loc="left") == "Probes"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["pixels", "stem", "layer1"]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["edges", "objects"]
    (picture,) = ax.images
    expected = [[0.05 / 0.75, 0.7 / 0.75, 0.25 / 0.75], [0.0, np.nan, 0.5]]
    assert np.allclose(picture.get_array().filled(np.nan), expected, equal_nan=True)
    light = picture.get_cmap()(picture.norm([0.0, 0.5, 0.9])).sum(1)
    assert (np.diff(light) < 0).all()
    plain = plots.heat_map(accuracies())  # guessing is never right
    assert plain.images[0].get_array()[0].tolist() == [0.3, 0.95, 0.5]


def test_a_heat_map_says_each_number_where_it_belongs():
    half = pandas.DataFrame(0.02, index=["edges", "objects"], columns=["pixels", "stem", "layer1"])
    ax = plots.heat_map(accuracies(), half, marked=[("edges", "stem"), ("objects", "stem")])
    shown = {}
    for text in ax.texts:
        x, y = text.get_position()
        shown.setdefault((round(y), round(x)), []).append(text.get_text())
    assert shown == {
        (0, 0): ["0.30", "± 0.02"],
        (0, 1): ["0.95", "± 0.02"],
        (0, 2): ["0.50", "± 0.02"],
        (1, 0): ["0.30", "± 0.02"],
        (1, 2): ["0.65", "± 0.02"],  # nothing stands where nothing was measured
    }
    (frame,) = ax.patches  # nor is it framed
    assert frame.get_x() + frame.get_width() / 2 == pytest.approx(1)
    assert frame.get_y() + frame.get_height() / 2 == pytest.approx(0)
    assert (
        not frame.get_fill()
        and to_hex(frame.get_edgecolor()).upper() == (plots.COLOURS["from scratch"])
    )
    inks = {text.get_text(): text.get_color() for text in ax.texts}
    assert inks["0.95"] == "white" and inks["0.30"] == "black"
    bare = plots.heat_map(accuracies())
    assert len(bare.texts) == 5 and not bare.patches


def test_the_texts_of_a_heat_map_cover_nothing():
    stages = ["pixels", "stem", *(f"layer{i}" for i in range(1, 5))]
    rows = ["edges", "corners", "textures", "parts", "objects"]
    values = pandas.DataFrame(np.linspace(0, 1, 30).reshape(5, 6), index=rows, columns=stages)
    ax = plots.heat_map(values, values / 10, title="Pretrained")
    assert_apart([*ax.texts, *ax.get_xticklabels(), *ax.get_yticklabels()])
    assert plots.heat_map(values, ax=ax) is ax and plots.png(ax.figure)


def assert_apart(texts) -> None:
    """None of ``texts`` covers another, or leaves the picture."""
    figure = texts[0].get_figure()
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in texts]
    for index, box in enumerate(boxes):
        name = texts[index].get_text()
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1, name
        for other, text in zip(boxes[:index], texts, strict=False):
            assert not box.overlaps(other), (name, text.get_text())


STAGES = ("stem", "layer1", "layer2")


def seeds(*means: float, by: float = 0.01) -> pandas.DataFrame:
    """A row a seed, a column a stage."""
    rows = {stage: mean + by * np.arange(-2, 3) for stage, mean in zip(STAGES, means, strict=True)}
    return pandas.DataFrame(rows)


def test_curves_by_stage_show_means_and_intervals():
    curves = {"pretrained": seeds(0.3, 0.6, 0.99), "random": seeds(0.3, 0.3, 0.2)}
    ax = plots.by_stage(curves, "accuracy", chance=0.25, title="Leaves")
    assert ax.get_title(loc="left") == "Leaves" and ax.get_ylabel() == "accuracy"
    assert [tick.get_text() for tick in ax.get_xticklabels()] == [*STAGES]
    for line, table in zip(ax.lines, curves.values(), strict=True):
        assert line.get_xdata().tolist() == [0, 1, 2]
        assert line.get_ydata() == pytest.approx(table.mean().to_numpy())
    corners = ax.collections[0].get_paths()[0].vertices
    middle = corners[np.isclose(corners[:, 0], 1)][:, 1]
    expected = evidence.paired(curves["pretrained"].layer1, np.zeros(5))
    assert [middle.min(), middle.max()] == pytest.approx([expected.low, expected.high])
    assert corners[:, 1].max() == 1  # no accuracy is higher
    (guessing,) = (c for c in ax.collections if hasattr(c, "get_segments"))
    assert guessing.get_segments()[0].tolist() == [[0, 0.25], [2, 0.25]]
    assert ax.get_ylim() == (0, 1.02) and labels(ax) == ["guessing", "pretrained", "random"]
    assert plots.by_stage(curves, "accuracy", ax=ax) is ax


def test_curves_by_stage_may_be_no_accuracies():
    ax = plots.by_stage({"near: satellite": seeds(1.5, 2.5, 4.0)}, "weights moved")
    assert "guessing" not in labels(ax)
    assert ax.get_ylim()[0] == 0 and ax.get_ylim()[1] > 4
    below = plots.by_stage({"near: satellite": seeds(-0.3, 0.1, 0.2)}, "difference")
    assert below.get_ylim()[0] < -0.3
    assert [0, 0] in [[*line.get_ydata()] for line in below.lines]  # a line at zero
    alone = plots.by_stage({"digits": seeds(0.1, 0.2, 0.3)[:1]}, "one seed")
    assert alone.lines[0].get_ydata() == pytest.approx([0.08, 0.18, 0.28])
    assert plots.png(alone.figure)


TASKS = ("satellite", "leaves", "digits", "pneumonia", "pacs_photo", "materials")


def test_curves_without_a_colour_of_their_own_can_be_told_apart():
    curves = {name: seeds(0.1, 0.2, 0.3 + 0.1 * i) for i, name in enumerate(TASKS)}
    curves |= {"pretrained: all": seeds(0.1, 0.2, 0.25), "random": seeds(0.1, 0.2, 0.1)}
    ax = plots.by_stage(curves, "change")
    lines = [colour(line) for line in ax.lines]
    assert len({*lines}) == len(curves)
    assert lines[-2:] == [plots.COLOURS["pretrained"], plots.COLOURS["random"]]
    meant = {shade.upper() for shade in plots.COLOURS.values()}
    assert not {*lines[:-2]} & meant  # a colour means one thing
    assert [to_hex(text.get_color()).upper() for text in ax.texts] == lines
    bands = [to_hex(shade.get_facecolor()[0]).upper() for shade in ax.collections]
    assert bands == lines
    assert labels(ax) == [*curves]


def test_more_curves_than_colours_are_drawn():
    curves = {f"task {i}": seeds(0.1, 0.2, 0.1 * i) for i in range(1, 10)}
    ax = plots.by_stage(curves, "change")
    assert len(ax.lines) == 9 and colour(ax.lines[6]) == colour(ax.lines[0])
    assert all(
        to_hex(text.get_color()).upper() == colour(line)
        for text, line in zip(ax.texts, ax.lines, strict=True)
    )


@pytest.mark.parametrize("ends", [(0.9, 0.9, 0.9, 0.9), (0.5, 0.49, 0.51, 0.1), (0, 0, 1, 1)])
@pytest.mark.parametrize("chance", [None, 0.25])
def test_labels_of_curves_by_stage_do_not_overlap(ends, chance):
    curves = {name: seeds(0.5, 0.5, end) for name, end in zip(TASKS, ends, strict=False)}
    ax = plots.by_stage(curves, "change", chance=chance)
    assert_apart([*ax.texts, *ax.get_xticklabels()])


def test_no_curve_by_stage_is_an_empty_chart():
    assert plots.png(plots.by_stage({}, "change").figure)
