"""The store without a network: errors, places, archives, embedded files, weights."""

import errno
import hashlib
import json
import os
import pickle
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from tl_course import store
from tl_course.store import archives, catalogue, places, shipped

ROOT = Path(__file__).resolve().parents[1]
ABOUT = {"recipe": "data_scripts/make_it.py", "source": "nothing", "licence": "MIT"}


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of the test's own, and no data folder."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TL_COURSE_CACHE", str(folder))
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    return folder


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An embedded folder of the test's own."""
    folder = (tmp_path / "embedded").resolve()
    monkeypatch.setattr(shipped, "EMBEDDED", folder)
    return folder


def make_zip(path, members):
    """Write a zip archive; `members` holds names or ZipInfo with their content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members:
            archive.writestr(member, content)
    return path


def offer(monkeypatch, path):
    """Let the catalogue hold `path` as a file that the user saved by hand."""
    page = "https://example.org"
    item = store.Published("photos", path.name, None, None, None, "CC0", page, "Photos", "")
    monkeypatch.setattr(catalogue, "CATALOGUE", {"photos": item})


def forbid_writing(monkeypatch, folder):
    """Let system calls that write into a folder fail as on a read-only disk, also for root."""

    def refuse(original):
        def call(path, *rest, **options):
            if str(path).startswith(str(folder)):
                raise OSError(errno.EROFS, "Read-only file system", str(path))
            return original(path, *rest, **options)

        return call

    for name in ("mkdir", "replace", "rename", "unlink", "rmdir", "utime"):
        monkeypatch.setattr(os, name, refuse(getattr(os, name)))


# Errors


def test_errors_read_as_sentences():
    error = store.CorruptFile("a.zip", "it is truncated", "Run this again")
    assert str(error) == "a.zip: it is truncated. Run this again."
    assert (error.thing, error.cause, error.cure) == ("a.zip", "it is truncated", "Run this again")
    assert str(store.BadInput("n", "did you mean 3?", "Try 3.")) == "n: did you mean 3? Try 3."


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (store.UnknownName, KeyError),
        (store.BadInput, ValueError),
        (store.StorageError, OSError),
        (store.NotAvailable, Exception),
        (store.CorruptFile, Exception),
        (store.UnsafeArchive, Exception),
    ],
)
def test_errors_are_of_two_kinds_and_cross_processes(kind, builtin):
    error = kind("thing", "cause", "cure")
    assert isinstance(error, store.CourseError)
    assert isinstance(error, builtin)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "thing: cause. cure."


def test_choose_lists_the_known_names_and_the_closest():
    assert store.choose("task", "leaves", {"leaves": 1, "digits": 2}) == "leaves"
    with pytest.raises(store.UnknownName) as caught:
        store.choose("task", "Leavs", ["leaves", "digits"])
    assert str(caught.value) == (
        "task 'Leavs': there is no task of this name; did you mean 'leaves'? "
        "Choose from leaves, digits."
    )
    with pytest.raises(store.UnknownName, match="task None: .* Choose from a."):
        store.choose("task", None, iter("a"))
    with pytest.raises(store.UnknownName, match="No task is known here"):
        store.choose("task", "x", [])
    with pytest.raises(store.UnknownName):
        store.choose("task", ["unhashable"], {"a"})


# Places


def test_importing_the_store_is_fast_and_light():
    code = (
        "import sys, tl_course.store\n"
        "heavy = {'torch', 'numpy', 'pooch', 'requests', 'tqdm'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_cache_folder_is_named_and_not_created(cache, monkeypatch):
    assert store.cache_dir() == cache
    assert not cache.exists()
    monkeypatch.setenv("TL_COURSE_CACHE", "")
    assert "tl_course" in str(store.cache_dir())


def test_data_folder_must_be_a_folder(cache, monkeypatch, tmp_path):
    assert store.data_dir() is None
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    assert store.data_dir() == tmp_path
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "missing"))
    with pytest.raises(store.NotAvailable, match="TL_COURSE_DATA=.*missing: this is not a folder"):
        store.data_dir()


def test_sha256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert store.sha256(path) == store.sha256(str(path)) == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(store.NotAvailable, match="there is no such file"):
        store.sha256(tmp_path / "missing")
    with pytest.raises(store.StorageError, match="cannot be read"):
        store.sha256(tmp_path)


@pytest.mark.parametrize(
    ("start", "title"),
    [
        (b"<!DOCTYPE html><html><head><title>Not &amp; found</title>", "Not & found"),
        (b"\xef\xbb\xbf \r\n<HTML lang=en>", ""),
        (b"<!-- a note --><html>", ""),
        (b"PK\x03\x04<html>", None),
        (b"", None),
    ],
)
def test_html_is_recognised(start, title):
    assert places.html_title(start) == title


def test_stale_partial_files_are_removed_and_fresh_ones_kept(tmp_path):
    target = tmp_path / "data.zip"
    old, new, folder = (places.partial_path(target) for _ in range(3))
    old.touch()
    new.touch()
    folder.mkdir()
    (folder / "inside").touch()
    long_ago = time.time() - 2 * places.STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    os.utime(folder, (long_ago, long_ago))
    places.remove_stale_partials(target)
    assert list(tmp_path.iterdir()) == [new]


# Files that the user has put there


def test_catalogue_has_full_checksums_and_sources():
    known = store.published()
    assert {"tiny_imagenet", "pneumonia", "hymenoptera", "satellite"} <= set(known)
    for name, item in known.items():
        assert item.name == name
        assert item.licence and item.title and item.source.startswith("https://")
        if item.url is not None:
            algorithm, digest = item.digest.split(":")
            assert len(digest) == 2 * hashlib.new(algorithm).digest_size
            assert item.url.startswith("https://")
    known.clear()
    assert store.published()


def test_without_checksum_nothing_is_downloaded(cache):
    assert store.locate("satellite") is None
    with pytest.raises(store.NotAvailable) as caught:
        store.fetch("satellite")
    message = str(caught.value)
    for part in ("palewithout/RSSCN7", "rsscn7.zip", str(cache / "published"), "TL_COURSE_DATA"):
        assert part in message
    assert not cache.exists()


@pytest.mark.parametrize("file", ["rsscn7.zip", "RSSCN7-master.zip"])
def test_a_file_saved_by_hand_is_used_under_each_of_its_names(cache, file):
    path = make_zip(cache / "published" / file, [("a/1.txt", "1")])
    assert store.locate("satellite") == path
    assert store.fetch("satellite") == path


def test_data_folder_comes_first_and_needs_no_checksum(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "data"))
    make_zip(cache / "published" / "rsscn7.zip", [("a", "cache")])
    own = make_zip(tmp_path / "data" / "rsscn7.zip", [("a", "own")])
    reduced = make_zip(tmp_path / "data" / "hymenoptera_data.zip", [("a", "own")])
    assert store.fetch("satellite") == own
    assert store.fetch("hymenoptera") == store.locate("hymenoptera") == reduced


def test_files_of_the_user_must_open(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    path = make_zip(tmp_path / "rsscn7.zip", [("a.txt", os.urandom(5000))])
    whole = path.read_bytes()
    path.write_bytes(whole[:3000])
    with pytest.raises(store.CorruptFile, match=r"does not open as \.zip .*may be truncated"):
        store.fetch("satellite")
    path.write_bytes(b"<!doctype html><title>Log in</title>")
    with pytest.raises(store.CorruptFile, match="it is an HTML page, not data .*“Log in”"):
        store.fetch("satellite")
    path.write_bytes(b"")
    with pytest.raises(store.CorruptFile):
        store.fetch("satellite")
    path.write_bytes(whole)
    assert store.fetch("satellite") == path
    make_zip(tmp_path / "pneumoniamnist.npz", [("a.txt", "no array")])
    with pytest.raises(store.CorruptFile, match="holds no numpy arrays"):
        store.fetch("pneumonia")


def test_unknown_data_set(cache):
    for ask in (store.fetch, store.locate, store.archive, store.unpack):
        with pytest.raises(store.UnknownName, match="did you mean 'satellite'"):
            ask("sattelite")


# Archives


def link(name):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    return info


def device(name):
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFCHR | 0o666) << 16
    return info


@pytest.mark.parametrize(
    ("members", "why"),
    [
        (["../evil.txt"], "leads outside"),
        (["a/../../evil.txt"], "leads outside"),
        (["a/.."], "leads outside"),
        (["/etc/evil"], "absolute path"),
        (["C:/evil.txt"], "absolute path"),
        (["c:evil.txt"], "absolute path"),
        (["..\\evil.txt"], "backslash"),
        (["a\\b.txt"], "backslash"),
        ([link("a/link")], "is a link"),
        ([device("null")], "special file"),
        (["a.txt", "a.txt"], "occurs twice"),
        (["a/b.txt", "a/./b.txt"], "occurs twice"),
        (["a", "a/b.txt"], "a file and a folder"),
        (["a/b", "a/b/c/d.txt"], "a file and a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_dangerous_members_are_refused(cache, tmp_path, monkeypatch, members, why):
    path = make_zip(cache / "published" / "bad.zip", [("ok.txt", "ok")])
    with zipfile.ZipFile(path, "a") as archive:
        for member in members:
            archive.writestr(member, "content")
    offer(monkeypatch, path)
    for ask in (store.archive, store.unpack):
        with pytest.raises(store.UnsafeArchive, match=why):
            ask("photos")
    with pytest.raises(store.UnsafeArchive, match=why):
        store.check_archive(path)
    assert sorted(tmp_path.rglob("*evil*")) == []
    assert not (cache / "unpacked").exists()


def test_names_that_only_look_dangerous_are_accepted(tmp_path):
    members = ["a..b/c...jpg", "Ünïcode/图.jpg", "a b/", "a b/c.txt", ".hidden", "x/10:30.jpg"]
    store.check_archive(make_zip(tmp_path / "a.zip", [(each, "") for each in members]))


def test_encrypted_members_are_refused(tmp_path):
    path = make_zip(tmp_path / "secret.zip", [("a.txt", "content")])
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(store.UnsafeArchive, match="'a.txt' is encrypted"):
        store.check_archive(path)


def test_names_with_a_null_byte_are_refused(tmp_path):
    path = make_zip(tmp_path / "null.zip", [("a.exe?.jpg", "content")])
    path.write_bytes(path.read_bytes().replace(b"a.exe?", b"a.exe\0"))
    with pytest.raises(store.UnsafeArchive, match="has no proper name"):
        store.check_archive(path)


def test_bombs_are_refused(tmp_path):
    path = tmp_path / "bomb.zip"
    make_zip(path, [("zeros", bytes(101_000_000))])
    with pytest.raises(store.UnsafeArchive, match=r"bytes unpack to 101,000,000 \([\d,]+ times"):
        store.check_archive(path)


def test_too_large_and_too_many_are_refused(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", [(f"{i}", "x" * 100) for i in range(20)])
    store.check_archive(path)
    # As in a new process, which has not checked this file yet.
    monkeypatch.setattr(archives, "_checked", places.Checked())
    monkeypatch.setattr(archives, "MAX_BYTES", 1999)
    with pytest.raises(store.UnsafeArchive, match="it unpacks to"):
        store.check_archive(path)
    monkeypatch.setattr(archives, "MAX_MEMBERS", 19)
    with pytest.raises(store.UnsafeArchive, match="20 members"):
        store.check_archive(path)


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    path.write_bytes(b"<html><title>Sorry</title>")
    with pytest.raises(store.CorruptFile, match="“Sorry”"):
        store.check_archive(path)
    path.write_bytes(b"text")
    with pytest.raises(store.CorruptFile, match="does not open as a zip archive"):
        store.check_archive(path)
    with pytest.raises(store.NotAvailable, match="no such file"):
        store.check_archive(tmp_path / "missing.zip")


def test_many_members_are_checked_fast(tmp_path):
    path = tmp_path / "large.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(30_000):
            archive.writestr(zipfile.ZipInfo(f"tiny/train/n{i // 500:08}/images/{i}.JPEG"), b"")
    start = time.process_time()
    store.check_archive(path)
    # 0.1 s on a free machine: Tiny ImageNet, four times as large, takes less than a second.
    assert time.process_time() - start < 1


def test_archive_reads_members(cache, monkeypatch):
    offer(monkeypatch, make_zip(cache / "published" / "a.zip", [("a/1.txt", "one")]))
    with store.archive("photos") as opened:
        assert opened.read("a/1.txt") == b"one"
        assert opened.mode == "r"


def test_unpack_is_complete_and_reused(cache, monkeypatch):
    path = make_zip(cache / "published" / "a.zip", [("a/1.txt", "one"), ("b/", "")])
    offer(monkeypatch, path)
    folder = store.unpack("photos")
    assert folder.parent == cache / "unpacked"
    assert (folder / "a" / "1.txt").read_text() == "one"
    assert (folder / "b").is_dir()
    stamp = (folder / "a" / "1.txt").stat().st_mtime_ns
    forbid_writing(monkeypatch, cache)
    assert store.unpack("photos") == folder
    assert (folder / "a" / "1.txt").stat().st_mtime_ns == stamp
    assert list((cache / "unpacked").iterdir()) == [folder]


def test_a_changed_archive_is_unpacked_again(cache, monkeypatch):
    path = make_zip(cache / "published" / "a.zip", [("1.txt", "one")])
    offer(monkeypatch, path)
    first = store.unpack("photos")
    make_zip(path, [("1.txt", "another")])
    second = store.unpack("photos")
    assert first != second
    assert (second / "1.txt").read_text() == "another"


def test_another_process_that_unpacks_first_wins(tmp_path):
    part, folder = tmp_path / "part", tmp_path / "folder"
    for each in (part, folder):
        each.mkdir()
        (each / archives.MARKER).write_text("key")
    archives._place(part, folder, "key")
    with pytest.raises(OSError):
        archives._place(part, folder, "another key")


def test_unpack_into_a_named_folder(cache, tmp_path, monkeypatch):
    offer(monkeypatch, make_zip(cache / "published" / "a.zip", [("1.txt", "one")]))
    into = tmp_path / "mine"
    into.mkdir()
    assert store.unpack("photos", into) == into
    assert store.unpack("photos", str(into)) == into
    assert (into / "1.txt").read_text() == "one"
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "thesis.txt").touch()
    with pytest.raises(store.BadInput, match="something other than the unpacked a.zip"):
        store.unpack("photos", tmp_path / "work")
    assert [each.name for each in (tmp_path / "work").iterdir()] == ["thesis.txt"]


def test_damaged_member_leaves_nothing_behind(cache, monkeypatch):
    path = make_zip(cache / "published" / "a.zip", [("0", "0"), ("1.txt", os.urandom(1000))])
    content = bytearray(path.read_bytes())
    content[content.index(b"1.txt") + 500] ^= 1
    path.write_bytes(content)
    offer(monkeypatch, path)
    with pytest.raises(store.CorruptFile, match="a member does not unpack"):
        store.unpack("photos")
    assert list((cache / "unpacked").iterdir()) == []


def test_interrupted_unpacking_leaves_nothing_behind(cache, monkeypatch):
    offer(monkeypatch, make_zip(cache / "published" / "a.zip", [("1.txt", "one")]))

    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(archives, "_place", interrupt)
        with pytest.raises(KeyboardInterrupt):
            store.unpack("photos")
    assert list((cache / "unpacked").iterdir()) == []
    assert store.unpack("photos").is_dir()


def test_unpack_says_when_the_disk_is_full(cache, monkeypatch):
    offer(monkeypatch, make_zip(cache / "published" / "a.zip", [("1.txt", "x" * 3_000_000)]))
    monkeypatch.setattr(archives, "free_bytes", lambda _: 1_000_000)
    monkeypatch.setattr(places, "free_bytes", lambda _: 1_000_000)
    with pytest.raises(store.StorageError, match=r"1\.0 MB are free .*; 3\.0 MB are needed"):
        store.unpack("photos")


def test_unpack_without_a_writable_cache_uses_a_temporary_folder(cache, tmp_path):
    make_zip(cache / "published" / "rsscn7.zip", [("a/1.txt", "one")])
    # In a process of its own, as the folder goes when Python ends.
    code = f"""
import errno, os
from tl_course import store
real = os.mkdir
def mkdir(path, *rest, **options):
    if str(path).startswith({str(cache)!r}):
        raise OSError(errno.EROFS, "Read-only file system")
    return real(path, *rest, **options)
os.mkdir = mkdir
folder = store.unpack("satellite")
assert (folder / "a" / "1.txt").read_text() == "one"
assert store.unpack("satellite") == folder
print(folder)
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    command = [sys.executable, "-c", code]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True
    )
    folder = Path(done.stdout.strip())
    assert folder.is_relative_to(tmp_path) and not folder.is_relative_to(cache)
    assert not folder.exists()
    assert not (cache / "unpacked").exists()


# Embedded files


def test_everything_that_ships_is_as_the_manifest_says():
    entries = store.manifest()
    if not entries:
        pytest.skip("nothing is embedded yet")
    for name, entry in entries.items():
        path = store.embedded(name)
        assert path.stat().st_size == entry["bytes"]
        assert entry["recipe"] and entry["licence"] and entry["source"]


def test_embedded_weights_round_trip(package):
    import torch

    tensors = {"w": torch.linspace(-1, 1, 12).reshape(3, 4), "steps": torch.tensor(7)}
    path = store.write_embedded("net", tensors, **ABOUT, metadata={"accuracy": "0.51"})
    assert path == package / "net.safetensors" == store.embedded("net")
    loaded = store.load_weights(path)
    assert loaded["w"].dtype == torch.float32
    assert torch.equal(loaded["w"], tensors["w"].half().float())
    assert loaded["steps"].dtype == torch.int64 and loaded["steps"] == 7
    assert store.read_metadata(path) == {**ABOUT, "accuracy": "0.51"}
    entry = store.manifest()["net"]
    assert entry["sha256"] == store.sha256(path)
    assert entry["bytes"] == path.stat().st_size
    assert entry["torch"] == torch.__version__.partition("+")[0]


def test_writing_again_gives_the_same_bytes_and_keeps_other_entries(tmp_path):
    import torch

    tensors = {"b": torch.ones(3), "a": torch.zeros(2, 3).T, "n": torch.arange(5)}
    metadata = {f"key{i}": str(i) for i in range(20)}
    results = tmp_path / "results.csv"
    results.write_text("seed,accuracy\n0,0.5\n")
    store.add_to_manifest(results, "results", **ABOUT)
    seen = set()
    for _ in range(3):
        path = store.write_embedded("net", tensors, **ABOUT, metadata=metadata, folder=tmp_path)
        seen.add((path.read_bytes(), (tmp_path / "manifest.json").read_bytes()))
    assert len(seen) == 1
    text = (tmp_path / "manifest.json").read_text()
    assert list(json.loads(text)) == ["net", "results"]
    assert text.endswith("}\n")
    assert sorted(each.name for each in tmp_path.iterdir()) == [
        "manifest.json",
        "net.safetensors",
        "results.csv",
    ]


def test_processes_that_write_at_once_keep_each_others_entries(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from tl_course import store\n"
        "for i in range(5):\n"
        "    path = pathlib.Path(sys.argv[1], f'{sys.argv[2]}{i}.csv')\n"
        "    path.write_text('x')\n"
        "    store.add_to_manifest(path, path.stem, recipe='r', source='s', licence='l')\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path), letter], cwd=ROOT)
        for letter in "abc"
    ]
    assert [process.wait(30) for process in running] == [0, 0, 0]
    assert len(json.loads((tmp_path / "manifest.json").read_text())) == 15


def test_a_lock_that_was_left_behind_is_broken(tmp_path):
    (tmp_path / "x.csv").touch()
    lock = tmp_path / ".manifest.json.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    store.add_to_manifest(tmp_path / "x.csv", "x", **ABOUT)
    assert not lock.exists()


def test_embedded_file_in_a_subfolder(package):
    path = package / "results" / "lesson.csv"
    path.parent.mkdir(parents=True)
    path.write_text("1\n")
    store.add_to_manifest(path, "lesson", **ABOUT)
    assert store.manifest()["lesson"]["file"] == "results/lesson.csv"
    assert store.embedded("lesson") == path


def test_a_flipped_bit_is_found(package):
    import torch

    path = store.write_embedded("net", {"w": torch.ones(100)}, **ABOUT)
    good = store.sha256(path)
    store.embedded("net")
    content = bytearray(path.read_bytes())
    content[-7] ^= 0b100
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    with pytest.raises(store.CorruptFile) as caught:
        store.embedded("net")
    message = str(caught.value)
    for part in (
        "net (",
        good[:12],
        store.sha256(path)[:12],
        "pip install --force-reinstall --no-deps tl-course",
        "data_scripts/make_it.py",
    ):
        assert part in message


def test_missing_and_unknown_embedded_files(package):
    import torch

    with pytest.raises(store.UnknownName, match="No embedded file is known here"):
        store.embedded("net")
    path = store.write_embedded("net", {"w": torch.ones(3)}, **ABOUT)
    with pytest.raises(store.UnknownName, match="did you mean 'net'"):
        store.embedded("nett")
    path.unlink()
    with pytest.raises(store.NotAvailable, match="the embedded file is missing. Reinstall"):
        store.embedded("net")
    (package / "manifest.json").write_text("{")
    with pytest.raises(store.CorruptFile, match="it is not JSON"):
        store.manifest()


def test_weights_that_float16_cannot_hold_are_refused(package):
    import torch

    for value in (1e6, float("nan"), float("inf")):
        with pytest.raises(store.BadInput, match="tensor 'w' of net"):
            store.write_embedded("net", {"w": torch.tensor([1.0, value])}, **ABOUT)
    with pytest.raises(store.BadInput, match="metadata 'accuracy'"):
        store.write_embedded("net", {}, **ABOUT, metadata={"accuracy": 0.5})
    assert not package.exists()


# Weights


class Malicious:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickle_is_refused_unread(tmp_path, protocol):
    path = tmp_path / "net.safetensors"
    path.write_bytes(pickle.dumps(Malicious(tmp_path / "owned"), protocol=protocol))
    why = "it is a pickle" if protocol >= 2 else "not a safetensors file"
    with pytest.raises(store.CorruptFile, match=why):
        store.load_weights(path)
    with pytest.raises(store.CorruptFile, match=why):
        store.read_metadata(path)
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_what_torch_save_writes_is_refused(tmp_path, zipped):
    import torch

    path = tmp_path / "net.safetensors"
    torch.save({"w": torch.ones(3)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(store.CorruptFile, match="refused: reading one runs whatever program"):
        store.load_weights(path)


def test_damaged_weights_are_refused(tmp_path):
    import torch

    good = store.write_embedded("net", {"w": torch.ones(100)}, **ABOUT, folder=tmp_path)
    content = good.read_bytes()
    bad = tmp_path / "bad.safetensors"
    cases = {
        content[:-50]: "it is truncated: .* bytes, not",
        content[:40]: "it is truncated: 40 bytes, but its header",
        content + b"x": "it has more than it says",
        content[:5]: "not a safetensors file",
        b"": "it is empty",
        b"<html><title>Sign in</title>": "an HTML page, not data .*“Sign in”",
        content[:8] + b"[" * 100 + content[108:]: "not a safetensors file",
        (2).to_bytes(8, "little") + b"[]": "not a safetensors file",
        content.replace(b"F16", b"F77"): "no proper safetensors file",
    }
    for damaged, why in cases.items():
        bad.write_bytes(damaged)
        with pytest.raises(store.CorruptFile, match=why):
            store.load_weights(bad)
    with pytest.raises(store.NotAvailable, match="no such file"):
        store.load_weights(tmp_path / "missing.safetensors")


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_weights_that_are_not_finite_are_refused(tmp_path, value):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "net.safetensors"
    tensors = {"good": torch.ones(2), "layer1.weight": torch.tensor([0.0, value])}
    save_file(tensors, path)
    with pytest.raises(store.CorruptFile, match="tensor 'layer1.weight' holds values that are not"):
        store.load_weights(path)
    assert store.read_metadata(path) == {}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_come_as_float32(tmp_path, dtype):
    import torch
    from safetensors.torch import save_file

    path = tmp_path / "net.safetensors"
    save_file({"w": torch.ones(2, dtype=getattr(torch, dtype)), "m": torch.tensor([True])}, path)
    loaded = store.load_weights(path)
    assert loaded["w"].dtype == torch.float32
    assert loaded["m"].dtype == torch.bool


# Real files


def real(name):
    if not os.environ.get("TL_COURSE_DATA"):
        pytest.skip("TL_COURSE_DATA is not set")
    if store.locate(name) is None or not store.locate(name).is_relative_to(store.data_dir()):
        pytest.skip(f"{name} is not in the folder that TL_COURSE_DATA names")
    return name


@pytest.mark.parametrize("name", ["tiny_imagenet", "hymenoptera", "satellite", "pneumonia"])
def test_real_files_open_and_pass_the_checks(name):
    path = store.fetch(real(name))
    assert path.parent == store.data_dir()
    start = time.process_time()
    with store.archive(name) as opened:
        assert opened.namelist()
    assert time.process_time() - start < 4


def test_real_archive_unpacks(monkeypatch, tmp_path):
    name = real("satellite")
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    folder = store.unpack(name)
    assert sum(1 for _ in folder.rglob("*.jpg")) > 100
