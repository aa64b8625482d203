"""The detector YOLOS: where things are, and what they are."""

from pathlib import Path

import torch
from torch import nn

from tl_course import store
from tl_course.models.adapted import Adapted
from tl_course.models.hub import SMALL, Family
from tl_course.models.pooling import Last, numbered
from tl_course.models.preprocess import Preprocess

SIZE = 512  # pixels a side; what its authors' own preparation makes of a square picture
NOTHING = "no object"


class Finder(nn.Module):
    """Detection tokens (N, K, C) to the logits (N, K, classes); ``boxes`` gives their places."""

    def __init__(self, kinds: nn.Module, places: nn.Module):
        super().__init__()
        self.kinds, self.places = kinds, places

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.kinds(tokens)

    def boxes(self, tokens: torch.Tensor) -> torch.Tensor:
        """Centre x, centre y, width, height as shares of the picture: (N, K, 4)."""
        return self.places(tokens).sigmoid()


def detect(model: Adapted, prepared: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (N, K, classes) and boxes (N, K, 4) of preprocessed pictures, from one pass.

    A box is (centre x, centre y, width, height) in [0, 1]; the last class is no object. Raises
    ``BadInput`` for a model that gives no boxes.
    """
    head = model.parts["head"] if isinstance(model, Adapted) else None
    if not head or not isinstance(head[-1], Finder):
        raise store.BadInput(
            f"this {type(model).__name__}", "it gives no boxes", 'Load a detector: "yolos"'
        )
    for name, part in model.parts.items():
        prepared = part(prepared) if name != "head" else head[:-1](prepared)
    return head[-1](prepared), head[-1].boxes(prepared)


def _yolos(network: nn.Module) -> dict[str, nn.Module]:
    body = network.vit
    finder = Finder(network.class_labels_classifier, network.bbox_predictor)
    return {
        "patches": body.embeddings,
        **numbered(body.encoder.layer, body.layernorm),
        "head": nn.Sequential(Last(network.config.num_detection_tokens), finder),
    }


def _pictures(network: nn.Module, folder: Path | None) -> Preprocess:
    return Preprocess(SIZE if folder else 64)


_YOLOS = {
    **SMALL,
    "image_size": [64, 64],
    "patch_size": 16,
    "num_detection_tokens": 10,
    "num_labels": 91,
}
KINDS = (Preprocess,)
FAMILIES = {
    "yolos": Family(
        "YolosForObjectDetection",
        _YOLOS,
        _yolos,
        _pictures,
        settings={"use_mid_position_embeddings": False},
        new=("class_labels_classifier.layers.2.",),
        unnamed=(NOTHING,),
    )
}
