"""The widget of lesson 05 in a real JupyterLab: `pytest tests/browser`."""

from pages import check_speed, seconds_until, shot


def test_label_exchange(run):
    page = run("05_labels")
    box = page.locator(".widget-vbox", has_text="accuracy wanted").last
    slider = box.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    seconds_until(page, "leaves, 50% wanted. Labels needed")
    shot(page, "exchange_leaves")
    sentence = page.locator(".widget-html-content", has_text="Labels needed").first
    check_speed(page, slider, sentence, [f"leaves, {n}% wanted" for n in range(51, 71)])
    box.locator("select").select_option("chest X-rays")
    assert seconds_until(page, "chest X-rays, 70% wanted") < 1
    page.wait_for_timeout(500)
    shot(page, "exchange_xrays")
