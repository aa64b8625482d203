"""The lessons' experiments in a real JupyterLab, driven in Chromium, by keyboard and by mouse.

They need playwright and Chromium; pictures of the pages on request:

    TL_COURSE_SHOTS=shots pytest -s tests/browser
"""

import io
import json
import re

from PIL import Image

BROKEN = """from tl_course import train
from tl_course.lessons import forgetting, freezing

def fit(*given, **options):
    raise RuntimeError("no room on the <device>")

train.fit = fit"""


def test_two_opinions(run, lab):
    lesson = run("00_start_here")
    page = lesson.page
    page.locator(".widget-radio-box label").nth(3).click()
    page.get_by_role("button", name="Commit").click()
    page.wait_for_selector("text=Kept:")
    assert (lab[1] / "my_predictions.json").is_file()
    lesson.shot("prediction")

    box = lesson.box("where they disagree")
    disagree = re.compile(r"says (\w+).*; .* says (?!\1\b)")
    lesson.shows(disagree)
    box.locator("select").select_option("all pictures")
    lesson.shows("Picture 0 shows")
    box.locator("[role=slider]").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    lesson.shows("Picture 3 shows", within=2)
    lesson.shot("two_opinions")
    box.locator("select").select_option("where they disagree")
    page.wait_for_timeout(1000)
    lesson.shows(disagree)
    lesson.shot("disagreement")


def test_when_to_say_nothing(run):
    lesson = run("13_your_project")
    box = lesson.box("refuse below %")
    lesson.shows("By likeness it answers")
    box.locator("[role=slider]").focus()
    for _ in range(60):
        lesson.page.keyboard.press("ArrowRight")
    lesson.shows(re.compile("By likeness it answers 0 of .* still names 0"), within=3)
    box.locator("select").select_option("confidence")
    lesson.shows("By confidence it answers", within=3)
    lesson.shot("doubt")


def test_teach_it_italian(run):
    lesson = run("01_analogy")
    page = lesson.page
    places = page.locator(".widget-vbox", has_text="After 30 Italian numbers").locator("select")
    for place, name in enumerate(("Spanish", "French", "German", "Finnish", "nothing")):
        places.nth(place).select_option(name)
    page.get_by_role("button", name="Commit").click()
    page.wait_for_selector("text=Kept:")
    lesson.shot("ranking")

    box = lesson.box("Teach it Italian")
    line = box.locator("input[type=text]").last
    for text, answer in (
        ("trecentoventuno", "is 321"),
        ("gatto", "is no number in Italian"),
        ("диван", "no reader has seen such letters"),
        ("", "there is nothing to read"),
        ("x" * 500, "the longest number here has"),
        ("dodicimila", "from 0 to 9,999"),
        ("novecentosei", "is 906"),
    ):
        line.fill(text)
        line.press("Enter")
        lesson.shows(answer, within=2)
    lesson.shot("teach_spanish")
    box.locator("select").select_option("Finnish")
    box.locator("[role=slider]").focus()
    page.keyboard.press("ArrowRight")
    page.get_by_role("button", name="Teach it Italian").click()
    lesson.shows("(pretrained: Finnish)", within=3)
    lesson.shot("teach_finnish")


def test_layer_explorer(run, tmp_path):
    lesson = run("02_layers")
    page, box = lesson.page, lesson.box("Loudest channel")
    picture, stage = box.locator("select").all()
    stage.select_option("layer2")
    lesson.shows("of 64. The network gets")
    number = box.locator("input[type=number]")
    number.fill("10")
    number.press("Enter")
    lesson.shows("layer2, channel 10 of 64")
    moves = [("ArrowRight", f"layer2, channel {n} of 64") for n in range(11, 41)]
    lesson.press(box.locator("[role=slider]"), "The network gets", moves)
    lesson.shot("explorer_layer2")
    picture.select_option("portrait")
    lesson.shows("On “portrait”")
    page.get_by_role("button", name="Loudest channel").click()
    lesson.shows("it is number 1 of 64 here")
    lesson.shot("explorer_portrait")
    mine = io.BytesIO()  # wider than high and with transparency
    Image.linear_gradient("L").resize((300, 120)).convert("RGBA").save(mine, "PNG")
    for name, data, answer in (
        ("notes.png", b"no picture at all", "it cannot be read as a picture"),
        ("mine.png", mine.getvalue(), "On “yours: mine.png”"),
    ):
        path = tmp_path / name
        path.write_bytes(data)
        with page.expect_file_chooser() as chooser:
            box.get_by_role("button", name="your own").click()
        chooser.value.set_files(path)
        lesson.shows(answer)
    lesson.shot("explorer_own")


def test_head_bench(run):
    lesson = run("03_head")
    box = lesson.box("freeze all but the head")
    family = box.locator("select").first
    lesson.shot("bench_resnet10")
    labels = family.locator("option").all_inner_texts()
    assert len(labels) >= 12
    for kind in ("ViT", "BERT", "Whisper", "YOLOS"):
        label = next(text for text in labels if kind in text)
        family.select_option(label)
        name = re.search(r"\((\w+)\)$", label)[1]
        lesson.shows(f"The official {name}: ")
        lesson.shot(f"bench_{name}")


def test_freeze_slider(run):
    lesson = run("04_freezing")
    page, box = lesson.page, lesson.box("frozen")
    target, (labels, depth) = box.locator("select"), box.locator("[role=slider]").all()
    lesson.shot("freezing")
    keys = ("ArrowLeft", "ArrowLeft", *["ArrowRight"] * 4)
    names = ("to layer1", "nothing", "to layer1", "to layer2", "to layer3", "all but the head")
    moves = [(key, f"Frozen: {name}.") for key, name in zip(keys, names, strict=True)]
    lesson.press(depth, "Frozen: ", moves, limit=600)
    page.get_by_role("button", name="Train this cell now").click()
    lesson.shows("Your run (diamond)", within=15)
    lesson.shot("freezing_live")
    target.select_option("materials")
    lesson.shows(re.compile(r"^(?!.*Your run).*Frozen: all but the head"))
    labels.focus()
    page.keyboard.press("End")
    button = box.get_by_role("button", name="Cannot train")
    button.wait_for()
    assert button.is_disabled()
    lesson.shot("freezing_not_here")


def test_label_exchange(run):
    lesson = run("05_labels")
    box = lesson.box("accuracy wanted")
    lesson.shows("leaves, 50% wanted. Labels needed")
    lesson.shot("exchange_leaves")
    moves = [("ArrowRight", f"leaves, {n}% wanted") for n in range(51, 71)]
    lesson.press(box.locator("[role=slider]"), "Labels needed", moves)
    box.locator("select").select_option("chest X-rays")
    lesson.shows("chest X-rays, 70% wanted", within=1)
    lesson.shot("exchange_xrays")


def test_lab_and_quiz(run):
    lesson = run("06_overfitting")
    box = lesson.box("weight decay")
    train, stop, opened = (
        box.get_by_role("button", name=name) for name in ("Train", "Stop", "Open the test set")
    )
    assert opened.is_disabled() and stop.is_disabled()
    box.get_by_role("checkbox").check()
    lesson.shows("The controls have moved since")
    train.click()
    lesson.shows(re.compile(r"Epoch \d+ of 30"))
    lesson.shot("overfitting_live")
    assert train.is_disabled()
    stop.click()
    lesson.shows("You stopped it", within=5)
    assert opened.is_disabled()
    box.locator("select").select_option("all but the head")
    lesson.shows("The controls have moved since")
    train.click()
    lesson.shows(re.compile(r"head.*: training \d+%, validation \d+%, a gap"), within=25)
    opened.click()
    lesson.shows("opened once")
    assert opened.is_disabled()
    lesson.shot("overfitting_test")

    quiz = lesson.box("Right so far")
    quiz.get_by_role("button", name="D", exact=True).click()
    for diagnosis, answer in (
        ("a good fit", "Not yet: with a good fit"),
        ("overfitting", "Right so far: D of 6."),
    ):
        quiz.locator("select").select_option(diagnosis)
        quiz.get_by_role("button", name="Answer").click()
        lesson.shows(answer)
    lesson.shot("overfitting_quiz")


def test_price_list(run):
    lesson = run("07_forgetting")
    box = lesson.box("Train it now")
    box.locator("[role=slider]").focus()
    lesson.page.keyboard.press("ArrowRight")
    lesson.shows("Learning rate 0.01", within=1)
    lesson.shot("forgetting_rate")
    box.locator("select").select_option("letters and memory")
    lesson.shows("frozen: letters and memory", within=1)
    lesson.page.get_by_role("button", name="Train it now").click()
    lesson.shows("Your run (diamonds)", within=3)
    lesson.shot("forgetting_live")


def test_suspects_board(run):
    lesson = run("08_negative_transfer")
    box = lesson.box("frozen (head alone learns)")
    source, target, amount = box.locator("select").all()
    lesson.shows("photographs → satellite scenes, 50 labels, fine-tuned")
    lesson.shot("suspects_satellite")
    amount.select_option("many")
    lesson.shows("satellite scenes, 500 labels, fine-tuned", within=2)
    box.get_by_role("checkbox").check()
    lesson.shows("Minus a frozen random backbone", within=2)
    lesson.shot("suspects_frozen")
    source.select_option("reversed Spanish")
    lesson.shows("was not tried on satellite scenes", within=2)
    offered = [text.replace("\xa0", " ") for text in target.locator("option").all_inner_texts()]
    assert "satellite scenes (not tried)" in offered and "Italian" in offered
    lesson.shot("suspects_no_run")
    target.select_option("Italian")
    box.get_by_role("checkbox").uncheck()
    lesson.shows("reversed Spanish → Italian, 300 labels, fine-tuned")
    lesson.shot("suspects_reversed")


def test_broken_on_purpose_and_mystery(run):
    lesson = run("09_preprocessing")
    box = lesson.box("model.eval() forgotten")
    lesson.shows("Nothing is wrong. Choose a fault")
    lesson.shot("feeding_right")
    box.locator("select").first.select_option("BGR")
    lesson.shows("OpenCV reads blue first", within=3)
    lesson.shot("feeding_bgr")
    moves = [("ArrowRight", f"Leaf {n}: the file says") for n in range(1, 21)]
    lesson.press(box.locator("[role=slider]"), "the file says", moves)
    box.get_by_role("checkbox").check()
    lesson.shows("call model.eval()")
    box.locator("select").last.select_option("labels off by one")
    lesson.shows("subtract one from the labels")
    lesson.shot("feeding_three")

    game = lesson.box("Next case")
    diagnose, choice = game.get_by_role("button", name="Diagnose"), game.locator("select")
    diagnose.click()
    lesson.shows("Choose a diagnosis first.")
    choice.select_option("grey")
    diagnose.click()
    lesson.shows(re.compile(r"Right at once: [01] of 1"))
    lesson.shot("mystery_answer")
    game.get_by_role("button", name="Next case").click()
    lesson.page.wait_for_function("e => e.value == 'choose …'", arg=choice.element_handle())
    lesson.shot("mystery_next")


def test_a_training_that_stops(run, lab):
    code = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    cells = [
        {**code, "id": f"cell-{place}", "source": source}
        for place, source in enumerate((BROKEN, "forgetting.price_list()", "freezing.slider()"))
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (lab[1] / "broken.ipynb").write_text(json.dumps(content))
    lesson = run("broken")
    page, said = lesson.page, "It stopped with RuntimeError: no room on the <device>."
    for text, button in (("Train it now", "Train it now"), ("labels", "Train this cell now")):
        box = lesson.box(text)
        train = box.get_by_role("button", name=button)
        for _ in range(2):
            train.click()
            box.locator(".widget-html-content", has_text=said).wait_for()
            train.click(trial=True)  # waits until it is alive again
    lesson.shot("stopped")
    assert not page.get_by_text("official Jupyter news").count(), "it asks nothing"
    page.get_by_role("menuitem", name="View", exact=True).click()
    page.get_by_role("menuitem", name="Show Log Console").click()
    page.locator(".jp-LogConsolePanel", has_text='raise RuntimeError("no room').wait_for()
    lesson.shot("stopped_log")
    assert not page.locator(".jp-Notebook", has_text="Traceback").count()
