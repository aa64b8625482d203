"""What a network computes on the way to its answer: features, linear probes, the frozen prefix."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from tl_course import store
from tl_course.models import Ends, stages

if TYPE_CHECKING:
    import numpy as np
    from sklearn.pipeline import Pipeline

    from tl_course.tasks import Split, Task

CACHE_LIMIT = 1_000_000_000  # bytes of features kept in memory


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


@dataclass(frozen=True)
class Prefix:
    """The part of a model below its first trainable stage, which gives the same for a picture
    in every epoch, and the rest.
    """

    model: nn.Module
    below: nn.Sequential
    above: nn.Sequential
    names: tuple[str, ...]

    def apply(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the prefix once over raw ``inputs``; float32 on the CPU."""
        return run(self.model, lambda x: self.below(self.model.preprocess(x)), inputs)

    def fits(self, inputs: torch.Tensor) -> bool:
        """Whether the features of ``inputs`` stay below ``CACHE_LIMIT``."""
        return self.apply(inputs[:1]).nbytes * len(inputs) <= CACHE_LIMIT


def split_prefix(model: nn.Module) -> Prefix | None:
    """Cut the model at its first trainable stage; ``None`` where the first stage is trained.

    Pooling at the start of that stage goes below the cut: it has nothing to learn.
    """
    parts = stages(model)
    names, below, above = [], [], []
    for name, part in parts.items():
        trained = any(parameter.requires_grad for parameter in part.parameters())
        if above or trained:
            above.append(part)
        else:
            names.append(name)
            below.append(part)
    if not names or not above:
        return None
    first = [*above[0]] if isinstance(above[0], nn.Sequential) else [above[0]]
    while len(first) > 1 and _is_pooling(first[0]):
        below.append(first.pop(0))
    rest = nn.Sequential(*first, *above[1:])
    return Prefix(model, nn.Sequential(*below), rest, tuple(names))


def _is_pooling(module: nn.Module) -> bool:
    kinds = (nn.AdaptiveAvgPool2d, nn.Flatten, Ends)
    return isinstance(module, kinds) or (
        isinstance(module, nn.Sequential) and all(_is_pooling(child) for child in module)
    )


@dataclass(frozen=True)
class Probe:
    """A linear classifier on frozen features. ``accuracy`` is that on the validation split."""

    classifier: "Pipeline"
    accuracy: float
    strength: float

    def predict(self, features: torch.Tensor) -> "np.ndarray":
        """Class indices, int64 (N,), for features (N, channels)."""
        return self.classifier.predict(features.numpy())


def probe(features: torch.Tensor, split: "Split", val: torch.Tensor, val_split: "Split") -> Probe:
    """Fit a logistic regression on frozen features; its regularisation is chosen on validation.

    ``features`` (N, channels) belong to ``split``, ``val`` to ``val_split``. Five strengths
    from 1e-3 to 10 are tried (Alain and Bengio 2016, arXiv:1610.01644, on linear probes).
    Raises ``BadInput`` for training labels of one class, or several labels an input.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    if split.labels.ndim > 1:
        raise store.BadInput(
            "a linear probe", "its inputs have several answers each", "Probe one: labels[:, 3]"
        )
    if len(split.labels.unique()) < 2:
        raise store.BadInput(
            "a linear probe", "all its training labels are of one class", "Pass two classes or more"
        )
    best = None
    for strength in (1e-3, 1e-2, 1e-1, 1.0, 10.0):
        pipeline = make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=1000))
        pipeline.fit(features.numpy(), split.labels.numpy())
        accuracy = float(pipeline.score(val.numpy(), val_split.labels.numpy()))
        if best is None or accuracy > best.accuracy:
            best = Probe(pipeline, accuracy, strength)
    return best


def probe_task(model: nn.Module, task: "Task", stage: str | None = None) -> dict:
    """A linear probe on ``stage`` of ``model``: chosen on validation, tested once.

    Returns ``val_accuracy``, ``test_accuracy`` and ``test_balanced``, all in [0, 1].
    """
    from sklearn.metrics import accuracy_score, balanced_accuracy_score

    train, val, test = (
        extract(model, split.inputs, stage) for split in (task.train, task.val, task.test)
    )
    fitted = probe(train, task.train, val, task.val)
    labels, answers = task.test.labels.numpy(), fitted.predict(test)
    return {
        "val_accuracy": fitted.accuracy,
        "test_accuracy": float(accuracy_score(labels, answers)),
        "test_balanced": float(balanced_accuracy_score(labels, answers)),
    }
