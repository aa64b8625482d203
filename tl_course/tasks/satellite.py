"""RSSCN7: satellite scenes of seven kinds (Zou et al. 2015, doi:10.1109/LGRS.2015.2475299)."""

from tl_course.tasks.folder import unpacked
from tl_course.tasks.task import Task, divide, published

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
    return published(
        "satellite",
        "Satellite scenes (RSSCN7)",
        tuple(CLASSES.values()),
        divide(unpacked("satellite", [*CLASSES]), shares=(0.1, 0.4)),
        overlap="none: the source has photographs from the ground, no views from above",
    )
