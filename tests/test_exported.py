"""A model as an ONNX file gives the answers it gives here."""

import copy
import json
import logging
import re
import sys
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from PIL import Image
from torch import nn

from tl_course import cli, models, store, surgery, tasks, train
from tl_course.models import exported

CLASSES = ("left", "right · late", "梨")
FAST = ("resnet10", "resnet10 read at 129", "vit_b_16")
NAMES = (*FAST, "resnet10 read at 40", "resnet18", "vgg16", "efficientnet_b0", "lite0")
NAMES += ("timm/regnetx_002", "timm/convnext_atto")


def pictures(size: int, count: int = 4, seed: int = 1) -> torch.Tensor:
    """Of coloured squares, from coarse to fine."""
    drawn = torch.Generator().manual_seed(seed)
    sides = [2 + (size - 2) * i // max(count - 1, 1) for i in range(count)]
    coarse = [torch.randint(256, (1, 3, s, s), generator=drawn).float() for s in sides]
    return torch.cat([nn.functional.interpolate(each, (size, size)) for each in coarse]).byte()


def trained(name: str) -> nn.Module:
    """A network with a new head in which nothing is zero or one by design."""
    name, _, read = name.partition(" read at ")
    torch.manual_seed(0)
    real = name == "resnet10" or (name == "lite0" and store.locate("lite0") is not None)
    model = surgery.replace_head(models.load(name, pretrained=real), len(CLASSES))
    model.classes = CLASSES
    model.preprocess.read_size = int(read or model.preprocess.size)
    with torch.no_grad():
        if not real:
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
            for seed in range(20):  # BatchNorm knows its activations
                model.train()(model.preprocess(pictures(model.preprocess.size, 4, seed)))
        head = models.classifier(model)
        model.eval()
        shown = model.preprocess(pictures(model.preprocess.read_size, 16))
        head.weight /= model(shown).std(0).mean()  # answers neither all alike nor certain
        head.bias -= model(shown).mean(0)
    return model


@pytest.fixture(autouse=True)
def in_float32(monkeypatch):
    """As the file is, on hardware that is faster in bfloat16 too."""
    monkeypatch.setattr(train, "pick_dtype", lambda *_: torch.float32)


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A model, and the file it was exported to; tests copy what they change."""
    model = trained("resnet10 read at 129")
    return model, models.export(model, tmp_path_factory.mktemp("home") / "pears v1.2")


def told(path) -> dict[str, str]:
    found = onnx.load(path)
    assert not found.functions
    return {note.key: note.value for note in found.metadata_props}


slow = pytest.mark.slow


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST else slow) for n in NAMES])
def test_the_answers_are_the_same(name, tmp_path, capfd, caplog):
    model = trained(name)
    size = model.preprocess.read_size
    before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
    surgery.freeze(model.train(), [*models.stages(model)][0])
    learning = [p.requires_grad for p in model.parameters()]
    with caplog.at_level(logging.WARNING), warnings.catch_warnings():
        warnings.simplefilter("error")
        path = models.export(model, tmp_path / "model")
    out, err = capfd.readouterr()
    assert not out and not err and not caplog.records, "it is quiet"
    assert [each.name for each in tmp_path.iterdir()] == ["model.onnx"]
    assert model.training and learning == [p.requires_grad for p in model.parameters()]
    assert all(p.grad is None for p in model.parameters())
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())

    model.eval()
    session = onnxruntime.InferenceSession(path)
    (taken,), (given,) = session.get_inputs(), session.get_outputs()
    assert (taken.name, taken.type, taken.shape[1:]) == (
        "pictures",
        "tensor(uint8)",
        [3, size, size],
    )
    assert (given.name, given.type, given.shape) == (
        "probabilities",
        "tensor(float)",
        [taken.shape[0], len(CLASSES)],
    )
    for count in (1, 2, 7):
        shown = pictures(size, count, seed=5)
        (found,) = session.run(None, {"pictures": shown.numpy()})
        with torch.no_grad():
            expected = model(model.preprocess(shown)).softmax(-1)
        np.testing.assert_allclose(found, expected, atol=exported.AGREE)
        np.testing.assert_allclose(found, train.predict(model, shown), atol=exported.AGREE)
        assert torch.equal(exported.read(path).predict(shown), torch.from_numpy(found))
    assert found.std(0).min() > 0.02, "the pictures must be told apart"
    assert exported.read(path).difference < exported.AGREE


def test_what_the_file_says(home):
    model, path = home
    assert path.name == "pears v1.2.onnx"
    notes = told(path)
    about = json.loads(notes["tl_course"])
    assert json.loads(notes["classes"]) == about["classes"] == [*CLASSES]
    assert about["preprocessing"] == models.describe(model.preprocess)
    assert about["versions"]["torch"] == torch.__version__ and about["network"] == "resnet10"
    for word in ("EXIF", "white", "middle square", "bicubic", "129×129", "(N, 3)"):
        assert word in about["how"]
    back = exported.read(str(path))
    assert back.classes == CLASSES and back.read_size == 129 and back.path == path
    content = path.read_bytes()
    assert b".py" not in content and str(path.parent).encode() not in content, "no place here"
    with pytest.raises(store.BadInput, match=r"takes uint8 \(N, 3, 129, 129\)"):
        back.predict(pictures(64))
    with pytest.raises(store.BadInput, match=r"takes uint8"):
        back.predict(pictures(129) / 255)


def test_what_was_changed_is_refused(home, tmp_path):
    content = home[1].read_bytes()
    path = tmp_path / "other.onnx"
    for damaged in (
        content.replace(b"left", b"lift"),
        content[:-100],
        content[:5000] + bytes([content[5000] ^ 1]) + content[5001:],
        content + b"\0",
    ):
        path.write_bytes(damaged)
        with pytest.raises(store.CorruptFile, match="changed after|nothing in it"):
            exported.read(path)
    path.write_bytes(b"not ONNX")
    with pytest.raises(store.CorruptFile, match="nothing in it says"):
        exported.read(path)
    with pytest.raises(store.NotAvailable, match="no such file"):
        exported.read(tmp_path / "nowhere.onnx")


def test_of_a_later_version(home, monkeypatch):
    monkeypatch.setattr(exported, "FORMAT", 0)
    with pytest.raises(store.NotAvailable, match=r"format is 1, and this version reads 0"):
        exported.read(home[1])


@pytest.mark.parametrize(
    ("name", "change", "why"),
    [
        ("reader_spanish", None, "it reads no pictures"),
        ("minilm", None, "it reads no pictures"),
        ("wav2vec2", None, "it reads no pictures"),
        ("yolos", None, "finds several things in one"),
        ("resnet10", lambda model: setattr(model, "classes", ()), "0 class names and 3 outputs"),
        ("resnet10", lambda model: setattr(model, "classes", ("a", "a", "b")), "are called 'a'"),
        ("resnet10", lambda model: model.half(), "is torch.float16. Call model.float"),
        ("resnet10", lambda model: model.layer1[0].conv1.weight.data.fill_(torch.nan), "finite"),
        ("resnet10", surgery.add_lora, "merge_lora"),
        ("resnet10", lambda model: setattr(model, "stem", nn.Conv2d(3, 32, 8)), "its parts are"),
    ],
)
def test_what_cannot_be_exported(name, change, why, tmp_path):
    model = models.load(name, pretrained=False)
    if change:
        model = surgery.replace_head(model, 3)
        model.classes = CLASSES
        change(model)
    with pytest.raises(store.BadInput, match=why):
        models.export(model, tmp_path / "model")
    assert not [*tmp_path.iterdir()]


def test_a_model_used_otherwise_than_saved_is_refused(tmp_path):
    model = models.open(models.save(models.load("resnet10", False, CLASSES), tmp_path / "model"))
    model.preprocess = models.Preprocess(32)
    with pytest.raises(store.BadInput, match="not the one it was saved with"):
        models.export(model, tmp_path / "model")


def test_only_its_own_files_are_replaced(home, tmp_path):
    model, path = home
    other = tmp_path / "other.onnx"
    foreign = onnx.load(path)
    del foreign.metadata_props[:]
    for content in (b"", b"mine", foreign.SerializeToString()):
        other.write_bytes(content)
        with pytest.raises(store.BadInput, match="it is there already, and no exported model"):
            models.export(model, other)
        assert other.read_bytes() == content
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(store.BadInput, match="it is there already"):
        models.export(model, tmp_path / "folder")
    other.write_bytes(path.read_bytes().replace(b"left", b"lift"))
    assert exported.read(models.export(model, other)).classes == CLASSES


def test_other_answers_leave_nothing_behind(home, tmp_path, monkeypatch):
    run = exported._run
    for wrong in (1e-3, float("nan")):
        monkeypatch.setattr(exported, "_run", lambda *given, off=wrong: run(*given) + off)
        with pytest.raises(store.NotAvailable, match="probabilities differ from PyTorch's by"):
            models.export(home[0], tmp_path / "model")
    monkeypatch.undo()
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: 1 / 0)
    with pytest.raises(store.NotAvailable, match="PyTorch cannot write it as ONNX"):
        models.export(home[0], tmp_path / "model")
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("package", exported.PACKAGES)
def test_without_its_packages(home, package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(store.NotAvailable, match=re.escape('pip install "tl-course[export]"')):
        models.export(home[0], tmp_path / "model")
    assert not [*tmp_path.iterdir()]


def test_the_command(home, tmp_path, capsys):
    model, _ = home
    kept, out = models.save(model, tmp_path / "kept"), tmp_path / "home.onnx"
    assert cli.main(["export", str(kept), str(out)]) == 0
    assert re.fullmatch(
        rf"{out}: 5\.\d MB; .* differ from .* by \de-\d\d\n", capsys.readouterr().out
    )
    folder = tmp_path / "photographs"
    folder.mkdir()
    for place, name in enumerate(("b.png", "a.JPG", ".hidden.png", "notes.txt")):
        noise = pictures(150, 1, place)[0].permute(1, 2, 0).numpy()
        Image.fromarray(noise).save(folder / name, "PNG")
    told = []
    for file in (kept, out):
        assert cli.main(["predict", str(file), str(folder), str(folder / "a.JPG")]) == 0
        told.append(capsys.readouterr().out)
    names = [line.partition(": ")[0] for line in told[0].splitlines()]
    assert names == [str(folder / name) for name in ("a.JPG", "b.png", "a.JPG")]
    assert told[0] == told[1] and told[0].count("left") == 3
    (folder / "empty").mkdir()
    assert cli.main(["predict", str(out), str(folder / "empty")]) == 1
    assert "nor a folder with pictures in it" in capsys.readouterr().err
    read = torch.tensor(tasks.read_picture((folder / "a.JPG").read_bytes(), 129))
    assert cli.main(["predict", "--json", str(out), str(folder / "a.JPG")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    expected = dict(zip(CLASSES, exported.read(out).predict(read[None])[0].tolist(), strict=True))
    assert {each["class"]: each["probability"] for each in row["best"]} == expected
