"""Ants and bees: the pictures of PyTorch's transfer-learning tutorial."""

from dataclasses import replace

from tl_course import store
from tl_course.tasks.folder import folder
from tl_course.tasks.task import Task


def load() -> Task:
    """Ants and bees at 64×64. The published ``val`` part is the test set here."""
    published = store.published()["hymenoptera"]
    return replace(
        folder(store.unpack("hymenoptera") / "hymenoptera_data"),
        name="hymenoptera",
        title="Ants and bees",
        licence=published.licence,
        source=published.source,
        overlap="large: ImageNet has ants and bees; Tiny ImageNet has bees",
    )
