import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from tl_course import models, store, tasks, train
from tl_course.store import shipped
from tl_course.tasks import number_words


def test_names():
    readers = tuple(f"reader_{source}" for source in models.SOURCES)
    own = ("resnet10", "leaf_doctor", *(f"resnet10_{lesson}" for lesson in models.SUSPECTS))
    pictures = (*own, "resnet18", "vgg16", "efficientnet_b0", "lite0", "vit_b_16")
    others = ("bert", "minilm", "gpt2", "roberta", "t5", "whisper", "wav2vec2", "yolos")
    assert models.names() == (*pictures, *others, *readers)
    with pytest.raises(store.UnknownName, match="resnet10, leaf_doctor, .*, reader_spanish"):
        models.load("resnet11")


def test_there_is_a_reader_for_every_language_but_the_one_to_learn():
    assert {*models.SOURCES} == {*number_words.NAMES} - {"italian"}
    for source in models.SOURCES:
        assert store.embedded(f"reader_{source}").is_file()


def test_resnet10_knows_two_hundred_everyday_things():
    model = models.load("resnet10")
    assert len(model.classes) == len(set(model.classes)) == 200
    assert "goldfish" in model.classes
    assert sum(p.numel() for p in model.parameters()) == 1_281_640
    assert not model.training and not [key for key in model.state_dict() if "preprocess" in key]
    assert store.embedded("resnet10").stat().st_size <= 3_000_000


def test_the_classifier_of_a_reader_can_be_two_layers():
    model = models.load("reader_spanish", pretrained=False)
    assert models.outputs(model) == 10 and models.answers(model) == 4
    last = torch.nn.Linear(16, 40)
    model.head = torch.nn.Sequential(torch.nn.Linear(128, 16), torch.nn.ReLU(), last)
    assert models.classifier(model) is last and models.answers(model) == 4
    models.set_classifier(model, torch.nn.Linear(16, 20))
    assert model(torch.ones(2, 3, dtype=torch.int64)).shape == (2, 4, 5)


def test_random_weights_follow_the_seed():
    first, second, third = (
        (torch.manual_seed(seed), models.load("resnet10", pretrained=False))[1]
        for seed in (0, 0, 1)
    )
    assert torch.equal(first.stem[0].weight, second.stem[0].weight)
    assert not torch.equal(first.stem[0].weight, third.stem[0].weight)


def test_stages_of_an_unknown_model():
    with pytest.raises(store.BadInput, match="its stages are not known"):
        models.stages(torch.nn.Linear(3, 2))


def test_preprocess_is_the_same_for_uint8_and_float():
    model = models.load("resnet10", pretrained=False)
    pictures = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8)
    torch.testing.assert_close(model.preprocess(pictures), model.preprocess(pictures / 255))
    assert model.preprocess(pictures[:, :1]).shape == (4, 3, 64, 64)
    large = torch.randint(0, 256, (2, 3, 300, 200), dtype=torch.uint8)
    assert model.preprocess(large).shape == (2, 3, 64, 64)
    grey = torch.full((1, 3, 64, 64), 255, dtype=torch.uint8)
    expected = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(model.preprocess(grey)[0, :, 0, 0], expected)


def test_damaged_checkpoint(tmp_path, monkeypatch):
    name = "resnet10.safetensors"
    good = (store.EMBEDDED / name).read_bytes()
    (tmp_path / name).write_bytes(good[:5000] + b"\x00" + good[5001:])
    (tmp_path / "manifest.json").write_text((store.EMBEDDED / "manifest.json").read_text())
    monkeypatch.setattr(shipped, "EMBEDDED", tmp_path)
    with pytest.raises(store.CorruptFile, match="it is damaged.*Reinstall"):
        models.load("resnet10")


def test_weights_of_another_shape_are_refused(tmp_path):
    path = store.write_embedded(
        "other",
        models.load("resnet10", pretrained=False, classes=list("abc")).state_dict(),
        recipe="test",
        source="test",
        licence="MIT",
        metadata={"classes": json.dumps([*"ab"])},
        folder=tmp_path,
    )
    with pytest.raises(store.CorruptFile, match="do not fit ResNet10"):
        models.load("resnet10", weights=path)
    with pytest.raises(store.CorruptFile, match="do not fit NumberReader"):
        models.load("reader_spanish", weights=path)
    path.write_bytes(pickle.dumps({"stem": 1}))
    with pytest.raises(store.CorruptFile, match="pickle"):
        models.load("resnet10", weights=path)


def test_resnet18_refuses_a_pickle_that_runs_code(tmp_path, monkeypatch):
    class Bomb:
        def __reduce__(self):
            return print, ("code ran",)

    torch.save({"fc.weight": Bomb()}, tmp_path / "resnet18-f37072fd.pth")
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    with pytest.raises(store.CorruptFile, match="resnet18"):
        models.load("resnet18")


@pytest.mark.slow
def test_resnet10_recognises_tiny_imagenet(real_data):
    task = tasks.load("tiny_imagenet")
    assert len(task.test) == 5000
    assert train.evaluate(models.load("resnet10"), task.test).accuracy >= 0.48


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 5}, "names of the outputs"),
        ({"classes": "cats"}, "names of the outputs"),
        ({"classes": [1, 2]}, "names of the outputs"),
        ({"pretrained": False, "weights": "net.safetensors"}, "exclude each other"),
        ({"pretrained": "net.safetensors"}, "Pass a file of weights as weights="),
        ({"weights": 5}, "path 5"),
        ({"weights": b"net"}, "path b'net'"),
        ({"weights": ""}, "path ''"),
    ],
)
def test_options_that_make_no_sense(options, message):
    with pytest.raises(store.BadInput, match=message):
        models.load("resnet10", **options)


@pytest.mark.parametrize("classes", [["a"], [*"123456789"], [*"0123456789", "ten"]])
def test_a_reader_answers_with_ten_digits(classes):
    with pytest.raises(store.BadInput, match=f"with {len(classes)} names.*the ten digits"):
        models.load("reader_spanish", classes=classes)
    names = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    assert models.load("reader_spanish", pretrained=False, classes=names).classes == names
    assert models.load("reader_spanish", classes=[]).classes == (*"0123456789",)


def test_known_names_are_accepted_only_in_their_order():
    known = models.load("leaf_doctor").classes
    assert models.load("leaf_doctor", classes=[*known]).classes == known
    other = ("sain", "rouille", "taches", "oïdium", "mosaïque")
    assert models.load("leaf_doctor", classes=other).classes == other
    with pytest.raises(store.BadInput, match=f"output 0 of the model is {known[0]!r}"):
        models.load("leaf_doctor", classes=known[::-1])
    with pytest.raises(store.BadInput, match="output 0 of the model is '0'"):
        models.load("reader_spanish", classes=["9", "8", "7", "6", "5", "4", "3", "2", "1", "0"])


def test_a_saved_model_is_opened_not_loaded(tmp_path):
    path = models.save(models.load("resnet10"), tmp_path / "mine")
    with pytest.raises(store.BadInput, match="Call models.open with this path"):
        models.load("resnet10", weights=path)


def test_a_misfit_is_told_in_counts_and_three_names(tmp_path):
    save_file(models.load("leaf_doctor").state_dict(), tmp_path / "w", {"classes": "mine"})
    with pytest.raises(store.CorruptFile) as caught:
        models.load("resnet10", weights=tmp_path / "w")
    assert "72 of 74 do, but not 'head.bias', 'head.weight'. Use" in str(caught.value)
    with pytest.raises(store.CorruptFile) as caught:
        models.load("efficientnet_b0", weights=tmp_path / "w")
    assert "0 of 360 do, but not" in str(caught.value) and len(caught.value.cause) < 250
