import pytest
import torch

from tl_course import features, models, store, surgery


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


@pytest.mark.parametrize(("stage", "channels"), [("stem", 32), ("layer2", 64), ("layer4", 256)])
def test_extract_equals_the_model_up_to_a_stage(model, toy, stage, channels):
    found = features.extract(model, toy.val.inputs, stage, batch=7)
    assert found.shape == (60, channels) and found.dtype == torch.float32
    expected = model.preprocess(toy.val.inputs)
    with torch.no_grad():
        for name, part in models.stages(model).items():
            expected = part(expected)
            if name == stage:
                break
    torch.testing.assert_close(found, expected.mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_extract_defaults_to_what_the_head_sees(model, toy):
    found = features.extract(model, toy.val.inputs)
    with torch.no_grad():
        logits = model(model.preprocess(toy.val.inputs))
        torch.testing.assert_close(model.head(found), logits, rtol=1e-4, atol=1e-5)


def test_extract_leaves_the_model_as_it_was(model, toy):
    surgery.train_mode(surgery.freeze(model, "stem"))
    modes = [m.training for m in model.modules()]
    before = model.layer1[0].bn1.running_mean.clone()
    features.extract(model, toy.val.inputs)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(before, model.layer1[0].bn1.running_mean)
    with pytest.raises(store.UnknownName):
        features.extract(model, toy.val.inputs, "layer7")
    with pytest.raises(store.BadInput):
        features.extract(model, toy.val.inputs.float())
    assert [m.training for m in model.modules()] == modes


@pytest.mark.parametrize(
    "names",
    [("stem",), ("stem", "layer1", "layer2"), ("stem", "layer1", "layer2", "layer3", "layer4")],
)
def test_prefix_and_rest_give_the_model(model, toy, names):
    surgery.freeze(model, *names)
    prefix = features.split_prefix(model)
    assert prefix.names == names
    with torch.no_grad():
        found = prefix.above(prefix.apply(toy.val.inputs))
        expected = model(model.preprocess(toy.val.inputs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_prefix_ends_at_the_first_trainable_stage(model):
    assert features.split_prefix(model) is None
    surgery.freeze(model, "layer2", "layer4")
    assert features.split_prefix(model) is None
    surgery.freeze(model, "stem")
    assert features.split_prefix(model).names == ("stem",)


def test_pooling_goes_below_the_cut(model, toy):
    prefix = features.split_prefix(surgery.freeze(model))
    assert prefix.apply(toy.val.inputs[:4]).shape == (4, 256)


def test_prefix_too_large_for_memory(model, toy, monkeypatch):
    prefix = features.split_prefix(surgery.freeze(model, "stem"))
    assert prefix.fits(toy.train.inputs)
    monkeypatch.setattr(features, "CACHE_LIMIT", 1000)
    assert not prefix.fits(toy.train.inputs)


def test_probe_reads_what_is_there_and_nothing_else(toy):
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(90, 5, generator=rng)
    val_noise = torch.randn(60, 5, generator=rng)
    told = noise + 3 * torch.nn.functional.one_hot(toy.train.labels, 5)
    val_told = val_noise + 3 * torch.nn.functional.one_hot(toy.val.labels, 5)
    assert features.probe(told, toy.train, val_told, toy.val).accuracy > 0.85
    assert features.probe(noise, toy.train, val_noise, toy.val).accuracy < 0.6


def test_probe_task(model, toy):
    found = features.probe_task(model, toy)
    assert found["test_accuracy"] > 0.9
    assert set(found) == {"val_accuracy", "test_accuracy", "test_balanced"}


def test_probe_refuses_one_class(toy):
    one = toy.train.take((toy.train.labels == 0).nonzero()[:, 0])
    found = one.inputs.float().mean((2, 3))
    with pytest.raises(store.BadInput, match="one class"):
        features.probe(found, one, found, one)
