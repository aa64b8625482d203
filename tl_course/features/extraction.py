"""What a network computes on the way to its answer."""

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models import classifier, stages


def extract(
    model: nn.Module, inputs: torch.Tensor, stage: str | None = None, batch: int = 256
) -> torch.Tensor:
    """Features of raw ``inputs``: what the last linear layer sees (bottleneck features), or what
    ``stage`` puts out, averaged over the picture, the letters or tokens, or the sound.

    ``inputs``: as in ``Split``. Returns float32 (N, channels) on the CPU. The model is run in
    eval mode and left as it was. Raises ``UnknownName`` for an unknown stage.
    """
    parts = stages(model)
    if stage is None:
        return run(model, lambda part: averaged(_bottleneck(model, part)), inputs, batch)
    names = [*parts]
    stage = store.choose("stage", stage, names)
    chain = nn.Sequential(*[parts[name] for name in names[: names.index(stage) + 1]])
    return run(model, lambda part: averaged(chain(model.preprocess(part))), inputs, batch)


def _bottleneck(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    seen = []
    with classifier(model).register_forward_pre_hook(lambda _, given: seen.append(given[0])):
        model(model.preprocess(inputs))
    return seen[0]


def averaged(maps: torch.Tensor) -> torch.Tensor:
    """What a stage puts out, averaged over the picture, the letters or tokens: (N, channels)."""
    if maps.ndim == 3:  # texts: what stands behind the last letter is zero, and not counted
        return maps.sum(1) / (maps != 0).any(-1).sum(1, keepdim=True).clamp(min=1)
    return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps


def run(model: nn.Module, function, inputs: torch.Tensor, batch: int = 256) -> torch.Tensor:
    """``function`` over ``inputs`` in batches, without gradients, with the model in eval mode."""
    if not isinstance(inputs, torch.Tensor):
        model.preprocess(inputs)  # raises, and says what it expects
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():  # not inference_mode: a head is trained on what comes out
            parts = [function(part.to(device)).float().cpu() for part in inputs.split(batch)]
    finally:
        for module, training in modes:
            module.training = training
    if parts[0].ndim == 3:  # texts: each batch is as long as its longest
        longest = max(part.shape[1] for part in parts)
        parts = [F.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts]
    return torch.cat(parts)
