"""Published files: found on this machine, or downloaded and verified."""

from __future__ import annotations

import importlib.util
import sys
import threading
import zipfile
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import TypeVar

from tl_course.store.catalogue import Published, published
from tl_course.store.errors import CorruptFile, NotAvailable, StorageError, choose
from tl_course.store.places import (
    cache_dir,
    data_dir,
    file_digest,
    html_fault,
    megabytes,
    once,
    reading,
    replacing,
)

T = TypeVar("T")
# Seconds to wait for a first sign of life, and for the next: a slow network has its pauses.
PATIENCE, STALL = 4, 20
PIECE = 1 << 16
PICKLE = b"\x80"
AGAIN = (
    "Run this again; if that does not help, get the file by hand from {} and set TL_COURSE_DATA "
    "to its folder"
)


def locate(name: str) -> Path | None:
    """Return where ``fetch`` finds a whole published file without a network, else None.

    Raises ``UnknownName`` for a name outside the catalogue and ``NotAvailable`` when
    TL_COURSE_DATA is set and is not a folder.
    """
    try:
        return _here(_find(name))
    except (CorruptFile, StorageError):
        return None


def fetch(name: str, progress: bool = True) -> Path:
    """Return the path of a published file, which is downloaded where it is not here yet.

    Looks in the folder that TL_COURSE_DATA names (those files are the user's own: they must open
    as what they are, but are not compared with the published checksum), then in the package that
    brings it, if there is one, then in the cache, then downloads. Whatever is not the user's own is
    verified by its full checksum. ``progress`` shows a bar during a download.

    Raises ``UnknownName``, ``NotAvailable`` (no network, no automatic download), ``CorruptFile``
    (damaged, truncated, a web page instead of data) or ``StorageError`` (disk full, not writable).
    """
    item, damage = _find(name), None
    cached = _cached(item)
    try:
        if found := _here(item):
            return found
    except CorruptFile as error:
        if _own_file(item):
            raise
        damage = error
    if item.digest is None or item.url is None:
        raise _by_hand(item)
    try:
        _download(item, cached, progress)
    except NotAvailable as error:
        if damage is None:
            raise
        cause = f"the cached file is damaged: {damage.cause}; a fresh one cannot be had now"
        cure = f"Run this again with a network, or put a good copy in its place ({item.url})"
        raise CorruptFile(damage.thing, cause, cure) from error
    return cached


def _here(item: Published) -> Path | None:
    """Return where a file lies, once it was checked; None where it does not."""
    own = _own_file(item)
    if own is not None:
        once(own, _check_format, item)
        return own
    for verified in (_packaged(item), _cached(item)):
        if item.digest and verified and _present(verified):
            once(verified, _check_content, item)
            return verified
    return None


def _packaged(item: Published) -> Path | None:
    """Return where the package that brings a file would have it; None where it is not there."""
    module = item.package.replace("-", "_")
    spec = importlib.util.find_spec(module) if module else None  # finds it, and runs nothing
    return Path(spec.origin).parent / item.folder / item.file if spec and spec.origin else None


def content_key(name: str, path: Path) -> str:
    """Return a text that changes when the content of what ``fetch`` gave does.

    What was verified is the same, whenever and by whichever of several processes it was written.
    """
    item, state = _find(name), path.stat()
    verified = item.digest if _own_file(item) is None else None
    return verified or f"{state.st_size} {state.st_mtime_ns}"


def _find(name: str) -> Published:
    catalogue = published()
    return catalogue[choose("data set", name, catalogue)]


def _label(item: Published) -> str:
    return f"{item.name} ({item.file})"


def _cached(item: Published) -> Path:
    return cache_dir() / "published" / item.file


def _present(path: Path) -> bool:
    """Say whether a file lies there; raise ``StorageError`` where one may not even look."""
    with reading(path):
        return path.is_file()


def _own_file(item: Published) -> Path | None:
    # Without a checksum to compare with, what lies in the cache was put there by the user.
    folders = (data_dir(), None if item.digest else _cached(item).parent)
    places = (folder / file for folder in folders if folder for file in (item.file, *item.aliases))
    return next(filter(_present, places), None)


def _check_format(path: Path, item: Published) -> None:
    fault = html_fault(path) or _archive_fault(path)
    if fault is not None:
        cure = f"Replace it with {item.file} from {item.source}, or remove it"
        raise CorruptFile(f"{item.name} ({path})", fault, cure)


def _archive_fault(path: Path) -> str | None:
    """Say what keeps a file from opening as a zip archive or as numpy arrays; None if nothing."""
    with reading(path), path.open("rb") as file:
        start = file.read(6)
    if not start:
        return "it is empty"
    if path.suffix == ".pth" and start[:1] == PICKLE:
        return None  # as PyTorch wrote them of old; others are archives
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if not members:
                return "the archive is empty"
            with archive.open(members[0]) as first:
                start = first.read(6)
    except Exception as error:  # what bytes may do to a reader has no end
        return f"it does not open as {path.suffix} ({error!s:.100}); it may be truncated"
    if path.suffix == ".npz" and start != b"\x93NUMPY":
        return "it holds no numpy arrays"
    return None


def _check_content(path: Path, item: Published) -> None:
    fault = _content_fault(path, item)
    if fault is not None:
        raise CorruptFile(f"{item.name} ({path})", fault, "Delete it and run this again")


def _content_fault(path: Path, item: Published) -> str | None:
    """Say how a file differs from the published one; None if it does not."""
    assert item.digest is not None  # else nothing is cached, and nothing to check
    algorithm, expected = item.digest.split(":")
    found = file_digest(path, algorithm)
    if found == expected:
        return None
    fault = html_fault(path)
    if fault is not None:
        return fault
    size = path.stat().st_size
    if item.size_bytes and size < item.size_bytes:
        return f"it is truncated: {size:,} of {item.size_bytes:,} bytes"
    kind = {"sha256": "SHA-256", "md5": "MD5"}.get(algorithm, algorithm)
    return f"its {kind} is {found[:12]}…, not {expected[:12]}… as published"


def _by_hand(item: Published) -> NotAvailable:
    if item.package:
        cause = "its package is not installed"
        return NotAvailable(_label(item), cause, f"Run `pip install {item.package}`")
    cause = "the course cannot download it, as no direct download with a known checksum exists"
    cure = (
        f"Get it from {item.source}, save it as {item.file} in {_cached(item).parent} "
        "or in the folder that TL_COURSE_DATA names, then run this again"
    )
    return NotAvailable(_label(item), cause, cure)


def _download(item: Published, target: Path, progress: bool) -> None:
    """Download beside ``target``, verify, and rename: other processes never see a part of it."""

    def done() -> bool:
        # Windows refuses to replace a file while another process, which verified it, reads it.
        return target.is_file() and _content_fault(target, item) is None

    with replacing(target, _label(item), item.size_bytes, done=done) as part:
        _transfer(item, part, progress)
        fault = _content_fault(part, item)
        if fault is not None:
            cause = f"what {item.url} sent is not the published file: {fault}"
            raise CorruptFile(_label(item), cause, AGAIN.format(item.source))


def _transfer(item: Published, part: Path, progress: bool) -> None:
    import requests
    import urllib3
    from tqdm.auto import tqdm

    # A bar without a total counts as no bar.
    about = {"total": item.size_bytes or 1, "desc": item.file, "leave": False}
    left = item.size_bytes or sys.maxsize

    def begin() -> tuple[requests.Response, bytes]:
        # Archives gain nothing from compression on the way.
        headers = {"Accept-Encoding": "identity"}
        answer = requests.get(str(item.url), stream=True, timeout=STALL, headers=headers)
        answer.raise_for_status()
        answer.raw.decode_content = True  # where it comes compressed all the same
        return answer, answer.raw.read(1)

    try:
        answer, piece = within(PATIENCE, begin)
        bar = tqdm(unit="B", unit_scale=True, disable=not progress, **about)
        with answer, bar, part.open("wb") as file:
            while piece:
                bar.update(file.write(piece))
                left -= len(piece)
                # What comes after the announced end is not waited for.
                piece = answer.raw.read(min(PIECE, left)) if left else b""
    except urllib3.exceptions.ProtocolError as error:
        cause = "the download is truncated: the connection broke off before all of it had come"
        raise CorruptFile(_label(item), cause, AGAIN.format(item.source)) from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, TimeoutError) as error:
        raise _unreachable(item, _network_fault(item, error)) from error
    except RuntimeError as error:
        # Sandboxes that forbid sockets raise errors of their own.
        raise _unreachable(item, f"no connection is possible here ({error})") from error


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return what ``work`` does; raise ``TimeoutError`` where it takes longer, and leave it alone.

    A limit for a socket is one for each address and each piece, and none for looking up a name.
    """
    found: Future[T] = Future()

    def run() -> None:
        try:
            found.set_result(work())
        except BaseException as error:
            found.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return found.result(seconds)


def _network_fault(item: Published, error: Exception) -> str:
    from urllib.parse import urlsplit

    import requests

    request = getattr(error, "request", None)
    host = urlsplit(getattr(request, "url", None) or item.url or "").hostname
    response = getattr(error, "response", None)
    if response is not None:
        return f"{host} answered {response.status_code} {response.reason or ''}".strip()
    if isinstance(error, TimeoutError) or "timed out" in str(error).lower():
        return f"{host} did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {host} (a proxy or a wrong clock may be why)"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"{host} cannot be reached; is there a network?"
    return f"{host} could not be asked ({error})"


def _unreachable(item: Published, cause: str) -> NotAvailable:
    size = f" ({megabytes(item.size_bytes)})" if item.size_bytes else ""
    embedded = 'models.load("resnet10")' if item.file.endswith(".pth") else 'tasks.load("leaves")'
    cure = (
        f"Go on with what is embedded, such as {embedded}. Or run `tl-course prefetch {item.name}` "
        f"where there is a network, or download {item.url}{size} elsewhere, save it as {item.file} "
        "and set TL_COURSE_DATA to its folder"
    )
    return NotAvailable(_label(item), cause, cure)
