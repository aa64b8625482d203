"""Lesson 09's checks: files to prepare, faults to find, and another order of classes."""

import numpy as np
import pytest
import torch
from PIL import Image
from said import right, wrong
from torch.nn import functional as F

from tl_course import models, tasks
from tl_course.lessons.preprocessing import faults
from tl_course.lessons.preprocessing.checks import (
    NUMBER_OF,
    camera_files,
    check_diagnoses,
    check_numbers,
    check_prepare,
    their_leaves,
)

MEAN = torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)
STD = torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)


def read(file):
    """A picture of a file, with its colours in order."""
    return torch.from_numpy(file[..., ::-1].copy()).permute(2, 0, 1)


def prepared(
    files, picture=read, scale=1 / 255, mean=MEAN, std=STD, mode="bilinear", antialias=True
):
    small = [
        F.interpolate(picture(file)[None].float(), (64, 64), mode=mode, antialias=antialias)
        for file in files
    ]
    return (torch.cat(small) * scale - mean) / std


def changed(**options):
    return lambda files: prepared(files, **options)


def with_pillow(files):
    small = [np.array(Image.fromarray(f[..., ::-1].copy()).resize((64, 64), 2)) for f in files]
    return (torch.from_numpy(np.stack(small)).permute(0, 3, 1, 2) / 255 - MEAN) / STD


def normalised_first(files):
    ready = ((read(file)[None] / 255 - MEAN) / STD for file in files)
    return torch.cat([F.interpolate(x, (64, 64), mode="bilinear", antialias=True) for x in ready])


@pytest.mark.parametrize("prepare", [prepared, with_pillow, normalised_first])
def test_right_preparation(prepare):
    right(check_prepare(prepare))


def spoils(files):
    ready = prepared(files)
    files[0][:] = 0
    return ready


def empties(files):
    ready = prepared(files)
    files.clear()
    return ready


def borrows(files):
    doctor = models.load("leaf_doctor")
    return torch.cat([doctor.preprocess(read(file)[None]) for file in files])


def borrows_unseen(files):
    doctor = models.load("leaf_doctor")
    return torch.cat([doctor.preprocess.forward(read(file)[None]) for file in files])


def breaks_off(files):
    borrows_unseen(files)
    raise KeyError("after the loan")


KEPT = []


def remembers(files):
    """Fills a list that outlives the call."""
    KEPT.extend(prepared(files))
    return torch.stack(KEPT)


def by_batch(files):
    ready = prepared(files)
    return (ready - ready.mean((0, 2, 3), keepdim=True)) / ready.std((0, 2, 3), keepdim=True)


def knows_six(files):
    return prepared(files) if len(files) == 6 else torch.zeros(len(files), 3, 64, 64)


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (lambda files: None, ["returns None. Return a tensor (N, 3, 64, 64)"]),
        (lambda files: prepared(files).numpy(), ["ndarray, not a tensor"]),
        (lambda files: [*prepared(files)], ["list, not a tensor", "torch.cat"]),
        (lambda files: torch.arange(len(files)), ["6 files come out as (6,)"]),
        (lambda files: prepared(files[:2]), ["6 files come out as"]),
        (lambda files: prepared(files).permute(0, 2, 3, 1), ["channels last"]),
        (lambda files: prepared(files)[:, :1], ["1 channels"]),
        (lambda files: prepared(files)[..., ::2, ::2], ["32 × 32"]),
        (lambda files: prepared(files).byte(), ["uint8"]),
        (lambda files: prepared(files).double(), ["float64"]),
        (lambda files: prepared(files) / 0, ["NaN or infinite"]),
        (lambda files: torch.zeros(6, 3, 64, 64), ["come out the same"]),
        (lambda files: prepared(files[-1:]).expand(6, -1, -1, -1), ["come out the same"]),
        (lambda files: torch.randn(6, 3, 64, 64), ["differ by"]),
        (lambda files: prepared(files).flip(0), ["differ by"]),
        (changed(picture=lambda file: read(file[::-1])), ["differ by"]),
        (changed(picture=lambda file: read(file[:64, :64])), ["Is the whole picture resized"]),
        (by_batch, ["differ by"]),
        (changed(picture=lambda file: read(file).flip(0)), ["blue still comes first"]),
        (changed(scale=1), ["nobody divided by 255"]),
        (changed(scale=1 / 255**2), ["255 divides it twice"]),
        (changed(mean=0, std=1), ["mean and std are missing"]),
        (changed(mean=0.5, std=0.5), ["mean and std are 0.5"]),
        (changed(std=1), ["nothing divided by the std"]),
        (
            changed(picture=lambda file: read(file).flip(0), mean=MEAN.flip(1), std=STD.flip(1)),
            ["blue still comes first, and mean and std are in the order of BGR"],
        ),
        (
            changed(picture=lambda file: read(file).flip(0), scale=1, mean=0, std=1),
            ["blue", "255", "missing"],
        ),
        (
            changed(picture=lambda f: torch.tensor(f[..., ::-1].reshape(3, *f.shape[:2]))),
            ["reshaped, not permuted"],
        ),
        (changed(picture=lambda file: read(file[::-1, :, ::-1])), ["on its head"]),
        (changed(picture=lambda file: read(file[:, ::-1, ::-1])), ["mirrored"]),
        (changed(picture=lambda file: read(file.transpose(1, 0, 2))), ["height and width"]),
        (changed(antialias=False), ["lacks antialias"]),
        (changed(mode="nearest", antialias=False), ["nearest pixel"]),
        (changed(mode="bicubic"), ["bicubic"]),
        (spoils, ["changes the files"]),
        (empties, ["changes the files"]),
        (remembers, ["a single file"]),
        (knows_six, ["a single file"]),
        (borrows, ["own preprocess"]),
        (borrows_unseen, ["own preprocess"]),
        (breaks_off, ["KeyError"]),
    ],
)
def test_wrong_preparation(given, parts):
    forwards = models.Preprocess.forward, faults.Fed.forward
    wrong(check_prepare(given), *parts)
    assert forwards == (models.Preprocess.forward, faults.Fed.forward)


def test_camera_files_are_as_opencv_reads_them():
    files = camera_files()
    assert {(file.dtype.name, file.shape[2]) for file in files} == {("uint8", 3)}
    assert len({file.shape for file in files}) > 3
    assert torch.equal(read(files[0]), tasks.load("leaves_128").val.inputs[0])


SOLVED = {"A": "classes in another order", "B": "training mode", "C": "0 to 255"}


def test_right_diagnoses():
    right(check_diagnoses(SOLVED))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("BGR", ["str, not a dict"]),
        ({}, ["A has no diagnosis"]),
        (SOLVED | {"A": ""}, ["A has no diagnosis. Choose from list(preprocessing.FAULTS)"]),
        (SOLVED | {"B": "flu"}, ["'flu' is no fault"]),
        (SOLVED | {"B": ["BGR"]}, ["B has a list, not the name"]),
        (SOLVED | {"B": torch.ones(9)}, ["B has a Tensor, not the name"]),
        (SOLVED | {"C": "right"}, ["'right' is no fault"]),
        (SOLVED | {"C": "0 TO 255\n" * 99}, ["is no fault"]),
        (SOLVED | {"A": "labels off by one"}, ["clear diagonal", "For A"]),
        (SOLVED | {"B": "grey"}, ["no colour", "answers alone would not", "logits and again"]),
        (SOLVED | {"C": "no mean and std"}, ["between 0 and 1", "how sure"]),
    ],
)
def test_wrong_diagnoses(given, parts):
    wrong(check_diagnoses(given), *parts)


@pytest.mark.parametrize(
    "kind", [list, tuple, np.array, torch.tensor, lambda order: [*torch.tensor(order)]]
)
def test_right_numbers(kind):
    right(check_numbers(kind([3, 0, 4, 1, 2])))


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ([0, 1, 2, 3, 4], ["order of the doctor"]),
        ([1, 3, 4, 0, 2], ["the other way"]),
        ([3, 0, 4, 2, 1], ["3 of 5"]),
        ([3, 3, 3, 3, 3], ["exactly once"]),
        ([-2, 0, 4, 1, 2], ["exactly once"]),
        ([3, 0, 4], ["length 3"]),
        (torch.arange(100) % 5, ["length 100"]),
        ([3.0, 0.0, 4.0, 1.0, 2.0], ["type float", "whole numbers"]),
        (["3", "0", "4", "1", "2"], ["type str"]),
        ("30412", ["str, not a list"]),
        (bytes([3, 0, 4, 1, 2]), ["bytes, not a list"]),
        ({0: 3}, ["dict, not a list"]),
        ({3, 0, 4, 1, 2}, ["set, not a list"]),
        (torch.tensor(3), ["int, not a list"]),
    ],
)
def test_wrong_numbers(given, parts):
    wrong(check_numbers(given), *parts)


def test_their_order_can_be_found():
    theirs = their_leaves()
    answers = faults.logits(models.load("leaf_doctor"), theirs.inputs).argmax(1)
    found = [int(theirs.labels[answers == k].mode().values) for k in range(5)]
    assert found == [*NUMBER_OF] and theirs.labels.bincount().tolist() == [20] * 5
