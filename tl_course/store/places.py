"""Where files are kept, how they are recognised, and how they are written safely."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import html
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tl_course.store.errors import BadInput, NotAvailable, StorageError

# Left-overs of a killed process are older than any running download or extraction.
STALE_SECONDS = 24 * 3600

OTHER_CACHE = "Set TL_COURSE_CACHE to a folder that you may write to"

READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}


def user_path(path: str | Path) -> Path:
    """Return a path that a user typed, with ``~`` spelled out.

    Raises `BadInput` for the home of a user whom this machine does not know.
    """
    try:
        return Path(path).expanduser()
    except RuntimeError:
        cause = "this machine knows no home folder of that name"
        raise BadInput(f"path {str(path)!r}", cause, "Spell the path out") from None


def cache_dir() -> Path:
    """Return the folder for downloads and unpacked archives; nothing is created.

    It is the folder that the variable TL_COURSE_CACHE names, else the platform's cache folder.
    """
    named = os.environ.get("TL_COURSE_CACHE")
    if named:
        return user_path(named).absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("tl_course"))


def data_dir() -> Path | None:
    """Return the folder that the variable TL_COURSE_DATA names, or None where it is not set.

    Raises `NotAvailable` when the variable names something that is not a folder.
    """
    named = os.environ.get("TL_COURSE_DATA")
    if not named:
        return None
    folder = user_path(named).absolute()
    if not folder.is_dir():
        raise NotAvailable(
            f"TL_COURSE_DATA={named}",
            "this is not a folder",
            "Set TL_COURSE_DATA to the folder that holds your data files, or unset it",
        )
    return folder


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    The file is read piece by piece. Raises `NotAvailable` when there is no such file and
    `StorageError` when it cannot be read.
    """
    return file_digest(Path(path), "sha256")


def file_digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file by the named algorithm of `hashlib`, in hexadecimal."""
    try:
        with path.open("rb") as file:
            # Systems that forbid MD5 for signatures still allow it as a checksum.
            empty = hashlib.new(algorithm, usedforsecurity=False)
            return hashlib.file_digest(file, lambda: empty).hexdigest()
    except OSError as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: OSError) -> NotAvailable | StorageError:
    """Return the course's error for a file that could not be opened."""
    if isinstance(error, FileNotFoundError):
        return NotAvailable(str(path), "there is no such file", "Check the path")
    cause = f"it cannot be read ({error.strerror or error})"
    return StorageError(str(path), cause, "Check that it is a file and that you may read it")


def unwritable(
    thing: str, folder: Path, needed: int | None, error: OSError, cure: str = OTHER_CACHE
) -> StorageError:
    """Return the course's error, with its `errno`, for a failed write of `needed` bytes."""
    if error.errno in FULL:
        return disk_full(thing, folder, needed)
    cause = f"the folder {folder} cannot be written ({error.strerror or error})"
    found = StorageError(thing, cause, cure)
    found.errno = error.errno
    return found


def disk_full(thing: str, folder: Path, needed: int | None) -> StorageError:
    """Return the error for a disk without room, with the free and the needed space."""
    needs = f"; {megabytes(needed)} are needed" if needed else ""
    free = megabytes(free_bytes(folder))
    cause = f"there is no room left on the disk: {free} are free in {folder}{needs}"
    found = StorageError(thing, cause, "Make room, or use a folder on another disk")
    found.errno = errno.ENOSPC
    return found


def present(path: Path) -> bool:
    """Say whether a file lies there; raise `StorageError` where one may not even look."""
    try:
        return path.is_file()
    except OSError as error:
        raise unreadable(path, error) from error


def free_bytes(folder: Path) -> int:
    """Return the free space, in bytes, of the disk that holds `folder` or will hold it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def megabytes(size: int) -> str:
    """Return a size in bytes as text, in millions of bytes."""
    return f"{size / 1e6:,.1f} MB"


def partial_path(target: Path) -> Path:
    """Return a fresh name beside `target`, for content that is not complete yet."""
    return target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")


def remove(part: Path) -> None:
    """Remove a partial file or folder, if there is one; what cannot be removed stays."""
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
        return
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)


def remove_stale_partials(target: Path) -> None:
    """Remove what processes that were killed long ago left beside `target`."""
    oldest = time.time() - STALE_SECONDS
    for left in target.parent.glob(f".{target.name}.*.part"):
        with contextlib.suppress(OSError):
            if left.stat().st_mtime < oldest:
                remove(left)


def write_atomically(target: Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part of it.

    Raises `StorageError` when the folder cannot be written or the disk is full.
    """
    part = partial_path(target)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(target)
    except OSError as error:
        cure = "Check that the folder may be written to"
        raise unwritable(target.name, target.parent, len(content), error, cure) from error
    finally:
        remove(part)


def html_title(start: bytes) -> str | None:
    """Return the title of an HTML page from its first bytes: "" without one, None if not HTML."""
    text = start.decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if not re.match(r"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head)\b", text, re.I | re.S):
        return None
    title = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    return " ".join(html.unescape(title[1]).split())[:80] if title else ""


def html_fault(path: Path) -> str | None:
    """Return what is wrong with a file that holds a web page instead of data, else None."""
    with path.open("rb") as file:
        title = html_title(file.read(65536))
    if title is None:
        return None
    return "it is an HTML page, not data" + (f" (its title is “{title}”)" if title else "")


class Checked:
    """Remembers, for this process, which files passed a check and have not changed since."""

    def __init__(self) -> None:
        self._passed: dict[tuple[Path, str], tuple[int, int]] = {}

    def once(self, path: Path, check: str, run: Callable[[], None]) -> None:
        """Call `run` unless the same file, by size and time of change, passed this check before."""
        try:
            state = path.stat()
        except OSError as error:
            raise unreadable(path, error) from error
        stamp = (state.st_size, state.st_mtime_ns)
        if self._passed.get((path, check)) != stamp:
            run()
            self._passed[path, check] = stamp
