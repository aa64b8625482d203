"""Tiny ImageNet: what resnet10 was pretrained on (200 everyday classes, 64×64)."""

import fnmatch
import io
from collections import defaultdict
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from tl_course import store
from tl_course.tasks.task import Split, Task, expecting, published

OTHER = "it is not Tiny ImageNet"
TOP = "tiny-imagenet-200"  # the folder that the archive holds
HELD_OUT = 10  # training pictures a class kept for validation, so that the test is touched once


def load() -> Task:
    """200 classes: ``test`` is the published ``val``, and ``val`` is ten a class of training.

    The published test part has no labels and is not used. Classes are in the order of their
    WordNet ids. Reading 85,000 pictures takes about half a minute.
    """
    with store.archive("tiny_imagenet") as archive, expecting(archive.filename, OTHER):
        ids, parts = _listing(archive)
        words = archive.read(f"{TOP}/words.txt").decode().splitlines()
        classes = _short_names(ids, dict(line.split("\t", 1) for line in words))
        with tqdm(total=sum(map(len, parts)), desc="reading Tiny ImageNet") as bar:
            splits = [_read(archive, part, bar) for part in parts]
    return published("tiny_imagenet", "Tiny ImageNet", classes, splits, "it is the source itself")


def photographs(n: int) -> Split:
    """``n`` test pictures, evenly spread, without reading the others: to ask resnet10 about its
    old job. Raises ``BadInput`` for a number that is not from 1 to all there are.
    """
    with store.archive("tiny_imagenet") as archive, expecting(archive.filename, OTHER):
        test = _listing(archive)[1][2]
        n = store.whole("n", n, most=len(test))
        part = [test[index * len(test) // n] for index in range(n)]
        return _read(archive, part, tqdm(disable=True))


def _listing(archive: ZipFile) -> tuple[list[str], tuple[list[tuple[str, int]], ...]]:
    """WordNet ids, and the (file, label) pairs of train, val and test."""
    files: dict[str, list[str]] = defaultdict(list)
    for name in sorted(fnmatch.filter(archive.namelist(), f"{TOP}/*/*/*.JPEG"), key=_number):
        _, part, folder, *_ = name.split("/")
        files[f"{part}/{folder}"].append(name)
    ids = sorted(place.removeprefix("train/") for place in files if place.startswith("train/"))
    if not ids or not files["val/images"]:
        raise store.CorruptFile(
            "tiny_imagenet", "the archive holds no train or no val pictures", "Fetch it again"
        )
    train, val = [], []
    for label, wordnet_id in enumerate(ids):
        pairs = [(name, label) for name in files[f"train/{wordnet_id}"]]
        train += pairs[:-HELD_OUT]
        val += pairs[-HELD_OUT:]
    lines = archive.read(f"{TOP}/val/val_annotations.txt").decode().splitlines()
    answers = dict(line.split("\t")[:2] for line in lines)
    test = [(name, ids.index(answers[name.rpartition("/")[2]])) for name in files["val/images"]]
    return ids, (train, val, test)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2].removesuffix(".JPEG"))


def _read(archive: ZipFile, part: list[tuple[str, int]], bar: tqdm) -> Split:
    pictures = np.empty((len(part), 64, 64, 3), np.uint8)
    for index, (name, _) in enumerate(part):
        picture = Image.open(io.BytesIO(archive.read(name)), formats=("JPEG",)).convert("RGB")
        pictures[index] = np.asarray(picture).reshape(64, 64, 3)
        bar.update()
    inputs = torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous()
    return Split(inputs, torch.tensor([label for _, label in part]))


def _short_names(ids: list[str], words: dict[str, str]) -> tuple[str, ...]:
    """The first name of each class; the second where two classes share the first."""
    names: list[str] = []
    for wordnet_id in ids:
        options = [option.strip() for option in words[wordnet_id].split(",")]
        names.append(next((o for o in options if o not in names), wordnet_id))
    return tuple(names)
