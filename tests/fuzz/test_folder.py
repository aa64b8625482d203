"""Any tree of folders: a task that is whole, or the course's own error."""

import io
import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tl_course import store, tasks

pytestmark = pytest.mark.slow
PARTS = (
    "train",
    "Training",
    "val",
    "dev",
    "eval",
    "test",
    "TEST set",
    "Fold1",
    "Fold2",
    "unlabelled",
)
CLASSES = (
    "ant",
    "bee",
    "Bee",
    "b\u00e4r",
    "ba\u0308r",
    "梨",
    "a b",
    "a_b",
    "$x$",
    "-",
    "~",
    "#1",
    "\udcff",
    "%s",
)
SYSTEM = (".thumbnails", "@eaDir", "__MACOSX", ".git", "lost+found", "..x", " ", "new\nline")
ENDINGS = (".png", ".JPG", ".jfif", ".avif", ".txt", "", ".png.icloud", ".heic", ".tar.png", ".")
NAMES = st.builds(
    str.__add__,
    st.sampled_from(["x", "y", ".x", "._x", "Thumbs", "é", "a" * 200, "*", "\udcff"]),
    st.sampled_from(ENDINGS),
)
FOLDERS = st.sampled_from(CLASSES + SYSTEM) | st.sampled_from(CLASSES + PARTS)


def content(kind: str, seed: int) -> bytes:
    if kind not in ("PNG", "JPEG", "BMP", "cut"):
        return kind.encode()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG" if kind == "cut" else kind)
    return buffer.getvalue()[: -60 if kind == "cut" else None]


CONTENTS = st.builds(
    content, st.sampled_from(["PNG", "JPEG", "BMP", "cut", "", "{}", "%!PS-Adobe-3.0 EPSF-3.0\n"]),
    st.integers(0, 9),
)  # fmt: skip
FILES = st.dictionaries(
    st.tuples(st.lists(FOLDERS, max_size=4).map(tuple), NAMES),
    CONTENTS | st.sampled_from([None, *map(Path, ("..", "nowhere", ".", "x.png"))]),
    max_size=25,
)
# folders that could be read, so that what comes out is looked at as well
GOOD = st.tuples(
    st.sampled_from([(), ("train",), ("Training", "test"), ("train", "dev", "eval")]),
    st.lists(st.sampled_from(CLASSES + PARTS), min_size=2, max_size=4, unique=True),
    st.integers(1, 9),
)


def build(root: Path, files: dict, good: tuple | None) -> None:
    parts, classes, count = good or ((), (), 0)
    for index in range(count * len(classes) * max(len(parts), 1)):
        top = root / parts[index % len(parts)] if parts else root
        place = top / classes[index // max(len(parts), 1) % len(classes)]
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{index}.png").write_bytes(content("PNG", 100 + index))
    for (folders, name), what in files.items():
        try:
            place = root.joinpath(*folders)
            place.mkdir(parents=True, exist_ok=True)
            if isinstance(what, Path):
                (place / name).symlink_to(what)
            elif what is None:
                os.mkfifo(place / name)
            else:
                (place / name).write_bytes(what)
        except OSError:  # a name that this system, or another entry, forbids
            continue


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(
    files=FILES,
    good=st.none() | GOOD,
    size=st.integers(1, 20),
    seed=st.integers(0, 2**70),
    classes=st.none() | st.lists(st.sampled_from(CLASSES), max_size=4) | st.text() | st.integers(),
)
def test_any_tree(files, good, size, seed, classes):
    with tempfile.TemporaryDirectory() as place, warnings.catch_warnings():
        root = Path(place)
        build(root, files, good)
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", tasks.SkippedFiles)
        try:
            task = tasks.folder(root, size=size, seed=seed, classes=classes)
        except store.CourseError as error:
            assert error.thing and error.cause and error.cure
            return
        assert classes is None or task.classes == tuple(classes)
        assert len(set(task.classes)) == len(task.classes)
        seen = [
            row.numpy().tobytes() for s in (task.train, task.val, task.test) for row in s.inputs
        ]
        assert len(seen) == len(set(seen)) and min(map(len, (task.train, task.val, task.test))) >= 1
        for split in (task.train, task.val, task.test):
            assert split.inputs.shape[1:] == (3, size, size) and split.classes == task.classes
            assert split.labels.min() >= 0 and split.labels.max() < len(task.classes)
            if classes is None:
                assert split.labels.unique().tolist() == [*range(len(task.classes))]


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(
    path=st.none() | st.text() | st.binary() | st.integers() | st.just("a" * 999),
    size=st.none() | st.text() | st.integers() | st.floats() | st.booleans(),
    seed=st.none() | st.text() | st.integers() | st.floats() | st.booleans(),
    classes=st.none() | st.text() | st.integers() | st.lists(st.none() | st.text()),
)
def test_any_arguments(path, size, seed, classes):
    with pytest.raises(store.CourseError):
        tasks.folder(path, size, seed, classes)


PLACES = st.one_of(
    st.none(), st.text(), st.floats(), st.integers(-9, 9), st.lists(st.booleans(), max_size=8),
    st.lists(st.integers(-9, 9) | st.floats() | st.none() | st.integers(), max_size=8),
    st.lists(st.integers(-6, 5), max_size=9),
    st.lists(st.lists(st.integers(0, 3), min_size=1), max_size=3),
)  # fmt: skip


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(places=PLACES)
def test_take_of_any_places(places):
    split = tasks.Split(torch.zeros(6, 3, 2, 2), torch.arange(6), ("a", "b"))
    try:
        taken = split.take(places)
    except store.BadInput:
        return
    expected = np.arange(6)[np.array(places, bool if bool in map(type, places) else int)]
    assert taken.labels.tolist() == split.labels[expected].tolist()
    assert taken.classes == split.classes and len(taken.inputs) == len(expected)
