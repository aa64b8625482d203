"""What a verdict is, and how the rows of a claim's table come to one."""

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tl_course.evidence.findings import (
    CANNOT_TELL,
    FINDINGS,
    HELPS,
    HURTS,
    MARGIN,
    MARKS,
    Contrast,
    Row,
    judged,
    overall,
)
from tl_course.evidence.intervals import UNITS, Interval

if TYPE_CHECKING:
    import pandas

# how a sentence goes on about the targets on which each of ``FINDINGS`` is found, in their order
SAYS = ("hurts on {}", "helps on {}", "makes no difference on {}", "is unclear on {}")
# what a sentence calls the targets
NAMES = {
    "pneumonia": "X-rays",
    "satellite": "satellite scenes",
    "spoken_digits": "spoken digits",
    "text_pictures": "pictures of text",
    "pacs_photo": "photographs",
    "pacs_sketch": "sketches",
    "pacs_art": "paintings",
    "pacs_cartoon": "cartoons",
    "hymenoptera": "ants and bees",
    "leaves_128": "large leaves",
    "numbers_italian": "Italian",
    "concepts_edges": "edges",
    "concepts_corners": "corners",
    "concepts_parts": "parts",
    "concepts_objects": "objects",
}
WIDTH = 96  # of a line that is printed
FEW = 6  # rows that a sentence lists one by one


@dataclass(frozen=True)
class Verdict:
    """What the course found about one claim.

    ``verdict``: open, holds, holds-when, does-not-hold or cannot-tell. ``condition``: when it
    holds, in words. ``effect``, ``low``, ``high``: over targets where there are three or more, else
    over ``seeds``; ``None`` while open. ``sentence`` says it all in plain English, harm first;
    ``contrasts`` are the rows that it is made from; ``scope`` says with which networks, on how many
    targets and with how many seeds, how long from scratch was trained and what it knew.
    """

    id: str
    verdict: str = "open"
    condition: str = ""
    effect: float | None = None
    low: float | None = None
    high: float | None = None
    seeds: int = 0
    lesson: str = ""
    sentence: str = ""
    contrasts: tuple[Contrast, ...] = ()
    scope: str = ""

    @property
    def interval(self) -> Interval:
        """Effect and bounds together, once there are any, and over what they speak."""
        assert self.effect is not None and self.low is not None and self.high is not None
        first, *_ = self.averaged
        targets = len({each.target for each in self.averaged})
        over = (targets, first.unit, "targets")
        if targets < 3:
            over = (first.seeds, first.unit, first.over)
        return Interval(self.effect, self.low, self.high, *over)

    @property
    def averaged(self) -> tuple[Contrast, ...]:
        """The rows whose mean is ``effect``, as ``overall`` takes them."""
        first, *_ = self.contrasts
        kind = first.unit, first.claimed
        alike = tuple(each for each in self.contrasts if (each.unit, each.claimed) == kind)
        if len({each.target for each in alike}) >= 3:
            return alike
        return tuple(each for each in alike if each.target == first.target)

    @property
    def counts(self) -> str:
        """How many rows show what: "✗ 1 hurts · ✓ 5 helps · = 0 same · ? 2 cannot tell"."""
        found = [each.finding for each in self.contrasts]
        return " · ".join(f"{MARKS[each]} {found.count(each)} {each}" for each in FINDINGS)

    def __str__(self) -> str:
        if self.verdict == "open":
            return f"{self.id} open"
        count, total = len(self.averaged), len(self.contrasts)
        which = "mean" if count == total else f"mean of {count} of {total} rows"
        lines = (
            self.sentence,
            f"{self.counts} · {which} {self.interval}",
            f"Tested with {self.scope}.",
        )
        wrapped = (textwrap.fill(each, WIDTH, break_on_hyphens=False) for each in lines)
        return "\n".join((f"{self.id} {self.verdict}", *wrapped))


def concluded(
    subject: str,
    rows: Iterable[Row],
    *,
    networks: str = "resnet10",
    baseline: "pandas.DataFrame | None" = None,
    says: Sequence[str] = SAYS,
    margin: float = MARGIN,
    more: Iterable[str] = (),
) -> Verdict:
    """The verdict that follows from the rows of a claim's table.

    It holds where every row speaks for the claim, holds when the row is one of those that do, does
    not hold where none does and at least half speak against it. Else the runs cannot tell.
    ``subject`` begins the sentence and ``says`` goes on with it; ``more`` are sentences of their
    own. ``networks`` and ``baseline``, the runs from scratch, are for the scope.

    ``lessons.settle`` adds the claim and the lesson.
    """
    rows = [*rows]
    contrasts = judged(rows, margin)
    yes = [each for each in contrasts if each.supports]
    against = [each for each in contrasts if not each.supports and each.finding != CANNOT_TELL]
    verdict = "holds-when"
    if len(yes) == len(contrasts):
        verdict = "holds"
    elif not yes:
        verdict = "does-not-hold" if 2 * len(against) >= len(contrasts) else "cannot-tell"
    parts = [
        text.format(listed(found, contrasts)) + _sizes(found)
        for finding, text in zip(FINDINGS, says, strict=True)
        if (found := [each for each in contrasts if each.finding == finding])
    ]
    mean = overall(rows)
    return Verdict(
        "",
        verdict,
        listed(yes, contrasts),
        mean.effect,
        mean.low,
        mean.high,
        min(each.seeds for each in contrasts),
        sentence=" ".join([f"{subject} {'; '.join(parts)}.", *more]),
        contrasts=contrasts,
        scope=_scope(contrasts, networks, baseline),
    )


def listed(rows: Sequence[Contrast], among: Sequence[Contrast]) -> str:
    """Targets in plain words; each with which of its rows ``among`` all they are, if not every one:
    "leaves (25, 50 labels) and X-rays", or with how many where that would be a long list.
    """
    counted, texts = len(rows) > FEW, {}
    for target in dict.fromkeys(row.target for row in rows):
        here = [row.where for row in rows if row.target == target]
        every = sum(row.target == target for row in among)
        where = f"{len(here)} of {every}" if counted else _joined(here)
        texts[NAMES.get(target, target)] = where if len(here) < every else ""
    parts: list[str] = []
    named = {where: [t for t, its in texts.items() if its == where] for where in texts.values()}
    # "each" speaks of all that come before it, so that those who share a where come first
    for where, names in sorted(named.items(), key=lambda one: not one[0] or len(one[1]) == 1):
        if where and (counted or len(names) == 1):
            names = [f"{name} ({where})" for name in names]
        elif where:
            names[-1] += f" (each {where})"
        parts += names
    return " and ".join(filter(None, [", ".join(parts[:-1]), *parts[-1:]]))


def _joined(wheres: list[str]) -> str:
    """Their texts in a row; what all end with is said once: "25, 50 labels"."""
    words = {where.partition(" ")[2] for where in wheres}
    if len(wheres) > 1 and len(words) == 1 and (word := words.pop()):
        return f"{', '.join(where.partition(' ')[0] for where in wheres)} {word}"
    return ", ".join(dict.fromkeys(wheres))


def _sizes(rows: Sequence[Contrast]) -> str:
    """From which effect to which; nothing where there is no difference to tell."""
    if rows[0].finding not in (HURTS, HELPS):
        return ""
    texts = []
    for unit in dict.fromkeys(row.unit for row in rows):
        number, word = UNITS[unit]
        effects = [row.effect for row in rows if row.unit == unit]
        ends = dict.fromkeys(number(end(effects)) for end in (min, max))
        texts.append(" to ".join(ends) + word)
    return f" ({', '.join(texts)})"


def _scope(
    contrasts: Sequence[Contrast], networks: str, baseline: "pandas.DataFrame | None"
) -> str:
    parts = [networks]
    for over in dict.fromkeys(each.over for each in contrasts):
        rows = [each for each in contrasts if each.over == over]
        if over != "targets":
            targets = len({each.target for each in rows})
            parts.append(f"{targets} target{'s' * (targets > 1)}")
        ends = dict.fromkeys(f"{end(each.seeds for each in rows)}" for end in (min, max))
        parts.append(f"{' to '.join(ends)} {over}")
    if baseline is not None:
        cells = baseline.groupby(["task", "labels"])
        epochs, known = (
            " to ".join(dict.fromkeys(f"{end():{form}}" for end in (means.min, means.max)))
            for means, form in ((cells.epochs.mean(), ".0f"), (cells.train_accuracy.mean(), ".2f"))
        )
        parts.append(f"from scratch trained for {epochs} epochs, to a training accuracy of {known}")
    return "; ".join(parts)
