"""What a network computes on the way to its answer: features, linear probes, the frozen prefix."""

from tl_course.features.extraction import extract, run
from tl_course.features.prefix import Prefix, split_prefix
from tl_course.features.probes import Probe, probe, probe_task

__all__ = [
    "Prefix",
    "Probe",
    "extract",
    "probe",
    "probe_task",
    "run",
    "split_prefix",
]
