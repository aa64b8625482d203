"""What rules have in common."""

from collections.abc import Sequence

from tl_course.evidence.intervals import Interval
from tl_course.evidence.verdicts import Verdict


def settled(claim: str, verdict: str, condition: str, found: Interval, lesson: str) -> Verdict:
    """A verdict whose effect is ``found``."""
    return Verdict(
        claim, verdict, condition, found.effect, found.low, found.high, found.seeds, lesson
    )


def share(yes: Sequence, no: Sequence, when: str, unless: str) -> tuple[str, str]:
    """Holds where nothing speaks against it, does not where nothing speaks for it."""
    if not no:
        return "holds", when.format(", ".join(yes))
    if not yes:
        return "does-not-hold", f"not {when.format(', '.join(no))}"
    return "holds-when", f"{when.format(', '.join(yes))}; not shown {unless.format(', '.join(no))}"
