"""How far pictures of one's own are from the photographs of pretraining."""

from typing import TYPE_CHECKING

from tl_course import store

if TYPE_CHECKING:
    import torch

STAGE, MOST, LEAST = "layer4", 400, 50  # where features are compared, and for how many pictures


def distance_of(pictures: "torch.Tensor") -> tuple[float, float]:
    """The distance of ``pictures`` from everyday photographs, as ``distances`` measures it, and
    what as many other photographs get.

    ``pictures``: uint8 (N, 3, H, W), of which 400 are looked at; fewer seem farther, which is what
    the second number shows. Raises ``BadInput`` for fewer than 50.
    """
    from tl_course import features, models

    if len(pictures) < LEAST:
        cause = f"{len(pictures)} are too few for a distance"
        raise store.BadInput("your pictures", cause, f"Pass {LEAST} or more")
    known = store.load_weights(store.embedded("photographs"))["features"].float()
    found = features.extract(models.load("resnet10"), pictures[:MOST], STAGE)
    others = known[MOST : MOST + len(found)]
    return features.frechet(known[:MOST], found), features.frechet(known[:MOST], others)
