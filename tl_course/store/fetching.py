"""Published files: found on this machine, or downloaded and verified."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tl_course.store.catalogue import Published, published
from tl_course.store.errors import CorruptFile, NotAvailable, choose
from tl_course.store.places import (
    Checked,
    cache_dir,
    data_dir,
    disk_full,
    file_digest,
    free_bytes,
    html_fault,
    megabytes,
    partial_path,
    present,
    remove,
    remove_stale_partials,
    unreadable,
    unwritable,
)

# Seconds to wait for a connection, and for the next piece of a file.
TIMEOUT = (10, 60)
PIECE = 1 << 16
AGAIN = (
    "Run this again; if that does not help, get the file by hand from {} and set TL_COURSE_DATA "
    "to its folder"
)

_checked = Checked()


def locate(name: str) -> Path | None:
    """Return where `fetch` finds a published file without a network, else None.

    Raises `UnknownName` for a name outside the catalogue and `NotAvailable` when TL_COURSE_DATA
    is set and is not a folder.
    """
    item = find(name)
    own = _own_file(item)
    if own is not None:
        return own
    cached = _cached(item)
    if item.digest is None or not present(cached):
        return None
    try:
        _verify(cached, item)
    except CorruptFile:
        return None
    return cached


def fetch(name: str, progress: bool = True) -> Path:
    """Return the path of a published file, which is downloaded where it is not here yet.

    Looks in the folder that TL_COURSE_DATA names (those files are the user's own: they must open
    as what they are, but are not compared with the published checksum), then in the cache, then
    downloads. Whatever is downloaded or cached is verified by its full checksum. `progress` shows
    a bar during a download.

    Raises `UnknownName`, `NotAvailable` (no network, no automatic download), `CorruptFile`
    (damaged, truncated, a web page instead of data) or `StorageError` (disk full, not writable).
    """
    item = find(name)
    own = _own_file(item)
    if own is not None:
        _checked.once(own, "format", lambda: _check_format(own, item))
        return own
    if item.digest is None or item.url is None:
        raise _by_hand(item)
    cached = _cached(item)
    try:
        if present(cached):
            _verify(cached, item)
            return cached
    except CorruptFile as damage:
        return _replace_damaged(item, cached, progress, damage)
    return _download(item, cached, progress)


def find(name: str) -> Published:
    """Return the catalogue's entry of this name, or raise `UnknownName`."""
    catalogue = published()
    return catalogue[choose("data set", name, catalogue)]


def label(item: Published) -> str:
    """Return how messages name a published file."""
    return f"{item.name} ({item.file})"


def _cached(item: Published) -> Path:
    return cache_dir() / "published" / item.file


def _own_file(item: Published) -> Path | None:
    folders = [data_dir()]
    if item.digest is None:
        # Nothing to compare with: what lies in the cache was put there by the user.
        folders.append(cache_dir() / "published")
    for folder in folders:
        for file in (item.file, *item.aliases):
            if folder is not None and present(folder / file):
                return folder / file
    return None


def _check_format(path: Path, item: Published) -> None:
    fault = _format_fault(path)
    if fault is not None:
        cure = f"Replace it with {item.file} from {item.source}, or remove it"
        raise CorruptFile(f"{item.name} ({path})", fault, cure)


def _format_fault(path: Path) -> str | None:
    """Say what keeps a file from opening as a zip archive or as numpy arrays; None if nothing."""
    try:
        fault = html_fault(path)
        if fault is not None or path.suffix == ".pth":
            return fault
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if not members:
                return "the archive is empty"
            with archive.open(members[0]) as first:
                start = first.read(6)
    except OSError as error:
        raise unreadable(path, error) from error
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        return f"it does not open as {path.suffix} ({error}); it may be truncated"
    if path.suffix == ".npz" and start != b"\x93NUMPY":
        return "it holds no numpy arrays"
    return None


def _verify(path: Path, item: Published) -> None:
    cure = "Delete it and run this again"

    def compare() -> None:
        fault = _content_fault(path, item)
        if fault is not None:
            raise CorruptFile(f"{item.name} ({path})", fault, cure)

    _checked.once(path, str(item.digest), compare)


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


def _replace_damaged(item: Published, cached: Path, progress: bool, damage: CorruptFile) -> Path:
    try:
        return _download(item, cached, progress)
    except NotAvailable as error:
        cause = f"the cached file is damaged: {damage.cause}; a fresh one cannot be had now"
        cure = f"Run this again with a network, or put a good copy in its place ({item.url})"
        raise CorruptFile(damage.thing, cause, cure) from error


def _by_hand(item: Published) -> NotAvailable:
    cause = "the course cannot download it, as no direct download with a known checksum exists"
    cure = (
        f"Get it from {item.source}, save it as {item.file} in {_cached(item).parent} "
        "or in the folder that TL_COURSE_DATA names, then run this again"
    )
    return NotAvailable(label(item), cause, cure)


def _download(item: Published, target: Path, progress: bool) -> Path:
    """Download beside `target`, verify, and rename: other processes never see a part of it."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(label(item), target.parent, item.size_bytes, error) from error
    if item.size_bytes and free_bytes(target.parent) < item.size_bytes:
        raise disk_full(label(item), target.parent, item.size_bytes)
    remove_stale_partials(target)
    part = partial_path(target)
    try:
        _transfer(item, part, progress)
        fault = _content_fault(part, item)
        if fault is not None:
            cause = f"what {item.url} sent is not the published file: {fault}"
            raise CorruptFile(label(item), cause, AGAIN.format(item.source))
        _move(part, target, item)
    finally:
        remove(part)
    return target


def _transfer(item: Published, part: Path, progress: bool) -> None:
    import pooch
    import requests

    try:
        with _bar(item, progress) as bar:
            # Archives gain nothing from compression on the way.
            headers = {"Accept-Encoding": "identity"}
            get = pooch.HTTPDownloader(bar, PIECE, timeout=TIMEOUT, headers=headers)
            get(item.url, str(part), None)
    except requests.exceptions.ChunkedEncodingError as error:
        cause = "the download is truncated: the connection broke off before all of it had come"
        raise CorruptFile(label(item), cause, AGAIN.format(item.source)) from error
    except requests.exceptions.RequestException as error:
        raise _unreachable(item, _network_fault(error)) from error
    except OSError as error:
        # First, so that the free space that the message names includes this.
        remove(part)
        raise unwritable(label(item), part.parent, item.size_bytes, error) from error
    except RuntimeError as error:
        # Sandboxes that forbid sockets raise errors of their own.
        raise _unreachable(item, f"no connection is possible here ({error})") from error


@contextmanager
def _bar(item: Published, progress: bool) -> Iterator:
    if not progress:
        yield False
        return
    from tqdm.auto import tqdm

    # A bar without a total counts as no bar.
    total = item.size_bytes or 1
    with tqdm(total=total, desc=item.file, unit="B", unit_scale=True, leave=False) as bar:
        yield bar


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
    return NotAvailable(label(item), cause, cure)


def _move(part: Path, target: Path, item: Published) -> None:
    try:
        part.replace(target)
    except OSError as error:
        # Windows refuses while another process reads the file, which that process verified.
        if target.is_file() and _content_fault(target, item) is None:
            return
        raise unwritable(label(item), target.parent, item.size_bytes, error) from error
