"""Whatever is typed after ``tl-course``: an answer, or one line that says what is wrong."""

import contextlib
import functools
import io
import itertools

import numpy as np
import psutil
import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from tl_course import cli, lab, lessons, models, store

pytestmark = pytest.mark.slow
VERBS = ("lab", "doctor", "prefetch", "models", "predict", "claims")
FILES = ("picture.png", "broken.png", "empty.jpg", "leaves.safetensors", "broken.safetensors")
PLACES = ("", ".", "..", "folder", "none/x", "/dev/null", "~", "~nobody-here/x", "x" * 300, "a\0b")
OPTIONS = (
    *("--json", "--best", "--best=0", "--best=2", "--best=²", "--list", "--dir", "--copy-only"),
    *("--help", "-h", "--", "-", "--no-such", "1", "-1", "9" * 5000, "--dir=", "--dir=new"),
)
NAMES = ("satellite", "resnet18", "resnet10", "minilm", "satelite", "vgg16")
# a terminal gives bytes that are no text as surrogates
TEXTS = st.text(st.characters(), max_size=20) | st.text(
    st.characters(categories=["Cs"]), max_size=3
)
WORDS = st.one_of(map(st.sampled_from, (VERBS, FILES, PLACES, OPTIONS, NAMES))) | TEXTS
PREDICT = st.tuples(st.just("predict"), st.sampled_from(FILES[3:]), st.sampled_from(FILES + PLACES))
LISTS = st.lists(WORDS, max_size=3)
ARGUMENTS = st.one_of(
    LISTS,
    st.tuples(st.sampled_from(VERBS), LISTS).map(lambda found: [found[0], *found[1]]),
    st.tuples(PREDICT, LISTS).map(lambda found: [*found[0], *found[1]]),
)


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    """A working folder with files of all kinds; nothing waits, asks a network or opens a page."""
    folder = tmp_path_factory.mktemp("room")
    noise = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "picture.png")
    (folder / "broken.png").write_bytes((folder / "picture.png").read_bytes()[:900])
    (folder / "empty.jpg").touch()
    (folder / "folder").mkdir()
    model = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    path = models.save(model, folder / "leaves")
    (folder / "broken.safetensors").write_bytes(path.read_bytes()[:-9])
    (folder / "shipped").mkdir()
    (folder / "shipped" / lab.FIRST).write_text("{}")

    def unreachable(*_, **__):
        raise requests.ConnectionError

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("HOME", str(folder))
        patch.setenv("TL_COURSE_CACHE", str(folder / "cache"))
        patch.delenv("TL_COURSE_DATA", raising=False)
        patch.setattr(requests, "get", unreachable)
        patch.setattr(store, "within", unreachable)
        patch.setattr(psutil, "cpu_percent", lambda interval: 0.0)
        patch.setattr(lessons, "table", functools.cache(lessons.table))
        patch.setattr(lab, "shipped", lambda: folder / "shipped")
        patch.setattr(lab, "open_lab", lambda *_: 0)
        yield folder


def typed(arguments: list[str]) -> tuple[int, str]:
    """The exit status, and what is said of errors, as a terminal shows it."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = cli.main(arguments)
        except SystemExit as end:  # as argparse ends
            status = end.code
    err.flush()
    return status, err.buffer.getvalue().decode()


@settings(
    max_examples=2000,
    deadline=None,
    derandomize=True,
    suppress_health_check=[*HealthCheck],
)
@given(ARGUMENTS)
def test_any_line_of_arguments(room, arguments):
    status, told = typed(arguments)
    assert status in (0, 1, 2) and "Traceback" not in told
    verb = next((word for word in arguments if word in VERBS), "")
    assert told or not status or verb == "doctor"
    if status == 1 and verb in ("lab", "models", "claims"):  # others go on with the next
        assert told.startswith("tl-course: ") and told.count("\n") == 1
    if status == 2:
        assert "tl-course" in told.splitlines()[0] and "error: " in told


def test_every_verb_is_among_them(room):
    for verb, option in itertools.product(VERBS, ("--help", "--no-such")):
        status, told = typed([verb, option])
        assert status == (0 if option == "--help" or verb == "lab" else 2)
        assert bool(told) == bool(status)
