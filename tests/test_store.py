"""The store without a network: errors, places, archives, embedded files, weights."""

import hashlib
import json
import os
import pickle
import platform
import re
import stat
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors.torch import save_file

from tl_course import models, store
from tl_course.store import archives, catalogue, places, shipped

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


@pytest.fixture
def offer(cache, monkeypatch):
    """Writes an archive into the cache that counts as saved there by hand, as ``photos``."""

    def write(*members):
        item = store.Published(
            name="photos", file="a.zip", title="Photos", note="", licence="CC0", source="https://e"
        )
        monkeypatch.setattr(catalogue, "CATALOGUE", {"photos": item})
        return make_zip(cache / "published" / "a.zip", *members)

    return write


def make_zip(path, *members):
    """Write a zip archive; a member is a name or ZipInfo, or such a one with its content."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member in members:
            archive.writestr(*(member if isinstance(member, tuple) else (member, "content")))
    return path


def listed(folder):
    """The files in a folder that a user sees."""
    return sorted(each.name for each in folder.iterdir() if not each.name.startswith("."))


def interrupt(*_, **__):
    raise KeyboardInterrupt


def run(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


# Errors


@pytest.mark.parametrize(
    ("kind", "builtin"),
    [
        (store.UnknownName, KeyError),
        (store.BadInput, ValueError),
        (store.StorageError, OSError),
        (store.NotAvailable, store.CourseError),
        (store.CorruptFile, store.CourseError),
        (store.UnsafeArchive, store.CourseError),
    ],
)
def test_errors_are_of_two_kinds_read_as_sentences_and_cross_processes(kind, builtin):
    error = kind("a.zip", "is it cut?", "Run this again")
    assert isinstance(error, store.CourseError) and isinstance(error, builtin)
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is kind
    assert str(again) == str(error) == "a.zip: is it cut? Run this again."
    assert (again.thing, again.cause, again.cure) == ("a.zip", "is it cut?", "Run this again")


def test_choose_lists_the_known_names_and_the_closest():
    assert store.choose("task", "leaves", {"leaves": 1, "digits": 2}) == "leaves"
    with pytest.raises(store.UnknownName) as caught:
        store.choose("task", "Leavs", ["leaves", "digits"])
    assert str(caught.value) == (
        "task 'Leavs': there is no task of this name; did you mean 'leaves'? "
        "Choose from leaves, digits."
    )
    for name, known, why in (
        (None, iter("a"), "task None: .* Choose from a."),
        ("x", [], "No task is known here"),
        (["unhashable"], {"a"}, "Choose from a."),
    ):
        with pytest.raises(store.UnknownName, match=why):
            store.choose("task", name, known)


@pytest.mark.filterwarnings("error")
def test_numbers_are_taken_as_they_are():
    for value in (3, np.int64(3), np.uint8(3)):
        assert store.whole("n", value, least=3, most=3) == 3
        assert type(store.whole("n", value)) is int
    for value in (0, 0.5, np.float32(0.5), np.float16(2), 1e300, np.int8(3)):
        assert store.number("rate", value, least=0) == value
        assert type(store.number("rate", value)) is float


@pytest.mark.parametrize("value", [True, np.True_, "3", None, [3], float("nan"), 3j])
def test_what_is_no_number_is_refused(value):
    for check in (store.whole, store.number):
        with pytest.raises(store.BadInput, match="must be a (whole|finite) number"):
            check("n", value)


@pytest.mark.parametrize(
    ("check", "value", "limits", "message"),
    [
        (store.whole, 0, {}, "n=0: it must be a whole number from 1. Try n=1."),
        (store.whole, 3.0, {}, "n=3.0: it must be a whole number from 1. Try n=1."),
        (store.whole, 9, {"least": 0, "most": 8}, "n=9: it must be a whole number from 0 to 8. "),
        (store.number, -1, {"least": 0}, "n=-1: it must be a finite number from 0. Try n=0."),
        (store.number, 2, {"most": 1}, "n=2: it must be a finite number up to 1. Try n=1."),
        (store.number, float("inf"), {}, "n=inf: it must be a finite number. Try n=1."),
    ],
)
def test_numbers_outside_their_limits_are_refused(check, value, limits, message):
    with pytest.raises(store.BadInput, match=f"^{re.escape(message)}"):
        check("n", value, **limits)


# Places


def test_importing_the_store_is_fast_and_light():
    heavy = {"torch", "numpy", "requests", "tqdm", "filelock", "psutil"}
    assert run(f"import sys, tl_course.store; print({heavy} & set(sys.modules))") == "set()\n"


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


@pytest.mark.parametrize(
    ("path", "why"),
    [
        *(
            (path, "it is no path")
            for path in (None, 5, True, 1.5, b"x", ["x"], "", "a\0b", "\ud800")
        ),
        (np.array(["a", "b"]), "it is no path"),
        ("x" * 300, "it cannot be a path here .File name too long"),
        ("/".join(["x" * 200] * 30), "it cannot be a path here .File name too long"),
        ("~nobody-of-this-name/x", "this machine knows no home folder of that name"),
    ],
)
@pytest.mark.parametrize(
    "take",
    [
        store.user_path,
        store.sha256,
        store.check_archive,
        store.load_weights,
        store.load_official,
        store.read_metadata,
        lambda path: store.write_atomically(path, b""),
    ],
)
def test_what_is_no_path_is_refused(path, why, take):
    with pytest.raises(store.BadInput, match=f"^path .{{,100}}: {why}"):
        take(path)


@pytest.mark.parametrize(
    ("name", "asked"), [("TL_COURSE_CACHE", store.cache_dir), ("TL_COURSE_DATA", store.data_dir)]
)
def test_a_variable_that_is_no_path_is_named(monkeypatch, name, asked):
    monkeypatch.setenv(name, "x" * 300)
    with pytest.raises(store.BadInput, match=f"^{name} 'x+: it cannot be a path here"):
        asked()


def test_paths_that_a_machine_can_have(tmp_path):
    for path in ("a b.png", "ünï", "\udcff", np.str_("x"), tmp_path / "none" / "x", "y" * 255):
        assert store.user_path(path) == Path(path)
    target = tmp_path / ("x" * 255)  # the part beside it has another name
    store.write_atomically(target, b"content")
    assert [*tmp_path.iterdir()] == [target]


def test_sha256(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    assert store.sha256(path) == store.sha256(str(path)) == hashlib.sha256(b"content").hexdigest()
    with pytest.raises(store.NotAvailable, match="there is no such file"):
        store.sha256(tmp_path / "missing")
    with pytest.raises(store.StorageError, match="cannot be read"):
        store.sha256(tmp_path)


@pytest.mark.parametrize(
    ("start", "fault"),
    [
        (b"<!DOCTYPE html><html><head><title>Not &amp; found</title>", "title is “Not & found”)"),
        (b"\xef\xbb\xbf \r\n<HTML lang=en>", "it is an HTML page, not data"),
        (b"<!-- a note --><html>", "it is an HTML page, not data"),
        (b"PK\x03\x04<html>", None),
        (b"", None),
    ],
)
def test_html_is_recognised(start, fault, tmp_path):
    (tmp_path / "file").write_bytes(start)
    found = places.html_fault(tmp_path / "file")
    assert found == fault or found.endswith(fault)


def test_what_killed_processes_left_is_removed(tmp_path):
    """At once where the process ran on this machine, after a day where it ran on another."""
    dead, here = subprocess.Popen([sys.executable, "-c", ""]), re.sub(r"\W", "", platform.node())
    dead.wait()
    gone, stays = (
        [tmp_path / f".data.{owner}-0123abcd.part" for owner in owners]
        for owners in (
            (f"zip.{here}-{dead.pid}", f"zip.old-{os.getpid()}"),
            (f"zip.{here}-{os.getpid()}", f"zip.another-{dead.pid}", "of-a-user"),
        )
    )
    for each in (*gone, *stays):
        each.touch()
    os.utime(gone[1], (1, 1))
    gone[0].unlink()
    gone[0].mkdir()
    (gone[0] / "inside").touch()
    store.write_atomically(tmp_path / "other.zip", b"content")
    assert {*tmp_path.iterdir()} == {*stays, tmp_path / "other.zip"}


def test_killing_a_write_leaves_the_old_content(tmp_path):
    target = tmp_path / "data"
    target.write_bytes(b"old")
    code = """
import os, pathlib, signal, sys
from tl_course import store
pathlib.Path.replace = lambda *_: os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else 9)
store.write_atomically(pathlib.Path(sys.argv[1]), b"new")
"""
    assert subprocess.run([sys.executable, "-c", code, str(target)]).returncode
    assert target.read_bytes() == b"old" and len([*tmp_path.iterdir()]) == 2
    store.write_atomically(target, b"newer")
    assert target.read_bytes() == b"newer" and [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize("moment", ["before", "after"])
def test_killing_a_save_leaves_a_model_that_opens(tmp_path, moment):
    """It is one file and one rename: before it the old model is there, after it the new one."""
    path = models.save(
        models.load("resnet10", pretrained=False, classes=["old", "b"]), tmp_path / "model"
    )
    code = """
import os, pathlib, signal, sys
from tl_course import models
rename = pathlib.Path.replace
def replace(part, target):
    if sys.argv[2] == "after":
        rename(part, target)
    os.kill(os.getpid(), signal.SIGTERM if os.name == "nt" else 9)
pathlib.Path.replace = replace
models.save(models.load("resnet10", pretrained=False, classes=["new", "b", "c"]), sys.argv[1])
"""
    assert subprocess.run([sys.executable, "-c", code, str(path), moment]).returncode
    found = models.open(path).classes
    assert [*found] == (["old", "b"] if moment == "before" else ["new", "b", "c"])
    models.save(models.load("resnet10", pretrained=False, classes=["newer", "b"]), path)
    assert [*tmp_path.iterdir()] == [path], "the part that was left is swept"


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
    for part in ("palewithout/RSSCN7", "rsscn7.zip", str(cache / "published"), "TL_COURSE_DATA"):
        assert part in str(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize("file", ["rsscn7.zip", "RSSCN7-master.zip"])
def test_a_file_saved_by_hand_is_used_under_each_of_its_names(cache, file):
    path = make_zip(cache / "published" / file, "a/1.txt")
    assert store.locate("satellite") == store.fetch("satellite") == path


def test_data_folder_comes_first_and_needs_no_checksum(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "data"))
    make_zip(cache / "published" / "rsscn7.zip", "a")
    own = make_zip(tmp_path / "data" / "rsscn7.zip", "a")
    reduced = make_zip(tmp_path / "data" / "hymenoptera_data.zip", "a")
    assert store.fetch("satellite") == own
    assert store.fetch("hymenoptera") == store.locate("hymenoptera") == reduced


def test_files_of_the_user_must_open(cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    path = make_zip(tmp_path / "rsscn7.zip", ("a.txt", os.urandom(5000)))
    whole = path.read_bytes()
    for content, why in (
        (whole[:3000], r"does not open as \.zip .*may be truncated"),
        (b"<!doctype html><title>Log in</title>", "it is an HTML page, not data .*“Log in”"),
        (b"", "it is empty"),
        (make_zip(tmp_path / "empty.zip").read_bytes(), "the archive is empty"),
        (b"GIF89a", "does not open as"),
    ):
        for name, file in (("satellite", path), ("resnet18", tmp_path / "resnet18-f37072fd.pth")):
            file.write_bytes(content)
            with pytest.raises(
                store.CorruptFile, match=why.replace("zip .", f"{file.suffix[1:]} .")
            ):
                store.fetch(name)
            assert store.locate(name) is None, "prefetch and doctor do not list it"
    path.write_bytes(whole)
    assert store.fetch("satellite") == path
    make_zip(tmp_path / "pneumoniamnist.npz", "a.txt")
    with pytest.raises(store.CorruptFile, match="holds no numpy arrays"):
        store.fetch("pneumonia")


def test_unknown_data_set(cache):
    for ask in (store.fetch, store.locate, store.archive, store.unpack):
        with pytest.raises(store.UnknownName, match="did you mean 'satellite'"):
            ask("sattelite")


# Archives


def member(name, mode):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = mode << 16
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
        ([member("a/link", stat.S_IFLNK | 0o777)], "is a link"),
        ([member("null", stat.S_IFCHR | 0o666)], "special file"),
        (["a.txt", "a.txt"], "occurs twice"),
        (["a/b.txt", "a/./b.txt"], "occurs twice"),
        (["a", "a/b.txt"], "a file and a folder"),
        (["a/b", "a/b/c/d.txt"], "a file and a folder"),
    ],
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_dangerous_members_are_refused(offer, cache, tmp_path, members, why):
    path = offer("ok.txt", *members)
    for ask, of in (
        (store.archive, "photos"),
        (store.unpack, "photos"),
        (store.check_archive, path),
    ):
        with pytest.raises(store.UnsafeArchive, match=why):
            ask(of)
    assert sorted(tmp_path.rglob("*evil*")) == []
    assert not (cache / "unpacked").exists()


def test_names_that_only_look_dangerous_are_accepted(tmp_path):
    members = ["a..b/c...jpg", "Ünïcode/图.jpg", "a b/", "a b/c.txt", ".hidden", "x/10:30.jpg"]
    store.check_archive(make_zip(tmp_path / "a.zip", *members))


def encrypted(content):
    at = content.index(b"PK\x01\x02") + 8
    return content[:at] + bytes([content[at] | 1]) + content[at + 1 :]


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (encrypted, "'a.exe_.jpg' is encrypted"),
        (lambda content: content.replace(b"a.exe_", b"a.exe\0"), "has no proper name"),
    ],
)
def test_members_that_python_does_not_write_are_refused(tmp_path, change, why):
    path = make_zip(tmp_path / "a.zip", "a.exe_.jpg")
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(store.UnsafeArchive, match=why):
        store.check_archive(path)


def test_bombs_are_refused(tmp_path):
    path = make_zip(tmp_path / "bomb.zip", ("zeros", bytes(101_000_000)))
    with pytest.raises(store.UnsafeArchive, match=r"bytes unpack to 101,000,000 \([\d,]+ times"):
        store.check_archive(path)


def test_too_large_and_too_many_are_refused(tmp_path, monkeypatch):
    path = make_zip(tmp_path / "a.zip", *((f"{i}", "x" * 100) for i in range(20)))
    store.check_archive(path)
    places._passed.cache_clear()  # as in a new process, which has not checked this file yet
    for limit, value, why in (("BYTES", 1999, "it unpacks to"), ("MEMBERS", 19, "20 members")):
        monkeypatch.setattr(archives, f"MAX_{limit}", value)
        with pytest.raises(store.UnsafeArchive, match=why):
            store.check_archive(path)


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    for content, why in ((b"<html><title>Sorry</title>", "“Sorry”"), (b"text", "does not open")):
        path.write_bytes(content)
        with pytest.raises(store.CorruptFile, match=why):
            store.check_archive(path)
    with pytest.raises(store.NotAvailable, match="no such file"):
        store.check_archive(tmp_path / "missing.zip")


def test_many_members_are_checked_fast(tmp_path):
    names = (f"tiny/train/n{i // 500:08}/images/{i}.JPEG" for i in range(30_000))
    path = make_zip(tmp_path / "large.zip", *((zipfile.ZipInfo(name), b"") for name in names))
    start = time.process_time()
    store.check_archive(path)
    # 0.1 s of a free core; a check that compares all with all takes minutes.
    assert time.process_time() - start < 5


def test_unpack_is_complete_and_reused_until_the_archive_changes(offer, cache, monkeypatch):
    offer(("a/1.txt", "one"), "b/")
    with store.archive("photos") as opened:
        assert opened.read("a/1.txt") == b"one" and opened.mode == "r"
    first = store.unpack("photos")
    assert first.parent == cache / "unpacked"
    assert (first / "a" / "1.txt").read_text() == "one" and (first / "b").is_dir()
    with monkeypatch.context() as patch:
        for name in ("mkdir", "replace", "rename", "unlink", "rmdir", "utime"):
            patch.setattr(os, name, interrupt)
        assert store.unpack("photos") == first
    assert list((cache / "unpacked").iterdir()) == [first]
    offer(("1.txt", "another"))
    second = store.unpack("photos")
    assert first != second and (second / "1.txt").read_text() == "another"


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_another_process_that_unpacks_first_wins(offer, cache, monkeypatch, kind):
    offer("1.txt")
    original = Path.replace

    def late(part, folder):
        if kind == "folder":
            folder.mkdir()
        (folder / "1.txt" if kind == "folder" else folder).touch()
        return original(part, folder)

    monkeypatch.setattr(Path, "replace", late)
    if kind == "folder":
        assert store.unpack("photos").parent == cache / "unpacked"
    else:
        with pytest.raises(store.StorageError, match="cannot be written"):
            store.unpack("photos")
    assert not [*cache.rglob("*.part")]


@pytest.mark.parametrize("what", ["damaged", "interrupted"])
def test_what_ends_an_unpacking_leaves_nothing_behind(offer, cache, monkeypatch, what):
    path = offer(("0", "0"), ("1.txt", os.urandom(1000)))
    whole = path.read_bytes()
    at = whole.index(b"1.txt") + 500
    with monkeypatch.context() as patch:
        if what == "damaged":
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        else:
            patch.setattr(Path, "replace", interrupt)
        with pytest.raises((store.CorruptFile, KeyboardInterrupt), match="does not unpack|^$"):
            store.unpack("photos")
    assert list((cache / "unpacked").iterdir()) == []
    path.write_bytes(whole)
    assert store.unpack("photos").is_dir()


def test_unpack_says_when_the_disk_is_full(offer, monkeypatch):
    offer(("1.txt", "x" * 3_000_000))
    monkeypatch.setattr(places, "free_bytes", lambda _: 1_000_000)
    with pytest.raises(store.StorageError, match=r"1\.0 MB are free .*; 3\.0 MB are needed"):
        store.unpack("photos")


def test_unpack_without_a_writable_cache_uses_a_temporary_folder(cache, tmp_path):
    make_zip(cache / "published" / "rsscn7.zip", ("a/1.txt", "one"))
    # In a process of its own, as the folder goes when Python ends.
    code = """
import errno, os, sys
from tl_course import store
real = os.mkdir
def mkdir(path, *rest, **options):
    if str(path).startswith(sys.argv[1]):
        raise OSError(errno.EROFS, "Read-only file system")
    return real(path, *rest, **options)
os.mkdir = mkdir
folder = store.unpack("satellite")
assert (folder / "a" / "1.txt").read_text() == "one"
assert store.unpack("satellite") == folder
print(folder)
"""
    left = places.fresh_part(tmp_path)  # by a process that was killed
    left = left.with_name(left.name.replace(str(os.getpid()), "9999999"))
    left.mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path), "TEMP": str(tmp_path)}
    folder = Path(run(code, cache, env=environment).strip())
    assert folder.is_relative_to(tmp_path) and not folder.is_relative_to(cache)
    assert not folder.exists() and not (cache / "unpacked").exists() and not left.exists()


# Embedded files


def test_everything_that_ships_is_as_the_manifest_says():
    assert store.manifest()
    for name, entry in store.manifest().items():
        assert store.embedded(name).stat().st_size == entry["bytes"]
        assert entry["recipe"] and entry["licence"] and entry["source"]


def test_embedded_weights_round_trip(package):
    tensors = {"w": torch.linspace(-1, 1, 12).reshape(3, 4), "steps": torch.tensor(7)}
    path = store.write_embedded("net", tensors, **ABOUT, metadata={"accuracy": "0.51"})
    assert path == package / "net.safetensors" == store.embedded("net")
    loaded = store.load_weights(path)
    assert loaded["w"].dtype == torch.float32
    assert torch.equal(loaded["w"], tensors["w"].half().float())
    assert loaded["steps"].dtype == torch.int64 and loaded["steps"] == 7
    assert store.read_metadata(path) == {**ABOUT, "accuracy": "0.51"}
    assert store.manifest()["net"] == {
        **ABOUT,
        "file": "net.safetensors",
        "sha256": store.sha256(path),
        "bytes": path.stat().st_size,
        "torch": torch.__version__.partition("+")[0],
    }


def test_writing_again_gives_the_same_bytes_and_keeps_other_entries(tmp_path):
    tensors = {"b": torch.ones(3), "a": torch.zeros(2, 3).T, "n": torch.arange(5)}
    metadata = {f"key{i}": str(i) for i in range(20)}
    (tmp_path / "results.csv").write_text("seed,accuracy\n0,0.5\n")
    store.add_to_manifest(tmp_path / "results.csv", "results", **ABOUT)
    seen = set()
    for _ in range(3):
        path = store.write_embedded("net", tensors, **ABOUT, metadata=metadata, folder=tmp_path)
        seen.add((path.read_bytes(), (tmp_path / "manifest.json").read_bytes()))
    assert len(seen) == 1
    text = (tmp_path / "manifest.json").read_text()
    assert list(json.loads(text)) == ["net", "results"] and text.endswith("}\n")
    assert listed(tmp_path) == ["manifest.json", "net.safetensors", "results.csv"]


WRITER = """
import pathlib, sys, time
from tl_course import store
path = pathlib.Path(sys.argv[1], "x.csv")
path.write_text("x")
for i in range(5):
    store.add_to_manifest(path, f"{sys.argv[2]}{i}", recipe="r", source="s", licence="l")
"""


def test_processes_that_write_at_once_keep_each_others_entries(tmp_path):
    commands = ([sys.executable, "-c", WRITER, str(tmp_path), letter] for letter in "abc")
    running = [*map(subprocess.Popen, commands)]
    assert [process.wait(120) for process in running] == [0, 0, 0]
    assert len(json.loads((tmp_path / "manifest.json").read_text())) == 15


def test_a_lock_that_is_held_and_one_that_was_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "PATIENCE", 0.1)
    path, lock = tmp_path / "x.csv", FileLock(tmp_path / ".manifest.json.lock")
    path.touch()
    with lock, pytest.raises(store.StorageError, match="cannot be locked .*nothing else writes"):
        store.add_to_manifest(path, "x", **ABOUT)
    Path(lock.lock_file).touch()
    store.add_to_manifest(path, "x", **ABOUT)


def test_embedded_file_in_a_subfolder(package):
    path = package / "results" / "lesson.csv"
    path.parent.mkdir(parents=True)
    path.write_text("1\n")
    store.add_to_manifest(path, "lesson", **ABOUT)
    assert store.manifest()["lesson"]["file"] == "results/lesson.csv"
    assert store.embedded("lesson") == path


def test_a_flipped_bit_is_found(package):
    path = store.write_embedded("net", {"w": torch.ones(100)}, **ABOUT)
    good = store.sha256(path)
    store.embedded("net")
    content = bytearray(path.read_bytes())
    content[-7] ^= 0b100
    path.write_bytes(content)
    os.utime(path, ns=(1, 1))
    with pytest.raises(store.CorruptFile) as caught:
        store.embedded("net")
    for part in ("net (", good[:12], store.sha256(path)[:12], shipped.REINSTALL, ABOUT["recipe"]):
        assert part in str(caught.value)


def test_missing_and_unknown_embedded_files(package):
    with pytest.raises(store.UnknownName, match="No embedded file is known here"):
        store.embedded("net")
    path = store.write_embedded("net", {"w": torch.ones(3)}, **ABOUT)
    with pytest.raises(store.UnknownName, match="did you mean 'net'"):
        store.embedded("nett")
    path.unlink()
    with pytest.raises(store.NotAvailable, match="the embedded file is missing. Reinstall"):
        store.embedded("net")
    for text, why in (("{", "it is not JSON"), ("[]", "not a table of entries")):
        (package / "manifest.json").write_text(text)
        with pytest.raises(store.CorruptFile, match=why):
            store.manifest()


def test_weights_that_float16_cannot_hold_are_refused(package):
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


@pytest.mark.parametrize("form", [*range(pickle.HIGHEST_PROTOCOL + 1), "zipped", "not zipped"])
def test_a_pickle_is_refused_unread(tmp_path, form):
    path, bad = tmp_path / "net.safetensors", Malicious(tmp_path / "owned")
    if isinstance(form, int):
        path.write_bytes(pickle.dumps(bad, protocol=form))
    else:
        torch.save(bad, path, _use_new_zipfile_serialization=form == "zipped")
    why = "proper safetensors" if form in (0, 1) else "is refused: reading one runs whatever"
    for read in (store.load_weights, store.read_metadata):
        with pytest.raises(store.CorruptFile, match=why):
            read(path)
    assert not (tmp_path / "owned").exists()


def test_damaged_weights_are_refused(tmp_path):
    good = store.write_embedded("net", {"w": torch.ones(100)}, **ABOUT, folder=tmp_path)
    content = good.read_bytes()
    bad = tmp_path / "bad.safetensors"
    cases = {
        content[:-50]: "it is truncated",
        content[:40]: "it is truncated",
        content + b"x": "or has more than it says",
        content[:5]: "no proper safetensors file",
        b"": "it is empty",
        b"<html><title>Sign in</title>": "an HTML page, not data .*“Sign in”",
        content[:8] + b"[" * 100 + content[108:]: "no proper safetensors file",
        (2).to_bytes(8, "little") + b"[]": "no proper safetensors file",
        content.replace(b"F16", b"F77"): "no proper safetensors file",
    }
    for read in (store.load_weights, store.read_metadata):
        for damaged, why in cases.items():
            bad.write_bytes(damaged)
            with pytest.raises(store.CorruptFile, match=why):
                read(bad)
        with pytest.raises(store.NotAvailable, match="no such file"):
            read(tmp_path / "missing.safetensors")
        with pytest.raises(store.StorageError, match="cannot be read"):
            read(tmp_path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_weights_come_as_float32_and_finite(tmp_path, dtype):
    path, one = tmp_path / "net.safetensors", torch.ones(2, dtype=getattr(torch, dtype))
    save_file({"w": one, "m": torch.tensor([True])}, path)
    loaded = store.load_weights(path)
    assert loaded["w"].dtype == torch.float32 and loaded["m"].dtype == torch.bool
    assert store.read_metadata(path) == {}
    for value in (float("nan"), float("inf"), -float("inf")):
        save_file({"good": one, "layer1.weight": one * value}, path)
        with pytest.raises(store.CorruptFile, match="tensor 'layer1.weight' holds values that"):
            store.load_weights(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_official_weights_are_plain_tensors(tmp_path, zipped):
    path, one = tmp_path / "net.pth", torch.ones(2, dtype=torch.float16)

    def written(content: object) -> bytes:
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        return path.read_bytes()

    whole = written({"w": one})
    assert store.load_official(path)["w"].dtype == torch.float32
    something = "it is damaged, or holds something other than plain tensors by name"
    for content, why in (
        (b"", "it is empty"),
        (b"<html><title>Sign in</title>", "it is an HTML page, not data .*“Sign in”"),
        (written(Malicious(tmp_path / "owned")), something),
        *((written(content), something) for content in (5, "w", [one], one, {"w": 1}, {"w": {}})),
        *((whole[:end], something) for end in (1, 2, 100, len(whole) // 2, len(whole) - 1)),
        (whole.replace(b"FloatStorage", b"FlxxtStorage").replace(b"HalfSt", b"HxlfSt"), something),
        (written({"good": one, "w": one * float("nan")}), "tensor 'w' holds values that are not"),
        (written({"w": one / 0}), "tensor 'w' holds values that are not finite"),
    ):
        path.write_bytes(content)
        with pytest.raises(store.CorruptFile, match=why) as caught:
            store.load_official(path)
        assert "weights_only" not in str(caught.value) and caught.value.__cause__ is None
    assert not (tmp_path / "owned").exists()
    for missing, kind in (
        (tmp_path / "none.pth", store.NotAvailable),
        (tmp_path, store.StorageError),
    ):
        with pytest.raises(kind):
            store.load_official(missing)


# Real files


def real(name):
    if not os.environ.get("TL_COURSE_DATA"):
        pytest.skip("TL_COURSE_DATA is not set")
    if store.locate(name) is None or not store.locate(name).is_relative_to(store.data_dir()):
        pytest.skip(f"{name} is not in the folder that TL_COURSE_DATA names")
    return name


@pytest.mark.parametrize("name", ["tiny_imagenet", "hymenoptera", "satellite", "pneumonia"])
def test_real_files_open_and_pass_the_checks(name):
    assert store.fetch(real(name)).parent == store.data_dir()
    with store.archive(name) as opened:
        assert opened.namelist()


def test_real_archive_unpacks(monkeypatch, tmp_path):
    name = real("satellite")
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    assert sum(1 for _ in store.unpack(name).rglob("*.jpg")) > 100
