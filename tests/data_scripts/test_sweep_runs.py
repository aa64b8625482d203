"""Single runs of the sweeps of lessons 08 and 09: suspects, their anatomy, and feeding."""

import json

import pandas
import pytest
import sweep_anatomy
import sweep_feeding
import sweep_suspects
import torch

from tl_course import evidence, features, models, surgery, tasks
from tl_course.lessons.freezing import recipe as depths
from tl_course.lessons.negative_transfer import recipe as suspects
from tl_course.lessons.preprocessing import faults as feeding
from tl_course.tasks import Task

MEASURED = {"val_accuracy", "test_accuracy", "test_balanced"}


@pytest.mark.parametrize("strategy", suspects.RATES)
@pytest.mark.parametrize("source", ["nothing", "photographs"])
def test_starts_are_those_of_the_freezing_sweep(tmp_path, source, strategy):
    known = sweep_suspects.EARLIER[source, strategy]
    torch.manual_seed(3)
    mine = suspects.start(sweep_suspects.backbone(tmp_path, source, 3), strategy, 5)
    theirs = depths.build(known, 5, 3)
    assert surgery.frozen(mine) == surgery.frozen(theirs)
    for name, value in theirs.state_dict().items():
        assert torch.equal(value, mine.state_dict()[name]), name


def test_a_source_is_kept_and_read_again_by_its_copy(tiny, tmp_path):
    for seed in (0, 1):
        sweep_suspects.learn_source(tmp_path, "random labels", seed)
    assert {p.name for p in tmp_path.iterdir()} == {
        "random_labels-0.safetensors", "random_labels-1.safetensors"
    }  # fmt: skip
    first, again, other, searching = (
        sweep_suspects.backbone(tmp_path, "random labels", seed) for seed in (0, 0, 1, 100)
    )
    expected, _ = suspects.pretrain("random labels", 0)
    for name, value in expected.state_dict().items():
        assert torch.equal(value, first.state_dict()[name])
        assert torch.equal(value, again.state_dict()[name])
        assert torch.equal(value, searching.state_dict()[name])  # the search takes the first ones
    assert not torch.equal(other.head.weight, first.head.weight)
    nothing = [sweep_suspects.backbone(tmp_path, "nothing", seed) for seed in (0, 0, 1)]
    assert torch.equal(nothing[0].stem[0].weight, nothing[1].stem[0].weight)
    assert not torch.equal(nothing[0].stem[0].weight, nothing[2].stem[0].weight)


def test_one_cell_and_its_scores(tiny, tmp_path, toy):
    sweep_suspects.learn_source(tmp_path, "noise", 1)
    (row,) = sweep_suspects.run(tmp_path, "noise", "toy", 15, "frozen", 1, 3e-2)
    few = toy.few(15, 1)
    model = suspects.start(sweep_suspects.backbone(tmp_path, "noise", 1), "frozen", 3)
    again = evidence.learned(model, few, 3e-2, 1)
    assert row == again | {"seconds": row["seconds"]} and {*row} > MEASURED

    (scores,) = sweep_suspects.score(tmp_path, "noise", "toy", 15, 1)
    found = features.extract(sweep_suspects.backbone(tmp_path, "noise", 1), few.train.inputs)
    assert scores == features.transfer_scores(found, few.train.labels)
    assert [*scores] == [*features.SCORES]


def test_counting_words_reads_the_sentences(monkeypatch):
    from tl_course.tasks.text import codes

    topics = ("fit a line", "draw a plot", "load a table")
    splits = []
    for count in (30, 18, 24):
        labels = torch.arange(count) % 3
        texts = [f"{topics[label]} number {i}" for i, label in enumerate(labels.tolist())]
        splits.append(tasks.Split(codes(texts, 40), labels))
    sentences = Task("text_letters", "", ("a", "b", "c"), *splits, "", "", "")
    monkeypatch.setattr(tasks, "load", {"text_letters": sentences}.__getitem__)
    (row,) = sweep_suspects.count_words("text_pictures", 15, 0)
    assert (row["source"], row["strategy"]) == ("words counted", "frozen")
    assert row["test_accuracy"] == row["test_balanced"] == row["val_accuracy"] == 1


def test_the_right_cell_holds_all_that_went_wrong_after_it(tiny, toy, monkeypatch):
    few = Task("toy", "", toy.classes, toy.train, toy.val, toy.test.take(range(12)), "", "", "")
    monkeypatch.setattr(tasks, "load", {"toy": few}.__getitem__)
    monkeypatch.setattr(sweep_feeding, "LABELS", 15)
    rows = sweep_feeding.run("toy", feeding.RIGHT, 0)
    wrongly = {row["fed"]: row for row in rows if row["strategy"] == "fed wrongly"}
    trained = {row["strategy"]: row for row in rows if "fed" not in row}
    assert {*trained} == {*feeding.RATES} and len(trained) + len(wrongly) == len(rows)
    model = models.load("resnet10", pretrained=False, classes=few.classes)
    applying = {fault for fault in feeding.FAULTS if feeding.applies(fault, few.test, model)}
    assert {*wrongly} == {feeding.RIGHT, *applying} and "not resized" not in wrongly
    right = wrongly[feeding.RIGHT]["test_accuracy"]
    assert right == pytest.approx(trained["fine-tuned"]["test_accuracy"])
    assert all(row["labels"] == 15 for row in rows)
    assert all(0 <= row["confidence"] <= 1 and row["test_loss"] >= 0 for row in wrongly.values())
    json.dumps(rows, default=float)


def test_a_fault_is_trained_on_in_two_ways(tiny, monkeypatch):
    monkeypatch.setattr(sweep_feeding, "LABELS", 15)
    rows = sweep_feeding.run("toy", "grey", 1)
    assert [row["strategy"] for row in rows] == [*feeding.RATES]
    assert all("fed" not in row and {*row} >= MEASURED for row in rows)


def test_anatomy_takes_the_pair_of_pictures_that_lost_most(monkeypatch):
    rows = [
        ("nothing", "digits", "fine-tuned", 0.6), ("noise", "digits", "fine-tuned", 0.5),
        ("colours", "digits", "fine-tuned", 0.4), ("noise", "digits", "frozen", 0.1),
        ("photographs", "digits", "fine-tuned", 0.2), ("reversed", "digits", "fine-tuned", 0.1),
    ]  # fmt: skip
    frame = pandas.DataFrame([
        {"source": source, "task": task, "strategy": strategy, "labels": 50, "seed": seed,
         "test_balanced": level + 0.01 * (seed % 2)}
        for source, task, strategy, level in rows
        for seed in range(5)
    ])  # fmt: skip
    monkeypatch.setattr(evidence, "load", {"sweep_suspects": frame}.__getitem__)
    assert sweep_anatomy.guiltiest() == ("colours", "digits", 50)


def test_a_part_of_a_picture_source_is_trained_once_at_its_rate(tiny, tmp_path, monkeypatch):
    sweep_suspects.learn_source(tmp_path, "noise", 0)
    started = {}

    def learned(model, task, lr, seed):
        started[part] = {name: value.clone() for name, value in model.state_dict().items()}
        return {"lr_used": lr, "labels_used": len(task.train)}

    monkeypatch.setattr(evidence, "learned", learned)
    for part in ("from scratch", "whole source", "only stem", "all but stem", "lower rate"):
        (row,) = sweep_anatomy.run(tmp_path, "noise", "toy", 15, part, 0, 1e-2)
        rate = 1e-3 if part == "lower rate" else 1e-2
        assert row == {"lr_used": pytest.approx(rate), "labels_used": 15}
    stem, deep = "stem.0.weight", "layer4.0.conv2.weight"
    whole, scratch = started["whole source"], started["from scratch"]
    assert not torch.equal(whole[stem], scratch[stem])
    assert torch.equal(started["only stem"][stem], whole[stem])
    assert torch.equal(started["only stem"][deep], scratch[deep])
    assert torch.equal(started["all but stem"][stem], scratch[stem])
    assert torch.equal(started["all but stem"][deep], whole[deep])
    assert all(torch.equal(started["lower rate"][name], whole[name]) for name in whole)


def test_a_part_of_a_reader_tries_three_rates_and_mixing_adds_its_own_language(
    tmp_path, monkeypatch
):
    reader = models.load("reader_spanish_reversed")
    monkeypatch.setattr(sweep_suspects, "backbone", lambda *given: reader)
    seen = []

    def tune(build, task, rates, epochs, seed):
        seen.append((build(), len(task.train), [*rates]))
        return [{"lr": rate, "val_accuracy": 0.5} for rate in rates[:2]] + [
            {"lr": rates[2], "val_accuracy": 0.9, "test_accuracy": 0.8, "test_balanced": 0.8}
        ]

    monkeypatch.setattr(evidence, "tune", tune)
    for part in ("whole source", "mix in the source", "lower rate"):
        (row,) = sweep_anatomy.run(tmp_path, "reversed", "numbers_italian", 30, part, 0, 1e-2)
        assert row == {"val_accuracy": 0.9, "test_accuracy": 0.8, "test_balanced": 0.8}
    rates = [*sweep_suspects.READER_RATES]
    assert [(count, tried) for _, count, tried in seen] == [
        (30, rates), (60, rates), (30, pytest.approx([0.1 * rate for rate in rates]))
    ]  # fmt: skip
    assert all(network is not reader for network, _, _ in seen)
