import numpy as np
import pytest
from drawn import assert_apart, colour, key, marks, texts, titles, xs
from matplotlib.colors import to_hex

from tl_course import evidence, plots, store
from tl_course.lessons.labels import charts

COUNTS = (25, 50, 100, 200, 500, 1000)
# accuracy with COUNTS; from scratch needs ten times the labels of fine-tuning
CURVES = {"fine-tuning": (0.4, 0.5, 0.6, 0.7, 0.8, 0.85), "head alone": (0.5,) * 6,
          "from scratch": (0.2, 0.25, 0.3, 0.36, 0.5, 0.6)}  # fmt: skip
KEYS = {name: name for name in CURVES}
TARGETS = {"leaves": "leaves", "digits": "handwritten digits"}


@pytest.fixture(scope="module")
def frame(freezing_runs):
    points = {count: {n: means[i] for n, means in CURVES.items()} for i, count in enumerate(COUNTS)}
    return freezing_runs({(task, count): points[count] for task in TARGETS for count in COUNTS})


def test_a_panel_for_each_target(frame):
    guess = {"leaves": 0.2, "digits": 0.1}
    figure = charts.by_target(frame, TARGETS, KEYS, guess, "By labels")
    assert titles(figure) == [*TARGETS.values()] and key(figure) == [*CURVES]
    for chance, ax in zip(guess.values(), figure.axes, strict=True):
        *curves, dotted = ax.lines
        for line, (name, means) in zip(curves, CURVES.items(), strict=True):
            assert [*line.get_xdata()] == [*COUNTS] and colour(line) == plots.COLOURS[name].upper()
            assert line.get_ydata() == pytest.approx(means)  # balanced, not plain, accuracy
        assert {*dotted.get_ydata()} == {chance} and not ax.texts
    assert texts(figure.axes[0].get_xticklabels()) == ["25", "100", "500"]


def test_differences_by_labels_are_paired(frame):
    ax = charts.gains_by_labels(frame, TARGETS).axes[0]
    runs = evidence.Runs(frame[frame.task == "leaves"])
    found = [runs.compare("fine-tuning", "from scratch", labels=count) for count in COUNTS]
    shown = [line.get_xydata()[0] for line in marks(ax)]
    assert np.allclose(shown, [*zip(COUNTS, (100 * one.effect for one in found), strict=True)])
    bars = [line.get_ydata() for line in ax.lines if line.get_alpha()]
    assert np.allclose(bars, [[100 * one.low, 100 * one.high] for one in found])
    same = charts.gains_by_labels(frame, TARGETS, "frozen to layer2", "frozen to layer1").axes[0]
    assert {mark.get_markerfacecolor() for mark in marks(same)} == {"white"}  # it cannot be told


def test_accuracy_by_epoch():
    frame = evidence.load("sweep_epochs")
    figure = charts.by_epoch(frame, TARGETS)
    for task, ax in zip(TARGETS, figure.axes, strict=True):
        *curves, best = ax.lines
        for name, line in zip(key(figure), curves, strict=True):
            rows = frame[(frame.task == task) & (frame.strategy == name)]
            means = rows.groupby("epoch").val_accuracy.mean()
            assert [*line.get_xdata()] == [*means.index] and [*line.get_ydata()] == [*means]
        seeds = rows.groupby("seed").val_accuracy.max()  # from scratch
        assert best.get_ydata() == pytest.approx([seeds.mean()] * 2)


@pytest.mark.parametrize(
    ("labels", "end", "says"), [(50, (500, 0.5), "× 10.0"), (200, (1000, 0.7), "more than × 5")]
)
def test_the_arrow_ends_where_from_scratch_is_as_good_or_its_curve_ends(frame, labels, end, says):
    ax = charts.worth_in_labels(frame, "leaves", labels)
    arrow = next(text for text in ax.texts if not text.get_text())
    assert arrow.xyann == pytest.approx((labels, end[1])) and arrow.xy == pytest.approx(end)
    assert says in texts(ax)
    with pytest.raises(store.UnknownName, match="labels 60"):
        charts.worth_in_labels(frame, "leaves", 60)


def test_costs_are_written_out():
    bill = {"pretraining": 6.2e14, "fine-tuning, 200": 4.8e11, "head alone, 200": 1.4e10}
    ax = charts.costs(bill)
    assert ax.get_xscale() == "log" and texts(ax) == ["620", "0.48", "0.014"]
    assert [bar.get_x() + bar.get_width() for bar in ax.patches] == pytest.approx(
        [620, 0.48, 0.014]
    )
    tones = [to_hex(bar.get_facecolor()).upper() for bar in ax.patches]
    assert tones == [plots.COLOURS[name] for name in ("old job", "fine-tuning", "head alone")]
    assert plots.png(charts.costs({"one": 1.0}).get_figure())


def test_shares_show_means_with_intervals():
    found = {"100": [0.4, 0.5, 0.6, 0.5, 0.5], "1,000": [1.0] * 5}
    ax = charts.shares({"leaves": found, "x": {"100": [1] * 5}}, title="How far")
    assert xs(ax) == pytest.approx([0.5, 1.0, 1.0]) and texts(ax) == ["50%", "100%", "100%"]
    assert key(ax.get_figure()) == ["100", "1,000"]
    assert [mark.get_marker() for mark in marks(ax)] == ["o", "s", "o"]
    wanted = evidence.paired(found["100"], np.zeros(5))
    bar = next(line for line in ax.lines if line.get_alpha())
    assert [*bar.get_xdata()] == pytest.approx([wanted.low, wanted.high])


def test_marks_of_what_is_wanted(frame):
    still = plots.Still(plots.label_curves(frame, "leaves", KEYS))
    before = len(still.ax.lines), len(still.ax.texts)
    needed = {"fine-tuning": 50.0, "from scratch": 500.0, "head alone": None}
    found = charts.mark_wanted(still.ax, 0.5, needed, KEYS)
    assert xs(still.ax, "D") == [50, 500]
    first = still.png(found)
    assert (len(still.ax.lines), len(still.ax.texts)) == before
    assert first == still.png(charts.mark_wanted(still.ax, 0.5, needed, KEYS))
    near = charts.mark_wanted(still.ax, 0.5, {"fine-tuning": 100.0, "from scratch": 101.0}, KEYS)
    assert_apart([mark for mark in near if hasattr(mark, "get_text")])
