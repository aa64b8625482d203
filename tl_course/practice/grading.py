"""How a check asks the learner's work, compares it, and answers in one line."""

import copy
import inspect
import operator
import typing
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from numbers import Real

import numpy as np
import torch
from torch import nn

from tl_course import models, store, surgery, tasks
from tl_course.practice import order

if typing.TYPE_CHECKING:
    from tl_course.tasks import Split, Task

# what an argument of a check is called that is annotated so
KINDS = {
    Callable: "a function",
    nn.Module: "a network. models.load gives one",
    models.NumberReader: "a reader of numbers",
    torch.Tensor: "a tensor",
}


class NotYet(Exception):  # noqa: N818 - the name says what the learner reads
    """What is wrong with the learner's work, and what to look at."""


def graded(check: Callable[..., str]) -> Callable[..., str]:
    """A check that answers in one line whatever it is given: "Right: …" or "Not yet: …".

    ``check`` returns the praise and raises ``NotYet``. The errors of the course and of the
    learner's own code become a line too, and so does an argument that is not what its annotation,
    one of ``KINDS``, says.
    """
    signature = inspect.signature(check)
    kinds = {
        name: kind
        for name, each in signature.parameters.items()
        if (kind := typing.get_origin(each.annotation) or each.annotation) in KINDS
    }

    @wraps(check)
    def answer(*given, **named) -> str:
        try:
            arguments = signature.bind(*given, **named).arguments
            for name, kind in kinds.items():
                subject = "this is" if len(kinds) == 1 else f"{name} is"
                want(arguments[name], kind, KINDS[kind], subject)
            said = f"Right: {check(**arguments)}"
        except (NotYet, store.CourseError) as fault:
            said = f"Not yet: {fault}"
        except Exception as error:  # the learner's own code, or something else than was asked for
            said = f"Not yet: this {_stops(error)}"
        return " ".join(said.split())

    return answer


def _stops(error: Exception) -> str:
    return f"stops with {type(error).__name__}: {error}. {order.hint(error)}"


def want(value: object, kind: type, name: str, subject: str = "this is") -> None:
    """Raises ``NotYet``, "this is int, not NAME", for a ``value`` that is not of the ``kind``."""
    if isinstance(value, bool) or not isinstance(value, kind):  # True is no number here
        raise NotYet(f"{subject} {type(value).__name__}, not {name}.")


def ask(
    function: Callable, *given, spoiled: str = "it changes what it is given. Work on a copy."
) -> object:
    """What the learner's ``function`` answers to copies of ``given``.

    Raises ``NotYet`` with ``spoiled`` where it does not leave them as they are.
    """
    copies = copy.deepcopy(given)
    answer = function(*copies)
    if not _alike(copies, given):
        raise NotYet(spoiled)
    return answer


def _alike(one, other) -> bool:
    if isinstance(other, list | tuple):
        return type(one) is type(other) and len(one) == len(other) and all(map(_alike, one, other))
    if isinstance(other, np.ndarray | torch.Tensor):
        return np.array_equal(one, other, equal_nan=True)
    return repr(one) == repr(other)  # as text, since NaN equals nothing


def compare_cases(
    function: Callable,
    cases: Sequence[tuple],
    reference: Callable,
    *,
    read: Callable[[object], object] = lambda answer: answer,
    same: Callable[[object, object], bool] = operator.eq,
    mistakes: Mapping[str, Callable] | None = None,
    hint: Callable[..., str] = lambda *_: "",
) -> list:
    """What the learner's ``function`` answers to ``cases``: the same as ``reference``.

    A case is what it is about, in words, and the arguments. ``read`` makes a value of an answer, or
    raises ``NotYet``. Where values differ, raises ``NotYet``: with the first of ``mistakes``,
    message to a function like ``reference``, that gives the same values in all cases; else with the
    first case that differs, and what ``hint(value, wanted, *arguments)`` says of it.
    """
    values = []
    for what, *given in cases:
        try:
            values.append(read(ask(function, *given)))
        except NotYet as fault:
            raise NotYet(f"on {what} {fault}") from None
        except Exception as error:  # the learner's own code
            raise NotYet(f"on {what} it {_stops(error)}") from error
    wanted = [reference(*given) for _, *given in cases]
    if all(map(same, values, wanted)):
        return values
    for message, mistake in (mistakes or {}).items():
        if all(map(same, values, [mistake(*given) for _, *given in cases])):
            raise NotYet(message)
    first = [*map(same, values, wanted)].index(False)
    (what, *given), value, right = cases[first], values[first], wanted[first]
    shown = [f"{each:g}" if isinstance(each, Real) else repr(each) for each in (value, right)]
    raise NotYet(f"on {what} it gives {shown[0]}, not {shown[1]}. {hint(value, right, *given)}")


def pupil() -> tuple[nn.Module, "Task"]:
    """A pretrained ``resnet10`` with a new head, all in training mode, nothing frozen; and the 64
    leaves that it is to learn from.
    """
    torch.manual_seed(0)
    task = tasks.load("leaves").few(64, seed=0)
    return surgery.replace_head(models.load("resnet10"), len(task.classes)).train(), task


def without(split: "Split", some: "Split") -> "Split":
    """The examples of ``split`` whose inputs are not in ``some``."""
    known = {each.numpy().tobytes() for each in some.inputs}
    return split.take([each.numpy().tobytes() not in known for each in split.inputs])


def state(model: nn.Module) -> dict[str, torch.Tensor]:
    """Weights and BatchNorm statistics by name, as they are now."""
    return {name: value.clone() for name, value in model.state_dict().items()}


def moved(before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]) -> list[str]:
    """Names of the weights and statistics in ``before`` that are not the same in ``after``."""
    return [
        name
        for name, value in before.items()
        if name not in after or not torch.equal(value, after[name].cpu())
    ]


def is_statistic(name: str) -> bool:
    """Whether ``name`` is one of BatchNorm's running statistics, not a weight."""
    return "running" in name or "num_batches" in name


def no_hooks(
    model: nn.Module,
    message: str = "a hook is left behind on {}. Remove it when you are done.",
) -> None:
    """Raises ``NotYet`` for a hook left on ``model``; ``message`` says where."""
    for name, part in model.named_modules():
        if part._forward_hooks or part._forward_pre_hooks or part._backward_hooks:
            raise NotYet(message.format(repr(name) if name else "the network"))
