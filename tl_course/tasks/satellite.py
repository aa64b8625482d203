"""RSSCN7: satellite scenes of seven kinds (Zou et al. 2015, doi:10.1109/LGRS.2015.2475299)."""

from collections import Counter

from tl_course import store
from tl_course.tasks.folder import read_classes
from tl_course.tasks.task import Task, divide

CLASSES = {
    "aGrass": "grass",
    "bField": "field",
    "cIndustry": "industry",
    "dRiverLake": "river or lake",
    "eForest": "forest",
    "fResident": "houses",
    "gParking": "parking",
}


def load() -> Task:
    """Satellite scenes at 64×64: half to train, a tenth to choose, the rest to test."""
    root = store.unpack("satellite")
    parents = Counter(
        path.parent
        for path in root.rglob("*")
        if path.name in CLASSES and "__MACOSX" not in path.parts
    )
    if set(parents.values()) != {len(CLASSES)}:
        raise store.CorruptFile(
            "satellite",
            f"the archive does not hold the seven folders {', '.join(CLASSES)}",
            "Fetch RSSCN7 again from its publisher",
        )
    whole = read_classes(next(iter(parents)), list(CLASSES))
    published = store.published()["satellite"]
    return Task(
        "satellite",
        "Satellite scenes (RSSCN7)",
        tuple(CLASSES.values()),
        *divide(whole, shares=(0.1, 0.4)),
        licence=published.licence,
        source=published.source,
        overlap="none: the source has photographs from the ground, no views from above",
    )
