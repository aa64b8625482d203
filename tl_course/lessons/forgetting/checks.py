"""The checks of lesson 07: two languages at once, by rehearsal, low rank and mixing."""

import torch
from torch import nn
from torch.nn.utils import parametrize

from tl_course import models, tasks, train
from tl_course.practice.grading import NotYet, graded


def both(model: nn.Module) -> tuple[float, float]:
    """Accuracy on the Spanish and on the Italian test numbers, each in [0, 1]."""
    spanish, italian = (tasks.load(f"numbers_{name}").test for name in ("spanish", "italian"))
    return train.evaluate(model, spanish).accuracy, train.evaluate(model, italian).accuracy


@graded
def check_both(model: models.NumberReader) -> str:
    """Whether ``model`` keeps 95 % of Spanish and reads 85 % of Italian."""
    spanish, italian = both(model)
    shares = f"Spanish {spanish:.1%}, Italian {italian:.1%}"
    if spanish >= 0.95 and italian >= 0.85:
        return f"{shares}."
    if spanish >= 0.95:
        raise NotYet(f"{shares}. Little is lost, but too little learnt: train more, or faster.")
    if italian >= 0.85:
        raise NotYet(f"{shares}. It forgets: nothing reminds it of Spanish while it learns.")
    raise NotYet(f"{shares}. Both are low: is the learning rate too high?")


@graded
def check_merged(lora: models.NumberReader, weight: torch.Tensor) -> str:
    """Whether ``weight`` is the input weight of ``memory.there`` with its low-rank change."""
    part = lora.memory.there
    if not parametrize.is_parametrized(part, "weight_ih_l0"):
        raise NotYet("this reader has no low-rank change. Begin with surgery.add_lora.")
    kept = part.parametrizations.weight_ih_l0
    change = kept[0].b @ kept[0].a
    if weight.shape != change.shape:
        raise NotYet(f"its shape is {tuple(weight.shape)}, not {tuple(change.shape)}: b @ a?")
    weight = weight.to(change)
    if torch.allclose(weight, kept.original) and change.any():
        raise NotYet("this is the old weight alone. Where is what was learnt?")
    if torch.allclose(weight, change, atol=1e-6):
        raise NotYet("this is the change alone. It is added to the old weight.")
    if not torch.allclose(weight, kept.original + change, atol=1e-5):
        raise NotYet("it is neither old weight, nor change, nor their sum.")
    count = sum(p.numel() for p in kept[0].parameters())
    return f"{count:,} trained numbers changed {weight.numel():,}."


@graded
def check_between(
    model: models.NumberReader, old: models.NumberReader, new: models.NumberReader
) -> str:
    """Whether ``model`` lies between ``old`` and ``new`` and reads 95 % Spanish, 80 % Italian."""
    readers = model, old, new
    if any(parametrize.is_parametrized(each.memory.there) for each in readers):
        raise NotYet("it has LoRA weights. surgery.merge_lora adds them to the others.")
    at, start, end = (
        torch.cat([p.detach().flatten() for p in each.parameters()]) for each in readers
    )
    if torch.equal(start, end):
        raise NotYet("old and new are the same, so nothing lies between them.")
    way = end - start
    share = float((at - start) @ way / (way @ way))
    if not (at - start - share * way).abs().max() <= 1e-4:  # NaN is not on the line either
        raise NotYet("its weights are not on the line between the two. Mix all of them alike.")
    spanish, italian = both(model)
    shares = f"{share:.0%} of the way, Spanish {spanish:.1%}, Italian {italian:.1%}"
    if spanish < 0.95:
        raise NotYet(f"{shares}. Too far from Spanish.")
    if italian < 0.8:
        raise NotYet(f"{shares}. Too far from Italian.")
    return f"{shares}. No training was needed."
