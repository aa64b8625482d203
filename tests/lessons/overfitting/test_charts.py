import math

import numpy as np
import pytest
import torch
from drawn import colour, key, marks, texts, titles, xs

from tl_course import plots
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


@pytest.fixture(scope="module")
def cure_runs(made_up):
    worth = {"no cure": 0.0, "augment": 0.05, "dropout": 0.0, "head alone": -0.1}
    return made_up({
        (task, labels, name): {"train_accuracy": 0.8 if name == "head alone" else 1.0}
        | {"test_balanced": 0.5 + gain, "test_accuracy": 0.5 + gain}
        for task, labels in (("leaves", 100), ("satellite", 50))
        for name, gain in worth.items()
    })  # fmt: skip


def test_cures_are_coloured_by_what_is_sure(cure_runs):
    figure = charts.cures(cure_runs)
    assert titles(figure) == ["leaves\n100 labels", "satellite\n50 labels"]
    ax = figure.axes[0]
    assert texts(ax.get_yticklabels()) == ["augment", "dropout", "head alone"]
    assert xs(ax) == pytest.approx([5, 0, -10], abs=1)
    ink = [plots.COLOURS["pretrained"], "#555555", plots.COLOURS["from scratch"]]
    assert [colour(mark) for mark in marks(ax)] == ink
    assert [len(seeds.get_offsets()) for seeds in ax.collections] == [5] * 3
    means = [seeds.get_offsets()[:, 0].mean() for seeds in ax.collections]
    assert means == pytest.approx(xs(ax))


def test_gaps_stand_by_their_test_accuracy(cure_runs):
    ax = charts.gaps(cure_runs[cure_runs.task == "leaves"], title="Leaves")
    names = [name.strip() for name in texts(ax.get_yticklabels())]
    assert names[0] == "augment" and names[-1] == "head alone"
    assert xs(ax, "D") == pytest.approx([0.55, 0.5, 0.5, 0.4])
    assert xs(ax, "o") == pytest.approx([1.0, 1.0, 1.0, 0.8])
    assert {"0.55", "1.00", "0.80"} <= {*texts(ax)}
    assert key(ax.get_figure()) == ["test", "training"]


def test_cases_to_be_told_apart_have_both_curves_twice():
    cases = charts.curve_cases(dict.fromkeys("abcd", CURVES))
    assert [title for title in titles(cases) if title] == [*"abcd"]
    assert [len(ax.lines) for ax in cases.axes] == [2] * 8
