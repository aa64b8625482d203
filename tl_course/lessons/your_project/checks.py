"""The checks of lesson 13: what belongs together, when to say nothing, and which model to take."""

from collections.abc import Callable, Mapping
from numbers import Real

import numpy as np

from tl_course.lessons.your_project import recipe
from tl_course.practice.grading import NotYet, ask, compare_cases, graded, want

FILES = {  # a photograph, and what it shows
    "wood/floor_0501_1.jpg": "the floor",
    "wood/floor_0501_12.jpg": "the floor",
    "wood/floor_0613_1.jpg": "the floor",
    "wood/floor_board_0501_1.jpg": "the floor board",
    "wood/table_0501_1.jpg": "the table",
    "fur/table_0501_1.jpg": "the rug on the table",
    "fur/anna_0501_1.jpg": "Anna",
    "fur/anna_0502_2.jpg": "Anna",
}


@graded
def check_groups(belongs: Callable) -> str:
    """Whether ``belongs(file)`` tells the pictures of one thing from those of another."""
    found = {}
    for file in FILES:
        found[file] = ask(belongs, file)
        try:
            hash(found[file])
        except TypeError:
            kind = type(found[file]).__name__
            raise NotYet(f"for {file!r} it gives a {kind}. Give a text, or a number.") from None
    if None in found.values():
        raise NotYet("it gives None. Does it return what it finds?")
    if len({*found.values()}) == 1:
        raise NotYet("everything belongs together, so nothing could be divided.")
    for one, thing in FILES.items():
        for other, its in FILES.items():
            if thing == its and found[one] != found[other]:
                raise NotYet(
                    f"{one!r} and {other!r} show the same thing, and it tells them apart. One "
                    "would be learned from and the other test it."
                )
    for one, thing in FILES.items():
        for other, its in FILES.items():
            if thing != its and found[one] == found[other]:
                raise NotYet(
                    f"{one!r} and {other!r} show two things, and it puts them together. Then the "
                    "splits are coarser than they need be."
                )
    return (
        f"{len(FILES)} photographs of {len({*FILES.values()})} things; no thing is in two splits."
    )


@graded
def check_threshold(choose: Callable) -> str:
    """Whether ``choose(sure, right, wanted)`` is the lowest confidence that keeps its promise."""
    rng = np.random.default_rng(0)
    cases = [("three right answers", np.array([0.4, 0.6, 0.9]), np.ones(3, bool), 0.95)]
    for size, wanted in ((40, 0.9), (200, 0.95), (25, 0.8)):
        sure = np.round(rng.uniform(0.3, 1, size), 3)
        cases.append((f"{size} answers", sure, rng.random(size) < sure, wanted))
    cases.append(("two wrong answers", np.array([0.4, 0.6]), np.zeros(2, bool), 0.9))
    for what, sure, right, wanted in cases:
        least = ask(choose, sure, right, wanted)
        least = least.item() if hasattr(least, "item") else least
        want(least, Real, "a number", f"on {what} it gives")
        kept, most = sure >= least, sure >= recipe.threshold(sure, right, wanted)
        if kept.any() and right[kept].mean() < wanted:
            raise NotYet(
                f"of {what}, {wanted:.0%} are to be right; from {least:.2f} on only "
                f"{right[kept].mean():.0%} are."
            )
        if kept.sum() < most.sum():
            raise NotYet(
                f"of {what}, it refuses {most.sum() - kept.sum()} more than it must at {least:.2f}."
            )
    return "the lowest confidence that keeps the promise, and none where nothing does."


@graded
def check_choice(choose: Callable) -> str:
    """Whether ``choose(right, effort)`` takes the simplest that validation cannot tell from the
    best, and of two as simple the better one.
    """

    def rights(*counts: int) -> dict[str, np.ndarray]:
        return {name: np.arange(40) < n for name, n in zip("abc", counts, strict=False)}

    cases: list[tuple[str, Mapping, Mapping]] = [
        ("three that are level", rights(36, 37, 36), {"a": 0, "b": 2, "c": 1}),
        ("one that is far ahead", rights(20, 38, 21), {"a": 0, "b": 2, "c": 1}),
        ("two ahead of the third", rights(35, 36, 12), {"a": 1, "b": 2, "c": 0}),
        ("two heads that are level", rights(34, 36, 36), {"a": 0, "b": 0, "c": 2}),
        ("one alone", rights(10), {"a": 3}),
    ]

    def reference(right: Mapping, effort: Mapping) -> str:
        best = max(right, key=lambda name: right[name].mean())
        level = [name for name in right if recipe.level(right[best], right[name])]
        return min(level, key=lambda name: (effort[name], -right[name].mean()))

    mistakes = {
        "it always takes the best on validation. One picture more of 40 may be luck: is it worth "
        "training twenty times as long?": lambda right, effort: max(
            right, key=lambda name: right[name].mean()
        ),
        "it always takes the simplest, however bad.": lambda right, effort: min(
            right, key=lambda name: (effort[name], -right[name].mean())
        ),
        "of two that are as simple it does not take the better one.": lambda right, effort: min(
            (n for n in right if recipe.level(max(right.values(), key=np.mean), right[n])),
            key=lambda name: effort[name],
        ),
    }
    compare_cases(choose, cases, reference, mistakes=mistakes)
    return "the simplest of those that 40 pictures cannot tell apart."
