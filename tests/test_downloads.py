"""Downloads: a real server on this machine that serves good and bad files."""

import errno
import gzip
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path

import pytest
import requests

from tl_course import store
from tl_course.store import catalogue, fetching, places

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
# By path: the status, the content, and the length that is announced where it is another one.
ANSWERS = {
    "/good": (200, GOOD),
    "/short": (200, GOOD[:1000]),
    "/broken-off": (200, GOOD[:1000], SIZE),
    "/page": (200, PAGE),
    "/other": (200, GOOD[:-1] + b"x"),
    "/missing": (404, b"gone"),
    "/failing": (500, b"oops"),
    "/moved": (302, b""),
    "/packed": (200, gzip.compress(GOOD)),
    "/slow": (200, b"", SIZE),
    "/endless": (200, GOOD[: SIZE // 2], SIZE),
    "/longer": (200, GOOD, SIZE + 1000),
    "/mute-after-headers": (200, b"", SIZE),
    "/mute-later": (200, GOOD[:5000], SIZE),
}


class Server(BaseHTTPRequestHandler):
    """Serves what its path names; counts the requests."""

    def do_GET(self):  # noqa: N802
        self.server.asked.append(self.path)
        if self.path not in ANSWERS:
            self.server.over.wait(60)
            return
        status, content, *length = ANSWERS[self.path]
        self.send_response(status)
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(length[0] if length else len(content)))
        self.send_header("Location", "/good")
        self.end_headers()
        try:
            self.wfile.write(content)
            if self.path in ("/endless", "/longer") or "mute" in self.path:
                self.server.over.wait(90)  # whoever interrupts this has time, on a busy machine too
            for start in range(0, SIZE if self.path == "/slow" else 0, 2000):
                self.wfile.write(GOOD[start : start + 2000])
                time.sleep(0.02)
        except OSError:
            return

    def log_message(self, *_):
        """Keep the test's output clean."""


@pytest.fixture(scope="module")
def server():
    """A running server on a free port of this machine."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as running:
        running.asked, running.over = [], threading.Event()
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.over.set()
        running.shutdown()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, no data folder, no proxy."""
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def offered(monkeypatch):
    """Puts one data set, ``photos``, into the catalogue."""

    def offer(url="http://127.0.0.1/photos.zip", digest=f"sha256:{DIGEST}", size=SIZE):
        about = {"title": "Photos", "note": "", "licence": "CC0", "source": "https://example.org"}
        about |= {"url": url, "digest": digest, "size_bytes": size}
        item = store.Published(name="photos", file="photos.zip", **about)
        monkeypatch.setattr(catalogue, "CATALOGUE", {"photos": item})
        return item

    return offer


@pytest.fixture
def served(server, offered):
    """Lets ``photos`` be what the server answers under a path."""

    def serve(answer, **changes):
        server.asked.clear()
        return offered(f"http://127.0.0.1:{server.server_port}/{answer}", **changes)

    return serve


@pytest.fixture
def failing_transfer(monkeypatch):
    """Lets the downloader write a part of the file and then fail."""

    def fail(error):
        class Raw(BytesIO):
            def read(self, size):
                if self.tell():
                    raise error
                return super().read(size)

        answer = requests.Response()
        answer.status_code, answer.raw = 200, Raw(GOOD)
        monkeypatch.setattr(requests, "get", lambda *_, **__: answer)

    return fail


def left_in(cache):
    return sorted(each.name for each in cache.rglob("*") if each.is_file())


def put_in_cache(cache, content):
    path = cache / "published" / "photos.zip"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


@localhost
@pytest.mark.parametrize("answer", ["good", "moved", "packed"])
@pytest.mark.parametrize("progress", [True, False])
def test_download_once_and_keep(served, server, cache, answer, progress, capsys):
    served(answer)
    assert store.locate("photos") is None
    path = store.fetch("photos", progress=progress)
    assert path.read_bytes() == GOOD and store.locate("photos") == path
    asked = len(server.asked)
    assert store.fetch("photos") == path and len(server.asked) == asked
    assert left_in(cache) == ["photos.zip"]
    assert ("photos.zip" in capsys.readouterr().err) == progress


MD5 = f"md5:{hashlib.md5(GOOD).hexdigest()}"


@localhost
def test_md5_checksums_are_compared_too(served, cache):
    served("good", digest=MD5)
    assert store.fetch("photos").read_bytes() == GOOD
    (cache / "published" / "photos.zip").unlink()
    served("other", digest=MD5)
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
        ("mute-later", store.NotAvailable, "127.0.0.1 did not answer in time"),
    ],
)
def test_bad_answers_are_told_and_leave_nothing(served, cache, monkeypatch, answer, kind, why):
    monkeypatch.setattr(fetching, "STALL", 0.5)
    served(answer)
    with pytest.raises(kind, match=why) as caught:
        store.fetch("photos", progress=False)
    assert "TL_COURSE_DATA" in caught.value.cure
    assert left_in(cache) == []


@localhost
def test_no_server(offered, cache):
    with socket.socket() as taken:
        # Bound and not listening: nobody answers here.
        taken.bind(("127.0.0.1", 0))
        offered(f"http://127.0.0.1:{taken.getsockname()[1]}/good")
        with pytest.raises(store.NotAvailable, match="127.0.0.1 cannot be reached") as caught:
            store.fetch("photos", progress=False)
    embedded = 'tasks.load("leaves")'
    for part in (embedded, "tl-course prefetch photos", "photos.zip", "TL_COURSE_DATA"):
        assert part in caught.value.cure
    assert left_in(cache) == []


@localhost
@pytest.mark.parametrize("answer", ["mute", "mute-after-headers", "swallowed", "no name server"])
def test_who_gets_no_answer_need_not_wait(served, offered, cache, monkeypatch, answer):
    """Five seconds for all: many addresses, each with its own time, and the look-up of the name."""
    look_up = socket.getaddrinfo
    item = served(answer)
    with socket.socket() as full, socket.socket() as first:
        if answer == "swallowed":  # who does not fit into the queue gets no answer at all
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            first.connect(full.getsockname())
            item = offered(f"http://127.0.0.1:{full.getsockname()[1]}/good")
            monkeypatch.setattr(socket, "getaddrinfo", lambda *given: 4 * look_up(*given))
        elif answer == "no name server":
            monkeypatch.setattr(socket, "getaddrinfo", lambda *given: time.sleep(8))
        began = time.monotonic()
        with pytest.raises(store.NotAvailable, match="127.0.0.1 did not answer in time") as caught:
            store.fetch("photos", progress=False)
        assert time.monotonic() - began < 5
    assert item.url in caught.value.cure and left_in(cache) == []


@localhost
@pytest.mark.slow
def test_a_mute_hub_is_left_alone_too(served, cache):
    """The library would wait for minutes, and ask again."""
    address = served("mute").url.removesuffix("/mute")
    environment = {**os.environ, "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0"}
    environment["HF_HOME"] = str(cache)
    code = """
import time
from tl_course import store
from tl_course.models import hub
import huggingface_hub, httpx
began = time.monotonic()
try:
    hub.fetch("bert")
except store.NotAvailable as error:
    print(error, time.monotonic() - began < 5)
"""
    said = subprocess.check_output([sys.executable, "-c", code], text=True, env=environment)
    assert "models.load('bert', pretrained=False)" in said and said.endswith("True\n")


@localhost
def test_what_comes_after_the_announced_end_is_not_waited_for(served, cache):
    """The catalogue's end, whatever the server announces and whenever it has done."""
    served("longer")
    began = time.monotonic()
    assert store.fetch("photos", progress=False).read_bytes() == GOOD
    assert time.monotonic() - began < 5


@localhost
def test_slow_is_not_mute(served, cache, monkeypatch):
    """A download goes on as long as something comes, whatever it takes in all."""
    monkeypatch.setattr(fetching, "STALL", 0.5)
    served("slow")
    began = time.monotonic()
    assert store.fetch("photos", progress=False).read_bytes() == GOOD
    assert time.monotonic() - began > 1


@localhost
def test_a_damaged_cached_file_is_replaced(served, server, cache):
    served("good")
    path = put_in_cache(cache, GOOD[:-100])
    assert store.locate("photos") is None
    assert store.fetch("photos", progress=False) == path
    assert path.read_bytes() == GOOD
    path.write_bytes(GOOD[:500] + b"x" + GOOD[501:])
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
item = store.Published(name="photos", file="photos.zip", url=sys.argv[1], digest=sys.argv[2],
                       title="", note="", licence="", source="")
catalogue.CATALOGUE = {"photos": item}
try:
    path = store.fetch("photos", progress=False)
except KeyboardInterrupt:
    print("interrupted")
else:
    print(store.sha256(path))
"""


def start_child(item, code=CHILD):
    command = [sys.executable, "-c", code, item.url, item.digest]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@localhost
def test_two_processes_at_once(served, cache):
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


UNPACKING = CHILD.replace('store.fetch("photos", progress=False)', 'store.unpack("photos")')


@localhost
@pytest.mark.slow
def test_four_processes_on_a_cold_cache_leave_one_copy(served, cache):
    item = served("slow")
    code = UNPACKING.replace("store.sha256(path)", "path")
    four = [start_child(item, code) for _ in range(4)]
    (folder,) = {child.communicate()[0].strip() for child in four}
    assert [*(cache / "unpacked").iterdir()] == [Path(folder)]
    assert not [*cache.rglob("*.part")]


@localhost
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one child alone")
@pytest.mark.parametrize("sent", ["SIGINT", "SIGKILL"])
def test_ending_a_running_download_leaves_no_part_for_long(served, cache, sent):
    child = start_child(served("endless"))
    give_up = time.monotonic() + 60
    while not left_in(cache) and time.monotonic() < give_up:
        time.sleep(0.02)
    assert left_in(cache)[0].endswith(".part")
    child.send_signal(getattr(signal, sent))
    said = child.communicate(timeout=60)[0].strip()
    if sent == "SIGINT":
        assert said == "interrupted" and left_in(cache) == []
    else:  # the next download removes it
        served("good")
        store.fetch("photos", progress=False)
        assert left_in(cache) == ["photos.zip"]


REQUEST = requests.Request("GET", "https://example.org/photos.zip").prepare()


@pytest.mark.parametrize(
    ("error", "kind", "why"),
    [
        (KeyboardInterrupt(), KeyboardInterrupt, None),
        (
            OSError(errno.ENOSPC, "Full"),
            store.StorageError,
            r"no room left .*248\.1 MB are needed",
        ),
        (OSError(errno.EACCES, "Denied"), store.StorageError, r"cannot be written \(Denied\)"),
        (RuntimeError("blocked"), store.NotAvailable, "no connection is possible here"),
        (requests.ConnectionError(request=REQUEST), store.NotAvailable, "example.org cannot be re"),
        (requests.exceptions.SSLError(), store.NotAvailable, "no secure connection to 127.0.0.1"),
        (requests.exceptions.InvalidURL("bad"), store.NotAvailable, "could not be asked .bad"),
    ],
)
def test_what_ends_a_download_is_told_and_leaves_nothing(
    offered, cache, monkeypatch, failing_transfer, error, kind, why
):
    offered(size=248_100_043)
    monkeypatch.setattr(places, "free_bytes", lambda _: 10**9)
    failing_transfer(error)
    with pytest.raises(kind, match=why):
        store.fetch("photos")
    assert left_in(cache) == []


def test_a_disk_with_too_little_room_is_told_before(offered, monkeypatch):
    offered(size=248_100_043)
    monkeypatch.setattr(places, "free_bytes", lambda _: 12_000_000)
    with pytest.raises(store.StorageError, match=r"12\.0 MB are free in .*; 248\.1 MB are needed"):
        store.fetch("photos")


def test_a_cache_that_cannot_be_made(offered, tmp_path, monkeypatch):
    offered()
    (tmp_path / "file").touch()
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "file"))
    with pytest.raises(store.StorageError, match="cannot be written .*Set TL_COURSE_CACHE"):
        store.fetch("photos")


def refuse(*_, **__):
    raise PermissionError(errno.EROFS, "Read-only file system")


def test_a_populated_cache_is_only_read(offered, cache, monkeypatch):
    offered()
    path = put_in_cache(cache, GOOD)
    before = {each: each.stat().st_mtime_ns for each in cache.rglob("*")}
    for name in ("mkdir", "replace", "rename", "unlink", "rmdir", "utime"):
        monkeypatch.setattr(os, name, refuse)
    assert store.fetch("photos") == store.locate("photos") == path
    with store.archive("photos") as opened:
        assert opened.namelist() == ["photos/1.bin"]
    assert {each: each.stat().st_mtime_ns for each in cache.rglob("*")} == before


@localhost
def test_windows_refusing_to_replace_an_open_file(served, cache, monkeypatch):
    served("good")
    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(store.StorageError, match="Read-only file system"):
        store.fetch("photos", progress=False)
    transfer = fetching._transfer

    def late(*given):  # another process has meanwhile finished, and reads the file
        transfer(*given)
        (cache / "published" / "photos.zip").write_bytes(GOOD)

    monkeypatch.setattr(fetching, "_transfer", late)
    assert store.fetch("photos", progress=False).read_bytes() == GOOD
    assert left_in(cache) == ["photos.zip"]
