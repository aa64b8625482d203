"""A few pictures to look through a network at, without a download."""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.tasks import leaves
from tl_course.tasks.pictures import SIDE, read_picture

if TYPE_CHECKING:
    import torch

# who made the photographs, and what one may do with them
CREDITS = {
    "temple": "danielbuechele on Flickr, CC BY 2.0 (china.jpg of scikit-learn)",
    "flower": "vultilion on Flickr, CC BY 2.0 (flower.jpg of scikit-learn)",
    "portrait": "US Navy, public domain: Grace Hopper, 1984 (grace_hopper.jpg of matplotlib)",
}
SEED = 7
LEAVES = {"leaf with rust": (1, 0), "leaf with mosaic": (4, 5), "healthy leaf": (0, 2)}


def examples(size: int = 256) -> "dict[str, torch.Tensor]":
    """Pictures by name, each uint8 (3, ``size``, ``size``), the middle of a larger one.

    Photographs that the libraries of the course bring along (``CREDITS``), and leaves of the leaf
    clinic. A photograph that an installation lacks is left out. Raises ``BadInput`` for a size
    that is not from 16 to 4,096.
    """
    return dict(_examples(store.whole("size", size, least=16, most=SIDE)))


@lru_cache(maxsize=4)
def _examples(size: int) -> "dict[str, torch.Tensor]":
    import numpy as np
    import torch

    found = {}
    for name, path in _photographs().items():
        if path.is_file():
            found[name] = torch.from_numpy(read_picture(path.read_bytes(), size).copy())
    for name, (label, first) in LEAVES.items():
        picture = leaves.pictures(np.array([label]), SEED, size, first)[0]
        found[name] = torch.from_numpy(picture)
    return found


def _photographs() -> dict[str, Path]:
    import matplotlib.cbook

    scikit = Path(str(resources.files("sklearn"))) / "datasets" / "images"
    portrait = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return {
        "temple": scikit / "china.jpg",
        "flower": scikit / "flower.jpg",
        "portrait": Path(portrait),
    }
