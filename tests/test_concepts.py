"""The probe sets: the answer is in the picture, and nothing else tells it."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from tl_course import tasks
from tl_course.tasks import concepts


@pytest.mark.parametrize("kind", tasks.CONCEPTS)
def test_colours_tell_nothing(kind):
    task = tasks.load(f"concepts_{kind}")
    assert task.classes == concepts.CLASSES[kind]

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


@pytest.mark.parametrize("kind", ["parts", "objects"])
def test_one_thing_is_whole_and_another_lies_in_pieces(monkeypatch, kind):
    places = []  # where the pieces of a picture are painted: (centre, scale, angle, mirrored)
    monkeypatch.setattr(concepts, "_paint", lambda *given: places.append(given[-1]))
    for index in range(24):
        places.clear()
        concepts.pictures(kind, [index % len(concepts.CLASSES[kind])], 3, first=index)
        spots = [tuple(centre) for centre, *_ in places]
        whole = [place for place, spot in zip(places, spots, strict=True) if spot == spots[-1]]
        assert len(whole) >= 3 and len({angle for _, _, angle, _ in whole}) == 1
        assert np.abs(spots[-1]).max() <= 0.4
        loose = spots[: -len(whole)]  # painted first, each at a spot of its own
        assert len(loose) >= 3 and len({*loose}) == len(loose)
        assert len({mirrored for *_, mirrored in places}) == 1


def test_the_smaller_region_is_as_large_whatever_its_border(monkeypatch):
    shares = {0: [], 1: [], 2: []}

    def halves(rng, border, angle, shift):
        shares[label].append(np.asarray(concepts._mask(border, shift, angle, 64)).mean() / 255)
        return np.zeros((3, 64, 64), np.uint8)

    monkeypatch.setattr(concepts, "_halves", halves)
    for label in shares:
        concepts.pictures("corners", [label] * 60, 1)
    means = [np.mean(values) for values in shares.values()]
    assert max(means) - min(means) < 0.03
    assert all(0.15 < value < 0.4 for values in shares.values() for value in values)


def test_a_label_that_is_no_class_is_an_error():
    for kind in ("corners", "parts", "objects"):
        with pytest.raises(IndexError):
            concepts.pictures(kind, [9], 0)
    with pytest.raises(KeyError):
        concepts.pictures("colours", [0], 0)
