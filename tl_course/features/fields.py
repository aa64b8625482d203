"""How much of a picture one unit of a network can see."""

from dataclasses import dataclass

from torch import nn
from torchvision.models.resnet import BasicBlock, Bottleneck

from tl_course import store
from tl_course.features.extraction import up_to

WINDOWS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)
POINTWISE = (nn.BatchNorm2d, nn.ReLU, nn.Identity, nn.Dropout)


@dataclass(frozen=True)
class Field:
    """The square that a unit sees, in pixels of the network's input.

    ``size``: its side. ``stride``: how far the next unit's lies. ``offset``: where the side of
    the first unit's begins; below zero it begins on the padding.
    """

    size: int
    stride: int
    offset: int

    def __str__(self) -> str:
        return f"{self.size} × {self.size} pixels"

    def box(self, row: int, column: int) -> tuple[int, int, int, int]:
        """Top, left, bottom, right of what the unit at ``row``, ``column`` sees, end excluded."""
        top, left = (self.offset + place * self.stride for place in (row, column))
        return top, left, top + self.size, left + self.size


def receptive_field(model: nn.Module, stage: str) -> Field:
    """What one unit of ``stage`` can see, from the windows of the layers below it.

    Pixels are those after ``preprocess``. It is the most a unit can see: near the middle a pixel
    counts far more than at the edge (Luo et al. 2016, arXiv:1701.04128). Raises ``UnknownName``,
    and ``BadInput`` for a stage in which a unit sees everything, or one that is not made of
    convolutions.
    """
    return _through(up_to(model, stage), Field(1, 1, 0), stage)


def _through(module: nn.Module, field: Field, stage: str) -> Field:
    """The field after one more module."""
    if isinstance(module, POINTWISE):
        return field
    if isinstance(module, WINDOWS):
        windows = module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1)
        size, step, padding, spread = (v if isinstance(v, int) else v[0] for v in windows)
        return Field(
            field.size + (size - 1) * spread * field.stride,
            field.stride * step,
            field.offset - padding * field.stride,
        )
    if isinstance(module, BasicBlock | Bottleneck):  # the way past its convolutions sees less
        module = [part for name, part in module.named_children() if name.startswith("conv")]
    elif not isinstance(module, nn.Sequential):
        raise store.BadInput(
            f"the receptive field of {stage!r}",
            f"{type(module).__name__} is no window that moves over a picture",
            "Ask about a stage made of convolutions, such as 'layer2'",
        )
    for part in module:
        field = _through(part, field, stage)
    return field
