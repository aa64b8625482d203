"""Predictions that a learner commits to, kept for later."""

import json
import re
from collections.abc import Mapping
from pathlib import Path

from tl_course import store

PREDICTIONS = Path("my_predictions.json")


def recall(key: str, path: Path = PREDICTIONS) -> str | None:
    """The prediction committed under ``key``, or ``None``. A damaged file counts as empty."""
    kept = _all(path).get(key)
    return kept if isinstance(kept, str) else None


def commit(key: str, choice: str, path: Path = PREDICTIONS) -> None:
    """Keep ``choice`` under ``key`` in a small file beside the notebook; the last one counts."""
    kept = _all(path) | {key: choice}
    store.write_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False).encode())


def _all(path: Path) -> dict:
    """Every prediction that is kept; none where the file is damaged."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        kept = None
    return kept if isinstance(kept, dict) else {}


def compare(key: str, measured: str, path: Path = PREDICTIONS) -> str:
    """A line that sets the committed prediction beside what was measured."""
    choice = recall(key, path)
    if choice is None:
        return f"Measured: {measured}. To compare, commit to a prediction above, then run this."
    if choice == measured:
        return f"You predicted {choice!r}, and that is what was measured."
    return f"You predicted {choice!r}. Measured: {measured}. What made the difference?"


def ranking(measured: Mapping[str, float], margin: float = 0.05) -> str:
    """Names from the largest effect to the smallest, as ``predict_ranking`` keeps them.

    Neighbours closer than ``margin`` are joined by "=", for nobody could have told them apart.
    """
    names = sorted(measured, key=lambda name: -measured[name])
    line = names[0]
    for above, below in zip(names[:-1], names[1:], strict=True):
        close = measured[above] - measured[below] < margin
        line += f"{' = ' if close else ' > '}{below}"
    return line


def compare_ranking(key: str, measured: str, path: Path = PREDICTIONS) -> str:
    """How many pairs of the committed ranking are in the order measured."""
    kept = recall(key, path)
    if kept is None:
        return f"Measured: {measured}. To compare, commit to a ranking above, then run this."
    level, order = 0, {}
    for name in re.split("( [=>] )", measured):
        if name.strip() in "=>":
            level += name == " > "
        else:
            order[name] = level
    guess = [name for name in re.split(" [=>] ", kept) if name in order]
    pairs = [(a, b) for i, a in enumerate(guess) for b in guess[i + 1 :] if order[a] != order[b]]
    right = sum(order[a] < order[b] for a, b in pairs)
    return f"You ranked {kept}. Measured: {measured}. {right} of {len(pairs)} pairs in this order."
