import io
import types
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from PIL import Image

from tl_course import models, store, tasks, train
from tl_course.tasks import (
    Split,
    concepts,
    docstrings,
    generated,
    leaves,
    materials,
    noise,
    number_words,
    pacs,
    satellite,
    sounds,
    tiny_imagenet,
)
from tl_course.tasks.task import divide, stratified
from tl_course.tasks.text import codes

PICTURE, TEXT = (3, 64, 64), (160,)
# classes, shape of an input, examples in train, val and test where every machine has as many
TASKS = {
    "leaves": (5, PICTURE, (1500, 500, 1000)),
    "leaves_128": (5, (3, 128, 128), (500, 200, 500)),
    "materials": (9, PICTURE, (800, 200, 800)),
    "noise": (8, PICTURE, (2000, 200, 400)),
    "concepts_edges": (4, PICTURE, (800, 200, 600)),
    "concepts_corners": (3, PICTURE, (800, 200, 600)),
    "concepts_parts": (3, PICTURE, (800, 200, 600)),
    "concepts_objects": (4, PICTURE, (800, 200, 600)),
    "digits": (10, PICTURE, (898, 270, 629)),
    "sounds": (5, (8000,), sounds.SIZES),
    "docstrings": (6, TEXT, None),
    "text_letters": (6, TEXT, None),
    "text_pictures": (6, PICTURE, None),
    "numbers_italian": (10, (39,), number_words.SIZES),
    "numbers_spanish_reversed": (10, (43,), number_words.SIZES),
    "satellite": (7, PICTURE, None),
    "pneumonia": (2, PICTURE, None),
    "hymenoptera": (2, PICTURE, None),
    "spoken_digits": (10, PICTURE, (2100, 300, 600)),
    **{f"pacs_{style}": (7, PICTURE, None) for style in pacs.FOLDERS},
}


def splits(task: tasks.Task) -> tuple[Split, Split, Split]:
    return task.train, task.val, task.test


def distinct(*found: Split) -> int:
    return len({row.numpy().tobytes() for split in found for row in split.inputs})


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_whole(name):
    if not tasks.available(name):
        pytest.skip(f"the published file of {name} is not here")
    classes, shape, sizes = TASKS[name]
    task = tasks.load(name)
    assert (task.name, len(task.classes)) == (name, classes) and tasks.load(name) is task
    assert task.title and task.licence and task.source and task.overlap
    assert sizes in (None, tuple(map(len, splits(task)))) and len(task.test) >= 150
    dtype = torch.float32 if name == "sounds" else torch.int32 if len(shape) == 1 else torch.uint8
    for split in splits(task):
        assert split.inputs.dtype == dtype and split.inputs.shape[1:] == shape
        assert split.classes == task.classes
        assert split.labels.dtype == torch.int64
        assert split.labels.shape[1:] == ((4,) if name.startswith("numbers") else ())
        assert set(split.labels.flatten().tolist()) == set(range(classes))
        if "drawn by" in task.licence or "made by" in task.licence:
            assert np.ptp(split.labels.bincount().numpy()) <= 1
    # no test asks what was in training; long sentences may begin with the same page
    if name == "spoken_digits" or name not in {*tasks.PUBLISHED, "text_pictures"}:
        assert distinct(*splits(task)) == sum(map(distinct, splits(task)))


def test_names_and_unknown_name():
    spelled = {f"numbers_{language}" for language in number_words.NAMES}
    many = {"leaves_many", "materials_many"}
    assert {*TASKS, "tiny_imagenet"} | spelled | many == {*tasks.names()}
    assert tasks.load("leaves").classes == ("healthy", "rust", "blight", "mildew", "mosaic")
    for ask in (tasks.load, tasks.available):
        with pytest.raises(store.UnknownName, match="did you mean 'leaves'"):
            ask("leafs")
        for wrong in (5, None, [], b"leaves", ""):
            with pytest.raises(store.UnknownName):
                ask(wrong)


def test_few_is_stratified_and_leaves_the_test_alone(toy):
    few = toy.few(30, seed=1)
    assert np.bincount(few.train.labels).tolist() == [10, 10, 10]
    assert len(few.val) == 50 and len(toy.few(80, seed=1).val) == 60 and few.test is toy.test
    assert torch.equal(few.train.inputs, toy.few(30, seed=1).train.inputs)
    assert not torch.equal(few.train.inputs, toy.few(30, seed=2).train.inputs)
    for n in range(3, 91):
        few = toy.few(n, seed=n)
        assert len(few.train) == distinct(few.train) == n and len(few.train.labels.unique()) == 3


@pytest.mark.parametrize("n", [2, 91, 0, -5, 10.0, "10", True, None])
def test_few_refuses(toy, n):
    with pytest.raises(store.BadInput):
        toy.few(n, seed=0)


@pytest.mark.parametrize("seed", [None, -1, 1.5, "0"])
def test_few_refuses_seed(toy, seed):
    with pytest.raises(store.BadInput, match="seed"):
        toy.few(30, seed=seed)


def test_few_draws_inputs_by_chance_where_each_has_several_answers():
    task = tasks.load("numbers_italian")
    few = task.few(30, seed=1)
    assert few.train.labels.shape == (30, 4) and len(few.val) == 50 and few.test is task.test
    assert distinct(few.train) == 30 and distinct(few.train, task.train) == 7000
    assert torch.equal(few.train.inputs, task.few(30, seed=1).train.inputs)
    assert not torch.equal(few.train.inputs, task.few(30, seed=2).train.inputs)
    assert len(task.few(1, seed=0).train) == 1 and len(task.few(7000, seed=0).val) == 1000
    with pytest.raises(store.BadInput, match="Choose n from 1 to 7000"):
        task.few(7001, seed=0)


@pytest.mark.parametrize("shape", [(), (5, 1), (5, 0), (5, 4, 1)])
def test_a_split_wants_one_or_several_answers_an_input(shape):
    with pytest.raises(store.BadInput, match=r"\(N,\), or \(N, K\)"):
        Split(torch.zeros(5, 9, dtype=torch.int32), torch.zeros(shape, dtype=torch.int64))


def test_splits_keep_the_names_of_their_labels(toy):
    few, mixed = toy.few(30, seed=0), toy.mixed(toy.test)
    whole = Split(toy.train.inputs, toy.train.labels, list(toy.classes))
    for split in (*splits(few), *splits(mixed), *divide(whole, (0.2, 0.3)), whole.take([5])):
        assert split.classes == toy.classes
    named = replace(toy, classes=("x", "y", "z"))  # other names for the same
    assert named.train.classes == named.test.classes == ("x", "y", "z")
    assert Split(toy.train.inputs, toy.train.labels).classes == ()
    with pytest.raises(store.BadInput, match="names of classes are a list"):
        Split(toy.train.inputs, toy.train.labels, 3)


def test_splits_with_other_names_do_not_go_together(toy):
    other = replace(toy.test, classes=("down", "across", "none"))
    with pytest.raises(store.BadInput, match="its splits number their classes differently"):
        replace(toy, test=other)
    with pytest.raises(store.BadInput, match="or other classes"):
        toy.mixed(other)


@pytest.mark.parametrize("places", [[], (), np.array([]), torch.zeros(0)])
def test_nothing_can_be_taken(toy, places):
    assert len(toy.train.take(places)) == 0


def test_places_are_numbers_or_a_mask(toy):
    expected = toy.train.inputs[[1, 0, 89]]
    mask = np.arange(90) < 2
    for places in (
        [1, 0, -1],
        np.uint8([1, 0, 89]),
        torch.tensor([1, 0, 89]),
        np.uint64([1, 0, 89]),
    ):
        assert torch.equal(toy.train.take(places).inputs, expected)
    for places in (mask, torch.from_numpy(mask), mask.tolist()):
        assert torch.equal(toy.train.take(places).inputs, toy.train.inputs[:2])


@pytest.mark.parametrize(
    "places",
    [[0.0], [90], [-91], [True], 3, None, "ab", slice(3), {1}, [[0], [1]], [[0], [1, 2]], [2**70],
     iter([1]), [None], np.ones((90, 1), bool)],
)  # fmt: skip
def test_places_that_cannot_be_taken(toy, places):
    with pytest.raises(store.BadInput, match="whole numbers from -90 to 89"):
        toy.train.take(places)


@pytest.mark.parametrize("languages", [("italian", "spanish"), ("spanish", "italian")])
def test_mixing_old_texts_in_pads_the_shorter_ones(languages):
    new, old = (tasks.load(f"numbers_{language}").few(20, seed=0) for language in languages)
    mixed = new.mixed(old.train)
    assert len(mixed.train) == 40
    assert mixed.val is new.val and mixed.test is new.test and mixed.name == new.name
    assert torch.equal(mixed.train.labels, torch.cat([new.train.labels, old.train.labels]))
    for half, split in zip(mixed.train.inputs.split(20), (new.train, old.train), strict=True):
        assert half.dtype == torch.int32
        assert torch.equal(half[:, : split.inputs.shape[1]], split.inputs)
        assert (half[:, split.inputs.shape[1] :] == 0).all()


def test_mixing_old_pictures_in(toy):
    mixed = toy.mixed(toy.test)
    assert len(mixed.train) == 180 and mixed.test is toy.test
    assert torch.equal(mixed.train.inputs[90:], toy.test.inputs)


@pytest.mark.parametrize(
    "old",
    [
        Split(torch.zeros(2, 9, dtype=torch.int32), torch.zeros(2, 4, dtype=torch.int64)),
        Split(torch.zeros(2, 3, 64, 64), torch.zeros(2, dtype=torch.int64)),
        Split(torch.zeros(2, 3, 32, 32, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)),
        Split(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), torch.zeros(2, 4, dtype=torch.int64)),
    ],
)
def test_mixing_refuses_another_kind(toy, old):
    with pytest.raises(store.BadInput, match="Pass a split of the same kind"):
        toy.mixed(old)


def test_mixing_wants_a_split_not_a_task(toy):
    for wrong in (toy, None, toy.train.inputs, "digits", [toy.train]):
        with pytest.raises(store.BadInput, match=r"to mix in.*Pass old_task\.train"):
            toy.mixed(wrong)


def test_stratified_keeps_shares_and_at_least_one():
    labels = np.repeat([0, 1, 2], [900, 90, 10])
    for n in (3, 10, 100, 999, 1000):
        chosen = stratified(labels, n, np.random.default_rng(0))
        counts = np.bincount(labels[chosen], minlength=3)
        assert counts.sum() == n == len(set(chosen.tolist()))
        assert (counts >= 1).all()
        assert abs(counts[0] - 0.9 * n) <= 2


def test_divide_shares_out_everything_once(toy):
    parts = divide(toy.train, shares=(0.2, 0.3))
    assert [len(part) for part in parts] == [45, 18, 27] and distinct(*parts) == 90


@pytest.mark.parametrize("kind", ["leaves", "materials", "noise", *tasks.CONCEPTS])
def test_a_drawn_picture_depends_on_seed_and_place_alone(kind):
    drawn = {"leaves": leaves, "materials": materials, "noise": noise}
    draw = drawn[kind].pictures if kind in drawn else partial(concepts.pictures, kind)
    labels = np.arange(6) % 3
    whole = draw(labels, 5)
    assert whole.shape == (6, 3, 64, 64) and whole.dtype == np.uint8
    assert np.array_equal(draw(labels, 5), whole)
    assert np.array_equal(draw(labels[4:], 5, first=4), whole[4:])
    assert not np.array_equal(draw(labels, 6), whole)
    assert draw(labels[:0], 5).shape == (0, 3, 64, 64)


def test_generated_pictures_come_from_the_cache_and_survive_its_damage(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    recipe = materials.pictures, "recipe", "materials", np.arange(6), 1, 64
    first = generated._cached(*recipe)
    (path,) = (tmp_path / "generated").iterdir()
    stamp = path.stat().st_mtime_ns
    assert np.array_equal(generated._cached(*recipe), first)
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"half a file")
    assert np.array_equal(generated._cached(*recipe), first)
    assert np.array_equal(np.load(path), first)
    np.save(path, np.zeros((6, 3, 96, 96), np.uint8))  # of another side
    assert np.array_equal(generated._cached(*recipe), first)
    monkeypatch.setenv("TL_COURSE_CACHE", str(path))  # no folder can be made there
    assert np.array_equal(generated._cached(*recipe), first)


def test_many_pictures_are_drawn_side_by_side_and_are_the_same(monkeypatch):
    monkeypatch.setattr(generated.os, "cpu_count", lambda: 3)
    labels = np.arange(401) % len(materials.CLASSES)
    drawn = generated._drawn(materials.pictures, labels, 1)
    assert np.array_equal(drawn, materials.pictures(labels, 1))


def test_generated_pictures_of_another_side_are_drawn_and_kept_apart(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    for side, name in ((96, "materials_96"), (64, "materials")):
        task = generated.make(materials.__name__, "Some", (4, 2, 2), "none", side=side)
        assert task.name == name and task.train.inputs.shape == (4, 3, side, side)
    stored = {path.name.split("-")[0] for path in (tmp_path / "generated").iterdir()}
    assert stored == {"materials_96", "materials"}


def test_larger_leaves_are_the_leaf_clinic_at_another_size():
    large, small = tasks.load("leaves_128"), tasks.load("leaves")
    assert large.classes == small.classes and large.title != small.title
    for split, twin in ((large.train, small.train), (large.test, small.test)):
        assert torch.equal(split.labels[:50], twin.labels[:50])
        halved = torch.nn.functional.avg_pool2d(split.inputs[:50].float(), 2)
        colours = [p.float().mean((2, 3)).flatten() for p in (halved, twin.inputs[:50])]
        assert torch.corrcoef(torch.stack(colours))[0, 1] > 0.9  # leaf by leaf the same
    assert distinct(*splits(large)) == 1200


@pytest.mark.parametrize(
    ("name", "load"),
    [("leaves", lambda n: leaves.load(sizes=(n, 500, 1000))), ("materials", materials.load)],
)
def test_many_labels_begin_with_the_few_and_share_their_test(monkeypatch, name, load):
    asked = []
    monkeypatch.setattr(generated, "make", lambda *given, **named: asked.append((given, named)))
    tasks._load.__wrapped__(f"{name}_many")
    load(tasks.MANY)
    monkeypatch.undo()
    assert tasks.available(f"{name}_many") and asked[0] == asked[1] and tasks.MANY == 10_000
    stored = generated._cached

    def fresh(draw, recipe, name, labels, seed, side):
        if len(labels) == 30:
            return draw(labels, seed)
        return stored(draw, recipe, name, labels, seed, side)

    few = tasks.load(name)
    monkeypatch.setattr(generated, "_cached", fresh)
    many = load(30)  # drawn again with another count
    assert torch.equal(many.train.inputs, few.train.inputs[:30])
    assert torch.equal(many.train.labels, few.train.labels[:30])
    for more, fewer in zip(splits(many)[1:], splits(few)[1:], strict=True):
        assert torch.equal(more.inputs, fewer.inputs) and torch.equal(more.labels, fewer.labels)
    assert many.classes == few.classes


def test_published_tasks_without_their_files(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    assert not tasks.available("satellite")
    with pytest.raises(store.NotAvailable, match="RSSCN7"):
        tasks._load.__wrapped__("satellite")
    with pytest.raises(store.NotAvailable, match="tiny-imagenet-200.zip"):
        tiny_imagenet.photographs(5)


@pytest.fixture
def tiny(real_data):
    if not tasks.available("tiny_imagenet"):
        pytest.skip("tiny-imagenet-200.zip is not there")


def test_photographs_are_spread_over_the_test(tiny):
    every = tiny_imagenet.photographs(200)
    assert every.inputs.shape == (200, 3, 64, 64) and every.inputs.dtype == torch.uint8
    assert every.labels.dtype == torch.int64 and len(every.labels.unique()) > 80
    assert every.labels.min() >= 0 and every.labels.max() < 200
    few = tiny_imagenet.photographs(50)
    assert torch.equal(few.inputs, every.inputs[::4]) and torch.equal(few.labels, every.labels[::4])
    assert len(tiny_imagenet.photographs(1)) == 1


@pytest.mark.parametrize("n", [0, -1, 10_001, 2.0, "5", True, None])
def test_photographs_wants_a_number_that_there_is(tiny, monkeypatch, n):
    test = [("a.JPEG", 0)] * 10_000
    monkeypatch.setattr(tiny_imagenet, "_listing", lambda archive: ([], ([], [], test)))
    with pytest.raises(store.BadInput, match="from 1 to 10000"):
        tiny_imagenet.photographs(n)


def test_resnet10_names_half_of_the_photographs(tiny):
    scores = train.evaluate(models.load("resnet10"), tiny_imagenet.photographs(400))
    assert 0.4 < scores.accuracy < 0.6


TINY = {
    **{f"train/n1/images/n1_{number}.JPEG": (64, 64) for number in range(12)},
    **{"val/images/val_0.JPEG": (64, 64), "words.txt": "n1\tant"},
    "val/val_annotations.txt": "val_0.JPEG\tn1\t0",
}
PNEUMONIA = {"images": np.zeros((2, 28, 28), np.uint8), "labels": np.array([[0], [1]])}
WRONG = {
    "pacs": [({"PACS/photo/dog/a.txt": ""}, "one folder 'photo' with the folders dog")],
    "hymenoptera": [
        ({"readme.txt": ""}, "one folder 'train' with the folders ants, bees"),
        ({f"train/{name}/0.png": (9, 9) for name in ("cats", "dogs")}, "'train' with the folders"),
    ],
    "tiny_imagenet": [
        ({"readme.txt": ""}, "no train or no val pictures"),
        *(
            ({f"tiny-imagenet-200/{name}": what for name, what in (TINY | change).items()}, cause)
            for change, cause in (
                ({"words.txt": None}, "is not Tiny ImageNet .*no item named"),
                ({"words.txt": "n2\tbee"}, "is not Tiny ImageNet"),
                ({"val/val_annotations.txt": "val_0.JPEG\tn9"}, "is not Tiny ImageNet"),
                ({"val/val_annotations.txt": "\xff"}, "is not Tiny ImageNet"),
                ({"train/n1/images/n1_x.JPEG": ""}, "is not Tiny ImageNet"),
                ({"val/images/val_0.JPEG": (32, 32)}, "is not Tiny ImageNet"),
                ({"val/images/val_0.JPEG": "%!PS-Adobe-3.0 EPSF-3.0"}, "is not Tiny ImageNet"),
            )
        ),
    ],
    "pneumonia": [
        ({"pictures": np.zeros(3)}, "not PneumoniaMNIST"),
        ({"labels": np.array([[0], [7]])}, "labels from 0 to 7, not 2 classes"),
        ({"labels": np.array([0, 1])}, "not PneumoniaMNIST"),
        ({"images": np.zeros((2, 28, 28, 3), np.uint8)}, "not PneumoniaMNIST"),
        ({"images": np.zeros((2, 28, 28))}, "its pictures are float64"),
    ],
}


@pytest.mark.parametrize(
    ("name", "content", "cause"), [(name, *case) for name in WRONG for case in WRONG[name]]
)
def test_published_files_with_another_content(tmp_path, monkeypatch, name, content, cause):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    path = tmp_path / store.published()[name].file
    if name == "pneumonia":
        parts = PNEUMONIA if "pictures" not in content else {}
        arrays = {
            f"{p}_{k}": v for p in ("train", "val", "test") for k, v in (parts | content).items()
        }
        np.savez(path, **arrays)
    else:
        with zipfile.ZipFile(path, "w") as file:
            for member, what in content.items():
                if isinstance(what, tuple):
                    buffer = io.BytesIO()
                    Image.new("RGB", what).save(buffer, "JPEG")
                    what = buffer.getvalue()
                if what is not None:
                    file.writestr(member, what.encode("latin-1") if isinstance(what, str) else what)
    with pytest.raises(store.CorruptFile, match=cause):
        tasks._load.__wrapped__("pacs_photo" if name == "pacs" else name)


@pytest.mark.parametrize("size", [0, 15, -1, "64", 64.5, None, [], True, 10**7])
def test_examples_of_no_size(size):
    with pytest.raises(store.BadInput, match="from 16 to 4096"):
        tasks.examples(size)


@pytest.fixture
def archive(tmp_path, monkeypatch):
    """What an archive holds once unpacked; fills class folders with small pictures of one shade."""
    monkeypatch.setattr(store, "unpack", lambda name: tmp_path)

    def fill(place: str, classes, shade: int, count: int = 20):
        for index, name in enumerate(classes):
            (tmp_path / place / name).mkdir(parents=True)
            for number in range(count):
                colour = (30 * index, 12 * number, shade)
                Image.new("RGB", (8, 8), colour).save(tmp_path / place / name / f"{number}.png")
        return tmp_path / place

    return fill


def test_satellite_scenes_zipped_again_on_a_mac(archive):
    archive("__MACOSX/RSSCN7", satellite.CLASSES, 0, 0)
    scenes = archive("RSSCN7", satellite.CLASSES, 99, 6)
    assert sum(map(len, splits(satellite.load()))) == 42
    for path in (scenes / "aGrass").iterdir():
        path.write_bytes(b"")
    with pytest.raises(store.BadInput, match="'aGrass'"):
        satellite.load()


@pytest.mark.parametrize("style", pacs.FOLDERS)
def test_each_style_of_pacs_has_its_own_pictures(archive, style):
    for shade, folder in enumerate(pacs.FOLDERS.values()):
        archive(f"kfold/{folder}", pacs.CLASSES, 60 * shade)
    archive(f"__MACOSX/{pacs.FOLDERS[style]}", pacs.CLASSES, 255, 1)
    task = pacs.load(style)
    assert task.name == f"pacs_{style}" and task.classes == pacs.CLASSES
    assert "_" not in task.title and task.overlap == pacs.OVERLAP[style]
    assert [len(s) for s in splits(task)] == [70, 14, 56]
    for split in splits(task):
        assert split.inputs.shape[1:] == (3, 64, 64) and split.inputs.dtype == torch.uint8
        assert split.labels.bincount().tolist() == [len(split) // 7] * 7
        assert (split.inputs[:, 0, 0, 0] == 30 * split.labels).all()
        assert (split.inputs[:, 2] == 60 * [*pacs.FOLDERS].index(style)).all()


def test_pacs_that_is_there_twice_or_lacks_a_class(archive):
    archive("copy/photo", pacs.CLASSES, 9, 1)
    archive("photo", pacs.CLASSES, 0, 1)
    with pytest.raises(store.CorruptFile, match="one folder 'photo'"):
        pacs.load("photo")
    archive("sketch", ("wolf", *pacs.CLASSES[1:]), 0, 1)
    with pytest.raises(store.CorruptFile, match="one folder 'sketch'"):
        pacs.load("sketch")
    for path in (archive("cartoon", pacs.CLASSES, 0) / "horse").iterdir():
        path.write_bytes(b"")
    with pytest.raises(store.BadInput, match="class 'horse'"):
        pacs.load("cartoon")


def test_real_sketches_have_no_colour(real_data):
    pictures = [tasks.load(f"pacs_{style}").train.inputs for style in ("photo", "sketch")]
    photo, sketch = (float((p.amax(1).float() - p.amin(1)).mean()) for p in pictures)
    assert len(pictures[0]) >= 200 and photo > 20 and sketch < 2


def test_texts_become_code_points_with_zeros_behind():
    found = codes(["dos", "", "año 🍂"])
    assert found.dtype == torch.int32 and found.shape == (3, 5)
    assert found[0].tolist() == [100, 111, 115, 0, 0] and not found[1].any()
    assert "".join(map(chr, found[2].tolist())) == "año 🍂"
    assert codes(["dos", "quince"], 4).tolist() == [[100, 111, 115, 0], [*map(ord, "quin")]]
    assert codes(["dos"], 9).shape == (1, 9)
    assert codes([]).shape == (0, 1) and codes([""]).tolist() == [[0]]


def test_sentences_are_first_paragraphs_that_say_something(monkeypatch):
    def told(doc):
        part = lambda: None  # noqa: E731
        part.__doc__ = doc
        return part

    library = types.ModuleType("library")
    library.good = told("Fit a line\n  to points.\n\nMore about it.")
    library.again = told("Fit a line to points.")
    library.short = told("Fit lines now")
    library.signature = told("fit(x, y) fits a line to points")
    library.silent = told(None)
    library.number = 5
    library._hidden = told("Nobody sees this at all.")
    monkeypatch.setattr(docstrings, "import_module", {"library": library}.__getitem__)
    assert docstrings.sentences("library") == ["Fit a line to points."]
    library.__all__ = ["_hidden", "missing"]
    assert docstrings.sentences("library") == ["Nobody sees this at all."]


@pytest.mark.parametrize("name", docstrings.MOST)
def test_topics_are_about_equally_frequent(monkeypatch, name):
    task = tasks.load(name)
    counts = sum(split.labels.bincount() for split in splits(task))
    assert task.classes == (*docstrings.MODULES,) and counts.max() <= docstrings.MOST[name]
    for split, share in zip(splits(task), (0.5, 0.15, 0.35), strict=True):
        assert len(split) == pytest.approx(share * int(counts.sum()), abs=2)
        assert (split.labels.bincount() >= 0.8 * share * counts).all()
    assert task.train.labels.bincount().min() >= 20 and len(task.few(60, seed=0).train) == 60
    assert distinct(*splits(task)) == counts.sum()
    text = "".join(map(chr, task.train.inputs[0].tolist())).rstrip("\0")
    assert len(text.split()) > 3 and "\0" not in text
    monkeypatch.setattr(docstrings, "sentences", lambda m: [f"{m} says {i}" for i in range(300)])
    counts = sum(split.labels.bincount() for split in splits(docstrings.load(name)))
    assert counts.tolist() == [docstrings.MOST[name]] * 6


def test_sounds_depend_on_labels_and_seed_alone():
    labels = np.arange(5)
    found = sounds.sounds(labels, 7)
    assert found.dtype == np.float32 and found.shape == (5, 8000) and np.abs(found).max() <= 1
    assert np.array_equal(found, sounds.sounds(labels, 7))
    assert np.array_equal(found, sounds.sounds(torch.from_numpy(labels), 7))
    assert not np.array_equal(found, sounds.sounds(labels, 8))
    with pytest.raises(IndexError):
        sounds.sounds([5], 0)


def test_each_sound_is_what_its_name_says():
    task = tasks.load("sounds")
    assert distinct(*splits(task)) == sum(sounds.SIZES) and task.few(50, 1).train.inputs.ndim == 2
    sound, labels = (torch.cat([getattr(s, part) for s in splits(task)]) for part in
                     ("inputs", "labels"))  # fmt: skip
    window = torch.hann_window(1024)
    spectra = torch.stft(sound, 1024, window=window, return_complex=True).abs()
    pitch = spectra.argmax(1).float()[:, 3:-3]
    moved = pitch.amax(1) - pitch.amin(1)  # in steps of 15.6 Hz
    by_name = {name: labels == label for label, name in enumerate(task.classes)}
    assert moved[by_name["steady"]].median() <= 1 < moved[by_name["warbling"]].median()
    change = pitch[:, -1] - pitch[:, 0]
    assert change[by_name["warbling"]].abs().median() < change[by_name["rising"]].median()
    assert change[by_name["rising"]].sign().mean() > 0.8
    assert change[by_name["falling"]].sign().mean() < -0.8
    purity = spectra.amax(1).sum(1) / spectra.sum((1, 2))
    assert purity[by_name["noise"]].median() < 0.5 * purity[by_name["steady"]].median()
    loudness = sound.square().mean(1).sqrt()
    means = [float(loudness[labels == label].mean()) for label in range(4)]
    assert max(means) < 1.25 * min(means)  # tones are about equally loud
