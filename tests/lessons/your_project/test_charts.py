"""Lesson 13's charts and its widget."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from played import play

from tl_course import evidence, store, train
from tl_course.features import probes
from tl_course.lessons.your_project import charts, experiment, inspection, prospects


def test_suspects_and_twins_are_shown(project, found):
    labels = project.train.labels.clone()
    labels[3] = (labels[3] + 1) % 3
    table = inspection.suspects(
        replace(project, train=replace(project.train, labels=labels)), found
    )
    title = charts.picked(project, table, 1).axes[0].get_title(loc="left")
    assert title.startswith(f"labelled {project.classes[labels[3]]},")
    with pytest.raises(store.BadInput, match="no picture is doubted"):
        charts.picked(project, table[:0])
    figure = charts.pairs(project, inspection.twins(project, found), 3)
    assert len(figure.axes) == 6


def test_standings_show_every_entry(race):
    ax = charts.standings(race, "The race")
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert sorted(names) == sorted(race.entries)
    bold = [label for label in ax.get_yticklabels() if label.get_weight() == "bold"]
    assert [label.get_text() for label in bold] == [race.chosen().name]


def test_mistakes_are_those_it_is_surest_of(race, project):
    model = race.chosen().model
    probabilities = torch.full((90, 3), 0.1)
    probabilities[torch.arange(90), project.test.labels] = 0.8
    with pytest.raises(store.BadInput, match="there is none here"):
        charts.mistakes(model, project.test, probabilities)
    wrong = probabilities.roll(1, dims=1)
    wrong[4] = wrong[4] * 1.2
    figure = charts.mistakes(model, project.test, wrong, 3)
    assert len(figure.axes) == 6 and "(96%)" in figure.axes[0].get_title(loc="left")


def test_outlook_goes_on_to_eight_times_as_many(project, found):
    curve = prospects.learning_curve(project, found)
    ax = charts.outlook(curve, prospects.Outlook.of(curve))
    assert max(line.get_xdata().max() for line in ax.lines) == pytest.approx(8 * curve.labels.max())


def test_calibration_of_a_perfect_forecast():
    rng = np.random.default_rng(0)
    first = torch.from_numpy(rng.uniform(0.5, 1, 5000)).float()
    labels = torch.from_numpy((rng.random(5000) > first.numpy()).astype(np.int64))
    ax = charts.calibration(torch.stack([first, 1 - first], 1), labels)
    points = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(points) == charts.BINS
    for point in points:
        assert point.get_ydata()[0] == pytest.approx(point.get_xdata()[0], abs=0.04)


def test_doubt_says_what_is_kept_and_what_is_lost(race, project):
    probabilities = train.predict(race.chosen().model, project.test.inputs)
    right = (probabilities.argmax(1) == project.test.labels).numpy()
    ours = {"confidence": np.linspace(0, 1, 90), "likeness": np.ones(90)}
    strange = {"confidence": np.full(5, 0.5), "likeness": np.zeros(5)}
    widget = experiment.doubt(right, ours, strange)
    said = play(widget, least=80)
    assert "<b>18</b> of 90" in said and "it still names <b>0</b>" in said
    said = play(widget, measure="likeness")
    assert "<b>90</b> of 90" in said and "By likeness" in said
    assert "<b>5</b>" in play(widget, measure="confidence", least=0)
    for given in ((right[:0], ours, strange), (right, ours, {"other": np.ones(3)})):
        with pytest.raises(store.BadInput, match="by the same measures"):
            experiment.doubt(*given)


def test_strangers_come_in_order_and_show_what_the_lesson_says():
    names = [label.get_text() for label in charts.strangers().get_yticklabels()]
    assert len(names) == 9 and names[:2] == ["X-rays", "sketches"] and names[-1] == "photographs"
    means = evidence.load("sweep_project").groupby("task").mean(numeric_only=True)
    assert [*means[means.by_likeness < means.by_confidence].index] == ["hymenoptera"]
    below = means[means.by_plain_confidence < 0.5].index
    assert {*below} == {"materials", "pacs_sketch", "pneumonia"}
    assert (means.by_confidence > 0.5).all()


def test_no_strength_of_the_project_is_at_the_end_of_those_tried():
    for name in ("sweep_project", "sweep_twins"):
        assert np.abs(np.log10(evidence.load(name).strength)).max() < probes.FARTHEST
