"""Ants and bees: the pictures of PyTorch's transfer-learning tutorial."""

from tl_course.tasks.folder import unpacked
from tl_course.tasks.task import Task, divide, published

CLASSES = ("ants", "bees")


def load() -> Task:
    """Ants and bees at 64×64. The published ``val`` part is the test set here."""
    whole, test = (unpacked("hymenoptera", CLASSES, inside=part) for part in ("train", "val"))
    train, val, _ = divide(whole, shares=(0.2, 0.0))
    return published(
        "hymenoptera",
        "Ants and bees",
        CLASSES,
        (train, val, test),
        overlap="large: ImageNet has ants and bees; Tiny ImageNet has bees",
    )
