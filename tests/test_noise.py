"""Textures of noise: told apart by their spectra and by nothing else."""

import numpy as np
import pytest
import torch
from sklearn.ensemble import RandomForestClassifier

from tl_course.tasks import noise

LABELS = np.arange(160) % len(noise.CLASSES)


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


def test_a_picture_depends_on_its_place_not_on_its_batch(drawn):
    assert np.array_equal(noise.pictures(LABELS[5:16], seed=1, first=5), drawn[5:16])
    others = np.array([0, 0, 0, 0, 0, 0, 0, LABELS[7]])
    assert np.array_equal(noise.pictures(others, seed=1)[7], drawn[7])
    assert np.array_equal(noise.pictures(torch.from_numpy(LABELS[:3]), seed=1), drawn[:3])
    assert len({picture.tobytes() for picture in drawn}) == len(drawn)


@pytest.mark.parametrize("label", [8, -9])
def test_a_label_that_no_kind_has(label):
    with pytest.raises(IndexError):
        noise.pictures(np.array([label]), seed=0)


def test_every_picture_has_contrast_and_a_colour_of_its_own(drawn):
    large = noise.pictures(LABELS[:8], seed=1, size=96)
    for pictures in (drawn, large):
        assert pictures.astype(float).std(axis=(2, 3)).min() > 8
    assert drawn.mean((2, 3)).std(0).min() > 15  # over pictures


def test_power_lies_where_the_name_says(spectra):
    centre = (spectra * np.arange(8)).sum(1)
    mean = {kind: centre[of(kind)].mean() for kind in noise.CLASSES}
    assert mean["white"] > mean["pink"] > mean["brown"]
    assert mean["fine"] > mean["coarse"] + 2
    fine, coarse, white = (spectra[of(kind)].mean(0) for kind in ("fine", "coarse", "white"))
    assert 3 <= fine.argmax() <= 5 and coarse.argmax() <= 2  # bands
    assert fine.max() > 0.4 and coarse.max() > 0.4
    assert np.all(np.diff(white) > 0)  # as much everywhere: wider rings hold more


def test_streaks_have_a_direction(drawn):
    def slant(kind: str) -> float:
        """How much of the power lies along one axis of the picture's own choosing, 0 to 1."""
        found = []
        for picture in drawn[of(kind)]:
            slopes = np.stack(np.gradient(picture.astype(float).mean(0)))
            small, large = np.linalg.eigvalsh(np.einsum("iyx,jyx->ij", slopes, slopes))
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
    half = len(LABELS) // 2
    edges = np.stack([[len(np.unique(p[0])), *np.abs(np.gradient(p[0].astype(float))).mean((1, 2))]
                      for p in drawn])  # fmt: skip
    tables = {"spectra": np.hstack([spectra, edges]), "colours": drawn.mean((2, 3))}
    found = {}
    for name, table in tables.items():
        judge = RandomForestClassifier(100, random_state=0).fit(table[:half], LABELS[:half])
        found[name] = judge.score(table[half:], LABELS[half:])
    assert found["spectra"] > 0.85 and found["colours"] < 0.35
