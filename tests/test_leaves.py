"""The leaf clinic: the same pictures every time, and no short cut through their colours."""

import numpy as np
import pytest

from tl_course.tasks import leaves

CLASSES = len(leaves.CLASSES)


@pytest.fixture(scope="module")
def sample():
    """600 pictures and their labels."""
    labels = np.random.default_rng(0).permutation(np.arange(600) % CLASSES)
    return leaves.pictures(labels, seed=5), labels


def test_shape_and_type(sample):
    pictures, _ = sample
    assert pictures.shape == (600, 3, 64, 64)
    assert pictures.dtype == np.uint8
    assert leaves.pictures(np.array([], dtype=int), seed=0).shape == (0, 3, 64, 64)


def test_the_same_seed_gives_the_same_pictures(sample):
    pictures, labels = sample
    assert np.array_equal(leaves.pictures(labels[:30], seed=5), pictures[:30])


def test_another_seed_gives_other_pictures(sample):
    pictures, labels = sample
    assert not np.array_equal(leaves.pictures(labels[:5], seed=6), pictures[:5])


def test_a_picture_does_not_depend_on_the_labels_of_others():
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
    from PIL import Image

    labels = np.arange(CLASSES)
    likeness = []
    for picture, small in zip(
        leaves.pictures(labels, seed=2, size=size), leaves.pictures(labels, seed=2), strict=True
    ):
        assert picture.shape == (3, size, size)
        shrunk = Image.fromarray(picture.transpose(1, 2, 0)).resize((16, 16), Image.Resampling.BOX)
        other = Image.fromarray(small.transpose(1, 2, 0)).resize((16, 16), Image.Resampling.BOX)
        likeness.append(np.corrcoef(np.ravel(shrunk), np.ravel(other))[0, 1])
    assert np.median(likeness) > 0.9


def test_colours_alone_do_not_tell_the_conditions_apart(sample):
    """A linear classifier on a 4×4×4 colour histogram stays far below a trained network."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pictures, labels = sample
    codes = (pictures.reshape(600, 3, -1) // 64 * np.array([16, 4, 1])[:, None]).sum(1)
    histograms = np.stack([np.bincount(code, minlength=64) for code in codes])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=300))
    model.fit(histograms[:450], labels[:450])
    assert model.score(histograms[450:], labels[450:]) <= 0.45
