"""A JupyterLab with a copy of the course, a Chromium to look at it, and a way to run a lesson."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import psutil
import pytest

CHROMIUM = next((p for p in map(shutil.which, ("chromium", "chromium-browser")) if p), None)
NEEDED = {"playwright": importlib.util.find_spec("playwright"), "Chromium": CHROMIUM}
MISSING = ", ".join(name for name, found in NEEDED.items() if not found)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
WAITING = "[...document.querySelectorAll('.jp-InputPrompt')].filter(e => e.innerText.includes('*'))"
# milliseconds from a key to the change of an element, as the page itself sees them
STOPWATCH = """element => {
    window.taken = [];
    document.addEventListener("keydown", () => { window.began = performance.now(); }, true);
    const changed = () => window.taken.push(performance.now() - window.began);
    new MutationObserver(changed).observe(element, {childList: true, subtree: true});
}"""
SETTINGS = {"notebook-extension/tracker": {"windowingMode": "none"}}  # render what is out of view
PATIENCE = 180  # seconds for an answer on a machine that does other things as well
QUICK = "test_suspects_board"  # of a lesson that trains nothing
LONGEST = 1800  # seconds for all cells of a lesson there


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.localhost)
            if item.name != QUICK:  # each runs a whole lesson
                item.add_marker(pytest.mark.slow)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"not installed: {MISSING}"))


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """The address of a JupyterLab, and the folder with the lessons that it shows."""
    folder, settings = (tmp_path_factory.mktemp(name) for name in ("course", "settings"))
    for name, values in SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps(values))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = [
        f"--LabApp.user_settings_dir={settings}",
        "--no-browser",
        "--ServerApp.token=",
        "--ServerApp.disable_check_xsrf=True",  # the test shuts kernels down
        f"--port={port}",
        "--allow-root",
    ]
    command = [sys.executable, "-m", "tl_course.cli", "lab", "--dir", str(folder), *options]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: answers(address), "JupyterLab")
        yield address, folder
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def flags() -> list[str]:
    """What a test starts Chromium with, beside the usual."""
    return []


@pytest.fixture
def browser(flags):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS + flags)
        yield browser
        browser.close()


@pytest.fixture
def run(browser, lab):
    """A function that opens a lesson, runs all its cells, and returns its page."""
    pages = []

    def opened(lesson: str) -> Lesson:
        page = browser.new_page(viewport={"width": 1200, "height": 1500})
        page.set_default_timeout(1000 * PATIENCE)
        pages.append(page)
        page.goto(f"{lab[0]}/lab/tree/{lesson}.ipynb?reset")
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        # JupyterLab loses what it is asked to run before the kernel is connected
        until(lambda: ready(lab[0], lesson), "the kernel")
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        page.wait_for_function(f"{WAITING}.length")
        # a kernel answers widgets after the cells that wait before them
        page.wait_for_function(f"!{WAITING}.length", timeout=1000 * LONGEST)
        return Lesson(page)

    yield opened
    for page in pages:
        shown = ".jp-Notebook .jp-RenderedText[data-mime-type*=stderr]"
        errors = page.locator(shown, has_text="Error")
        found = [] if page.is_closed() else errors.all_inner_texts()
        page.close()
        for session in sessions(lab[0]):  # two lessons at once would share two cores
            gone = f"{lab[0]}/api/sessions/{session['id']}"
            urllib.request.urlopen(urllib.request.Request(gone, method="DELETE")).close()
        assert not found


class Lesson:
    """What a test does with an open page."""

    def __init__(self, page):
        self.page = page

    def box(self, text: str):
        """The experiment that shows this text, in view."""
        box = self.page.locator(".widget-vbox", has_text=text).last
        box.scroll_into_view_if_needed()
        return box

    def shows(self, text, within: float = PATIENCE) -> None:
        """Wait until a sentence shows ``text``, for so many seconds unless the machine is busy."""
        began = time.perf_counter()
        self.sentence(text).wait_for()
        taken = time.perf_counter() - began
        assert taken < within or busy(), f"{text!r} after {taken:.1f} s"

    def sentence(self, text):
        return self.page.locator(".widget-html-content", has_text=text).first

    def shot(self, name: str) -> None:
        """Keep a picture of the page in the folder that ``TL_COURSE_SHOTS`` names."""
        if folder := os.environ.get("TL_COURSE_SHOTS"):
            self.page.wait_for_timeout(700)  # pictures arrive a little after their sentence
            self.page.screenshot(path=Path(folder) / f"{name}.png")

    def press(self, slider, sentence: str, moves, limit: float = 300) -> None:
        """Move ``slider`` by one key for each of ``moves``, from the key to what is shown then.

        Prints the median time from key to sentence, which must be below ``limit`` milliseconds
        where nothing else uses the machine.
        """
        slider.focus()
        self.sentence(sentence).evaluate(STOPWATCH)
        for key, text in moves:
            self.page.keyboard.press(key)
            self.shows(text)
        taken = sorted(self.page.evaluate("window.taken"))
        median = taken[len(taken) // 2]
        print(f"key to sentence, median of {len(taken)}: {median:.0f} ms")
        assert len(taken) >= 5 / 6 * len(moves) and (median < limit or busy()), median


def busy() -> bool:
    """Whether something else uses the machine: the page and its kernel wait at this moment."""
    return psutil.cpu_percent(interval=2) > 25


def until(found, what: str) -> None:
    """Ask twice a second."""
    for _ in range(2 * PATIENCE):
        if found():
            return
        time.sleep(0.5)
    raise AssertionError(f"{what} is not ready")


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(f"{address}/api", timeout=2).close()
    except OSError:
        return False
    return True


def sessions(address: str) -> list[dict]:
    with urllib.request.urlopen(f"{address}/api/sessions", timeout=30) as answer:
        return json.load(answer)


def ready(address: str, lesson: str) -> bool:
    kernels = [s["kernel"] for s in sessions(address) if s["path"] == f"{lesson}.ipynb"]
    return any(k["connections"] and k["execution_state"] == "idle" for k in kernels)
