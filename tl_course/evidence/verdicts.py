"""What a verdict is, and the comparisons it rests on."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.results import chosen

if TYPE_CHECKING:
    import pandas


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
        """Effect and bounds together."""
        return Interval(self.effect, self.low, self.high, self.seeds)


def compare(frame: "pandas.DataFrame", task: str, labels: int, first: str, second: str) -> Interval:
    """Balanced test accuracy of strategy ``first`` minus ``second`` on one task, paired by seed."""
    rows = chosen(frame)
    rows = rows[(rows.task == task) & (rows.labels == labels)]
    by_seed = rows.pivot(index="seed", columns="strategy", values="test_balanced")
    for strategy in (first, second):
        if strategy not in by_seed:
            raise store.UnknownName(
                f"strategy {strategy!r} on {task!r} with {labels} labels",
                "there is no stored run",
                f"Stored are {', '.join(by_seed) or 'none'}",
            )
    return paired(by_seed[first], by_seed[second])


def pooled(frame: "pandas.DataFrame", labels: int, first: str, second: str) -> Interval:
    """The same difference averaged over every task that has both, paired by seed."""
    rows = chosen(frame)
    rows = rows[(rows.labels == labels) & rows.strategy.isin([first, second])]
    wide = rows.pivot(index=["task", "seed"], columns="strategy", values="test_balanced").dropna()
    means = wide.groupby("seed").mean()
    return paired(means[first], means[second])
