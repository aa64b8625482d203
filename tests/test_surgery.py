import copy

import pytest
import torch
from torch import nn

from tl_course import models, store, surgery, tasks, train
from tl_course.tasks import Task

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


def test_replace_head_of_a_reader_keeps_its_four_answers():
    reader = models.load("reader_spanish")
    before = copy.deepcopy(reader.state_dict())
    assert surgery.replace_head(reader, 10).head.out_features == 40
    assert reader.classes == () and models.answers(reader) == 4
    assert not torch.equal(reader.head.weight, before["head.weight"])
    assert torch.equal(reader.letters.weight, before["letters.weight"])
    surgery.replace_head(reader, 7)
    points = tasks.load("numbers_spanish").val.inputs[:5]
    assert train.predict(reader, points).shape == (5, 4, 7)


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


def test_freezing_up_to_a_stage_is_freezing_all_that_come_before():
    model = models.load("resnet10", pretrained=False)
    assert surgery.freeze_to(model, "layer2") is model
    assert surgery.frozen(model) == ("stem", "layer1", "layer2")
    with pytest.raises(store.UnknownName, match="layer9"):
        surgery.freeze_to(model, "layer9")


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


def logits(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():  # float32, whatever the hardware prefers
        return model(model.preprocess(inputs))


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return models.load("reader_spanish")


@pytest.fixture(scope="module")
def few() -> Task:
    return tasks.load("numbers_italian").few(30, seed=0)


def test_lora_changes_nothing_before_training(reader, model, few, toy):
    for network, inputs in ((reader, few.val.inputs), (model, toy.val.inputs)):
        before = logits(network, inputs)
        assert surgery.add_lora(network, rank=2) is network
        assert torch.equal(logits(network, inputs), before)


def test_lora_trains_two_thin_matrices_and_nothing_else(reader, few):
    shapes = [p.shape for p in reader.parameters() if p.ndim > 1]
    surgery.add_lora(reader, rank=3)
    before = {name: p.clone() for name, p in reader.named_parameters()}
    train.fit(reader, few, epochs=3, lr=1e-2, progress=False)
    for name, parameter in reader.named_parameters():
        thin = name.endswith((".0.a", ".0.b"))
        assert parameter.requires_grad == thin, name
        assert torch.equal(parameter, before[name]) != thin, name
    trained = sum(p.numel() for p in reader.parameters() if p.requires_grad)
    assert trained == sum(3 * (out + width) for out, width in shapes)


def test_lora_of_rank_one_changes_each_matrix_by_rank_one(reader, few):
    before = copy.deepcopy(reader.state_dict())
    train.fit(surgery.add_lora(reader, rank=1), few, epochs=3, lr=1e-2, progress=False)
    after = surgery.merge_lora(reader).state_dict()
    for name in ("letters.weight", "memory.back.weight_hh_l0", "head.weight"):
        first, second = torch.linalg.svdvals(after[name] - before[name])[:2]
        assert first > 0.01 and second < 1e-4 * first, name


def test_merged_lora_is_an_ordinary_network_that_says_the_same(reader, few):
    plain = copy.deepcopy(reader)
    start = logits(reader, few.val.inputs)
    train.fit(surgery.add_lora(reader), few, epochs=5, lr=1e-2, progress=False)
    learned = logits(reader, few.val.inputs)
    assert not torch.allclose(learned, start, atol=0.1)
    assert surgery.merge_lora(reader) is reader
    torch.testing.assert_close(logits(reader, few.val.inputs), learned)
    assert surgery.frozen(reader) == () and all(p.requires_grad for p in reader.parameters())
    plain.load_state_dict(reader.state_dict())  # names and shapes are the old ones
    assert torch.equal(logits(plain, few.val.inputs), logits(reader, few.val.inputs))
    assert (reader.letters.weight[0] == 0).all()  # no letter stays no letter
    surgery.add_lora(reader)


def test_lora_on_convolutions(model, toy):
    surgery.add_lora(model, rank=2)
    before = {name: p.clone() for name, p in model.named_parameters()}
    history = train.fit(model, toy, epochs=1, lr=1e-2, batch=90, progress=False)
    assert history.best_epoch == 1 and history.cached == ()
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            assert torch.equal(parameter, before[name]), name
    change = model.layer2[0].conv1.parametrizations.weight[0]
    assert change.b.any() and change.a.shape == (2, model.layer2[0].conv1.weight[0].numel())
    learned = logits(model, toy.val.inputs)
    surgery.merge_lora(model)
    torch.testing.assert_close(logits(model, toy.val.inputs), learned, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cache", [True, False])
def test_lora_leaves_batchnorm_statistics_alone(toy, cache):
    network = surgery.replace_head(models.load("resnet10"), len(toy.classes))
    before = {name: value.clone() for name, value in network.named_buffers()}
    assert len([name for name in before if "running" in name]) == 2 * 12
    surgery.add_lora(network, rank=2)
    train.fit(network, toy, epochs=2, lr=1e-2, cache=cache, progress=False)
    after = dict(network.named_buffers())
    for name, value in before.items():
        assert torch.equal(value, after[name]), name
    start = torch.zeros_like(network.head.parametrizations.weight[0].b)
    assert not torch.equal(network.head.parametrizations.weight[0].b, start)


def test_lora_can_be_added_once(reader):
    surgery.add_lora(reader)
    with pytest.raises(store.BadInput, match="it has LoRA weights already"):
        surgery.add_lora(reader)


@pytest.mark.parametrize("rank", [0, -1, 2.0, "4", None, True])
def test_lora_refuses(reader, rank):
    with pytest.raises(store.BadInput, match="a whole number from 1"):
        surgery.add_lora(reader, rank)
    assert all(p.requires_grad for p in reader.parameters())


def test_lora_agrees_with_the_library_peft():
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    mine = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"])
    theirs = peft.get_peft_model(copy.deepcopy(mine), config)
    surgery.add_lora(mine, rank=4)
    scale = 8 / 4  # peft multiplies by lora_alpha / r; here the second matrix holds it
    changes = [mine[place].parametrizations.weight[0] for place in (0, 2)]
    layers = [theirs.base_model.model[place] for place in (0, 2)]
    with torch.no_grad():
        for change, layer in zip(changes, layers, strict=True):
            nn.init.normal_(layer.lora_B["default"].weight)
            change.a.copy_(layer.lora_A["default"].weight)
            change.b.copy_(scale * layer.lora_B["default"].weight)
    inputs = torch.randn(20, 6)
    found, expected = mine(inputs), theirs(inputs)
    torch.testing.assert_close(found, expected)
    found.square().sum().backward()
    expected.square().sum().backward()
    for change, layer in zip(changes, layers, strict=True):
        torch.testing.assert_close(change.a.grad, layer.lora_A["default"].weight.grad)
        torch.testing.assert_close(scale * change.b.grad, layer.lora_B["default"].weight.grad)
    count = sum(p.requires_grad for p in theirs.parameters())
    assert count == sum(p.requires_grad for p in mine.parameters()) == 4


def spoiled(model: nn.Module) -> nn.Module:
    """Every number of a network changed, statistics too, so that copies can be told."""
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(1 if value.is_floating_point() else 7)
    return model


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.state_dict())


@pytest.mark.parametrize("names", [("layer2",), ("stem", "layer1", "head"), ()])
def test_transplant_copies_a_stage_with_its_batchnorm_statistics(model, names):
    donor = spoiled(copy.deepcopy(model))
    given, before = state(donor), state(model)
    assert surgery.transplant(donor, model, *names) is model
    moved = 0
    for name, value in model.state_dict().items():
        chosen = name.split(".")[0] in names
        assert torch.equal(value, (given if chosen else before)[name]), name
        moved += chosen and "running" in name
    assert moved == {("layer2",): 6, ("stem", "layer1", "head"): 6, (): 0}[names]
    assert all(torch.equal(value, given[name]) for name, value in donor.state_dict().items())


def test_what_is_transplanted_is_a_copy(model):
    donor = spoiled(copy.deepcopy(model))
    given = state(donor)
    surgery.transplant(donor, model, "layer3")
    spoiled(model)
    assert all(torch.equal(value, given[name]) for name, value in donor.state_dict().items())


def test_transplant_keeps_what_is_frozen(model):
    donor = surgery.freeze(copy.deepcopy(model), "layer1")
    surgery.transplant(donor, surgery.freeze(model, "layer2"), "layer1", "layer2")
    assert surgery.frozen(model) == ("layer2",)


def test_a_transplant_of_all_stages_says_what_the_donor_says(model, toy):
    donor = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    surgery.transplant(donor, model, *surgery.stages(donor))
    assert torch.equal(
        logits(model.eval(), toy.val.inputs[:4]), logits(donor.eval(), toy.val.inputs[:4])
    )


def test_transplants_between_readers():
    donor, fresh = models.load("reader_spanish"), models.load("reader_spanish", pretrained=False)
    before = state(fresh)
    surgery.transplant(donor, fresh, "memory")
    for name, value in fresh.state_dict().items():
        expected = donor.state_dict() if name.startswith("memory") else before
        assert torch.equal(value, expected[name]), name


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("layer1", "layer9"), "no stage of this name"),
        (("layer1", 3), "stage"),
        (("layer1", "head"), "'head' of the donor"),
        (("layer1", "letters"), "no stage of this name"),
    ],
)
def test_a_transplant_that_is_refused_changes_nothing(model, names, message):
    donor = surgery.replace_head(spoiled(copy.deepcopy(model)), 5)
    before = state(model)
    with pytest.raises(store.CourseError, match=message):
        surgery.transplant(donor, model, *names)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_no_transplant_between_families(model):
    before = state(model)
    with pytest.raises(store.UnknownName, match="letters"):
        surgery.transplant(models.load("reader_spanish"), model, "stem")
    with pytest.raises(store.UnknownName, match="stem"):
        surgery.transplant(models.load("reader_spanish"), model, "letters")
    with pytest.raises(store.BadInput, match="other shapes"):
        surgery.transplant(models.load("reader_spanish"), model, "head")
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("keep", [0, 0.5, 0.2, 1])
def test_shrink_mixes_weights_and_leaves_statistics(model, keep):
    fresh = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    spoiled(model)
    before, other = state(model), state(fresh)
    assert surgery.shrink(model, fresh, keep) is model
    weights = dict(model.named_parameters())
    assert len(weights) < len(before)
    for name, value in model.state_dict().items():
        mixed = keep * before[name] + (1 - keep) * other[name]
        torch.testing.assert_close(value, mixed if name in weights else before[name], msg=name)
    assert all(torch.equal(value, other[name]) for name, value in fresh.state_dict().items())
    assert all(weight.requires_grad and weight.is_leaf for weight in weights.values())


def test_shrink_with_all_or_nothing_is_exact(model):
    fresh = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    before = state(model)
    surgery.shrink(model, fresh, 1)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    surgery.shrink(model, fresh, 0)
    other = dict(fresh.named_parameters())
    assert all(torch.equal(value, other[name]) for name, value in model.named_parameters())


@pytest.mark.parametrize("keep", [-0.1, 1.01, float("nan"), float("inf"), "0.5", None])
def test_shrink_refuses_a_share(model, keep):
    before = state(model)
    with pytest.raises(store.BadInput, match="from 0 to 1"):
        surgery.shrink(model, copy.deepcopy(model), keep)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("other", ["reader_spanish", "resnet10"])
def test_shrink_refuses_another_network(model, other):
    before = state(model)
    with pytest.raises(store.BadInput, match="Load the same one"):
        surgery.shrink(model, models.load(other, pretrained=False), 0.5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
