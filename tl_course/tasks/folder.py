"""Pictures in folders, one a class: a learner's own, and those of published archives."""

import hashlib
import os
import re
import unicodedata
import warnings
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from tl_course import store
from tl_course.store.places import reading
from tl_course.tasks.pictures import LARGEST, SAVE_AGAIN, SIDE, alike, read_picture, refused, sketch
from tl_course.tasks.task import Split, Task, divide

ENDINGS = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".heic", ".heif"),
}
CLOUD = {".icloud", ".nextcloud", ".owncloud", ".cloud"}  # each stands for a file elsewhere
LEAST = 5  # pictures of a class that can be divided: one to choose, one to test
SPLIT = re.compile(
    r"\d*(?:(?P<train>train(?:ing)?|trn)|(?P<val>val(?:id(?:ation)?)?|dev(?:el(?:opment)?)?)"
    r"|(?P<test>test(?:ing)?|tst|holdout)|(?P<eval>eval(?:uation)?))\d*s?"
    r"(?:data(?:set)?|set|split|folder|images?|imgs?|pictures?|pics?|photos?)?\d*"
)
PARTS = {"test": "the test", "val": "validation", "train": "training"}  # in the order of reading
IGNORED = {"thumbs.db", "desktop.ini"}
SYSTEM = {
    *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin"),
    *("system volume information", "lost+found", "thumbnails"),
}
Inside = dict[str, dict[str, Path]]  # from a part to its class folders by name


class SkippedFiles(UserWarning):
    """Files of a folder that were left out, or that look alike; the message says which and why."""


def folder(
    path: str | Path, size: int = 64, seed: int = 0, classes: Sequence[str] | None = None
) -> Task:
    """A task from your own pictures: ``path/CLASS/a.jpg``, or the same below train, val, test.

    Pictures become uint8 (3, ``size``, ``size``). Without ready-made splits a fifth of each
    class is held out for validation and a fifth for the test: a class needs 5 pictures, or 1 in
    each of train, val and test. ``classes`` are names in an order, such as ``model.classes``;
    other folders are then left out, and a name without a folder is a class without pictures.

    Files that cannot be read, copies of others and what is in hidden folders are left out, with one
    ``SkippedFiles`` warning that counts them by reason; it names those that look like another saved
    again, too. Raises ``BadInput`` for fewer than two classes, a class with too few pictures, and
    folders that may be read in two ways.
    """
    size, seed = store.whole("size", size, most=SIDE), store.whole("seed", seed, least=0)
    root = store.user_path(path)
    with reading(root):
        if not root.is_dir():
            raise _wrong(
                root,
                "it is a file" if root.exists() else "there is no such folder",
                "Pass a folder that holds one folder of pictures for each class",
            )
    wanted = None if classes is None else _names(classes)
    tops = _ready_made(root, wanted or ()) or {"train": root}
    names, inside = _every(root, tops) if wanted is None else _chosen(root, wanted, tops)
    reader = _Reader(root, names, size, alike=True)
    read = {part: reader.read(inside[part]) for part in PARTS if part in tops}
    reader.strays({each for found in inside.values() for each in found.values()})
    whole = len(read) == len(PARTS)
    for part, split in read.items():
        where = f" for {PARTS[part]}" if len(read) > 1 else ""
        missing = [name for name in names if name not in inside[part]]
        if wanted and missing:
            reader.notes.append(f"No folder of pictures{where}: {store.some(missing)}")
        # what other parts lack is taken from training
        least = 1 if whole or part != "train" else LEAST
        reader.require(split, inside[part] if wanted else names, least, where)
    reader.report(apart=whole)
    return Task(
        root.resolve().name or str(root),
        root.resolve().name or str(root),
        names,
        *_complete(read, seed),
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
    split = reader.read({each: roots[0] / each for each in classes})
    reader.require(split, classes)
    reader.report()
    return split


def _wrong(root: Path, cause: str, cure: str) -> store.BadInput:
    return store.BadInput(f"folder {str(root)!r}", cause, cure)


def _composed(name: str) -> str:
    """A name with its accents composed, as systems differ there, and without what is no text."""
    return unicodedata.normalize("NFC", name.encode(errors="replace").decode())


def _folded(name: str) -> str:
    """A name without case, spaces and hyphens."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name).casefold())


def _hidden(name: str) -> bool:
    return name.startswith((".", "__")) or name.lower() in SYSTEM


def _folders(root: Path, hidden: bool = False) -> dict[str, Path]:
    """The folders of ``root`` by name."""
    with reading(root):
        found = sorted(p for p in root.iterdir() if p.is_dir() and (hidden or not _hidden(p.name)))
    named = {_composed(path.name): path for path in found}
    if len(named) < len(found):
        cause = "two of its folders have one name, but for how accents are stored"
        raise _wrong(root, cause, "Put their pictures together")
    return named


def _ready_made(root: Path, classes: Sequence[str]) -> dict[str, Path]:
    """The folders train, val and test of ``root``, however they are called; none for classes."""
    children = _folders(root)
    if children.keys() & map(_composed, classes):
        return {}
    found = {name: SPLIT.fullmatch(_folded(name)) for name in children}
    others = [name for name in found if not found[name]]
    known = {name: match.lastgroup for name, match in found.items() if match}
    if others and len(known) < 2:
        known = {name: role for name, role in known.items() if _holds_folders(children[name])}
    if others and known:
        raise _wrong(
            root,
            f"it mixes train, val or test with other folders: {store.some(others)}",
            "Move the others away, or pass a folder with one folder for each class",
        )
    parts: dict[str, Path] = {}
    for name, role in known.items():
        if role == "eval":  # beside a test it is for validation
            role = "val" if "test" in known.values() else "test"
        if role in parts:
            cause = f"two of its folders are {PARTS[role]}: {parts[role].name!r} and {name!r}"
            raise _wrong(root, cause, "Keep one of them")
        parts[str(role)] = children[name]
    if parts and "train" not in parts:
        raise _wrong(
            root,
            f"it has {' and '.join(map(repr, known))} but no train",
            "Add a folder named train, or pass a folder with one folder for each class",
        )
    return parts


def _holds_folders(root: Path) -> bool:
    """Whether there are folders rather than pictures in ``root``, but for a stray one."""
    with reading(root):
        pictures = sum(path.suffix.lower() in ENDINGS for path in root.iterdir())
    return pictures < len(_folders(root))


def _every(root: Path, tops: Mapping[str, Path]) -> tuple[tuple[str, ...], Inside]:
    """All class folders of each part. Raises ``BadInput`` where others may be the classes."""
    inside = {part: _folders(top) for part, top in tops.items()}
    names = sorted({name for found in inside.values() for name in found})
    if len(names) < 2:
        hidden = sorted(_folders(root, hidden=True).keys() - _folders(root))
        cause = (
            f"it has only one class folder, {names[0]!r}" if names else "it has no class folders"
        )
        cause += f" but hidden ones: {store.some(hidden)}" if hidden else ""
        cure = "Put the pictures of each class into a folder of its own; two classes at least"
        raise _wrong(root, cause, cure)
    for found in inside.values():
        below = {name: _folders(path) for name, path in found.items() if _holds_folders(path)}
        every = [each for folders in below.values() for each in folders]
        shared = {each for each in every if every.count(each) > 1}
        if shared and len({*every}) > 1:
            both = [name for name, folders in below.items() if shared & folders.keys()]
            raise _wrong(
                root,
                f"its classes may be {store.some(both)}, or else {store.some(sorted({*every}))}, "
                "as these are folders in several of them",
                f"If the first, pass classes={both[:2]} and so on; if the second, name one folder "
                "train and one test, or put the pictures of each class together",
            )
    return tuple(names), inside


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    names = () if isinstance(classes, str) or not isinstance(classes, Iterable) else (*classes,)
    proper = all(isinstance(name, str) and name for name in names)
    if not names or not proper or len({*map(_composed, names)}) < len(names):
        thing, cause = f"classes={classes!r}", "it must be a list of different names"
        raise store.BadInput(thing, cause, 'Pass ["ant", "bee"] or model.classes')
    return names


def _chosen(
    root: Path, names: tuple[str, ...], tops: Mapping[str, Path]
) -> tuple[tuple[str, ...], Inside]:
    """The ``names`` that the caller wants, and their folders in each part."""
    inside: Inside = {}
    for part, top in tops.items():
        found = _folders(top, hidden=True)
        inside[part] = {n: found[_composed(n)] for n in names if _composed(n) in found}
        near = {_folded(name): name for name in found.keys() - map(_composed, names)}
        for name in names:
            if name not in inside[part] and _folded(name) in near:
                cause = f"{str(top)!r} has no folder of this name, but {near[_folded(name)]!r}"
                raise store.BadInput(f"class {name!r}", cause, "Rename the folder or the class")
    if not any(inside.values()):
        cause = f"it has no folder of {store.some(names)}"
        raise _wrong(root, cause, "Pass the names of its folders")
    return names, inside


def _complete(read: Mapping[str, Split], seed: int) -> tuple[Split, Split, Split]:
    """Make up for missing splits: a lone ``val`` is the test set, ``val`` is cut from ``train``."""
    train, val, test = read["train"], read.get("val"), read.get("test")
    if test is None:
        val, test = None, val
    if test is None:
        return divide(train, shares=(0.2, 0.2), seed=seed)
    if val is None:
        train, val, _ = divide(train, shares=(0.2, 0.0), seed=seed)
    return train, val, test


class _Reader:
    """Reads class folders and remembers what it had to leave out.

    ``alike``: it looks among the decoded pictures, too, for what is there twice.
    """

    def __init__(self, root: Path, classes: Sequence[str], size: int, alike: bool = False):
        self.root, self.classes, self.size, self.alike = root, classes, size, alike
        self.skipped: dict[str, list[str]] = {}  # names of files by reason
        self.notes: list[str] = []
        self.seen: dict[bytes, Path] = {}
        self.sketches: list[np.ndarray] = []
        self.sources: list[Path] = []  # of the sketches

    def read(self, folders: Mapping[str, Path]) -> Split:
        import torch

        pictures: list[np.ndarray] = []
        labels: list[int] = []
        for label, name in enumerate(self.classes):
            if name in folders:
                pictures += self._pictures(folders[name])
            labels += [label] * (len(pictures) - len(labels))
        stacked = np.stack(pictures) if pictures else np.empty((0, 3, self.size, self.size), "u1")
        return Split(torch.from_numpy(stacked), torch.tensor(labels, dtype=torch.int64))

    def _pictures(self, root: Path) -> Iterator[np.ndarray]:
        for path in self._files(root):
            reason, picture = _left_out(path.relative_to(root)), None
            try:
                picture = self._picture(path) if reason is None else None
            except store.BadInput as error:
                reason = error.cause + ("" if error.cure == SAVE_AGAIN else f". {error.cure}")
            except OSError as error:
                reason = error.strerror or str(error)
            if picture is not None:
                yield picture
            else:
                self._skip(path, reason)

    def _picture(self, path: Path) -> np.ndarray | None:
        """None for a copy of another."""
        if path.stat().st_size > 8 * LARGEST:
            raise refused("it is too large for a picture")
        data = path.read_bytes()
        if self._copy(path, data, "file"):
            return None
        picture = read_picture(data, self.size)
        if self.alike:
            if self._copy(path, picture.tobytes(), "picture"):
                return None
            self.sketches.append(sketch(picture))
            self.sources.append(path)
        return picture

    def _copy(self, path: Path, content: bytes, kind: str) -> bool:
        first = self.seen.setdefault(hashlib.sha256(content).digest(), path)
        if first is not path:
            self._skip(path, "copies", f" (the same {kind} as {self._short(first)})")
        return first is not path

    def _files(self, root: Path, but: Container[Path] = ()) -> list[Path]:
        """Every file below ``root`` in order, without those in the folders ``but``."""
        found = []
        unread = lambda error: self._skip(Path(error.filename), error.strerror)  # noqa: E731
        for place, folders, names in os.walk(root, onerror=unread):
            here = Path(place)
            folders[:] = [name for name in folders if here / name not in but]
            for name in folders:
                if (here / name).is_symlink():
                    self._skip(here / name, "links to folders")
            found += [here / name for name in names if (here / name).is_file()]
        return sorted(found)

    def strays(self, folders: Container[Path]) -> None:
        """Note the pictures that are in none of the class folders ``folders``."""
        for path in self._files(self.root, but=folders):
            if path.suffix.lower() in ENDINGS | CLOUD:
                reason = _left_out(path.relative_to(self.root))
                self._skip(path, "in no class folder" if reason is None else reason)

    def _short(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix()

    def _skip(self, path: Path, reason: str | None, detail: str = "") -> None:
        if reason:
            self.skipped.setdefault(reason, []).append(self._short(path) + detail)

    def require(self, split: Split, names: Collection[str], least: int = 1, part: str = "") -> None:
        counts = np.bincount(split.labels, minlength=len(self.classes)).tolist()
        for name, count in zip(self.classes, counts, strict=True):
            if name in names and count < least:
                near = [each for each in self.classes if _folded(each) == _folded(name)]
                told = [f"there are {' and '.join(map(repr, near))}"] if len(near) > 1 else []
                told += [self._told().replace("\n ", ";")] if self.skipped else []
                raise store.BadInput(
                    f"class {name!r} in {str(self.root)!r}",
                    "; ".join([f"it has {count} usable pictures{part}, {least} are needed", *told]),
                    "Add pictures (ten or more is a start), or remove the folder",
                )

    def _told(self) -> str:
        lines = [f"Files left out of {self.root}: {sum(map(len, self.skipped.values()))}"]
        for why, names in self.skipped.items():
            lines.append(f"{len(names)} × {why}: {store.some(names, str)}")
        return "\n  ".join(lines)

    def report(self, apart: bool = False) -> None:
        """Warn of what was left out, and of what is alike (``apart``: in two parts only)."""
        files = list(map(self._short, self.sources))
        parts = [file.partition("/")[0] for file in files] if apart else files
        pairs = [f"{files[a]} like {files[b]}" for a, b in alike(self.sketches, parts)]
        if pairs:
            self.notes += [
                f"{len(pairs)} × like another picture saved again: {store.some(pairs, str)}. "
                "They were kept; remove them, as a test with pictures from training is too easy"
            ]
        told = ([self._told()] if self.skipped else []) + self.notes
        if told:
            warnings.warn("\n".join(told), SkippedFiles, stacklevel=3)


def _left_out(path: Path) -> str | None:
    """Why a file of a class folder is not read; empty where that goes without saying."""
    ending = path.suffix.lower()
    if ending in CLOUD:
        return "still in a cloud, download them"
    if path.name.startswith("._") or path.name.lower() in IGNORED:
        return ""
    if path.name.startswith(".") or any(map(_hidden, path.parts[:-1])):
        return "hidden, or in a hidden or system folder" if ending in ENDINGS else ""
    return None if ending in ENDINGS else "not a picture by its ending"
