"""The widget of lesson 05 in a real JupyterLab: `pytest tests/browser`."""

from pages import STOPWATCH, seconds_until, shot


def test_label_exchange(run):
    page = run("05_labels")
    box = page.locator(".widget-vbox", has_text="accuracy wanted").last
    slider = box.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    seconds_until(page, "leaves, 50% wanted. Labels needed")
    shot(page, "exchange_leaves")
    slider.focus()
    sentence = page.locator(".widget-html-content", has_text="Labels needed").first
    sentence.evaluate(STOPWATCH)
    for step in range(51, 71):
        page.keyboard.press("ArrowRight")
        seconds_until(page, f"leaves, {step}% wanted")
    taken = sorted(page.evaluate("window.taken"))
    print(f"key to sentence, median of {len(taken)}: {taken[len(taken) // 2]:.0f} ms")
    assert len(taken) >= 15 and taken[len(taken) // 2] < 300
    box.locator("select").select_option("chest X-rays")
    assert seconds_until(page, "chest X-rays, 70% wanted") < 1
    page.wait_for_timeout(500)
    shot(page, "exchange_xrays")
