"""The checks of lesson 02."""

import operator
from collections.abc import Callable

import torch

from tl_course import features, models, surgery, tasks
from tl_course.practice.patience import hooked, patient

STAGE = "layer2"


@patient
def check_features(read: Callable) -> str:
    """Whether ``read(model, pictures, stage)`` gives features and leaves the network as it was.

    Runs it on a fresh ``resnet10`` that stands in training mode, on leaves; once more after the
    head was spoiled, so that the pass fails.
    """
    if not callable(read):
        return f"Not yet: this is {type(read).__name__}, not a function."
    model = surgery.unfreeze(models.load("resnet10")).train()
    pictures = tasks.load("leaves").val.inputs[:40]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = read(model, pictures, STAGE)
    if found is None:
        return "Not yet: your function returns None. Put the averages into what it returns."
    if left := hooked(model):
        return (
            f"Not yet: a hook is left behind on {left}. It would run in every later pass, and "
            "keep its last features in memory. Keep the handle, and call its remove()."
        )
    if changed := _changed(before, model.state_dict()):
        return f"Not yet: {changed}"
    if not isinstance(found, torch.Tensor):
        return f"Not yet: this is {type(found).__name__}, not a tensor."
    expected = features.extract(model, pictures, STAGE)
    if found.ndim == 4:
        return (
            f"Not yet: the shape is {tuple(found.shape)}, whole maps. Average over the last two "
            "dimensions: one number a channel."
        )
    if found.shape != expected.shape:
        return f"Not yet: the shape is {tuple(found.shape)}, not {tuple(expected.shape)}."
    if found.requires_grad:
        return "Not yet: the features drag their gradients along. Use torch.no_grad()."
    if not torch.allclose(found.to(expected), expected, rtol=1e-3, atol=1e-4):
        return (
            f"Not yet: these are not the averages after {STAGE!r}. Is it preprocessed, once, and "
            "in eval mode?"
        )
    if not all(part.training for part in model.modules()):
        return (
            "Not yet: the network stood in training mode before and stands in eval mode now. Who "
            "goes on training it will wonder. Note model.training first, and put it back."
        )
    if not all(weight.requires_grad for weight in model.parameters()):
        return "Not yet: weights are frozen now. Use torch.no_grad(), which ends by itself."
    model.head = torch.nn.Linear(1, 1)  # takes nothing that a picture gives
    try:
        read(model, pictures, STAGE)
    except Exception:  # whatever the learner's code raises is right
        if left := hooked(model):
            return (
                f"Not yet: when the pass fails, the hook on {left} stays. Remove it in finally, "
                "or use features.Tap in a with."
            )
        if not model.training:
            return (
                "Not yet: when the pass fails, the network stays in eval mode. Put the mode back "
                "in finally."
            )
    return "Right: the features are those of the stage, and nothing of you is left in the network."


def _changed(before: dict[str, torch.Tensor], after: dict[str, torch.Tensor]) -> str:
    """What to say of a network whose state was ``before``; empty where nothing has changed."""
    if other := sorted(before.keys() ^ after.keys()):
        return f"the network has lost or gained {other[0]}. Leave its parts where they are."
    for name, value in after.items():
        if torch.equal(value, before[name]):
            continue
        if "running" in name or "num_batches" in name:
            return (
                f"the BatchNorm statistics moved ({name}). Looking must not change what is looked "
                "at: call model.eval() first."
            )
        return f"the weights moved ({name}). Looking must not change what is looked at."
    return ""


@patient
def check_channel(channel: int) -> str:
    """Whether that channel of layer1 prefers falling edges: 1.5 times any other direction.

    A channel's answer to a picture is how far its map rises above its own median.
    """
    if isinstance(channel, bool) or not hasattr(channel, "__index__"):
        return f"Not yet: this is {type(channel).__name__}, not the number of a channel."
    channel = operator.index(channel)  # NumPy and PyTorch have whole numbers of their own
    if not 0 <= channel < 32:
        return f"Not yet: {channel} is no channel of layer1. They are 0 to 31."
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
        return f"Not yet: channel {channel} answers most to {first} edges ({shown})."
    if ratio < 1.5:
        return (
            f"Not yet: channel {channel} answers to falling edges, but hardly less to {second} "
            f"ones ({shown}). Find one that is pickier."
        )
    return f"Right: channel {channel} prefers falling edges by a factor of {ratio:.1f} ({shown})."


@patient
def check_disguise(given: torch.Tensor, same: torch.Tensor, other: torch.Tensor) -> str:
    """Whether ``same`` fools the eye and ``other`` fools the statistics, but CKA sees both.

    All three are features (N, channels) of the same N pictures. ``same`` must differ from ``given``
    in every number, with a CKA of 1; ``other`` must have the means and spreads of its channels,
    with a CKA below 0.3.
    """
    for name, values in (("same", same), ("other", other)):
        if not isinstance(values, torch.Tensor):
            return f"Not yet: {name} is {type(values).__name__}, not a tensor."
        if values.shape != given.shape:
            return f"Not yet: {name} has the shape {tuple(values.shape)}, not {tuple(given.shape)}."
    equal = float((same == given).double().mean())
    if equal > 0:
        return f"Not yet: {equal:.0%} of the numbers of same are those given."
    if not (found := features.cka(given, same)) > 0.999:
        return (
            f"Not yet: CKA with same is {found:.3f}, not 1. It allows to turn, move and stretch "
            "all of it, not to stretch channels differently or to mix the pictures."
        )
    for what, old, new in (
        ("means", given.mean(0), other.mean(0)),
        ("spreads", given.std(0), other.std(0)),
    ):
        if not torch.allclose(old, new, rtol=1e-3, atol=1e-4):
            return f"Not yet: the {what} of the channels of other are not those given."
    if not (found := features.cka(given, other)) < 0.3:
        return (
            f"Not yet: CKA with other is {found:.2f}. Whatever is done to all pictures alike, it "
            "sees through. Which picture has which features?"
        )
    return (
        f"Right: CKA is {features.cka(given, same):.2f} although no number is the same, and "
        f"{found:.2f} although each channel looks the same. It asks which pictures are alike."
    )
