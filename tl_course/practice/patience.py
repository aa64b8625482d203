"""What every check of an exercise has in common: it answers, whatever it is given."""

from collections.abc import Callable
from functools import wraps

from torch import nn

from tl_course import models, store


def patient(check: Callable[..., str]) -> Callable[..., str]:
    """A check that answers "Not yet" in one line where the learner's work makes it stop."""

    @wraps(check)
    def answer(*given) -> str:
        try:
            return check(*given)
        except store.CourseError as error:
            return one_line(f"Not yet: {error}")
        except Exception as error:  # the learner's own code, or something else than was asked for
            return one_line(f"Not yet: this stops with {type(error).__name__}: {error}.")

    return answer


def one_line(text: str) -> str:
    """``text`` without line breaks."""
    return " ".join(text.split())


def not_a_reader(model: nn.Module) -> str:
    """What to say of ``model`` if it is no number reader; empty if it is one."""
    if isinstance(model, models.NumberReader):
        return ""
    return f"Not yet: this is {type(model).__name__}, not a reader of numbers."


def hooked(model: nn.Module) -> str:
    """The name of the first module with a hook; empty if there is none."""
    for name, module in model.named_modules():
        if module._forward_hooks or module._forward_pre_hooks or module._backward_hooks:
            return repr(name) if name else "the network"
    return ""
