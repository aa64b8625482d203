import numpy as np
import pytest
import torch

from tl_course import store, tasks
from tl_course.tasks import Split, docstrings, generated, number_words, pacs, sounds
from tl_course.tasks.task import divide, stratified
from tl_course.tasks.text import codes

DRAWN = ("leaves", "materials", "digits", *(f"concepts_{k}" for k in tasks.CONCEPTS))
OTHERS = ("docstrings", "sounds", "leaves_128", "noise", "text_letters", "text_pictures")


@pytest.mark.parametrize("name", DRAWN)
def test_embedded_task(name):
    task = tasks.load(name)
    for split in (task.train, task.val, task.test):
        assert split.inputs.dtype == torch.uint8
        assert split.inputs.shape[1:] == (3, 64, 64)
        assert split.labels.dtype == torch.int64
        assert len(split.inputs) == len(split.labels)
        assert set(split.labels.tolist()) == set(range(len(task.classes)))
    for text in (task.title, task.licence, task.source, task.overlap):
        assert text
    assert len(task.test) >= 600
    assert tasks.available(name)


@pytest.mark.parametrize("name", DRAWN)
def test_splits_share_no_picture(name):
    task = tasks.load(name)
    splits = [{p.numpy().tobytes() for p in s.inputs} for s in (task.train, task.val, task.test)]
    assert not splits[0] & splits[1] and not splits[0] & splits[2] and not splits[1] & splits[2]


def test_leaves_are_large_enough_for_the_claims():
    task = tasks.load("leaves")
    assert len(task.train) >= 1000 and len(task.test) >= 700
    assert task.classes == ("healthy", "rust", "blight", "mildew", "mosaic")


def test_names_and_unknown_name():
    spelled = {f"numbers_{language}" for language in number_words.NAMES}
    many = {"leaves_many", "materials_many"}
    assert {*DRAWN, *OTHERS, *tasks.PUBLISHED} | spelled | many == {*tasks.names()}
    with pytest.raises(store.UnknownName, match="did you mean 'leaves'"):
        tasks.load("leafs")


@pytest.mark.parametrize("name", ["numbers_italian", "numbers_spanish_reversed"])
def test_numbers_in_words_are_a_task(name):
    task = tasks.load(name)
    assert tasks.available(name) and tasks.load(name) is task
    assert task.name == name and task.classes == (*"0123456789",)
    for split in (task.train, task.val, task.test):
        assert split.inputs.dtype == torch.int32 and split.inputs.ndim == 2
        assert split.labels.dtype == torch.int64 and split.labels.shape == (len(split), 4)
    for text in (task.title, task.licence, task.source, task.overlap):
        assert text


def test_few_is_stratified_and_leaves_the_test_alone(toy):
    few = toy.few(30, seed=1)
    assert np.bincount(few.train.labels).tolist() == [10, 10, 10]
    assert len(few.val) == 50
    assert few.test is toy.test
    assert len(toy.few(80, seed=1).val) == 60
    again = toy.few(30, seed=1)
    assert torch.equal(few.train.inputs, again.train.inputs)
    assert not torch.equal(few.train.inputs, toy.few(30, seed=2).train.inputs)


def test_few_takes_every_label_count_it_promises(toy):
    for n in range(3, 91):
        few = toy.few(n, seed=n)
        assert len(few.train) == n
        assert len(few.train.labels.unique()) == 3
        assert len({p.numpy().tobytes() for p in few.train.inputs}) == n


@pytest.mark.parametrize("n", [2, 91, 0, -5, 10.0, "10", True, None])
def test_few_refuses(toy, n):
    with pytest.raises(store.BadInput, match=r"Choose n|Pass a count"):
        toy.few(n, seed=0)


@pytest.mark.parametrize("seed", [None, -1, 1.5, "0"])
def test_few_refuses_seed(toy, seed):
    with pytest.raises(store.BadInput, match="whole number from 0"):
        toy.few(30, seed=seed)


def test_few_draws_inputs_by_chance_where_each_has_several_answers():
    task = tasks.load("numbers_italian")
    few = task.few(30, seed=1)
    assert few.train.labels.shape == (30, 4) and len(few.val) == 50 and few.test is task.test
    assert len({row.tobytes() for row in few.train.inputs.numpy()}) == 30
    known = {row.tobytes() for row in task.train.inputs.numpy()}
    assert {row.tobytes() for row in few.train.inputs.numpy()} <= known
    assert torch.equal(few.train.inputs, task.few(30, seed=1).train.inputs)
    assert not torch.equal(few.train.inputs, task.few(30, seed=2).train.inputs)
    assert len(task.few(1, seed=0).train) == 1 and len(task.few(7000, seed=0).val) == 1000
    for n in (0, 7001):
        with pytest.raises(store.BadInput, match="Choose n from 1 to 7000"):
            task.few(n, seed=0)


@pytest.mark.parametrize("shape", [(), (5, 1), (5, 0), (5, 4, 1)])
def test_a_split_wants_one_or_several_answers_an_input(shape):
    with pytest.raises(store.BadInput, match=r"\(N,\), or \(N, K\)"):
        Split(torch.zeros(5, 9, dtype=torch.int32), torch.zeros(shape, dtype=torch.int64))


@pytest.mark.parametrize("languages", [("italian", "spanish"), ("spanish", "italian")])
def test_mixing_old_texts_in_pads_the_shorter_ones(languages):
    new, old = (tasks.load(f"numbers_{language}").few(20, seed=0) for language in languages)
    mixed = new.mixed(old.train)
    assert len(mixed.train) == 40
    assert mixed.val is new.val and mixed.test is new.test and mixed.name == new.name
    assert torch.equal(mixed.train.labels, torch.cat([new.train.labels, old.train.labels]))
    halves = mixed.train.inputs.split(20)
    for half, split in zip(halves, (new.train, old.train), strict=True):
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


@pytest.mark.parametrize("name", ["numbers_spanish", "digits"])
def test_mixing_wants_a_split_not_a_task(toy, name):
    with pytest.raises(store.BadInput, match=r"a Task to mix in.*Pass old_task\.train"):
        toy.mixed(tasks.load(name))
    for wrong in (None, toy.train.inputs, "digits", [toy.train]):
        with pytest.raises(store.BadInput, match="is not a split"):
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
    assert [len(part) for part in parts] == [45, 18, 27]
    together = {p.numpy().tobytes() for part in parts for p in part.inputs}
    assert len(together) == 90


def test_generated_pictures_come_from_the_cache_and_survive_its_damage(tmp_path, monkeypatch):
    from tl_course.tasks import generated, materials

    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    labels = np.arange(6) % len(materials.CLASSES)
    recipe = materials.pictures, "recipe", "materials", labels, 1, 64
    first = generated._cached(*recipe)
    (path,) = (tmp_path / "generated").iterdir()
    stamp = path.stat().st_mtime_ns
    assert np.array_equal(generated._cached(*recipe), first)
    assert path.stat().st_mtime_ns == stamp
    path.write_bytes(b"half a file")
    assert np.array_equal(generated._cached(*recipe), first)
    assert np.array_equal(np.load(path), first)


def test_many_pictures_are_drawn_side_by_side_and_are_the_same(monkeypatch):
    from tl_course.tasks import generated, materials

    monkeypatch.setattr(generated.os, "cpu_count", lambda: 3)
    labels = np.arange(401) % len(materials.CLASSES)
    assert np.array_equal(
        generated._drawn(materials.pictures, labels, 1), materials.pictures(labels, 1)
    )


def test_generated_pictures_of_another_side_are_drawn_and_kept_apart(tmp_path, monkeypatch):
    from tl_course.tasks import materials

    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    large = generated.make(materials, "Large", (4, 2, 2), "none", side=96)
    small = generated.make(materials, "Small", (4, 2, 2), "none")
    assert (large.name, small.name) == ("materials_96", "materials")
    assert large.train.inputs.shape == (4, 3, 96, 96) and small.train.inputs.shape == (4, 3, 64, 64)
    stored = {path.name.split("-")[0] for path in (tmp_path / "generated").iterdir()}
    assert stored == {"materials_96", "materials"}
    # a file of the wrong side under the right name is drawn again
    labels = np.zeros(2, int)
    recipe = materials.pictures, "recipe", "materials", labels, 1
    assert generated._cached(*recipe, 64).shape[-1] == 64
    (path,) = (p for p in (tmp_path / "generated").iterdir() if np.load(p).shape[0] == 2
               and p.name.startswith("materials-") and (np.load(p) == materials.pictures(
                   labels, 1)).all())  # fmt: skip
    np.save(path, np.zeros((2, 3, 96, 96), np.uint8))
    assert generated._cached(*recipe, 64).shape[-1] == 64


def test_larger_leaves_are_the_leaf_clinic_at_another_size():
    large, leaves = tasks.load("leaves_128"), tasks.load("leaves")
    assert large.name == "leaves_128" and large.classes == leaves.classes
    assert [len(s) for s in (large.train, large.val, large.test)] == [500, 200, 500]
    for split, twin in ((large.train, leaves.train), (large.test, leaves.test)):
        assert split.inputs.shape[1:] == (3, 128, 128) and split.inputs.dtype == torch.uint8
        assert (split.labels.bincount() == len(split) // 5).all()
        assert torch.equal(split.labels[:50], twin.labels[:50])
        halved = torch.nn.functional.avg_pool2d(split.inputs[:50].float(), 2)
        colours = [p.float().mean((2, 3)).flatten() for p in (halved, twin.inputs[:50])]
        assert torch.corrcoef(torch.stack(colours))[0, 1] > 0.9  # leaf by leaf the same
    every = {p.numpy().tobytes() for s in (large.train, large.val, large.test) for p in s.inputs}
    assert len(every) == 1200
    assert large.title != leaves.title and large.licence and large.overlap


def test_generated_pictures_need_no_writable_cache(tmp_path, monkeypatch):
    from tl_course.tasks import generated, materials

    blocked = tmp_path / "a file"
    blocked.write_text("no folder here")
    monkeypatch.setenv("TL_COURSE_CACHE", str(blocked))
    found = generated._cached(materials.pictures, "recipe", "materials", np.zeros(2, int), 1, 64)
    assert found.shape == (2, 3, 64, 64)


def test_published_task_without_its_file(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    assert not tasks.available("satellite")
    tasks._load.cache_clear()
    with pytest.raises(store.NotAvailable, match="RSSCN7"):
        tasks.load("satellite")


@pytest.mark.parametrize(
    ("name", "classes"), [("satellite", 7), ("pneumonia", 2), ("hymenoptera", 2)]
)
def test_real_task(real_data, name, classes):
    task = tasks.load(name)
    assert len(task.classes) == classes
    for split in (task.train, task.val, task.test):
        assert split.inputs.shape[1:] == (3, 64, 64) and split.inputs.dtype == torch.uint8
        assert set(split.labels.tolist()) == set(range(classes))
    assert len(task.test) >= 150
    assert task.licence and task.source and task.overlap


def test_photographs_are_spread_over_the_test(real_data):
    from tl_course.tasks import tiny_imagenet

    if not tasks.available("tiny_imagenet"):
        pytest.skip("tiny-imagenet-200.zip is not there")
    every = tiny_imagenet.photographs(200)
    assert every.inputs.shape == (200, 3, 64, 64) and every.inputs.dtype == torch.uint8
    assert every.labels.dtype == torch.int64 and len(every.labels.unique()) > 80
    assert every.labels.min() >= 0 and every.labels.max() < 200
    few = tiny_imagenet.photographs(50)
    assert torch.equal(few.inputs, every.inputs[::4]) and torch.equal(few.labels, every.labels[::4])
    assert len(tiny_imagenet.photographs(1)) == 1
    for wrong in (0, -1, 10_001, 2.0, "5", True, None):
        with pytest.raises(store.BadInput, match="test pictures. Try 500"):
            tiny_imagenet.photographs(wrong)


def test_resnet10_names_half_of_the_photographs(real_data):
    from tl_course import models, train
    from tl_course.tasks import tiny_imagenet

    if not tasks.available("tiny_imagenet"):
        pytest.skip("tiny-imagenet-200.zip is not there")
    scores = train.evaluate(models.load("resnet10"), tiny_imagenet.photographs(400))
    assert 0.4 < scores.accuracy < 0.6


def test_photographs_without_their_file(tmp_path, monkeypatch):
    from tl_course.tasks import tiny_imagenet

    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    with pytest.raises(store.NotAvailable, match="tiny-imagenet-200.zip"):
        tiny_imagenet.photographs(5)


def test_published_files_of_another_shape_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    np.savez(tmp_path / "pneumoniamnist.npz", pictures=np.zeros(3))
    tasks._load.cache_clear()
    with pytest.raises(store.CorruptFile, match="not PneumoniaMNIST"):
        tasks.load("pneumonia")


def test_satellite_scenes_zipped_again_on_a_mac(tmp_path, monkeypatch):
    from PIL import Image

    from tl_course.tasks import satellite

    for place in ("__MACOSX/RSSCN7", "RSSCN7"):
        for index, name in enumerate(satellite.CLASSES):
            (tmp_path / place / name).mkdir(parents=True)
            for count in range(6 if place == "RSSCN7" else 0):
                colour = (10 * index, 20 * count, 99)
                Image.new("RGB", (8, 8), colour).save(tmp_path / place / name / f"{count}.png")
    monkeypatch.setattr(store, "unpack", lambda name: tmp_path)
    task = satellite.load()
    assert len(task.train) + len(task.val) + len(task.test) == 42
    for path in (tmp_path / "RSSCN7" / "aGrass").iterdir():
        path.write_bytes(b"")
    with pytest.raises(store.BadInput, match="'aGrass'"):
        satellite.load()


def test_sentences_of_the_installed_libraries():
    task = tasks.load("docstrings")
    assert task.train.inputs.dtype == torch.int32 and task.train.inputs.shape[1] == 160
    assert min(task.train.labels.bincount()) >= 20 and len(task.few(60, seed=0).train) == 60
    texts = {bytes(row.numpy()) for s in (task.train, task.val, task.test) for row in s.inputs}
    assert len(texts) == len(task.train) + len(task.val) + len(task.test)
    text = "".join(map(chr, task.train.inputs[0].tolist())).rstrip("\0")
    assert len(text.split()) > 3 and "\0" not in text


def test_sounds_are_told_by_their_pitch_alone():
    task = tasks.load("sounds")
    assert task.test.inputs.dtype == torch.float32 and task.test.inputs.shape == (300, 8000)
    assert float(task.test.inputs.abs().max()) <= 1 and task.few(50, seed=1).train.inputs.ndim == 2
    loudness = task.train.inputs.square().mean(1).sqrt()
    means = [float(loudness[task.train.labels == label].mean()) for label in range(4)]
    assert max(means) < 1.25 * min(means)  # tones are about equally loud
    halves = (
        torch.stft(task.train.inputs, 1024, window=torch.hann_window(1024), return_complex=True)
        .abs()
        .argmax(1)
    )
    rise = (halves[:, 12].float() - halves[:, 3].float()).sign()
    assert rise[task.train.labels == 0].mean() > 0.8 and rise[task.train.labels == 1].mean() < -0.8


def test_pacs(real_data):
    photo, sketch = (tasks.load(f"pacs_{style}") for style in ("photo", "sketch"))
    assert photo.classes == sketch.classes and len(photo.classes) == 7
    assert len(photo.train) >= 200 and photo.train.inputs.shape[1:] == (3, 64, 64)
    saturation = [
        float((t.train.inputs.amax(1).float() - t.train.inputs.amin(1)).mean())
        for t in (photo, sketch)
    ]
    assert saturation[0] > 20 and saturation[1] < 2  # sketches have no colour
    assert "large" in photo.overlap and "little" in sketch.overlap


def test_an_archive_that_is_not_pacs(tmp_path, monkeypatch):
    import zipfile

    with zipfile.ZipFile(tmp_path / "pacs.zip", "w") as file:
        file.writestr("PACS/photo/dog/readme.txt", "no other classes")
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(store.CorruptFile, match="one folder 'photo' with the seven classes"):
        tasks._LOADERS["pacs_photo"]()


def test_texts_become_code_points_with_zeros_behind():
    found = codes(["dos", "", "año 🍂"])
    assert found.dtype == torch.int32 and found.shape == (3, 5)
    assert found[0].tolist() == [100, 111, 115, 0, 0] and not found[1].any()
    assert "".join(map(chr, found[2].tolist())) == "año 🍂"
    assert codes(["dos", "quince"], 4).tolist() == [
        [100, 111, 115, 0],
        [*map(ord, "quin")],
    ]
    assert codes(["dos"], 9).shape == (1, 9)
    assert codes([]).shape == (0, 1) and codes([""]).tolist() == [[0]]


def test_sentences_are_first_paragraphs_that_say_something(monkeypatch):
    import types

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


def test_topics_are_about_equally_frequent():
    task = tasks.load("docstrings")
    counts = sum(s.labels.bincount() for s in (task.train, task.val, task.test))
    assert len(counts) == len(task.classes) == 6 and counts.max() <= docstrings.MOST
    total = int(counts.sum())
    for split, share in ((task.train, 0.5), (task.val, 0.15), (task.test, 0.35)):
        assert len(split) == pytest.approx(share * total, abs=2)
        assert (split.labels.bincount() >= 0.8 * share * counts).all()


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
    spectra = torch.stft(
        task.test.inputs, 1024, window=torch.hann_window(1024), return_complex=True
    ).abs()[:, :, 3:-3]
    pitch = spectra.argmax(1).float()
    moved = pitch.amax(1) - pitch.amin(1)  # in steps of 15.6 Hz
    by_name = {n: task.test.labels == label for label, n in enumerate(task.classes)}
    assert moved[by_name["steady"]].median() <= 1 < moved[by_name["warbling"]].median()
    ends = (pitch[:, -1] - pitch[:, 0]).abs()
    assert ends[by_name["warbling"]].median() < ends[by_name["rising"]].median()
    purity = spectra.amax(1).sum(1) / spectra.sum((1, 2))
    assert purity[by_name["noise"]].median() < 0.5 * purity[by_name["steady"]].median()


def test_no_sound_is_in_two_splits():
    task = tasks.load("sounds")
    every = [row.numpy().tobytes() for s in (task.train, task.val, task.test) for row in s.inputs]
    assert len({*every}) == len(every) == sum(sounds.SIZES)
    assert all((s.labels.bincount() == len(s) // 5).all() for s in (task.train, task.val))


@pytest.fixture
def styles(tmp_path, monkeypatch):
    """A folder as PACS comes unpacked, with twenty small pictures of each thing and style."""
    from PIL import Image

    def fill(place, shade, count=20):
        for index, name in enumerate(pacs.CLASSES):
            (place / name).mkdir(parents=True)
            for number in range(count):
                colour = (30 * index, 12 * number, shade)
                Image.new("RGB", (8, 8), colour).save(place / name / f"{number}.png")

    for shade, folder in enumerate(pacs.FOLDERS.values()):
        fill(tmp_path / "kfold" / folder, 60 * shade)
    monkeypatch.setattr(store, "unpack", lambda name: tmp_path)
    return tmp_path, fill


@pytest.mark.parametrize("style", pacs.FOLDERS)
def test_each_style_of_pacs_has_its_own_pictures(styles, style):
    root, fill = styles
    fill(root / "__MACOSX" / pacs.FOLDERS[style], 255, 1)
    task = pacs.load(style)
    assert task.name == f"pacs_{style}" and task.classes == pacs.CLASSES
    assert "_" not in task.title and task.overlap == pacs.OVERLAP[style]
    assert task.licence and task.source
    assert [len(s) for s in (task.train, task.val, task.test)] == [70, 14, 56]
    for split in (task.train, task.val, task.test):
        assert split.inputs.shape[1:] == (3, 64, 64) and split.inputs.dtype == torch.uint8
        assert split.labels.bincount().tolist() == [len(split) // 7] * 7
        assert (split.inputs[:, 0, 0, 0] == 30 * split.labels).all()
        assert (split.inputs[:, 2] == 60 * [*pacs.FOLDERS].index(style)).all()


def test_pacs_that_is_there_twice_or_lacks_a_class(styles):
    root, fill = styles
    fill(root / "copy" / "photo", 9, 1)
    with pytest.raises(store.CorruptFile, match="one folder 'photo'"):
        pacs.load("photo")
    (root / "kfold" / "sketch" / "dog").rename(root / "kfold" / "sketch" / "wolf")
    with pytest.raises(store.CorruptFile, match="one folder 'sketch'"):
        pacs.load("sketch")
    for path in (root / "kfold" / "cartoon" / "horse").iterdir():
        path.write_bytes(b"")
    with pytest.raises(store.BadInput, match="class 'horse'"):
        pacs.load("cartoon")
    assert len(pacs.load("art").train) == 70


@pytest.mark.parametrize("name", ["leaves", "materials"])
def test_many_labels_begin_with_the_few_and_share_their_test(monkeypatch, name):
    assert tasks.available(f"{name}_many")
    loader = tasks._LOADERS[f"{name}_many"]
    assert loader.args == (tasks.MANY,) and tasks.MANY == 10_000
    few, stored = tasks.load(name), generated._cached

    def fresh(draw, recipe, name, labels, seed, side):
        if len(labels) == 30:
            return draw(labels, seed)
        return stored(draw, recipe, name, labels, seed, side)

    monkeypatch.setattr(generated, "_cached", fresh)
    many = loader.func(30)  # drawn again with another count
    assert torch.equal(many.train.inputs, few.train.inputs[:30])
    assert torch.equal(many.train.labels, few.train.labels[:30])
    for more, fewer in ((many.val, few.val), (many.test, few.test)):
        assert torch.equal(more.inputs, fewer.inputs) and torch.equal(more.labels, fewer.labels)
    assert many.classes == few.classes
