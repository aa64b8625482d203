"""A JupyterLab with a copy of the course, a Chromium to look at it, and a way to run a lesson."""

import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
MISSING = [
    name
    for name, found in (
        ("playwright", importlib.util.find_spec("playwright")),
        ("Chromium", CHROMIUM),
    )
    if not found
]
WAITING = "[...document.querySelectorAll('.jp-InputPrompt')].filter(e => e.innerText.includes('*'))"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.localhost)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {', '.join(MISSING)}"))


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
        "--ServerApp.disable_check_xsrf=True",  # the test shuts kernels down
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
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def run(browser, lab):
    """A function that opens a lesson, runs all its cells, and returns the page."""
    pages = []

    def opened(lesson: str):
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        pages.append(page)
        page.goto(f"{lab[0]}/lab/tree/{lesson}.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=120_000)
        wait_for_kernel(lab[0], lesson)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(f"{WAITING}.length", timeout=60_000)
        # a kernel answers widgets after the cells that wait before them
        page.wait_for_function(f"!{WAITING}.length", timeout=400_000)
        return page

    yield opened
    for page in pages:
        page.close()
    shut_down(lab[0])  # two lessons at once would share two cores


def sessions(address: str) -> list[dict]:
    with urllib.request.urlopen(f"{address}/api/sessions", timeout=5) as answer:
        return json.load(answer)


def shut_down(address: str) -> None:
    for session in sessions(address):
        gone = urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE")
        urllib.request.urlopen(gone, timeout=30).close()


def wait_for_kernel(address: str, lesson: str) -> None:
    """JupyterLab loses what it is asked to run before the kernel is connected."""
    for _ in range(240):
        kernels = [s["kernel"] for s in sessions(address) if s["path"] == f"{lesson}.ipynb"]
        if any(k["connections"] and k["execution_state"] == "idle" for k in kernels):
            return
        time.sleep(0.5)
    raise AssertionError(f"no kernel is ready: {kernels}")
