"""What a network computes on the way to its answer: features, linear probes, the frozen prefix."""

from tl_course.features.attribution import (
    Strongest,
    grad_cam,
    preferred_picture,
    preferred_pictures,
    responses,
    stored_preferred,
    strongest,
)
from tl_course.features.extraction import extract, run
from tl_course.features.fields import Field, receptive_field
from tl_course.features.prefix import split_prefix
from tl_course.features.probes import every_stage, probe, probe_features, probe_task
from tl_course.features.similarity import cka, frechet
from tl_course.features.tap import Tap
from tl_course.features.transferability import (
    SCORES,
    alignment,
    h_score,
    logme,
    nearest_neighbours,
    transfer_scores,
)

__all__ = [
    "SCORES",
    "Field",
    "Strongest",
    "Tap",
    "alignment",
    "cka",
    "every_stage",
    "extract",
    "frechet",
    "grad_cam",
    "h_score",
    "logme",
    "nearest_neighbours",
    "preferred_picture",
    "preferred_pictures",
    "probe",
    "probe_features",
    "probe_task",
    "receptive_field",
    "responses",
    "run",
    "split_prefix",
    "stored_preferred",
    "strongest",
    "transfer_scores",
]
