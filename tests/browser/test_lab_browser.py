"""Lesson 00's widgets in a real JupyterLab, driven in Chromium. On demand:

pytest tests/browser            # needs playwright and /usr/bin/chromium; screenshots on request:
TL_COURSE_SHOTS=shots pytest tests/browser
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.localhost,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = tmp_path_factory.mktemp("settings")
    # render cells that are out of view too, and ask nothing
    for name, values in (
        ("notebook", {"windowingMode": "none"}),
        ("apputils", {"fetchNews": "false"}),
    ):
        plugin = {"notebook": "tracker", "apputils": "notification"}[name]
        path = settings / "@jupyterlab" / f"{name}-extension" / f"{plugin}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    options = [
        f"--LabApp.user_settings_dir={settings}",
        "--no-browser",
        "--ServerApp.token=",
        f"--port={port}",
        "--allow-root",
    ]
    copy = [sys.executable, "-m", "tl_course.cli", "lab", "--copy-only", "--dir", str(folder)]
    subprocess.run(copy, check=True)
    command = [sys.executable, "-m", "jupyterlab", *options]
    server = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{address}/api", timeout=2).close()
                break
            except OSError:
                time.sleep(0.5)
        yield address, folder
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture(scope="module")
def page(lab):
    address, _ = lab
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        page.goto(f"{address}/lab/tree/00_start_here.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        yield page
        browser.close()


def shot(page, name: str) -> None:
    if folder := os.environ.get("TL_COURSE_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def wait_for_kernel(address: str) -> None:
    """JupyterLab loses what it is asked to run before the kernel is connected."""
    for _ in range(240):
        with urllib.request.urlopen(f"{address}/api/kernels", timeout=5) as answer:
            kernels = json.load(answer)
        if any(k["connections"] and k["execution_state"] == "idle" for k in kernels):
            return
        time.sleep(0.5)
    raise AssertionError(f"no kernel is ready: {kernels}")


def test_the_lesson_runs_and_its_widgets_answer(page, lab):
    wait_for_kernel(lab[0])
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    slider = page.locator(".widget-slider [role=slider]").first
    slider.wait_for(timeout=400_000)
    # a kernel answers widgets after the cells that wait before them
    page.wait_for_function(
        "![...document.querySelectorAll('.jp-InputPrompt')].some(e => e.innerText.includes('*'))",
        timeout=400_000,
    )

    page.locator(".widget-radio-box label").nth(3).click()
    page.get_by_role("button", name="Commit").click()
    page.wait_for_selector("text=Kept:")
    shot(page, "prediction")

    sentence = page.locator(".widget-html-content", has_text="shows")
    slider.scroll_into_view_if_needed()
    assert re.match(r"Picture 0 shows", sentence.first.inner_text())
    slider.focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    began = time.perf_counter()
    page.wait_for_selector("text=Picture 3 shows", timeout=10_000)
    assert time.perf_counter() - began < 2
    page.wait_for_timeout(500)
    shot(page, "two_opinions")

    page.locator(".widget-dropdown select").select_option("where they disagree")
    page.wait_for_timeout(1000)
    said = re.findall(r"says (\w+)", sentence.first.inner_text())
    assert len(set(said)) == 2
    shot(page, "disagreement")
    assert (lab[1] / "my_predictions.json").is_file()
