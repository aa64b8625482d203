"""Verdicts: computed from stored results by a rule, never typed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence.claims import CLAIMS
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.results import chosen, load

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


def small_set_rule() -> Verdict:
    """why-1: at 200 labels, fine-tuning against training from scratch, task by task.

    Holds where every task's interval lies above zero, does not where none does, and holds
    when the task is one of those in which it does otherwise.
    """
    frame = load("sweep_pictures")
    cells = frame.loc[frame.strategy == "fine-tuning", ["task", "labels"]].drop_duplicates()
    better, same = [], []
    for task in cells.loc[cells.labels == 200, "task"]:
        found = compare(frame, task, 200, "fine-tuning", "from scratch")
        (better if found.sign > 0 else same).append(task)
    overall = pooled(frame, 200, "fine-tuning", "from scratch")
    if not same:
        verdict, condition = "holds", f"on all {len(better)} tasks tried at 200 labels"
    elif better:
        verdict = "holds-when"
        condition = f"on {', '.join(better)}; not shown on {', '.join(same)} (200 labels)"
    else:
        verdict, condition = "does-not-hold", f"on none of {', '.join(same)} (200 labels)"
    return Verdict(
        "why-1",
        verdict,
        condition,
        overall.effect,
        overall.low,
        overall.high,
        overall.seeds,
        "00_start_here",
    )


RULES: dict[str, Callable[[], Verdict]] = {"why-1": small_set_rule}


def settle(claim_id: str) -> Verdict:
    """The verdict on one claim, computed now; open where no rule has been written yet.

    Raises ``UnknownName`` for an id that is not among ``CLAIMS``.
    """
    store.choose("claim", claim_id, [claim.id for claim in CLAIMS])
    return RULES[claim_id]() if claim_id in RULES else Verdict(claim_id)


def table() -> list[Verdict]:
    """Every claim's verdict, in the order of ``CLAIMS``."""
    return [settle(claim.id) for claim in CLAIMS]
