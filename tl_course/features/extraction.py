"""What a network computes on the way to its answer."""

import torch
from torch import nn

from tl_course import store
from tl_course.models import stages


def extract(
    model: nn.Module, inputs: torch.Tensor, stage: str | None = None, batch: int = 256
) -> torch.Tensor:
    """Features of raw ``inputs`` after ``stage`` (default: the last before the head), averaged
    over the picture or the letters.

    ``inputs``: as in ``Split``. Returns float32 (N, channels) on the CPU. The model is run in
    eval mode and left as it was. Raises ``UnknownName`` for an unknown stage.
    """
    parts = stages(model)
    names = [*parts]
    stage = store.choose("stage", names[-2] if stage is None else stage, names)
    chain = nn.Sequential(*[parts[name] for name in names[: names.index(stage) + 1]])

    def pooled(pictures: torch.Tensor) -> torch.Tensor:
        maps = chain(model.preprocess(pictures))
        if maps.ndim == 3:  # texts: what stands behind the last letter is zero, and not counted
            return maps.sum(1) / (maps != 0).any(-1).sum(1, keepdim=True).clamp(min=1)
        return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps

    return run(model, pooled, inputs, batch)


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
    return torch.cat(parts)
