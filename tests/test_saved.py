"""A model in a folder, and inputs that do not suit a model."""

import copy
import dataclasses
import json
import pickle
import shutil
import warnings
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn

from tl_course import models, store, surgery, tasks, train
from tl_course.models import saved, vision
from tl_course.tasks import Split

PICTURES = torch.randint(
    0, 256, (5, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
CLASSES = ("down", "across", "none")


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=CLASSES)


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A saved model; tests copy it before they change it."""
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=False, classes=CLASSES)
    return models.save(model, tmp_path_factory.mktemp("kept") / "model")


@pytest.fixture
def folder(kept, tmp_path):
    return Path(shutil.copytree(kept, tmp_path / "model"))


def rewrite(folder, sealed=True, **changes):
    """Change fields of the JSON; ``None`` takes one out. ``sealed``: as if saved so."""
    path = folder / "model.json"
    about = json.loads(path.read_text()) | changes
    about = {name: value for name, value in about.items() if value is not None}
    if sealed and "check" not in changes:
        about["check"] = saved._digest(about)
    path.write_text(json.dumps(about))


def listed(folder):
    return sorted(each.name for each in folder.iterdir())


# what comes back


def test_a_trained_model_comes_back_as_it_was(toy, tmp_path):
    model = surgery.replace_head(models.load("resnet10"), len(toy.classes))
    surgery.freeze(model, "stem")
    train.fit(model, toy, epochs=1, progress=False)
    folder = models.save(model, tmp_path / "new" / "stripes")
    assert listed(folder) == ["model.json", "model.safetensors"]
    state = torch.get_rng_state()
    back = models.open(str(folder))
    assert torch.equal(torch.get_rng_state(), state)  # random numbers stay the learner's
    assert torch.equal(train.predict(back, toy.test.inputs), train.predict(model, toy.test.inputs))
    for name, value in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name
    assert back.classes == toy.classes and not back.training
    assert back.preprocess.size == 64 and torch.equal(back.preprocess.std, model.preprocess.std)
    assert all(weight.requires_grad for weight in back.parameters())
    assert back.saved.versions["torch"] == torch.__version__ and back.saved.folder == folder


def test_what_the_json_says(kept):
    about = json.loads((kept / "model.json").read_text(encoding="utf-8"))
    assert about["format"] == 1 and about["network"] == "resnet10" and about["small"] is False
    assert about["classes"] == [*CLASSES]
    assert about["preprocessing"]["mean"] == [0.485, 0.456, 0.406]  # no digits that say nothing
    assert about["preprocessing"]["filter"] == "bilinear, antialias"
    assert about["sha256"] == store.sha256(kept / "model.safetensors")
    assert {*about["versions"]} == {"tl_course", "torch", "torchvision", "python"}


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_b0", "vit_b_16", "resnet18"])
def test_networks_of_torchvision(name, tmp_path):
    model = models.load(name, pretrained=False, classes=["梨", "a b", "c"])
    back = models.open(models.save(model, tmp_path / name))
    assert back.classes == ("梨", "a b", "c") and type(back) is type(model)
    assert torch.equal(train.predict(back, PICTURES[:2]), train.predict(model, PICTURES[:2]))


def test_an_official_size_is_told_from_the_small_one(tmp_path):
    model = vision.official("efficientnet_b0", 3).eval()
    model.preprocess, model.classes = models.Preprocess(96, (0.5,) * 3, (0.25,) * 3), CLASSES
    back = models.open(models.save(model, tmp_path))
    assert json.loads((tmp_path / "model.json").read_text())["small"] is False
    assert back.preprocess.size == 96 and back.preprocess.mean.flatten().tolist() == [0.5] * 3
    assert torch.equal(train.predict(back, PICTURES[:1]), train.predict(model, PICTURES[:1]))


@pytest.mark.parametrize("classes", [10, 7])
def test_a_reader(classes, tmp_path):
    reader = models.load("reader_spanish")
    if classes != 10:
        surgery.replace_head(reader, classes).classes = [*"abcdefg"]
    numbers = tasks.load("numbers_spanish").test.inputs[:40]
    back = models.open(models.save(reader, tmp_path / "reader"))
    assert torch.equal(train.predict(back, numbers), train.predict(reader, numbers))
    assert models.outputs(back) == classes and back.classes == tuple(reader.classes)


def test_odd_numbers_come_back_exactly(model, tmp_path):
    mean, std = (1 / 3, 0.1 + 0.2, 2e-7), (1e-3, 0.7, 1e4)
    model.preprocess = models.Preprocess(48, mean, std)
    back = models.open(models.save(model, tmp_path / "m"))
    assert torch.equal(back.preprocess.mean, model.preprocess.mean)
    assert torch.equal(back.preprocess.std, model.preprocess.std)


def test_an_opened_model_can_be_trained_further_and_saved_again(folder, toy):
    model = models.open(folder)
    with pytest.warns(models.PreprocessingWarning, match="output 0 of the model is 'down'"):
        train.fit(model, toy, epochs=1, progress=False)
    assert model.classes == toy.classes  # what its outputs mean now
    models.save(model, folder)
    assert models.open(folder).classes == toy.classes and len(listed(folder)) == 2


def test_a_new_head_on_an_opened_model(folder, toy):
    model = surgery.replace_head(models.open(folder), 2)
    assert train.predict(model, PICTURES).shape == (5, 2)  # no names to be wrong about
    model.preprocess = models.Preprocess(32)
    with pytest.raises(store.BadInput, match="its preprocess is not the one"):
        train.predict(model, PICTURES)  # its body was still trained with the other


# what cannot be saved


def lora(model):
    surgery.add_lora(model)


def sequential(model):
    model.head = nn.Sequential(nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 3))


def no_linear(model):
    model.head = nn.Sequential(nn.Linear(256, 3), nn.Softmax(1))


def another_part(model):
    model.stem[2] = nn.GELU()


def a_part_more(model):
    model.extra = nn.Linear(2, 2)


def nan(model):
    with torch.no_grad():
        model.head.bias[0] = float("nan")


def own_preprocess(model):
    class Mine(models.Preprocess):
        pass

    model.preprocess = Mine(64)


def flat_std(model):
    model.preprocess.std[:] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lora, "computed from others.*merge_lora"),
        (sequential, "its parts are not those of a network.*resnet10, reader"),
        (no_linear, "its parts are not those of a network"),
        (another_part, "its parts are not those"),
        (a_part_more, "its parts are not those"),
        (nan, "'head.bias' holds values that are not finite"),
        (lambda m: m.double(), "is torch.float64. Call model.float"),
        (lambda m: m.bfloat16(), "is torch.bfloat16. Call model.float"),
        (own_preprocess, "the preprocess Mine: only models.Preprocess"),
        (flat_std, "is not above zero"),
        (lambda m: surgery.replace_head(m, 4), "0 class names and 4 outputs.*= task.classes"),
        (lambda m: setattr(m, "classes", ("a", "b")), "2 class names and 3 outputs"),
        (lambda m: setattr(m, "classes", ("a", "b", "a")), "two of its classes are called 'a'"),
        (lambda m: setattr(m, "classes", ("a", "b", " ")), "not every class has a name"),
        (lambda m: setattr(m, "classes", ("a", "b", 3)), "not every class has a name"),
        (lambda m: setattr(m, "classes", ("a", "b", "\ud800")), "cannot be written as text"),
        (lambda m: setattr(m, "classes", "abc"), "0 class names"),
        (lambda m: setattr(m, "classes", None), "0 class names"),
        (lambda m: delattr(m, "classes"), "0 class names"),
        (lambda m: delattr(m, "preprocess"), "no preprocess"),
    ],
)
def test_what_could_not_be_opened_again_is_not_saved(model, tmp_path, change, message):
    change(model)
    with pytest.raises(store.BadInput, match=f"(?s){message}"):
        models.save(model, tmp_path / "model")
    assert listed(tmp_path) == []


def test_networks_of_transformers_have_their_own_way(tmp_path):
    adapted = models.Adapted(nn.Sequential(nn.Linear(3, 2)), lambda n: {"head": n[0]}, "0")
    with pytest.raises(store.BadInput, match="save_pretrained"):
        models.save(adapted, tmp_path / "bert")
    with pytest.raises(store.BadInput, match="its stages are not known"):
        models.save(nn.Linear(3, 2), tmp_path / "linear")


def test_merged_lora_is_saved(model, tmp_path):
    surgery.merge_lora(surgery.add_lora(model))
    back = models.open(models.save(model, tmp_path / "model"))
    assert torch.equal(back.head.weight, model.head.weight)


# where it is written


@pytest.mark.parametrize("name", ["notes.txt", "config.json", "model.safetensors", "model.json"])
def test_other_files_are_never_overwritten(model, tmp_path, name):
    (tmp_path / name).write_text("mine")
    with pytest.raises(store.BadInput, match="something else than a saved model"):
        models.save(model, tmp_path)
    assert listed(tmp_path) == [name] and (tmp_path / name).read_text() == "mine"


@pytest.mark.parametrize("text", ["mine", "{}", "[1]", "[" * 9999, '{"format": 1}'])
def test_two_files_of_these_names_are_not_yet_a_saved_model(model, tmp_path, text):
    for name in ("model.json", "model.safetensors"):
        (tmp_path / name).write_text(text)
    with pytest.raises(store.BadInput, match="something else"):
        models.save(model, tmp_path)
    assert (tmp_path / "model.safetensors").read_text() == text


def test_a_saved_model_is_replaced(model, folder):
    (folder / ".DS_Store").write_text("left by a file manager")
    with torch.no_grad():
        model.head.bias += 1
    models.save(model, folder)
    assert torch.equal(models.open(folder).head.bias, model.head.bias)
    assert listed(folder) == [".DS_Store", "model.json", "model.safetensors"]


def test_a_file_is_no_folder(model, tmp_path):
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "model"):
        with pytest.raises(store.BadInput, match="it is a file"):
            models.save(model, place)
    with pytest.raises(store.NotAvailable, match="it is a file"):
        models.open(tmp_path / "file")


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_half_written(model, kept, tmp_path, monkeypatch, step, count, failure):
    """Into a new folder, an empty one, and one with a model: what was there is there after it."""
    original, calls = getattr(Path, step), []

    def failing(self, *args):
        calls.append(self)
        if len(calls) == count:
            if step == "write_bytes":
                original(self, args[0][:10])  # a part of it still fitted
            raise failure
        return original(self, *args)

    (tmp_path / "empty").mkdir()
    shutil.copytree(kept, tmp_path / "full")
    weights = store.sha256(tmp_path / "full" / "model.safetensors")
    with torch.no_grad():
        model.head.bias += 1
    for place in ("new/deep", "empty", "full"):
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, step, failing)
            try:
                models.save(model, tmp_path / place)
            except store.StorageError as error:
                assert error.errno == 28 and "nothing was changed" in str(error)
                failed = True
            except KeyboardInterrupt:
                failed = True
            else:
                failed = False
        assert failed == (len(calls) >= count)
        if not failed:
            assert torch.equal(models.open(tmp_path / place).head.bias, model.head.bias)
            shutil.rmtree(tmp_path / place)
        elif place == "full":
            assert listed(tmp_path / place) == ["model.json", "model.safetensors"]
            assert store.sha256(tmp_path / place / "model.safetensors") == weights
            models.open(tmp_path / place)
        else:
            assert not [*(tmp_path / "empty").iterdir()] and not (tmp_path / "new").exists()
            (tmp_path / "empty").mkdir(exist_ok=True)


# what cannot be opened


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file(folder, name):
    (folder / name).unlink()
    with pytest.raises(store.NotAvailable, match=f"it has no {name}.*models.save"):
        models.open(folder)
    with pytest.raises(store.NotAvailable, match="there is no such folder"):
        models.open(folder / "nowhere")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"3", b"null", b"{}", b"9" * 9999]
)
def test_a_json_that_describes_nothing(folder, content):
    (folder / "model.json").write_bytes(content)
    with pytest.raises(store.CorruptFile, match="it is not JSON|describes? a model"):
        models.open(folder)


@pytest.mark.parametrize("name", saved.FIELDS)
def test_every_field_must_be_there_and_of_its_kind(folder, name):
    text = (folder / "model.json").read_text()
    for value in (None, 1.5, [1], {"a": 1}, 10**30 if name != "format" else "1"):
        (folder / "model.json").write_text(text)
        rewrite(folder, **{name: value})
        with pytest.raises((store.CorruptFile, store.NotAvailable)):
            models.open(folder)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"format": 2, "new": 1}, store.NotAvailable, "its format is 2, and this version reads 1"),
        ({"format": 0}, store.CorruptFile, "its format is 0"),
        ({"format": True}, store.CorruptFile, "its format is True"),
        ({"note": "mine"}, store.CorruptFile, "'note' is not known"),
        ({"network": "resnet11"}, store.NotAvailable, "'resnet11', which is not known here"),
        ({"small": True}, store.NotAvailable, "a small network called 'resnet10'"),
        ({"network": "resnet18"}, store.CorruptFile, "do not fit resnet18 with 3 classes"),
        ({"network": "reader"}, store.CorruptFile, "do not fit reader"),
        ({"classes": ["a", "b"]}, store.CorruptFile, "fit resnet10 with 2 classes.*'head.bias'"),
        ({"classes": [*"abcd"]}, store.CorruptFile, "do not fit resnet10 with 4 classes"),
        ({"classes": []}, store.CorruptFile, "fewer than two classes"),
        ({"classes": ["a", "b", "b"]}, store.CorruptFile, "two of its classes are called 'b'"),
        ({"classes": ["a", "", "b"]}, store.CorruptFile, "not every class has a name"),
        ({"classes": ["a", None, "b"]}, store.CorruptFile, "not every class has a name"),
        ({"classes": ["a", ["b"], "c"]}, store.CorruptFile, "not every class has a name"),
        ({"sha256": "0" * 64}, store.CorruptFile, "SHA-256 is .*, not 000000000000…"),
        ({"check": "0" * 64}, store.CorruptFile, "changed after the model was saved"),
        ({"versions": {}}, store.CorruptFile, "with which torch"),
        ({"versions": {"torch": "new"}}, store.CorruptFile, "with which torch"),
        ({"versions": {"torch": 2}}, store.CorruptFile, "a version is not text"),
        ({"versions": {"torch": "99.1"}}, store.NotAvailable, "torch 99.1.*pip install --upgrade"),
    ],
)
def test_what_cannot_be_honoured_is_refused(folder, changes, error, message):
    rewrite(folder, **changes)
    with pytest.raises(error, match=message):
        models.open(folder)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kind": "sounds"}, store.NotAvailable, "it is for 'sounds'"),
        ({"kind": None}, store.NotAvailable, "it is for None"),
        ({"kind": ["pictures"]}, store.NotAvailable, "it is for"),
        ({"kind": "letters"}, store.NotAvailable, "a setting '.*' that is not known"),
        ({"filter": "nearest"}, store.NotAvailable, "its filter is 'nearest'; this version has"),
        ({"filter": {}}, store.NotAvailable, "its filter is {}"),
        ({"channels": "BGR"}, store.NotAvailable, "its channels is 'BGR'"),
        ({"resize": "crop"}, store.NotAvailable, "its resize is 'crop'"),
        ({"gamma": 2.2}, store.NotAvailable, "a setting 'gamma' that is not known"),
        ({"std": None}, store.CorruptFile, "lacks 'std'"),
        ({"size": 0}, store.CorruptFile, "size 0"),
        ({"size": 64.0}, store.CorruptFile, "size 64.0"),
        ({"size": True}, store.CorruptFile, "size True"),
        ({"size": 10**9}, store.CorruptFile, "size 1000000000"),
        ({"mean": 0.5}, store.CorruptFile, "mean 0.5 is not three"),
        ({"mean": [0.5]}, store.CorruptFile, "is not three"),
        ({"mean": [0, 0, "0"]}, store.CorruptFile, "is not three"),
        ({"mean": [0, 0, float("nan")]}, store.CorruptFile, "is not three finite"),
        ({"mean": [0, 0, float("inf")]}, store.CorruptFile, "is not three finite"),
        ({"std": [1, 1, 0]}, store.CorruptFile, "is not above zero"),
        ({"std": [1, -1, 1]}, store.CorruptFile, "is not above zero"),
    ],
)
def test_preprocessing_that_cannot_be_done_is_refused(folder, changes, error, message):
    spec = json.loads((folder / "model.json").read_text())["preprocessing"] | changes
    if spec.get("std", 0) is None:
        del spec["std"]
    rewrite(folder, preprocessing=spec)
    with pytest.raises(error, match=message):
        models.open(folder)


def test_a_reader_of_another_alphabet_is_refused(tmp_path):
    folder = models.save(models.load("reader_spanish"), tmp_path / "reader")
    rewrite(folder, preprocessing={"kind": "letters", "alphabet": models.ALPHABET[::-1]})
    with pytest.raises(store.NotAvailable, match="its alphabet is"):
        models.open(folder)


def test_a_changed_json_is_noticed(folder):
    rewrite(folder, sealed=False, classes=[*CLASSES[::-1]])
    with pytest.raises(store.CorruptFile, match="changed after the model was saved.*Save the"):
        models.open(folder)


def weights_of(folder, change):
    """Write the weights anew after ``change``, with a JSON that agrees."""
    path = folder / "model.safetensors"
    state = safetensors.torch.load(path.read_bytes())
    path.write_bytes(safetensors.torch.save(change(state)))
    rewrite(folder, sha256=store.sha256(path))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"head.bias": s["head.bias"] * float("nan")}, "not finite numbers"),
        (lambda s: s | {"extra": torch.ones(1)}, "the first is 'extra'"),
        (lambda s: {n: v for n, v in s.items() if n != "head.bias"}, "the first is 'head.bias'"),
        (lambda s: s | {"head.bias": torch.ones(3, dtype=torch.int64)}, "is 'head.bias'"),
        (lambda s: s | {"head.bias": torch.ones(3, 1)}, "is 'head.bias'"),
        (lambda s: {}, "do not fit"),
    ],
)
def test_weights_that_do_not_fit(folder, change, message):
    weights_of(folder, change)
    with pytest.raises(store.CorruptFile, match=message):
        models.open(folder)


def test_one_changed_bit_is_noticed(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(store.CorruptFile, match="SHA-256"):
        models.open(folder)


@pytest.mark.parametrize("content", [pickle.dumps({"a": 1}), b"", b"PK\x03\x04", b"<html>"])
def test_other_files_of_weights_are_never_read(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    rewrite(folder, sha256=store.sha256(folder / "model.safetensors"))
    with pytest.raises(store.CorruptFile):
        models.open(folder)


# what an opened model refuses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: setattr(m, "preprocess", models.Preprocess(32)), "its preprocess is not"),
        (lambda m: setattr(m, "preprocess", nn.Identity()), "its preprocess is not"),
        (lambda m: setattr(m.preprocess, "size", 65), "its preprocess is not"),
        (lambda m: m.preprocess.mean.add_(0.1), "its preprocess is not"),
        (lambda m: m.bfloat16(), "its preprocess is not"),
        (lambda m: setattr(m, "classes", m.classes[:2]), "its classes are not the 3"),
        (lambda m: setattr(m, "classes", m.classes[::-1]), "its classes are not the 3"),
        (lambda m: setattr(m, "classes", None), "its classes are not the 3"),
        (lambda m: models.set_classifier(m, nn.Linear(256, 4)), "3 classes and 4 outputs"),
    ],
)
def test_an_opened_model_is_used_as_it_was_saved(folder, toy, change, message):
    model = models.open(folder)
    twin = copy.deepcopy(model)
    train.predict(model, PICTURES)
    change(model)
    with pytest.raises(store.BadInput, match=f"{message}.*Open it again with models.open"):
        train.predict(model, PICTURES)
    with pytest.raises(store.BadInput, match=message):
        train.evaluate(model, toy.test)
    train.predict(twin, PICTURES)  # a copy has its own


def test_a_list_of_the_same_classes_is_the_same(folder):
    model = models.open(folder)
    model.classes = [*CLASSES]
    assert train.predict(model, PICTURES).shape == (5, 3)


def test_a_model_that_was_loaded_may_be_fed_as_you_like(model):
    model.preprocess, model.classes = models.Preprocess(32), ()
    assert train.predict(model, PICTURES).shape == (5, 3)


def test_training_accepts_what_is_new(folder, toy):
    model = models.open(folder)
    model.preprocess, model.classes = models.Preprocess(32), ()
    train.fit(model, toy, epochs=1, progress=False)
    assert train.evaluate(model, toy.test).n == 90 and model.classes == toy.classes


# inputs that do not suit a model


def shown(pictures, height, width):
    return Split(
        nn.functional.interpolate(pictures.inputs.float(), (height, width)).byte(), pictures.labels
    )


@pytest.mark.parametrize(
    ("height", "width", "message"),
    [
        (20, 20, "pictures of 20×20 are enlarged to 64×64"),
        (256, 256, "pictures of 256×256 are shrunk to 64×64"),
        (64, 90, "pictures of 64×90 are stretched to a square"),
        (16, 64, "stretched to a square; .* enlarged"),
    ],
)
def test_pictures_of_another_size(model, toy, height, width, message):
    few = toy.test.take(range(6))
    other = dataclasses.replace(toy, **{n: shown(few, height, width) for n in ("train", "val")})
    with pytest.warns(models.PreprocessingWarning, match=f"{message}.*preprocess.seen") as found:
        train.fit(model, other, epochs=1, progress=False)
        train.evaluate(model, other.val)
    # once a model, and it points at the line that called fit
    assert len(found) == 1 and found[0].filename == __file__
    assert model.preprocess.seen(other.val.inputs).shape == (6, 3, 64, 64)


@pytest.mark.parametrize(
    "make", [lambda p: (p / 255).round().byte(), lambda p: p / 255 / 255, torch.zeros_like]
)
def test_black_pictures(model, toy, make):
    split = Split(make(toy.test.inputs), toy.test.labels)
    with pytest.warns(models.PreprocessingWarning, match="black, as after dividing"):
        train.evaluate(model, split)


def test_letters_that_a_reader_does_not_know():
    reader = models.load("reader_spanish")
    points = torch.tensor([[ord(letter) for letter in "тридцать два"]] * 3)
    with pytest.warns(models.PreprocessingWarning, match="not know 92% of the letters"):
        train.evaluate(reader, Split(points, torch.zeros(3, 4, dtype=torch.int64)))


def test_classes_in_another_order_are_told_once(toy):
    model = models.load("resnet10", pretrained=False, classes=CLASSES)
    with pytest.warns(models.PreprocessingWarning, match="'down', label 0 .* 'across'.*Compare"):
        train.fit(model, toy, epochs=1, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train.fit(model, toy, epochs=1, progress=False)  # it has learned the task's order
        train.evaluate(model, toy.test)


def test_nothing_of_the_course_is_warned_of():
    """Every task that needs no file of its own, with the networks that the lessons give it to."""
    network = models.load("resnet10", pretrained=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name in ("leaves", "materials", "digits", "concepts_edges", "concepts_objects"):
            task = tasks.load(name)
            models.warn_of_disagreement(network, task.train.inputs, task.classes)
        for name in ("italian", "spanish", "spanish_enciphered", "romanian", "turkish"):
            task = tasks.load(f"numbers_{name}")
            reader = models.load("reader_spanish", pretrained=False)
            models.warn_of_disagreement(reader, task.train.inputs, task.classes)


def test_inputs_that_are_refused_anyway_are_not_warned_of(model, toy):
    for inputs in (PICTURES.permute(0, 2, 3, 1), PICTURES[:0], PICTURES[0], PICTURES.numpy(), None):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            models.warn_of_disagreement(model, inputs)


def test_as_the_network_sees_it(model):
    assert torch.equal(model.preprocess.seen(PICTURES), PICTURES)
    assert torch.equal(
        model.preprocess.seen(PICTURES[:, :1]), PICTURES[:, :1].expand(-1, 3, -1, -1)
    )


def test_fit_names_the_outputs(toy):
    model = surgery.replace_head(models.load("resnet10"), 3)
    surgery.freeze(model)
    train.fit(model, toy, epochs=1, progress=False)
    assert model.classes == toy.classes


def test_without_an_epoch_the_outputs_keep_their_names(toy):
    def interrupting(pictures):
        raise KeyboardInterrupt

    model = models.load("resnet10", pretrained=False, classes=[*"abc"])
    train.fit(model, toy, epochs=1, augment=interrupting, progress=False)
    assert model.classes == (*"abc",)
