"""What a network computes on the way to its answer: features, linear probes, the frozen prefix."""

from tl_course.features.extraction import extract, run
from tl_course.features.prefix import Prefix, split_prefix
from tl_course.features.probes import Probe, every_stage, probe, probe_features, probe_task
from tl_course.features.similarity import cka

__all__ = [
    "Prefix",
    "Probe",
    "cka",
    "every_stage",
    "extract",
    "probe",
    "probe_features",
    "probe_task",
    "run",
    "split_prefix",
]
