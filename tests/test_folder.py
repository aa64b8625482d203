"""A learner's own pictures, in every state that people keep them in."""

import io
import os
import shutil
import struct
import sys
import warnings

import numpy as np
import pytest
import torch
from PIL import EpsImagePlugin, Image

from tl_course import models, store, tasks


def picture(seed: int, mode="RGB") -> Image.Image:
    pixels = np.random.default_rng(seed).integers(0, 255, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(pixels).resize((90, 70), Image.Resampling.BICUBIC).convert(mode)


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
        task = tasks.folder(root, 64)
    assert task.classes == ("Äpfel", "梨")
    assert (len(task.train), len(task.val), len(task.test)) == (12, 4, 4)
    assert task.train.inputs.shape == (12, 3, 64, 64)
    assert task.source == str(root) and task.train.classes == task.classes


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
        task = tasks.folder(root, 64)
    text = str(caught[0].message)
    assert text.startswith("Files left out of ") and ": 5\n" in text
    for name in ("broken.jpg", "it is empty", "notes.txt", "cut.png", "same file as"):
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


def refused(path, **how) -> str:
    with pytest.raises(store.BadInput) as caught:
        tasks.folder(path, **how)
    return str(caught.value)


def test_not_a_folder_or_too_few_classes(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "no such folder" in refused(tmp_path / "nowhere")
    assert "it is a file" in refused(tmp_path / "file")
    assert "no class folders" in refused(tmp_path)
    (tmp_path / ".old").mkdir()
    assert "no class folders but hidden ones: '.old'" in refused(tmp_path)
    (tmp_path / "only").mkdir()
    assert "only one class folder, 'only'" in refused(tmp_path)


def test_class_with_nothing_readable_says_why(root):
    (root / "zero").mkdir()
    text = refused(root)
    assert "class 'zero'" in text and "it has 0 usable pictures, 5 are needed." in text
    for i in range(6):
        (root / "zero" / f"{i}.jpg").write_bytes(b"nothing" + bytes([i]))
    picture(99).save(root / "beside.png")
    text = refused(root)
    assert "7; 6 × it cannot be read" in text and "1 × in no class folder" in text


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
    task = tasks.folder(tmp_path, 64)
    assert (len(task.train), len(task.val), len(task.test)) == sizes
    (tmp_path / "train").rename(tmp_path / "validation")
    told = "two of its folders are validation: 'val' and" if "val" in parts else "no train"
    assert told in refused(tmp_path)


def test_folders_that_mean_two_things(tmp_path):
    for name in ("train", "val", "unlabelled"):
        (tmp_path / name / "a").mkdir(parents=True)
    text = refused(tmp_path)
    assert "mixes train, val or test" in text and "'unlabelled'" in text
    (tmp_path / "val").rename(tmp_path / "other")
    assert "mixes train, val or test" in refused(tmp_path)


@pytest.mark.parametrize(
    ("parts", "sizes"),
    [
        (("Training", "Testing"), (16, 4, 20)),
        (("train", "dev", "eval"), (20, 20, 20)),
        (("train", "eval", "TEST"), (20, 20, 20)),
        (("training_set", "Evaluation"), (16, 4, 20)),
        (("01 train-images", "valid", "hold out"), (20, 20, 20)),
        (("train2017", "val2017"), (16, 4, 20)),
    ],
)
def test_splits_by_other_names(tmp_path, parts, sizes):
    for index, part in enumerate(parts):
        fill(tmp_path / part, 100 * index, "ab")
    task = tasks.folder(tmp_path, 64)
    assert task.classes == ("a", "b")
    assert (len(task.train), len(task.val), len(task.test)) == sizes


@pytest.mark.parametrize(
    ("outer", "inner"), [("Fold1 Fold2 Fold3", "a b"), ("ants bees", "train val")]
)
def test_folders_that_may_be_either_are_refused(tmp_path, outer, inner):
    outer, inner = outer.split(), inner.split()
    for index, name in enumerate(outer):
        fill(tmp_path / name, 100 * index, inner)
    text = refused(tmp_path)
    for reading in (outer, inner):
        assert ", ".join(map(repr, reading)) in text
    assert tasks.folder(tmp_path, classes=outer).classes == tuple(outer)


def test_folders_below_a_class_are_no_classes(root):
    fill(root / "梨", 300, ["2023", "2024"])
    fill(root / "Äpfel", 400, ["2023", "2024"])  # both with pictures beside them
    task = tasks.folder(root, 64)
    assert task.classes == ("Äpfel", "梨") and len(task.train) == 36
    for path in (root / "梨").glob("2*"):
        path.rename(root / "Äpfel" / f"more {path.name}")
    (root / "梨").rename(root / "train")  # on rails
    assert tasks.folder(root).classes == ("train", "Äpfel")
    (root / "Äpfel").rename(root / "test")
    assert tasks.folder(root, classes=["train", "test"]).classes == ("train", "test")


LOOP = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop\n"
AVIF = encoded(picture(1), "AVIF")


@pytest.mark.parametrize(
    "data",
    [
        LOOP,
        b"DDS " + struct.pack("<I", 124) + bytes(200),
        AVIF[:60],
        AVIF[:100] + b"\xff" * 300,
        b"SIMPLE  =                    T" + b" " * 2850,
        b"\xd7\xcd\xc6\x9a" + bytes(100),
        b"%PDF-1.4",
        b"8BPS\0\1" + bytes(60),
        b"II*\0\x08\0\0\0" + b"\xff" * 80,
        *(encoded(picture(1), kind) for kind in ("TGA", "ICO", "PCX", "SGI", "PDF", "EPS")),
    ],
    ids=lambda data: repr(data[:8]),
)
def test_bytes_that_are_no_usual_picture_start_no_decoder(root, data, monkeypatch):
    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", lambda *a, **k: pytest.fail("started"))
    (root / "梨" / "x.jpg").write_bytes(data)
    with pytest.warns(tasks.SkippedFiles, match="x.jpg"):
        assert len(tasks.folder(root).train) == 12


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF"])
def test_every_format_that_is_read(root, kind):
    ending = {"JPEG": "jfif"}.get(kind, kind.lower())
    (root / "梨" / f"x.{ending}").write_bytes(encoded(picture(900), kind))
    assert len(tasks.folder(root).train) == 13
    read = tasks.read_picture(encoded(picture(900), kind), 64).astype(int)
    assert np.abs(read - tasks.read_picture(encoded(picture(900)), 64)).mean() < 8


WHITE = [(np.uint16, 65535), (np.int32, 255), (np.int32, 65535), (np.int32, 2**31 - 1)]


@pytest.mark.parametrize(("kind", "white"), [*WHITE, (np.float32, 1), (np.float32, 255)])
def test_white_of_more_than_eight_bits_is_white(kind, white):
    for share, grey in ((0, 0), (0.5, 127), (1, 255)):
        pixels = np.full((9, 9), share * white, kind)
        pixels[0, 0] = white
        read = tasks.read_picture(encoded(Image.fromarray(pixels), "TIFF"), 9)
        assert abs(int(read[0, 5, 5]) - grey) <= 1


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(value):
    pixels = np.zeros((9, 9), np.float32)
    pixels[3, 3] = value
    with pytest.raises(store.BadInput, match="not finite"):
        tasks.read_picture(encoded(Image.fromarray(pixels), "TIFF"), 9)


def told(root, **how) -> tuple[tasks.Task, str]:
    """The task, and the one warning that came with it."""
    with pytest.warns(tasks.SkippedFiles) as caught:
        task = tasks.folder(root, **how)
    assert len(caught) == 1 and caught[0].filename == __file__
    return task, str(caught[0].message)


def test_hidden_folders_are_left_out_and_told(root):
    hidden = [".thumbnails", "@eaDir", ".ipynb_checkpoints", "__MACOSX", "Thumbnails"]
    fill(root / "梨", 100, hidden)
    fill(root, 200, [".old", "__more"])
    (root / ".git").mkdir()
    (root / ".git" / "config").write_text("no picture")
    task, text = told(root)
    assert len(task.train) == 12 and "70 × hidden, or in a hidden or system folder" in text
    assert "config" not in text


def test_what_is_left_out_is_counted_by_reason(root):
    for name in (".x.jpg.icloud", "y.jpg.icloud"):
        (root / "梨" / name).write_bytes(b"bplist00")
    for name in ("a.heic", "b.JPG"):
        (root / "梨" / name).write_bytes(b"\0\0\0\x18ftypheic" + name.encode() + bytes(50))
    (root / "梨" / "film.mov").write_bytes(b"x")
    picture(99).save(root / "beside.png")
    text = told(root)[1]
    assert ": 6\n" in text and "2 × still in a cloud" in text and "2 × it is HEIC" in text
    assert "1 × not a picture by its ending" in text and "sips -s format" in text
    assert "1 × in no class folder: beside.png" in text


def test_copies_and_pictures_saved_again(tmp_path):
    for index, part in enumerate(("Training", "test", "val")):
        fill(tmp_path / part, 100 * index, "ab")
    test, training = tmp_path / "test" / "a", tmp_path / "Training" / "b"
    Image.open(test / "0.png").save(training / "same.bmp")
    Image.open(test / "1.png").save(training / "again.jpg", quality=75)
    Image.open(test / "2.png").resize((180, 140)).save(training / "larger.webp")
    Image.open(test / "3.png").save(test / "within.jpg")  # harms nobody
    task, text = told(tmp_path)
    assert (len(task.train), len(task.test)) == (22, 21)
    assert "copies: Training/b/same.bmp (the same picture as test/a/0.png)" in text
    assert "2 × like another picture" in text and "larger.webp like test/a/2.png" in text
    assert "within.jpg" not in text


def test_pictures_saved_again_before_they_are_divided(root):
    Image.open(root / "梨" / "3.png").save(root / "Äpfel" / "x.jpg")
    task, text = told(root)
    assert len(task.train) == 13 and "梨/3.png like Äpfel/x.jpg" in text
    flat = [np.full((64, 64, 3), shade, np.uint8) for shade in (100, 101)]
    for shade in flat:  # nothing in them could be alike
        Image.fromarray(shade).save(root / "梨" / f"{shade[0, 0, 0]}.png")
    assert "101.png" not in told(root)[1]


def test_classes_by_name(root, tmp_path_factory):
    task = tasks.folder(root, 64, classes=["梨", "Äpfel"])
    assert task.classes == task.test.classes == ("梨", "Äpfel")
    other = tasks.folder(root, 64)
    first, second = (t.train.inputs[t.train.labels == k] for t, k in ((task, 0), (other, 1)))
    assert {x.numpy().tobytes() for x in first} & {x.numpy().tobytes() for x in second}
    task, text = told(root, classes=("fig", "梨"))
    assert task.classes == ("fig", "梨") and task.train.labels.unique().tolist() == [1]
    assert "No folder of pictures: 'fig'" in text and "10 × in no class folder" in text
    assert tasks.folder(root, classes=["A\u0308pfel", "梨"]).classes[0] == "A\u0308pfel"


@pytest.mark.parametrize(
    ("classes", "cause"),
    [
        (["äpfel", "梨"], "no folder of this name, but 'Äpfel'"),
        (["Äpfel ", "梨"], "no folder of this name, but 'Äpfel'"),
        (["x", "y"], "no folder of 'x', 'y'"),
        (["../" + "梨"], "no folder of '../梨'"),
        *(
            (wrong, "list of different names")
            for wrong in ("ab", [], ["a", "a"], [1], 5, ["", "a"])
        ),
    ],
)
def test_classes_that_cannot_be(root, classes, cause):
    with pytest.raises(store.BadInput, match=cause):
        tasks.folder(root, classes=classes)


def test_folders_of_one_name_in_two_spellings(tmp_path):
    fill(tmp_path / "train", 0, ("Cat", "dog"))
    fill(tmp_path / "test", 100, ("cat", "dog"))
    assert "there are 'Cat' and 'cat'" in refused(tmp_path)
    for part, name in (("train", "Cat"), ("test", "cat")):
        form = "\u00e4" if part == "train" else "a\u0308"
        (tmp_path / part / name).rename(tmp_path / part / f"B{form}r")
    assert tasks.folder(tmp_path).classes == ("B\u00e4r", "dog")


@pytest.mark.skipif(sys.platform != "linux", reason="such names and links are its alone")
def test_what_only_linux_has(tmp_path):
    for part, letter in (("train", "\u00e4"), ("test", "a\u0308")):
        fill(tmp_path / part, ord(letter[-1]), (f"B{letter}r", "\udcff"))  # bytes that are no text
    (tmp_path / "test" / "\udcff" / "link").symlink_to(tmp_path / "train")
    task, text = told(tmp_path)
    assert task.classes == ("?", "B\u00e4r") and "1 × links to folders" in text
    fill(tmp_path / "test", 200, ("B\u00e4r",))
    assert "two of its folders have one name" in refused(tmp_path)


@pytest.mark.parametrize(("count", "enough"), [(4, False), (5, True)])
@pytest.mark.parametrize("inside", ["", "train"])
def test_the_least_number_of_pictures(tmp_path, inside, count, enough):
    fill(tmp_path / inside, 0, "ab")
    for path in sorted((tmp_path / inside / "a").iterdir())[count:]:
        path.unlink()
    if not enough:
        assert "it has 4 usable pictures, 5 are needed" in refused(tmp_path)
        return
    task = tasks.folder(tmp_path, 64)
    for split, least in ((task.train, 3), (task.val, 1), (task.test, 1)):
        assert split.labels.bincount()[0] >= least


@pytest.mark.parametrize(
    "how",
    [{"size": size} for size in (0, -1, "64", 64.5, True, None, 5000)]
    + [{"seed": seed} for seed in (-1, 1.5, "0", None)],
)
def test_numbers_that_cannot_be(root, how):
    with pytest.raises(store.BadInput, match=f"{[*how][0]}="):
        tasks.folder(root, **how)
    if "size" in how:
        with pytest.raises(store.BadInput, match="size="):
            tasks.read_picture(encoded(picture(1)), **how)


@pytest.mark.parametrize("path", [None, 5, b"x", "", "a\0b", "x" * 300, ["a"]])
def test_paths_that_cannot_be(path):
    refused(path)


@pytest.mark.parametrize("data", [None, 5, "photo.jpg", ["x"]])
def test_a_picture_is_its_bytes(data):
    with pytest.raises(store.BadInput, match="the bytes of a file"):
        tasks.read_picture(data, 64)


def test_the_folder_where_one_is_has_its_name(root, monkeypatch):
    monkeypatch.chdir(root / "梨")
    task = tasks.folder(os.pardir, seed=2**64)
    assert task.name == task.title == root.name
    monkeypatch.chdir(root)
    assert tasks.folder(".").name == root.name
    assert torch.equal(
        tasks.folder(".", seed=3).train.inputs, tasks.folder(root, seed=3).train.inputs
    )


def test_the_size_is_the_networks(root):
    sides = {64: models.load("resnet10"), 40: 40}
    for side, size in sides.items():
        assert tasks.folder(root, size).train.inputs.shape[2:] == (side, side)
    assert tasks.folder(root).train.inputs.shape[2:] == (129, 129)
    refused(root, size=models.load("reader_spanish"))


def test_a_split_knows_its_files(root):
    task = tasks.folder(root, 64)
    every = [file for split in (task.train, task.val, task.test) for file in split.files]
    assert sorted(every) == sorted(f"{name}/{i}.png" for name in ("Äpfel", "梨") for i in range(10))
    few = task.few(4, seed=0).train
    for file, label in zip(few.files, few.labels, strict=True):
        assert file.startswith(f"{task.classes[label]}/")


def loose(root, lines, name="labels.csv") -> None:
    """The pictures of ``root`` in no class folders, and a table of them."""
    for i, path in enumerate(sorted(root.rglob("*.png"))):
        path.rename(root / f"p{i:02}.png")
    for folder in filter(os.path.isdir, [*root.iterdir()]):
        folder.rmdir()
    (root / name).write_text("\n".join(lines) + "\n", encoding="utf-8-sig")


KINDS = ["pear" if i < 10 else "apple" for i in range(20)]
TABLES = {
    "plain": ["filename,label", *(f"p{i:02}.png,{kind}" for i, kind in enumerate(KINDS))],
    "no ending": ["id;breed", *(f"p{i:02};{kind}" for i, kind in enumerate(KINDS))],
    "a column more": [
        "n\tlabel\timage",
        *(f"{i}\t{k}\t./p{i:02}.png" for i, k in enumerate(KINDS)),
    ],
}


@pytest.mark.parametrize("lines", TABLES.values(), ids=[*TABLES])
def test_a_table_of_labels(root, lines):
    loose(root, lines)
    task = tasks.folder(root, 64)
    assert task.classes == ("apple", "pear") and len(task.train) == 12
    for split in (task.train, task.val, task.test):
        for file, label in zip(split.files, split.labels, strict=True):
            assert task.classes[label] == KINDS[int(file[1:3])]
    assert tasks.folder(root, 64, classes=["pear", "apple"]).classes == ("pear", "apple")


PLAIN = "file,label\n" + "".join(f"p{i:02}.png,{kind}\n" for i, kind in enumerate(KINDS))


def divided(*parts: str) -> str:
    lines = PLAIN.splitlines()
    return "\n".join(
        ["file,label,set", *(f"{x},{parts[i % len(parts)]}" for i, x in enumerate(lines[1:]))]
    )


@pytest.mark.parametrize(
    ("text", "coding", "sizes"),
    [
        (PLAIN, "utf-16", (12, 4, 4)),
        (PLAIN.replace("apple", "\u00c4pfel"), "cp1252", (12, 4, 4)),
        (PLAIN.replace("\n", "\r"), "utf-8", (12, 4, 4)),
        ("\n" + PLAIN.replace("\n", ",,\n").replace(",", ", "), "utf-8", (12, 4, 4)),
        (PLAIN.replace(",pear", ';"pe\nar, ""x"""').replace(",", ";"), "utf-8", (12, 4, 4)),
        (PLAIN + PLAIN.replace("p0", "C:\\a\\p0").partition("\n")[2], "utf-8", (12, 4, 4)),
        (divided("train", "", "test", "valid"), "utf-8", (10, 5, 5)),
        (divided("train", "Eval", "test"), "utf-8", (7, 7, 6)),
    ],
)
def test_tables_as_people_save_them(root, text, coding, sizes):
    loose(root, [])
    (root / "labels.csv").write_bytes(text.encode(coding))
    (root / "._labels.csv").write_bytes(b"\0\5\26\7")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        task = tasks.folder(root, 64)
    assert (len(task.train), len(task.val), len(task.test)) == sizes
    assert "\ufffd" not in "".join(task.classes) and len(task.classes) == 2


@pytest.mark.parametrize("prefix", ["", "a/", "/elsewhere/a/", "D:\\a\\"])
def test_names_that_are_there_twice_need_their_folder(root, prefix):
    for name in ("a", "b"):
        (root / name).mkdir()
        for i in range(20):
            picture(500 + i + 50 * (name == "b")).save(root / name / f"x{i:02}.png")
    lines = [f"{prefix}x{i:02}.png,{kind}" for i, kind in enumerate(KINDS)]
    (root / "t.csv").write_text("\n".join(["file,label", *lines]))
    if not prefix:
        assert "names files of" in refused(root, labels=root / "t.csv")
        return
    task, _ = told(root, size=64, labels=root / "t.csv")
    assert {file[0] for file in (*task.train.files, *task.test.files)} == {"a"}


def test_a_table_about_something_else_and_several_tables(root):
    fill(root, 700, ["x", "y"])
    for i, path in enumerate([*(root / "梨").iterdir()]):
        path.rename(root / f"{i}.png")
    (root / "梨").rmdir()
    (root / "weather.csv").write_text("hour,degrees\n1,9\n")
    task, text = told(root)
    assert task.classes == ("x", "y", "Äpfel") and "Not used: weather.csv" in text
    shutil.rmtree(root / "x"), shutil.rmtree(root / "y")
    assert "names files of" in refused(root)
    (root / "labels.csv").write_text(PLAIN)
    assert "several tables: 'labels.csv', 'weather.csv'" in refused(root)


def test_a_table_with_splits_and_gaps(root):
    parts = ["Train", "test", "validation"]
    rows = [f"p{i:02}.png,{kind},{parts[i % 3]}" for i, kind in enumerate(KINDS[:19])]
    loose(root, ["file,label,split", *rows, "gone.png,apple,train"])
    with pytest.warns(tasks.SkippedFiles) as told:
        task = tasks.folder(root, 64)
    assert (len(task.train), len(task.val), len(task.test)) == (7, 6, 6)
    assert "1 × listed in labels.csv, not there: gone.png" in str(told[0].message)
    assert "1 × not listed in labels.csv: p19.png" in str(told[0].message)


@pytest.mark.parametrize(
    ("lines", "cause"),
    [
        (["file,label", "x.png,a", "y.png,b"], "names files of"),
        (["file,kind,sort", *(f"p{i:02}.png,a,b" for i in range(20))], "which of its columns"),
        (["file,label", *(f"p{i:02}.png,pear" for i in range(20))], "only one class"),
        (["file,label", "p00.png,a", "p00.png,b", "p01.png,b"], "both 'a' and 'b'"),
        (["file,label,split", *(f"p{i:02}.png,{k},7" for i, k in enumerate(KINDS))], "says '7'"),
        (["file,label,set", *(f"p{i:02}.png,{k},val" for i, k in enumerate(KINDS))], "none for"),
        (["file"], "no lines"),
        (["p00.png", "p01.png"], "one column"),
        (TABLES["plain"][1:], "first line lists 'p00.png'"),
        ([*TABLES["plain"], 'p01.png,"pear'], "read as CSV near its line 2"),
        ([*TABLES["plain"], f"p01.png,{'x' * 200_000}"], "larger than field limit"),
        ([*TABLES["plain"], "\0"], "it is not a text"),
        (["file,label,label", "p00.png,a,b"], "two of its columns"),
        (["file,label,split", "p00.png,a,train", "p00.png,a,test", "p01.png,b,"], "both 'train'"),
    ],
)
def test_tables_that_cannot_be(root, lines, cause):
    loose(root, lines)
    with pytest.raises(store.BadInput, match=cause):
        tasks.folder(root, 64)


def test_a_table_without_the_classes_that_are_wanted(root):
    loose(root, TABLES["plain"])
    assert "no picture of 'x', 'y'" in refused(root, classes=["x", "y"])
    assert "Nothing in labels.csv: 'fig'" in told(root, classes=["pear", "fig"])[1]


@pytest.mark.parametrize(
    ("groups", "fault"),
    [
        (lambda file: None, "it gives None"),
        (lambda file: [file], "unhashable"),
        (lambda file: file[999], "IndexError"),
        (5, "not callable"),
    ],
)
def test_groups_that_cannot_be(root, groups, fault):
    text = refused(root, groups=groups)
    assert fault in text and "it fails for 'Äpfel/0.png'" in text


def test_what_belongs_together_stays_together(root):
    for name, offset in (("Äpfel", 0), ("梨", 10)):
        for i in range(10, 20):
            picture(1000 + 20 * offset + i).save(root / name / f"{i}.png")
    group = lambda file: int(file.rpartition("/")[2][:-4]) // 2  # noqa: E731
    task = tasks.folder(root, 64, groups=group)
    found = [{group(file) for file in split.files} for split in (task.train, task.val, task.test)]
    assert sum(map(len, found)) == len({*found[0], *found[1], *found[2]})
    assert all(len({*split.labels.tolist()}) == 2 for split in (task.train, task.val, task.test))
    assert sum(map(len, (task.train, task.val, task.test))) == 40
    assert "too few groups" in refused(root, groups=lambda file: file.partition("/")[0])
    assert "too few groups" in refused(root, groups=lambda file: 1)


def test_groups_of_a_folder_that_is_divided_already(tmp_path):
    for start, part in enumerate(("train", "test")):
        fill(tmp_path / part, 100 * start, ("Äpfel", "梨"))
    task = tasks.folder(tmp_path, 64, groups=lambda file: file)
    assert len(task.train) + len(task.val) == 20 == len(task.test)
    said = refused(tmp_path, groups=lambda file: file.rpartition("/")[2])
    assert "10 of them are in two" in said


def test_what_took_long_is_read_once(root, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(root.parent / "cache"))
    monkeypatch.setattr(tasks.reading, "WORTH", -1)
    first = tasks.folder(root, 48)
    decoded = []
    real = tasks.reading.read_picture
    monkeypatch.setattr(tasks.reading, "read_picture", lambda *a: decoded.append(a) or real(*a))
    again = tasks.folder(root, 48)
    assert not decoded and torch.equal(first.train.inputs, again.train.inputs)
    assert first.train.files == again.train.files
    picture(77).save(root / "梨" / "3.png")  # one is changed, one is gone
    (root / "梨" / "4.png").unlink()
    assert len(tasks.folder(root, 48).train) + 8 == 19 and len(decoded) == 1
    kept = [*(store.cache_dir() / "kept").glob("pictures-*.npz")]
    for path in kept:
        path.write_bytes(path.read_bytes()[:99])
    tasks.folder(root, 48)
    assert len(decoded) == 20


@pytest.fixture
def kept(root, monkeypatch):
    """The cache of a reading that was slow enough to be kept."""
    monkeypatch.setenv("TL_COURSE_CACHE", str(root.parent / f"cache {root.name}"))
    monkeypatch.setattr(tasks.reading, "WORTH", -1)
    tasks.folder(root, 48)
    [path] = (store.cache_dir() / "kept").glob("*.npz")
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda arrays: {"marks": arrays["marks"]},
        lambda arrays: arrays | {"pictures": arrays["pictures"][:3]},
        lambda arrays: arrays | {"pictures": arrays["pictures"][:, :, :5]},
        lambda arrays: arrays | {"pictures": arrays["pictures"].astype("f4")},
        lambda arrays: arrays | {"digests": np.zeros((20, 3), "u1")},
        lambda arrays: dict.fromkeys(arrays, np.array(1)),
    ],
)
def test_what_another_version_kept_is_read_again(root, kept, change):
    first = tasks.folder(root, 48)
    np.savez(kept, **change(dict(np.load(kept))))
    assert torch.equal(tasks.folder(root, 48).train.inputs, first.train.inputs)


def test_a_reading_that_is_stopped_goes_on(root, kept, monkeypatch):
    for path in root.rglob("*.png"):
        os.utime(path, (1, 1))
    real, decoded = tasks.reading.read_picture, []

    def stopping(*given):
        decoded.append(given)
        if len(decoded) == 8:
            raise KeyboardInterrupt
        return real(*given)

    monkeypatch.setattr(tasks.reading, "read_picture", stopping)
    with pytest.raises(KeyboardInterrupt):
        tasks.folder(root, 48)
    tasks.folder(root, 48)
    assert len(decoded) == 8 + 13 and [*kept.parent.iterdir()] == [kept]


def test_what_is_not_wanted_is_left_out(root):
    with pytest.warns(tasks.SkippedFiles, match="2 × not wanted"):
        task = tasks.folder(root, 64, without={"梨/3.png", "Äpfel/0.png"})
    files = [*task.train.files, *task.val.files, *task.test.files]
    assert len(files) == 18 and "梨/3.png" not in files
    assert "no such pictures" in refused(root, without=["梨/33.png"])
    for wrong in (5, None, "梨/3.png", [5], [["梨/3.png"]], iter(["梨/3.png"])):
        assert "list of names" in refused(root, without=wrong)
