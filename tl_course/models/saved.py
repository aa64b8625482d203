"""A trained model in a folder: its weights, and one JSON that says how to use them."""

import contextlib
import hashlib
import json
import platform
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from reprlib import repr as short

import torch
import torchvision
from torch import nn
from torch.nn.utils import parametrize

from tl_course import __version__, store
from tl_course.models import vision
from tl_course.models.adapted import Adapted
from tl_course.models.preprocess import Preprocess
from tl_course.models.reader import ALPHABET, DIGITS, Letters, NumberReader
from tl_course.models.resnet10 import ResNet10
from tl_course.models.stages import classifier, outputs, stages

FORMAT = 1
WEIGHTS, ABOUT = "model.safetensors", "model.json"
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
# what a ``Preprocess`` does to every picture, whatever its numbers
ALWAYS = {
    "kind": "pictures",
    "channels": "RGB",
    "resize": "to a square, whatever the ratio of the sides",
    "filter": "bilinear, antialias",
}
LARGEST = 4096  # pixels a side
AGAIN = "Save the model again with models.save, or get the folder again from where it came"
UPDATE = "Update the course and PyTorch: `pip install --upgrade tl-course torch torchvision`"


@dataclass(frozen=True)
class Saved:
    """What a model that ``open`` gave was saved with; it is the model's ``saved``.

    ``versions``: of tl_course, torch, torchvision and python, when it was saved. ``head``: its
    last linear layer, to which ``classes`` belong.
    """

    folder: Path
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
}


def save(model: nn.Module, folder: str | Path) -> Path:
    """Write ``model`` to ``folder`` for ``open``: ``model.safetensors`` and ``model.json``.

    The JSON keeps the network's name, the classes, the preprocessing, the versions and the
    SHA-256 of the weights. A model saved there before is replaced; both files are written or
    neither. Returns the folder. Raises ``BadInput`` for a model that could not be opened again
    and for a folder that holds something else, ``StorageError`` where it cannot be written.
    """
    about, weights = _described(model)
    folder = store.user_path(folder)
    _check_place(folder)
    about["check"] = _digest(about)
    text = json.dumps(about, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    _write_both(folder, weights, text.encode())
    return folder


def open(folder: str | Path) -> nn.Module:
    """The model that ``save`` wrote to ``folder``, in eval mode, on the CPU.

    Its ``preprocess`` and ``classes`` are those it was saved with, and ``train.predict`` refuses
    if they are exchanged; ``saved`` says what they were. Raises ``NotAvailable`` for what is not
    there or needs newer software, ``CorruptFile`` for what was damaged or changed.
    """
    folder = store.user_path(folder)
    if not folder.is_dir():
        fault = "it is a file" if folder.exists() else "there is no such folder"
        raise store.NotAvailable(
            f"the model {str(folder)!r}", fault, "Pass a folder of models.save"
        )
    for name in (ABOUT, WEIGHTS):
        if not (folder / name).is_file():
            cure = "Pass a folder that models.save wrote, with both files"
            raise store.NotAvailable(f"the model {str(folder)!r}", f"it has no {name}", cure)
    path = folder / ABOUT
    about = _about(path)
    build = _NETWORKS.get((about["network"], about["small"]))
    if build is None:
        size = "small " if about["small"] else ""
        cause = f"it is a {size}network called {short(about['network'])}, which is not known here"
        raise store.NotAvailable(str(path), cause, UPDATE)
    preprocess = _restored(about["preprocessing"], path)
    with torch.device("meta"):  # takes no memory, no time and no random numbers
        model = build(len(about["classes"]))
    _fill(model, folder / WEIGHTS, about)
    model.preprocess = preprocess
    model.classes = tuple(about["classes"])
    model.saved = Saved(
        folder, model.classes, describe(preprocess), about["versions"], classifier(model)
    )
    return model.eval()


def check_saved(model: nn.Module) -> None:
    """Refuse a model from ``open`` that is no longer used as it was saved; others pass.

    Raises ``BadInput`` when its ``preprocess`` is another one, or ``classes`` are, while it has
    the head they belong to.
    """
    saved = vars(model).get("saved")
    if saved is None:
        return
    classes = tuple(getattr(model, "classes", None) or ())
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
            f"this {type(model).__name__} from {str(saved.folder)!r}",
            f"{fault}, so its answers would mean something else",
            "Open it again with models.open, or train it on what is new with train.fit",
        )


def describe(preprocess: nn.Module) -> dict[str, object]:
    """What ``preprocess`` does, as JSON can hold it. Raises ``BadInput`` where that is not known.

    Mean and standard deviation are written with as few digits as give the same float32.
    """
    if type(preprocess) is Preprocess:
        numbers = {
            name: [float(str(value)) for value in values.detach().cpu().float().flatten().numpy()]
            for name, values in (("mean", preprocess.mean), ("std", preprocess.std))
        }
        if not (fault := _numbers_fault(preprocess.size, **numbers)):
            return {**ALWAYS, "size": preprocess.size, **numbers}
    elif type(preprocess) is Letters:
        fault = "its table of letters was changed"
        if torch.equal(preprocess.table.cpu(), Letters().table):
            return {"kind": "letters", "alphabet": ALPHABET}
    else:
        fault = "only models.Preprocess and models.Letters can be written down"
    raise store.BadInput(
        f"the preprocess {type(preprocess).__name__}",
        fault,
        "Set model.preprocess = models.Preprocess(size, mean, std) as it was in training",
    )


def _numbers_fault(size: object, mean: object, std: object) -> str | None:
    if isinstance(size, bool) or not isinstance(size, int) or not 1 <= size <= LARGEST:
        return f"size {short(size)} is no whole number from 1 to {LARGEST}"
    for name, values in (("mean", mean), ("std", std)):
        real = isinstance(values, list) and all(type(v) in (int, float) for v in values)
        if not real or len(values) != 3 or not all(abs(v) < 1e6 for v in values):
            return f"{name} {short(values)} is not three finite numbers"
    return None if min(std) > 0 else f"std {short(std)} is not above zero"


def _described(model: nn.Module) -> tuple[dict[str, object], bytes]:
    """What the JSON says of ``model``, and its weights as a safetensors file."""
    import safetensors.torch

    kind = f"this {type(model).__name__}"
    if isinstance(model, Adapted):
        raise store.BadInput(
            kind,
            "it is a network of transformers, which has a way of its own to be saved",
            "Call model.network.save_pretrained(folder), and models.load(name, weights=folder)",
        )
    stages(model)  # raises for a family that is not known
    if any(parametrize.is_parametrized(part) for part in model.modules()):
        raise store.BadInput(
            kind,
            "some of its weights are computed from others, as with LoRA",
            "Call surgery.merge_lora(model) first",
        )
    preprocessing = describe(model.preprocess)
    network, small = _recognised(model)
    classes = getattr(model, "classes", None)
    classes = [*classes] if isinstance(classes, Sequence) and not isinstance(classes, str) else []
    if fault := _classes_fault(classes, outputs(model)):
        raise store.BadInput(kind, fault, "Set model.classes = task.classes")
    state = {}
    for name, tensor in model.state_dict().items():
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise store.BadInput(kind, f"{name!r} is {tensor.dtype}", "Call model.float() first")
        if not torch.isfinite(tensor).all():
            raise store.BadInput(
                kind,
                f"{name!r} holds values that are not finite numbers",
                "Load it again and train with a lower rate",
            )
        state[name] = tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
    weights = safetensors.torch.save(state)
    about = {
        "format": FORMAT,
        "network": network,
        "small": small,
        "classes": classes,
        "preprocessing": preprocessing,
        "sha256": hashlib.sha256(weights).hexdigest(),
        "versions": {
            "tl_course": __version__,
            "torch": str(torch.__version__),
            "torchvision": torchvision.__version__,
            "python": platform.python_version(),
        },
    }
    return about, weights


def _recognised(model: nn.Module) -> tuple[str, bool]:
    """The name and size under which a network of the same parts can be built."""
    try:
        count, ours = outputs(model), _parts(model)
    except store.BadInput:  # a head that does not end in a linear layer
        count, ours = 0, {}
    for key, build in _NETWORKS.items() if count else ():
        with torch.device("meta"):
            built = build(count)
        if type(built) is type(model) and _parts(built) == ours:
            return key
    names = ", ".join(dict.fromkeys(name for name, _ in _NETWORKS))
    raise store.BadInput(
        f"this {type(model).__name__}",
        f"its parts are not those of a network that models.open can build: {names}",
        "Use one of them, with surgery.replace_head for another number of classes",
    )


def _parts(model: nn.Module) -> dict[str, object]:
    """Each part's type and settings, and each tensor's shape."""
    parts = {
        name: (type(part), part.extra_repr())
        for name, part in model.named_modules()
        if name.partition(".")[0] != "preprocess"
    }
    return parts | {name: tuple(value.shape) for name, value in model.state_dict().items()}


def _classes_fault(classes: list, count: int | None = None) -> str | None:
    """What is wrong with the names of ``count`` outputs, where that number is known."""
    if not all(isinstance(name, str) and name.strip() for name in classes):
        return "not every class has a name"
    if len(set(classes)) < len(classes):
        name = next(name for place, name in enumerate(classes) if name in classes[:place])
        return f"two of its classes are called {short(name)}"
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


def _check_place(folder: Path) -> None:
    """Refuse to write where anything but a model of ``save`` would be lost."""
    try:
        found = {each.name for each in folder.iterdir() if not each.name.startswith(".")}
    except FileNotFoundError:
        return
    except (NotADirectoryError, ValueError):
        cause = "it is a file, or no path at all"
        raise store.BadInput(f"folder {str(folder)!r}", cause, "Pass a folder") from None
    except OSError as error:
        raise store.StorageError(
            str(folder), f"it cannot be read ({error.strerror or error})", "Choose another folder"
        ) from error
    if found == {ABOUT, WEIGHTS}:
        try:
            about = json.loads((folder / ABOUT).read_bytes())
            if isinstance(about, dict) and FIELDS.keys() <= about.keys():
                return
        except (OSError, ValueError, RecursionError):
            pass  # not a model of save, or no longer
    if found:
        raise store.BadInput(
            f"folder {str(folder)!r}",
            f"it holds something else than a saved model, such as {min(found)!r}",
            "Choose a new folder, or empty this one yourself",
        )


def _write_both(folder: Path, weights: bytes, about: bytes) -> None:
    """Replace both files or neither: what is there stays until both lie beside it, complete."""
    suffix = f".{secrets.token_hex(4)}.part"
    part, other, old = (folder / f".{name}{suffix}" for name in (WEIGHTS, ABOUT, "old"))
    made: list[Path] = []
    try:
        for each in (*reversed(folder.parents), folder):
            if not each.exists():
                each.mkdir(exist_ok=True)
                made.append(each)
        part.write_bytes(weights)
        other.write_bytes(about)
        if (folder / WEIGHTS).exists():
            (folder / WEIGHTS).replace(old)
        part.replace(folder / WEIGHTS)
        other.replace(folder / ABOUT)  # last: it counts only with its own weights
    except BaseException as error:
        for each in (part, other):
            each.unlink(missing_ok=True)
        if old.exists():
            old.replace(folder / WEIGHTS)
        elif made or not (folder / ABOUT).exists():
            (folder / WEIGHTS).unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # someone else has put something there
            for each in reversed(made):
                each.rmdir()
        if not isinstance(error, OSError):
            raise
        found = store.StorageError(
            f"the model {str(folder)!r}",
            f"it cannot be written ({error.strerror or error}); nothing was changed",
            "Make room, or choose a folder that you may write to",
        )
        found.errno = error.errno
        raise found from error
    with contextlib.suppress(OSError):  # the new model is whole without
        old.unlink(missing_ok=True)


def _about(path: Path) -> dict:
    """The JSON of a saved model, once every field is what it should be."""
    try:
        about = json.loads(path.read_bytes())
    except OSError as error:
        raise store.StorageError(
            str(path), f"it cannot be read ({error.strerror or error})", "Allow yourself to read it"
        ) from error
    except (ValueError, RecursionError):
        raise store.CorruptFile(str(path), "it is not JSON", AGAIN) from None
    fault = _fields_fault(about)
    if fault is None and type(about["format"]) is int and about["format"] > FORMAT:
        cause = f"its format is {short(about['format'])}, and this version reads {FORMAT}"
        raise store.NotAvailable(str(path), cause, UPDATE)
    fault = fault or _values_fault(about)
    if fault:
        raise store.CorruptFile(str(path), fault, AGAIN)
    theirs, ours = about["versions"]["torch"], torch.__version__
    if int(theirs.partition(".")[0]) > int(ours.partition(".")[0]):
        cause = f"it was saved with torch {theirs:.20}, and {ours} may compute something else"
        raise store.NotAvailable(str(path), cause, UPDATE)
    return about


def _fields_fault(about: object) -> str | None:
    """What keeps the format from being read."""
    if not isinstance(about, dict) or "format" not in about:
        return "it does not describe a model: the field 'format' is missing"
    return None if type(about["format"]) is int else f"its format is {short(about['format'])}"


def _values_fault(about: dict) -> str | None:
    if odd := sorted(FIELDS.keys() ^ about.keys()):
        return f"the field {short(odd[0])} is {'missing' if odd[0] in FIELDS else 'not known'}"
    for name, kind in FIELDS.items():
        if type(about[name]) is not kind:
            return f"the field {name!r} is {short(about[name])}, not {kind.__name__}"
    if about["format"] < 1:
        return f"its format is {short(about['format'])}"
    if fault := _classes_fault(about["classes"]):
        return fault
    versions = about["versions"]
    if not all(isinstance(version, str) for version in versions.values()):
        return "a version is not text"
    major = versions.get("torch", "").partition(".")[0]
    if not (major.isascii() and major.isdigit() and len(major) < 5):
        return "it does not say with which torch it was saved"
    if about["check"] != _digest(about):
        return "it was changed after the model was saved"
    return None


def _restored(spec: dict, path: Path) -> nn.Module:
    """The preprocessing that ``describe`` wrote down; refused where any of it cannot be done."""

    def cannot(cause: str) -> store.NotAvailable:
        return store.NotAvailable(f"the preprocessing in {path}", cause, UPDATE)

    letters = {"kind": "letters", "alphabet": ALPHABET}
    fixed = letters if spec.get("kind") == "letters" else ALWAYS
    numbers = ("size", "mean", "std") if fixed is ALWAYS else ()
    if spec.get("kind") not in ("pictures", "letters"):
        raise cannot(f"it is for {short(spec.get('kind'))}; known are pictures and letters")
    wanted = {*fixed, *numbers}
    if odd := sorted(spec.keys() - wanted):
        raise cannot(f"it has a setting {short(odd[0])} that is not known")
    if lacking := sorted(wanted - spec.keys()):
        raise store.CorruptFile(str(path), f"its preprocessing lacks {lacking[0]!r}", AGAIN)
    for name, value in fixed.items():
        if spec[name] != value:
            raise cannot(f"its {name} is {short(spec[name])}; this version has only {short(value)}")
    if fixed is letters:
        return Letters()
    if fault := _numbers_fault(**{name: spec[name] for name in numbers}):
        raise store.CorruptFile(str(path), f"its preprocessing is wrong: {fault}", AGAIN)
    return Preprocess(*(spec[name] for name in numbers))


def _fill(model: nn.Module, path: Path, about: dict) -> None:
    """Put the weights into a network that has none yet."""
    found = store.sha256(path)
    if found != about["sha256"]:
        cause = f"its SHA-256 is {found[:12]}…, not {about['sha256']:.12}… as {ABOUT} says"
        raise store.CorruptFile(str(path), cause, AGAIN)
    state = store.load_weights(path)
    wanted = {n: (tuple(v.shape), v.dtype) for n, v in model.state_dict().items()}
    given = {name: (tuple(value.shape), value.dtype) for name, value in state.items()}
    if odd := sorted(n for n in {*wanted, *given} if wanted.get(n) != given.get(n)):
        cause = f"its tensors do not fit {about['network']} with {len(about['classes'])} classes"
        raise store.CorruptFile(str(path), f"{cause}; the first is {short(odd[0])}", AGAIN)
    model.load_state_dict(state, assign=True)
