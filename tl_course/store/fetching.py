"""Published files: found on this machine, or downloaded and verified."""

from __future__ import annotations

import zipfile
from pathlib import Path

from tl_course.store.catalogue import Published, published
from tl_course.store.errors import CorruptFile, NotAvailable, choose
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

# Seconds to wait for a connection, and for the next piece of a file.
TIMEOUT = (10, 60)
PIECE = 1 << 16
AGAIN = (
    "Run this again; if that does not help, get the file by hand from {} and set TL_COURSE_DATA "
    "to its folder"
)


def locate(name: str) -> Path | None:
    """Return where ``fetch`` finds a published file without a network, else None.

    Raises ``UnknownName`` for a name outside the catalogue and ``NotAvailable`` when
    TL_COURSE_DATA is set and is not a folder.
    """
    item = _find(name)
    own = _own_file(item)
    cached = _cached(item)
    if own is not None or item.digest is None or not _present(cached):
        return own
    try:
        once(cached, _check_content, item)
    except CorruptFile:
        return None
    return cached


def fetch(name: str, progress: bool = True) -> Path:
    """Return the path of a published file, which is downloaded where it is not here yet.

    Looks in the folder that TL_COURSE_DATA names (those files are the user's own: they must open
    as what they are, but are not compared with the published checksum), then in the cache, then
    downloads. Whatever is downloaded or cached is verified by its full checksum. ``progress``
    shows a bar during a download.

    Raises ``UnknownName``, ``NotAvailable`` (no network, no automatic download), ``CorruptFile``
    (damaged, truncated, a web page instead of data) or ``StorageError`` (disk full, not writable).
    """
    item = _find(name)
    own = _own_file(item)
    if own is not None:
        once(own, _check_format, item)
        return own
    if item.digest is None or item.url is None:
        raise _by_hand(item)
    cached = _cached(item)
    damage = None
    try:
        if _present(cached):
            once(cached, _check_content, item)
            return cached
    except CorruptFile as error:
        damage = error
    try:
        _download(item, cached, progress)
    except NotAvailable as error:
        if damage is None:
            raise
        cause = f"the cached file is damaged: {damage.cause}; a fresh one cannot be had now"
        cure = f"Run this again with a network, or put a good copy in its place ({item.url})"
        raise CorruptFile(damage.thing, cause, cure) from error
    return cached


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
    fault = html_fault(path)
    if fault is None and path.suffix != ".pth":
        fault = _archive_fault(path)
    if fault is not None:
        cure = f"Replace it with {item.file} from {item.source}, or remove it"
        raise CorruptFile(f"{item.name} ({path})", fault, cure)


def _archive_fault(path: Path) -> str | None:
    """Say what keeps a file from opening as a zip archive or as numpy arrays; None if nothing."""
    try:
        with reading(path), zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if not members:
                return "the archive is empty"
            with archive.open(members[0]) as first:
                start = first.read(6)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return f"it does not open as {path.suffix} ({error}); it may be truncated"
    if path.suffix == ".npz" and start != b"\x93NUMPY":
        return "it holds no numpy arrays"
    return None


def _check_content(path: Path, item: Published) -> None:
    fault = _content_fault(path, item)
    if fault is not None:
        raise CorruptFile(f"{item.name} ({path})", fault, "Delete it and run this again")


def _content_fault(path: Path, item: Published) -> str | None:
    """Say how a file differs from the published one; None if it does not."""
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
    import pooch
    import requests
    from tqdm.auto import tqdm

    bar = tqdm(
        # A bar without a total counts as no bar.
        total=item.size_bytes or 1,
        desc=item.file,
        unit="B",
        unit_scale=True,
        leave=False,
        disable=not progress,
    )
    # Archives gain nothing from compression on the way.
    headers = {"Accept-Encoding": "identity"}
    try:
        with bar:
            get = pooch.HTTPDownloader(bar, PIECE, timeout=TIMEOUT, headers=headers)
            get(item.url, str(part), None)
    except requests.exceptions.ChunkedEncodingError as error:
        cause = "the download is truncated: the connection broke off before all of it had come"
        raise CorruptFile(_label(item), cause, AGAIN.format(item.source)) from error
    except requests.exceptions.RequestException as error:
        raise _unreachable(item, _network_fault(error)) from error
    except RuntimeError as error:
        # Sandboxes that forbid sockets raise errors of their own.
        raise _unreachable(item, f"no connection is possible here ({error})") from error


def _network_fault(error: Exception) -> str:
    from urllib.parse import urlsplit

    import requests

    request = getattr(error, "request", None)
    host = urlsplit(request.url).hostname if request is not None and request.url else "the server"
    response = getattr(error, "response", None)
    if response is not None:
        return f"{host} answered {response.status_code} {response.reason or ''}".strip()
    if isinstance(error, requests.exceptions.Timeout) or "timed out" in str(error).lower():
        return f"{host} did not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return f"no secure connection to {host} (a proxy or a wrong clock may be why)"
    if isinstance(error, requests.exceptions.ConnectionError):
        return f"{host} cannot be reached; is there a network?"
    return f"{host} could not be asked ({error})"


def _unreachable(item: Published, cause: str) -> NotAvailable:
    size = f" ({megabytes(item.size_bytes)})" if item.size_bytes else ""
    cure = (
        f"Run `tl-course prefetch {item.name}` where there is a network, or download {item.url}"
        f"{size} elsewhere, save it as {item.file} and set TL_COURSE_DATA to its folder"
    )
    return NotAvailable(_label(item), cause, cure)
