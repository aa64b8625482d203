import copy

import pytest
import torch
from torch import nn

from tl_course import models, store, surgery, train

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_replace_head_changes_only_the_head(model):
    before = copy.deepcopy(model.state_dict())
    assert surgery.replace_head(model, 7) is model
    after = model.state_dict()
    assert after["head.weight"].shape == (7, 256)
    assert model.classes == ()
    for name, value in before.items():
        if not name.startswith("head"):
            assert torch.equal(value, after[name]), name


def test_replace_head_of_resnet18():
    model = surgery.replace_head(models.load("resnet18", pretrained=False), 4)
    assert model.fc.out_features == 4 and surgery.classifier(model) is model.fc


@pytest.mark.parametrize("classes", [1, 0, -2, 2.0, "5", None, True])
def test_replace_head_refuses(model, classes):
    with pytest.raises(store.BadInput, match=r"len\(task.classes\)"):
        surgery.replace_head(model, classes)


def test_freeze_by_name_and_back(model):
    surgery.freeze(model, "stem", "layer2")
    assert surgery.frozen(model) == ("stem", "layer2")
    surgery.unfreeze(model, "layer2")
    assert surgery.frozen(model) == ("stem",)
    surgery.freeze(model)
    assert surgery.frozen(model) == BODY
    surgery.unfreeze(model)
    assert surgery.frozen(model) == ()


def test_unknown_stage_lists_the_known_ones_and_changes_nothing(model):
    with pytest.raises(store.UnknownName, match="layer3, layer4, head"):
        surgery.freeze(model, "stem", "layer9")
    assert surgery.frozen(model) == ()
    with pytest.raises(store.UnknownName):
        surgery.freeze(model, 3)


def test_train_mode_keeps_frozen_stages_in_eval_mode(model):
    surgery.freeze(model, "stem", "layer1")
    surgery.train_mode(model)
    parts = surgery.stages(model)
    assert not any(m.training for m in parts["stem"]) and not parts["layer1"].training
    assert parts["layer4"].training and model.training


def test_frozen_batchnorm_statistics_do_not_move(model, toy):
    surgery.freeze(model, "stem", "layer1")
    before = copy.deepcopy(model.state_dict())
    train.fit(model, toy, epochs=1, cache=False, progress=False)
    after = model.state_dict()
    for name, value in before.items():
        same = torch.equal(value, after[name])
        assert same == name.startswith(("stem", "layer1")), name


def test_without_train_mode_they_would_move(model, toy):
    surgery.freeze(model, "stem")
    before = model.stem[1].running_mean.clone()
    model.train()
    model(model.preprocess(toy.train.inputs[:32]))
    assert not torch.equal(before, model.stem[1].running_mean)


def test_param_groups(model):
    surgery.freeze(model, "stem")
    groups = surgery.param_groups(model, {"head": 1e-2, "layer4": 1e-3, "layer2": 1e-4})
    rates = {group["stage"]: group["lr"] for group in groups}
    assert rates == {"layer1": 1e-4, "layer2": 1e-4, "layer3": 1e-3, "layer4": 1e-3, "head": 1e-2}
    in_groups = sum(p.numel() for group in groups for p in group["params"])
    assert in_groups == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert {g["lr"] for g in surgery.param_groups(model, 3e-4)} == {3e-4}


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ({"body": 1e-3}, "no stage of this name"),
        ({"layer1": 1e-3}, "trainable and has no rate"),
        (0, "not a positive number"),
        (float("nan"), "not a positive number"),
        ({"head": -1}, "not a positive number"),
        ("1e-3", "not a positive number"),
    ],
)
def test_param_groups_refuse(model, rates, message):
    with pytest.raises(store.CourseError, match=message):
        surgery.param_groups(model, rates)


def test_nothing_left_to_train(model):
    surgery.freeze(model, *BODY, "head")
    with pytest.raises(store.BadInput, match="every stage is frozen"):
        surgery.param_groups(model, 1e-3)


def test_summary(model):
    table = surgery.summary(surgery.freeze(model))
    assert table.parameters.sum() == sum(p.numel() for p in model.parameters())
    assert table.trained["layer4"] == 0 and table.trained["head"] == 3 * 257
    assert table["BatchNorm statistics"]["stem"] == "fixed"
    surgery.unfreeze(model)
    assert surgery.summary(model)["BatchNorm statistics"]["stem"] == "moves in training"


def test_new_head_keeps_device_and_type(model):
    model.to(torch.float64)
    assert surgery.replace_head(model, 5).head.weight.dtype == torch.float64
    assert isinstance(model.head, nn.Linear)


def test_a_head_of_several_layers_keeps_the_others(model):
    model.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(256, 3))
    surgery.replace_head(model, 5)
    assert isinstance(model.head[0], nn.Dropout) and model.head[1].out_features == 5
    model.head = nn.Sequential(nn.Linear(256, 3), nn.LogSoftmax(1))
    with pytest.raises(store.BadInput, match="End the head with Linear"):
        surgery.replace_head(model, 5)


def test_a_torchvision_network_needs_its_preprocessing():
    from torchvision.models import resnet34

    other = resnet34()
    with pytest.raises(store.BadInput, match="model.preprocess = models.Preprocess"):
        surgery.stages(other)
    other.preprocess = models.Preprocess(224)
    assert surgery.replace_head(other, 4).fc.out_features == 4
