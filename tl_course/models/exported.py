"""A trained picture network as an ONNX file: other programs give the same answers without us."""

import copy
import hashlib
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from reprlib import repr as short
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models.preprocess import Preprocess
from tl_course.models.saved import KEY, check_saved, described, finite, versions
from tl_course.models.stages import answers
from tl_course.store.places import reading

SUFFIX = ".onnx"
FORMAT = 1
PACKAGES = ("onnx", "onnxruntime", "onnxscript")
# Float32 sums in another order differ by about 1e-6; another preprocessing shows in the second
# decimal, which is the last that anybody is shown.
AGREE = 1e-4
LARGEST = 1_900_000_000  # bytes of weights: a file in ONNX's format ends at 2 GB
AGAIN = "Export the model again with models.export, or get the file again from where it came"
UPDATE = f"Update: `pip install --upgrade torch {' '.join(PACKAGES)}`"
HOW = (
    "Turn the picture upright as its EXIF data say, lay what is transparent on white, cut out the "
    "middle square, resize it to {0}×{0} pixels (bicubic), and pass its RGB values, uint8 "
    "(N, 3, {0}, {0}), as `pictures`. `probabilities`, float32 (N, {1}), are those of the classes "
    "in their order."
)
# The file's SHA-256 as it is while zeros stand in this place.
CHECK = re.compile(rb'"check": "([0-9a-f]{64})"')
OPEN = "0" * 64


@dataclass(frozen=True)
class Exported:
    """What ``export`` wrote, run by ONNX Runtime on the CPU.

    ``read_size``: pixels a side, at which ``tasks.read_picture`` is to read. When it was exported,
    ``versions`` were in use, and its probabilities differed from PyTorch's by ``difference``.
    """

    path: Path
    classes: tuple[str, ...]
    preprocessing: Mapping[str, object]
    versions: Mapping[str, str]
    difference: float
    session: Any

    @property
    def read_size(self) -> int:
        return self.session.get_inputs()[0].shape[-1]

    def predict(self, pictures: torch.Tensor) -> torch.Tensor:
        """Class probabilities, float32 (N, classes), for uint8 (N, 3, read_size, read_size).

        Raises ``BadInput`` for other shapes and types.
        """
        wanted = (3, self.read_size, self.read_size)
        if pictures.dtype != torch.uint8 or tuple(pictures.shape[1:]) != wanted:
            thing = f"pictures of shape {tuple(pictures.shape)} and type {pictures.dtype}"
            cause = f"the exported model takes uint8 (N, {', '.join(map(str, wanted))})"
            cure = f"Read them with tasks.read_picture(data, {self.read_size})"
            raise store.BadInput(thing, cause, cure)
        return _run(self.session, pictures)


class _Whole(nn.Module):
    """Pictures as read from their files to probabilities.

    ``Preprocess`` cannot be exported as it is: resizing with antialiasing is no operation of ONNX.
    It is linear and goes along columns and rows one after the other, hence two products.
    """

    resize: torch.Tensor

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model
        old, new = model.preprocess.read_size, model.preprocess.size
        self.resizes = old != new
        resize = F.interpolate(
            torch.eye(old)[None, None], (new, old), mode="bilinear", antialias=True
        )
        self.register_buffer("resize", resize[0, 0])

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        pictures = pictures.to(torch.float32) / 255
        if self.resizes:
            pictures = (self.resize @ pictures @ self.resize.T).clamp(0, 1)
        ready = self.model.preprocess
        return self.model((pictures - ready.mean) / ready.std).softmax(-1)


def export(model: nn.Module, path: str | Path) -> Path:
    """Write a picture network to one ONNX file; without the ending ``.onnx`` it gets it.

    Its input ``pictures`` is uint8 (N, 3, ``read_size``, ``read_size``), RGB as read from files;
    preprocessing and softmax are inside; the output ``probabilities`` is float32 (N, classes).
    The metadata's entry ``tl_course`` is a JSON with the classes, how to prepare a picture, the
    preprocessing and the versions; ``classes`` is a JSON list. The file gets its name once ONNX
    Runtime gives PyTorch's probabilities within ``AGREE``; the model stays as it was. Returns its
    path. Raises ``BadInput`` for a model that takes no pictures or could not be saved and for a
    file that holds something else, ``NotAvailable`` without the packages and where the answers
    differ, ``StorageError`` where it cannot be written.
    """
    path = store.user_path(path)
    path = path.with_name(path.name + SUFFIX) if path.suffix != SUFFIX else path
    network, classes, preprocessing = _pictures_only(model)
    onnx, runtime, _ = _packages()
    _check_place(path, onnx)
    own = copy.deepcopy(model).cpu().eval()
    graph = _graph(own, onnx)
    size = own.preprocess.read_size
    about = {
        "format": FORMAT,
        "network": network,
        "classes": classes,
        "how": HOW.format(size, len(classes)),
        "preprocessing": preprocessing,
        "versions": {
            **versions(),
            "onnx": onnx.__version__,
            "onnxruntime": runtime.__version__,
        },
        "difference": _difference(own, graph.SerializeToString()),
        "check": OPEN,
    }
    notes = {KEY: about, "classes": classes}
    texts = {name: json.dumps(note, ensure_ascii=False) for name, note in notes.items()}
    onnx.helper.set_model_props(graph, texts)
    content = graph.SerializeToString()
    digest = hashlib.sha256(content).hexdigest()
    store.write_atomically(path, content.replace(OPEN.encode(), digest.encode()))
    return path


def read(path: str | Path) -> Exported:
    """The model that ``export`` wrote to ``path``.

    Raises ``NotAvailable`` for what is not there, needs a newer course or lacks ONNX Runtime,
    ``CorruptFile`` for what was damaged or changed, or comes from elsewhere.
    """
    path = store.user_path(path)
    with reading(path):
        content = path.read_bytes()
    check = CHECK.search(content)
    if check is None:
        cause = "nothing in it says how to use it; models.export did not write it"
        raise store.CorruptFile(str(path), cause, AGAIN)
    if hashlib.sha256(content.replace(check[1], OPEN.encode())).hexdigest() != check[1].decode():
        raise store.CorruptFile(str(path), "it was changed after the model was exported", AGAIN)
    session = _session(content)
    about = json.loads(session.get_modelmeta().custom_metadata_map[KEY])
    if about["format"] > FORMAT:
        cause = f"its format is {short(about['format'])}, and this version reads {FORMAT}"
        cure = "Update the course: `pip install --upgrade tl-course`"
        raise store.NotAvailable(str(path), cause, cure)
    about = {name: about[name] for name in ("preprocessing", "versions", "difference", "classes")}
    return Exported(path, tuple(about.pop("classes")), session=session, **about)


def _pictures_only(model: nn.Module) -> tuple[str, list[str], dict[str, object]]:
    """The network's name, its classes and preprocessing, once it can be exported."""
    if answers(model) > 1 or type(model.preprocess) is not Preprocess:
        raise store.BadInput(
            f"this {type(model).__name__}",
            "it reads no pictures, or finds several things in one",
            "Keep it with models.save; only networks that give a picture one class are exported",
        )
    check_saved(model)
    network, _, classes, preprocessing = described(model)
    size = sum(tensor.nbytes for tensor in finite(model).values())
    if size > LARGEST:
        cause = f"its weights take {size / 1e9:.1f} GB, and an ONNX file ends at 2"
        raise store.BadInput(f"this {type(model).__name__}", cause, "Keep it with models.save")
    return network, classes, preprocessing


def _packages() -> tuple:
    """The packages that exporting takes. Raises ``NotAvailable`` where one is missing."""
    return tuple(map(_package, PACKAGES))


def _package(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        cause = f"the package {name} cannot be imported ({error})"
        cure = 'Run `pip install "tl-course[export]"`'
        raise store.NotAvailable("ONNX files", cause, cure) from error


def _check_place(path: Path, onnx: Any) -> None:
    """Refuse to write where anything but a model of ``export`` would be lost."""
    if not path.exists():
        return
    if path.is_file():
        try:
            found = onnx.load(path, load_external_data=False)
            if KEY in {note.key for note in found.metadata_props}:
                return
        except Exception:  # what the library says of other files has no end
            pass
    raise store.BadInput(
        f"file {str(path)!r}",
        "it is there already, and no exported model",
        "Choose a new name, or remove it yourself",
    )


def _graph(model: nn.Module, onnx: Any) -> Any:
    """The model with its preprocessing as an ``onnx.ModelProto``, its weights inside."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own parts; what it writes is checked
            program = torch.onnx.export(
                _Whole(model).eval(),
                (_examples(model.preprocess.read_size),),
                dynamo=True,
                input_names=["pictures"],
                output_names=["probabilities"],
                dynamic_shapes=({0: torch.export.Dim("N")},),
                verbose=False,
            )
    except Exception as error:  # what the exporter says of a network has no end
        cause = f"PyTorch cannot write it as ONNX ({str(error)[:200]})"
        raise _cannot(model, cause) from error
    graph = program.model_proto
    inside = graph.graph
    for part in (inside, *inside.node, *inside.input, *inside.output, *inside.value_info):
        del part.metadata_props[:]  # places of files on this machine
    return graph


def _difference(model: nn.Module, content: bytes) -> float:
    """The largest one between ONNX Runtime's probabilities and PyTorch's.

    Raises ``NotAvailable`` where it is more than ``AGREE``.
    """
    pictures = _examples(model.preprocess.read_size)
    largest = 0.0
    session = _session(content)
    for part in (pictures, pictures[:1]):  # the number of pictures must not matter
        with torch.no_grad():
            expected = model(model.preprocess(part)).softmax(-1)
        found = float((_run(session, part) - expected).abs().max())
        if not found <= AGREE:  # nor is it a number, perhaps
            cause = f"ONNX Runtime's probabilities differ from PyTorch's by {found:.1g}"
            raise _cannot(model, cause)
        largest = max(largest, found)
    return largest


def _cannot(model: nn.Module, cause: str) -> store.NotAvailable:
    cure = f"Keep it with models.save. {UPDATE}"
    return store.NotAvailable(f"this {type(model).__name__} as ONNX", cause, cure)


def _examples(size: int) -> torch.Tensor:
    """Four pictures of coloured squares, from coarse to fine: a network tells these apart."""
    drawn = torch.Generator().manual_seed(0)
    coarse = [
        torch.randint(256, (1, 3, side, side), generator=drawn).float() for side in (2, 5, 16, size)
    ]
    return torch.cat([F.interpolate(each, (size, size)) for each in coarse]).byte()


def _session(content: bytes) -> Any:
    runtime = _package("onnxruntime")
    options = runtime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3  # errors only
    try:
        return runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # of several kinds, as for operations newer than it is
        cause = f"ONNX Runtime cannot run it ({str(error)[:200]})"
        raise store.NotAvailable("this ONNX file", cause, UPDATE) from error


def _run(session: Any, pictures: torch.Tensor) -> torch.Tensor:
    (found,) = session.run(None, {"pictures": pictures.cpu().numpy()})
    return torch.from_numpy(found)
