"""Where each model family keeps its stages, so that every part can be called by name."""

from collections.abc import Callable

from torch import nn

from tl_course import store
from tl_course.models import backbones, vision
from tl_course.models.adapted import Adapted
from tl_course.models.reader import NumberReader
from tl_course.models.resnet10 import ResNet10


def stages(model: nn.Module) -> dict[str, nn.Module]:
    """The model's parts by name, in the order data passes through them; the last is the head.

    Applied one after the other to preprocessed input they give the model's output. A stage may
    be a view on several modules of the model; it shares their parameters. Raises ``BadInput``
    for a model of a family that is not known.
    """
    parts = _known(model)[0](model)
    if not hasattr(model, "preprocess"):
        raise store.BadInput(
            f"this {type(model).__name__}",
            "it has no preprocess, so raw inputs cannot be shown to it",
            "Set model.preprocess = models.Preprocess(224), or use models.load",
        )
    return parts


def head_name(model: nn.Module) -> str:
    """What the library calls the last linear layer, such as ``fc`` or ``classifier.6``.

    For a network of transformers it is the place in ``model.network``.
    """
    return _known(model)[1]


def classifier(model: nn.Module) -> nn.Linear:
    """The last linear layer: from features to one logit a class. Raises ``BadInput`` without.

    Where an input has K answers it has K logits a class, or is applied K times; see ``answers``.
    """
    stages(model)  # raises for a model that lacks something
    owner, place = _last(model)
    last = owner.get_submodule(place)
    if not isinstance(last, nn.Linear):
        raise store.BadInput(
            f"a head that ends in {type(last).__name__}",
            "the last layer must be torch.nn.Linear, one logit a class",
            "End the head with Linear; the loss applies the softmax itself",
        )
    return last


def set_classifier(model: nn.Module, layer: nn.Module) -> None:
    """Put ``layer`` in the place of the last linear layer."""
    owner, place = _last(model)
    if isinstance(model, Adapted):
        model.set_last(layer)
    else:
        owner.set_submodule(place, layer)


def answers(model: nn.Module) -> int:
    """How many answers the model gives to one input: 4 digits for a number reader, one for each
    place it may point at for a detector, else 1.
    """
    stages(model)
    if isinstance(model, Adapted):
        return model.answers
    return model.digits.unflattened_size[0] if isinstance(model, NumberReader) else 1


def outputs(model: nn.Module) -> int:
    """How many classes each answer chooses from."""
    shared = answers(model) if isinstance(model, NumberReader) else 1
    return classifier(model).out_features // shared


def _last(model: nn.Module) -> tuple[nn.Module, str]:
    """Which module holds the last linear layer, and where in it."""
    owner, place = model.network if isinstance(model, Adapted) else model, head_name(model)
    try:
        head = owner.get_submodule(place)
    except AttributeError:
        cause, cure = f"it has no layer {place!r}", "Put a torch.nn.Linear there"
        raise store.BadInput(f"this {type(model).__name__}", cause, cure) from None
    return owner, f"{place}.{len(head) - 1}" if isinstance(head, nn.Sequential) else place


def _known(model: nn.Module) -> tuple[Callable[[nn.Module], dict[str, nn.Module]], str]:
    """How the model's stages are found, and where its last linear layer is."""
    if isinstance(model, Adapted):
        return lambda adapted: dict(adapted.parts), model.head_name
    if backbones.known(model):
        return backbones.stages, backbones.head_name(model)
    for kind, entry in _KNOWN.items():
        if isinstance(model, kind):
            return entry
    raise store.BadInput(
        f"a model of type {type(model).__name__}",
        "its stages are not known",
        "Use one of models.names(), timm/NAME, or torchvision's ResNet, VGG, EfficientNet, "
        "VisionTransformer",
    )


def _resnet10(model: ResNet10) -> dict[str, nn.Module]:
    return {
        "stem": model.stem,
        **{f"layer{i}": getattr(model, f"layer{i}") for i in range(1, 5)},
        "head": nn.Sequential(model.pool, model.head),
    }


def _reader(model: NumberReader) -> dict[str, nn.Module]:
    head = nn.Sequential(model.ends, model.head, model.digits)
    return {"letters": model.letters, "memory": model.memory, "head": head}


_KNOWN = {NumberReader: (_reader, "head"), ResNet10: (_resnet10, "head"), **vision.CLASSES}
