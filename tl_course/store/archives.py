"""Zip archives: checked before anything is taken out of them."""

from __future__ import annotations

import atexit
import functools
import hashlib
import lzma
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path

from tl_course.store.errors import CorruptFile, StorageError, UnsafeArchive
from tl_course.store.fetching import content_key, fetch
from tl_course.store.places import (
    READ_ONLY,
    cache_dir,
    fresh_part,
    html_fault,
    once,
    replacing,
    sweep,
    user_path,
)

MAX_MEMBERS = 400_000
MAX_BYTES = 4 * 2**30
# Pictures, arrays and text do not reach this ratio; small archives can do no harm.
MAX_RATIO = 200
RATIO_FROM_BYTES = 100_000_000

ENCRYPTED = 0x1
BROKEN = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)


def archive(name: str) -> zipfile.ZipFile:
    """Return a published zip archive: fetched, checked and open for reading.

    Raises what ``fetch`` and ``check_archive`` raise. The caller closes it.
    """
    path = fetch(name)
    check_archive(path)
    return _open(path)


def check_archive(path: str | Path) -> None:
    """Refuse a zip archive that is damaged or that could harm this machine.

    Raises ``CorruptFile`` when it does not open, and ``UnsafeArchive`` for members that lead
    outside the archive's folder, links and devices, encrypted or repeated members, more than
    400,000 members, more than 4 GiB unpacked, or (above 100 MB) a compression ratio above 200.
    """
    once(user_path(path), _check_members)


def unpack(name: str) -> Path:
    """Unpack a published archive and return the folder that holds its content.

    The folder lies in the cache and is named after the archive's content; it appears only when it
    is complete. Where the cache cannot be written, it is a temporary one, which goes when Python
    ends. Raises what ``archive`` raises, and ``StorageError``.
    """
    path = fetch(name)
    folder = f"{name}-{hashlib.sha256(content_key(name, path).encode()).hexdigest()[:12]}"
    try:
        return _unpacked(path, cache_dir() / "unpacked" / folder)
    except StorageError as error:
        if error.errno not in READ_ONLY:
            raise
    return _unpacked(path, _temporary() / folder)


@functools.cache
def _temporary() -> Path:
    """Return a folder of this process, which goes when Python ends, or by the next if killed."""
    folder = fresh_part(Path(tempfile.gettempdir()))
    sweep(folder.parent)
    folder.mkdir(0o700)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _unpacked(path: Path, folder: Path) -> Path:
    """Unpack beside ``folder`` and rename, so that a part of it is never taken for the whole."""
    if folder.is_dir():
        return folder
    check_archive(path)
    with _open(path) as opened:
        needed = sum(member.file_size for member in opened.infolist())
        with replacing(folder, path.name, needed, done=folder.is_dir) as part:
            part.mkdir()
            try:
                opened.extractall(part)
            except BROKEN as error:
                cause = f"a member does not unpack ({error!s:.100})"
                raise CorruptFile(str(path), cause, "Replace it with a good copy") from error
    return folder


def _open(path: Path) -> zipfile.ZipFile:
    fault = html_fault(path)  # which tells, too, if it cannot be read at all
    try:
        return zipfile.ZipFile(path)
    except Exception as error:  # what bytes may do to a reader has no end
        cause = fault or f"it does not open as a zip archive ({error!s:.100})"
        raise CorruptFile(str(path), cause, "Replace it with a good copy") from error


def _check_members(path: Path) -> None:
    with _open(path) as opened:
        fault = _fault(opened.infolist(), path.stat().st_size)
    if fault is not None:
        cure = "Nothing was unpacked; get the archive from its publisher, or make it again"
        raise UnsafeArchive(str(path), fault, cure)


def _fault(members: list[zipfile.ZipInfo], size: int) -> str | None:
    """Say what makes an archive of ``size`` bytes unsafe; None if nothing."""
    if len(members) > MAX_MEMBERS:
        return f"it holds {len(members):,} members, more than {MAX_MEMBERS:,}"
    files: set[str] = set()
    folders: set[str] = set()
    for member in members:
        name = member.orig_filename
        # Unpacking ignores "." and empty parts, so "a//b" and "a/./b" are the same file.
        place = "/".join(part for part in name.split("/") if part not in ("", "."))
        fault = _member_fault(member, name)
        if fault is None and place in files and not name.endswith("/"):
            fault = "occurs twice"
        if fault is not None:
            return f"its member {name[:80]!r} {fault}"
        folder = place
        if not name.endswith("/"):
            files.add(place)
            folder = place.rpartition("/")[0]
        while folder and folder not in folders:
            folders.add(folder)
            folder = folder.rpartition("/")[0]
    if both := files & folders:
        return f"its member {min(both)[:80]!r} is a file and a folder at once"
    total = sum(member.file_size for member in members)
    if total > MAX_BYTES:
        return f"it unpacks to {total / 2**30:,.1f} GiB, more than {MAX_BYTES / 2**30:.0f} GiB"
    # Against the file's own size: the members of a bomb may share the same compressed bytes.
    if total > RATIO_FROM_BYTES and total > MAX_RATIO * size:
        return f"{size:,} bytes unpack to {total:,} ({total // size:,} times as many)"
    return None


def _member_fault(member: zipfile.ZipInfo, name: str) -> str | None:
    if not name or "\0" in name:
        return "has no proper name"
    if "\\" in name:
        return "has a backslash in its name"
    if name[0] == "/" or name[1:2] == ":":
        return "has an absolute path"
    if ".." in name and ".." in name.split("/"):
        return "leads outside its folder"
    if member.flag_bits & ENCRYPTED:
        return "is encrypted"
    kind = stat.S_IFMT(member.external_attr >> 16)
    if kind == stat.S_IFLNK:
        return "is a link"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a device or another special file"
    return None
