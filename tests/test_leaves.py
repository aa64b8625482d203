"""The leaf clinic: a condition changes the leaf alone, and no short cut through its colours."""

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tl_course.tasks import leaves

CLASSES = len(leaves.CLASSES)


@pytest.fixture(scope="module")
def sample():
    """600 pictures and their labels."""
    labels = np.random.default_rng(0).permutation(np.arange(600) % CLASSES)
    return leaves.pictures(labels, seed=5), labels


def test_a_picture_depends_on_its_seed_place_and_label_alone():
    first = leaves.pictures(np.array([0, 1, 2, 3, 4]), seed=1)
    second = leaves.pictures(np.array([4, 1, 0, 3]), seed=1)
    same = [np.array_equal(a, b) for a, b in zip(first, second, strict=False)]
    assert same == [False, True, False, True]


def test_a_condition_changes_the_leaf_and_leaves_the_scene():
    """The same leaf in five conditions: the pictures differ, yet resemble each other."""
    scenes = [leaves.pictures(np.full(8, label), seed=3).astype(float) for label in range(CLASSES)]
    for one in range(CLASSES):
        for other in range(one):
            change = np.abs(scenes[one] - scenes[other]).mean((1, 2, 3))
            assert change.max() > 3
    healthy, rust = scenes[0].reshape(8, -1), scenes[1].reshape(8, -1)
    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(healthy, rust, strict=True)]
    assert np.median(likeness) > 0.7


def test_every_picture_shows_something(sample):
    pictures, _ = sample
    assert pictures.std((1, 2, 3)).min() > 8
    assert pictures.mean((1, 2, 3)).min() > 25
    assert pictures.mean((1, 2, 3)).max() < 230


@pytest.mark.parametrize("size", [48, 96, 256])
def test_other_sizes_show_the_same_scene(size):
    def seen(at: int) -> np.ndarray:
        pictures = leaves.pictures(np.arange(CLASSES), seed=2, size=at)
        assert pictures.shape == (CLASSES, 3, at, at)
        shown = [Image.fromarray(picture.transpose(1, 2, 0)) for picture in pictures]
        return np.stack([np.ravel(p.resize((16, 16), Image.Resampling.BOX)) for p in shown])

    likeness = [np.corrcoef(a, b)[0, 1] for a, b in zip(seen(size), seen(64), strict=True)]
    assert np.median(likeness) > 0.9


def test_colours_alone_do_not_tell_the_conditions_apart(sample):
    """A linear classifier on a 4×4×4 colour histogram stays far below a trained network."""
    pictures, labels = sample
    codes = (pictures.reshape(600, 3, -1) // 64 * np.array([16, 4, 1])[:, None]).sum(1)
    histograms = np.stack([np.bincount(code, minlength=64) for code in codes])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
    model.fit(histograms[:450], labels[:450])
    assert model.score(histograms[450:], labels[450:]) <= 0.45
