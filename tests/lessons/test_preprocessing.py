"""Lesson 09: every fault has its symptom; checks, charts and the two widgets."""

import numpy as np
import pytest
import torch
from said import right, wrong
from torch.nn import functional as F

from tl_course import models, store, tasks
from tl_course.lessons.preprocessing import charts, checks
from tl_course.lessons.preprocessing import checks as preprocessing_checks
from tl_course.lessons.preprocessing import faults as feeding

SHOWN = 100


# The faults: each changes what it says, and its symptom is there


@pytest.fixture(scope="module")
def doctor():
    return models.load("leaf_doctor")


def inputs_of(doctor, fault: str, count: int = 20) -> torch.Tensor:
    return feeding.preparation(doctor, fault)(tasks.load("leaves_128").test.inputs[:count])


# Diagnoses


def test_diagnose_fault_says_why():
    told = preprocessing_checks.diagnose_fault("BGR", "BGR")
    assert told.startswith("Right. ") and "red and blue" in told
    told = preprocessing_checks.diagnose_fault("BGR", "grey")
    assert told.startswith("Not yet. ") and preprocessing_checks.CLUES["grey"] in told
    assert "Where nothing is wrong, " in preprocessing_checks.diagnose_fault("BGR", feeding.RIGHT)
    for given in (("BGR", "flu"), ("flu", "BGR")):
        with pytest.raises(store.UnknownName):
            preprocessing_checks.diagnose_fault(*given)


SOLVED = {"A": "classes in another order", "B": "training mode", "C": "0 to 255"}


def test_the_three_cases_show_what_they_have():
    cases = preprocessing_checks.feeding_cases()
    tables = {k: charts.confusion(c.labels, c.logits.argmax(1), 5) for k, c in cases.items()}
    assert sorted(tables["A"].argmax(1)) == [*range(5)] and tables["A"].diagonal().sum() < 20
    changed = {k: int((c.logits.argmax(1) != c.again.argmax(1)).sum()) for k, c in cases.items()}
    assert changed["B"] > 30 and changed["A"] == changed["C"] == 0
    assert cases["C"].logits.softmax(1).amax(1).mean() > 0.99


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("BGR", ["str, not a dict"]),
        ({}, ["A has no diagnosis"]),
        ({"A": "", "B": "", "C": ""}, ["A has no diagnosis"]),
        ({**SOLVED, "B": "flu"}, ["'flu' is no fault"]),
        ({**SOLVED, "B": ["BGR"]}, ["B has a list, not the name"]),
        ({**SOLVED, "B": torch.ones(9)}, ["B has a Tensor, not the name"]),
        ({**SOLVED, "C": "right"}, ["'right' is no fault"]),
        ({**SOLVED, "C": "0 TO 255\n" * 99}, ["is no fault"]),
        ({**SOLVED, "A": "labels off by one"}, ["clear diagonal", "For A"]),
        ({**SOLVED, "B": "grey"}, ["no colour", "answers alone would not", "logits and again"]),
        ({**SOLVED, "C": "no mean and std"}, ["between 0 and 1", "how sure"]),
    ],
)
def test_wrong_diagnoses(given, parts):
    wrong(preprocessing_checks.check_diagnoses(given), *parts)


def test_right_diagnoses():
    right(preprocessing_checks.check_diagnoses(SOLVED))


# Preparing files

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def prepared(
    files, bgr=False, scale=1 / 255, mean=MEAN, std=STD, layout="permute", mode="bilinear", **kind
):
    ready = []
    for file in files:
        given = file if bgr else file[..., ::-1].copy()
        picture = torch.from_numpy(given)
        picture = (
            picture.permute(2, 0, 1) if layout == "permute" else picture.reshape(3, *file.shape[:2])
        )
        kind = kind or {"antialias": True}
        small = F.interpolate(picture[None].float(), (64, 64), mode=mode, **kind)
        ready.append((small * scale - mean) / std)
    return torch.cat(ready)


def with_pillow(files):
    from PIL import Image

    small = [np.array(Image.fromarray(f[..., ::-1].copy()).resize((64, 64), 2)) for f in files]
    return (torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 255 - MEAN) / STD


def normalised_first(files):
    ready = []
    for file in files:
        picture = torch.from_numpy(file[..., [2, 1, 0]]).permute(2, 0, 1)[None] / 255
        normal = (picture - MEAN) / STD
        ready.append(F.interpolate(normal, (64, 64), mode="bilinear", antialias=True))
    return torch.cat(ready)


@pytest.mark.parametrize("prepare", [prepared, with_pillow, normalised_first])
def test_right_preparation(prepare):
    right(preprocessing_checks.check_prepare(prepare))


def spoils(files):
    ready = prepared(files)
    files[0][:] = 0
    return ready


def borrows(files):
    doctor = models.load("leaf_doctor")
    rgb = (torch.from_numpy(file[..., ::-1].copy()).permute(2, 0, 1)[None] for file in files)
    return torch.cat([doctor.preprocess(picture) for picture in rgb])


def borrows_unseen(files):
    doctor = models.load("leaf_doctor")
    rgb = (torch.from_numpy(file[..., ::-1].copy()).permute(2, 0, 1)[None] for file in files)
    return torch.cat([doctor.preprocess.forward(picture) for picture in rgb])


def breaks_off(files):
    borrows_unseen(files)
    raise KeyError("after the loan")


def empties(files):
    ready = prepared(files)
    files.clear()
    return ready


def overwrites(files):
    return prepared(files[-1:]).expand(len(files), -1, -1, -1)


KEPT = []


def remembers(files):
    """Fills a list that outlives the call."""
    KEPT.extend(prepared(files))
    return torch.stack(KEPT)


def cropped(files):
    return prepared([file[:64, :64] for file in files])


def by_batch(files):
    ready = prepared(files)
    return (ready - ready.mean((0, 2, 3), keepdim=True)) / ready.std((0, 2, 3), keepdim=True)


def knows_six(files):
    return prepared(files) if len(files) == 6 else torch.zeros(len(files), 3, 64, 64)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (None, ["NoneType, not a function"]),
        (lambda files: None, ["returns None"]),
        (lambda files: prepared(files).numpy(), ["ndarray, not a tensor"]),
        (lambda files: [*prepared(files)], ["list, not a tensor", "torch.cat"]),
        (lambda files: iter(files), ["list_iterator, not a tensor"]),
        (lambda files: torch.arange(len(files)), ["6 files come out as (6,)"]),
        (lambda files: prepared(files).byte(), ["uint8"]),
        (lambda files: prepared(files) * float("nan"), ["NaN or infinite"]),
        (lambda files: torch.zeros(6, 3, 64, 64), ["come out the same"]),
        (lambda files: torch.randn(6, 3, 64, 64), ["differ by"]),
        (lambda files: prepared(files).flip(0), ["differ by"]),
        (lambda files: prepared([f[::-1] for f in files], bgr=False), ["differ by"]),
        (lambda files: prepared(files[:2]), ["6 files come out as"]),
        (lambda files: prepared(files).permute(0, 2, 3, 1), ["channels last"]),
        (lambda files: prepared(files)[:, :1], ["1 channels"]),
        (lambda files: prepared(files)[..., ::2, ::2], ["32 × 32"]),
        (lambda files: prepared(files).double(), ["float64"]),
        (lambda files: prepared(files) / 0, ["NaN or infinite"]),
        (lambda files: prepared(files, bgr=True), ["blue still comes first"]),
        (lambda files: prepared(files, scale=1), ["nobody divided by 255"]),
        (lambda files: prepared(files, mean=0, std=1), ["mean and std are missing"]),
        (lambda files: prepared(files, mean=0.5, std=0.5), ["mean and std are 0.5"]),
        (lambda files: prepared(files, std=1), ["nothing divided by the std"]),
        (
            lambda files: prepared(files, bgr=True, mean=MEAN.flip(1), std=STD.flip(1)),
            ["blue still comes first", "order of BGR"],
        ),
        (lambda files: prepared(files, layout="reshape"), ["reshaped, not permuted"]),
        (lambda files: prepared(files, antialias=False), ["lacks antialias"]),
        (lambda files: prepared(files, mode="nearest", antialias=False), ["nearest pixel"]),
        (lambda files: prepared(files, mode="bicubic"), ["bicubic"]),
        (
            lambda files: prepared(files, bgr=True, scale=1, mean=0, std=1),
            ["blue", "255", "missing"],
        ),
        (lambda files: prepared(files, scale=1 / 255**2), ["255 divides it twice"]),
        (lambda files: prepared([f[::-1].copy() for f in files], True), ["on its head"]),
        (lambda files: prepared([f[:, ::-1].copy() for f in files], True), ["mirrored"]),
        (
            lambda files: prepared([f.transpose(1, 0, 2) for f in files]),
            ["height and width"],
        ),
        (spoils, ["changes the files"]),
        (empties, ["changes the files"]),
        (overwrites, ["come out the same"]),
        (remembers, ["a single file"]),
        (borrows, ["own preprocess"]),
        (borrows_unseen, ["own preprocess"]),
        (breaks_off, ["KeyError"]),
        (cropped, ["Is the whole picture resized"]),
        (by_batch, ["differ by"]),
        (knows_six, ["a single file"]),
        (lambda files: files[9], ["IndexError"]),
        (lambda: 1, ["TypeError"]),
    ],
)
def test_wrong_preparation(given, parts):
    forwards = models.Preprocess.forward, feeding.Fed.forward
    wrong(preprocessing_checks.check_prepare(given), *parts)
    assert forwards == (models.Preprocess.forward, feeding.Fed.forward)


def test_camera_files_are_as_opencv_reads_them():
    files = preprocessing_checks.camera_files()
    assert {(file.dtype.name, file.shape[2]) for file in files} == {("uint8", 3)}
    assert len({file.shape for file in files}) > 3
    first = tasks.load("leaves_128").val.inputs[0]
    assert (torch.from_numpy(files[0]).permute(2, 0, 1)[[2, 1, 0]] == first).all()


# Numbers of classes


@pytest.mark.parametrize("given", [[3, 0, 4, 1, 2], (3, 0, 4, 1, 2), np.array([3, 0, 4, 1, 2])])
def test_right_numbers(given):
    right(preprocessing_checks.check_numbers(given))
    right(preprocessing_checks.check_numbers(torch.as_tensor(given)))
    right(preprocessing_checks.check_numbers([torch.tensor(number) for number in given]))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (None, ["NoneType, not a list"]),
        ("30412", ["str, not a list"]),
        ({0: 3}, ["dict, not a list"]),
        ([0, 1, 2, 3, 4], ["order of the doctor"]),
        ([1, 3, 4, 0, 2], ["the other way"]),
        ([3, 0, 4, 2, 1], ["3 of 5"]),
        ([3, 3, 3, 3, 3], ["exactly once"]),
        ([3, 0, 4], ["length 3"]),
        ([3.0, 0.0, 4.0, 1.0, 2.0], ["type float", "whole numbers"]),
        ([float("nan")] * 5, ["type float"]),
        (["3", "0", "4", "1", "2"], ["type str"]),
        ([[3], [0], [4], [1], [2]], ["type list"]),
        ([-2, 0, 4, 1, 2], ["exactly once"]),
        (bytes([3, 0, 4, 1, 2]), ["bytes, not a list"]),
        ({3, 0, 4, 1, 2}, ["set, not a list"]),
        (lambda k: k, ["function, not a list"]),
        (torch.arange(100) % 5, ["length 100"]),
        (torch.tensor(3), ["int, not a list"]),
    ],
)
def test_wrong_numbers(given, parts):
    wrong(preprocessing_checks.check_numbers(given), *parts)


def test_their_order_can_be_found(doctor):
    theirs = preprocessing_checks.their_leaves()
    answers = feeding.logits(doctor, theirs.inputs).argmax(1)
    found = [int(theirs.labels[answers == k].mode().values) for k in range(5)]
    assert found == [*checks.NUMBER_OF] and theirs.labels.bincount().tolist() == [20] * 5


# Charts


# The widgets
