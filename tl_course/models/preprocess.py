"""The preprocessing a model was trained with; it travels with the model."""

import copy
import warnings
from collections.abc import Sequence
from typing import ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.models.names import class_names, moved
from tl_course.models.reader import UNKNOWN, Letters

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
# Where pictures and network no longer fit: sides of different lengths, enlarged (which blurs, and
# no network is trained on blurred pictures), shrunk (which training did too, but small things
# vanish), and the share of letters that a reader does not know.
STRETCHED, ENLARGED, SHRUNK, UNREADABLE = 1.2, 3.0, 4.0, 0.25
SAMPLE = 256  # inputs that are looked at
LARGEST = 4096  # pixels a side
_warned: WeakKeyDictionary[nn.Module, set[str]] = WeakKeyDictionary()


class PreprocessingWarning(UserWarning):
    """A model's preprocessing does not suit a task's inputs; the message says how to check it."""


class Preprocess(nn.Module):
    """Pictures to what the network expects: scale to [0, 1], resize, normalise.

    In: uint8, or float in [0, 1], of shape (N, 3, H, W); one grey channel is repeated.
    Out: float32 (N, 3, ``size``, ``size``), channels last in memory, which is faster.
    ``read_size``: the side at which a picture is read from its file before, by
    ``tasks.read_picture``; ``fit`` notes that of its task. Raises ``BadInput`` for other shapes
    and ranges.
    """

    FIXED: ClassVar = {  # what happens to every picture, from its file to the network
        "kind": "pictures",
        "file": "upright, on white, the middle square, bicubic to the read_size",
        "channels": "RGB",
        "resize": "to a square, whatever the ratio of the sides",
        "filter": "bilinear, antialias",
    }
    size: int
    read_size: int
    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, size: int, mean=IMAGENET_MEAN, std=IMAGENET_STD, read_size=None):
        super().__init__()
        self.size = size
        self.read_size = self.size if read_size is None else read_size
        for name, given, least in (("mean", mean, -1e6), ("std", std, 1e-9)):
            three = torch.tensor(_three(name, given, least)).view(1, 3, 1, 1)
            self.register_buffer(name, three, persistent=False)

    def __setattr__(self, name: str, value: object) -> None:
        if name in ("size", "read_size"):
            value = store.whole(name, value, most=LARGEST)
        super().__setattr__(name, value)

    def settings(self) -> dict[str, object]:
        """What it was made with, in numbers with no more digits than float32 has."""
        mean, std = (
            [float(str(value)) for value in values.detach().cpu().float().flatten().numpy()]
            for values in (self.mean, self.std)
        )
        Preprocess(self.size, mean, std)  # raises for what was changed to nonsense
        return {"size": self.size, "mean": mean, "std": std, "read_size": self.read_size}

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        if not isinstance(images, torch.Tensor):
            raise store.BadInput(
                f"pictures of type {type(images).__name__}",
                "the model expects a torch tensor",
                "Pass split.inputs, or convert an array with torch.from_numpy",
            )
        if images.ndim != 4 or images.shape[1] not in (1, 3):
            raise store.BadInput(
                f"pictures of shape {tuple(images.shape)}",
                "the model expects (N, 3, height, width)",
                "Add the batch dimension with images[None], or put channels first with permute",
            )
        if images.dtype == torch.uint8:
            images = images.to(torch.float32) / 255
        elif not images.is_floating_point():
            raise store.BadInput(
                f"pictures of type {images.dtype}", "only uint8 or float", "Convert with .byte()"
            )
        elif images.numel() and not (images.amin() >= -1e-3 and images.amax() <= 1 + 1e-3):
            raise store.BadInput(
                f"pictures from {images.amin():.2f} to {images.amax():.2f}",
                "floats must lie in [0, 1]; these are in another range, normalised, or not numbers",
                "Pass the raw uint8 pictures, or divide by 255 once",
            )
        images = images.float()
        if images.shape[-2:] != (self.size, self.size):
            images = F.interpolate(
                images, (self.size, self.size), mode="bilinear", antialias=True, align_corners=False
            ).clamp(0, 1)
        ready = (images - self.mean) / self.std
        return ready.contiguous(memory_format=torch.channels_last)

    def seen(self, images: torch.Tensor) -> torch.Tensor:
        """The pictures as the network sees them: uint8 (N, 3, ``size``, ``size``), to be drawn."""
        return self.undone(self(images))

    def undone(self, inputs: torch.Tensor) -> torch.Tensor:
        """What reaches the network, float (N, 3, H, W), as pictures: uint8, to be drawn.

        What would be darker than black or lighter than white is cut off.
        """
        pictures = inputs * self.std + self.mean
        return (pictures.clamp(0, 1) * 255).round().to(torch.uint8).contiguous()


def _three(name: str, values: object, least: float) -> list[float]:
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 3:
        cause = "it must be three numbers, for red, green and blue"
        raise store.BadInput(f"{name}={values!r:.60}", cause, "Leave it out for those of ImageNet")
    return [store.number(name, value, least, 1e6) for value in values]


def warn_of_disagreement(
    model: nn.Module, inputs: torch.Tensor, classes: Sequence[str] = ()
) -> None:
    """Give one ``PreprocessingWarning`` where ``inputs``, raw as in ``Split``, do not suit a model.

    That is where pictures would be stretched, enlarged three times or shrunk four times, or hold
    no value above 1 of 255; where a reader does not know a quarter of the letters; and where one
    of ``classes``, a task's, is another output of the model. Each once a model. What the inputs
    do not tell, such as blue before red, stays unnoticed.
    """
    reasons: list[str] = []
    look: tuple[str, ...] = ()
    if type(model.preprocess) is Preprocess:
        if reasons := _of_pictures(model.preprocess.size, inputs):
            look = ("Look at what the network sees: model.preprocess.seen(task.test.inputs[:8])",)
    elif type(model.preprocess) is Letters and (reasons := _of_texts(model.preprocess, inputs)):
        look = ("Look for letters that are not in models.ALPHABET",)
    if fault := moved(class_names(model), classes):
        reasons.append(fault)
        look = (*look, "Compare model.classes with task.classes")
    told = _warned.setdefault(model, set())
    if not told.issuperset(reasons):
        told.update(reasons)
        message = f"this {type(model).__name__} and its inputs disagree: {'; '.join(reasons)}"
        # 3: the line that called fit or evaluate
        warnings.warn(". ".join((message, *look)) + ".", PreprocessingWarning, stacklevel=3)


def note_files(model: nn.Module, inputs: torch.Tensor) -> None:
    """Let the model's preprocessing know at what side the pictures ``inputs`` were read."""
    ready = model.preprocess
    square = inputs.ndim == 4 and inputs.shape[2] == inputs.shape[3]
    if type(ready) is Preprocess and square and ready.read_size != inputs.shape[2]:
        model.preprocess = copy.deepcopy(ready)  # another model may use the old one
        model.preprocess.read_size = inputs.shape[2]


def _of_pictures(size: int, pictures: torch.Tensor) -> list[str]:
    whole = isinstance(pictures, torch.Tensor) and pictures.ndim == 4 and pictures.numel()
    if not whole or pictures.shape[1] not in (1, 3):
        return []  # preprocess refuses them, and says why
    short, long = sorted(pictures.shape[-2:])
    shape = f"pictures of {pictures.shape[-2]}×{pictures.shape[-1]}"
    reasons = []
    if long > STRETCHED * short:
        reasons.append(f"{shape} are stretched to a square")
    if size >= ENLARGED * short:
        reasons.append(f"{shape} are enlarged to {size}×{size}, so that they are blurred")
    elif long >= SHRUNK * size:
        reasons.append(f"{shape} are shrunk to {size}×{size}, so that small things vanish")
    largest = _sample(pictures).amax() * (255 if pictures.is_floating_point() else 1)
    if largest <= 1.001:
        reasons.append("the pictures are black, as after dividing by 255 once too often")
    return reasons


def _of_texts(letters: Letters, points: torch.Tensor) -> list[str]:
    if not isinstance(points, torch.Tensor) or points.ndim != 2 or points.is_floating_point():
        return []
    known = letters(_sample(points).to(letters.table.device))
    share = int((known == UNKNOWN).sum()) / max(int((known != 0).sum()), 1)
    return [f"the reader does not know {share:.0%} of the letters"] if share > UNREADABLE else []


def _sample(inputs: torch.Tensor) -> torch.Tensor:
    """A few of the inputs, from first to last: a task may be sorted by class."""
    return inputs[:: -(-len(inputs) // SAMPLE) or 1]
