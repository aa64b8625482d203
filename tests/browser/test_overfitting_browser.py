"""The laboratory and the quiz of lesson 06 in a real JupyterLab. On demand, as its neighbours:

pytest tests/browser/test_overfitting_browser.py
"""

import re
import time

from pages import seconds_until, shot

LONGEST = 25  # seconds a run may take where something else uses the cores too; alone it is 10


def wait_until_trained(page, box) -> float:
    began = time.perf_counter()
    box.locator(".widget-html-content", has_text=re.compile(r"training \d+%, validation")).wait_for(
        timeout=60_000
    )
    return time.perf_counter() - began


def test_lab_and_quiz(run):
    page = run("06_overfitting")
    box = page.locator(".widget-vbox", has_text="weight decay").last
    train, stop, opened = (
        box.get_by_role("button", name=name) for name in ("Train", "Stop", "Open the test set")
    )
    train.scroll_into_view_if_needed()
    assert opened.is_disabled() and stop.is_disabled()
    box.get_by_role("checkbox").check()
    seconds_until(page, "The controls have moved since")
    train.click()
    seconds_until(page, "Epoch ")
    shot(page, "overfitting_live")
    assert train.is_disabled()
    stop.click()
    assert seconds_until(page, "You stopped it") < 5
    assert opened.is_disabled()

    box.locator("select").first.select_option("all but the head")
    seconds_until(page, "The controls have moved since")
    train.click()
    assert wait_until_trained(page, box) < LONGEST
    opened.click()
    seconds_until(page, "opened once")
    assert opened.is_disabled()
    shot(page, "overfitting_test")

    quiz = page.locator(".widget-vbox", has_text="Right so far").last
    quiz.scroll_into_view_if_needed()
    quiz.get_by_role("button", name="D", exact=True).click()
    quiz.locator("select").select_option("a good fit")
    quiz.get_by_role("button", name="Answer").click()
    seconds_until(page, "Not yet: with a good fit")
    quiz.locator("select").select_option("overfitting")
    quiz.get_by_role("button", name="Answer").click()
    seconds_until(page, "Right so far: D of 6.")
    shot(page, "overfitting_quiz")
