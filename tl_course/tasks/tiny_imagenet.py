"""Tiny ImageNet: what resnet10 was pretrained on (200 everyday classes, 64×64)."""

import io
from zipfile import ZipFile

import numpy as np
import torch
from PIL import Image
from tqdm.auto import tqdm

from tl_course import store
from tl_course.tasks.task import Split, Task

HELD_OUT = 10  # training pictures a class kept for validation, so that the test is touched once


def load() -> Task:
    """200 classes: ``test`` is the published ``val``, and ``val`` is ten a class of training.

    The published test part has no labels and is not used. Classes are in the order of their
    WordNet ids. Reading 85,000 pictures takes about half a minute.
    """
    archive = store.archive("tiny_imagenet")
    ids, parts = _listing(archive)
    bar = tqdm(total=sum(map(len, parts)), desc="reading Tiny ImageNet")
    with archive, bar:
        splits = [_read(archive, part, bar) for part in parts]
        words = archive.read("tiny-imagenet-200/words.txt").decode().splitlines()
    published = store.published()["tiny_imagenet"]
    return Task(
        "tiny_imagenet",
        "Tiny ImageNet",
        _short_names(ids, dict(line.split("\t", 1) for line in words)),
        *splits,
        licence=published.licence,
        source=published.source,
        overlap="it is the source itself",
    )


def photographs(n: int) -> Split:
    """``n`` test pictures, evenly spread, without reading the others: to ask resnet10 about its
    old job. Raises ``BadInput`` for a number that is not from 1 to all there are.
    """
    archive = store.archive("tiny_imagenet")
    with archive:
        test = _listing(archive)[1][2]
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= len(test):
            raise store.BadInput(
                f"photographs({n!r})", f"there are {len(test):,} test pictures", "Try 500"
            )
        part = [test[index * len(test) // n] for index in range(n)]
        return _read(archive, part, tqdm(disable=True))


def _listing(archive: ZipFile) -> tuple[list[str], tuple[list[tuple[str, int]], ...]]:
    """WordNet ids, and the (file, label) pairs of train, val and test."""
    train, val = [], []
    files: dict[str, list[str]] = {}
    published_val = []
    for name in archive.namelist():
        if name.endswith(".JPEG"):
            parts = name.split("/")
            if parts[1] == "train":
                files.setdefault(parts[2], []).append(name)
            elif parts[1] == "val":
                published_val.append(name)
    ids = sorted(files)
    if not ids or not published_val:
        raise store.CorruptFile(
            "tiny_imagenet", "the archive holds no train or no val pictures", "Fetch it again"
        )
    label = {wordnet_id: index for index, wordnet_id in enumerate(ids)}
    for wordnet_id in ids:
        names = sorted(files[wordnet_id], key=_number)
        val += [(name, label[wordnet_id]) for name in names[-HELD_OUT:]]
        train += [(name, label[wordnet_id]) for name in names[:-HELD_OUT]]
    lines = archive.read("tiny-imagenet-200/val/val_annotations.txt").decode().splitlines()
    answers = dict(line.split("\t")[:2] for line in lines)
    test = [
        (name, label[answers[name.rpartition("/")[2]]])
        for name in sorted(published_val, key=_number)
    ]
    return ids, (train, val, test)


def _number(name: str) -> int:
    return int(name.rpartition("_")[2].removesuffix(".JPEG"))


def _read(archive: ZipFile, part: list[tuple[str, int]], bar: tqdm) -> Split:
    pictures = np.empty((len(part), 64, 64, 3), np.uint8)
    for index, (name, _) in enumerate(part):
        pictures[index] = np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("RGB"))
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
