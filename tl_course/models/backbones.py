"""Picture networks of timm, the field's library of backbones: their weights and stages."""

import difflib
from contextlib import suppress
from functools import partial
from pathlib import Path

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from tl_course import store
from tl_course.models.preprocess import Preprocess

PREFIX = "timm/"  # before a name of timm's: models.load("timm/resnet26")
OWN = {"lite0": "tf_efficientnet_lite0"}  # networks that have a name of their own here
# 32 n + 1 pixels a side: as TensorFlow pads, none is lost; 225 is the next that the weights suit
SIZE, MIDDLE, HALF = 129, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)
WEIGHTS = "model.safetensors"
ANOTHER = "Choose one of timm's convolutional networks, such as timm/resnet26 or timm/regnetx_002"


def known(model: nn.Module) -> bool:
    """Whether it is a network of timm; timm is not imported for that."""
    return type(model).__module__.startswith("timm.models.")


def build(asked: str, classes: int) -> nn.Module:
    """The network with random weights. Raises ``UnknownName`` for one that timm does not have."""
    import timm

    architecture = OWN.get(asked) or asked.removeprefix(PREFIX)
    if not timm.is_model(architecture):
        near = difflib.get_close_matches(architecture, timm.list_models(), 20, 0.3)
        store.choose("network of timm", architecture, near)
    model = timm.create_model(architecture, num_classes=classes)
    last = model.get_classifier()
    if isinstance(last, nn.Linear) and type(last) is not nn.Linear:  # timm's own kind of Linear
        plain = nn.Linear(last.in_features, classes, last.bias is not None)
        plain.load_state_dict(last.state_dict())
        model.set_submodule(head_name(model), plain)
    return model


def weights(asked: str, model: nn.Module) -> Path:
    """The network's file on the hub, downloaded where it is not in the Hugging Face cache.

    Raises ``NotAvailable`` where there is none, or the hub is out of reach.
    """
    import huggingface_hub

    repository = model.pretrained_cfg.get("hf_hub_id")
    if not repository:
        raise store.NotAvailable(f"weights of {asked!r}", "timm has none for it", ANOTHER)
    fetch = partial(huggingface_hub.hf_hub_download, repository, WEIGHTS)
    try:
        with suppress(huggingface_hub.errors.LocalEntryNotFoundError):
            return Path(fetch(local_files_only=True))
        store.within(3, lambda: huggingface_hub.model_info(repository))  # else it waits for a while
        return Path(fetch())
    except Exception as error:  # the libraries below it have errors of their own
        cause = f"{repository} cannot be downloaded ({type(error).__name__})"
        package = store.published()[asked].package if asked in OWN else ""
        cure = f"Run `pip install {package}`" if package else "Connect to the network"
        raise store.NotAvailable(f"weights of {asked!r}", cause, cure) from error


def suited(model: nn.Module) -> Preprocess:
    """The preprocessing that the network was trained with."""
    if name(model) in OWN:
        return Preprocess(SIZE, MIDDLE, HALF)
    config = model.pretrained_cfg
    return Preprocess(config["input_size"][-1], config["mean"], config["std"])


def name(model: nn.Module) -> str:
    """What ``build`` calls the network."""
    architecture = model.pretrained_cfg.get("architecture", "")
    return next((n for n, known in OWN.items() if known == architecture), PREFIX + architecture)


def renamed(state: dict, path: Path) -> dict:
    """The tensors of lite0's published file under timm's names: both list them in one order.

    Raises ``CorruptFile`` where shapes say otherwise.
    """
    with torch.device("meta"):
        wanted = build("lite0", 1000).state_dict()
    shapes = [[tuple(value.shape) for value in each.values()] for each in (wanted, state)]
    if shapes[0] != shapes[1]:
        cause = f"its {len(state)} tensors are not those of {OWN['lite0']} in their order"
        raise store.CorruptFile(str(path), cause, "Install the package again")
    return {
        name: value.to(like.dtype)
        for (name, like), value in zip(wanted.items(), state.values(), strict=True)
    }


def head_name(model: nn.Module) -> str:
    """Where the last linear layer is."""
    last = model.get_classifier()
    return next((name for name, module in model.named_modules() if module is last), "classifier")


def stages(model: nn.Module) -> dict[str, nn.Module]:
    """Stem, the stages that timm takes features from, what follows them, head.

    The parts of a module that timm counts are ``block1``, ``block2`` …; others keep their name.
    """
    inside = [info["module"] for info in model.feature_info]
    head = head_name(model).partition(".")[0]
    children = {n: child for n, child in model.named_children() if n != "preprocess"}
    names = [*children]
    first = names.index("global_pool" if "global_pool" in names else head)
    parts: dict[str, list[nn.Module]] = {"stem": []}
    rest: list[nn.Module] = []  # behind the last stage so far
    for path, module in _units(children, inside):
        if path.partition(".")[0] in names[first:]:
            break
        place = path.rpartition(".")[2]
        if place.isdigit() or (path in inside and not isinstance(module, _BatchNorm | nn.ReLU)):
            [*parts.values()][-1].extend(rest)
            rest = []
            parts[f"block{int(place) + 1}" if place.isdigit() else place] = [module]
        else:
            rest.append(module)
    learns = any(any(True for _ in each.parameters()) for each in rest)
    parts["top" if learns else [*parts][-1]] = [*([] if learns else [*parts.values()][-1]), *rest]
    parts["head"] = [*children.values()][first:]
    return {name: nn.Sequential(*part) for name, part in parts.items() if part}


def _units(children: dict[str, nn.Module], inside: list[str]) -> list[tuple[str, nn.Module]]:
    """A model's children in order; of those that hold stages, their own."""
    units = []
    for name, child in children.items():
        holds = any(each.startswith(f"{name}.") for each in inside)
        units += [(f"{name}.{n}", m) for n, m in child.named_children()] if holds else []
        units += [] if holds else [(name, child)]
    return units


def check(model: nn.Module, asked: str) -> None:
    """Refuse a network that is not its stages, one after the other. Raises ``BadInput``."""
    picture = torch.rand(1, 3, *model.pretrained_cfg["input_size"][1:])
    try:
        with torch.no_grad():
            found = nn.Sequential(*stages(model).values())(picture)
            same = torch.allclose(found, model(picture), rtol=1e-3, atol=1e-4)
    except Exception:  # a part that cannot take what the one before it gives
        same = False
    if not same:
        cause = "its parts are not simply one after the other, so they have no stages by name"
        raise store.BadInput(f"the network {asked!r}", cause, ANOTHER)
