"""Linear probes: what can be read from frozen features."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from tl_course import store
from tl_course.features.extraction import averaged, extract, run
from tl_course.models import stages

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from tl_course.tasks import Split, Task

UNKNOWN = 100.0  # nats below every other logit
STRENGTHS, FARTHEST = range(-3, 2), 6  # powers of ten: those always tried, the last beyond them


def every_stage(model: nn.Module, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
    """Features of raw ``inputs`` after every stage but the head, in one pass.

    Each float32 (N, channels), averaged as ``extract`` gives them one by one.
    """
    parts = [*stages(model).items()][:-1]

    def pooled(batch: torch.Tensor) -> dict[str, torch.Tensor]:
        maps, found = model.preprocess(batch), {}
        for name, part in parts:
            maps = part(maps)
            found[name] = averaged(maps)
        return found

    return run(model, pooled, inputs)


@dataclass(frozen=True)
class Probe:
    """A linear classifier on frozen features. ``accuracy`` is that on the validation split."""

    classifier: "Pipeline"
    accuracy: float
    strength: float

    def predict(self, features: torch.Tensor) -> np.ndarray:
        """Class indices, int64 (N,), for features (N, channels)."""
        return self.classifier.predict(features.numpy())

    def layer(self, outputs: int) -> nn.Linear:
        """The same answers as a linear layer, from features to one logit for each of ``outputs``.

        An output that it never met in training gets a probability of nearly zero.
        """
        scaler, regression = (step for _, step in self.classifier.steps)
        slopes = torch.tensor(regression.coef_ / scaler.scale_)
        offsets = torch.tensor(regression.intercept_) - slopes @ torch.tensor(scaler.mean_)
        if len(regression.classes_) == 2:  # one logit between two
            slopes, offsets = torch.cat([-slopes, slopes]) / 2, torch.cat([-offsets, offsets]) / 2
        layer = nn.Linear(slopes.shape[1], outputs)
        with torch.no_grad():
            layer.weight.zero_()
            layer.bias.fill_(float(offsets.min()) - UNKNOWN)
            layer.weight[regression.classes_] = slopes.float()
            layer.bias[regression.classes_] = offsets.float()
        return layer


def probe(
    features: torch.Tensor,
    split: "Split",
    val: torch.Tensor,
    val_split: "Split",
    steady: bool = False,
) -> Probe:
    """Fit a logistic regression on frozen features; its regularisation is chosen on validation.

    ``features`` (N, channels) belong to ``split``, ``val`` to ``val_split``. Five strengths
    from 1e-3 to 10 are tried (Alain and Bengio 2016, arXiv:1610.01644, on linear probes).
    ``steady`` is for a head that will meet other pictures: channels that are nearly silent in
    training are not blown up, more strengths are tried beyond an end for as long as the best is
    there, and of those that are equally right the middle one is taken, else the first. Raises
    ``BadInput`` for training labels of one class, or several labels an input.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from tl_course.features.scaling import SteadyScaler

    if split.labels.ndim > 1:
        raise store.BadInput(
            "a linear probe", "its inputs have several answers each", "Probe one: labels[:, 3]"
        )
    if len(split.labels.unique()) < 2:
        raise store.BadInput(
            "a linear probe", "all its training labels are of one class", "Pass two classes or more"
        )

    def fitted(strength: float) -> Probe:
        scaler = SteadyScaler() if steady else StandardScaler()
        pipeline = make_pipeline(scaler, LogisticRegression(C=strength, max_iter=1000))
        pipeline.fit(features.numpy(), split.labels.numpy())
        accuracy = float(pipeline.score(val.numpy(), val_split.labels.numpy()))
        return Probe(pipeline, accuracy, strength)

    found = {power: fitted(10.0**power) for power in STRENGTHS}

    def best() -> int:
        top = max(each.accuracy for each in found.values())
        level = sorted(power for power, each in found.items() if each.accuracy == top)
        return level[len(level) // 2 if steady else 0]

    while steady and abs(best()) < FARTHEST and best() in (min(found), max(found)):
        beyond = best() + (1 if best() == max(found) else -1)
        found[beyond] = fitted(10.0**beyond)
    return found[best()]


def probe_task(model: nn.Module, task: "Task", stage: str | None = None) -> dict:
    """A linear probe on ``stage`` of ``model``: chosen on validation, tested once.

    Returns ``val_accuracy``, ``test_accuracy`` and ``test_balanced``, all in [0, 1].
    """
    splits = task.train, task.val, task.test
    return probe_features([extract(model, split.inputs, stage) for split in splits], task)


def probe_features(features: Sequence[torch.Tensor], task: "Task") -> dict:
    """The same for ``features`` (N, channels) of any kind: of training, validation and test."""
    from sklearn.metrics import accuracy_score, balanced_accuracy_score

    train, val, test = features
    fitted = probe(train, task.train, val, task.val)
    labels, answers = task.test.labels.numpy(), fitted.predict(test)
    return {
        "val_accuracy": fitted.accuracy,
        "test_accuracy": float(accuracy_score(labels, answers)),
        "test_balanced": float(balanced_accuracy_score(labels, answers)),
    }
