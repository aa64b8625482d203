"""Operations on a trained network, by stage name: new heads, freezing, learning rates."""

import copy
from collections.abc import Mapping
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn.utils import parametrize

from tl_course import store
from tl_course.models import class_names, classifier, outputs, set_classifier, stages

if TYPE_CHECKING:
    import pandas

MOST_CLASSES, MOST_RANK = 100_000, 1000  # more takes gigabytes


def replace_head(model: nn.Module, classes: int) -> nn.Module:
    """Swap the last linear layer for a new, random one with one output a class.

    Changes ``model`` and returns it; the other weights stay. ``model.classes`` becomes empty,
    because the old names no longer hold. A detector's classes include that of no object. Raises
    ``BadInput`` for a number of classes that is not whole, below two or above 100,000.
    """
    classes = store.whole("classes", classes, least=2, most=MOST_CLASSES)
    old = classifier(model)
    count = classes * old.out_features // outputs(model)  # a reader's layer gives all its digits
    new = nn.Linear(old.in_features, count, bias=old.bias is not None)
    set_classifier(model, new.to(old.weight.device, old.weight.dtype))
    model.classes = ()
    return model


def transplant(donor: nn.Module, model: nn.Module, *names: str) -> nn.Module:
    """Copy the stages ``names`` of ``donor`` into ``model``: weights and BatchNorm statistics.

    The names of the outputs come with the head. Changes ``model`` and returns it. Raises
    ``UnknownName`` for a stage that either lacks, and ``BadInput`` without names and where the
    tensors differ in shape; then nothing is changed.
    """
    given, taken = stages(donor), stages(model)
    if not names:
        raise store.BadInput(
            "transplant without names", "it copies only what is named", f"Name some of {[*taken]}"
        )
    for name in names:
        pair = given[store.choose("stage", name, given)], taken[store.choose("stage", name, taken)]
        ours, theirs = ({k: v.shape for k, v in part.state_dict().items()} for part in pair)
        if ours != theirs:
            raise store.BadInput(
                f"the stage {name!r} of the donor",
                "its tensors have other shapes than the model's",
                "Take both networks from the same family, with as many classes",
            )
    for name in names:
        taken[name].load_state_dict(given[name].state_dict())
    if [*taken][-1] in names:
        model.classes = class_names(donor)
    return model


def shrink(model: nn.Module, fresh: nn.Module, keep: float) -> nn.Module:
    """Mix weights: ``keep`` of ``model``'s and the rest of ``fresh``'s, a network not yet trained.

    Shrink and perturb (Ash and Adams 2020, arXiv:1910.08475): it forgets in part what a start
    knows. BatchNorm statistics stay. Changes ``model`` and returns it. Raises ``BadInput`` for a
    share outside [0, 1] or networks of different shapes.
    """
    keep = store.number("keep", keep, least=0, most=1)
    for network in (model, fresh):
        stages(network)  # raises for what is no network
    ours, theirs = dict(model.named_parameters()), dict(fresh.named_parameters())
    if {n: p.shape for n, p in ours.items()} != {n: p.shape for n, p in theirs.items()}:
        raise store.BadInput(
            "two networks to mix", "their weights differ in name or shape", "Load the same one"
        )
    with torch.no_grad():
        for name, weight in ours.items():
            weight.lerp_(theirs[name].to(weight), 1 - keep)
    return model


def freeze(model: nn.Module, *names: str) -> nn.Module:
    """Stop training the stages ``names``; without names, all but the head.

    A frozen stage keeps its weights and, in ``train.fit``, its BatchNorm statistics too.
    Raises ``UnknownName`` for a stage the model does not have; then nothing is changed.
    """
    return _set_trainable(model, names or [*stages(model)][:-1], False)


def freeze_to(model: nn.Module, last: str) -> nn.Module:
    """Stop training from the bottom up to and with the stage ``last``; as ``freeze``."""
    names = [*stages(model)]
    return freeze(model, *names[: names.index(store.choose("stage", last, names)) + 1])


def unfreeze(model: nn.Module, *names: str) -> nn.Module:
    """Train the stages ``names`` again; without names, all of them."""
    return _set_trainable(model, names or [*stages(model)], True)


def _set_trainable(model: nn.Module, names, trainable: bool) -> nn.Module:
    parts = stages(model)
    for part in [parts[store.choose("stage", name, parts)] for name in names]:
        part.requires_grad_(trainable)
    return model


def frozen(model: nn.Module) -> tuple[str, ...]:
    """Names of the stages in which nothing is trained."""
    return tuple(
        name
        for name, part in stages(model).items()
        if not any(parameter.requires_grad for parameter in part.parameters())
    )


def train_mode(model: nn.Module) -> nn.Module:
    """``model.train()``, except that frozen stages and frozen BatchNorm layers stay in eval mode.

    A BatchNorm layer in training mode moves its running statistics even when its weights have
    ``requires_grad=False``; a frozen stage would drift.
    """
    parts = stages(model)
    model.train()
    for name in frozen(model):
        parts[name].eval()
    for part in model.modules():
        weights = [*part.parameters(recurse=False)]
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and weights:
            part.train(part.training and any(w.requires_grad for w in weights))
    return model


def param_groups(model: nn.Module, lr: float | Mapping[str, float]) -> list[dict]:
    """Optimizer groups, one a trainable stage; ``lr`` is one rate or a rate for each stage name.

    Stages that ``lr`` does not name take the rate of the nearest named stage above them.
    Raises ``UnknownName`` for a stage the model does not have, ``BadInput`` when nothing is
    left to train or a rate is not positive.
    """
    parts = stages(model)
    rates = dict(lr) if isinstance(lr, Mapping) else {[*parts][-1]: lr}
    for name, given in rates.items():
        store.choose("stage", name, parts)
        proper = isinstance(given, Real) and not isinstance(given, bool)
        if not proper or not 0 < given < 1e300:
            thing = f"learning rate {given!r:.60} for {name!r}"
            raise store.BadInput(thing, "it is not a positive number", "Try 1e-3")
    groups, rate = [], None
    for name in reversed(parts):
        rate = rates.get(name, rate)
        weights = [p for p in parts[name].parameters() if p.requires_grad]
        if not weights:
            continue
        if rate is None:
            raise store.BadInput(
                f"learning rates for {', '.join(rates) or 'nothing'}",
                f"the stage {name!r} is trainable and has no rate",
                f"Add a rate for {[*parts][-1]!r}, or freeze {name!r}",
            )
        groups.append({"params": weights, "lr": float(rate), "stage": name})
    if not groups:
        raise store.BadInput(
            f"{type(model).__name__}", "every stage is frozen", "Unfreeze the head at least"
        )
    return groups[::-1]


class LowRank(nn.Module):
    """A weight (out, ...) plus a trained product of two thin matrices, ``b`` (out, rank) times
    ``a`` (rank, ...). ``b`` starts at zero, so nothing changes until it is trained.
    """

    def __init__(self, weight: torch.Tensor, rank: int):
        super().__init__()
        flat = weight.flatten(1)
        self.a = nn.Parameter(torch.randn(rank, flat.shape[1]).to(weight) / rank**0.5)
        self.b = nn.Parameter(torch.zeros(flat.shape[0], rank).to(weight))

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        with torch.autocast(weight.device.type, enabled=False):  # it would round the product
            return weight + (self.b @ self.a).view_as(weight)


def add_lora(model: nn.Module, rank: int = 4) -> nn.Module:
    """Freeze every weight, and give each weight matrix a ``LowRank`` change to train instead.

    LoRA (Hu et al. 2021, arXiv:2106.09685) without its scale, which the learning rate takes over.
    Vectors, such as biases, stay frozen, and so do matrices that the network computes from other
    weights; ``unfreeze`` would train the old weights too. Changes ``model`` and returns it;
    ``merge_lora`` ends it. Raises ``BadInput`` for a rank that is not a whole number from 1 to
    1,000, and for a model that has it already.
    """
    rank = store.whole("rank", rank, most=MOST_RANK)
    if not isinstance(model, nn.Module):
        raise store.BadInput(f"a {type(model).__name__}", "it is no network", "Pass one")
    if any(isinstance(part, LowRank) for part in model.modules()):
        raise store.BadInput(
            f"this {type(model).__name__}", "it has LoRA weights already", "Load it again"
        )
    model.requires_grad_(False)
    for part in [*model.modules()]:
        if isinstance(part, parametrize.ParametrizationList):
            continue  # what a weight is computed from, as in weight normalisation
        for name, weight in [*part.named_parameters(recurse=False)]:
            if weight.ndim > 1:
                parametrize.register_parametrization(part, name, LowRank(weight, rank))
                type(part).__deepcopy__ = _copied
    return model


def _copied(part: nn.Module, memo: dict) -> nn.Module:
    """A deep copy with a class of its own.

    torch keeps a computed weight in a class made for one module. A copy that shared it would
    take the weight away from the original once it is merged.
    """
    kind = type(part)
    twin = nn.Module.__new__(type(kind.__name__, kind.__bases__, {**vars(kind)}))
    memo[id(part)] = twin
    notes = {**vars(part)}
    if isinstance(part, nn.RNNBase):  # it keeps the weights of its last run, which is no copy's
        notes |= {"_flat_weights": [], "_flat_weight_refs": []}
    vars(twin).update(copy.deepcopy(notes, memo))
    if isinstance(twin, nn.RNNBase):
        twin._init_flat_weights()
    return twin


def merge_lora(model: nn.Module) -> nn.Module:
    """Add what ``add_lora`` has learned to the weights themselves, and make all trainable."""
    stages(model)  # raises for a model that is not known, before anything is changed
    for part in [*model.modules()]:
        if parametrize.is_parametrized(part):
            for name, changes in [*part.parametrizations.items()]:
                if isinstance(changes[-1], LowRank):
                    parametrize.remove_parametrizations(part, name)
    return unfreeze(model)


def summary(model: nn.Module) -> "pandas.DataFrame":
    """One row a stage: its parameters, how many are trained, and what BatchNorm does."""
    import pandas

    rows = []
    for name, part in stages(model).items():
        counts = [(p.numel(), p.requires_grad) for p in part.parameters()]
        norms = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in part.modules())
        trained = sum(n for n, trains in counts if trains)
        statistics = ("moves in training" if trained else "fixed") if norms else "none"
        rows.append((name, sum(n for n, _ in counts), trained, statistics))
    columns = ["stage", "parameters", "trained", "BatchNorm statistics"]
    return pandas.DataFrame(rows, columns=columns).set_index("stage")
