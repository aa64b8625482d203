"""The names of a model's outputs, and what bears the same names elsewhere."""

import unicodedata
from collections.abc import Sequence

from torch import nn

from tl_course import store
from tl_course.models.stages import outputs


def class_names(model: nn.Module) -> tuple[str, ...]:
    """``model.classes``, the names of its outputs; empty where there is not one for each."""
    names = listed(model)
    return names if len(names) == outputs(model) else ()


def listed(model: nn.Module) -> tuple[str, ...]:
    """What ``model.classes`` holds, however many; empty where it is no list."""
    names = getattr(model, "classes", None)
    return tuple(names) if isinstance(names, Sequence) and not isinstance(names, str) else ()


def places(ours: Sequence[str], theirs: Sequence[str]) -> list[int]:
    """Which of the outputs ``ours`` is each of the classes ``theirs``.

    Raises ``BadInput`` for a class that is not among them, or is there twice; it names those that
    differ only in case, spaces or the way accents are written.
    """
    if lacking := [name for name in theirs if ours.count(name) != 1]:
        known = {_folded(name): name for name in ours}
        near = [f"{n!r} for {known[_folded(n)]!r}" for n in lacking if _folded(n) in known]
        cause = f"the model's outputs are {store.some(ours)}"
        if near:
            cause += "; case, spaces or the way accents are written differ: "
            cause += store.some(near, str)
        raise store.BadInput(
            f"examples of {store.some(lacking)}",
            cause,
            "Name the classes as model.classes does, or train the model on these",
        )
    return [ours.index(name) for name in theirs]


def moved(ours: Sequence[str], theirs: Sequence[str]) -> str | None:
    """Which of the outputs ``ours`` bears another number in as many ``theirs``, in words."""
    for place, name in enumerate(ours if len(ours) == len(theirs) else ()):
        if name != theirs[place] and name in theirs:
            there = f"output {place} of the model is {name!r}, number {place} of the classes given"
            return f"{there} {theirs[place]!r}: the same classes in another order"
    return None


def accepted(name: str, known: Sequence[str], classes: Sequence[str] | None) -> tuple[str, ...]:
    """``classes`` as names for the outputs that a file calls ``known``, else ``known``.

    Raises ``BadInput`` where they are those in another order.
    """
    if classes and (fault := moved(known, classes)):
        raise store.BadInput(f"load({name!r}, classes=…)", fault, "Leave classes out")
    return tuple(classes or known)


def _folded(name: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())
