"""Predictions kept for later, and checks of the exercises that say what the model shows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from tl_course import models, store, surgery

if TYPE_CHECKING:
    from tl_course.tasks import Task

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


def check_head_only(model: nn.Module, task: "Task") -> str:
    """Whether ``model`` is pretrained, has a new head for ``task``, and trains nothing else.

    Returns one line: praise with the number of weights left to train, or the first thing the
    model shows to be wrong, and what it would lead to.
    """
    source = models.load("resnet10")
    if not isinstance(model, nn.Module):
        return f"Not yet: this is {type(model).__name__}, not a network. models.load gives one."
    if type(model) is not type(source):
        return f"Not yet: this is a {type(model).__name__}. The exercise is about resnet10."
    outputs = surgery.classifier(model).out_features
    if outputs != len(task.classes):
        return (
            f"Not yet: the head has {outputs} outputs and {task.name} has {len(task.classes)} "
            "classes. It would answer with the names of its old job. See surgery.replace_head."
        )
    parts = surgery.stages(model)
    *body, head = parts
    if not any(p.requires_grad for p in parts[head].parameters()):
        return (
            "Not yet: the head is frozen too, so nothing is left to learn. Its weights are random: "
            "the answers would stay a guess. Freeze before you replace the head, or unfreeze it."
        )
    loose = [name for name in body if name not in surgery.frozen(model)]
    if loose:
        return (
            f"Not yet: {', '.join(loose)} would still be trained. With few labels, that part can "
            "bend to them. See surgery.freeze."
        )
    known = source.state_dict()
    for name, value in model.state_dict().items():
        old = known.get(name)
        if old is None or old.shape != value.shape or torch.equal(old, value.cpu()):
            continue
        if "running" in name:
            return (
                f"Not yet: the BatchNorm statistics moved ({name}). The network saw pictures in "
                "training mode before it was frozen. Load it again and freeze first."
            )
        return (
            f"Not yet: {name} differs from the pretrained weights. A frozen backbone is worth what "
            "it knows, and this one is random or changed. Load it with pretrained=True."
        )
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    return f"Right: {count:,} of {total:,} weights are left to train, all in the new head."
