"""A trained model in one file: its weights, and in their metadata what it takes to use them."""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from pathlib import Path
from reprlib import repr as short

import torch
import torchvision
from packaging.version import InvalidVersion, Version
from torch import nn
from torch.nn.utils import parametrize

from tl_course import __version__, store
from tl_course.models import backbones, hub, vision
from tl_course.models.adapted import Adapted
from tl_course.models.catalogue import catalogue
from tl_course.models.names import listed
from tl_course.models.preprocess import Preprocess
from tl_course.models.reader import DIGITS, Letters, NumberReader
from tl_course.models.resnet10 import ResNet10
from tl_course.models.stages import classifier, outputs, stages

SUFFIX = ".safetensors"
KEY = "tl_course"  # the metadata's entry that holds the JSON
FORMAT = 3
WEIGHTS, ABOUT = "model.safetensors", "model.json"  # the two files of format 1, in a folder
FIELDS = {
    "format": int,
    "network": str,
    "small": bool,
    "classes": list,
    "preprocessing": dict,
    "sha256": str,
    "versions": dict,
    "check": str,
}
AGAIN = "Save the model again with models.save, or get the file again from where it came"
UPDATE = "Update the course and PyTorch: `pip install --upgrade tl-course torch torchvision`"


@dataclass(frozen=True)
class Saved:
    """What a model that ``open`` gave was saved with; it is the model's ``saved``.

    ``versions``: of tl_course, torch, torchvision and python, when it was saved. ``head``: its
    last linear layer, to which ``classes`` belong.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: Mapping[str, object]
    versions: Mapping[str, str]
    head: nn.Linear


def _reader(classes: int) -> NumberReader:
    model = NumberReader()
    model.head = nn.Linear(model.head.in_features, DIGITS * classes)
    return model


_NAMES = ("resnet18", "vgg16", "efficientnet_b0", "vit_b_16")
# by name, and whether it is the small one: the network with so many classes
_NETWORKS: dict[tuple[str, bool], Callable[[int], nn.Module]] = {
    ("resnet10", False): ResNet10,
    ("reader", False): _reader,
    **{(name, True): partial(vision.small, name) for name in _NAMES[1:]},
    **{(name, False): partial(vision.official, name) for name in _NAMES},
    ("lite0", False): partial(backbones.build, "lite0"),
}


def save(model: nn.Module, path: str | Path) -> Path:
    """Write ``model`` to a file for ``open``; without the ending ``.safetensors`` it gets it.

    The metadata's entry ``tl_course`` is a JSON with the network's name, the classes, the
    preprocessing from file to tensor (a tokeniser too), the versions and checksums of the weights
    and of the rest; of a network of transformers its configuration too. A model saved there
    before is replaced; the file is written whole or not at all. Returns its path. Raises
    ``BadInput`` for a model that could not be opened again and for a file that holds something
    else, ``StorageError`` where it cannot be written.
    """
    import safetensors.torch

    path = _named(store.user_path(path))
    network, small, classes, preprocessing = described(model)
    state = {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in finite(model).items()
    }
    config = {"config": hub.configuration(model)} if isinstance(model, Adapted) else {}
    about = {
        "format": FORMAT,
        "network": network,
        "small": small,
        "classes": classes,
        "preprocessing": preprocessing,
        "sha256": _sha256(state),
        "versions": versions(),
        **config,
    }
    about["check"] = _digest(about)
    _check_place(path)
    text = json.dumps(about, ensure_ascii=False, allow_nan=False)
    store.write_atomically(path, safetensors.torch.save(state, {KEY: text}))
    return path


def open(path: str | Path) -> nn.Module:
    """The model that ``save`` wrote to ``path``, in eval mode, on the CPU.

    Opens a folder with the two files of earlier versions too. Its ``preprocess`` and ``classes``
    are those it was saved with, and ``train.predict`` refuses if they are exchanged; ``saved``
    says what they were. Raises ``NotAvailable`` for what is not there or needs newer software,
    ``CorruptFile`` for what was damaged or changed.
    """
    path, about, state = _read(store.user_path(path))
    build, kinds = _builder(path, about)
    preprocess = _restored(about["preprocessing"], path, kinds)
    try:
        with torch.device("meta"):  # takes no memory, no time and no random numbers
            model = build(len(about["classes"]))
    except Exception as error:  # what the library says of a configuration has no end
        cause = f"its network cannot be built ({str(error)[:200]})"
        raise store.CorruptFile(str(path), cause, AGAIN) from error
    wanted, given = (
        {name: (tuple(value.shape), value.dtype) for name, value in tensors.items()}
        for tensors in (model.state_dict(), state)
    )
    if wanted != given:
        cause = f"its tensors do not fit {about['network']} with {len(about['classes'])} classes"
        raise store.CorruptFile(str(path), f"{cause}: {misfits(wanted, given)}", AGAIN)
    if isinstance(model, Adapted):  # it computes some of its constants while it is built
        with torch.random.fork_rng([]):
            model = build(len(about["classes"]))
    model.load_state_dict(state, assign=True)
    model.preprocess = preprocess
    model.classes = tuple(about["classes"])
    model.saved = Saved(
        path, model.classes, describe(preprocess), about["versions"], classifier(model)
    )
    return model.eval()


def check_saved(model: nn.Module) -> None:
    """Refuse a model from ``open`` that is no longer used as it was saved; others pass.

    Raises ``BadInput`` when its ``preprocess`` is another one, or ``classes`` are, while it has
    the head they belong to.
    """
    saved = getattr(model, "saved", None)
    if not isinstance(saved, Saved):
        return
    classes = listed(model)
    fault = None
    try:
        same = describe(model.preprocess) == saved.preprocessing
    except store.BadInput:
        same = False
    if not same:
        fault = "its preprocess is not the one it was saved with"
    elif classifier(model) is saved.head and classes != saved.classes:
        fault = f"its classes are not the {len(saved.classes)} it was saved with"
    elif classes and len(classes) != outputs(model):
        fault = f"it has {len(classes)} classes and {outputs(model)} outputs"
    if fault:
        raise store.BadInput(
            f"this {type(model).__name__} from {str(saved.path)!r}",
            f"{fault}, so its answers would mean something else",
            "Open it again with models.open, or train it on what is new with train.fit",
        )


def describe(preprocess: nn.Module) -> dict[str, object]:
    """What ``preprocess`` does, as JSON can hold it; ``BadInput`` where that is not known."""
    if "FIXED" not in vars(type(preprocess)):  # nor in those that only inherit it
        raise store.BadInput(
            f"the preprocess {type(preprocess).__name__}",
            "only the course's own, such as models.Preprocess, can be written down",
            "Set model.preprocess = models.Preprocess(size, mean, std) as it was in training",
        )
    return {**type(preprocess).FIXED, **getattr(preprocess, "settings", dict)()}


def misfits(wanted: Mapping[str, object], given: Mapping[str, object]) -> str:
    """How many tensors of a file are those of a network, and which are not, in words."""
    odd = sorted(name for name in {*wanted, *given} if wanted.get(name) != given.get(name))
    fits = len(wanted.keys() - {*odd})
    return f"{fits} of {len(wanted)} do, but not {store.some(odd, short)}"


def described(model: nn.Module) -> tuple[str, bool, list[str], dict[str, object]]:
    """The name and size of the network, its classes, and what its preprocessing does."""
    kind = f"this {type(model).__name__}"
    stages(model)  # raises for a family that is not known
    preprocessing = describe(model.preprocess)
    network, small = _recognised(model)
    classes = [*listed(model)]
    if fault := _classes_fault(classes, outputs(model)):
        raise store.BadInput(kind, fault, "Set model.classes = task.classes")
    return network, small, classes, preprocessing


def finite(model: nn.Module) -> Mapping[str, torch.Tensor]:
    """The weights and counters, once they are finite and no float is shortened."""
    kind = f"this {type(model).__name__}"
    state = model.state_dict()
    for name, tensor in state.items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise store.BadInput(kind, f"{name!r} is {tensor.dtype}", "Call model.float() first")
        if not torch.isfinite(tensor).all():
            cause = f"{name!r} holds values that are not finite numbers"
            raise store.BadInput(kind, cause, "Load it again and train with a lower rate")
    return state


def versions() -> dict[str, str]:
    """What this model is made with."""
    return {
        "tl_course": __version__,
        "torch": str(torch.__version__),
        "torchvision": torchvision.__version__,
        "python": platform.python_version(),
    }


def _recognised(model: nn.Module) -> tuple[str, bool]:
    """The name and size under which a network of the same parts can be built."""
    try:
        count, ours = outputs(model), _parts(model)
    except store.BadInput:  # a head that does not end in a linear layer
        count, ours = 0, {}
    known = _NETWORKS
    if isinstance(model, Adapted):
        known = {(model.name, False): partial(hub.rebuilt, model.name, hub.configuration(model))}
    elif backbones.known(model):
        known = {(backbones.name(model), False): partial(backbones.build, backbones.name(model))}
    for key, build in known.items() if count else ():
        with torch.device("meta"):
            built = build(count)
        if type(built) is type(model) and _parts(built) == ours:
            return key
    if any(parametrize.is_parametrized(part) for part in model.modules()):
        raise store.BadInput(
            f"this {type(model).__name__}",
            "some of its weights are computed from others, as with LoRA",
            "Call surgery.merge_lora(model) first",
        )
    names = ", ".join(dict.fromkeys(name for name, _ in known))
    raise store.BadInput(
        f"this {type(model).__name__}",
        f"its parts are not those of a network that models.open can build: {names}",
        "Use one of them, with surgery.replace_head for another number of classes",
    )


def _parts(model: nn.Module) -> dict[str, object]:
    """Each part's type and settings, and each tensor's shape."""
    parts = {
        name: (parametrize.type_before_parametrizations(part), part.extra_repr())
        for name, part in model.named_modules()
        if name.partition(".")[0] != "preprocess"
    }
    return parts | {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _classes_fault(classes: list, count: int | None = None) -> str | None:
    """What is wrong with the names of ``count`` outputs, where that number is known."""
    if not all(isinstance(name, str) and name.strip() for name in classes):
        return "not every class has a name"
    if len(set(classes)) < len(classes):
        return f"two of its classes are called {short(max(classes, key=classes.count))}"
    if count is not None and len(classes) != count:
        return f"it has {len(classes)} class names and {count} outputs"
    try:
        "".join(classes).encode()
    except UnicodeEncodeError:
        return "a class has a name that cannot be written as text"
    return None if len(classes) > 1 else "it has fewer than two classes"


def _digest(about: Mapping[str, object]) -> str:
    """SHA-256 of all fields but ``check``, so that a changed JSON is noticed too."""
    rest = {name: value for name, value in about.items() if name != "check"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()


def _sha256(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 of every tensor's name, type, shape and numbers, in the order of the names."""
    found = hashlib.sha256()
    for name, tensor in sorted(state.items()):
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        found.update(tensor.numpy())
    return found.hexdigest()


def _named(path: Path) -> Path:
    return path.with_name(path.name + SUFFIX) if path.name and path.suffix != SUFFIX else path


def _check_place(path: Path) -> None:
    """Refuse to write where anything but a model of ``save`` would be lost."""
    if not path.exists():
        return
    try:
        if KEY in store.read_metadata(path):
            return
    except (store.CorruptFile, store.StorageError):
        pass  # not a model of save, or no longer
    raise store.BadInput(
        f"file {str(path)!r}",
        "it is there already, and no saved model",
        "Choose a new name, or remove it yourself",
    )


def _read(path: Path) -> tuple[Path, dict, dict[str, torch.Tensor]]:
    """Where the weights of a saved model are, its JSON once every field is proper, and them."""
    path = _named(path) if _named(path).exists() else path
    if path.is_dir():  # as models were saved before format 2
        about, path = path / ABOUT, path / WEIGHTS
        if not (about.is_file() and path.is_file()):
            cause = f"it is a folder, and lacks {ABOUT} or {WEIGHTS}"
            cure = "Pass a file that models.save wrote"
            raise store.NotAvailable(f"the model {str(path.parent)!r}", cause, cure)
        text: str | bytes = about.read_bytes()
    else:
        text = store.read_metadata(path).get(KEY, "")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError):
        cause = "nothing in it says how to use its weights" if not text else "its JSON is broken"
        raise store.CorruptFile(str(path), cause, AGAIN) from None
    number = about.get("format") if isinstance(about, dict) else None
    if type(number) is int and number > FORMAT:
        cause = f"its format is {short(number)}, and this version reads {FORMAT}"
        raise store.NotAvailable(str(path), cause, UPDATE)
    if fault := _fault(about):
        raise store.CorruptFile(str(path), fault, AGAIN)
    theirs, ours = about["versions"]["torch"], torch.__version__
    if Version(theirs).major > Version(ours).major:
        cause = f"it was saved with torch {theirs:.20}, and {ours} may compute something else"
        raise store.NotAvailable(str(path), cause, UPDATE)
    state = store.load_weights(path)
    if about["format"] < 3 and about["preprocessing"].get("kind") == "pictures":
        # files were read at the size of the network
        read = {"file": Preprocess.FIXED["file"], "read_size": about["preprocessing"].get("size")}
        about["preprocessing"] = read | about["preprocessing"]
    found = store.sha256(path) if number == 1 else _sha256(state)
    if found != about["sha256"]:
        cause = f"its weights have SHA-256 {found[:12]}…, not {about['sha256']:.12}… as saved"
        raise store.CorruptFile(str(path), cause, AGAIN)
    return path, about, state


def _fault(about: object) -> str | None:
    """What keeps the fields from being those that ``save`` wrote."""
    if not isinstance(about, dict):
        return "it does not describe a model"
    if odd := sorted(FIELDS.keys() ^ (about.keys() - {"config"})):
        return f"the field {short(odd[0])} is {'missing' if odd[0] in FIELDS else 'not known'}"
    for name, kind in (*FIELDS.items(), *({"config": dict} if "config" in about else {}).items()):
        if type(about[name]) is not kind:
            return f"the field {name!r} is {short(about[name])}, not {kind.__name__}"
    if about["format"] < 1:
        return f"its format is {short(about['format'])}"
    try:
        Version(about["versions"]["torch"])
    except (KeyError, TypeError, InvalidVersion):
        return "it does not say with which torch it was saved"
    if about["check"] != _digest(about):
        return "it was changed after the model was saved"
    return _classes_fault(about["classes"])


def _builder(path: Path, about: dict) -> tuple[Callable[[int], nn.Module], tuple]:
    """What builds the network for a number of classes, and its kinds of preprocessing."""
    name, small = about["network"], about["small"]
    if (name, small) in _NETWORKS:
        return _NETWORKS[name, small], (Preprocess, Letters)
    if name.startswith(backbones.PREFIX) and not small:
        return partial(backbones.build, name), (Preprocess,)
    entry = catalogue().get(name)
    if entry is None or entry.repository is None or small:
        cause = f"it is a {'small ' if small else ''}network called {short(name)}"
        raise store.NotAvailable(str(path), f"{cause}, which is not known here", UPDATE)
    if "config" not in about:
        raise store.CorruptFile(str(path), "it lacks the configuration of its network", AGAIN)
    return partial(hub.rebuilt, name, about["config"]), hub.module(name).KINDS


def _restored(spec: dict, path: Path, kinds: tuple) -> nn.Module:
    """The preprocessing that ``describe`` wrote down; refused where any of it cannot be done."""

    def cannot(cause: str) -> store.NotAvailable:
        return store.NotAvailable(f"the preprocessing in {path}", cause, UPDATE)

    kind = next((each for each in kinds if each.FIXED["kind"] == spec.get("kind")), None)
    if kind is None:
        takes = " or ".join(each.FIXED["kind"] for each in kinds)
        raise cannot(f"it is for {short(spec.get('kind'))}; this network takes {takes}")
    names = signature(kind).parameters
    if lacking := {*kind.FIXED, *names} - spec.keys():
        raise store.CorruptFile(str(path), f"its preprocessing lacks {min(lacking)!r}", AGAIN)
    if odd := sorted(spec.keys() - {*kind.FIXED, *names}):
        raise cannot(f"it has a setting {short(odd[0])} that is not known")
    for name, value in kind.FIXED.items():
        if spec[name] != value:
            raise cannot(f"its {name} is {short(spec[name])}; this version has only {short(value)}")
    try:
        return kind(**{name: spec[name] for name in names})
    except Exception as error:  # what a changed JSON may do to a tokeniser has no end
        cause = f"its preprocessing is wrong ({str(error)[:200]})"
        raise store.CorruptFile(str(path), cause, AGAIN) from error
