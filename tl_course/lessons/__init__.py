"""The lessons, each in a folder of its own, and the verdicts that their rules give.

A lesson is found by looking: a folder here with a file ``rules.py``, which says in ``LESSON`` what
its notebook is called and in ``RULES`` which function settles which claim.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path

from tl_course import store
from tl_course.evidence import CLAIMS, Verdict


@cache
def names() -> tuple[str, ...]:
    """The lessons by the names of their folders, in the order of their notebooks."""
    found = [path.parent.name for path in Path(__file__).parent.glob("*/rules.py")]
    return tuple(sorted(found, key=lambda name: _rules_of(name).LESSON))


def settle(claim_id: str) -> Verdict:
    """The verdict on one claim, computed now; open where no rule has been written yet.

    Raises ``UnknownName`` for an id that is not among ``evidence.CLAIMS``.
    """
    store.choose("claim", claim_id, [claim.id for claim in CLAIMS])
    if claim_id not in _rules():
        return Verdict(claim_id)
    rule, lesson = _rules()[claim_id]
    return replace(rule(), id=claim_id, lesson=lesson)


def table() -> list[Verdict]:
    """Every claim's verdict, in the order of ``evidence.CLAIMS``."""
    return [settle(claim.id) for claim in CLAIMS]


@cache
def _rules() -> dict[str, tuple[Callable[[], Verdict], str]]:
    """By claim: its rule, and the lesson that tells of it."""
    found = {}
    for name in names():
        module = _rules_of(name)
        found |= {claim: (rule, module.LESSON) for claim, rule in module.RULES.items()}
    return found


def _rules_of(name: str):
    return import_module(f"{__name__}.{name}.rules")
