import sys

import captum.attr
import pytest
import torch
from torch.nn import functional as F

from tl_course import features, models, store, tasks
from tl_course.features import attribution
from tl_course.tasks.number_words import codes

STAGES = {"stem": 32, "layer1": 32, "layer2": 64, "layer3": 128, "layer4": 256}


@pytest.fixture(scope="module")
def network():
    return models.load("resnet10")


@pytest.fixture(scope="module")
def photographs():
    return tasks.examples(96)


@pytest.mark.parametrize("stage", ["layer2", "layer4"])
@pytest.mark.parametrize("target", [0, 77])
def test_grad_cam_is_captums(network, photographs, stage, target):
    picture = photographs["temple"]
    layer = captum.attr.LayerGradCam(network, getattr(network, stage))
    expected = layer.attribute(network.preprocess(picture[None]), target, relu_attributions=True)
    expected = F.interpolate(expected, (96, 96), mode="bilinear", align_corners=False)[0, 0]
    found = features.grad_cam(network, picture, target, stage)
    assert found.shape == (96, 96) and found.dtype == torch.float32
    torch.testing.assert_close(found, expected / expected.max(), rtol=1e-3, atol=1e-4)
    assert found.min() >= 0 and found.max() == pytest.approx(1)


@pytest.mark.parametrize("name", ["resnet18", "vgg16"])
def test_grad_cam_of_other_networks(name, photographs):
    torch.manual_seed(0)
    model = models.load(name, pretrained=False)
    stage = [*models.stages(model)][-3 if name == "vgg16" else -2]
    found = features.grad_cam(model, photographs["flower"], 0, stage)
    assert found.shape == (96, 96) and found.min() >= 0 and found.max() <= 1


def test_grad_cam_works_frozen_in_training_and_in_inference_mode(network, photographs):
    picture = photographs["flower"]  # by default of the last maps; a class may be named
    expected = features.grad_cam(network, picture, network.classes[3], "layer4")
    model = models.load("resnet10").requires_grad_(False).train()
    before = model.stem[1].running_mean.clone()
    with torch.inference_mode():
        found = features.grad_cam(model, picture, 3)
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert model.training and torch.equal(model.stem[1].running_mean, before)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_nothing_speaks_for_a_class_without_weights(photographs):
    model = models.load("resnet10")
    model.head.weight.data[5] = 0
    found = features.grad_cam(model, photographs["flower"], 5)
    assert found.shape == (96, 96) and not found.any()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": 200}, store.BadInput, "from 0 to 199"),
        ({"target": -1}, store.BadInput, "from 0 to 199"),
        ({"target": "no such thing"}, store.UnknownName, "class"),
        ({"target": 0, "stage": "head"}, store.BadInput, "no maps"),
        ({"target": 0, "stage": "layer5"}, store.UnknownName, "stage"),
    ],
)
def test_grad_cam_refuses(network, photographs, options, error, message):
    with pytest.raises(error, match=message):
        features.grad_cam(network, photographs["flower"], **options)


def test_responses_are_captums_activations(network, toy):
    pictures = toy.val.inputs[:5]
    assert [*features.responses(network, pictures)] == [*STAGES]
    found = features.responses(network, pictures, "stem", "layer3")
    for stage, measured in found.items():
        layer = captum.attr.LayerActivation(network, getattr(network, stage))
        maps = layer.attribute(network.preprocess(pictures)).detach()
        torch.testing.assert_close(measured.mean, maps.mean((2, 3)), rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(measured.peak, maps.amax((2, 3)), rtol=1e-4, atol=1e-5)
        rows = torch.arange(5)[:, None], torch.arange(STAGES[stage]), measured.row, measured.column
        torch.testing.assert_close(maps[rows], measured.peak, rtol=1e-4, atol=1e-5)


def test_a_text_has_no_maps():
    reader = models.load("reader_spanish")
    with pytest.raises(store.BadInput, match="no maps"):
        features.responses(reader, codes(["mil"]), "memory")
    with pytest.raises(store.BadInput, match="takes no pictures"):
        features.preferred_pictures(reader, "memory", [0])


def planted() -> torch.Tensor:
    """Grey pictures; one has a bright square, another a fainter one."""
    pictures = torch.full((5, 3, 64, 64), 128, dtype=torch.uint8)
    pictures[3, :, 20:30, 40:50] = 255
    pictures[1, :, 50:60, 4:14] = 170
    return pictures


def test_strongest_finds_what_excites_a_channel_and_where(network):
    pictures = planted()
    found = features.responses(network, pictures, "stem")["stem"]
    channel = int((found.peak[3] - found.peak[0]).argmax())
    best = features.strongest(network, pictures, "stem", channel, k=2, found=found)
    assert best.indices.tolist() == [3, 1] and best.patches.shape == (2, 3, 7, 7)
    assert best.activations[0] > best.activations[1]
    row, column = int(found.row[3, channel]), int(found.column[3, channel])
    top, left, bottom, right = features.receptive_field(network, "stem").box(row, column)
    assert torch.equal(best.patches[0], pictures[3, :, top:bottom, left:right])
    again = features.strongest(network, pictures, "stem", channel, k=2)
    assert torch.equal(again.patches, best.patches)
    large = pictures.repeat_interleave(2, 2).repeat_interleave(2, 3)  # shows the same places
    best = features.strongest(network, large, "stem", channel, k=1)
    assert best.indices.tolist() == [3] and best.patches.shape == (1, 3, 7, 7)
    assert best.patches.max() > 200


def test_patches_stay_inside_the_picture(network, toy):
    for stage, side in (("stem", 7), ("layer3", 51), ("layer4", 64)):
        best = features.strongest(network, toy.val.inputs[:8], stage, 1, k=20)
        assert best.patches.shape == (8, 3, side, side) and best.patches.dtype == torch.uint8
        assert best.activations.diff().max() <= 0
    assert torch.equal(best.patches, toy.val.inputs[best.indices])  # the whole picture


def test_channels_are_counted_from_zero(network):
    for channel in (-1, 32):
        with pytest.raises(store.BadInput, match="from 0 to 31"):
            features.strongest(network, planted(), "stem", channel)
        with pytest.raises(store.BadInput, match="from 0 to 31"):
            features.preferred_picture(network, "stem", channel)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: features.strongest(net, planted()[:0], "stem", 1), "no picture to look at"),
        (lambda net: features.strongest(net, planted(), "stem", 1, k=0), "k=0"),
        (lambda net: features.preferred_pictures(net, "stem", []), "channel=None"),
        (lambda net: features.preferred_pictures(net, "head", [1]), "no maps"),
        (lambda net: features.preferred_pictures(net, "layer0", [1]), "no stage of this name"),
    ],
)
def test_nothing_to_look_at_is_refused(network, call, message):
    with pytest.raises(store.CourseError, match=message):
        call(network)


def test_a_preferred_picture_excites_its_channel_more_than_photographs(network, photographs):
    shown = torch.stack([*photographs.values()])
    picture, activation = features.preferred_picture(network, "layer2", 20, steps=48)
    assert picture.shape == (3, 64, 64) and picture.dtype == torch.uint8
    found = features.responses(network, picture[None], "layer2")["layer2"]
    assert found.mean[0, 20] == pytest.approx(activation, rel=1e-4)
    others = features.responses(network, shown, "layer2")["layer2"].mean[:, 20]
    assert activation > 1.5 * others.max()


def test_preferred_pictures_do_not_depend_on_company(network):
    together = features.preferred_pictures(network, "layer1", [4, 9, 30], 6, seed=3).pictures
    for channel, drawn in zip((4, 9, 30), together, strict=True):
        alone, _ = features.preferred_picture(network, "layer1", channel, 6, seed=3)
        # Adam's steps have one length, however small the gradients that rounding turns round
        assert ((alone.int() - drawn.int()).abs() <= 2).float().mean() > 0.99
    other, _ = features.preferred_picture(network, "layer1", 4, 6, seed=4)
    assert (other.int() - together[0].int()).abs().float().mean() > 5


def test_a_channel_that_nothing_wakes_gets_grey(network):
    with torch.inference_mode():
        picture, activation = features.preferred_picture(network, "stem", 0, steps=3)
    assert activation == 0 and (picture == 128).all()


def test_the_network_is_left_as_it_was(network):
    modes = [module.training for module in network.modules()]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    features.preferred_pictures(network, "layer3", [1], steps=2)
    assert [module.training for module in network.modules()] == modes
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters())


@pytest.mark.parametrize("stage", STAGES)
def test_stored_pictures_are_those_of_the_embedded_network(network, stage):
    stored = features.stored_preferred(stage)
    assert stored.pictures.shape == (STAGES[stage], 3, 64, 64)
    assert stored.pictures.dtype == torch.uint8
    found = features.responses(network, stored.pictures, stage)[stage].mean
    torch.testing.assert_close(found.diagonal(), stored.activations, rtol=0.02, atol=0.02)
    if stage != "stem":  # each excites its own channel more than pictures made for others do
        assert (found.argmax(0) == torch.arange(STAGES[stage])).float().mean() > 0.9
    dead = stored.best == 0
    assert dead.sum() == (12 if stage == "stem" else 0) and not stored.activations[dead].any()
    if stage in ("layer2", "layer3", "layer4"):
        assert (stored.activations > stored.best).all()


def test_stored_pictures_are_small_and_say_where_they_come_from():
    assert store.embedded(attribution.STORED).stat().st_size < 1_500_000
    assert "draw_preferred.py" in store.manifest()[attribution.STORED]["recipe"]
    with pytest.raises(store.UnknownName, match="Choose from stem, layer1"):
        features.stored_preferred("head")


def test_examples_are_square_pictures_with_credits():
    found = tasks.examples(64)
    assert {"temple", "flower", "portrait"} == {*tasks.CREDITS} <= {*found}
    assert len([name for name in found if "leaf" in name]) >= 3
    for picture in found.values():
        assert picture.shape == (3, 64, 64) and picture.dtype == torch.uint8
        assert picture.float().std() > 15
    found.clear()
    assert tasks.examples(64)  # each caller gets a dict of its own


def test_examples_that_an_installation_lacks_are_left_out(monkeypatch, tmp_path):
    module = sys.modules["tl_course.tasks.examples"]  # the name itself is the function
    monkeypatch.setattr(module, "_photographs", lambda: {"temple": tmp_path / "gone.jpg"})
    found = tasks.examples(65)
    assert "temple" not in found and "healthy leaf" in found
    module._examples.cache_clear()
