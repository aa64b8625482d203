"""A learner's own pictures, in every state that people keep them in."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from tl_course import store, tasks


def picture(seed: int, mode="RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (70, 90, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image: Image.Image, kind: str = "PNG", **more) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **more)
    return buffer.getvalue()


def fill(root, start: int, names) -> None:
    """Ten pictures in each of the folders ``names``, no two the same."""
    for label, name in enumerate(names):
        (root / name).mkdir(parents=True)
        for i in range(10):
            picture(start + 10 * label + i).save(root / name / f"{i}.png")


@pytest.fixture
def root(tmp_path):
    fill(tmp_path, 0, ("Äpfel", "梨"))
    return tmp_path


def test_class_folders_become_a_task(root):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = tasks.folder(root)
    assert task.classes == ("Äpfel", "梨")
    assert (len(task.train), len(task.val), len(task.test)) == (12, 4, 4)
    assert task.train.inputs.shape == (12, 3, 64, 64)
    assert task.source == str(root)


def test_bad_files_are_left_out_and_told(root):
    whole = (root / "梨" / "3.png").read_bytes()
    for name, content in {
        "broken.jpg": b"\xff\xd8 not really",
        "empty.png": b"",
        "notes.txt": b"buy more",
        ".DS_Store": b"x",
        "Thumbs.db": b"x",
        "cut.png": whole[: len(whole) // 2],
        "copy of 3.png": whole,
    }.items():
        (root / "梨" / name).write_bytes(content)
    with pytest.warns(tasks.SkippedFiles) as caught:
        task = tasks.folder(root)
    text = str(caught[0].message)
    assert text.startswith("5 files left out")
    for name in ("broken.jpg", "empty.png", "notes.txt", "cut.png", "same file as"):
        assert name in text
    assert ".DS_Store" not in text and "Thumbs.db" not in text
    assert len(task.train) + len(task.val) + len(task.test) == 20


@pytest.mark.parametrize("mode", ["CMYK", "L", "1", "P", "RGBA", "LA", "I;16", "I", "F"])
def test_every_colour_mode(mode):
    kind = {"CMYK": "JPEG", "F": "TIFF", "I": "TIFF"}.get(mode, "PNG")
    source = picture(1, "L").convert("I") if mode in ("I", "I;16") else picture(1, mode)
    if mode == "I;16":
        source = Image.fromarray((np.asarray(source) * 256).astype(np.uint16))
    read = tasks.read_picture(encoded(source, kind), 64)
    assert read.shape == (3, 64, 64) and read.dtype == np.uint8
    assert read.std() > 5


def test_transparent_is_laid_on_white():
    clear = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert (tasks.read_picture(encoded(clear), 64) == 255).all()


def test_exif_rotation_is_obeyed_and_damaged_exif_ignored():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:40] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    data = encoded(Image.fromarray(pixels), "JPEG", exif=exif)
    read = tasks.read_picture(data, 64)
    assert read[:, :20].mean() < 20 and read[:, -20:].mean() > 230
    # the type of the tag: another than a camera writes
    damaged = data.replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x01", 1)
    assert damaged != data
    assert tasks.read_picture(damaged, 64).shape == (3, 64, 64)


def test_large_photograph_is_shrunk_and_a_huge_one_refused():
    large = encoded(Image.new("RGB", (6000, 4000), "green"), "JPEG")
    assert tasks.read_picture(large, 64).shape == (3, 64, 64)
    for edge in (11_000, 20_000):
        with pytest.raises(store.BadInput, match="too many"):
            tasks.read_picture(encoded(Image.new("1", (edge, edge))), 64)


def refused(path) -> str:
    with pytest.raises(store.BadInput) as caught:
        tasks.folder(path)
    return str(caught.value)


def test_not_a_folder_or_too_few_classes(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "it is a file" in refused(tmp_path / "file")
    assert "no class folders" in refused(tmp_path)
    (tmp_path / "only").mkdir()
    assert "only one class folder, 'only'" in refused(tmp_path)


def test_class_with_nothing_readable_says_why(root):
    (root / "zero").mkdir()
    text = refused(root)
    assert "class 'zero'" in text and "it has 0 usable pictures." in text
    for i in range(6):
        (root / "zero" / f"{i}.jpg").write_bytes(b"nothing" + bytes([i]))
    assert "6 files left out" in refused(root)


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("train", "val", "test"), (20, 20, 20)),
        (("train", "val"), (16, 4, 20)),
        (("train", "Test"), (16, 4, 20)),
        (("train",), (12, 4, 4)),
    ],
)
def test_ready_made_splits(tmp_path, parts, sizes):
    for index, part in enumerate(parts):
        fill(tmp_path / part, 100 * index, "ab")
    task = tasks.folder(tmp_path)
    assert (len(task.train), len(task.val), len(task.test)) == sizes
    (tmp_path / "train").rename(tmp_path / "validation")
    told = "two of its folders are validation" if "val" in parts else "no train"
    assert told in refused(tmp_path)


def test_folders_that_mean_two_things(tmp_path):
    for name in ("train", "val", "unlabelled"):
        (tmp_path / name / "a").mkdir(parents=True)
    text = refused(tmp_path)
    assert "mixes train, val or test" in text and "'unlabelled'" in text
