"""The drawn materials: what makes them a fair test of texture."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from tl_course.tasks import materials

LABELS = np.arange(450) % len(materials.CLASSES)


@pytest.fixture(scope="module")
def drawn():
    return materials.pictures(LABELS, seed=3)


def test_every_picture_has_contrast(drawn):
    assert drawn.mean(1).std(axis=(1, 2)).min() > 8


def test_other_sizes_show_the_same_surface(drawn):
    large = materials.pictures(LABELS[:9], seed=3, size=128)
    assert large.shape == (9, 3, 128, 128)
    assert large.mean() == pytest.approx(drawn[:9].mean(), abs=15)


def test_colour_does_not_tell_them_apart(drawn):
    pictures = drawn.astype(float)
    colours = np.concatenate([pictures.mean((2, 3)), pictures.std((2, 3))], axis=1) / 64
    fitted = LogisticRegression(max_iter=500).fit(colours[:300], LABELS[:300])
    assert fitted.score(colours[300:], LABELS[300:]) <= 0.30
