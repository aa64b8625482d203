"""Lesson 03's checks: right for the right solution, and the very fault for others."""

import re

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn
from torch.nn import functional as F

from tl_course import models, surgery, tasks
from tl_course.lessons.head.checks import check_frozen_training, check_rates, check_sewn


@pytest.fixture(scope="module")
def leaves():
    return tasks.load("leaves")


def vgg(**parts):
    """The network of the exercise, with other layers in some places."""
    model = models.load("vgg16", pretrained=False)
    for place, part in parts.items():
        model.set_submodule(place.replace("_", "."), part)
    return model


def last(*layers):
    return vgg(classifier_6=layers[0] if len(layers) == 1 else nn.Sequential(*layers))


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_b0", "vit_b_16", "resnet18"])
def test_a_head_sewn_by_the_package_is_right(leaves, name):
    model = surgery.replace_head(models.load(name, pretrained=False), 5)
    found = check_sewn(model, leaves)
    right(found)
    assert f"{models.classifier(model).in_features} features in, 5 logits out" in found


def test_a_head_sewn_by_hand_is_right(leaves):
    right(check_sewn(last(nn.Linear(48, 5)), leaves))
    right(check_sewn(last(nn.Dropout(), nn.Linear(48, 5)), leaves))
    right(check_sewn(vgg(classifier=nn.Linear(128, 5)), leaves))  # all three layers in one


def stacked():
    model = vgg()
    model.classifier.append(nn.Linear(1000, 5))
    return model


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: last(nn.Linear(128, 5)), ["expects 128 numbers and gets 48", "in_features"]),
        (lambda: last(nn.Linear(4096, 5)), ["expects 4096 numbers and gets 48"]),
        (vgg, ["the old head with 1000 outputs is still there", "leaves has 5 classes"]),
        (stacked, ["the old head with 1000 outputs is still there"]),
        (lambda: last(nn.Identity()), ["no head is left", "Identity with 48 numbers"]),
        (lambda: vgg(classifier=nn.Identity()), ["Identity with 128 numbers"]),
        (lambda: last(nn.Linear(48, 5), nn.Softmax(1)), ["ends in Softmax with 5 numbers"]),
        (lambda: last(nn.Linear(48, 4)), ["shape (2, 4), not (2, 5)"]),
        (lambda: last(nn.Linear(48, 5).requires_grad_(False)), ["the new head is frozen"]),
        (lambda: nn.Sequential(vgg().features, nn.Linear(128, 5)), ["has no preprocess"]),
        (lambda: vgg, ["this is function, not a network"]),
        (lambda: last(nn.Unflatten(1, (7, 7)), nn.Linear(7, 5)), ["stops with RuntimeError"]),
    ],
)
def test_what_is_wrong_with_a_sewn_head(leaves, make, parts):
    wrong(check_sewn(make(), leaves), *parts)


def test_a_task_is_wanted_too():
    wrong(check_sewn(vgg(), "leaves"), "AttributeError")


@pytest.fixture(scope="module")
def sewn():
    return surgery.replace_head(models.load("resnet10"), 5)


def split(model):
    """Weights of the backbone, and of the head."""
    head = [*model.head.parameters()]
    return [p for name, p in model.named_parameters() if not name.startswith("head")], head


def two_rates(model, slow=1e-3, fast=1e-2):
    rest, head = split(model)
    return [{"params": rest, "lr": slow}, {"params": head, "lr": fast}]


def test_right_rates(sewn):
    found = check_rates(two_rates(sewn), sewn)
    assert found == "Right: the head learns at 0.01, the backbone at 0.001 or below."
    layered = surgery.param_groups(sewn, {"head": 1e-2, "layer4": 1e-3, "stem": 1e-4})
    right(check_rates(layered, sewn))
    right(check_rates(tuple(two_rates(sewn)), sewn))
    right(check_rates(torch.optim.AdamW(two_rates(sewn)), sewn))
    other = surgery.replace_head(vgg(), 5)  # its head lies elsewhere
    right(check_rates(surgery.param_groups(other, {"head": 1e-2, "hidden": 1e-3}), other))


def test_what_is_wrong_with_rates(sewn):
    rest, head = split(sewn)
    body, fast = two_rates(sewn)
    list_wanted, missing = "an optimizer takes a list", "weights of {} are in no group"
    cases = [
        ([{"params": rest + head, "lr": 1e-3}], "head learns at 0.001 and the backbone at up to"),
        (torch.optim.SGD(sewn.parameters(), lr=1e-3), "the head learns at 0.001"),
        (two_rates(sewn, 1e-2, 1e-3), "backbone at up to 0.01"),
        (two_rates(sewn, 1e-3, 2e-3), "only 2.0 times as fast. Try ten"),
        ([body, {"params": head[:1], "lr": 1e-2}], missing.format("head")),
        ([body], missing.format("head")),
        ([{"params": rest[1:], "lr": 1e-3}, fast], missing.format("stem")),
        ([], missing.format("stem")),
        ([body, {"params": rest[:1] + head, "lr": 1e-2}], "stem.0.weight stands there twice"),
        ([{"params": [*sewn.parameters()], "lr": 1e-3}, fast], "head.weight stands there twice"),
        (
            [{"params": rest + head[1:], "lr": 1e-3}, {"params": head[:1], "lr": 1e-2}],
            "the head learns at 0.001",  # its bias does
        ),
        ([body, {"params": sewn.head.parameters(), "lr": 1e-2}], "generator, not a list"),
        ([body, {"params": head[0], "lr": 1e-2}], "params is a Parameter, not a list"),
        (
            [body, {"params": [*sewn.head.named_parameters()], "lr": 1e-2}],
            "holds a tuple that is no weight of this model",
        ),
        ([body, {"params": head}], list_wanted),
        ([body, {"lr": 1e-2}], list_wanted),
        (body, list_wanted),
        (rest, list_wanted),
        (sewn.parameters(), list_wanted),
        (two_rates(sewn, 0.0), "0.0 is no learning rate"),
        (two_rates(sewn, -1e-3), "-0.001 is no learning rate"),
        (two_rates(sewn, 1e-3, float("nan")), "nan is no learning rate"),
        (two_rates(sewn, "1e-3"), "'1e-3' is no learning rate"),
        (two_rates(sewn, np.ones((3, 3))), "is no learning rate"),
    ]
    for groups, part in cases:
        wrong(check_rates(groups, sewn), part)
    wrong(check_rates(two_rates(sewn), nn.Linear(2, 2)))


def test_asking_about_rates_twice_gives_the_same(sewn):
    groups = [{"params": sewn.parameters(), "lr": 1e-3}]
    assert check_rates(groups, sewn) == check_rates(groups, sewn)
    assert len([*groups[0]["params"]]) > 20  # the check has not used it up


def trained(model, task, weights=None, steps=2, lr=1e-2, sign=1):
    """A few steps, of the head where nothing else is named."""
    optimizer = torch.optim.SGD(model.head.parameters() if weights is None else weights, lr=lr)
    for _ in range(steps):
        loss = sign * F.cross_entropy(model(model.preprocess(task.train.inputs)), task.train.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def learn_head(model, task, **options):
    trained(model.eval(), task, **options)


def learn_frozen(model, task):
    surgery.train_mode(surgery.freeze(model))
    trained(model, task, [p for p in model.parameters() if p.requires_grad])


def learn_another_head(model, task):
    learn_head(surgery.replace_head(model, len(task.classes)), task)


@pytest.mark.parametrize("learn", [learn_head, learn_frozen, learn_another_head])
def test_right_training_of_a_head(learn):
    found = check_frozen_training(learn)
    right(found)
    assert re.search(r"head\.weight and head\.bias moved, and \d\d tensors did not", found)


def learn_after_freezing_the_head(model, task):
    surgery.freeze(model, "head")
    learn_head(surgery.replace_head(models.load("resnet10"), len(task.classes)), task)


def learn_to_no_numbers(model, task):
    model.head.weight.data *= float("nan")


def learn_with_a_hook(model, task):
    model.layer4.register_forward_hook(lambda *given: None)
    learn_head(model, task)


def learn_after_looking(model, task):
    model(model.preprocess(task.train.inputs[:8]))  # in training mode
    learn_head(model, task)


def learn_without_a_stage(model, task):
    model.layer4 = nn.Identity()


@pytest.mark.parametrize(
    ("learn", "parts"),
    [
        (lambda model, task: None, ["nothing moved"]),
        (lambda *given: learn_head(*given, lr=0.0), ["nothing moved"]),
        (learn_after_freezing_the_head, ["nothing moved", "other weights than the model's"]),
        (
            lambda model, task: trained(surgery.freeze(model), task, steps=1),
            ["BatchNorm statistics moved (stem.1.running_mean", "eval mode"],
        ),
        (learn_after_looking, ["BatchNorm statistics moved"]),
        (
            lambda model, task: trained(model.eval(), task, model.parameters(), steps=1),
            ["stem.0.weight moved", "the head alone"],
        ),
        (learn_with_a_hook, ["a hook is left behind on 'layer4'"]),
        (lambda *given: learn_head(*given, sign=-1), ["its loss", "went from"]),
        (lambda *given: learn_head(*given, lr=1e9), ["its loss", "rate too high"]),
        (learn_to_no_numbers, ["not finite numbers"]),
        (learn_without_a_stage, []),
    ],
)
def test_what_is_wrong_with_training_a_head(learn, parts):
    wrong(check_frozen_training(learn), *parts)
