"""Downloads: a real server on this machine that serves good and bad files."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest

from tl_course import store
from tl_course.store import catalogue, fetching, places

ROOT = Path(__file__).resolve().parents[1]
localhost = pytest.mark.localhost


def zipped():
    """Return a zip archive of about 200 kB, the same each time."""
    buffer = BytesIO()
    noise = hashlib.shake_256(b"noise").digest(200_000)
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(zipfile.ZipInfo("photos/1.bin"), noise)
    return buffer.getvalue()


GOOD = zipped()
SIZE = len(GOOD)
DIGEST = hashlib.sha256(GOOD).hexdigest()
PAGE = b"<!DOCTYPE html>\n<html><head><title>Log in to the network</title></head></html>"


class Answers(BaseHTTPRequestHandler):
    """Serves what its path names; counts the requests."""

    def do_GET(self):  # noqa: N802
        self.server.asked.append(self.path)
        getattr(self, self.path.strip("/").replace("-", "_"))()

    def log_message(self, *_):
        """Keep the test's output clean."""

    def send(self, content, length=None, status=200):
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.end_headers()
        self.wfile.write(content)

    def good(self):
        self.send(GOOD)

    def short(self):
        self.send(GOOD[:1000])

    def broken_off(self):
        self.send(GOOD[:1000], length=SIZE)

    def page(self):
        self.send(PAGE)

    def other(self):
        self.send(GOOD[:-1] + b"x")

    def missing(self):
        self.send(b"gone", status=404)

    def failing(self):
        self.send(b"oops", status=500)

    def moved(self):
        self.send_response(302)
        self.send_header("Location", "/good")
        self.end_headers()

    def silent(self):
        time.sleep(1)

    def slow(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        try:
            for start in range(0, SIZE, 2000):
                self.wfile.write(GOOD[start : start + 2000])
                time.sleep(0.02)
        except OSError:
            return

    def endless(self):
        self.send_response(200)
        self.send_header("Content-Length", str(SIZE))
        self.end_headers()
        try:
            self.wfile.write(GOOD[: SIZE // 2])
            time.sleep(90)  # whoever interrupts this has time, on a busy machine too
        except OSError:
            return


@pytest.fixture(scope="module")
def server():
    """A running server on a free port of this machine."""
    running = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    running.asked = []
    thread = threading.Thread(target=running.serve_forever, daemon=True)
    thread.start()
    yield running
    running.shutdown()
    running.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, no data folder, no proxy."""
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def offered(monkeypatch):
    """Put one data set, `photos`, into the catalogue."""

    def offer(url, digest=f"sha256:{DIGEST}", size=SIZE):
        item = store.Published(
            name="photos",
            file="photos.zip",
            url=url,
            digest=digest,
            size_bytes=size,
            licence="CC0",
            source="https://example.org/photos",
            title="Photos",
            note="",
        )
        monkeypatch.setattr(catalogue, "CATALOGUE", {"photos": item})
        return item

    return offer


@pytest.fixture
def served(server, offered):
    """Let `photos` be what the server answers under a path."""

    def serve(answer, **changes):
        server.asked.clear()
        return offered(f"http://127.0.0.1:{server.server_port}/{answer}", **changes)

    return serve


def left_in(cache):
    return sorted(each.name for each in cache.rglob("*") if each.is_file())


def put_in_cache(cache, content):
    path = cache / "published" / "photos.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@localhost
@pytest.mark.parametrize("answer", ["good", "moved"])
@pytest.mark.parametrize("progress", [True, False])
def test_download_once_and_keep(served, server, cache, answer, progress, capsys):
    served(answer)
    assert store.locate("photos") is None
    path = store.fetch("photos", progress=progress)
    assert path.read_bytes() == GOOD
    assert store.locate("photos") == path
    asked = len(server.asked)
    assert store.fetch("photos") == path
    assert len(server.asked) == asked
    assert left_in(cache) == ["photos.zip"]
    assert ("photos.zip" in capsys.readouterr().err) == progress


@localhost
def test_md5_checksums_are_compared_too(served):
    served("good", digest=f"md5:{hashlib.md5(GOOD).hexdigest()}")
    assert store.fetch("photos").read_bytes() == GOOD
    served("other", digest=f"md5:{hashlib.md5(GOOD).hexdigest()}")
    store.fetch("photos").unlink()
    with pytest.raises(store.CorruptFile, match="its MD5 is"):
        store.fetch("photos")


@localhost
@pytest.mark.parametrize(
    ("answer", "kind", "why"),
    [
        ("short", store.CorruptFile, f"it is truncated: 1,000 of {SIZE:,} bytes"),
        ("broken-off", store.CorruptFile, "the connection broke off before"),
        ("page", store.CorruptFile, "it is an HTML page, not data .*“Log in to the network”"),
        ("other", store.CorruptFile, "its SHA-256 is .{12}…, not " + DIGEST[:12]),
        ("missing", store.NotAvailable, "127.0.0.1 answered 404 Not Found"),
        ("failing", store.NotAvailable, "127.0.0.1 answered 500"),
    ],
)
def test_bad_answers_are_told_and_leave_nothing(served, cache, answer, kind, why):
    served(answer)
    with pytest.raises(kind, match=why) as caught:
        store.fetch("photos", progress=False)
    assert "TL_COURSE_DATA" in caught.value.cure
    assert left_in(cache) == []


@localhost
def test_a_silent_server_is_given_up(served, cache, monkeypatch):
    monkeypatch.setattr(fetching, "TIMEOUT", (1, 0.2))
    served("silent")
    with pytest.raises(store.NotAvailable, match="127.0.0.1 did not answer in time"):
        store.fetch("photos", progress=False)
    assert left_in(cache) == []


@localhost
def test_no_server(server, offered, cache):
    import socket

    with socket.socket() as taken:
        # Bound and not listening: nobody answers here.
        taken.bind(("127.0.0.1", 0))
        offered(f"http://127.0.0.1:{taken.getsockname()[1]}/good")
        with pytest.raises(store.NotAvailable, match="127.0.0.1 cannot be reached") as caught:
            store.fetch("photos", progress=False)
    for part in ("tl-course prefetch photos", "photos.zip", "TL_COURSE_DATA"):
        assert part in caught.value.cure
    assert left_in(cache) == []


@localhost
def test_a_damaged_cached_file_is_replaced(served, server, cache):
    served("good")
    path = put_in_cache(cache, GOOD[:-100])
    assert store.locate("photos") is None
    assert store.fetch("photos", progress=False) == path
    assert path.read_bytes() == GOOD
    damaged = bytearray(GOOD)
    damaged[500] ^= 1
    path.write_bytes(damaged)
    os.utime(path, ns=(1, 1))
    assert store.fetch("photos", progress=False).read_bytes() == GOOD
    assert len(server.asked) == 2


@localhost
def test_a_damaged_cached_file_without_a_network(served, cache):
    served("missing")
    path = put_in_cache(cache, PAGE)
    with pytest.raises(store.CorruptFile, match="the cached file is damaged: it is an HTML page"):
        store.fetch("photos", progress=False)
    assert path.read_bytes() == PAGE


CHILD = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it
from tl_course import store
from tl_course.store import catalogue
item = store.Published("photos", "photos.zip", sys.argv[1], sys.argv[2], int(sys.argv[3]),
                       "CC0", "https://example.org", "Photos", "")
catalogue.CATALOGUE = {"photos": item}
try:
    path = store.fetch("photos", progress=False)
except KeyboardInterrupt:
    print("interrupted")
else:
    print(store.sha256(path))
"""


def start_child(item):
    command = [sys.executable, "-c", CHILD, item.url, item.digest, str(item.size_bytes)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@localhost
def test_two_processes_at_once(served, server, cache):
    item = served("slow")
    both = [start_child(item), start_child(item)]
    path = cache / "published" / "photos.zip"
    while any(child.poll() is None for child in both):
        # Whoever looks meanwhile sees no file or the whole file.
        if path.exists():
            assert path.stat().st_size == SIZE
        time.sleep(0.02)
    assert [child.communicate()[0].strip() for child in both] == [DIGEST, DIGEST]
    assert left_in(cache) == ["photos.zip"]


@localhost
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child alone")
def test_interrupting_a_running_download_removes_the_part(served, cache):
    child = start_child(served("endless"))
    give_up = time.monotonic() + 60
    while not left_in(cache) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert left_in(cache)[0].endswith(".part")
    child.send_signal(signal.SIGINT)
    assert child.communicate(timeout=10)[0].strip() == "interrupted"
    assert left_in(cache) == []


def failing_transfer(monkeypatch, error):
    """Let the downloader write a part of the file and then fail."""
    import pooch

    def call(self, url, output_file, _):
        Path(output_file).write_bytes(GOOD[:5000])
        raise error

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", call)


def test_ctrl_c_removes_the_part_and_goes_on_up(offered, cache, monkeypatch):
    offered("http://127.0.0.1/photos.zip")
    failing_transfer(monkeypatch, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        store.fetch("photos")
    assert left_in(cache) == []


def test_a_disk_that_fills_up(offered, cache, monkeypatch):
    offered("http://127.0.0.1/photos.zip", size=248_100_043)
    failing_transfer(monkeypatch, OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(
        store.StorageError, match="no room left on the disk: .* MB are free"
    ) as caught:
        store.fetch("photos")
    assert "248.1 MB are needed" in str(caught.value)
    assert left_in(cache) == []


def test_a_disk_with_too_little_room_is_told_before(offered, cache, monkeypatch):
    offered("http://127.0.0.1/photos.zip", size=248_100_043)
    for module in (fetching, places):
        monkeypatch.setattr(module, "free_bytes", lambda _: 12_000_000)
    with pytest.raises(store.StorageError, match=r"12\.0 MB are free in .*; 248\.1 MB are needed"):
        store.fetch("photos")


def test_a_cache_that_cannot_be_made(offered, tmp_path, monkeypatch):
    offered("http://127.0.0.1/photos.zip")
    (tmp_path / "file").touch()
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(store.StorageError, match="cannot be written .*Set TL_COURSE_CACHE"):
        store.fetch("photos")


def test_a_part_that_cannot_be_written(offered, cache, monkeypatch):
    offered("http://127.0.0.1/photos.zip")
    failing_transfer(monkeypatch, PermissionError(errno.EACCES, "Permission denied"))
    with pytest.raises(store.StorageError, match=r"cannot be written \(Permission denied\)"):
        store.fetch("photos")


def test_sandboxes_without_sockets_count_as_no_network(offered, monkeypatch):
    offered("http://127.0.0.1/photos.zip")
    failing_transfer(monkeypatch, RuntimeError("sockets are blocked"))
    with pytest.raises(store.NotAvailable, match="no connection is possible here"):
        store.fetch("photos")


def test_names_that_do_not_resolve_count_as_no_network(offered, monkeypatch):
    import requests

    item = offered("https://example.org/photos.zip")
    error = requests.ConnectionError(request=requests.Request("GET", item.url).prepare())
    failing_transfer(monkeypatch, error)
    with pytest.raises(store.NotAvailable, match="example.org cannot be reached; is there a net"):
        store.fetch("photos")


def test_a_populated_cache_is_only_read(offered, cache, monkeypatch):
    offered("http://127.0.0.1/photos.zip")
    path = put_in_cache(cache, GOOD)
    before = {each: each.stat().st_mtime_ns for each in cache.rglob("*")}

    def refuse(*_, **__):
        raise PermissionError(errno.EROFS, "Read-only file system")

    for name in ("mkdir", "replace", "rename", "unlink", "rmdir", "utime"):
        monkeypatch.setattr(os, name, refuse)
    assert store.fetch("photos") == store.locate("photos") == path
    with store.archive("photos") as opened:
        assert opened.namelist() == ["photos/1.bin"]
    assert {each: each.stat().st_mtime_ns for each in cache.rglob("*")} == before


def test_a_read_only_folder_is_only_read(offered, cache):
    offered("http://127.0.0.1/photos.zip")
    path = put_in_cache(cache, GOOD)
    for folder in (path.parent, cache):
        folder.chmod(0o555)
    try:
        if os.access(cache, os.W_OK):
            pytest.skip("modes do not keep this user from writing")
        assert store.fetch("photos") == path
        assert not store.unpack("photos").is_relative_to(cache)
    finally:
        for folder in (cache, path.parent):
            folder.chmod(0o755)


def test_windows_refusing_to_replace_an_open_file(offered, cache, monkeypatch):
    item = offered("http://127.0.0.1/photos.zip")
    part = cache / "part"
    target = put_in_cache(cache, GOOD)
    part.write_bytes(GOOD)

    def refuse(*_):
        raise PermissionError(errno.EACCES, "The file is in use")

    monkeypatch.setattr(os, "replace", refuse)
    fetching._move(part, target, item)
    target.write_bytes(b"other")
    with pytest.raises(store.StorageError, match="The file is in use"):
        fetching._move(part, target, item)
