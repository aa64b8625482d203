"""Networks to start from. ``models.load(name)`` gives one, with its preprocessing."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from torch import nn

from tl_course import store
from tl_course.models import backbones, hub, vision
from tl_course.models.adapted import Adapted
from tl_course.models.catalogue import SOURCES, SUSPECTS, VISION, catalogue
from tl_course.models.exported import export
from tl_course.models.names import accepted, class_names, places
from tl_course.models.pooling import Pool
from tl_course.models.preprocess import (
    Preprocess,
    PreprocessingWarning,
    note_files,
    warn_of_disagreement,
)
from tl_course.models.reader import ALPHABET, Letters, NumberReader
from tl_course.models.resnet10 import ResNet10
from tl_course.models.saved import KEY, Saved, check_saved, describe, misfits, open, save
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
    "Letters",
    "NumberReader",
    "Pool",
    "Preprocess",
    "PreprocessingWarning",
    "Saved",
    "answers",
    "catalogue",
    "check_saved",
    "class_names",
    "classifier",
    "describe",
    "export",
    "head_name",
    "load",
    "names",
    "note_files",
    "open",
    "outputs",
    "places",
    "save",
    "set_classifier",
    "stages",
    "warn_of_disagreement",
]


def names() -> tuple[str, ...]:
    """Every model there is; those of the course itself come with the package."""
    return tuple(catalogue())


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
    that its ``save_pretrained`` wrote. ``"timm/NAME"`` is any network of timm whose parts come one
    after the other; its weights come from the hub. The model has two attributes of the course:
    ``preprocess`` (raw inputs, as in ``Split``, to network input) and ``classes`` (names of the
    outputs, or empty). Raises ``UnknownName``, ``BadInput``, ``NotAvailable`` or ``CorruptFile``.
    """
    timms = isinstance(name, str) and name.startswith(backbones.PREFIX)
    entry = None if timms else catalogue()[store.choose("model", name, catalogue())]
    listed = isinstance(classes, Sequence | None) and not isinstance(classes, str)
    if not listed or not all(isinstance(each, str) and each.strip() for each in classes or ()):
        raise store.BadInput(
            f"load({name!r}, classes={classes!r:.60})",
            "classes are the names of the outputs, not a number of them",
            "Pass task.classes, or leave it out and call surgery.replace_head",
        )
    if not isinstance(pretrained, bool | np.bool_):
        raise store.BadInput(
            f"load({name!r}, pretrained={pretrained!r:.60})",
            "it is neither True nor False",
            "Pass a file of weights as weights=",
        )
    weights = None if weights is None else store.user_path(weights)
    if weights and not pretrained:
        raise store.BadInput(
            f"load({name!r}, pretrained=False, weights=…)",
            "random weights and a file of weights exclude each other",
            "Leave one of them out",
        )
    build = _torchvision if entry and entry.source == VISION else _own
    build = hub.build if entry and entry.repository else build
    build = _timm if timms or name in backbones.OWN else build
    return build(name, pretrained, classes, weights).eval()


def _own(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    """A network of the course: a number reader, or ``resnet10`` as taught one thing or another."""
    reader = name.startswith("reader_")
    if reader and classes and len(classes) != 10:
        raise store.BadInput(
            f"load({name!r}, classes=…) with {len(classes)} names",
            "a reader's answers are the ten digits",
            "Leave classes out",
        )
    path = weights or store.embedded(name) if pretrained else None
    state = store.load_weights(path) if path else {}
    known = _named(path) if path else ()
    if reader:
        known = known or (*"0123456789",)
        model, preprocess = NumberReader(), Letters()
    else:
        model, preprocess = ResNet10(len(classes or known) or 200), Preprocess(64)
    if path:
        _fill(model, state, path)
    model.preprocess = preprocess
    model.classes = accepted(name, known, classes)
    return model


def _named(path: Path) -> tuple[str, ...]:
    """What the outputs of a network of the course mean, where its file says so."""
    about = store.read_metadata(path)
    if KEY in about:
        cause = "models.save wrote it, with its preprocessing and the names of its classes"
        raise store.BadInput(f"weights={str(path)!r}", cause, "Call models.open with this path")
    try:
        names = json.loads(about.get("classes", "[]"))
    except (ValueError, RecursionError):  # another program's
        names = []
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _torchvision(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    full = pretrained or name == "resnet18"
    model = (vision.official if full else vision.small)(name, len(classes or ()) or 1000)
    if pretrained:
        path = weights or store.fetch(name)
        _fill(model, (store.load_weights if weights else store.load_official)(path), path)
    model.preprocess = Preprocess(vision.SIZE if full else vision.SMALL)
    model.classes = accepted(name, vision.categories(name) if pretrained else (), classes)
    return model


def _timm(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> nn.Module:
    model = backbones.build(name, len(classes or ()) or 1000)
    packaged = store.locate(name) if name in backbones.OWN else None
    if pretrained and packaged and not weights:
        _fill(model, backbones.renamed(store.load_official(packaged), packaged), packaged)
    elif pretrained:
        path = weights or backbones.weights(name, model)
        _fill(model, store.load_weights(path), path)
    model.preprocess = backbones.suited(model)
    if name not in backbones.OWN:
        backbones.check(model.eval(), name)
    known = vision.categories("resnet18") if pretrained and outputs(model) == 1000 else ()
    model.classes = accepted(name, known, classes)
    return model


def _fill(model: nn.Module, state: dict, path: Path) -> None:
    try:
        model.load_state_dict(state)
    except RuntimeError:
        wanted, given = (
            {n: v.shape for n, v in each.items()} for each in (model.state_dict(), state)
        )
        raise store.CorruptFile(
            str(path),
            f"its tensors do not fit {type(model).__name__}: {misfits(wanted, given)}",
            "Use weights made for this architecture and number of classes",
        ) from None
