"""Where each model family keeps its stages, so that every part can be called by name."""

from torch import nn
from torchvision.models.resnet import ResNet

from tl_course import store
from tl_course.models.reader import NumberReader
from tl_course.models.resnet10 import ResNet10


def stages(model: nn.Module) -> dict[str, nn.Module]:
    """The model's parts by name, in the order data passes through them; the last is the head.

    Applied one after the other to preprocessed input they give the model's output. A stage may
    be a view on several modules of the model; it shares their parameters. Raises ``BadInput``
    for a model of a family that is not known.
    """
    if isinstance(model, NumberReader):
        head = nn.Sequential(model.ends, model.head, model.digits)
        return _ready(model, {"letters": model.letters, "memory": model.memory, "head": head})
    layers = ("layer1", "layer2", "layer3", "layer4")
    if isinstance(model, ResNet10):
        stem, head = model.stem, nn.Sequential(model.pool, model.head)
    elif isinstance(model, ResNet):
        stem = nn.Sequential(model.conv1, model.bn1, model.relu, model.maxpool)
        head = nn.Sequential(model.avgpool, nn.Flatten(), model.fc)
    else:
        raise store.BadInput(
            f"a model of type {type(model).__name__}",
            "its stages are not known",
            "Use one of models.names(), or a torchvision ResNet",
        )
    parts = {"stem": stem, **{name: getattr(model, name) for name in layers}, "head": head}
    return _ready(model, parts)


def _ready(model: nn.Module, parts: dict[str, nn.Module]) -> dict[str, nn.Module]:
    if not hasattr(model, "preprocess"):
        raise store.BadInput(
            f"this {type(model).__name__}",
            "it has no preprocess, so raw inputs cannot be shown to it",
            "Set model.preprocess = models.Preprocess(224), or use models.load",
        )
    return parts


def classifier(model: nn.Module) -> nn.Linear:
    """The last linear layer: from features to one logit a class. Raises ``BadInput`` without.

    Where an input has K answers it has K logits a class; see ``answers``.
    """
    head = stages(model)["head"]
    last = head[-2] if isinstance(head[-1], nn.Unflatten) else head[-1]
    if isinstance(last, nn.Sequential):
        last = last[-1]
    if not isinstance(last, nn.Linear):
        raise store.BadInput(
            f"a head that ends in {type(last).__name__}",
            "the last layer must be torch.nn.Linear, one logit a class",
            "End the head with Linear; the loss applies the softmax itself",
        )
    return last


def answers(model: nn.Module) -> int:
    """How many answers the model gives to one input: 4 digits for a number reader, else 1."""
    last = stages(model)["head"][-1]
    return last.unflattened_size[0] if isinstance(last, nn.Unflatten) else 1


def set_classifier(model: nn.Module, layer: nn.Linear) -> None:
    """Put ``layer`` in the place of the last linear layer."""
    name = "head" if isinstance(model, ResNet10 | NumberReader) else "fc"
    head = getattr(model, name)
    if isinstance(head, nn.Sequential):
        head[-1] = layer
    else:
        setattr(model, name, layer)
