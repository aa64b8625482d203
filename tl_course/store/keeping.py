"""What took long to compute, kept in the cache so that it need not be computed again."""

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course.store.errors import StorageError
from tl_course.store.places import cache_dir, replacing

if TYPE_CHECKING:
    import numpy as np

ROOM = 2_000_000_000  # bytes for all that is kept; what was not used for longest goes first


def kept(name: str) -> "dict[str, np.ndarray]":
    """Return the arrays kept under ``name``; none where they are not there, or damaged."""
    import numpy as np

    place = _place(name)
    try:
        with np.load(place, allow_pickle=False) as file:
            found = {key: file[key] for key in file.files}
        place.touch()  # used now
    except Exception:  # a damaged file raises many kinds
        return {}
    return found


def keep(name: str, **arrays: "np.ndarray") -> None:
    """Keep ``arrays`` under ``name``; where the disk is full nothing is kept, and nothing lost."""
    import numpy as np

    with suppress(StorageError), replacing(_place(name)) as part, part.open("wb") as file:
        np.savez(file, **arrays)  # type: ignore[arg-type]
    with suppress(OSError):  # another process may remove them at the same time
        files = sorted(_place(name).parent.glob("*.npz"), key=lambda each: -each.stat().st_mtime)
        held = 0
        for path in files:
            held += path.stat().st_size
            if held > ROOM and path != _place(name):
                path.unlink()


def _place(name: str) -> Path:
    return cache_dir() / "kept" / f"{name}.npz"
