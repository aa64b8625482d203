"""A learner's own pictures: one folder a class."""

import contextlib
import hashlib
import io
import struct
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task, divide

SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
LARGEST = 100_000_000  # pixels; beyond this a picture would take gigabytes of memory to open
SPLITS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}
IGNORED = {"thumbs.db", "desktop.ini"}


class SkippedFiles(UserWarning):
    """Some files of a class folder were left out; the message says which and why."""


def read_picture(data: bytes, size: int) -> np.ndarray:
    """One encoded picture as uint8 (3, ``size``, ``size``), RGB, upright, centre-cropped.

    Turns what a camera marked as turned (EXIF), converts CMYK, palettes and 16-bit grey, lays
    transparent pictures on white. Raises ``BadInput`` with the reason when it cannot.
    """
    from PIL import Image, ImageOps

    def refuse(cause: str, cure: str = "Leave it out or save it again as JPEG or PNG"):
        return store.BadInput("this picture", cause, cure)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data))
        if picture.width * picture.height > LARGEST:
            raise refuse(f"{picture.width} × {picture.height} pixels are too many", "Shrink it")
        picture.draft("RGB", (2 * size, 2 * size))  # lets JPEG decode at a fraction of its size
        with contextlib.suppress(struct.error, TypeError, KeyError, ValueError):
            picture = ImageOps.exif_transpose(picture)  # damaged notes of a camera are ignored
        if picture.mode.startswith("I") or picture.mode == "F":
            grey = np.asarray(picture, dtype=np.float64)
            span = max(grey.max() - grey.min(), 1)
            picture = Image.fromarray(((grey - grey.min()) / span * 255).astype(np.uint8))
        if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
            picture = picture.convert("RGBA")
            sheet = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(sheet, picture)
        square = ImageOps.fit(picture.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    except Image.DecompressionBombError:
        raise refuse("it has too many pixels", "Shrink it") from None
    except (OSError, SyntaxError, ValueError) as error:
        if isinstance(error, store.BadInput):
            raise
        raise refuse(f"it cannot be read as a picture ({type(error).__name__})") from None
    return np.asarray(square).transpose(2, 0, 1)


def folder(path, size: int = 64, seed: int = 0) -> Task:
    """A task from your own pictures: ``path/CLASS/a.jpg``, or the same below train, val, test.

    Pictures become uint8 (3, ``size``, ``size``). Without ready-made splits a fifth of each
    class is held out for validation and a fifth for the test. Files that cannot be read and
    exact copies of another file are left out, with one ``SkippedFiles`` warning that lists
    them. Raises ``BadInput`` for fewer than two classes or a class with too few pictures.
    """
    root = store.user_path(path)
    if not root.is_dir():
        raise store.BadInput(
            f"folder {str(root)!r}",
            "it is a file" if root.exists() else "there is no such folder",
            "Pass a folder that holds one folder of pictures for each class",
        )
    reader = _Reader(root, size)
    children = _folders(root)
    ready_made = [child for child in children if child.name.lower() in SPLITS]
    if len(ready_made) > 1 and len(ready_made) < len(children):
        others = ", ".join(repr(c.name) for c in children if c not in ready_made)
        raise store.BadInput(
            f"folder {str(root)!r}",
            f"it mixes train, val or test with other folders: {others}",
            "Move the others away, or pass a folder with one folder for each class",
        )
    if children and ready_made == children:
        parts = {SPLITS[child.name.lower()]: child for child in children}
        if len(parts) < len(children):
            raise store.BadInput(
                f"folder {str(root)!r}", "two of its folders are validation", "Keep one of them"
            )
        classes = sorted({c.name for child in children for c in _folders(child)})
        reader.require_classes(classes)
        read = {name: reader.read(child, classes) for name, child in parts.items()}
        splits = _complete(root, read, seed)
    else:
        classes = [child.name for child in children]
        reader.require_classes(classes)
        whole = reader.read(root, classes)
        reader.require_pictures(whole, classes, least=5)
        splits = divide(whole, shares=(0.2, 0.2), seed=seed)
    for name, split in zip(("training", "validation", "test"), splits, strict=True):
        reader.require_pictures(split, classes, least=1, part=f" for {name}")
    reader.report()
    return Task(
        root.name,
        root.name,
        tuple(classes),
        *splits,
        licence="yours",
        source=str(root),
        overlap="not known: everyday objects may be among the 200 classes of the source",
    )


def read_classes(root: Path, classes: list[str], size: int = 64) -> Split:
    """Every picture of the folders ``classes`` below ``root``, labelled by the order given.

    Raises ``BadInput`` for a class without pictures; warns of files that cannot be read.
    """
    reader = _Reader(root, size)
    split = reader.read(root, classes)
    reader.require_pictures(split, classes, least=1)
    reader.report()
    return split


def _folders(root: Path) -> list[Path]:
    try:
        found = [p for p in root.iterdir() if p.is_dir()]
    except OSError as error:
        raise store.BadInput(
            f"folder {str(root)!r}", error.strerror or str(error), "Allow yourself to read it"
        ) from None
    return sorted(p for p in found if not p.name.startswith((".", "__")))


def _complete(root: Path, read: dict[str, Split], seed: int) -> tuple[Split, Split, Split]:
    """Make up for missing splits: a lone ``val`` is the test set, ``val`` is cut from ``train``."""
    if "train" not in read:
        raise store.BadInput(
            f"folder {str(root)!r}",
            f"it has {' and '.join(sorted(read))} but no train",
            "Add a folder named train, or pass a folder with one folder for each class",
        )
    train, val, test = (read.get(name) for name in ("train", "val", "test"))
    if test is None and val is not None:
        val, test = None, val
    if val is None and test is not None:
        train, val, _ = divide(train, shares=(0.2, 0.0), seed=seed)
    elif test is None:
        train, val, test = divide(train, shares=(0.2, 0.2), seed=seed)
    return train, val, test


class _Reader:
    """Reads class folders and remembers what it had to leave out."""

    def __init__(self, root: Path, size: int):
        self.root, self.size = root, size
        self.skipped: list[str] = []
        self.seen: dict[bytes, Path] = {}

    def read(self, root: Path, classes: list[str]) -> Split:
        import torch

        pictures, labels = [], []
        for label, name in enumerate(classes):
            for picture in self._pictures(root / name):
                pictures.append(picture)
                labels.append(label)
        stacked = np.stack(pictures) if pictures else np.empty((0, 3, self.size, self.size))
        inputs = torch.from_numpy(stacked.astype(np.uint8, copy=False))
        return Split(inputs, torch.tensor(labels, dtype=torch.int64))

    def _pictures(self, root: Path) -> Iterator[np.ndarray]:
        files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else []
        for path in files:
            if path.name.startswith(".") or path.name.lower() in IGNORED:
                continue
            if path.suffix.lower() not in SUFFIXES:
                self._skip(path, "not a picture by its ending")
                continue
            try:
                data = path.read_bytes()
                digest = hashlib.sha256(data).digest()
                if digest in self.seen:
                    other = self.seen[digest].relative_to(self.root)
                    self._skip(path, f"the same file as {other}")
                    continue
                picture = read_picture(data, self.size)
            except OSError as error:
                self._skip(path, error.strerror or str(error))
                continue
            except store.BadInput as error:
                self._skip(path, error.cause)
                continue
            self.seen[digest] = path
            yield picture

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(f"{path.relative_to(self.root)}: {reason}")

    def _why(self) -> str:
        return (
            f" ({len(self.skipped)} files left out, first {self.skipped[0]})"
            if self.skipped
            else ""
        )

    def require_classes(self, classes: list[str]) -> None:
        if len(classes) < 2:
            found = f"only one class folder, {classes[0]!r}" if classes else "no class folders"
            raise store.BadInput(
                f"folder {str(self.root)!r}",
                f"it has {found}",
                "Put the pictures of each class into a folder of its own; two classes at least",
            )

    def require_pictures(
        self, split: Split, classes: list[str], least: int, part: str = ""
    ) -> None:
        for label, name in enumerate(classes):
            count = int((split.labels == label).sum())
            if count < least:
                raise store.BadInput(
                    f"class {name!r} in {str(self.root)!r}",
                    f"it has {count} usable pictures{part}{self._why()}",
                    "Add pictures (ten or more is a start), or remove the folder",
                )

    def report(self) -> None:
        if self.skipped:
            shown = "\n  ".join(self.skipped[:10])
            more = f"\n  and {len(self.skipped) - 10} more" if len(self.skipped) > 10 else ""
            warnings.warn(
                f"{len(self.skipped)} files left out of {self.root}:\n  {shown}{more}",
                SkippedFiles,
                stacklevel=4,
            )
