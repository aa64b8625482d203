"""The preprocessing a model was trained with; it travels with the model."""

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Preprocess(nn.Module):
    """Pictures to what the network expects: scale to [0, 1], resize, normalise.

    In: uint8, or float in [0, 1], of shape (N, 3, H, W); one grey channel is repeated.
    Out: float32 (N, 3, ``size``, ``size``), channels last in memory, which is faster. Raises
    ``BadInput`` for other shapes and ranges.
    """

    def __init__(self, size: int, mean=IMAGENET_MEAN, std=IMAGENET_STD):
        super().__init__()
        self.size = size
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

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
