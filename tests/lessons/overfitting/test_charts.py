import math

import numpy as np
import pytest
import torch
from drawn import colour, key, marks, texts, titles, xs

from tl_course import evidence, plots
from tl_course.lessons.overfitting import charts

CURVES = {
    "train_loss": [1.5, 0.8, 0.2],
    "train_accuracy": [0.3, 0.8, 1.0],
    "val_loss": [1.5, 1.2, 1.9],
    "val_accuracy": [0.3, 0.4, 0.4],
}


def test_fit_curves_show_both_measures_and_mark_the_lowest_validation_loss():
    loss, accuracy = charts.fit_curves(CURVES, [CURVES], title="a run").axes
    assert [*loss.lines[2].get_ydata()] == CURVES["train_loss"]
    assert [*accuracy.lines[3].get_ydata()] == CURVES["val_accuracy"]
    (ring,) = marks(loss)
    assert (*ring.get_xdata(), *ring.get_ydata()) == (2, 1.2)
    assert texts(accuracy) == ["training 1.00", "validation 0.40"]
    assert loss.lines[0].get_alpha() < 1 and loss.lines[2].get_alpha() is None


def test_fit_curves_of_a_run_that_goes_on_and_of_none():
    figure = charts.fit_curves({"val_accuracy": (0.2,)}, epochs=30)
    loss, accuracy = figure.axes
    assert not loss.lines and accuracy.get_xlim()[1] == 30
    assert charts.fit_curves({}, figure=figure) is figure
    assert not any(ax.lines for ax in figure.axes)


def test_a_loss_far_beyond_the_chart_keeps_its_label_inside():
    loss, _ = charts.fit_curves({**CURVES, "val_loss": [90.0, 95.0, 99.0]}).axes
    assert loss.get_ylim()[1] == 3.5
    assert all(0 <= text.xyann[1] <= 3.5 and text.xy[1] <= 3.5 for text in loss.texts)


def test_confidence_leaves_a_gap_where_nothing_was_wrong():
    ax = charts.confidence(
        {"validation accuracy": [0.5, 1], "confidence when wrong": [0.4, math.nan]}
    )
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--"]
    assert texts(ax) == ["validation accuracy  1.00"]


def test_reliability_puts_every_answer_into_one_group():
    top = torch.tensor([0.95, 0.96, 1.0, 0.55])
    probabilities = torch.stack([top, 1 - top], 1)
    ax = charts.reliability(probabilities, torch.tensor([0, 1, 1, 0]))
    assert texts(ax)[1:] == ["1", "3"]
    *_, points = ax.collections
    assert np.allclose(points.get_offsets(), [[0.55, 1], [0.97, 1 / 3]])
    small, large = points.get_sizes()
    assert large - 14 == pytest.approx(3 * (small - 14))


def test_cures_are_coloured_by_what_is_sure():
    frame = evidence.load("sweep_cures")
    runs, figure = evidence.Runs(frame), charts.cures(frame)
    assert titles(figure)[0] == "leaves\n100 labels"
    names = texts(figure.axes[0].get_yticklabels())
    for ax, cell in zip(figure.axes, runs.cells("task", "labels"), strict=True):
        found = [runs.compare(name, "no cure", **cell) for name in names]
        assert xs(ax) == pytest.approx([100 * one.effect for one in found])
        inks = {1: plots.COLOURS["pretrained"], -1: plots.COLOURS["from scratch"], 0: "#555555"}
        assert [colour(mark) for mark in marks(ax)] == [inks[one.sign] for one in found]
        means = [seeds.get_offsets()[:, 0].mean() for seeds in ax.collections]
        assert means == pytest.approx(xs(ax)) and len(ax.collections[0].get_offsets()) == 5


def test_gaps_stand_by_their_test_accuracy():
    rows = evidence.load("sweep_cures").query("task == 'leaves'")
    ax = charts.gaps(rows, title="Leaves")
    means = rows.groupby("strategy")[["test_accuracy", "train_accuracy"]].mean()
    means = means.sort_values("test_accuracy", ascending=False)
    assert [name.strip() for name in texts(ax.get_yticklabels())] == [*means.index]
    assert xs(ax, "D") == pytest.approx([*means.test_accuracy])
    assert xs(ax, "o") == pytest.approx([*means.train_accuracy])
    assert texts(ax)[:2] == [f"{value:.2f}" for value in means.iloc[0]]
    assert key(ax.get_figure()) == ["test", "training"]


def test_cases_to_be_told_apart_have_both_curves_twice():
    cases = charts.curve_cases(dict.fromkeys("abcd", CURVES))
    assert [title for title in titles(cases) if title] == [*"abcd"]
    assert [len(ax.lines) for ax in cases.axes] == [2] * 8
