"""The checks of lessons 00 and 03: a new head, and what may move."""

import re
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import nn

from tl_course import models, surgery, tasks, train
from tl_course.practice.patience import hooked, one_line, patient

if TYPE_CHECKING:
    from tl_course.tasks import Task

OLD = 1000  # outputs of the head that exercises begin with: ImageNet's classes


@patient
def check_sewn(model: nn.Module, task: "Task") -> str:
    """Whether ``model`` answers with one number a class of ``task``, from a new linear layer."""
    if not isinstance(model, nn.Module):
        return f"Not yet: this is {type(model).__name__}, not a network."
    if not hasattr(model, "preprocess"):
        return (
            f"Not yet: this {type(model).__name__} has no preprocess. Change the network that "
            "models.load gave, not a copy of its parts."
        )
    outputs = len(task.classes)
    parts = [part for part in model.modules() if part is not model.preprocess]
    *_, last = (part for part in parts if not [*part.children()])
    inputs = model.preprocess(task.test.inputs[:2])
    model.eval()
    try:
        with torch.no_grad():
            logits = model(inputs)
    except RuntimeError as error:
        shapes = re.search(r"cannot be multiplied \(\d+x(\d+) and (\d+)x", str(error))
        if shapes is None:
            raise
        return (
            f"Not yet: a layer expects {shapes[2]} numbers and gets {shapes[1]}. A new head must "
            "be as wide as what comes before it: the old one's in_features."
        )
    if not isinstance(last, nn.Linear):
        return (
            f"Not yet: no head is left, the network ends in {type(last).__name__} with "
            f"{logits.shape[-1]} numbers. Put a linear layer there, {outputs} out."
        )
    if any(isinstance(part, nn.Linear) and part.out_features == OLD for part in parts):
        return (
            f"Not yet: the old head with {OLD} outputs is still there. {task.name} has {outputs} "
            "classes: put the new layer in its place."
        )
    if logits.shape != (2, outputs):
        return f"Not yet: the output has shape {tuple(logits.shape)}, not (2, {outputs})."
    if not last.weight.requires_grad:
        return "Not yet: the new head is frozen, so it would stay a guess."
    return f"Right: {last.in_features} features in, {outputs} logits out. Untrained, it guesses."


@patient
def check_rates(groups: list, model: nn.Module) -> str:
    """Whether ``groups``, as an optimizer takes them, train all of ``model``, the head faster."""
    if isinstance(groups, torch.optim.Optimizer):
        groups = groups.param_groups
    listed = isinstance(groups, list | tuple) and all(isinstance(group, dict) for group in groups)
    if not listed or not all(group.keys() >= {"params", "lr"} for group in groups):
        return 'Not yet: an optimizer takes a list of {"params": [...], "lr": 1e-3}.'
    names = {id(weight): name for name, weight in model.named_parameters()}
    rates: dict[int, float] = {}
    for group in groups:
        rate, weights = group["lr"], group["params"]
        if not isinstance(rate, Real) or not 0 < rate < float("inf"):
            return one_line(f"Not yet: {rate!r} is no learning rate that trains. Try 1e-3.")
        if not isinstance(weights, list | tuple):
            return (
                f"Not yet: params is a {type(weights).__name__}, not a list. Whoever goes through "
                "a generator uses it up. Put it into brackets: [*model.parameters()]."
            )
        for weight in weights:
            if id(weight) in rates:
                return (
                    f"Not yet: {names[id(weight)]} stands there twice. Each weight needs one rate."
                )
            if id(weight) not in names:
                return (
                    f"Not yet: params holds a {type(weight).__name__} that is no weight of this "
                    "model. Build the groups from model.parameters()."
                )
            rates[id(weight)] = rate
    found = {}
    for name, part in surgery.stages(model).items():
        here = [rates.get(id(weight)) for weight in part.parameters()]
        if None in here:
            return f"Not yet: weights of {name} are in no group. They would stay as they are."
        found[name] = min(here) if name == "head" else max(here)
    *body, head = found
    fastest = max(found[name] for name in body)
    if found[head] <= fastest:
        return (
            f"Not yet: the head learns at {found[head]:g} and the backbone at up to {fastest:g}. "
            "The head is random and has far to go; the backbone knows something to lose."
        )
    if found[head] < 5 * fastest:
        return (
            f"Not yet: the head is only {found[head] / fastest:.1f} times as fast. Try ten times."
        )
    return f"Right: the head learns at {found[head]:g}, the backbone at {fastest:g} or below."


@patient
def check_frozen_training(learn: Callable) -> str:
    """Whether ``learn(model, task)`` trains the head of a fresh ``resnet10`` and nothing else.

    The model comes with a head for the leaves, in training mode, nothing frozen.
    """
    if not callable(learn):
        return f"Not yet: this is {type(learn).__name__}, not a function."
    torch.manual_seed(0)
    task = tasks.load("leaves").few(64, seed=0)
    model = surgery.replace_head(models.load("resnet10"), len(task.classes)).train()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    loss = train.evaluate(model, task.train).loss
    learn(model, task)
    after = model.state_dict()
    if left := hooked(model):
        return f"Not yet: a hook is left behind on {left}. Remove it when you are done."
    changed = [
        name
        for name, value in before.items()
        if name not in after
        or after[name].shape != value.shape
        or not torch.equal(after[name], value)
    ]
    if moved := [name for name in changed if "running" in name or "num_batches" in name]:
        return (
            f"Not yet: the BatchNorm statistics moved ({moved[0]} and {len(moved) - 1} more). "
            "requires_grad=False does not stop them: the frozen part must be in eval mode."
        )
    if body := [name for name in changed if not name.startswith("head")]:
        return f"Not yet: {body[0]} moved. Freeze the stages, or give the optimizer the head alone."
    if not changed:
        return (
            "Not yet: nothing moved. Is the head frozen too, or does the optimizer hold other "
            "weights than the model's?"
        )
    if not (now := train.evaluate(model, task.train).loss) < loss:
        return (
            f"Not yet: the head moved, but its loss on what it learned from went from {loss:.2f} "
            f"to {now:.2f}. Is it still the model's own head, and is the rate too high?"
        )
    return (
        f"Right: {' and '.join(changed)} moved, and {len(before) - len(changed)} tensors did not."
    )
