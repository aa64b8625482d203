"""Ants and bees: the pictures of PyTorch's transfer-learning tutorial."""

from tl_course import store
from tl_course.tasks.folder import folder
from tl_course.tasks.task import Task, published


def load() -> Task:
    """Ants and bees at 64×64. The published ``val`` part is the test set here."""
    task = folder(store.unpack("hymenoptera") / "hymenoptera_data")
    return published(
        "hymenoptera",
        "Ants and bees",
        task.classes,
        (task.train, task.val, task.test),
        overlap="large: ImageNet has ants and bees; Tiny ImageNet has bees",
    )
