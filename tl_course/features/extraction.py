"""What a network computes on the way to its answer."""

import hashlib
from collections import OrderedDict
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models import classifier, stages

REMEMBERED_BYTES = 200_000_000  # of features that ``extract`` need not compute again
_remembered: OrderedDict[bytes, torch.Tensor] = OrderedDict()


def extract(
    model: nn.Module, inputs: torch.Tensor, stage: str | None = None, batch: int = 256
) -> torch.Tensor:
    """Features of raw ``inputs``: what the last linear layer sees (bottleneck features), or what
    ``stage`` puts out, averaged over the picture, the letters or tokens, or the sound.

    ``inputs``: as in ``Split``. Returns float32 (N, channels) on the CPU. The model is run in
    eval mode, on its own device, and left as it was. The same inputs through the same weights are
    not computed twice, unless a hook listens. Raises ``UnknownName`` for an unknown stage.
    """
    parts = stages(model)
    chain = None
    if stage is not None:
        names = [*parts]
        last = names.index(store.choose("stage", stage, names))
        chain = nn.Sequential(*[parts[name] for name in names[: last + 1]])

    def features(part: torch.Tensor) -> torch.Tensor:
        maps = _bottleneck(model, part) if chain is None else chain(model.preprocess(part))
        return averaged(maps)

    if any(each._forward_hooks or each._forward_pre_hooks for each in model.modules()):
        return run(model, features, inputs, batch)
    key = _fingerprint(model, inputs, stage, batch)
    if key not in _remembered:
        _remembered[key] = run(model, features, inputs, batch)
        while sum(found.nbytes for found in _remembered.values()) > REMEMBERED_BYTES:
            _, oldest = _remembered.popitem(last=False)
            if not _remembered:
                return oldest  # too large to keep
    _remembered.move_to_end(key)
    return _remembered[key].clone()


def _fingerprint(model: nn.Module, inputs: torch.Tensor, stage: str | None, batch: int) -> bytes:
    """A checksum of all that features depend on: weights, statistics, what the network is shown."""
    digest = hashlib.blake2b(f"{type(model)} {stage} {len(inputs)}".encode(), digest_size=16)
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    digest.update(" ".join(f"{name} {value.device}" for name, value in weights.items()).encode())
    device = next(model.parameters()).device
    shown = (model.preprocess(part.to(device)) for part in _batches(model, inputs, batch))
    for tensors in (weights.values(), shown):
        for tensor in tensors:
            digest.update(str((tensor.dtype, tensor.shape)).encode())
            digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy())
    return digest.digest()


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
    device = next(model.parameters()).device
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        with torch.no_grad():  # not inference_mode: a head is trained on what comes out
            parts = [
                function(part.to(device)).float().cpu() for part in _batches(model, inputs, batch)
            ]
    finally:
        for module, training in modes:
            module.training = training
    if parts[0].ndim == 3:  # texts: each batch is as long as its longest
        longest = max(part.shape[1] for part in parts)
        parts = [F.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts]
    return torch.cat(parts)


def _batches(model: nn.Module, inputs: torch.Tensor, batch: int) -> Iterable[torch.Tensor]:
    if not isinstance(inputs, torch.Tensor):
        model.preprocess(inputs)  # raises, and says what it expects
    return inputs.split(batch)
