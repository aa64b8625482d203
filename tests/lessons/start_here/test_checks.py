"""Lesson 00's check: right for a new head alone, and the very fault for all else."""

import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import models, surgery, train
from tl_course.lessons.start_here.checks import check_head_only

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


def prepared(toy, pretrained=True):
    model = surgery.replace_head(models.load("resnet10", pretrained=pretrained), len(toy.classes))
    return surgery.freeze(model, *BODY)


def by_hand(toy):
    model = models.load("resnet10").requires_grad_(False)
    model.head = nn.Linear(256, 3)
    return model


def trained(toy):
    model = prepared(toy)
    train.fit(model, toy, epochs=1, progress=False)
    return model


@pytest.mark.parametrize("make", [prepared, by_hand, trained])
def test_a_new_head_and_nothing_else_that_learns(toy, make):
    found = check_head_only(make(toy), toy)
    right(found)
    assert "Right: 771 of " in found


def seen_in_training_mode(toy):
    model = prepared(toy).train()
    model(model.preprocess(toy.train.inputs[:32]))
    return model


def of_another_family(toy):
    return surgery.freeze(surgery.replace_head(models.load("resnet18", pretrained=False), 3))


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda toy: None, "not a network. models.load gives one"),
        (lambda toy: models.load("resnet10"), "head has 200 outputs and toy has 3 classes"),
        (lambda toy: surgery.freeze(prepared(toy), "head"), "head is frozen too"),
        (
            lambda toy: surgery.unfreeze(prepared(toy), "layer3", "layer4"),
            "layer3, layer4 would still be trained",
        ),
        (lambda toy: prepared(toy, pretrained=False), "stem.0.weight differs from the pretrained"),
        (seen_in_training_mode, "BatchNorm statistics moved (stem.1.running_mean)"),
        (lambda toy: nn.Linear(2, 2), "this is a Linear"),
        (of_another_family, "The exercise is about resnet10"),
    ],
)
def test_the_check_says_what_the_model_shows(toy, make, part):
    torch.manual_seed(0)
    wrong(check_head_only(make(toy), toy), part)
