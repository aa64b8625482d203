"""The probe sets: the answer is in the picture, and nothing else tells it."""

import numpy as np
import pytest

from tl_course import tasks
from tl_course.tasks import concepts

KINDS = [*concepts.CLASSES]


def test_every_kind_is_a_task():
    assert tuple(KINDS) == tasks.CONCEPTS
    for kind in KINDS:
        task = tasks.load(f"concepts_{kind}")
        assert task.classes == concepts.CLASSES[kind] and task.name == f"concepts_{kind}"
        assert (len(task.train), len(task.val), len(task.test)) == (800, 200, 600)


@pytest.mark.parametrize("kind", KINDS)
def test_pictures_depend_on_seed_and_place_alone(kind):
    labels = np.arange(6) % 3
    whole = concepts.pictures(kind, labels, 5)
    assert whole.shape == (6, 3, 64, 64) and whole.dtype == np.uint8
    assert np.array_equal(concepts.pictures(kind, labels[4:], 5, first=4), whole[4:])
    assert not np.array_equal(concepts.pictures(kind, labels, 6), whole)


@pytest.mark.parametrize("kind", KINDS)
def test_colours_tell_nothing(kind):
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    task = tasks.load(f"concepts_{kind}")

    def seen(split):
        pixels = split.inputs.float().flatten(2)
        return np.concatenate([pixels.mean(2), pixels.std(2), pixels.quantile(0.9, 2)], 1)

    classifier = make_pipeline(StandardScaler(), LogisticRegression())
    classifier.fit(seen(task.train), task.train.labels)
    chance = 1 / len(task.classes)
    assert classifier.score(seen(task.test), task.test.labels) < chance + 0.09


def test_edges_run_where_their_name_says():
    task = tasks.load("concepts_edges")
    grey = task.test.inputs.float().mean(1)
    down, right = grey.diff(dim=1).abs().mean((1, 2)), grey.diff(dim=2).abs().mean((1, 2))
    steep = (down / right).log()
    means = [float(steep[task.test.labels == label].mean()) for label in range(4)]
    assert means[0] > 0.3 > -0.3 > means[2]  # horizontal edges change downwards, vertical sideways
    assert abs(means[1]) < 0.2 and abs(means[3]) < 0.2
    slant = (grey[:, 1:, 1:] - grey[:, :-1, :-1]).abs().mean((1, 2))
    other = (grey[:, 1:, :-1] - grey[:, :-1, 1:]).abs().mean((1, 2))
    lean = (slant / other).log()
    assert lean[task.test.labels == 1].mean() > 0 > lean[task.test.labels == 3].mean()


def test_every_thing_has_pieces_within_its_frame():
    rng = np.random.default_rng(0)
    for name, make in concepts._THINGS.items():
        for _ in range(20):
            pieces = make(rng)
            assert len(pieces) >= 3, name
            assert all(np.abs(piece.points).max() <= 1.3 for piece in pieces), name
