"""Predictions that a learner commits to, kept for later."""

import json
from pathlib import Path

from tl_course import store

PREDICTIONS = Path("my_predictions.json")


def recall(key: str, path: Path = PREDICTIONS) -> str | None:
    """The prediction committed under ``key``, or ``None``. A damaged file counts as empty."""
    try:
        return json.loads(path.read_text(encoding="utf-8")).get(key)
    except (OSError, ValueError, AttributeError):
        return None


def commit(key: str, choice: str, path: Path = PREDICTIONS) -> None:
    """Keep ``choice`` under ``key`` in a small file beside the notebook; the last one counts."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    kept = {**(kept if isinstance(kept, dict) else {}), key: choice}
    store.write_atomically(path, json.dumps(kept, indent=1, ensure_ascii=False).encode())


def compare(key: str, measured: str, path: Path = PREDICTIONS) -> str:
    """A line that sets the committed prediction beside what was measured."""
    choice = recall(key, path)
    if choice is None:
        return f"Measured: {measured}. To compare, commit to a prediction above, then run this."
    if choice == measured:
        return f"You predicted {choice!r}, and that is what was measured."
    return f"You predicted {choice!r}. Measured: {measured}. What made the difference?"
