"""Where files are kept, how they are recognised, and how they are written safely."""

from __future__ import annotations

import contextlib
import errno
import functools
import hashlib
import html
import os
import platform
import re
import secrets
import shutil
import time
from collections.abc import Callable, Hashable, Iterator
from pathlib import Path

from tl_course.store.errors import BadInput, CourseError, NotAvailable, StorageError

OTHER_CACHE = "Set TL_COURSE_CACHE to a folder that you may write to"
READ_ONLY = {errno.EACCES, errno.EPERM, errno.EROFS}
IMPOSSIBLE = {errno.ENAMETOOLONG, errno.EINVAL}
FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}

# What another machine left unfinished is older than any running download or extraction.
STALE_SECONDS = 24 * 3600
HOST = re.sub(r"\W", "", platform.node())
PART = re.compile(r"\..+\.(?P<host>\w*)-(?P<process>\d{1,9})-[0-9a-f]{8}\.part")


def user_path(path: str | Path, name: str = "path") -> Path:
    """Return the path called ``name`` that a user typed, ``~`` spelled out; it need not exist.

    Raises ``BadInput`` for what is no path at all, or none on this machine: a number or bytes, an
    empty text, a name that is too long, the home of a user who is not known here.
    """
    try:
        if path == "":
            raise ValueError("it is empty")
        found = Path(path).expanduser()
        found.lstat()
    except RuntimeError:
        cause, cure = "this machine knows no home folder of that name", "Spell the path out"
    except (TypeError, ValueError) as error:
        cause, cure = f"it is no path ({error})", "Pass a text such as 'photos', or a pathlib.Path"
    except OSError as error:
        if error.errno not in IMPOSSIBLE:
            return found
        cause, cure = f"it cannot be a path here ({error.strerror})", "Name another"
    else:
        return found
    raise BadInput(f"{name} {path!r:.100}", cause, cure)


def cache_dir() -> Path:
    """Return the folder for downloads and unpacked archives; nothing is created.

    It is the folder that the variable TL_COURSE_CACHE names, else the platform's cache folder.
    """
    named = os.environ.get("TL_COURSE_CACHE")
    if named:
        return user_path(named, "TL_COURSE_CACHE").absolute()
    import platformdirs

    return Path(platformdirs.user_cache_dir("tl_course"))


def data_dir() -> Path | None:
    """Return the folder that the variable TL_COURSE_DATA names, or None where it is not set.

    Raises ``NotAvailable`` when the variable names something that is not a folder.
    """
    named = os.environ.get("TL_COURSE_DATA")
    if not named:
        return None
    folder = user_path(named, "TL_COURSE_DATA").absolute()
    if not folder.is_dir():
        raise NotAvailable(
            f"TL_COURSE_DATA={named}",
            "this is not a folder",
            "Set TL_COURSE_DATA to the folder that holds your data files, or unset it",
        )
    return folder


def sha256(path: str | Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    The file is read piece by piece. Raises ``NotAvailable`` when there is no such file and
    ``StorageError`` when it cannot be read.
    """
    return file_digest(user_path(path), "sha256")


def file_digest(path: Path, algorithm: str) -> str:
    """Return the checksum of a file by the named algorithm of ``hashlib``, in hexadecimal."""
    with reading(path), path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what the system says of a file that cannot be read into the course's errors."""
    try:
        yield
    except FileNotFoundError as error:
        raise NotAvailable(str(path), "there is no such file", "Check the path") from error
    except OSError as error:
        cause = f"it cannot be read ({error.strerror or error})"
        cure = "Check that it is a file and that you may read it"
        raise StorageError(str(path), cause, cure) from error


@contextlib.contextmanager
def replacing(
    target: Path,
    thing: str | None = None,
    needed: int | None = None,
    cure: str = OTHER_CACHE,
    done: Callable[[], bool] = bool,
) -> Iterator[Path]:
    """Give a fresh path beside ``target``, which takes its place once it was filled without error.

    Readers see the old content or the new, never a part of it; what killed processes left in the
    folder is removed first. ``needed`` is the size in bytes. Where ``target`` cannot be replaced,
    ``done`` says whether another process has put the same there. Raises ``StorageError``, which
    calls the content ``thing``, when the folder cannot be written or the disk is full.
    """
    folder = target.parent
    part = fresh_part(folder)
    try:
        sweep(folder)
        if needed and free_bytes(folder) < needed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        folder.mkdir(parents=True, exist_ok=True)
        yield part
        try:
            part.replace(target)
        except OSError:
            if not done():
                raise
    except CourseError:
        raise
    except OSError as error:
        # First, so that the free space that the message names includes this.
        _remove(part)
        raise _unwritable(thing or target.name, folder, needed, cure, error) from error
    finally:
        _remove(part)


def write_atomically(target: str | Path, content: bytes) -> None:
    """Write a file so that readers see the old content or the new, never a part of it.

    Raises ``StorageError`` when the folder cannot be written or the disk is full.
    """
    target, cure = user_path(target), "Check that the folder may be written to"
    with replacing(target, needed=len(content), cure=cure) as part:
        part.write_bytes(content)


def fresh_part(folder: Path) -> Path:
    """Return a path in ``folder`` for what is not complete yet; nothing is created."""
    # Without the name it will get: that may be as long as a name can be.
    return folder / f".tl_course.{HOST}-{os.getpid()}-{secrets.token_hex(4)}.part"


def sweep(folder: Path) -> None:
    """Remove what killed processes have left in ``folder``."""
    for left in filter(_left_behind, folder.glob(".*.part")):
        _remove(left)


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    with contextlib.suppress(OSError):
        part.unlink(missing_ok=True)


def _left_behind(part: Path) -> bool:
    """Say whether the process that made a part is gone: at once, or a day late for other hosts."""
    made = PART.fullmatch(part.name)
    if made is None:
        return False
    import psutil

    with contextlib.suppress(OSError):
        if part.stat().st_mtime < time.time() - STALE_SECONDS:
            return True
    return made["host"] == HOST and not psutil.pid_exists(int(made["process"]))


def _unwritable(
    thing: str, folder: Path, needed: int | None, cure: str, error: OSError
) -> StorageError:
    cause = f"the folder {folder} cannot be written ({error.strerror or error})"
    if error.errno in FULL:
        needs = f"; {megabytes(needed)} are needed" if needed else ""
        free = megabytes(free_bytes(folder))
        cause = f"there is no room left on the disk: {free} are free in {folder}{needs}"
        cure = "Make room, or use a folder on another disk"
    found = StorageError(thing, cause, cure)
    found.errno = error.errno
    return found


def free_bytes(folder: Path) -> int:
    """Return the free space, in bytes, of the disk that holds ``folder`` or will hold it."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return shutil.disk_usage(folder).free


def megabytes(size: int) -> str:
    """Return a size in bytes as text, in millions of bytes."""
    return f"{size / 1e6:,.1f} MB"


def html_fault(path: Path) -> str | None:
    """Return what is wrong with a file that holds a web page instead of data, else None."""
    with reading(path), path.open("rb") as file:
        text = file.read(65536).decode("utf-8", errors="replace").lstrip("\ufeff \t\r\n")
    if not re.match(r"(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head)\b", text, re.I | re.S):
        return None
    found = re.search(r"<title[^>]*>(.*?)</title>", text, re.I | re.S)
    title = " ".join(html.unescape(found[1]).split())[:80] if found else ""
    return "it is an HTML page, not data" + (f" (its title is “{title}”)" if title else "")


def once(path: Path, check: Callable, *rest: Hashable) -> None:
    """Call ``check(path, *rest)``, unless the same file passed it before in this process.

    A file counts as the same by its size and time of change.
    """
    with reading(path):
        state = path.stat()
    _passed(check, path, (state.st_size, state.st_mtime_ns), *rest)


@functools.cache
def _passed(check: Callable, path: Path, state: tuple[int, int], *rest: Hashable) -> None:
    check(path, *rest)
