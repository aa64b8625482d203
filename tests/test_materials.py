"""The drawn materials: what makes them a fair test of texture."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tl_course.tasks import materials

LABELS = np.arange(90) % len(materials.CLASSES)


@pytest.fixture(scope="module")
def drawn():
    return materials.pictures(LABELS, seed=1)


def test_shape_and_determinism(drawn):
    assert drawn.shape == (90, 3, 64, 64) and drawn.dtype == np.uint8
    assert np.array_equal(materials.pictures(LABELS[:12], seed=1), drawn[:12])
    assert not np.array_equal(materials.pictures(LABELS[:12], seed=2), drawn[:12])


def test_every_picture_has_contrast(drawn):
    assert drawn.mean(1).std(axis=(1, 2)).min() > 8


def test_other_sizes_show_the_same_surface(drawn):
    large = materials.pictures(LABELS[:9], seed=1, size=128)
    assert large.shape == (9, 3, 128, 128)
    assert large.mean() == pytest.approx(drawn[:9].mean(), abs=15)


def test_colour_does_not_tell_them_apart():
    labels = np.arange(450) % len(materials.CLASSES)
    pictures = materials.pictures(labels, seed=3).astype(float)
    colours = np.concatenate([pictures.mean((2, 3)), pictures.std((2, 3))], axis=1) / 64
    fitted = LogisticRegression(max_iter=500).fit(colours[:300], labels[:300])
    assert fitted.score(colours[300:], labels[300:]) <= 0.30
