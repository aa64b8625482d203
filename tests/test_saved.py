"""A model in a file, and inputs that do not suit a model."""

import copy
import dataclasses
import json
import pickle
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load, save_file
from torch import nn

from tl_course import cli, models, store, surgery, tasks, train
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
def path(kept, tmp_path):
    return Path(shutil.copy(kept, tmp_path / "model.safetensors"))


@pytest.fixture(params=["one file", "two files"])
def either(request, path, tmp_path):
    """A model as ``save`` writes it, and as it did before: the JSON in a file of its own."""
    if request.param == "one file":
        return path
    folder, about = tmp_path / "folder", said(path)
    folder.mkdir()
    save_file(load(path.read_bytes()), folder / "model.safetensors")
    (folder / "model.json").write_text(json.dumps(about))
    rewrite(folder, format=1, sha256=store.sha256(folder / "model.safetensors"))
    return folder


def said(path):
    """The JSON of a saved model."""
    if path.is_dir():
        return json.loads((path / "model.json").read_text())
    return json.loads(store.read_metadata(path)["tl_course"])


def write(path, text):
    """Put another text in place of the JSON."""
    if path.is_dir():
        (path / "model.json").write_text(text)
    else:
        save_file(load(path.read_bytes()), path, {"tl_course": text})


def rewrite(path, sealed=True, **changes):
    """Change fields of the JSON; ``None`` takes one out. ``sealed``: as if saved so."""
    about = {name: value for name, value in (said(path) | changes).items() if value is not None}
    if sealed and "check" not in changes:
        about["check"] = saved._digest(about)
    write(path, json.dumps(about))


def listed(folder):
    return sorted(each.name for each in folder.iterdir())


def same_answers(one, other, inputs):
    torch.testing.assert_close(train.predict(one, inputs), train.predict(other, inputs))


# what comes back


def test_a_trained_model_comes_back_as_it_was(toy, tmp_path):
    model = surgery.replace_head(models.load("resnet10"), len(toy.classes))
    surgery.freeze(model, "stem")
    train.fit(model, toy, epochs=1, progress=False)
    path = models.save(model, tmp_path / "new" / "stripes v1.2")
    assert listed(path.parent) == ["stripes v1.2.safetensors"] == [path.name]
    state = torch.get_rng_state()
    back = models.open(str(path))
    assert torch.equal(torch.get_rng_state(), state)  # random numbers stay the learner's
    same_answers(back, model, toy.test.inputs)
    for name, value in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], value), name
    assert back.classes == toy.classes and not back.training
    assert back.preprocess.size == 64 and torch.equal(back.preprocess.std, model.preprocess.std)
    assert all(weight.requires_grad for weight in back.parameters())
    assert back.saved.versions["torch"] == torch.__version__ and back.saved.path == path
    assert models.open(tmp_path / "new" / "stripes v1.2").classes == toy.classes


def test_two_files_of_earlier_versions_open_too(either, kept):
    new, old = models.open(kept), models.open(either)
    assert old.classes == CLASSES and old.saved.preprocessing == new.saved.preprocessing
    same_answers(old, new, PICTURES)
    old.classes = CLASSES[::-1]
    models.save(old, either)
    assert models.open(either).classes == CLASSES[::-1]  # what is saved last is what opens


@pytest.mark.parametrize("size", [32, 64, 100])
def test_notebook_saved_model_and_command_say_the_same_of_files(tmp_path, capsys, size):
    """Of a file the answer is the same in all three, whatever ``folder`` was asked for."""
    rng = np.random.default_rng(0)
    for label, shade in (("dark", 40), ("light", 160)):
        (tmp_path / "pictures" / label).mkdir(parents=True)
        for i in range(20):
            shape = rng.integers(20, 300, 2)
            noise = rng.integers(0, 90, (*shape, 3)) + shade
            Image.fromarray(noise.astype(np.uint8)).save(
                tmp_path / "pictures" / label / f"{i}.{'jpg' if i % 2 else 'png'}"
            )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        task = tasks.folder(tmp_path / "pictures", size=size)
    torch.manual_seed(0)
    model = surgery.replace_head(models.load("resnet10"), 2)
    train.fit(model, task, epochs=1, progress=False)
    assert (model.preprocess.size, model.preprocess.read_size) == (64, size)
    opened = models.open(models.save(model, tmp_path / "mine"))
    files = sorted((tmp_path / "pictures").rglob("*.*"))
    side = opened.preprocess.read_size
    read = np.stack([tasks.read_picture(file.read_bytes(), side) for file in files])
    whole = torch.cat([split.inputs for split in (task.train, task.val, task.test)])
    assert {*map(bytes, read)} == {bytes(picture.numpy()) for picture in whole}
    notebook = train.predict(model, torch.from_numpy(read))
    torch.testing.assert_close(train.predict(opened, torch.from_numpy(read)), notebook)
    assert cli.main(["predict", "--json", str(tmp_path / "mine"), *map(str, files)]) == 0
    told = [
        {each["class"]: each["probability"] for each in row["best"]}
        for row in json.loads(capsys.readouterr().out)
    ]
    found = torch.tensor([[row[name] for name in opened.classes] for row in told])
    # one at a time instead of all at once: the order of sums may differ, in bfloat16 too
    torch.testing.assert_close(found, notebook, rtol=0, atol=0.02)


def test_files_of_older_versions_were_read_at_the_size_of_the_network(path):
    spec = said(path)["preprocessing"]
    old = {name: value for name, value in spec.items() if name not in ("file", "read_size")}
    rewrite(path, format=2, preprocessing=old)
    assert models.open(path).preprocess.read_size == 64
    rewrite(path, format=3)
    with pytest.raises(store.CorruptFile, match="lacks 'file'"):
        models.open(path)


def test_another_model_with_the_same_preprocess_is_left_alone(path, toy):
    opened, model = models.open(path), models.load("resnet10", pretrained=False, classes=[*"abc"])
    model.preprocess = opened.preprocess
    shown = torch.nn.functional.interpolate(toy.train.inputs.float(), 48).byte()
    part = dataclasses.replace(toy.train, inputs=shown)
    train.fit(model, dataclasses.replace(toy, train=part), epochs=1, progress=False)
    assert model.preprocess.read_size == 48 and opened.preprocess.read_size == 64
    train.predict(opened, PICTURES)


def test_what_the_json_says(kept):
    about = said(kept)
    assert about["format"] == 3 and about["network"] == "resnet10" and about["small"] is False
    assert about["classes"] == [*CLASSES]
    assert about["preprocessing"]["mean"] == [0.485, 0.456, 0.406]  # no digits that say nothing
    assert about["preprocessing"]["filter"] == "bilinear, antialias"
    assert about["preprocessing"]["read_size"] == 64 and "bicubic" in about["preprocessing"]["file"]
    assert {*about["versions"]} == {"tl_course", "torch", "torchvision", "python"}


def official(name):
    model = vision.official(name, 3).eval()
    model.preprocess = models.Preprocess(96, (0.5,) * 3, (0.25,) * 3)
    return model


def reader(classes):
    model = models.load("reader_spanish")
    return model if classes == 10 else surgery.replace_head(model, classes)


@pytest.mark.parametrize(
    ("make", "classes"),
    [
        *(
            (lambda name=name: models.load(name, pretrained=False, classes=[*"abc"]), "梨bc")
            for name in ("vgg16", "efficientnet_b0", "vit_b_16", "resnet18")
        ),
        (lambda: official("efficientnet_b0"), "abc"),
        (lambda: reader(10), "0123456789"),
        (lambda: reader(7), "abcdefg"),
        (lambda: surgery.merge_lora(surgery.add_lora(models.load("resnet10"))), None),
    ],
)
def test_every_kind_of_network(make, classes, tmp_path):
    model = make()
    model.classes = (*classes,) if classes else model.classes
    spanish = isinstance(model, models.NumberReader)
    inputs = tasks.load("numbers_spanish").test.inputs[:40] if spanish else PICTURES[:2]
    back = models.open(models.save(model, tmp_path / "model"))
    assert type(back) is type(model) and back.classes == tuple(model.classes)
    assert models.describe(back.preprocess) == models.describe(model.preprocess)
    same_answers(back, model, inputs)


def test_odd_numbers_come_back_exactly(model, tmp_path):
    mean, std = (1 / 3, 0.1 + 0.2, 2e-7), (1e-3, 0.7, 1e4)
    model.preprocess = models.Preprocess(48, mean, std)
    back = models.open(models.save(model, tmp_path / "m"))
    assert torch.equal(back.preprocess.mean, model.preprocess.mean)
    assert torch.equal(back.preprocess.std, model.preprocess.std)


def test_an_opened_model_can_be_trained_further_and_saved_again(path, toy):
    model = models.open(path)
    with pytest.warns(models.PreprocessingWarning, match="output 0 of the model is 'down'"):
        train.fit(model, toy, epochs=1, progress=False)
    assert model.classes == toy.classes  # what its outputs mean now
    models.save(model, path)
    assert models.open(path).classes == toy.classes and listed(path.parent) == [path.name]


def test_a_new_head_on_an_opened_model(path):
    model = surgery.replace_head(models.open(path), 2)
    assert train.predict(model, PICTURES).shape == (5, 2)  # no names to be wrong about
    model.preprocess = models.Preprocess(32)
    with pytest.raises(store.BadInput, match="its preprocess is not the one"):
        train.predict(model, PICTURES)  # its body was still trained with the other


# what cannot be saved


class Mine(models.Preprocess):
    pass


def put(**changes):
    """Sets attributes of a model; ``part=2`` of the head's or the stem's."""

    def change(model):
        for name, value in changes.items():
            owner, _, attribute = name.rpartition("__")
            setattr(model.get_submodule(owner), attribute, value)

    return change


SEQUENTIAL = nn.Sequential(nn.Linear(256, 8), nn.ReLU(), nn.Linear(8, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (surgery.add_lora, "computed from others.*merge_lora"),
        (put(head=SEQUENTIAL), "its parts are not those of a network.*resnet10, reader"),
        (put(head=nn.Sequential(nn.Linear(256, 3), nn.Softmax(1))), "its parts are not those"),
        (lambda m: m.stem.__setitem__(2, nn.GELU()), "its parts are not those"),
        (put(extra=nn.Linear(2, 2)), "its parts are not those"),
        (lambda m: m.head.bias.data.fill_(float("nan")), "'head.bias' holds values that are not"),
        (lambda m: m.double(), "is torch.float64. Call model.float"),
        (lambda m: m.bfloat16(), "is torch.bfloat16. Call model.float"),
        (put(preprocess=Mine(64)), "the preprocess Mine: only the course's own"),
        (lambda m: m.preprocess.std.zero_(), "std=0.0: it must be a finite number from 1e-09"),
        (lambda m: surgery.replace_head(m, 4), "0 class names and 4 outputs.*= task.classes"),
        (put(classes=("a", "b")), "2 class names and 3 outputs"),
        (put(classes=("a", "b", "a")), "two of its classes are called 'a'"),
        (put(classes=("a", "b", " ")), "not every class has a name"),
        (put(classes=("a", "b", 3)), "not every class has a name"),
        (put(classes=("a", "b", "\ud800")), "cannot be written as text"),
        (put(classes="abc"), "0 class names"),
        (put(classes=None), "0 class names"),
        (lambda m: delattr(m, "classes"), "0 class names"),
        (lambda m: delattr(m, "preprocess"), "no preprocess"),
    ],
)
def test_what_could_not_be_opened_again_is_not_saved(model, tmp_path, change, message):
    change(model)
    with pytest.raises(store.BadInput, match=f"(?s){message}"):
        models.save(model, tmp_path / "model")
    assert listed(tmp_path) == []


def test_networks_of_other_families_are_not_saved(tmp_path):
    for model, why in ((nn.Linear(3, 2), "its stages are not known"), (None, "type NoneType")):
        with pytest.raises(store.BadInput, match=why):
            models.save(model, tmp_path / "model")


# where it is written


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_text("mine"),
        lambda path: save_file({"w": torch.ones(1)}, path, {"format": "pt"}),
        lambda path: path.mkdir(),
    ],
)
def test_other_files_are_never_overwritten(model, tmp_path, write):
    path = tmp_path / "model.safetensors"
    write(path)
    before = path.is_file() and path.read_bytes()
    for name in ("model", "model.safetensors"):
        with pytest.raises(store.BadInput, match="it is there already, and no saved model"):
            models.save(model, tmp_path / name)
    assert listed(tmp_path) == [path.name] and before == (path.is_file() and path.read_bytes())


def test_a_saved_model_is_replaced(model, path):
    model.head.bias.data += 1
    models.save(model, path)
    assert torch.equal(models.open(path).head.bias, model.head.bias)
    assert listed(path.parent) == [path.name]


def test_a_place_that_cannot_be_written(model, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(store.StorageError, match="cannot be written"):
        models.save(model, tmp_path / "file" / "model")


@pytest.mark.parametrize("step", ["write_bytes", "replace"])
@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_nothing_is_half_written(model, path, monkeypatch, step, failure):
    """Beside a saved model, and in its place: what was there is there after it."""

    def failing(self, *args):
        if step == "write_bytes":
            original(self, args[0][:10])  # a part of it still fitted
        raise failure

    before, original = path.read_bytes(), getattr(Path, step)
    monkeypatch.setattr(Path, step, failing)
    for name in ("model", "another"):
        with pytest.raises((store.StorageError, KeyboardInterrupt)) as caught:
            models.save(model, path.with_name(name))
        assert getattr(caught.value, "errno", 28) == 28
    assert listed(path.parent) == [path.name] and path.read_bytes() == before


# what cannot be opened


@pytest.mark.parametrize("path", [None, 5, b"x", "", ".", "a" * 300, "a\0b"])
def test_what_is_no_path(model, path):
    for call in (lambda: models.save(model, path), lambda: models.open(path)):
        with pytest.raises(store.CourseError):
            call()


@pytest.mark.parametrize("name", ["model.json", "model.safetensors"])
def test_a_missing_file(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(store.NotAvailable, match="folder, and lacks model.json or .*Pass a file"):
        models.open(tmp_path)
    with pytest.raises(store.NotAvailable, match="there is no such file"):
        models.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "nothing in it says how to use its weights"),
        *((text, "its JSON is broken") for text in ("{", "ÿþ", "[" * 100_000, "9" * 9999)),
        *((text, "it does not describe a model") for text in ("[]", "3", "null")),
        ("{}", "the field 'check' is missing"),
    ],
)
def test_a_json_that_describes_nothing(either, text, why):
    write(either, text)
    with pytest.raises(store.CorruptFile, match=why):
        models.open(either)


def test_weights_alone_are_no_saved_model(path):
    save_file(load(path.read_bytes()), path)
    with pytest.raises(store.CorruptFile, match="nothing in it says how to use its weights"):
        models.open(path)


@pytest.mark.parametrize("name", saved.FIELDS)
def test_every_field_must_be_there_and_of_its_kind(either, name):
    text = json.dumps(said(either))
    for value in (None, 1.5, [1], {"a": 1}, 10**30 if name != "format" else "1"):
        write(either, text)
        rewrite(either, **{name: value})
        with pytest.raises((store.CorruptFile, store.NotAvailable)):
            models.open(either)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"format": 4, "new": 1}, store.NotAvailable, "its format is 4, and this version reads 3"),
        ({"format": 0}, store.CorruptFile, "its format is 0"),
        ({"format": True}, store.CorruptFile, "'format' is True"),
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
        ({"sha256": "0" * 64}, store.CorruptFile, "SHA-256 .*, not 000000000000…"),
        ({"check": "0" * 64}, store.CorruptFile, "changed after the model was saved"),
        ({"versions": {}}, store.CorruptFile, "with which torch"),
        ({"versions": {"torch": "new"}}, store.CorruptFile, "with which torch"),
        ({"versions": {"torch": 2}}, store.CorruptFile, "with which torch"),
        ({"versions": {"torch": "99.1"}}, store.NotAvailable, "torch 99.1.*pip install --upgrade"),
        ({"sealed": False, "classes": [*"abc"]}, store.CorruptFile, "changed after .*Save the"),
    ],
)
def test_what_cannot_be_honoured_is_refused(either, changes, error, message):
    rewrite(either, **changes)
    with pytest.raises(error, match=message):
        models.open(either)


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"kind": "sounds"}, store.NotAvailable, "it is for 'sounds'"),
        ({"kind": None}, store.NotAvailable, "it is for None"),
        ({"kind": ["pictures"]}, store.NotAvailable, "it is for"),
        ({"kind": "letters", "alphabet": models.ALPHABET}, store.NotAvailable, "'channels' that"),
        ({"kind": "letters"}, store.CorruptFile, "lacks 'alphabet'"),
        ({"filter": "nearest"}, store.NotAvailable, "its filter is 'nearest'; this version has"),
        ({"filter": {}}, store.NotAvailable, "its filter is {}"),
        ({"channels": "BGR"}, store.NotAvailable, "its channels is 'BGR'"),
        ({"resize": "crop"}, store.NotAvailable, "its resize is 'crop'"),
        ({"gamma": 2.2}, store.NotAvailable, "a setting 'gamma' that is not known"),
        ({"std": None}, store.CorruptFile, "lacks 'std'"),
        ({"filter": None}, store.CorruptFile, "lacks 'filter'"),
        ({"size": 0}, store.CorruptFile, "preprocessing is wrong .*size=0"),
        ({"size": 64.0}, store.CorruptFile, "size=64.0"),
        ({"size": True}, store.CorruptFile, "size=True"),
        ({"size": 10**9}, store.CorruptFile, "size=1000000000"),
        ({"read_size": None}, store.CorruptFile, "lacks 'read_size'"),
        ({"read_size": 0}, store.CorruptFile, "read_size=0"),
        ({"file": "stretched"}, store.NotAvailable, "its file is 'stretched'"),
        ({"mean": 0.5}, store.CorruptFile, "preprocessing is wrong"),
        ({"mean": [0.5]}, store.CorruptFile, "preprocessing is wrong"),
        ({"mean": [0, 0, "0"]}, store.CorruptFile, "mean='0'"),
        ({"mean": [0, 0, True]}, store.CorruptFile, "mean=True"),
        ({"mean": [0, 0, float("nan")]}, store.CorruptFile, "mean=nan"),
        ({"mean": [0, 0, float("inf")]}, store.CorruptFile, "mean=inf"),
        ({"mean": [0, 0, 1e9]}, store.CorruptFile, "mean=1000000000.0"),
        ({"std": [1, 1, 0]}, store.CorruptFile, "std=0: it must be"),
        ({"std": [1, -1, 1]}, store.CorruptFile, "std=-1: it must be"),
    ],
)
def test_preprocessing_that_cannot_be_done_is_refused(path, changes, error, message):
    spec = said(path)["preprocessing"] | changes
    rewrite(path, preprocessing={n: v for n, v in spec.items() if v is not None or n == "kind"})
    with pytest.raises(error, match=message):
        models.open(path)


def test_a_reader_of_another_alphabet_is_refused(tmp_path):
    path = models.save(models.load("reader_spanish"), tmp_path / "reader")
    rewrite(path, preprocessing={"kind": "letters", "alphabet": models.ALPHABET[::-1]})
    with pytest.raises(store.NotAvailable, match="its alphabet is"):
        models.open(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s | {"head.bias": s["head.bias"] * float("nan")}, "not finite numbers"),
        (lambda s: s | {"extra": torch.ones(1)}, "74 of 74 do, but not 'extra'"),
        (lambda s: {n: v for n, v in s.items() if n != "head.bias"}, "73 of 74 do"),
        (lambda s: s | {"head.bias": torch.ones(3, dtype=torch.int64)}, "but not 'head.bias'"),
        (lambda s: s | {"head.bias": torch.ones(3, 1)}, "but not 'head.bias'"),
        (lambda s: {}, "0 of 74 do, but not 'head.bias', .*, .* and 71 more"),
    ],
)
def test_weights_that_do_not_fit(path, change, message):
    state, text = change(load(path.read_bytes())), json.dumps(said(path))
    save_file(state, path, {"tl_course": text})
    rewrite(path, sha256=saved._sha256(state))
    with pytest.raises(store.CorruptFile, match=message):
        models.open(path)


def test_one_changed_bit_is_noticed(either):
    path = either / "model.safetensors" if either.is_dir() else either
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(store.CorruptFile, match="SHA-256"):
        models.open(either)


def test_other_files_are_never_read(path):
    path.write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(store.CorruptFile, match="it is a pickle"):
        models.open(path)


# what an opened model refuses


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put(preprocess=models.Preprocess(32)), "its preprocess is not"),
        (put(preprocess=nn.Identity()), "its preprocess is not"),
        (put(preprocess__size=65), "its preprocess is not"),
        (lambda m: m.preprocess.mean.add_(0.1), "its preprocess is not"),
        (lambda m: m.bfloat16(), "its preprocess is not"),
        (put(classes=CLASSES[:2]), "its classes are not the 3"),
        (put(classes=CLASSES[::-1]), "its classes are not the 3"),
        (put(classes=None), "its classes are not the 3"),
        (lambda m: models.set_classifier(m, nn.Linear(256, 4)), "3 classes and 4 outputs"),
    ],
)
def test_an_opened_model_is_used_as_it_was_saved(path, toy, change, message):
    model = models.open(path)
    twin = copy.deepcopy(model)
    train.predict(model, PICTURES)
    change(model)
    with pytest.raises(store.BadInput, match=f"{message}.*Open it again with models.open"):
        train.predict(model, PICTURES)
    with pytest.raises(store.BadInput, match=message):
        train.evaluate(model, toy.test)
    train.predict(twin, PICTURES)  # a copy has its own


def test_what_may_be_changed(path, model):
    model.preprocess, model.classes = models.Preprocess(32), ()  # as it was not opened
    opened = models.open(path)
    opened.classes = [*CLASSES]  # a list of the same
    for each in (model, opened):
        assert train.predict(each, PICTURES).shape == (5, 3)


def test_training_accepts_what_is_new(path, toy):
    model = models.open(path)
    model.preprocess, model.classes = models.Preprocess(32), ()
    train.fit(model, toy, epochs=1, progress=False)
    assert train.evaluate(model, toy.test).n == 90 and model.classes == toy.classes


# inputs that do not suit a model


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
    resized = nn.functional.interpolate(few.inputs.float(), (height, width)).byte()
    split = Split(resized, few.labels)
    other = dataclasses.replace(toy, train=split, val=split)
    with pytest.warns(models.PreprocessingWarning, match=f"{message}.*preprocess.seen") as found:
        train.fit(model, other, epochs=1, progress=False)
        train.evaluate(model, split)
    # once a model, and it points at the line that called fit
    assert len(found) == 1 and found[0].filename == __file__
    assert model.preprocess.seen(split.inputs).shape == (6, 3, 64, 64)


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


@pytest.fixture
def no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def test_classes_in_another_order_are_told_once(toy):
    model = models.load("resnet10", pretrained=False, classes=CLASSES)
    with pytest.warns(models.PreprocessingWarning, match="'down', number 0 .* 'across'.*Compare"):
        train.fit(model, toy, epochs=1, progress=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train.fit(model, toy, epochs=1, progress=False)  # it has learned the task's order
        train.evaluate(model, toy.test)


@pytest.mark.slow  # draws the pictures where no other test has
def test_nothing_of_the_course_is_warned_of(no_warning):
    """Every task that needs no file of its own, with the networks that the lessons give it to."""
    pictures = ("leaves", "materials", "digits", "concepts_edges", "concepts_objects")
    numbers = ("italian", "spanish", "spanish_enciphered", "romanian", "turkish")
    network = models.load("resnet10", pretrained=False)
    reader = models.load("reader_spanish", pretrained=False)
    for name in (*pictures, *(f"numbers_{language}" for language in numbers)):
        task = tasks.load(name)
        model = network if name in pictures else reader
        models.warn_of_disagreement(model, task.train.inputs, task.classes)


def test_inputs_that_are_refused_anyway_are_not_warned_of(model, no_warning):
    for inputs in (PICTURES.permute(0, 2, 3, 1), PICTURES[:0], PICTURES[0], PICTURES.numpy(), None):
        models.warn_of_disagreement(model, inputs)


def test_as_the_network_sees_it(model):
    assert torch.equal(model.preprocess.seen(PICTURES), PICTURES)
    grey = PICTURES[:, :1]
    assert torch.equal(model.preprocess.seen(grey), grey.expand(-1, 3, -1, -1))


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
