"""The checks of lesson 03: a new head, its learning rate, and what may move."""

import re
from collections.abc import Callable
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import nn

from tl_course import surgery, train
from tl_course.practice.grading import NotYet, graded, is_statistic, moved, no_hooks, pupil, state

if TYPE_CHECKING:
    from tl_course.tasks import Task

OLD = 1000  # outputs of the head that exercises begin with: ImageNet's classes


@graded
def check_sewn(model: nn.Module, task: "Task") -> str:
    """Whether ``model`` answers with one number a class of ``task``, from a new linear layer."""
    if not hasattr(model, "preprocess"):
        raise NotYet(
            f"this {type(model).__name__} has no preprocess. Change the network that models.load "
            "gave, not a copy of its parts."
        )
    outputs = len(task.classes)
    parts = [part for part in model.modules() if part is not model.preprocess]
    *_, last = (part for part in parts if not [*part.children()])
    logits = _logits(model.eval(), model.preprocess(task.test.inputs[:2]))
    if not isinstance(last, nn.Linear):
        raise NotYet(
            f"no head is left, the network ends in {type(last).__name__} with {logits.shape[-1]} "
            f"numbers. Put a linear layer there, {outputs} out."
        )
    if any(isinstance(part, nn.Linear) and part.out_features == OLD for part in parts):
        raise NotYet(
            f"the old head with {OLD} outputs is still there. {task.name} has {outputs} classes: "
            "put the new layer in its place."
        )
    if logits.shape != (2, outputs):
        raise NotYet(f"the output has shape {tuple(logits.shape)}, not (2, {outputs}).")
    if not last.weight.requires_grad:
        raise NotYet("the new head is frozen, so it would stay a guess.")
    return f"{last.in_features} features in, {outputs} logits out. Untrained, it guesses."


@torch.no_grad()
def _logits(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    try:
        return model(inputs)
    except RuntimeError as error:
        shapes = re.search(r"cannot be multiplied \(\d+x(\d+) and (\d+)x", str(error))
        if shapes is None:
            raise
        raise NotYet(
            f"a layer expects {shapes[2]} numbers and gets {shapes[1]}. A new head must be as wide "
            "as what comes before it: the old one's in_features."
        ) from error


@graded
def check_rates(groups: list, model: nn.Module) -> str:
    """Whether ``groups``, as an optimizer takes them, train all of ``model``, the head faster."""
    rates = _rates(groups, model)
    found = {}
    for name, part in surgery.stages(model).items():
        here = [rates.get(id(weight)) for weight in part.parameters()]
        if None in here:
            raise NotYet(f"weights of {name} are in no group. They would stay as they are.")
        found[name] = min(here) if name == "head" else max(here)
    head, fastest = found.pop("head"), max(found.values())
    if head <= fastest:
        raise NotYet(
            f"the head learns at {head:g} and the backbone at up to {fastest:g}. The head is "
            "random and has far to go; the backbone knows something to lose."
        )
    if head < 5 * fastest:
        raise NotYet(f"the head is only {head / fastest:.1f} times as fast. Try ten times.")
    return f"the head learns at {head:g}, the backbone at {fastest:g} or below."


def _rates(groups: list, model: nn.Module) -> dict[int, float]:
    """The learning rate of each weight, by its id."""
    if isinstance(groups, torch.optim.Optimizer):
        groups = groups.param_groups
    listed = isinstance(groups, list | tuple) and all(isinstance(group, dict) for group in groups)
    if not listed or not all(group.keys() >= {"params", "lr"} for group in groups):
        raise NotYet('an optimizer takes a list of {"params": [...], "lr": 1e-3}.')
    names = {id(weight): name for name, weight in model.named_parameters()}
    rates: dict[int, float] = {}
    for group in groups:
        rate, weights = group["lr"], group["params"]
        if not isinstance(rate, Real) or not 0 < rate < float("inf"):
            raise NotYet(f"{rate!r} is no learning rate that trains. Try 1e-3.")
        if not isinstance(weights, list | tuple):
            raise NotYet(
                f"params is a {type(weights).__name__}, not a list. Whoever goes through a "
                "generator uses it up. Put it into brackets: [*model.parameters()]."
            )
        for weight in weights:
            if id(weight) in rates:
                raise NotYet(f"{names[id(weight)]} stands there twice. Each weight needs one rate.")
            if id(weight) not in names:
                raise NotYet(
                    f"params holds a {type(weight).__name__} that is no weight of this model. "
                    "Build the groups from model.parameters()."
                )
            rates[id(weight)] = rate
    return rates


@graded
def check_frozen_training(learn: Callable) -> str:
    """Whether ``learn(model, task)`` trains the head of a ``pupil`` and nothing else."""
    model, task = pupil()
    before, loss = state(model), train.evaluate(model, task.train).loss
    learn(model, task)
    no_hooks(model)
    changed = moved(before, model.state_dict())
    if statistics := [name for name in changed if is_statistic(name)]:
        raise NotYet(
            f"the BatchNorm statistics moved ({statistics[0]} and {len(statistics) - 1} more). "
            "requires_grad=False does not stop them: the frozen part must be in eval mode."
        )
    if body := [name for name in changed if not name.startswith("head")]:
        raise NotYet(f"{body[0]} moved. Freeze the stages, or give the optimizer the head alone.")
    if not changed:
        raise NotYet(
            "nothing moved. Is the head frozen too, or does the optimizer hold other weights than "
            "the model's?"
        )
    now = train.evaluate(model, task.train).loss
    if not now < loss:
        raise NotYet(
            f"the head moved, but its loss on what it learned from went from {loss:.2f} to "
            f"{now:.2f}. Is it still the model's own head, and is the rate too high?"
        )
    return f"{' and '.join(changed)} moved, and {len(before) - len(changed)} tensors did not."
