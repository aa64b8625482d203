"""The checks of lesson 02: features from inside, a channel's taste, and what CKA sees."""

import operator
from collections.abc import Callable
from typing import SupportsIndex

import torch
from torch import nn

from tl_course import features, models, surgery, tasks
from tl_course.practice.grading import NotYet, graded, is_statistic, moved, no_hooks, state, want

STAGE = "layer2"


@graded
def check_features(read: Callable) -> str:
    """Whether ``read(model, pictures, stage)`` gives features and leaves the network as it was.

    Runs it on a fresh ``resnet10`` that stands in training mode, on leaves; once more after the
    head was spoiled, so that the pass fails.
    """
    model = surgery.unfreeze(models.load("resnet10")).train()
    pictures = tasks.load("leaves").val.inputs[:40]
    before = state(model)
    found = read(model, pictures, STAGE)
    if found is None:
        raise NotYet("your function returns None. Put the averages into what it returns.")
    no_hooks(
        model,
        "a hook is left behind on {}. It would run in every later pass, and keep its last features "
        "in memory. Keep the handle, and call its remove().",
    )
    _unmoved(before, model.state_dict())
    _averages(found, features.extract(model, pictures, STAGE))
    if not all(part.training for part in model.modules()):
        raise NotYet(
            "the network stood in training mode before and stands in eval mode now. Who goes on "
            "training it will wonder. Note model.training first, and put it back."
        )
    if not all(weight.requires_grad for weight in model.parameters()):
        raise NotYet("weights are frozen now. Use torch.no_grad(), which ends by itself.")
    _restored_on_failure(read, model, pictures)
    return "the features are those of the stage, and nothing of you is left in the network."


def _unmoved(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> None:
    if other := sorted(before.keys() ^ after.keys()):
        raise NotYet(f"the network has lost or gained {other[0]}. Leave its parts where they are.")
    for name in moved(before, after)[:1]:
        if is_statistic(name):
            raise NotYet(
                f"the BatchNorm statistics moved ({name}). Looking must not change what is looked "
                "at: call model.eval() first."
            )
        raise NotYet(f"the weights moved ({name}). Looking must not change what is looked at.")


def _averages(found: object, expected: torch.Tensor) -> None:
    want(found, torch.Tensor, "a tensor")
    if found.ndim == 4:
        raise NotYet(
            f"the shape is {tuple(found.shape)}, whole maps. Average over the last two dimensions: "
            "one number a channel."
        )
    if found.shape != expected.shape:
        raise NotYet(f"the shape is {tuple(found.shape)}, not {tuple(expected.shape)}.")
    if found.requires_grad:
        raise NotYet("the features drag their gradients along. Use torch.no_grad().")
    if not torch.allclose(found.to(expected), expected, rtol=1e-3, atol=1e-4):
        raise NotYet(
            f"these are not the averages after {STAGE!r}. Is it preprocessed, once, and in eval "
            "mode?"
        )


def _restored_on_failure(read: Callable, model: nn.Module, pictures: torch.Tensor) -> None:
    model.head = nn.Linear(1, 1)  # takes nothing that a picture gives
    try:
        read(model, pictures, STAGE)
    except Exception:  # whatever the learner's code raises is right
        no_hooks(
            model,
            "when the pass fails, the hook on {} stays. Remove it in finally, or use features.Tap "
            "in a with.",
        )
        if not model.training:
            raise NotYet(
                "when the pass fails, the network stays in eval mode. Put the mode back in finally."
            ) from None


@graded
def check_channel(channel: int) -> str:
    """Whether that channel of layer1 prefers falling edges: 1.5 times any other direction.

    A channel's answer to a picture is how far its map rises above its own median.
    """
    want(channel, SupportsIndex, "the number of a channel")
    channel = operator.index(channel)  # NumPy and PyTorch have whole numbers of their own
    if not 0 <= channel < 32:
        raise NotYet(f"{channel} is no channel of layer1. They are 0 to 31.")
    model, edges = models.load("resnet10"), tasks.load("concepts_edges")
    with torch.no_grad(), features.Tap(model, "layer1") as tap:
        model(model.preprocess(edges.val.inputs))
    maps = tap["layer1"][:, channel].flatten(1)
    rise = maps.amax(1) - maps.median(1).values
    strength = {
        name: float(rise[edges.val.labels == label].mean())
        for label, name in enumerate(edges.classes)
    }
    first, second, *_ = sorted(strength, key=lambda name: -strength[name])
    ratio = strength[first] / max(strength[second], 1e-9)
    shown = ", ".join(f"{name} {value:.2f}" for name, value in strength.items())
    if first != "falling":
        raise NotYet(f"channel {channel} answers most to {first} edges ({shown}).")
    if ratio < 1.5:
        raise NotYet(
            f"channel {channel} answers to falling edges, but hardly less to {second} ones "
            f"({shown}). Find one that is pickier."
        )
    return f"channel {channel} prefers falling edges by a factor of {ratio:.1f} ({shown})."


@graded
def check_disguise(given: torch.Tensor, same: torch.Tensor, other: torch.Tensor) -> str:
    """Whether ``same`` fools the eye and ``other`` fools the statistics, but CKA sees both.

    All three are features (N, channels) of the same N pictures. ``same`` must differ from ``given``
    in every number, with a CKA of 1; ``other`` must have the means and spreads of its channels,
    with a CKA below 0.3.
    """
    for name, values in (("same", same), ("other", other)):
        if values.shape != given.shape:
            raise NotYet(f"{name} has the shape {tuple(values.shape)}, not {tuple(given.shape)}.")
    if equal := float((same == given).double().mean()):
        raise NotYet(f"{equal:.0%} of the numbers of same are those given.")
    if not (turned := features.cka(given, same)) > 0.999:
        raise NotYet(
            f"CKA with same is {turned:.3f}, not 1. It allows to turn, move and stretch all of it, "
            "not to stretch channels differently or to mix the pictures."
        )
    for what, old, new in (
        ("means", given.mean(0), other.mean(0)),
        ("spreads", given.std(0), other.std(0)),
    ):
        if not torch.allclose(old, new, rtol=1e-3, atol=1e-4):
            raise NotYet(f"the {what} of the channels of other are not those given.")
    if not (mixed := features.cka(given, other)) < 0.3:
        raise NotYet(
            f"CKA with other is {mixed:.2f}. Whatever is done to all pictures alike, it sees "
            "through. Which picture has which features?"
        )
    return (
        f"CKA is {turned:.2f} although no number is the same, and {mixed:.2f} although each "
        "channel looks the same. It asks which pictures are alike."
    )
