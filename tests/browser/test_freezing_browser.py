"""The freeze slider of lesson 04 in a real JupyterLab: by keyboard, by mouse, and live."""

import re

from pages import STOPWATCH, seconds_until, shot


def test_freeze_slider(run, lab):
    page = run("04_freezing")
    box = page.locator(".widget-vbox", has_text="frozen").last
    target, (labels, depth) = box.locator("select"), box.locator("[role=slider]").all()
    depth.scroll_into_view_if_needed()
    shot(page, "freezing")
    said = page.locator(".widget-html-content", has_text="Frozen: ").first
    said.evaluate(STOPWATCH)
    depth.focus()
    for key, name in (
        ("ArrowLeft", "to layer1"),
        ("ArrowLeft", "nothing"),
        ("ArrowRight", "to layer1"),
        ("ArrowRight", "to layer2"),
        ("ArrowRight", "to layer3"),
        ("ArrowRight", "all but the head"),
    ):
        page.keyboard.press(key)
        seconds_until(page, f"Frozen: {name}.")
    taken = sorted(page.evaluate("window.taken"))
    print(f"key to sentence, median of {len(taken)}: {taken[len(taken) // 2]:.0f} ms")
    assert taken[len(taken) // 2] < 600

    page.get_by_role("button", name=re.compile("Train this cell now")).click()
    taken = seconds_until(page, "Your run (diamond)")
    page.wait_for_timeout(500)
    shot(page, "freezing_live")
    assert taken < 15, taken

    target.select_option("materials (near photographs)")
    page.wait_for_timeout(1500)
    labels.focus()
    page.keyboard.press("End")
    button = box.get_by_role("button", name=re.compile("Cannot train"))
    button.wait_for(timeout=20_000)
    assert button.is_disabled()
    shot(page, "freezing_not_here")
    assert not page.locator(".jp-RenderedText[data-mime-type*=stderr]", has_text="Error").count()
