"""Reads folders of pictures: what is left out and why, what is there twice, what is kept."""

import hashlib
import os
import re
import time
import unicodedata
import warnings
from collections.abc import Collection, Container, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tl_course import store
from tl_course.tasks.pictures import LARGEST, SAVE_AGAIN, alike, read_picture, refused, sketch
from tl_course.tasks.task import Split

ENDINGS = {
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff"),
    *(".avif", ".ppm", ".pgm", ".pbm", ".pnm", ".pfm", ".heic", ".heif"),
}
CLOUD = {".icloud", ".nextcloud", ".owncloud", ".cloud"}  # each stands for a file elsewhere
IGNORED = {"thumbs.db", "desktop.ini"}
SYSTEM = {
    *("@eadir", "@recycle", "@recently-snapshot", "#recycle", "#snapshot", "$recycle.bin"),
    *("system volume information", "lost+found", "thumbnails"),
}
UNWANTED = "not wanted"
WORTH, OFTEN = 2, 30  # seconds of reading that are worth keeping, and after which it is kept
Source = Path | Sequence[Path]  # a folder of pictures, or the files themselves


class SkippedFiles(UserWarning):
    """Files of a folder that were left out, or that look alike; the message says which and why."""


def hidden(name: str) -> bool:
    """Whether people do not see a folder of this name."""
    return name.startswith((".", "__")) or name.lower() in SYSTEM


def folded(name: str) -> str:
    """A name without case, spaces and hyphens."""
    return re.sub(r"[\s_-]", "", unicodedata.normalize("NFKC", name).casefold())


class Reader:
    """Reads the pictures of classes and remembers what it had to leave out.

    ``alike``: it looks among the decoded pictures, too, for what is there twice. ``keep``: what
    took long to decode is kept in the cache, and read again only where a file has changed.
    ``without``: pictures that are not wanted, by their names below ``root``.
    """

    def __init__(
        self,
        root: Path,
        classes: Sequence[str],
        size: int,
        alike: bool = False,
        keep: bool = False,
        without: Collection[str] = (),
    ):
        self.without = frozenset(without)
        self.root, self.classes, self.size, self.alike = root, classes, size, alike
        self.skipped: dict[str, list[str]] = {}  # names of files by reason
        self.notes: list[str] = []
        self.seen: dict[bytes, Path] = {}
        self.sketches: list[np.ndarray] = []
        self.sources: list[Path] = []  # of the sketches
        self.decoded = _Decoded(root, size) if keep else None

    @contextmanager
    def keeping(self) -> Iterator[None]:
        """Keep what is decoded meanwhile, even where something stops it."""
        whole = False
        try:
            yield
            whole = True
        finally:
            if self.decoded:
                self.decoded.keep(whole)

    def read(self, sources: Mapping[str, Source]) -> Split:
        """The pictures of each class by name; a class without a source has none."""
        import torch

        files = {name: [*self._proper(sources[name])] for name in self.classes if name in sources}
        pictures: list[np.ndarray] = []
        labels: list[int] = []
        names: list[str] = []
        with self._shown(sum(map(len, files.values()))) as told:
            for label, name in enumerate(self.classes):
                for path in files.get(name, ()):
                    picture = self._attempt(path)
                    told.update()
                    if picture is not None:
                        pictures.append(picture)
                        labels.append(label)
                        names.append(self.short(path))
        stacked = np.stack(pictures) if pictures else np.empty((0, 3, self.size, self.size), "u1")
        labelled = torch.tensor(labels, dtype=torch.int64)
        return Split(torch.from_numpy(stacked), labelled, files=tuple(names))

    def _shown(self, count: int):
        """A progress bar where it takes long."""
        from tqdm.auto import tqdm

        return tqdm(total=count, desc="pictures", delay=WORTH, leave=False, unit="")

    def _proper(self, source: Source) -> Iterator[Path]:
        """The files that may be pictures."""
        top = source if isinstance(source, Path) else self.root
        for path in self._files(source) if isinstance(source, Path) else source:
            reason = left_out(path.relative_to(top))
            if reason is None and self.short(path) in self.without:
                reason = UNWANTED
            if reason is None:
                yield path
            else:
                self.skip(path, reason)

    def _attempt(self, path: Path) -> np.ndarray | None:
        try:
            return self._picture(path)
        except store.BadInput as error:
            self.skip(path, error.cause + ("" if error.cure == SAVE_AGAIN else f". {error.cure}"))
        except OSError as error:
            self.skip(path, error.strerror or str(error))
        return None

    def _picture(self, path: Path) -> np.ndarray | None:
        """None for a copy of another."""
        state = path.stat()
        if state.st_size > 8 * LARGEST:
            raise refused("it is too large for a picture")
        mark = f"{self.short(path)}|{state.st_size}|{state.st_mtime_ns}|{state.st_ctime_ns}"
        known = self.decoded.known(mark) if self.decoded else None
        data = path.read_bytes() if known is None else b""
        digest = hashlib.sha256(data).digest() if known is None else known[0]
        if self._copy(path, digest, "file"):
            return None
        picture = read_picture(data, self.size) if known is None else known[1]
        if self.decoded:
            self.decoded.add(mark, digest, picture)
        if self.alike:
            if self._copy(path, hashlib.sha256(picture.tobytes()).digest(), "picture"):
                return None
            self.sketches.append(sketch(picture))
            self.sources.append(path)
        return picture

    def _copy(self, path: Path, digest: bytes, kind: str) -> bool:
        first = self.seen.setdefault(digest, path)
        if first is not path:
            self.skip(path, "copies", f" (the same {kind} as {self.short(first)})")
        return first is not path

    def _files(self, root: Path, but: Container[Path] = ()) -> list[Path]:
        """Every file below ``root`` in order, without those in the folders ``but``."""
        found = []
        unread = lambda error: self.skip(Path(error.filename), error.strerror)  # noqa: E731
        for place, folders, names in os.walk(root, onerror=unread):
            here = Path(place)
            folders[:] = [name for name in folders if here / name not in but]
            for name in folders:
                if (here / name).is_symlink():
                    self.skip(here / name, "links to folders")
            found += [here / name for name in names if (here / name).is_file()]
        return sorted(found)

    def strays(self, sources: Iterable[Source], reason: str = "in no class folder") -> None:
        """Note the pictures that are in none of ``sources``."""
        folders = {each for each in sources if isinstance(each, Path)}
        listed = {path for each in sources if not isinstance(each, Path) for path in each}
        for path in self._files(self.root, but=folders):
            if path.suffix.lower() in ENDINGS | CLOUD and path not in listed:
                out = left_out(path.relative_to(self.root))
                self.skip(path, reason if out is None else out)

    def short(self, path: Path) -> str:
        """A file's name as the learner sees it: below the folder."""
        return path.relative_to(self.root).as_posix()

    def skip(self, path: Path, reason: str | None, detail: str = "") -> None:
        """Remember that a file was left out; without a reason it goes without saying."""
        if reason:
            self.skipped.setdefault(reason, []).append(self.short(path) + detail)

    def require(self, split: Split, names: Collection[str], least: int = 1, part: str = "") -> None:
        """Raise ``BadInput`` where one of the classes ``names`` has too few pictures."""
        counts = np.bincount(split.labels, minlength=len(self.classes)).tolist()
        for name, count in zip(self.classes, counts, strict=True):
            if name in names and count < least:
                near = [each for each in self.classes if folded(each) == folded(name)]
                told = [f"there are {' and '.join(map(repr, near))}"] if len(near) > 1 else []
                told += [self._told().replace("\n ", ";")] if self.skipped else []
                raise store.BadInput(
                    f"class {name!r} in {str(self.root)!r}",
                    "; ".join([f"it has {count} usable pictures{part}, {least} are needed", *told]),
                    "Add pictures (ten or more is a start), or remove the folder",
                )

    def _told(self) -> str:
        lines = [
            f"Files left out of {self.root.resolve().name}: {sum(map(len, self.skipped.values()))}"
        ]
        for why, names in self.skipped.items():
            lines.append(f"{len(names)} × {why}: {store.some(names, str)}")
        return "\n  ".join(lines)

    def finish(self, apart: bool = False) -> None:
        """Warn of what was left out, and of what is alike; if ``apart``, in two parts only."""
        files = list(map(self.short, self.sources))
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


class _Decoded:
    """The pictures of a folder as they were read before at this size, by name, size and time."""

    def __init__(self, root: Path, size: int):
        place = hashlib.blake2b(f"1 {root.resolve()} {size}".encode(errors="replace")).hexdigest()
        self.name = f"pictures-{place[:32]}"
        kept = store.kept(self.name)
        marks, *rest = (kept.get(key, np.empty(0)) for key in ("marks", "digests", "pictures"))
        shapes = [(marks.size, hashlib.sha256().digest_size), (marks.size, 3, size, size)]
        proper = [each.shape for each in rest] == shapes and {each.dtype.str for each in rest} == {
            "|u1"
        }
        rows = zip(marks, *rest, strict=True) if proper else ()
        self._before = {str(mark): (bytes(each), picture) for mark, each, picture in rows}
        self._now: dict[str, tuple[bytes, np.ndarray]] = {}
        self._began = self._kept = time.monotonic()
        self._new = False

    def known(self, mark: str) -> tuple[bytes, np.ndarray] | None:
        return self._before.get(mark)

    def add(self, mark: str, digest: bytes, picture: np.ndarray) -> None:
        self._new = self._new or mark not in self._before
        self._now[mark] = digest, picture
        if time.monotonic() - self._kept > OFTEN:  # so that a reading that is stopped goes on
            self._write(self._before | self._now)

    def keep(self, whole: bool) -> None:
        """Write down what there is, where something is new and reading took a while.

        ``whole``: every picture was read, and what else was kept is of files that are gone.
        """
        if self._new and time.monotonic() - self._began > WORTH:
            self._write(self._now if whole else self._before | self._now)

    def _write(self, found: dict[str, tuple[bytes, np.ndarray]]) -> None:
        digests, pictures = zip(*found.values(), strict=True)
        store.keep(
            self.name,
            marks=np.array([*found]),
            digests=np.frombuffer(b"".join(digests), "u1").reshape(len(found), -1),
            pictures=np.stack(pictures),
        )
        self._kept = time.monotonic()


def left_out(path: Path) -> str | None:
    """Why a file of a class folder is not read; empty where that goes without saying."""
    ending = path.suffix.lower()
    if ending in CLOUD:
        return "still in a cloud, download them"
    if path.name.startswith("._") or path.name.lower() in IGNORED:
        return ""
    if path.name.startswith(".") or any(map(hidden, path.parts[:-1])):
        return "hidden, or in a hidden or system folder" if ending in ENDINGS else ""
    return None if ending in ENDINGS else "not a picture by its ending"
