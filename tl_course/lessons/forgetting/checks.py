"""The checks of lesson 07."""

import torch
from torch import nn

from tl_course import tasks, train
from tl_course.practice.patience import not_a_reader, patient


def both(model: nn.Module) -> tuple[float, float]:
    """Accuracy on the Spanish and on the Italian test numbers, each in [0, 1]."""
    spanish, italian = (tasks.load(f"numbers_{name}").test for name in ("spanish", "italian"))
    return train.evaluate(model, spanish).accuracy, train.evaluate(model, italian).accuracy


@patient
def check_both(model: nn.Module) -> str:
    """Whether ``model`` keeps 95 % of Spanish and reads 85 % of Italian."""
    if fault := not_a_reader(model):
        return fault
    spanish, italian = both(model)
    shares = f"Spanish {spanish:.1%}, Italian {italian:.1%}"
    if spanish >= 0.95 and italian >= 0.85:
        return f"Right: {shares}."
    if spanish >= 0.95:
        return f"Not yet: {shares}. Little is lost, but too little learnt: train more, or faster."
    if italian >= 0.85:
        return f"Not yet: {shares}. It forgets: nothing reminds it of Spanish while it learns."
    return f"Not yet: {shares}. Both are low: is the learning rate too high?"


@patient
def check_merged(lora: nn.Module, weight: torch.Tensor) -> str:
    """Whether ``weight`` is the input weight of ``memory.there`` with its low-rank change."""
    if fault := not_a_reader(lora):
        return fault
    part = lora.memory.there
    if not nn.utils.parametrize.is_parametrized(part, "weight_ih_l0"):
        return "Not yet: this reader has no low-rank change. Begin with surgery.add_lora."
    kept = part.parametrizations.weight_ih_l0
    change = kept[0].b @ kept[0].a
    if not isinstance(weight, torch.Tensor):
        return f"Not yet: this is {type(weight).__name__}, not a tensor."
    if weight.shape != change.shape:
        return f"Not yet: its shape is {tuple(weight.shape)}, not {tuple(change.shape)}: b @ a?"
    weight = weight.to(change)
    if torch.allclose(weight, kept.original) and change.any():
        return "Not yet: this is the old weight alone. Where is what was learnt?"
    if torch.allclose(weight, change, atol=1e-6):
        return "Not yet: this is the change alone. It is added to the old weight."
    if not torch.allclose(weight, kept.original + change, atol=1e-5):
        return "Not yet: it is neither old weight, nor change, nor their sum."
    count = sum(p.numel() for p in kept[0].parameters())
    return f"Right: {count:,} trained numbers changed {weight.numel():,}."


@patient
def check_between(model: nn.Module, old: nn.Module, new: nn.Module) -> str:
    """Whether ``model`` lies between ``old`` and ``new`` and reads 95 % Spanish, 80 % Italian."""
    for each in (model, old, new):
        if fault := not_a_reader(each):
            return fault
        if nn.utils.parametrize.is_parametrized(each.memory.there):
            return "Not yet: it has LoRA weights. surgery.merge_lora adds them to the others."
    at, start, end = (
        torch.cat([p.detach().flatten() for p in each.parameters()]) for each in (model, old, new)
    )
    if torch.equal(start, end):
        return "Not yet: old and new are the same, so nothing lies between them."
    way = end - start
    share = float((at - start) @ way / (way @ way))
    if not (at - start - share * way).abs().max() <= 1e-4:
        return "Not yet: its weights are not on the line between the two. Mix all of them alike."
    spanish, italian = both(model)
    shares = f"{share:.0%} of the way: Spanish {spanish:.1%}, Italian {italian:.1%}"
    if spanish < 0.95:
        return f"Not yet, {shares}. Too far from Spanish."
    if italian < 0.8:
        return f"Not yet, {shares}. Too far from Italian."
    return f"Right, {shares}. No training was needed."
