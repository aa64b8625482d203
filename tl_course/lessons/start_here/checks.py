"""The check of lesson 00: a new head, and nothing else that learns."""

from typing import TYPE_CHECKING

import torch
from torch import nn

from tl_course import models, surgery

if TYPE_CHECKING:
    from tl_course.tasks import Task


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
