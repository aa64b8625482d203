"""Lesson 13: what to look at first, and what more pictures would bring."""

from dataclasses import replace

import numpy as np
import pandas
import pytest
import torch

from tl_course import evidence, store, tasks
from tl_course.lessons.your_project import inspection, prospects


def group(file):
    return file.rpartition("_")[0]


def test_counts(project):
    table = inspection.counts(project)
    assert [*table.index] == [*project.classes]
    assert table.sum().to_dict() == {"training": 90, "validation": 60, "test": 90}


@pytest.mark.parametrize("groups", [None, group])
def test_a_wrong_label_is_doubted_first(project, found, groups):
    labels = project.val.labels.clone()
    labels[7] = (labels[7] + 1) % 3
    wrong = replace(project, val=replace(project.val, labels=labels))
    table = inspection.suspects(wrong, found, groups)
    first = table.iloc[0]
    assert (first.split, first.place) == ("val", 7) and first.file == project.val.files[7]
    assert first.labelled == project.classes[labels[7]]
    assert first["looks like"] == project.classes[project.val.labels[7]]
    assert (table.doubt > 0).all() and table.doubt.is_monotonic_decreasing


def test_too_few_to_doubt(project, found):
    parts = ("train", "val", "test")
    few = replace(project, **{part: getattr(project, part).take([0]) for part in parts})
    with pytest.raises(store.BadInput, match="fewer than 5"):
        inspection.suspects(few, {part: values[:1] for part, values in found.items()})


def test_twins_are_found(project, found):
    copies = dict(found, test=torch.cat([found["train"][[5]], found["test"][1:]]))
    table = inspection.twins(project, copies)
    assert (table.test[0], table.train[0]) == (0, 5) and table.likeness[0] == pytest.approx(1)


def curve_of(scale: float, power: float, noise: float = 0.0) -> pandas.DataFrame:
    rng = np.random.default_rng(0)
    luck = lambda: rng.lognormal(-(noise**2) / 2, noise)  # noqa: E731
    return pandas.DataFrame([
        {"labels": n, "draw": draw, "error": scale * n**-power * luck()}
        for n in (10, 20, 40, 80)
        for draw in range(12)
    ])  # fmt: skip


def test_a_power_law_is_found_again():
    ahead = prospects.Outlook.of(curve_of(1.5, 0.5))
    for labels in (80, 320):
        expected = 1 - 1.5 * labels**-0.5
        assert ahead.at(labels) == pytest.approx((expected,) * 3, abs=1e-3)
    middle, low, high = prospects.Outlook.of(curve_of(1.5, 0.5, 0.3)).at(320)
    assert low < middle < high and abs(middle - (1 - 1.5 * 320**-0.5)) < high - low < 0.1


def test_a_learning_curve_rises(project, found):
    table = prospects.learning_curve(project, found, group)
    means = table.groupby("labels").error.mean()
    assert len(table) == 60 and means.iloc[-1] <= means.iloc[0]
    with pytest.raises(store.BadInput, match="too few for 2%"):
        prospects.learning_curve(project, found, shares=(0.02, 1.0))


def test_the_distance_of_ones_own_pictures():
    leaves = tasks.load("leaves").train.inputs
    yours, photographs = evidence.distance_of(leaves[:400])
    stored = evidence.distances()
    assert yours == pytest.approx(stored["leaves"], rel=0.1)
    assert photographs == pytest.approx(stored["photographs"], rel=0.1)
    with pytest.raises(store.BadInput, match="49 are too few"):
        evidence.distance_of(leaves[:49])


GROUPS = {
    "fails for": lambda file: file[999],
    "gives None": lambda file: None,
    "unhashable": lambda file: [file],
    "are needed": lambda file: file[0],
}


@pytest.mark.parametrize("fault", GROUPS)
def test_groups_that_fail(project, found, fault):
    with pytest.raises(store.BadInput, match=fault):
        inspection.suspects(project, found, GROUPS[fault])
    if fault != "are needed":
        with pytest.raises(store.BadInput, match=fault):
            prospects.learning_curve(project, found, GROUPS[fault])


def test_pictures_without_names_of_files(project, found):
    parts = ("train", "val", "test")
    bare = replace(project, **{p: replace(getattr(project, p), files=()) for p in parts})
    assert {*inspection.suspects(bare, found).file} <= {""}
    for look in (inspection.suspects, prospects.learning_curve):
        with pytest.raises(store.BadInput, match="no names of files"):
            look(bare, found, group)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda found: {"train": found["train"]}, "90 of train, 0 of val"),
        (lambda found: dict(found, val=found["val"][:5]), "5 of val"),
        (lambda found: dict(found, val=found["val"] * float("nan")), "not finite"),
    ],
)
def test_features_of_other_pictures(project, found, change, fault):
    for look in (inspection.suspects, prospects.learning_curve):
        with pytest.raises(store.BadInput, match=fault):
            look(project, change(found))


def test_likeness_of_nothing():
    some = torch.eye(4)
    assert inspection.likeness(some[:0], some).shape == (0, 4)
    assert not inspection.likeness(0 * some, 0 * some).any()
    for training in (some[:0], some[:, :3]):
        with pytest.raises(store.BadInput, match="those of training"):
            inspection.likeness(some, training)


def test_an_outlook_from_too_little():
    curve = curve_of(1.5, 0.5)
    for poor in (curve[curve.labels < 20], curve.assign(error=np.nan), curve[:0]):
        with pytest.raises(store.BadInput, match="two counts of labels"):
            prospects.Outlook.of(poor)
    assert prospects.Outlook.of(curve.assign(error=0.3)).at(1000) == pytest.approx((0.7,) * 3)
    for labels in (0, float("nan"), "many"):
        with pytest.raises(store.BadInput, match="labels="):
            prospects.Outlook.of(curve).at(labels)
