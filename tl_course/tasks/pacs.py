"""PACS: the same seven things in four styles (Li et al. 2017, arXiv:1710.03077)."""

from tl_course.tasks.folder import unpacked
from tl_course.tasks.task import Task, divide, published

CLASSES = ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
FOLDERS = {"photo": "photo", "art": "art_painting", "cartoon": "cartoon", "sketch": "sketch"}
OVERLAP = {
    "photo": "large: photographs of things, and the source knows dogs and elephants",
    "art": "some: paintings of things that the source knows from photographs",
    "cartoon": "some: cartoons of things that the source knows from photographs",
    "sketch": "little: black lines on white, though the source knows dogs and elephants",
}


def load(style: str) -> Task:
    """One of the four ``FOLDERS`` at 64×64: half to train, a tenth to choose, the rest to test."""
    return published(
        f"pacs_{style}",
        f"PACS, {FOLDERS[style].replace('_', ' ')}",
        CLASSES,
        divide(unpacked("pacs", [*CLASSES], inside=FOLDERS[style]), shares=(0.1, 0.4)),
        overlap=OVERLAP[style],
        file="pacs",
    )
