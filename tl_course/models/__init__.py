"""Networks to start from. ``models.load(name)`` gives one, with its preprocessing."""

import json
from collections.abc import Sequence
from functools import partial
from importlib import import_module
from pathlib import Path

from torch import nn

from tl_course import store
from tl_course.models.adapted import Adapted
from tl_course.models.catalogue import SOURCES, SUSPECTS, Entry, catalogue
from tl_course.models.pooling import Pool
from tl_course.models.preprocess import Preprocess, PreprocessingWarning, warn_of_disagreement
from tl_course.models.reader import ALPHABET, Ends, Letters, NumberReader
from tl_course.models.saved import Saved, check_saved, describe, open, save
from tl_course.models.stages import (
    answers,
    classifier,
    head_name,
    outputs,
    set_classifier,
    stages,
)

__all__ = [
    "ALPHABET",
    "SOURCES",
    "SUSPECTS",
    "Adapted",
    "Ends",
    "Entry",
    "Letters",
    "NumberReader",
    "Pool",
    "Preprocess",
    "PreprocessingWarning",
    "Saved",
    "answers",
    "catalogue",
    "check_saved",
    "classifier",
    "describe",
    "head_name",
    "load",
    "names",
    "open",
    "outputs",
    "save",
    "set_classifier",
    "stages",
    "warn_of_disagreement",
]


def _resnet10(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    from tl_course.models.resnet10 import ResNet10

    if pretrained:
        path = weights or store.embedded(name)
        state = store.load_weights(path)
        classes = classes or json.loads(store.read_metadata(path).get("classes", "[]"))
    model = ResNet10(len(classes) if classes else 200)
    if pretrained:
        _fill(model, state, path)
    model.preprocess = Preprocess(64)
    model.classes = tuple(classes or ())
    return model


def _torchvision(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    from tl_course.models import vision

    full = pretrained or name == "resnet18"
    model = (vision.official if full else vision.small)(name, len(classes) if classes else 1000)
    if pretrained:
        path = weights or store.fetch(name)
        _fill(model, (store.load_weights if weights else store.load_official)(path), path)
    model.preprocess = Preprocess(vision.SIZE if full else vision.SMALL)
    model.classes = tuple(classes or (vision.categories(name) if pretrained else ()))
    return model


def _transformers(
    room: str, name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    from tl_course.models import hub

    # only here: the library takes seconds to import
    families = import_module(f"tl_course.models.{room}").FAMILIES
    return hub.build(name, families[name], pretrained, classes, weights)


def _reader(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    if classes and len(classes) != 10:
        raise store.BadInput(
            f"load({name!r}, classes=…) with {len(classes)} names",
            "a reader's answers are the ten digits",
            "Leave classes out",
        )
    model = NumberReader()
    if pretrained:
        path = weights or store.embedded(name)
        _fill(model, store.load_weights(path), path)
    model.preprocess = Letters()
    model.classes = tuple(classes or "0123456789")
    return model


_ROOMS = {
    "text": ("bert", "minilm", "gpt2", "roberta", "t5"),
    "sound": ("whisper", "wav2vec2"),
    "boxes": ("yolos",),
}
_BUILDERS = {
    "resnet10": partial(_resnet10, "resnet10"),
    "leaf_doctor": partial(_resnet10, "leaf_doctor"),
    **{f"resnet10_{lesson}": partial(_resnet10, f"resnet10_{lesson}") for lesson in SUSPECTS},
    **{
        name: partial(_torchvision, name)
        for name in ("resnet18", "vgg16", "efficientnet_b0", "vit_b_16")
    },
    **{
        name: partial(_transformers, room, name) for room, found in _ROOMS.items() for name in found
    },
    **{f"reader_{source}": partial(_reader, f"reader_{source}") for source in SOURCES},
}


def names() -> tuple[str, ...]:
    """Every model there is; those of the course itself come with the package."""
    return tuple(_BUILDERS)


def load(
    name: str,
    pretrained: bool = True,
    classes: Sequence[str] | None = None,
    weights: Path | None = None,
) -> nn.Module:
    """The network called ``name``, in eval mode, on the CPU.

    ``pretrained=False`` gives random weights, drawn from torch's global generator, and a small
    network of the same class where the official one is not the course's own or ``resnet18``.
    ``classes`` names the outputs (text and sound have two without them); ``weights`` is a
    safetensors file to use instead of the stored one, for a network of transformers in a folder
    that its ``save_pretrained`` wrote. The model has two attributes of the course:
    ``preprocess`` (raw inputs, as in ``Split``, to network input) and ``classes`` (names of the
    outputs, or empty). Raises ``UnknownName``, ``BadInput``, ``NotAvailable`` or ``CorruptFile``.
    """
    builder = _BUILDERS[store.choose("model", name, _BUILDERS)]
    if isinstance(classes, str) or not isinstance(classes, Sequence | None):
        raise store.BadInput(
            f"load({name!r}, classes={classes!r})",
            "classes are the names of the outputs, not a number of them",
            "Pass task.classes, or leave it out and call surgery.replace_head",
        )
    if weights and not pretrained:
        raise store.BadInput(
            f"load({name!r}, pretrained=False, weights=…)",
            "random weights and a file of weights exclude each other",
            "Leave one of them out",
        )
    return builder(pretrained, classes, weights).eval()


def _fill(model: nn.Module, state: dict, path: Path) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise store.CorruptFile(
            str(path),
            f"its tensors do not fit {type(model).__name__} ({str(error).splitlines()[1].strip()})",
            "Use weights made for this architecture and number of classes",
        ) from None
