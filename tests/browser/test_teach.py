"""Teach in a real JupyterLab, with a camera that plays a clip, and without one.

TL_COURSE_SHOTS=shots pytest -s -m browser tests/browser -k camera
"""

import json
import re

import numpy as np
import pytest
from PIL import Image

from tl_course.tasks import materials

SECONDS, RATE, SIDE = 4, 30, 480  # of each scene; Chromium plays 30 frames a second
FAKE = "--use-fake-device-for-media-stream"
ALLOWED = "--use-fake-ui-for-media-stream"
TINTS = {"weave": (190, 60, 40), "wood": (40, 70, 200)}
CELL = """from tl_course import models, practice
practice.Teach(models.load("{network}"), classes=("weave", "wood"), seconds=15)"""
RED = """() => {
    const video = document.querySelector(".tl-teach video");
    const canvas = document.createElement("canvas");
    canvas.width = canvas.height = 8;
    const context = canvas.getContext("2d");
    context.drawImage(video, 0, 0, 8, 8);
    const data = context.getImageData(0, 0, 8, 8).data;
    let red = 0;
    for (let i = 0; i < data.length; i += 4) red += data[i] - data[i + 2];
    return red / 64;
}"""


def scene(name: str, seed: int) -> Image.Image:
    """A drawn material in a tint, by which the test knows what the camera sees."""
    (picture,) = materials.pictures(np.array([materials.CLASSES.index(name)]), seed, 200)
    large = Image.fromarray(picture.transpose(1, 2, 0)).resize((SIDE + 120, SIDE + 120))
    return Image.blend(large, Image.new("RGB", large.size, TINTS[name]), 0.4)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """One scene after the other; a hand that holds it shakes a little."""
    path, rng = tmp_path_factory.mktemp("clip") / "clip.mjpeg", np.random.default_rng(0)
    with path.open("wb") as file:
        for name in TINTS:
            large = scene(name, 3)
            for _ in range(SECONDS * RATE):
                x, y = rng.integers(0, 120, 2)
                large.crop((x, y, x + SIDE, y + SIDE)).save(file, "JPEG", quality=80)
    return path


@pytest.fixture
def flags(request, clip):
    return [*request.param, f"--use-file-for-fake-video-capture={clip}"]


@pytest.fixture
def teach(run, lab):
    """A function that opens a notebook with the page in it."""

    def opened(network: str):
        code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
        cells = [{**code, "id": "cell-0", "source": CELL.format(network=network)}]
        kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
        content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
        (lab[1] / "teach.ipynb").write_text(json.dumps(content))
        lesson = run("teach")
        lesson.page.set_viewport_size({"width": 1200, "height": 1000})
        lesson.page.locator(".tl-teach").wait_for()
        return lesson

    return opened


def drawn(folder, name: str, seeds) -> list:
    paths = [folder / f"{name}{seed}.jpg" for seed in seeds]
    for path, seed in zip(paths, seeds, strict=True):
        scene(name, seed).save(path)
    return paths


def upload(page, place: int, paths: list, odd: str = "") -> None:
    """Choose files, and one that is no picture, or too large for one message."""
    if odd:
        path = paths[0].parent / odd
        noise = Image.effect_noise((2600, 2600), 90).convert("RGB")
        noise.save(path, quality=97) if odd == "large.jpg" else path.write_text("no picture")
        paths = [*paths, path]
    page.locator(".tl-card input[type=file]").nth(place).set_input_files(paths)


def says(page, text) -> None:
    page.locator(".tl-status", has_text=text).wait_for()


def sees(page, name: str) -> None:
    """Wait until the camera has just begun to show a scene."""
    warm = name == "weave"
    for wanted in (not warm, warm):
        page.wait_for_function(f"({RED})() {'>' if wanted else '<'} 0")


def best(page, network: str) -> str:
    head = page.locator(".tl-head", has_text=network)
    return head.locator("strong").inner_text()


def counted(page, place: int) -> int:
    return int(page.locator(".tl-count").nth(place).inner_text().split()[0])


def named(page, name: str):
    return page.get_by_role("button", name=name, exact=True)


@pytest.mark.parametrize("flags", [[FAKE, ALLOWED]], indirect=True)
def test_camera_teaches_two_things_and_tells_them_apart(teach):
    lesson = teach("lite0")
    page = lesson.page
    lesson.shot("teach_empty")
    named(page, "Hold to collect pictures of weave").click()
    says(page, "Start the camera first")
    named(page, "Start camera").click()
    says(page, "Hold something up")
    for name in TINTS:
        collect = named(page, f"Hold to collect pictures of {name}")
        collect.scroll_into_view_if_needed()
        sees(page, name)
        if name == "weave":  # with the mouse, then with the keyboard
            collect.hover()
            page.mouse.down()
            page.wait_for_timeout(1000 * SECONDS * 0.6)
            lesson.shot("teach_collecting")
            page.mouse.up()
        else:
            collect.focus()
            page.keyboard.down("Space")
            page.wait_for_timeout(1000 * SECONDS * 0.6)
            page.keyboard.up("Space")
    for name in TINTS:
        sees(page, name)
        page.wait_for_timeout(1000)
        assert best(page, "pretrained") == name
        lesson.shot(f"teach_{name}")
    counts = [counted(page, place) for place in range(2)]
    print("collected in", SECONDS * 0.6, "s:", counts)
    assert min(counts) >= 5

    page.evaluate(
        "window.changes = 0; new MutationObserver(() => window.changes++)"
        ".observe(document.querySelector('.tl-bars'), {childList: true})"
    )
    page.wait_for_timeout(3000)
    print("answers a second:", page.evaluate("window.changes") / 3)
    assert counts == [counted(page, place) for place in range(2)], "answers add nothing"

    named(page, "Train the same network from scratch on the same pictures").click()
    says(page, re.compile(r"From scratch: \d+ of at most 15 seconds"))
    says(page, re.compile(r"held back: pretrained (\d+) of \1, from scratch \d+ of \d+"))
    sees(page, "weave")
    page.wait_for_timeout(1500)
    assert best(page, "from scratch") in TINTS
    lesson.shot("teach_scratch")
    page.set_viewport_size({"width": 700, "height": 1300})
    page.wait_for_timeout(500)
    lesson.shot("teach_narrow")
    named(page, "Stop camera").click()
    assert page.evaluate("document.querySelector('.tl-teach video').srcObject === null")


@pytest.mark.parametrize("flags", [[FAKE]], indirect=True)
def test_without_camera_uploads_and_drawings_work(teach, lab, tmp_path):
    lesson = teach("resnet10")
    page = lesson.page
    named(page, "Start camera").click()
    says(page, "not allowed to use the camera")
    lesson.shot("teach_refused")
    for error, said in (("NotFoundError", "no camera"), ("NotReadableError", "Another program")):
        page.evaluate(
            "name => navigator.mediaDevices.getUserMedia = async () =>"
            " { throw new DOMException('', name); }",
            error,
        )
        named(page, "Start camera").click()
        says(page, said)
    page.evaluate("Object.defineProperty(navigator, 'mediaDevices', {value: undefined})")
    named(page, "Start camera").click()
    says(page, "https or localhost")

    upload(page, 0, drawn(tmp_path, "weave", range(5)), "notes.jpg")
    says(page, "Pictures added: 5. Left out: 1. 1 × it cannot be read")
    upload(page, 1, drawn(tmp_path, "wood", range(5)), "large.jpg")
    says(page, "Pictures added: 6.")
    upload(page, 1, drawn(tmp_path, "wood", range(4, 6)))
    says(page, "Pictures added: 1. Left out: 1. 1 × the same picture is there already")
    (new,) = drawn(tmp_path, "weave", [9])
    page.locator(".tl-side input[type=file]").set_input_files(new)
    says(page, re.compile("Your picture: pretrained says weave"))
    assert best(page, "pretrained") == "weave"

    name = page.get_by_label("Name of class 1")
    for text, said in (("wood", "another class has this name"), ("<b>../fur</b>", "")):
        name.fill(text)
        name.press("Enter")
        says(page, said)
    page.wait_for_function("document.querySelector('.tl-name').innerText == '<b>../fur</b>'")
    page.get_by_label("Folder to keep pictures in").fill(str(tmp_path / "mine"))
    named(page, "Keep").click()
    says(page, "12 pictures, 12 of them new")
    kept = {each.name: len([*each.iterdir()]) for each in (tmp_path / "mine").iterdir()}
    assert kept == {"b_fur_b": 5, "wood": 7}
    lesson.shot("teach_uploads")

    for place in ("<b>../fur</b>", "wood"):
        named(page, f"Clear {place}").click()
        says(page, f"{place} is empty again")
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    for item in ("Theme", "JupyterLab Dark"):
        page.locator(".lm-Menu-item", has_text=item).first.click()
    named(page, "Use drawn things").click()
    says(page, "15 drawn pictures of weave")
    named(page, "Show a new one").click()
    says(page, "A new picture of weave: pretrained says")
    lesson.shot("teach_drawn")
    named(page, "Train the same network from scratch on the same pictures").click()
    says(page, re.compile(r"held back: pretrained"))
    named(page, "Show a new one").click()
    says(page, re.compile("A new picture of wood: .*from scratch says"))
    lesson.shot("teach_drawn_scratch")
