"""What each row of a claim's table shows: it helps, hurts, is the same, or nobody can tell."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from tl_course import store
from tl_course.evidence.intervals import Interval, spread

HURTS, HELPS, SAME, CANNOT_TELL = FINDINGS = ("hurts", "helps", "same", "cannot tell")  # harm first
MARKS = dict(zip(FINDINGS, "✗✓=?", strict=True))
LEVEL = 0.05  # of false alarms that a claim may give, over all of its rows
MARGIN = 0.02  # accuracy: two things that differ by less are the same


class Row(NamedTuple):
    """One comparison of a claim: on which ``target``, ``where`` there ("50 labels"), and the
    differences that were found, one for each seed or whatever else they are taken ``over``.

    ``claimed``: the findings that speak for the claim. ``unit``: one of ``intervals.UNITS``.
    """

    target: str
    where: str
    differences: Sequence[float]
    claimed: tuple[str, ...] = (HELPS,)
    unit: str = "points"
    over: str = "seeds"


@dataclass(frozen=True)
class Contrast:
    """One row of a claim's table, judged beside the others.

    ``effect`` is the mean of ``seeds`` differences (or as many of what they are taken ``over``), in
    ``unit``, and ``low`` to ``high`` its interval, corrected for the number of rows. ``finding``:
    one of ``FINDINGS``; ``supports``: whether it is among those ``claimed``.
    """

    target: str
    where: str
    effect: float
    low: float
    high: float
    seeds: int
    unit: str
    over: str
    finding: str
    claimed: tuple[str, ...]
    supports: bool

    def __str__(self) -> str:
        found = Interval(self.effect, self.low, self.high, self.seeds, self.unit, self.over)
        return f"{MARKS[self.finding]} {self.target} {self.where}: {found}"


def judged(rows: Iterable[Row], margin: float = MARGIN) -> tuple[Contrast, ...]:
    """Every row with its finding; all rows of a claim are judged together.

    A row helps or hurts where Student's t on its differences says so by Holm's procedure (1979),
    which gives a false alarm in at most 5 % of claims in which nothing has an effect. It is the
    same where two one-sided tests (Schuirmann 1987) find it above -``margin`` and below ``margin``.
    Else the runs cannot tell. Raises ``BadInput`` for no rows, and as ``paired`` does.
    """
    rows = [*rows]
    if not rows:
        raise store.BadInput(
            "a claim's table", "no stored run is of the kind asked for", "Run the whole sweep"
        )
    spreads = [spread(row.differences) for row in rows]
    chances = [
        2 * min(each.below(0), 1 - each.below(0)) if each.error else float(not each.mean)
        for each in spreads
    ]
    found: dict[int, Contrast] = {}
    level, clear = LEVEL, True
    for rank, index in enumerate(sorted(range(len(rows)), key=chances.__getitem__)):
        if clear:  # Holm: the surest first, each at a level for those that are left
            level = LEVEL / (len(rows) - rank)
            clear = chances[index] <= level
        row, here = rows[index], spreads[index]
        finding = CANNOT_TELL
        if clear:
            finding = HELPS if here.mean > 0 else HURTS
        elif max(here.below(margin), 1 - here.below(-margin)) <= LEVEL:
            finding = SAME
        shown = here.interval(1 - level)
        found[index] = Contrast(
            row.target,
            row.where,
            shown.effect,
            shown.low,
            shown.high,
            shown.seeds,
            row.unit,
            row.over,
            finding,
            row.claimed,
            finding in row.claimed,
        )
    return tuple(found[index] for index in range(len(rows)))


def overall(rows: Sequence[Row]) -> Interval:
    """The mean of the rows that share the first one's unit, and claim the same.

    Over targets, each the mean of its rows, with a t-interval over them, where there are three or
    more. Fewer say nothing of others: then it is over seeds, the mean of the rows of the first
    target, or its first row alone where the seeds are not the same.
    """
    first, *_ = rows
    alike = [row for row in rows if (row.unit, row.claimed) == (first.unit, first.claimed)]
    targets = dict.fromkeys(row.target for row in alike)
    if len(targets) >= 3:
        means = [
            np.mean([np.mean(row.differences) for row in alike if row.target == name])
            for name in targets
        ]
        return replace(spread(means, least=3).interval(), unit=first.unit, over="targets")
    here = [row.differences for row in alike if row.target == first.target]
    same = all(len(gaps) == len(first.differences) for gaps in here)
    pooled = np.mean(here, 0) if same else first.differences
    return replace(spread(pooled).interval(), unit=first.unit, over=first.over)
