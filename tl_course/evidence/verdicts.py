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


def scores(frame: "pandas.DataFrame", task: str, labels: int, strategy: str) -> "pandas.Series":
    """Balanced test accuracy of one strategy in one cell, by seed. Raises ``UnknownName``."""
    rows = chosen(frame)
    rows = rows[(rows.task == task) & (rows.labels == labels)]
    found = rows[rows.strategy == strategy]
    if found.empty:
        stored = ", ".join(dict.fromkeys(rows.strategy)) or "none"
        raise store.UnknownName(
            f"strategy {strategy!r} on {task!r} with {labels} labels",
            "there is no stored run",
            f"Stored are {stored}",
        )
    return found.set_index("seed").test_balanced.sort_index()


def compare(frame: "pandas.DataFrame", task: str, labels: int, first: str, second: str) -> Interval:
    """Balanced test accuracy of strategy ``first`` minus ``second`` on one task, paired by seed."""
    one, other = (scores(frame, task, labels, strategy) for strategy in (first, second))
    return paired(*one.align(other))


def pooled(frame: "pandas.DataFrame", labels: int, first: str, second: str) -> Interval:
    """The same difference averaged over every task that has both, paired by seed."""
    rows = chosen(frame)
    rows = rows[(rows.labels == labels) & rows.strategy.isin([first, second])]
    wide = rows.pivot(index=["task", "seed"], columns="strategy", values="test_balanced").dropna()
    means = wide.groupby("seed").mean()
    return paired(means[first], means[second])


def gains(frame: "pandas.DataFrame", confidence: float = 0.95) -> "pandas.DataFrame":
    """What each source brings over from scratch: one row a source, task, labels and strategy.

    ``frame`` is the stored ``sweep_suspects``. Columns ``gain``, ``low`` and ``high`` are balanced
    test accuracies in [-1, 1], paired by seed, with an interval of ``confidence``; ``seeds``.
    """
    import pandas

    keys = ["task", "labels", "source", "strategy"]
    table = frame.set_index([*keys, "seed"]).test_balanced.sort_index()
    rows = []
    for key in frame[keys].drop_duplicates().itertuples(index=False, name=None):
        scratch = (*key[:2], "nothing", "fine-tuned")
        if key != scratch:
            found = paired(*table[key].align(table[scratch]), confidence)
            rows.append((*key, found.effect, found.low, found.high, found.seeds))
    return pandas.DataFrame(rows, columns=[*keys, "gain", "low", "high", "seeds"])
