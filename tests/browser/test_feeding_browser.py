"""The widgets of lesson 09 in a real JupyterLab: `pytest tests/browser`."""

import re

from pages import check_speed, seconds_until, shot


def test_broken_on_purpose_and_mystery(run):
    page = run("09_preprocessing")
    box = page.locator(".widget-vbox", has_text="model.eval() forgotten").last
    slider = box.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    seconds_until(page, "Nothing is wrong. Choose a fault")
    shot(page, "feeding_right")
    box.locator("select").first.select_option("BGR")
    assert seconds_until(page, "OpenCV reads blue first") < 3
    page.wait_for_timeout(500)
    shot(page, "feeding_bgr")
    sentence = box.locator(".widget-html-content", has_text="the file says").first
    check_speed(page, slider, sentence, [f"Leaf {n}: the file says" for n in range(1, 21)])
    box.locator("input[type=checkbox]").check()
    seconds_until(page, "call model.eval()")
    box.locator("select").last.select_option("labels off by one")
    seconds_until(page, "subtract one from the labels")
    page.wait_for_timeout(500)
    shot(page, "feeding_three")

    game = page.locator(".widget-vbox", has_text="Next case").last
    diagnose = game.get_by_role("button", name="Diagnose")
    diagnose.scroll_into_view_if_needed()
    diagnose.click()
    seconds_until(page, "Choose a diagnosis first.")
    game.locator("select").select_option("grey")
    diagnose.click()
    page.locator(
        ".widget-html-content", has_text=re.compile(r"Right at once: [01] of 1")
    ).wait_for()
    page.wait_for_timeout(500)
    shot(page, "mystery_answer")
    game.get_by_role("button", name="Next case").click()
    page.wait_for_timeout(1500)
    assert game.locator("select").input_value() == "choose …"
    shot(page, "mystery_next")
    assert not page.locator(".jp-RenderedText[data-mime-type*=stderr]", has_text="Error").count()
