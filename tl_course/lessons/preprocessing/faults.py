"""Feeding a network wrongly: thirteen faults between a picture and an answer."""

import copy
import io
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import features, models, store, surgery

if TYPE_CHECKING:
    from tl_course.tasks import Split, Task


@dataclass(frozen=True)
class Fault:
    """One way to feed a network wrongly.

    ``part``: ``inputs`` (what reaches the network is wrong), ``network`` (it stands in the wrong
    mode) or ``answers`` (they are read, or were written, wrongly). ``cause``: how it comes about
    in practice. ``cure``: one line to write.
    """

    name: str
    part: str
    cause: str
    cure: str


_TABLE = (
    ("no mean and std", "inputs", "the normalisation was forgotten",
     "subtract the source's mean, divide by its standard deviation"),
    ("another mean and std", "inputs", "the usual 0.5 and 0.5 instead of the source's own",
     "use the mean and standard deviation that came with the weights"),
    ("0 to 255", "inputs", "nobody divided by 255", "scale pictures to [0, 1] first"),
    ("BGR", "inputs", "OpenCV reads blue first", "turn the channels round: pictures[:, [2, 1, 0]]"),
    ("not resized", "inputs", "a network that takes any size was given the originals",
     "resize to the size of pretraining"),
    ("corner crop", "inputs", "a crop of the right size was cut from the original, not resized",
     "resize the whole picture, or crop as in training"),
    ("stretched", "inputs", "a part was pulled to a square without regard to its shape",
     "keep the ratio of training"),
    ("grey", "inputs", "pictures were stored without colour", "read them in colour"),
    ("compressed", "inputs", "JPEG at a low quality on the way", "send the originals"),
    ("another filter", "inputs", "resized by taking the nearest pixel, without smoothing",
     "use the filter of training: bilinear with antialias"),
    ("training mode", "network", "model.eval() was forgotten", "call model.eval()"),
    ("labels off by one", "answers", "a file counts its classes from 1",
     "subtract one from the labels"),
    ("classes in another order", "answers", "folders were sorted by name",
     "take the names that were saved with the model"),
)  # fmt: skip
FAULTS = {name: Fault(name, part, cause, cure) for name, part, cause, cure in _TABLE}
RIGHT = "right"
QUALITY = 8  # of JPEG, from 1 to 95
BATCH = 8  # pictures at a time where the network stands in training mode
RATES = {"fine-tuned": 1e-3, "head alone": 3e-2}  # of training on pictures that are fed wrongly


def compressed(pictures: torch.Tensor, quality: int = QUALITY) -> torch.Tensor:
    """Pictures, uint8 (N, 3, H, W), after JPEG at ``quality``, from 1 to 95."""
    import numpy as np
    from PIL import Image

    read = []
    for picture in pictures.cpu().permute(0, 2, 3, 1).numpy():
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "JPEG", quality=quality)
        read.append(np.array(Image.open(file)))
    return torch.from_numpy(np.stack(read)).permute(0, 3, 1, 2).to(pictures.device)


def _grey(pictures: torch.Tensor) -> torch.Tensor:
    weights = pictures.new_tensor([0.299, 0.587, 0.114], dtype=torch.float32)
    grey = (pictures.float() * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)
    return grey.round().to(torch.uint8).expand(-1, 3, -1, -1)


def _middle(pictures: torch.Tensor) -> torch.Tensor:
    side = pictures.shape[-1]
    return pictures[..., side // 4 : side - side // 4]


def _scaled(right: models.Preprocess, pictures: torch.Tensor) -> torch.Tensor:
    """From 0 to 1: what reaches the network without mean and standard deviation."""
    return right(pictures) * right.std + right.mean


# what reaches the network, from its own ``preprocess`` and the pictures
FEEDS = {
    "no mean and std": _scaled,
    "another mean and std": lambda right, given: (_scaled(right, given) - 0.5) / 0.5,
    "0 to 255": lambda right, given: (255 * _scaled(right, given) - right.mean) / right.std,
    "BGR": lambda right, given: right(given[:, [2, 1, 0]]),
    "not resized": lambda right, given: ((given.float() / 255 - right.mean) / right.std).contiguous(
        memory_format=torch.channels_last
    ),
    "corner crop": lambda right, given: right(given[..., : right.size, : right.size]),
    "stretched": lambda right, given: right(_middle(given)),
    "grey": lambda right, given: right(_grey(given)),
    "compressed": lambda right, given: right(compressed(given)),
    "another filter": lambda right, given: right(
        F.interpolate(given.float(), (right.size,) * 2, mode="nearest").to(torch.uint8)
    ),
}


class Fed(nn.Module):
    """A model's own ``preprocess`` with one fault of the part ``inputs``.

    In: pictures as in ``Split``, uint8 (N, 3, H, W). Out: what reaches the network, float32.
    """

    def __init__(self, preprocess: models.Preprocess, fault: str):
        super().__init__()
        self.fault = store.choose("fault", fault, FEEDS)
        self.right = preprocess
        self.size = preprocess.size

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return FEEDS[self.fault](self.right, pictures)


def applies(fault: str, split: "Split", model: nn.Module) -> bool:
    """Whether ``fault`` can change anything for the pictures and labels of ``split``.

    Pictures of the network's own size are not resized or cropped, and classes that are in the
    order of their names already cannot be sorted into another.
    """
    if store.choose("fault", fault, [RIGHT, *FAULTS]) in ("not resized", "corner crop",
                                                         "another filter"):  # fmt: skip
        return tuple(split.inputs.shape[-2:]) != (model.preprocess.size,) * 2
    if fault == "classes in another order":
        return not torch.equal(renamed(split, fault, _names(model)).labels, split.labels)
    return True


def renamed(split: "Split", fault: str, classes: tuple[str, ...]) -> "Split":
    """The split with labels as a fault of the part ``answers`` has them."""
    count = len(classes)
    if fault == "labels off by one":
        return replace(split, labels=(split.labels + 1) % count)
    places = torch.tensor(sorted(range(count), key=classes.__getitem__)).argsort()
    return replace(split, labels=places[split.labels])


def preparation(model: nn.Module, fault: str = RIGHT) -> nn.Module:
    """What stands between pictures and ``model`` when it is fed so: its own ``preprocess``, or
    ``Fed`` where the inputs are at fault. Raises ``UnknownName``.
    """
    store.choose("fault", fault, [RIGHT, *FAULTS])
    if fault in FEEDS:
        return Fed(model.preprocess, fault).to(next(model.parameters()).device)
    return model.preprocess


def logits(model: nn.Module, pictures: torch.Tensor, fault: str = RIGHT) -> torch.Tensor:
    """What ``model`` answers, float32 (N, classes), when it is fed so; it is left as it was.

    ``training mode`` takes ``BATCH`` pictures at a time, in the order given.
    """
    prepare = preparation(model, fault)
    if fault != "training mode":
        return features.run(model, lambda part: model(prepare(part)), pictures)
    awake = copy.deepcopy(model).train()  # a copy: its statistics move with every batch
    device = next(awake.parameters()).device
    with torch.no_grad():
        parts = pictures.split(BATCH)
        return torch.cat([awake(prepare(part.to(device))).float().cpu() for part in parts])


def asked(
    model: nn.Module, split: "Split", fault: str = RIGHT
) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits, float32 (N, classes), and labels, int64 (N,), in the order of ``split``.

    With faults of the answers, the labels are wrong, not the network; with ``training mode`` the
    network gets the pictures sorted by class, as from folders.
    """
    if fault in FAULTS and FAULTS[fault].part == "answers":
        split = renamed(split, fault, _names(model))
    if fault != "training mode":
        return logits(model, split.inputs, fault), split.labels
    order = split.labels.argsort(stable=True)
    return logits(model, split.inputs[order], fault)[order.argsort()], split.labels


def _names(model: nn.Module) -> tuple[str, ...]:
    return model.classes or tuple(map(str, range(models.outputs(model))))


def build(fault: str, strategy: str, classes: int, seed: int) -> nn.Module:
    """A pretrained resnet10 with a new head, whose ``preprocess`` has ``fault``.

    ``strategy``: ``fine-tuned`` or ``head alone``. Raises ``UnknownName``.
    """
    torch.manual_seed(int(seed))
    model = surgery.replace_head(models.load("resnet10"), classes)
    if store.choose("strategy", strategy, RATES) == "head alone":
        surgery.freeze(model)
    if fault != RIGHT:
        model.preprocess = Fed(model.preprocess, fault)
    return model


def repaired(task: "Task", fault: str, strategy: str, seed: int) -> dict:
    """Train on pictures that are fed wrongly, and test on such; see ``evidence.learned``."""
    from tl_course import evidence

    model = build(fault, strategy, len(task.classes), seed)
    return evidence.learned(model, task, RATES[strategy], seed)
