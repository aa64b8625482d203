"""A folder of photographs as people's folders are, for those who have none at hand."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from tl_course import store
from tl_course.tasks import materials

KINDS = ("bricks", "fur", "knitting", "marble", "weave", "wood")
PIECES, SHOTS, SIDE = 10, 3, 160  # pieces of each kind, photographs of each, pixels a side
SEED = 13
# single photographs that lie in the folder of another kind
ASTRAY = {"fur/piece11_1.jpg": "wood", "weave/piece11_1.jpg": "bricks"}
COPY = "knitting/piece03_1 copy.jpg"
OTHERS = {  # what else is there
    "fur/notes.txt": b"the grey one is at grandma's",
    "marble/.DS_Store": b"\0\0\0\1Bud1",
    "marble/IMG_2041.HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(64),
    "wood/piece07_4.jpg": b"",
}


def example_folder() -> Path:
    """A folder with a folder for each kind of surface, three blurred or dim shots of each piece.

    Two photographs lie in the wrong folder, one is there twice, and some files are none. It is
    drawn once and lies in the course's cache. Raises ``StorageError`` where that cannot be written.
    """
    root = store.cache_dir() / "my_surfaces"
    done = root / ".drawn"
    if not done.exists():
        for name, content in _files():
            store.write_atomically(root / name, content)
        store.write_atomically(done, b"")
    return root


def _files() -> Iterator[tuple[str, bytes]]:
    wanted = [(f"{k}/piece{i:02}", k) for k in KINDS for i in range(1, PIECES + 1)]
    wanted += [(name.rpartition("_")[0], kind) for name, kind in ASTRAY.items()]
    labels = np.array([materials.CLASSES.index(kind) for _, kind in wanted])
    for (name, _), surface in zip(wanted, materials.pictures(labels, SEED, SIDE + 32), strict=True):
        rng = np.random.default_rng([SEED, len(name), *name.encode()])
        shots = [*_shots(rng, surface)]
        for shot, content in enumerate(shots if f"{name}_1.jpg" not in ASTRAY else shots[:1], 1):
            yield f"{name}_{shot}.jpg", content
            if f"{name}_{shot} copy.jpg" == COPY:
                yield COPY, content
    yield from OTHERS.items()


def _shots(rng: np.random.Generator, surface: np.ndarray) -> Iterator[bytes]:
    """A few photographs of one surface: the light stays, the hand moves a little."""
    blur, light = rng.uniform(1, 3.2), rng.uniform(0.3, 1.1)
    for _ in range(SHOTS):
        top, left = rng.integers(0, 32, 2)
        cut = surface[:, top : top + SIDE, left : left + SIDE].transpose(1, 2, 0)
        soft = np.asarray(Image.fromarray(cut).filter(ImageFilter.GaussianBlur(blur)), np.float32)
        noisy = soft * light * rng.uniform(0.9, 1.1) + rng.normal(0, 5, soft.shape)
        buffer = io.BytesIO()
        Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(buffer, "JPEG", quality=88)
        yield buffer.getvalue()
