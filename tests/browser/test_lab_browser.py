"""The lessons' widgets in a real JupyterLab, driven in Chromium. On demand:

pytest tests/browser            # needs playwright and /usr/bin/chromium; screenshots on request:
TL_COURSE_SHOTS=shots pytest tests/browser
"""

import re

from pages import check_speed, seconds_until, shot


def test_two_opinions(run, lab):
    page = run("00_start_here")
    slider = page.locator(".widget-slider [role=slider]").first
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
    assert seconds_until(page, "Picture 3 shows") < 2
    page.wait_for_timeout(500)
    shot(page, "two_opinions")

    page.locator(".widget-dropdown select").select_option("where they disagree")
    page.wait_for_timeout(1000)
    said = re.findall(r"says (\w+)", sentence.first.inner_text())
    assert len(set(said)) == 2
    shot(page, "disagreement")
    assert (lab[1] / "my_predictions.json").is_file()


def test_teach_it_italian(run, lab):
    page = run("01_analogy")
    places = page.locator(".widget-vbox", has_text="After 30 Italian numbers").locator("select")
    for place, name in enumerate(("Spanish", "French", "German", "Finnish", "nothing")):
        places.nth(place).select_option(name)
    page.get_by_role("button", name="Commit").click()
    page.wait_for_selector("text=Kept:")
    shot(page, "ranking")

    line = page.locator(".widget-text input[type=text]").last
    line.scroll_into_view_if_needed()
    line.fill("trecentoventuno")
    line.press("Enter")
    assert seconds_until(page, "is 321") < 2
    shot(page, "teach_spanish")
    for text, answer in (
        ("gatto", "is no number in Italian"),
        ("диван", "no reader has seen such letters"),
        ("", "there is nothing to read"),
        ("x" * 500, "the longest number here has"),
        ("dodicimila", "from 0 to 9,999"),
    ):
        line.fill(text)
        line.press("Enter")
        seconds_until(page, answer)

    line.fill("novecentosei")
    line.press("Enter")
    page.locator(".widget-dropdown select").last.select_option("Finnish")
    slider = page.locator(".widget-slider [role=slider]").last
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Teach it Italian").click()
    taken = seconds_until(page, "(pretrained: Finnish)")
    shot(page, "teach_finnish")
    assert taken < 2, taken
    assert not page.locator(".jp-RenderedText[data-mime-type*=stderr]", has_text="Error").count()


def test_forgetting(run, lab):
    page = run("07_forgetting")
    slider = page.locator(".widget-slider [role=slider]").last
    slider.scroll_into_view_if_needed()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert seconds_until(page, "Learning rate 0.01") < 1
    shot(page, "forgetting_rate")
    page.locator(".widget-dropdown select").last.select_option("letters and memory")
    assert seconds_until(page, "frozen: letters and memory") < 1
    page.get_by_role("button", name="Train it now").click()
    taken = seconds_until(page, "Your run (diamonds)")
    page.wait_for_timeout(500)
    shot(page, "forgetting_live")
    assert taken < 2, taken


def test_layer_explorer(run, lab, tmp_path):
    page = run("02_layers")
    box = page.locator(".widget-vbox", has_text="Loudest channel").last
    slider = box.locator("[role=slider]")
    slider.scroll_into_view_if_needed()
    stage, picture = box.locator("select").nth(1), box.locator("select").nth(0)
    stage.select_option("layer2")
    seconds_until(page, "of 64. The network gets")
    number = box.locator("input[type=number]")
    number.fill("10")
    number.press("Enter")
    seconds_until(page, "layer2, channel 10 of 64")
    sentence = page.locator(".widget-html-content", has_text="The network gets").first
    check_speed(page, slider, sentence, [f"layer2, channel {n} of 64" for n in range(11, 41)])
    page.wait_for_timeout(500)
    shot(page, "explorer_layer2")

    picture.select_option("portrait")
    seconds_until(page, "On “portrait”")
    page.get_by_role("button", name="Loudest channel").click()
    seconds_until(page, "it is number 1 of 64 here")
    shot(page, "explorer_portrait")
    for name, data, answer in (
        ("notes.png", b"no picture at all", "it cannot be read as a picture"),
        ("mine.png", photograph(), "On “yours: mine.png”"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with page.expect_file_chooser() as chooser:
            box.get_by_role("button", name="your own").click()
        chooser.value.set_files(path)
        seconds_until(page, answer)
    shot(page, "explorer_own")


def photograph() -> bytes:
    """A picture of a learner's own, wider than high and with transparency."""
    import io

    from PIL import Image

    buffer = io.BytesIO()
    Image.linear_gradient("L").resize((300, 120)).convert("RGBA").save(buffer, "PNG")
    return buffer.getvalue()


def test_head_bench(run, lab):
    page = run("03_head")
    box = page.locator(".widget-vbox", has_text="classes").last
    family = box.locator("select").first
    family.scroll_into_view_if_needed()
    shot(page, "bench_resnet10")
    labels = family.locator("option").all_inner_texts()
    assert len(labels) >= 12
    for name in ("ViT", "BERT", "Whisper", "YOLOS"):
        label = next(text for text in labels if name in text)
        family.select_option(label)
        page.wait_for_timeout(3000)
        shot(page, f"bench_{name}")
        assert name in box.inner_text()
