"""PACS: the same seven things in four styles (Li et al. 2017, arXiv:1710.03077)."""

from tl_course import store
from tl_course.tasks.folder import read_classes
from tl_course.tasks.task import Task, divide

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
    root = store.unpack("pacs")
    found = [
        path
        for path in sorted(root.rglob(FOLDERS[style]))
        if "__MACOSX" not in path.parts and all((path / name).is_dir() for name in CLASSES)
    ]
    if len(found) != 1:
        raise store.CorruptFile(
            "pacs",
            f"the archive does not hold one folder {FOLDERS[style]!r} with the seven classes",
            "Get PACS again from its publisher",
        )
    published = store.published()["pacs"]
    return Task(
        f"pacs_{style}",
        f"PACS, {FOLDERS[style].replace('_', ' ')}",
        CLASSES,
        *divide(read_classes(found[0], [*CLASSES]), shares=(0.1, 0.4)),
        licence=published.licence,
        source=published.source,
        overlap=OVERLAP[style],
    )
