"""The course's own errors: each says what is wrong, why, and what to do about it."""

# ruff: noqa: N818 - the names say what is wrong, and read well after "except store."

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Callable, Collection, Iterable
from numbers import Integral, Real
from typing import Any


class CourseError(Exception):
    """An error that a learner can act on.

    ``thing`` names what the error is about, ``cause`` says what is wrong with it and ``cure`` what
    to do. ``str()`` gives the three as sentences: "THING: CAUSE. CURE."
    """

    def __init__(self, thing: str, cause: str, cure: str) -> None:
        self.thing = thing
        self.cause = cause
        self.cure = cure
        super().__init__(str(self))

    def __str__(self) -> str:
        parts = [f"{self.thing}: {_sentence(self.cause)}"]
        if self.cure.strip():
            parts.append(_sentence(self.cure))
        return " ".join(parts)

    def __reduce__(self):
        # Exceptions are rebuilt from their arguments when they cross processes.
        return type(self), (self.thing, self.cause, self.cure)


class UnknownName(CourseError, KeyError):
    """A name that the course does not know."""


class BadInput(CourseError, ValueError):
    """A value that cannot be worked with."""


class NotAvailable(CourseError):
    """Something that cannot be had: no network, or nothing that may be downloaded."""


class CorruptFile(CourseError):
    """A file whose content is not what it should be."""


class UnsafeArchive(CourseError):
    """An archive that could write outside its folder or fill the disk."""


class StorageError(CourseError, OSError):
    """A folder that cannot be read or written, or a full disk."""


def choose(kind: str, name: str, known: Iterable[str]) -> str:
    """Return ``name`` when it is one of ``known``.

    ``kind`` says what is being chosen ("task"). Raises ``UnknownName``, which lists the known names
    (in their own order, where they have one) and proposes the most similar one.
    """
    names = sorted(known) if isinstance(known, set | frozenset) else list(known)
    if isinstance(name, str) and name in names:
        return name
    cause = f"there is no {kind} of this name"
    by_folded = {each.casefold(): each for each in names}
    close = difflib.get_close_matches(str(name).casefold(), by_folded, n=1, cutoff=0.5)
    if close:
        cause += f"; did you mean {by_folded[close[0]]!r}?"
    cure = f"Choose from {', '.join(names)}" if names else f"No {kind} is known here"
    raise UnknownName(f"{kind} {name!r:.60}", cause, cure)


def some(names: Collection[str], shown: Callable[[str], str] = repr) -> str:
    """The first three of several names, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(map(shown, [*names][:3])) + more


def whole(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return ``value`` as an int when it is a whole number from ``least`` to ``most``.

    NumPy's numbers count, True and False do not. Raises ``BadInput``, which calls it ``name``.
    """
    return int(_within(name, value, Integral, "a whole number", least, most))


def number(
    name: str, value: object, least: float | None = None, most: float | None = None
) -> float:
    """Return ``value`` as a float when it is a finite number from ``least`` to ``most``.

    NumPy's numbers count, True and False do not. Raises ``BadInput``, which calls it ``name``.
    """
    return float(_within(name, value, Real, "a finite number", least, most))


def _within(
    name: str, value: Any, kind: type, words: str, least: float | None, most: float | None
) -> Any:
    widest = sys.float_info.max if kind is Real else math.inf
    low, high = -widest if least is None else least, widest if most is None else most
    proper = isinstance(value, kind) and not isinstance(value, bool)
    plain = value.item() if proper and hasattr(value, "item") else value  # NumPy's own would warn
    if proper and low <= plain <= high:
        return plain
    bounds = (("from", least), ("up to" if least is None else "to", most))
    limits = "".join(f" {word} {bound}" for word, bound in bounds if bound is not None)
    example = next((bound for bound in (least, most) if bound is not None), 1)
    raise BadInput(f"{name}={value!r:.60}", f"it must be {words}{limits}", f"Try {name}={example}")


def _sentence(text: str) -> str:
    text = text.strip()
    return text if text.endswith((".", "!", "?")) else text + "."
