import copy

import numpy as np
import pytest
import torch
from torch import nn
from torchvision.models import resnet34

from tl_course import models, store, surgery, tasks, train
from tl_course.tasks import Task

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return models.load("reader_spanish")


@pytest.fixture(scope="module")
def few() -> Task:
    return tasks.load("numbers_italian").few(30, seed=0)


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    return copy.deepcopy(model.state_dict())


def moved(model: nn.Module, before: dict[str, torch.Tensor]) -> set[str]:
    """Which tensors of a network are other than before."""
    after = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name for name, value in before.items() if not torch.equal(value, after[name])}


def logits(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():  # float32, whatever the hardware prefers
        return model(model.preprocess(inputs))


def test_replace_head_changes_only_the_head(model):
    before = state(model.double())
    assert surgery.replace_head(model, np.int64(7)) is model and model.classes == ()
    assert model.head.weight.shape == (7, 256) and model.head.weight.dtype == torch.float64
    assert moved(model, {name: before[name] for name in before if "head" not in name}) == set()


def test_replace_head_of_networks_of_torchvision():
    other = resnet34()
    with pytest.raises(store.BadInput, match="model.preprocess = models.Preprocess"):
        surgery.stages(other)
    other.preprocess = models.Preprocess(224)
    for model in (other, models.load("resnet18", pretrained=False)):
        surgery.replace_head(model, 4)
        assert model.fc.out_features == 4 and surgery.classifier(model) is model.fc


def test_a_head_of_several_layers_keeps_the_others(model):
    model.head = nn.Sequential(nn.Dropout(0.5), nn.Linear(256, 3))
    surgery.replace_head(model, 5)
    assert isinstance(model.head[0], nn.Dropout) and model.head[1].out_features == 5
    model.head = nn.Sequential(nn.Linear(256, 3), nn.LogSoftmax(1))
    with pytest.raises(store.BadInput, match="End the head with Linear"):
        surgery.replace_head(model, 5)


@pytest.mark.parametrize("classes", [1, -2, 2.0, "5", None, True, 10**12])
def test_replace_head_refuses(model, classes):
    with pytest.raises(store.BadInput, match="it must be a whole number from 2 to 100000"):
        surgery.replace_head(model, classes)


def test_freeze_by_name_and_back(model):
    surgery.freeze(model, "stem", "layer2")
    assert surgery.frozen(model) == ("stem", "layer2")
    assert surgery.frozen(surgery.unfreeze(model, "layer2")) == ("stem",)
    assert surgery.frozen(surgery.freeze(model)) == BODY
    assert surgery.frozen(surgery.unfreeze(model)) == ()
    assert surgery.freeze_to(model, "layer2") is model
    assert surgery.frozen(model) == ("stem", "layer1", "layer2")


def test_unknown_stage_lists_the_known_ones_and_changes_nothing(model):
    with pytest.raises(store.UnknownName, match="layer3, layer4, head"):
        surgery.freeze(model, "stem", "layer9")
    for call in (lambda: surgery.freeze(model, 3), lambda: surgery.freeze_to(model, "layer9")):
        with pytest.raises(store.UnknownName):
            call()
    assert surgery.frozen(model) == ()


def test_train_mode_keeps_frozen_stages_in_eval_mode(model, toy):
    surgery.train_mode(surgery.freeze(model, "stem", "layer1"))
    parts = surgery.stages(model)
    assert not any(m.training for m in parts["stem"]) and not parts["layer1"].training
    assert parts["layer4"].training and model.training
    before = state(model)
    train.fit(model, toy, epochs=1, cache=False, progress=False)
    assert {name.split(".")[0] for name in before.keys() - moved(model, before)} == {
        "stem",
        "layer1",
    }
    model.train()  # without it the statistics would move
    model(model.preprocess(toy.train.inputs[:32]))
    assert "stem.1.running_mean" in moved(model, before)


def test_param_groups(model):
    surgery.freeze(model, "stem")
    groups = surgery.param_groups(model, {"head": 1e-2, "layer4": 1e-3, "layer2": 1e-4})
    rates = {group["stage"]: group["lr"] for group in groups}
    assert rates == {"layer1": 1e-4, "layer2": 1e-4, "layer3": 1e-3, "layer4": 1e-3, "head": 1e-2}
    in_groups = sum(p.numel() for group in groups for p in group["params"])
    assert in_groups == sum(p.numel() for p in model.parameters() if p.requires_grad)
    assert {g["lr"] for g in surgery.param_groups(model, 3e-4)} == {3e-4}
    surgery.freeze(model, *BODY, "head")
    with pytest.raises(store.BadInput, match="every stage is frozen"):
        surgery.param_groups(model, 1e-3)


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


def test_summary(model):
    table = surgery.summary(surgery.freeze(model))
    assert table.parameters.sum() == sum(p.numel() for p in model.parameters())
    assert table.trained["layer4"] == 0 and table.trained["head"] == 3 * 257
    assert table["BatchNorm statistics"]["stem"] == "fixed"
    surgery.unfreeze(model)
    assert surgery.summary(model)["BatchNorm statistics"]["stem"] == "moves in training"


def test_lora_trains_two_thin_matrices_and_nothing_else(reader, few):
    shapes = [p.shape for p in reader.parameters() if p.ndim > 1]
    surgery.add_lora(reader, rank=3)
    before = {name: p.clone() for name, p in reader.named_parameters()}
    train.fit(reader, few, epochs=3, lr=1e-2, progress=False)
    thin = {name for name in before if name.endswith((".0.a", ".0.b"))}
    assert {name for name, p in reader.named_parameters() if p.requires_grad} == thin
    assert moved(reader, before) == thin
    trained = sum(p.numel() for p in reader.parameters() if p.requires_grad)
    assert trained == sum(3 * (out + width) for out, width in shapes)


def test_lora_of_rank_one_changes_each_matrix_by_rank_one(reader, few):
    before = state(reader)
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
    torch.testing.assert_close(logits(reader, few.val.inputs), learned, rtol=1e-4, atol=1e-5)
    assert surgery.frozen(reader) == () and all(p.requires_grad for p in reader.parameters())
    plain.load_state_dict(reader.state_dict())  # names and shapes are the old ones
    assert (reader.letters.weight[0] == 0).all()  # no letter stays no letter
    surgery.add_lora(reader)


@pytest.mark.parametrize("cache", [True, False])
def test_lora_leaves_batchnorm_statistics_alone(toy, cache):
    network = surgery.replace_head(models.load("resnet10"), len(toy.classes))
    before = {name: value.clone() for name, value in network.named_buffers()}
    assert len([name for name in before if "running" in name]) == 2 * 12
    surgery.add_lora(network, rank=2)
    train.fit(network, toy, epochs=2, lr=1e-2, cache=cache, progress=False)
    assert moved(network, before) == set()
    assert network.head.parametrizations.weight[0].b.any()  # it starts at zero


@pytest.mark.parametrize("name", ["resnet10", "reader_spanish", "vit_b_16"])
def test_a_copy_with_lora_shares_nothing(name):
    torch.manual_seed(0)
    model = surgery.add_lora(models.load(name, pretrained=False))
    inputs = torch.ones(2, 3, 64, 64) if "reader" not in name else torch.tensor([[50, 60]] * 2)
    (model.train()(model.preprocess(inputs)).sum()).backward()  # leaves tensors with a history
    before = logits(model.eval(), inputs)
    twin = copy.deepcopy(copy.deepcopy(model))
    with torch.no_grad():
        for weight in twin.parameters():
            weight.add_(0.1 * weight.requires_grad)
    learned = logits(twin, inputs)
    assert not torch.allclose(learned, before, atol=1e-3)
    torch.testing.assert_close(
        logits(surgery.merge_lora(twin), inputs), learned, rtol=0.1, atol=0.1
    )
    torch.testing.assert_close(logits(model, inputs), before)
    torch.testing.assert_close(logits(surgery.merge_lora(model), inputs), before)


@pytest.mark.parametrize("value", [None, 2.5, b"x", [], "resnet10", nn.Linear(2, 2)])
@pytest.mark.parametrize(
    "call",
    [
        lambda m, v: surgery.replace_head(v, 3),
        lambda m, v: surgery.transplant(v, m, "stem"),
        lambda m, v: surgery.transplant(m, v, "stem"),
        lambda m, v: surgery.shrink(v, m, 0.5),
        lambda m, v: surgery.shrink(m, v, 0.5),
        lambda m, v: surgery.freeze(v),
        lambda m, v: surgery.freeze_to(v, "stem"),
        lambda m, v: surgery.unfreeze(v),
        lambda m, v: surgery.frozen(v),
        lambda m, v: surgery.train_mode(v),
        lambda m, v: surgery.param_groups(v, 1e-3),
        lambda m, v: surgery.add_lora(m, v),
        lambda m, v: surgery.add_lora("" if isinstance(v, nn.Module) else v),
        lambda m, v: surgery.merge_lora(v),
        lambda m, v: surgery.summary(v),
    ],
)
def test_what_is_no_network_is_refused(model, call, value):
    before = state(model)
    with pytest.raises(store.CourseError):
        call(model, value)
    assert moved(model, before) == set() and all(p.requires_grad for p in model.parameters())


def test_lora_refuses_a_rank_and_a_second_time(reader):
    with pytest.raises(store.BadInput, match="rank=0"):
        surgery.add_lora(reader, 0)
    assert all(p.requires_grad for p in reader.parameters())
    surgery.add_lora(reader)
    with pytest.raises(store.BadInput, match="it has LoRA weights already"):
        surgery.add_lora(reader)


def test_lora_agrees_with_the_library_peft():
    peft = pytest.importorskip("peft")
    torch.manual_seed(0)
    # in float64, whose rounding no processor shows at the tolerances for float32
    mine = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)).double()
    config = peft.LoraConfig(r=4, lora_alpha=8, target_modules=["0", "2"])
    theirs = peft.get_peft_model(copy.deepcopy(mine), config).double()
    surgery.add_lora(mine, rank=4)
    scale = 8 / 4  # peft multiplies by lora_alpha / r; here the second matrix holds it
    changes = [mine[place].parametrizations.weight[0] for place in (0, 2)]
    layers = [theirs.base_model.model[place] for place in (0, 2)]
    with torch.no_grad():
        for change, layer in zip(changes, layers, strict=True):
            nn.init.normal_(layer.lora_B["default"].weight)
            change.a.copy_(layer.lora_A["default"].weight)
            change.b.copy_(scale * layer.lora_B["default"].weight)
    inputs = torch.randn(20, 6, dtype=torch.float64)
    near = {"rtol": 1.3e-6, "atol": 1e-5}
    found, expected = mine(inputs), theirs(inputs)
    torch.testing.assert_close(found, expected, **near)
    found.square().sum().backward()
    expected.square().sum().backward()
    for change, layer in zip(changes, layers, strict=True):
        pairs = ((change.a, layer.lora_A, 1), (change.b, layer.lora_B, scale))
        for ours, other, factor in pairs:
            torch.testing.assert_close(factor * ours.grad, other["default"].weight.grad, **near)
    count = sum(p.requires_grad for p in theirs.parameters())
    assert count == sum(p.requires_grad for p in mine.parameters()) == 4


def spoiled(model: nn.Module) -> nn.Module:
    """Every number of a network changed, statistics too, so that copies can be told."""
    with torch.no_grad():
        for value in model.state_dict().values():
            value.add_(1 if value.is_floating_point() else 7)
    return model


@pytest.mark.parametrize("names", [("layer2",), ("stem", "layer1", "head")])
def test_transplant_copies_a_stage_with_its_batchnorm_statistics(model, names):
    donor = spoiled(copy.deepcopy(model))
    given, before = state(donor), state(model)
    assert surgery.transplant(donor, model, *names) is model
    chosen = {name for name in before if name.split(".")[0] in names}
    assert moved(model, before) == chosen and moved(model, given) == before.keys() - chosen
    assert sum("running" in name for name in chosen) == 6
    spoiled(model)  # what was transplanted is a copy
    assert moved(donor, given) == set()


def test_names_come_with_the_head(model):
    donor = copy.deepcopy(model)
    donor.classes = ("x", "y", "z")
    assert surgery.transplant(donor, model, "stem").classes == ("a", "b", "c")
    assert surgery.transplant(donor, model, "head").classes == ("x", "y", "z")


def test_transplant_keeps_what_is_frozen(model):
    donor = surgery.freeze(copy.deepcopy(model), "layer1")
    surgery.transplant(donor, surgery.freeze(model, "layer2"), "layer1", "layer2")
    assert surgery.frozen(model) == ("layer2",)


def test_transplants_between_readers(reader):
    fresh = models.load("reader_spanish", pretrained=False)
    before = state(fresh)
    surgery.transplant(reader, fresh, "memory")
    assert moved(fresh, before) == {name for name in before if name.startswith("memory")}
    surgery.transplant(reader, fresh, *surgery.stages(reader))
    assert moved(fresh, state(reader)) == set()


@pytest.mark.parametrize(
    ("donor", "names", "message"),
    [
        ("resnet10", (), "transplant without names"),
        ("resnet10", ("layer1", "layer9"), "no stage of this name"),
        ("resnet10", ("layer1", 3), "stage"),
        ("resnet10", ("layer1", "head"), "'head' of the donor.*other shapes"),
        ("resnet10", ("layer1", "letters"), "no stage of this name"),
        ("reader_spanish", ("stem",), "letters"),
        ("reader_spanish", ("letters",), "stem"),
        ("reader_spanish", ("head",), "other shapes"),
    ],
)
def test_a_transplant_that_is_refused_changes_nothing(model, donor, names, message):
    before = state(model)
    with pytest.raises(store.CourseError, match=message):
        surgery.transplant(models.load(donor), model, *names)
    assert moved(model, before) == set()


@pytest.mark.parametrize("keep", [0, 0.5, 0.2, 1])
def test_shrink_mixes_weights_and_leaves_statistics(model, keep):
    fresh = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    spoiled(model)
    before, other = state(model), state(fresh)
    assert surgery.shrink(model, fresh, keep) is model
    weights = dict(model.named_parameters())
    assert len(weights) < len(before)
    exact = {"rtol": 0, "atol": 0} if keep in (0, 1) else {}
    for name, value in model.state_dict().items():
        mixed = keep * before[name] + (1 - keep) * other[name]
        expected = mixed if name in weights else before[name]
        torch.testing.assert_close(value, expected, msg=name, **exact)
    assert moved(fresh, other) == set()
    assert all(weight.requires_grad and weight.is_leaf for weight in weights.values())


def test_shrink_towards_itself_changes_nothing(model):
    before = state(model)
    surgery.shrink(model, model, 0.3)
    assert moved(model, before) == set()


@pytest.mark.parametrize(
    ("other", "keep", "message"),
    [
        ("resnet10", -0.1, "from 0 to 1"),
        ("resnet10", 1.01, "from 0 to 1"),
        ("resnet10", 0.5, "Load the same one"),
        ("reader_spanish", 0.5, "Load the same one"),
    ],
)
def test_shrink_refuses_shares_and_another_network(model, other, keep, message):
    before = state(model)
    with pytest.raises(store.BadInput, match=message):
        surgery.shrink(model, models.load(other, pretrained=False), keep)
    assert moved(model, before) == set()
