"""A small project: stripes whose files belong together, and what a network makes of them."""

from dataclasses import replace

import pytest

from tl_course import features, models
from tl_course.lessons.your_project import recipe


def named(split, part: str):
    """The split with a name for each file: three shots of each thing."""
    files = [
        f"{split.classes[label]}/{part}{place // 9}_{place}.png"
        for place, label in enumerate(split.labels.tolist())
    ]
    return replace(split, files=tuple(files))


@pytest.fixture(scope="session")
def project(toy):
    parts = ("train", "val", "test")
    return replace(toy, **{part: named(getattr(toy, part), part) for part in parts})


@pytest.fixture(scope="session")
def found(project):
    """Features of each split."""
    model = models.load("resnet10")
    parts = ("train", "val", "test")
    return {part: features.extract(model, getattr(project, part).inputs) for part in parts}


@pytest.fixture(scope="module")
def race(project):
    """A race that two have run."""
    started = recipe.Race(project, seconds=300)
    started.run("resnet10", "head alone")
    started.run("resnet10", "frozen to layer3")
    return started
