"""What a verdict is, and how rules come to one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tl_course.evidence.intervals import Interval


@dataclass(frozen=True)
class Verdict:
    """What the course found about one claim.

    ``verdict``: open, holds, holds-when or does-not-hold. ``condition``: when it holds, in
    words. ``effect``, ``low``, ``high``: see ``Interval``; ``None`` while open.
    """

    id: str
    verdict: str = "open"
    condition: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    lesson: str = ""

    @property
    def interval(self) -> Interval:
        """Effect and bounds together, once there are any."""
        assert self.effect is not None and self.low is not None and self.high is not None
        return Interval(self.effect, self.low, self.high, self.seeds)


def settled(verdict: str, condition: str, found: Interval, *more: str) -> Verdict:
    """A verdict whose effect is ``found``; the condition is followed by ``more``.

    ``lessons.settle`` adds the claim and the lesson.
    """
    condition = "; ".join((condition, *more))
    return Verdict("", verdict, condition, found.effect, found.low, found.high, found.seeds)


def share(shown: Iterable[tuple[str | Mapping, bool]], when: str, unless: str) -> tuple[str, str]:
    """The verdict and its condition: holds where all is shown, does not where nothing is.

    ``shown``: texts or cells, each with whether it is shown. ``when`` and ``unless`` have a place
    ``{}`` for those that are and are not.
    """
    shown = list(shown)
    yes, no = (", ".join(by_task(each for each, it in shown if it == side)) for side in (1, 0))
    if not no:
        return "holds", when.format(yes)
    if not yes:
        return "does-not-hold", f"not {when.format(no)}"
    return "holds-when", f"{when.format(yes)}; not shown {unless.format(no)}"


def by_task(each: Iterable[str | Mapping]) -> list[str]:
    """Texts as they are; cells by their first two columns, one text for each value of the first.

    Cells of a task and a count of labels: "leaves (25, 50)".
    """
    told: dict[str, list[str]] = {}
    for one in each:
        if isinstance(one, str):
            told[one] = []
        else:
            first, second, *_ = one.values()
            told.setdefault(first, []).append(second if isinstance(second, str) else f"{second:,}")
    return [f"{first} ({', '.join(rest)})" if rest else first for first, rest in told.items()]
