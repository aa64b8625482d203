"""Textures of noise: told apart by their spectra and by nothing else."""

import numpy as np
import pytest
import torch

from tl_course import tasks
from tl_course.tasks import noise

EACH = 20
LABELS = np.arange(EACH * len(noise.CLASSES)) % len(noise.CLASSES)


@pytest.fixture(scope="module")
def drawn():
    return noise.pictures(LABELS, seed=1)


def of(kind: str) -> np.ndarray:
    return noise.CLASSES.index(kind) == LABELS


@pytest.fixture(scope="module")
def spectra(drawn):
    """Where the power of each picture lies: the share in each of eight rings, fine ones last."""
    grey = drawn.astype(float).mean(1)
    power = np.abs(np.fft.fft2(grey - grey.mean((1, 2), keepdims=True))) ** 2
    frequencies = np.fft.fftfreq(64)
    radius = np.hypot(*np.meshgrid(frequencies, frequencies, indexing="ij"))
    rings = np.stack([power[:, (radius >= low) & (radius < low + 0.0625)].sum(1)
                      for low in np.arange(0, 0.5, 0.0625)], 1)  # fmt: skip
    return rings / rings.sum(1, keepdims=True)


def test_shape_and_determinism(drawn):
    assert drawn.shape == (len(LABELS), 3, 64, 64) and drawn.dtype == np.uint8
    assert np.array_equal(noise.pictures(LABELS, seed=1), drawn)
    assert not np.array_equal(noise.pictures(LABELS[:8], seed=2), drawn[:8])
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)
    assert noise.pictures(LABELS[:0], seed=1).shape == (0, 3, 64, 64)


def test_a_picture_depends_on_its_place_not_on_its_batch(drawn):
    assert np.array_equal(noise.pictures(LABELS[5:16], seed=1, first=5), drawn[5:16])
    others = LABELS[:8].copy()
    others[:7] = 0
    assert np.array_equal(noise.pictures(others, seed=1)[7], drawn[7])
    assert np.array_equal(noise.pictures(torch.from_numpy(LABELS[:3]), seed=1), drawn[:3])


@pytest.mark.parametrize("label", [8, -9])
def test_a_label_that_no_kind_has(label):
    with pytest.raises(IndexError):
        noise.pictures(np.array([label]), seed=0)


def test_every_picture_has_contrast_and_a_colour_of_its_own(drawn):
    assert drawn.astype(float).std(axis=(2, 3)).min() > 8
    means = drawn.mean((2, 3))
    assert means.std(0).min() > 15  # over pictures


def test_other_sizes_too():
    large = noise.pictures(LABELS[:8], seed=1, size=96)
    assert large.shape == (8, 3, 96, 96) and large.std(axis=(2, 3)).min() > 8


def test_power_lies_where_the_name_says(spectra):
    centre = (spectra * np.arange(8)).sum(1)
    mean = {kind: centre[of(kind)].mean() for kind in noise.CLASSES}
    assert mean["white"] > mean["pink"] > mean["brown"]
    assert mean["fine"] > mean["coarse"] + 2
    fine, coarse = (spectra[of(kind)].mean(0) for kind in ("fine", "coarse"))
    assert 3 <= fine.argmax() <= 5 and coarse.argmax() <= 2  # bands
    assert fine.max() > 0.4 and coarse.max() > 0.4
    white = spectra[of("white")].mean(0)
    assert np.all(np.diff(white) > 0)  # as much everywhere: wider rings hold more


def test_streaks_have_a_direction(drawn):
    def slant(kind: str) -> float:
        """How much of the power lies along one axis of the picture's own choosing, 0 to 1."""
        found = []
        for picture in drawn[of(kind)]:
            grey = picture.astype(float).mean(0)
            down, across = np.gradient(grey)
            tensor = np.array([[(down * down).mean(), (down * across).mean()],
                               [(down * across).mean(), (across * across).mean()]])  # fmt: skip
            small, large = np.linalg.eigvalsh(tensor)
            found.append((large - small) / (large + small))
        return float(np.mean(found))

    assert slant("streaks") > 0.8
    assert all(slant(kind) < 0.4 for kind in noise.CLASSES if kind != "streaks")


def test_spots_and_patches_have_edges(drawn):
    def shades(kind: str) -> list[int]:
        return [len(np.unique(picture[0])) for picture in drawn[of(kind)]]

    assert {*shades("spots")} == {2} and max(shades("patches")) <= 4
    assert min(shades("coarse")) > 20
    for picture in drawn[of("spots")]:
        _, counts = np.unique(picture[0], return_counts=True)
        assert 0.08 < counts.min() / counts.sum() < 0.22


def test_spectra_tell_the_kinds_apart_and_colours_do_not(drawn, spectra):
    from sklearn.ensemble import RandomForestClassifier

    half = len(LABELS) // 2
    edges = np.stack([[len(np.unique(p[0])), *np.abs(np.gradient(p[0].astype(float))).mean((1, 2))]
                      for p in drawn])  # fmt: skip
    colours = drawn.mean((2, 3))
    found = {}
    for name, table in (("spectra", np.hstack([spectra, edges])), ("colours", colours)):
        judge = RandomForestClassifier(100, random_state=0).fit(table[:half], LABELS[:half])
        found[name] = judge.score(table[half:], LABELS[half:])
    assert found["spectra"] > 0.85 and found["colours"] < 0.35


def test_the_task():
    task = tasks.load("noise")
    assert task.name == "noise" and task.classes == noise.CLASSES and tasks.available("noise")
    assert [len(s) for s in (task.train, task.val, task.test)] == [2000, 200, 400]
    splits = (task.train, task.val, task.test)
    for split in splits:
        assert split.inputs.shape[1:] == (3, 64, 64) and split.inputs.dtype == torch.uint8
        assert split.labels.dtype == torch.int64
        assert (split.labels.bincount() == len(split) // 8).all()
    assert len({p.numpy().tobytes() for s in splits for p in s.inputs}) == 2600
    assert task.title and task.licence and task.source and task.overlap
