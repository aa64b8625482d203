"""What rules have in common."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.verdicts import Verdict

if TYPE_CHECKING:
    import pandas


def settled(verdict: str, condition: str, found: Interval) -> Verdict:
    """A verdict whose effect is ``found``; ``lessons.settle`` adds the claim and the lesson."""
    return Verdict("", verdict, condition, found.effect, found.low, found.high, found.seeds)


def share(yes: Sequence, no: Sequence, when: str, unless: str) -> tuple[str, str]:
    """Holds where nothing speaks against it, does not where nothing speaks for it."""
    if not no:
        return "holds", when.format(", ".join(yes))
    if not yes:
        return "does-not-hold", f"not {when.format(', '.join(no))}"
    return "holds-when", f"{when.format(', '.join(yes))}; not shown {unless.format(', '.join(no))}"


def by_task(cells: Iterable[tuple[str, int | str]]) -> list[str]:
    """Cells of a task and a count of labels, or a name, as one text a task: "leaves (25, 50)"."""
    tasks: dict[str, list[str]] = {}
    for task, each in cells:
        tasks.setdefault(task, []).append(each if isinstance(each, str) else f"{each:,}")
    return [f"{task} ({', '.join(counts)})" for task, counts in tasks.items()]


def counts(frame: "pandas.DataFrame", task: str) -> list[int]:
    """The counts of labels stored for a task, rising."""
    return sorted(set(frame[frame.task == task].labels))


def mean_paired(pairs: "Iterable[tuple[pandas.Series, pandas.Series]]") -> Interval:
    """The mean over cells of first minus second, paired by seed; each series is indexed by seed.

    Raises ``BadInput`` where there is no cell, or a seed is missing in one of them.
    """
    pairs = list(pairs)
    if not pairs:
        raise store.BadInput(
            "a mean over cells", "no stored run is of the kind asked for", "Run the whole sweep"
        )
    firsts, seconds = (sum(part) / len(part) for part in zip(*pairs, strict=True))
    return paired(*firsts.align(seconds))
