"""Lesson 13's race: a budget, one choice, one look at the test; the folder; the card."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from tl_course import models, store, tasks, train
from tl_course.lessons.your_project import example, handover, recipe


def group(file: str) -> str:
    return file.rpartition("_")[0]


def test_the_simplest_of_those_that_are_level_is_tested_once(race, monkeypatch):
    table = race.table()
    assert [*table.validation] == sorted(table.validation, reverse=True)
    best = race.chosen()
    assert best.name == "head alone, resnet10" and best.name in race.level()
    scores = race.test()
    looks = []
    monkeypatch.setattr(train, "evaluate", lambda *given: looks.append(given))
    assert race.test() is scores and not looks
    said = race.sentence()
    assert "With your 90 training pictures, head alone on resnet10" in said
    assert f"{scores.accuracy:.0%} of 90 pictures right" in said and "guessing gives 33%" in said
    with pytest.raises(store.BadInput, match="the test was looked at"):
        race.run("resnet10", "from scratch")


def test_the_head_is_the_probe(race, project, found):
    model = race.entries["head alone, resnet10"].model
    said = train.predict(model, project.test.inputs).argmax(1)
    assert (said == project.test.labels).float().mean() > 0.9
    assert model.classes == project.classes


def test_what_does_not_fit_the_budget_is_left_out(project, monkeypatch):
    race = recipe.Race(project, seconds=1)
    race.seconds = 0.001
    assert "left out, it needs about" in race.run("resnet10", "from scratch")
    assert not race.entries and [*race.left_out] == ["from scratch, resnet10"]
    with pytest.raises(store.BadInput, match="nothing has run yet"):
        race.chosen()
    race.run("resnet10", "head alone")
    assert "Left out for lack of time: from scratch, resnet10." in race.sentence()


@pytest.mark.parametrize(
    ("network", "strategy"),
    [("vgg", "head alone"), ("resnet10", "frozen to block6"), ("lite0", "frozen to layer3")],
)
def test_what_cannot_race(project, network, strategy):
    with pytest.raises(store.UnknownName):
        recipe.Race(project).run(network, strategy)
    with pytest.raises(store.BadInput, match="seconds="):
        recipe.Race(project, seconds=0)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_a_race_needs_pictures_in_each_split(project, part):
    empty = replace(project, **{part: getattr(project, part).take([])})
    for task in (empty, getattr(project, part), None):
        with pytest.raises(store.BadInput, match="pictures in each split"):
            recipe.Race(task)


def test_groups_are_asked_before_the_race(project):
    bare = replace(project, val=replace(project.val, files=()))
    with pytest.raises(store.BadInput, match="no names of files"):
        recipe.Race(bare, groups=group)
    with pytest.raises(store.BadInput, match="it fails for"):
        recipe.Race(project, groups=lambda file: [file])


def test_who_stops_a_race_gets_no_entry(project, monkeypatch):
    race = recipe.Race(project)
    real = train.fit

    def stopped(*given, watch, **how):
        def watched(number, epoch):
            raise KeyboardInterrupt

        return real(*given, watch=watched, **how)

    monkeypatch.setattr(train, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        race.run("resnet10", "frozen to layer3")
    assert not race.entries and not race.left_out


@pytest.mark.parametrize(
    ("ours", "theirs", "level"), [(40, 40, True), (40, 36, True), (40, 34, False), (30, 10, False)]
)
def test_level_is_what_luck_may_set_apart(ours, theirs, level):
    first, second = (np.arange(40) < count for count in (ours, theirs))
    assert recipe.level(first, second) is level is recipe.level(second, first)


def test_the_lowest_confidence_that_keeps_a_promise():
    sure = np.array([0.2, 0.4, 0.6, 0.8, 0.9])
    right = np.array([False, True, False, True, True])
    assert recipe.threshold(sure, right, 0.6) == 0.2
    assert recipe.threshold(sure, right, 0.9) == 0.8
    assert recipe.threshold(sure, ~right | True, 1.0) == 0.2
    assert recipe.threshold(sure[:1], right[:1], 0.5) > 1 < recipe.threshold([], [])
    assert recipe.threshold([*sure], torch.from_numpy(right), 0.9) == 0.8
    for wrong in ((sure, right[:3]), (sure * np.nan, right), (sure, right, 95)):
        with pytest.raises(store.BadInput):
            recipe.threshold(*wrong)
    assert recipe.confidence(torch.tensor([[0.2, 0.8], [0.6, 0.4]])) == pytest.approx([0.8, 0.6])


def test_shots_of_one_thing_are_one_witness(project, race):
    grouped = recipe.Race(project, groups=group)
    grouped.entries.update(race.entries)
    scores = grouped.test()
    things = {group(file) for file in project.test.files}
    shares = grouped.shares(scores, "test")
    assert len(shares) == len(things) == 30
    assert shares.mean() == pytest.approx(scores.accuracy)
    low, high = grouped.interval(scores, "test")
    assert high - low > scores.interval[1] - scores.interval[0]
    assert race.interval(scores, "test") == pytest.approx(scores.interval)
    assert "of 90 pictures of 30 things right" in grouped.sentence()


def test_the_card_says_what_was_measured(race):
    card = handover.card(race, 0.61, groups="shots of one thing", title="Stripes")
    scores = race.test()
    assert card.startswith("# Stripes\n") and f"{scores.accuracy:.1%} right" in card
    assert "head alone on resnet10" in card and "0.61" in card
    assert "across: 30 pictures to learn from, 20 to choose by, 30 to test" in card
    assert "No confidence promised" in handover.card(race, 1.01)
    assert "shots of one thing kept together" in card and "64 pixels a side" in card


def test_a_card_of_odd_names(race, project):
    other = recipe.Race(project)
    other.entries.update(race.entries)
    names = ("*a_b*", "<b>|`x`", "c\nd")
    parts = ("train", "val", "test")
    splits = {part: replace(getattr(project, part), classes=names) for part in parts}
    other.task, other._tested = (
        replace(project, title="# *mine*", classes=names, **splits),
        race.test(),
    )
    card = handover.card(other, 0.5)
    assert card.startswith("# \\# \\*mine\\*\n") and r"\*a\_b\*, \<b\>\|\`x\`, c d." in card
    for least in (None, float("nan"), -1):
        with pytest.raises(store.BadInput, match="least="):
            handover.card(other, least)


@pytest.mark.parametrize("place", ["", "my_surfaces", "my_surfaces/fur"])
def test_an_example_folder_that_cannot_be_written(monkeypatch, tmp_path, place):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache" / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "cache" / place).write_text("in the way")
    with pytest.raises(store.StorageError):
        example.example_folder()


def test_the_example_folder_is_as_people_leave_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    root = example.example_folder()
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    with pytest.warns(tasks.SkippedFiles) as told:
        task = tasks.folder(root)
    assert task.classes == example.KINDS
    assert len(task.train) + len(task.val) + len(task.test) == 6 * 10 * 3 + 2
    message = str(told[0].message)
    assert "HEIC" in message and "copies" in message and "it is empty" in message
    assert {*example.ASTRAY} < {*task.train.files, *task.val.files, *task.test.files}
    (root / "wood" / "mine.txt").write_text("kept")
    assert example.example_folder() == root and (root / "wood" / "mine.txt").exists()
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "again"))
    again = example.example_folder()
    assert {p.relative_to(root): c for p, c in before.items()} == {
        p.relative_to(again): p.read_bytes() for p in again.rglob("*") if p.is_file()
    }


def test_a_head_of_two_classes_gives_the_same_probabilities(found, project):
    from tl_course import features

    for classes in ([0, 1], [0, 1, 2]):
        keep = {part: np.isin(getattr(project, part).labels, classes) for part in ("train", "val")}
        train_split, val = project.train.take(keep["train"]), project.val.take(keep["val"])
        chosen = [found[part][torch.from_numpy(keep[part])] for part in ("train", "val")]
        probe = features.probe(chosen[0], train_split, chosen[1], val)
        shares = probe.layer(3)(found["test"]).softmax(1).detach().numpy()
        expected = probe.classifier.predict_proba(found["test"].numpy())
        assert shares[:, classes] == pytest.approx(expected, abs=1e-4)
        assert shares.sum(1) == pytest.approx(np.ones(len(shares)), abs=1e-5)


def test_networks_of_the_race_have_the_stages_it_names():
    for network, (stage, _) in recipe.NETWORKS.items():
        assert stage in models.stages(models.load(network, pretrained=False))
