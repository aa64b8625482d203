"""A learner's own pictures, in every state that people keep them in."""

import io
import warnings

import numpy as np
import pytest
from PIL import Image

from tl_course import store, tasks


def picture(seed: int, size=(90, 70), mode="RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.fixture
def root(tmp_path):
    for label, name in enumerate(("Äpfel", "梨")):
        (tmp_path / name).mkdir()
        for i in range(10):
            picture(10 * label + i).save(tmp_path / name / f"{i}.png")
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
    (root / "Äpfel" / "broken.jpg").write_bytes(b"\xff\xd8 not really")
    (root / "Äpfel" / "empty.png").write_bytes(b"")
    (root / "Äpfel" / "notes.txt").write_text("buy more")
    (root / "Äpfel" / ".DS_Store").write_bytes(b"x")
    (root / "梨" / "Thumbs.db").write_bytes(b"x")
    whole = (root / "梨" / "3.png").read_bytes()
    (root / "梨" / "cut.png").write_bytes(whole[: len(whole) // 2])
    (root / "梨" / "copy of 3.png").write_bytes(whole)
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
    buffer = io.BytesIO()
    kind = {"CMYK": "JPEG", "F": "TIFF", "I": "TIFF"}.get(mode, "PNG")
    source = picture(1, mode="L").convert("I") if mode in ("I", "I;16") else picture(1, mode=mode)
    if mode == "I;16":
        source = Image.fromarray((np.asarray(source) * 256).astype(np.uint16))
    source.save(buffer, kind)
    read = tasks.read_picture(buffer.getvalue(), 64)
    assert read.shape == (3, 64, 64) and read.dtype == np.uint8
    assert read.std() > 5


def test_transparent_is_laid_on_white():
    buffer = io.BytesIO()
    Image.new("RGBA", (40, 40), (0, 0, 0, 0)).save(buffer, "PNG")
    assert (tasks.read_picture(buffer.getvalue(), 64) == 255).all()


def test_exif_rotation_is_obeyed():
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:40] = 255  # bright above
    exif = Image.Exif()
    exif[0x0112] = 3  # the camera was held upside down
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", exif=exif)
    read = tasks.read_picture(buffer.getvalue(), 64)
    assert read[:, :20].mean() < 20 and read[:, -20:].mean() > 230


def test_damaged_exif_is_ignored():
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    picture(1).save(buffer, "JPEG", exif=exif)
    data = buffer.getvalue()
    # the type of the tag: another than a camera writes
    damaged = data.replace(b"\x01\x12\x00\x03", b"\x01\x12\x00\x01", 1)
    assert damaged != data
    assert tasks.read_picture(damaged, 64).shape == (3, 64, 64)


def test_large_photograph_is_shrunk_and_a_huge_one_refused():
    buffer = io.BytesIO()
    Image.new("RGB", (6000, 4000), "green").save(buffer, "JPEG")
    assert tasks.read_picture(buffer.getvalue(), 64).shape == (3, 64, 64)
    for edge in (11_000, 20_000):
        buffer = io.BytesIO()
        Image.new("1", (edge, edge)).save(buffer, "PNG")
        with pytest.raises(store.BadInput, match="too many"):
            tasks.read_picture(buffer.getvalue(), 64)


def test_not_a_folder(tmp_path):
    with pytest.raises(store.BadInput, match="no such folder"):
        tasks.folder(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    with pytest.raises(store.BadInput, match="it is a file"):
        tasks.folder(tmp_path / "file")


def test_too_few_classes(tmp_path):
    with pytest.raises(store.BadInput, match="no class folders"):
        tasks.folder(tmp_path)
    (tmp_path / "only").mkdir()
    with pytest.raises(store.BadInput, match="only one class folder, 'only'"):
        tasks.folder(tmp_path)


def test_empty_class(root):
    (root / "zero").mkdir()
    with pytest.raises(store.BadInput, match="class 'zero'.*0 usable pictures"):
        tasks.folder(root)


def test_class_with_nothing_readable_says_why(root):
    (root / "bad").mkdir()
    for i in range(6):
        (root / "bad" / f"{i}.jpg").write_bytes(b"nothing" + bytes([i]))
    with pytest.raises(store.BadInput, match="6 files left out"):
        tasks.folder(root)


def test_ready_made_splits(tmp_path, root):
    parts = tmp_path / "parts"
    for part, start in (("train", 100), ("val", 200)):
        for label, name in enumerate("ab"):
            (parts / part / name).mkdir(parents=True)
            for i in range(10):
                picture(start + 20 * label + i).save(parts / part / name / f"{i}.png")
    task = tasks.folder(parts)
    assert (len(task.train), len(task.val), len(task.test)) == (16, 4, 20)
    (parts / "train").rename(parts / "test")
    with pytest.raises(store.BadInput, match="no train"):
        tasks.folder(parts)


def test_folders_that_mean_two_things(tmp_path, root):
    parts = tmp_path / "parts"
    for name in ("train", "val", "unlabelled"):
        (parts / name / "a").mkdir(parents=True)
    with pytest.raises(store.BadInput, match="mixes train, val or test.*'unlabelled'"):
        tasks.folder(parts)
    (parts / "unlabelled").rename(parts / "validation")
    with pytest.raises(store.BadInput, match="two of its folders are validation"):
        tasks.folder(parts)
