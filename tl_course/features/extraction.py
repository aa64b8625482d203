"""What a network computes on the way to its answer."""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models import classifier, stages
from tl_course.models.pooling import MeanWritten

PIXELS = 2**20  # of pictures that are computed at a time: more take gigabytes, and no less time
PIECE = 128  # inputs after which features may be kept
WORTH, OFTEN = 0.5, 30  # seconds of computing that are worth keeping, and after which it is kept
LONG = 2  # seconds after which a bar is shown
REMEMBERED_BYTES = 200_000_000  # of features that ``extract`` need not compute again
_Found = TypeVar("_Found", torch.Tensor, dict[str, torch.Tensor])
_remembered: OrderedDict[bytes, torch.Tensor] = OrderedDict()


def extract(
    model: nn.Module,
    inputs: torch.Tensor,
    stage: str | None = None,
    batch: int | None = None,
    keep: bool = False,
) -> torch.Tensor:
    """Features of raw ``inputs``: what the last linear layer sees (bottleneck features), or what
    ``stage`` puts out, averaged over the picture, the letters or tokens, or the sound.

    ``inputs``: as in ``Split``. Returns float32 (N, channels) on the CPU. The model is run in
    eval mode, on its own device, and left as it was. The same inputs through the same weights are
    not computed twice, unless a hook listens; with ``keep`` not in later sessions either: they are
    kept in the cache, and what was stopped goes on. ``batch`` inputs are computed at a time, by
    default as many as fit well. Raises ``UnknownName`` for an unknown stage, and ``BadInput``.
    """
    chain = None if stage is None else up_to(model, stage)

    def features(part: torch.Tensor) -> torch.Tensor:
        return averaged(chain(model.preprocess(part)) if chain else _bottleneck(model, part))

    if any(each._forward_hooks or each._forward_pre_hooks for each in model.modules()):
        return run(model, features, inputs, batch)
    key = _fingerprint(model, inputs, stage, batch)
    if key not in _remembered:

        def compute(part: torch.Tensor) -> torch.Tensor:
            return run(model, features, part, batch)

        _remembered[key] = _kept(key.hex(), compute, inputs) if keep else compute(inputs)
        while sum(found.nbytes for found in _remembered.values()) > REMEMBERED_BYTES:
            _, oldest = _remembered.popitem(last=False)
            if not _remembered:
                return oldest  # too large to keep
    _remembered.move_to_end(key)
    return _remembered[key].clone()


def _kept(
    key: str, compute: Callable[[torch.Tensor], torch.Tensor], inputs: torch.Tensor
) -> torch.Tensor:
    """What ``compute`` gives for ``inputs``, from the cache as far as it is there."""
    from tqdm.auto import tqdm

    name = f"features-{key}"
    kept = store.kept(name).get("features")
    done: list[torch.Tensor] = []
    if kept is not None and kept.dtype == "f4" and kept.shape[1:] == compute(inputs[:1]).shape[1:]:
        done += [torch.from_numpy(kept[: len(inputs)])]  # else another version left them
    start = stored = sum(map(len, done))
    began = time.monotonic()
    pieces = inputs[start:].split(PIECE) if start < len(inputs) else ()
    try:
        for piece in tqdm(pieces, desc="features", delay=LONG, leave=False):
            done.append(compute(piece))
            if time.monotonic() - began > OFTEN:
                stored, began = _store(name, done), time.monotonic()
    finally:  # whatever stops it
        if time.monotonic() - began > WORTH and stored < sum(map(len, done)):
            _store(name, done)
    return torch.cat(done) if done else compute(inputs)


def _store(name: str, done: list[torch.Tensor]) -> int:
    whole = torch.cat(done)
    store.keep(name, features=whole.numpy())
    return len(whole)


def _fingerprint(
    model: nn.Module, inputs: torch.Tensor, stage: str | None, batch: int | None
) -> bytes:
    """A checksum of all that features depend on: weights, statistics, what the network is shown."""
    parts = _batches(model, inputs, batch)
    digest = hashlib.blake2b(f"{type(model)} {stage} {len(inputs)}".encode(), digest_size=16)
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    digest.update(" ".join(f"{name} {value.device}" for name, value in weights.items()).encode())
    device = next(model.parameters()).device
    shown = (model.preprocess(part.to(device)) for part in parts)
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


def up_to(model: nn.Module, stage: str) -> nn.Sequential:
    """The stages up to and with ``stage``. Raises ``UnknownName``."""
    parts = stages(model)
    names = [*parts]
    last = names.index(store.choose("stage", stage, names))
    return nn.Sequential(*[parts[name] for name in names[: last + 1]])


def averaged(maps: torch.Tensor) -> torch.Tensor:
    """What a stage puts out, averaged over the picture, the letters or tokens: (N, channels)."""
    if maps.ndim == 3:  # texts: what stands behind the last letter is zero, and not counted
        return MeanWritten()(maps)
    return maps.mean(dim=(2, 3)) if maps.ndim == 4 else maps


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while, then each module's own again."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def run(
    model: nn.Module,
    function: Callable[[torch.Tensor], _Found],
    inputs: torch.Tensor,
    batch: int | None = None,
) -> _Found:
    """``function`` over ``inputs`` in batches, without gradients, with the model in eval mode.

    Returns what it gives for all of them as float32 on the CPU, by name where it gives a dict.
    """
    device = next(model.parameters()).device
    found: dict[str, list[torch.Tensor]] = {}
    with evaluating(model), torch.no_grad():  # not inference_mode: a head is trained on the result
        for part in _batches(model, inputs, batch):
            given = function(part.to(device))
            for name, value in (given if isinstance(given, dict) else {"": given}).items():
                found.setdefault(name, []).append(value.float().cpu())
    whole = {name: _joined(parts) for name, parts in found.items()}
    return whole.get("", whole)


def _joined(parts: list[torch.Tensor]) -> torch.Tensor:
    if parts[0].ndim == 3:  # texts: each batch is as long as its longest
        longest = max(part.shape[1] for part in parts)
        parts = [F.pad(part, (0, 0, 0, longest - part.shape[1])) for part in parts]
    return torch.cat(parts)


def _batches(
    model: nn.Module, inputs: torch.Tensor, batch: int | None = None
) -> Iterable[torch.Tensor]:
    if not isinstance(inputs, torch.Tensor) or not inputs.ndim:
        model.preprocess(inputs)  # raises, and says what it expects
    if batch is None:
        side = getattr(model.preprocess, "size", None)
        batch = max(1, PIXELS // (side if isinstance(side, int) else 64) ** 2)
    return inputs.split(store.whole("batch", batch))
