"""The check of lesson 00: a new head, and nothing else that learns."""

from typing import TYPE_CHECKING

from torch import nn

from tl_course import models, surgery
from tl_course.practice.grading import NotYet, graded, is_statistic, moved

if TYPE_CHECKING:
    from tl_course.tasks import Task


@graded
def check_head_only(model: nn.Module, task: "Task") -> str:
    """Whether ``model`` is pretrained, has a new head for ``task``, and trains nothing else."""
    source = models.load("resnet10")
    if type(model) is not type(source):
        raise NotYet(f"this is a {type(model).__name__}. The exercise is about resnet10.")
    outputs = surgery.classifier(model).out_features
    if outputs != len(task.classes):
        raise NotYet(
            f"the head has {outputs} outputs and {task.name} has {len(task.classes)} classes. It "
            "would answer with the names of its old job. See surgery.replace_head."
        )
    *body, head = surgery.stages(model)
    still = surgery.frozen(model)
    if head in still:
        raise NotYet(
            "the head is frozen too, so nothing is left to learn. Its weights are random: the "
            "answers would stay a guess. Freeze before you replace the head, or unfreeze it."
        )
    if loose := [name for name in body if name not in still]:
        raise NotYet(
            f"{', '.join(loose)} would still be trained. With few labels, that part can bend to "
            "them. See surgery.freeze."
        )
    _as_loaded(source, model)
    count = sum(p.numel() for p in model.parameters() if p.requires_grad)
    total = sum(p.numel() for p in model.parameters())
    return f"{count:,} of {total:,} weights are left to train, all in the new head."


def _as_loaded(source: nn.Module, model: nn.Module) -> None:
    """Raises ``NotYet`` where ``model`` does not know what ``source`` knows; heads may differ."""
    now = model.state_dict()
    known = {
        name: value
        for name, value in source.state_dict().items()
        if name in now and now[name].shape == value.shape
    }
    for name in moved(known, now)[:1]:
        if is_statistic(name):
            raise NotYet(
                f"the BatchNorm statistics moved ({name}). The network saw pictures in training "
                "mode before it was frozen. Load it again and freeze first."
            )
        raise NotYet(
            f"{name} differs from the pretrained weights. A frozen backbone is worth what it "
            "knows, and this one is random or changed. Load it with pretrained=True."
        )
