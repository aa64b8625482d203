"""Pictures in folders, one a class: a learner's own, and those of published archives."""

import contextlib
import hashlib
import io
import struct
import warnings
from collections.abc import Iterator, Sequence
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

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture: Image.Image = Image.open(io.BytesIO(data))
        if picture.width * picture.height > LARGEST:
            raise _refused(f"{picture.width} × {picture.height} pixels are too many", "Shrink it")
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
        raise _refused("it has too many pixels", "Shrink it") from None
    except store.BadInput:
        raise
    except (OSError, SyntaxError, ValueError) as error:
        raise _refused(f"it cannot be read as a picture ({type(error).__name__})") from None
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
        raise _wrong(
            root,
            "it is a file" if root.exists() else "there is no such folder",
            "Pass a folder that holds one folder of pictures for each class",
        )
    parts = _ready_made(root)
    tops = parts.values() if parts else [root]
    classes = sorted({child.name for top in tops for child in _folders(top)})
    if len(classes) < 2:
        found = f"only one class folder, {classes[0]!r}" if classes else "no class folders"
        raise _wrong(
            root,
            f"it has {found}",
            "Put the pictures of each class into a folder of its own; two classes at least",
        )
    reader = _Reader(root, classes, size)
    if parts:
        splits = _complete(root, {name: reader.read(part) for name, part in parts.items()}, seed)
    else:
        whole = reader.read(root)
        reader.require(whole, least=5)
        splits = divide(whole, shares=(0.2, 0.2), seed=seed)
    for name, split in zip(("training", "validation", "test"), splits, strict=True):
        reader.require(split, part=f" for {name}")
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


def unpacked(name: str, classes: Sequence[str], inside: str | None = None) -> Split:
    """Every picture of a published archive at 64×64, labelled by the order of ``classes``.

    ``classes`` are folders side by side, in a folder called ``inside`` if given. Raises
    ``CorruptFile`` unless they are there, and once, and ``BadInput`` for a class without pictures;
    warns of files that cannot be read.
    """
    top = store.unpack(name)
    roots = [
        path
        for path in (top, *sorted(top.rglob("*")))
        if inside in (None, path.name)
        and "__MACOSX" not in path.parts
        and all((path / each).is_dir() for each in classes)
    ]
    if len(roots) != 1:
        place = "one folder" if inside is None else f"one folder {inside!r}"
        raise store.CorruptFile(
            name,
            f"the archive does not hold {place} with the folders {', '.join(classes)}",
            "Get it again from its publisher",
        )
    reader = _Reader(roots[0], classes, 64)
    split = reader.read(roots[0])
    reader.require(split)
    reader.report()
    return split


def _refused(cause: str, cure: str = "Leave it out or save it again as JPEG or PNG"):
    return store.BadInput("this picture", cause, cure)


def _wrong(root: Path, cause: str, cure: str) -> store.BadInput:
    return store.BadInput(f"folder {str(root)!r}", cause, cure)


def _folders(root: Path) -> list[Path]:
    try:
        found = [p for p in root.iterdir() if p.is_dir()]
    except OSError as error:
        raise _wrong(root, error.strerror or str(error), "Allow yourself to read it") from None
    return sorted(p for p in found if not p.name.startswith((".", "__")))


def _ready_made(root: Path) -> dict[str, Path]:
    """The folders train, val and test of ``root``; none where its folders are classes."""
    children = _folders(root)
    others = [child for child in children if child.name.lower() not in SPLITS]
    if others and len(children) - len(others) < 2:
        return {}
    if others:
        names = ", ".join(repr(other.name) for other in others)
        raise _wrong(
            root,
            f"it mixes train, val or test with other folders: {names}",
            "Move the others away, or pass a folder with one folder for each class",
        )
    parts = {SPLITS[child.name.lower()]: child for child in children}
    if len(parts) < len(children):
        raise _wrong(root, "two of its folders are validation", "Keep one of them")
    return parts


def _complete(root: Path, read: dict[str, Split], seed: int) -> tuple[Split, Split, Split]:
    """Make up for missing splits: a lone ``val`` is the test set, ``val`` is cut from ``train``."""
    if "train" not in read:
        raise _wrong(
            root,
            f"it has {' and '.join(sorted(read))} but no train",
            "Add a folder named train, or pass a folder with one folder for each class",
        )
    train, val, test = read["train"], read.get("val"), read.get("test")
    if test is None:
        val, test = None, val
    if test is None:
        return divide(train, shares=(0.2, 0.2), seed=seed)
    if val is None:
        train, val, _ = divide(train, shares=(0.2, 0.0), seed=seed)
    return train, val, test


class _Reader:
    """Reads the folders ``classes`` and remembers what it had to leave out."""

    def __init__(self, root: Path, classes: Sequence[str], size: int):
        self.root, self.classes, self.size = root, classes, size
        self.skipped: list[str] = []
        self.seen: dict[bytes, Path] = {}

    def read(self, root: Path) -> Split:
        import torch

        pictures: list[np.ndarray] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            pictures += self._pictures(root / name)
            labels += [label] * (len(pictures) - len(labels))
        stacked = np.stack(pictures) if pictures else np.empty((0, 3, self.size, self.size), "u1")
        return Split(torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64))

    def _pictures(self, root: Path) -> Iterator[np.ndarray]:
        for path in sorted(p for p in root.rglob("*") if p.is_file()):
            if path.name.startswith(".") or path.name.lower() in IGNORED:
                continue
            try:
                yield self._picture(path)
            except store.BadInput as error:
                self._skip(path, error.cause)
            except OSError as error:
                self._skip(path, error.strerror or str(error))

    def _picture(self, path: Path) -> np.ndarray:
        if path.suffix.lower() not in SUFFIXES:
            raise _refused("not a picture by its ending")
        data = path.read_bytes()
        digest = hashlib.sha256(data).digest()
        if digest in self.seen:
            raise _refused(f"the same file as {self.seen[digest].relative_to(self.root)}")
        picture = read_picture(data, self.size)
        self.seen[digest] = path
        return picture

    def _skip(self, path: Path, reason: str) -> None:
        self.skipped.append(f"{path.relative_to(self.root)}: {reason}")

    def require(self, split: Split, least: int = 1, part: str = "") -> None:
        counts = np.bincount(split.labels, minlength=len(self.classes)).tolist()
        left_out = ""
        if self.skipped:
            left_out = f" ({len(self.skipped)} files left out, first {self.skipped[0]})"
        for name, count in zip(self.classes, counts, strict=True):
            if count < least:
                raise store.BadInput(
                    f"class {name!r} in {str(self.root)!r}",
                    f"it has {count} usable pictures{part}{left_out}",
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
