"""What the stages of a network put out while it runs."""

from functools import partial

import torch
from torch import nn

from tl_course import store
from tl_course.models import stages


class Tap:
    """Keeps what stages put out in the forward passes made inside ``with``.

    ``with Tap(model, "stem", "layer2") as tap: model(x)``, then ``tap["layer2"]``: the last
    pass's output, with its graph, so that gradients can be asked for. Without names every stage
    is tapped. The model's own forward must run; afterwards the model is as it was. Raises
    ``UnknownName`` before anything is hooked, and ``BadInput`` for a stage whose output no module
    of the model gives or takes, and for one that nothing has passed through.
    """

    def __init__(self, model: nn.Module, *names: str):
        parts = stages(model)
        for name in names:
            store.choose("stage", name, parts)
        self._model = model
        self._taps = {name: self._place(parts, name) for name in names or parts}
        self._hooks: list[torch.utils.hooks.RemovableHandle] = []
        self._kept: dict[str, torch.Tensor] = {}

    def _place(self, parts: dict[str, nn.Module], name: str) -> tuple[str, nn.Module]:
        """The module that puts out what the stage does, or else the one that takes it in."""
        own, order = {*self._model.modules()}, [*parts]
        if found := _edge(parts[name], own, last=True):
            return "output", found
        if name == order[-1]:
            return "output", self._model
        if found := _edge(parts[order[order.index(name) + 1]], own, last=False):
            return "input", found
        raise store.BadInput(
            f"stage {name!r} of this {type(self._model).__name__}",
            "no module of the model gives or takes what it puts out",
            f"Tap another one of {', '.join(parts)}",
        )

    def _keep(self, name: str, value) -> None:
        self._kept[name] = value[0] if isinstance(value, tuple) else value

    def _keep_output(self, name: str, module, inputs, output) -> None:
        self._keep(name, output)

    def _keep_input(self, name: str, module, inputs, options) -> None:
        self._keep(name, inputs or tuple(options.values()))

    def __enter__(self) -> "Tap":
        for name, (side, module) in self._taps.items():
            if side == "output":
                hook = module.register_forward_hook(partial(self._keep_output, name))
            else:
                keep = partial(self._keep_input, name)
                hook = module.register_forward_pre_hook(keep, with_kwargs=True)
            self._hooks.append(hook)
        return self

    def __exit__(self, *_) -> None:
        while self._hooks:
            self._hooks.pop().remove()

    def __getitem__(self, name: str) -> torch.Tensor:
        store.choose("tapped stage", name, self._taps)
        if name not in self._kept:
            raise store.BadInput(
                f"stage {name!r}", "nothing has passed through it", "Run the model inside with"
            )
        return self._kept[name]


def _edge(stage: nn.Module, own: set[nn.Module], last: bool) -> nn.Module | None:
    """The last or first module of a stage that the model's own forward calls, if it has one."""
    if stage in own:
        return stage
    if isinstance(stage, nn.Sequential) and len(stage):
        return _edge(stage[-1 if last else 0], own, last)
    return None
