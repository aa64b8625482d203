"""Lesson 04's checks: what is frozen, how fast each stage learns, and the exam."""

import copy
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn
from torch.nn import functional as F

from tl_course import models, surgery, tasks, train
from tl_course.lessons.freezing import checks
from tl_course.lessons.freezing.checks import HELD, check_held, check_hundred, check_ladder


def bottom_in_eval(model):
    model.train()
    for name in HELD:
        getattr(model, name).eval()


def steps(model, task, weights=None, lr=1e-3, mode=bottom_in_eval):
    """A few steps, of what lies above the frozen stages where nothing else is named."""
    top = [w for n, w in model.named_parameters() if n.partition(".")[0] not in HELD]
    optimizer = torch.optim.AdamW(top if weights is None else weights, lr=lr)
    for _ in range(3):
        mode(model)
        loss = F.cross_entropy(model(model.preprocess(task.train.inputs)), task.train.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def in_training_mode(model, task):
    steps(model, task, mode=nn.Module.train)


def by_package(model, task):
    train.fit(surgery.freeze(model, *HELD), task, epochs=1, lr=1e-3, progress=False)


@pytest.mark.parametrize("learn", [steps, by_package])
def test_held_right_in_two_ways(learn):
    right(check_held(learn))


def all_weights(model, task):
    steps(model, task, model.parameters())


def one_stage_forgotten(model, task):
    def mode(model):
        bottom_in_eval(model)
        model.layer2.train()

    steps(model, task, mode=mode)


def weight_decay(model, task):
    for weight in model.stem.parameters():
        weight.data *= 0.99
    steps(model, task)


def puts_back(model, task):
    before = copy.deepcopy(model.state_dict())
    in_training_mode(model, task)
    held = {n: v for n, v in before.items() if n.partition(".")[0] in HELD}
    model.load_state_dict(held, strict=False)


def batchnorm(model, **changes):
    """Sets attributes of the BatchNorm layers that are to be held."""
    for name in HELD:
        for part in getattr(model, name).modules():
            if isinstance(part, nn.BatchNorm2d):
                vars(part).update(changes)


def no_momentum(model, task):
    batchnorm(model, momentum=0.0)
    in_training_mode(model, task)


def no_notes(model, task):
    batchnorm(model, track_running_stats=False)
    in_training_mode(model, task)


def another_stem(model, task):
    model.stem = nn.Sequential(model.stem)
    steps(model, task)


def head_alone(model, task):
    steps(model, task, model.head.parameters(), mode=nn.Module.eval)


def wild(model, task):
    steps(model, task, lr=5.0)


def leaves_a_hook(model, task):
    model.layer4.register_forward_hook(lambda *_: None)
    steps(model, task)


@pytest.mark.parametrize(
    ("learn", "parts"),
    [
        (in_training_mode, ["no weight moved, but statistics of stem", "eval"]),
        (all_weights, ["weights of stem moved"]),
        (one_stage_forgotten, ["statistics of layer2"]),
        (weight_decay, ["weights of stem moved"]),
        (puts_back, ["no weight moved", "statistics"]),
        (no_momentum, ["statistics"]),
        (no_notes, ["of the batch"]),
        (another_stem, ["other parts"]),
        (lambda model, task: None, ["layer3, layer4, head did not move"]),
        (head_alone, ["layer3, layer4 did not move"]),
        (wild, []),
        (leaves_a_hook, ["hook is left behind on 'layer4'"]),
    ],
)
def test_held_says_what_moved_or_did_not(learn, parts):
    wrong(check_held(learn), *parts)


LADDER = {"stem": 1e-2 / 243, "layer1": 1e-2 / 81, "layer2": 1e-2 / 27}
LADDER |= {"layer3": 1e-2 / 9, "layer4": 1e-2 / 3, "head": 1e-2}


@pytest.mark.parametrize("kind", [float, lambda rate: float(f"{rate:.3g}"), np.float64])
def test_the_ladder(kind):
    right(check_ladder({name: kind(rate) for name, rate in LADDER.items()}))


@pytest.mark.parametrize(
    ("rates", "parts"),
    [
        (LADDER | {"layer3": 0.02}, ["layer3", "faster than layer4"]),
        (LADDER | {"layer2": LADDER["layer3"]}, ["layer2", "A third of layer3"]),
        (LADDER | {"layer1": LADDER["layer1"] / 2}, ["layer1", "A third of layer2"]),
        (LADDER | {"head": 1e-3}, ["head learns at 0.001", "0.01"]),
        (LADDER | {"stem": 0}, ["0 for stem"]),
        (LADDER | {"stem": float("nan")}, ["nan for stem"]),
        (LADDER | {"stem": float("inf")}, ["inf for stem"]),
        (LADDER | {"stem": "1e-3"}, ["'1e-3' for stem"]),
        (LADDER | {"stem": True}, ["True for stem"]),
        (LADDER | {"layer5": 1e-3}, ["'layer5' is no stage"]),
        (LADDER | {3: 1e-3}, ["3 is no stage"]),
        ({"head": 1e-2}, ["stem, layer1, layer2, layer3, layer4 has no rate"]),
        (dict(zip(LADDER, reversed(LADDER.values()), strict=True)), ["the head learns at"]),
        (1e-3, ["this is float, not a dictionary such as"]),
    ],
)
def test_the_ladder_names_the_stage_that_is_wrong(rates, parts):
    wrong(check_ladder(rates), *parts)


@pytest.fixture
def exam(monkeypatch):
    """The exam with a bar that a head alone reaches or not, as its test wants."""

    def bar(mark: float):
        monkeypatch.setattr(checks, "pass_mark", lambda: mark)
        return check_hundred

    return bar


def taught(task, split=None):
    """A head alone, taught with the task's training leaves or with others."""
    model = surgery.freeze(surgery.replace_head(models.load("resnet10"), len(task.classes)))
    if split is not None:
        task = tasks.Task(task.name, "", task.classes, split, task.val, task.val, "", "", "")
    train.fit(model, task, epochs=10, lr=1e-2, progress=False)
    return model


def untaught(task, classes=5):
    return surgery.replace_head(models.load("resnet10"), classes)


def only_counts(task):
    assert len(task.test) == 1000 and "1000 test" in repr(task)
    return taught(task.few(90, seed=0))


@pytest.mark.parametrize("learn", [taught, only_counts])
def test_the_exam_is_passed(exam, learn):
    right(exam(0.30)(learn))


def around_the_guard(task):
    hidden = vars(task.test)
    return taught(task, tasks.Split(hidden["inputs"], hidden["labels"]))


def looking(look):
    """Nothing learned, but the test looked at."""
    return lambda task: untaught(task) if look(task) is not None else None


@pytest.mark.parametrize(
    ("learn", "parts"),
    [
        (taught, ["the bar is 60.0%", "freeze less, or train more"]),
        (untaught, ["is guessing"]),
        (lambda task: None, ["learn returns NoneType, not a network"]),
        (lambda task: untaught(task, 3), ["outputs"]),
        (looking(lambda task: task.test.inputs), ["looked at task.test"]),
        (looking(lambda task: task.test.labels), ["looked at task.test"]),
        (looking(lambda task: task.test.take(range(50))), ["looked at task.test"]),
        (looking(lambda task: train.evaluate(untaught(task), task.test)), ["looked at task.test"]),
        (looking(lambda task: copy.deepcopy(task).few(50, 1).test.labels), ["looked at task.test"]),
        (around_the_guard, []),  # the labels that it finds are wrong
        (lambda task: taught(task, tasks.load("leaves").test), []),  # in another order
    ],
)
def test_the_exam_says_what_is_low_or_not_allowed(exam, learn, parts):
    wrong(exam(0.60 if learn is taught else 0.30)(learn), *parts)


def test_the_exam_says_what_is_known_by_heart(exam, monkeypatch):
    def scores(model, split):
        return SimpleNamespace(accuracy=1.0 if len(split) == 100 else 0.4)

    monkeypatch.setattr(checks, "_knows", lambda *given: False)
    monkeypatch.setattr(train, "evaluate", scores)
    wrong(exam(0.6)(untaught), "the bar is 60.0%. It has all of its 100 by heart")


def test_the_exam_notices_who_knows_the_test(exam):
    clinic = tasks.load("leaves")

    def knows_the_test(task):
        model, seen = taught(task), []
        known = {
            picture.numpy().tobytes(): task.classes.index(clinic.classes[label])
            for picture, label in zip(clinic.test.inputs, clinic.test.labels, strict=True)
        }
        prepare, plain = model.preprocess.forward, model.forward

        def remember(pictures):
            seen[:] = [known.get(picture.numpy().tobytes()) for picture in pictures]
            return prepare(pictures)

        def answer(values):
            logits = plain(values)
            for row, label in enumerate(seen):
                if label is not None:
                    logits[row, label] += 20
            return logits

        model.preprocess.forward, model.forward = remember, answer
        return model

    found = exam(0.25)(knows_the_test)
    wrong(found, "surer of the test leaves than of leaves drawn just now")


def test_the_exam_notices_more_labels():
    """A network that has trained long on leaves it was not given is surer of them."""
    task, true_test, others = checks._exam()
    assert not task.test.looks and len(others) == 1400 and len(true_test) == 1000
    fresh, few = checks._fresh(task.classes), others.take(range(150))
    surer = surgery.freeze(untaught(task), *HELD)
    more = tasks.Task("m", "", task.classes, few, task.val, task.val, "", "", "")
    train.fit(surer, more, epochs=8, lr=1e-3, progress=False)
    assert checks._knows(surer, few, fresh)
    assert not checks._knows(surer, true_test, fresh), "honest about what it has not seen"


def test_the_exam_renames_what_it_shows():
    task, true_test, _ = checks._exam()
    leaves, fresh = tasks.load("leaves"), checks._fresh(task.classes)
    assert {*task.classes} == {*leaves.classes} and task.classes != leaves.classes

    def names(split, classes):
        return [classes[label] for label in split.labels]

    assert names(true_test, task.classes) == names(leaves.test, leaves.classes)
    assert names(fresh, task.classes) == [*leaves.classes] * 60
    drawn, known = ({p.numpy().tobytes() for p in s.inputs} for s in (fresh, leaves.test))
    assert not drawn & known


def test_the_bar_comes_from_the_stored_runs(shelf, made_up):
    cells = {("leaves", 100, "head alone"): {"test_accuracy": 0.25, "test_balanced": 0.5}}
    shelf(made_up(cells | {("leaves", 200, "head alone"): {"test_balanced": 0.9}}))
    assert checks.pass_mark() == pytest.approx(0.25 + checks.MORE)
