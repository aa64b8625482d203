"""The board of lesson 08 in a real JupyterLab: `pytest tests/browser`."""

from pages import seconds_until, shot


def test_suspects_board(run):
    page = run("08_negative_transfer")
    box = page.locator(".widget-vbox", has_text="frozen (head alone learns)").last
    source, target = box.locator("select").nth(0), box.locator("select").nth(1)
    source.scroll_into_view_if_needed()
    seconds_until(page, "photographs → satellite scenes, 50 labels, fine-tuned")
    shot(page, "suspects_satellite")
    box.locator("select").nth(2).select_option("many")
    assert seconds_until(page, "satellite scenes, 500 labels, fine-tuned") < 2
    box.get_by_role("checkbox").check()
    assert seconds_until(page, "Minus a frozen random backbone") < 2
    shot(page, "suspects_frozen")
    source.select_option("reversed Spanish")
    assert seconds_until(page, "was not tried on satellite scenes") < 2
    offered = [text.replace("\xa0", " ") for text in target.locator("option").all_inner_texts()]
    assert "satellite scenes (not tried)" in offered and "Italian" in offered
    shot(page, "suspects_no_run")
    target.select_option("Italian")
    box.get_by_role("checkbox").uncheck()
    seconds_until(page, "reversed Spanish → Italian, 300 labels, fine-tuned")
    page.wait_for_timeout(500)
    shot(page, "suspects_reversed")
