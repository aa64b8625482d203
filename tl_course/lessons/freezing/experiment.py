"""An experiment on freezing: what a depth is worth at a number of labels, stored and live."""

import html
from typing import TYPE_CHECKING

import ipywidgets

from tl_course import evidence, plots, store, tasks
from tl_course.lessons.freezing import charts, recipe
from tl_course.lessons.freezing.charts import CONTROLS, FROZEN
from tl_course.plots.lines import means_of
from tl_course.practice.experiment import Experiment

if TYPE_CHECKING:
    import pandas

TARGETS = {
    "leaves": "leaves",
    "materials (near photographs)": "materials",
    "satellite pictures": "satellite",
    "handwritten digits": "digits",
    "spoken digits (spectrograms)": "spoken_digits",
    "pneumonia (X-rays)": "pneumonia",
}
DEPTHS = {shown: strategy for strategy, shown in FROZEN.items()}
# labels that the drawn tasks have at once; more of them take minutes to draw
AT_HAND = {"leaves": 1500, "materials": 800}
PLACE = (0.085, 0.15, 0.735, 0.75)  # of the chart in its picture
LONGEST = 15  # seconds that a run may take here


def slider() -> Experiment:
    """Choose a target, a number of labels and a depth; see what that is worth, stored and live.

    Chart and numbers come from the stored runs (five seeds a cell). The button trains the very
    cell now, with the seed 0 and the rate of the stored run, where that takes 15 s or less.
    """
    stored = evidence.chosen(evidence.load("sweep_freezing"))
    cells = dict([*stored.groupby(["task", "labels"])])
    target = ipywidgets.Dropdown(description="target", options=[*TARGETS.items()])
    labels = ipywidgets.SelectionSlider(
        description="labels", options=_counts(cells, target.value), continuous_update=False
    )
    labels.value = max(count for _, count in labels.options if count <= 200)
    depth = ipywidgets.SelectionSlider(
        description="frozen",
        options=[*DEPTHS],
        value="to layer2",
        continuous_update=False,
    )
    button = ipywidgets.Button(button_style="primary", layout={"width": "max-content"})
    picture, said = ipywidgets.Image(format="png"), ipywidgets.HTML()
    live: dict[tuple[str, int, str], float] = {}
    drawn: dict[tuple, bytes] = {}  # pictures shown before

    def here() -> "tuple[str, int, str, pandas.DataFrame]":
        task, count, strategy = target.value, labels.value, DEPTHS[depth.value]
        return task, count, strategy, cells[task, count]

    def draw(_=None) -> None:
        task, count, strategy, rows = here()
        mine = {s: found for (t, n, s), found in live.items() if (t, n) == (task, count)}
        title = f"{target.label[0].upper()}{target.label[1:]}, {count:,} labels"
        key = (task, count, strategy, tuple(mine.items()))
        if key not in drawn:
            chart = charts.depth_profile(rows, strategy, mine, title=title)
            chart.get_figure().set_layout_engine("none")  # finding the places takes half the time
            chart.set_position(PLACE)
            drawn[key] = plots.png(chart.get_figure())
        picture.value = drawn[key]
        said.value = _sentence(rows, strategy, depth.value, mine.get(strategy))
        offer()

    def offer() -> None:
        task, count, strategy, rows = here()
        missing = _missing(task, count, _of(rows, strategy).seconds.mean())
        button.description = missing or f"Train this cell now ({_seconds(rows, strategy)})"
        button.disabled = bool(missing)

    def change_target(_) -> None:
        count = labels.value
        labels.unobserve(draw, "value")  # one drawing, not one for each change on the way
        labels.options = _counts(cells, target.value)
        labels.value = max(n for _, n in labels.options if n <= count)
        labels.observe(draw, "value")
        draw()

    def learn(_) -> None:
        task, count, strategy, rows = here()
        button.disabled, button.description = True, "Training …"
        for control in (target, labels, depth):
            control.disabled = True
        try:
            few = tasks.load(task).few(count, seed=0)
            lr = float(_of(rows, strategy).lr.iloc[0])
            live[task, count, strategy] = recipe.train_cell(few, strategy, lr, 0)["test_balanced"]
            draw()
        except store.CourseError as error:
            said.value += f" Not trained: {html.escape(str(error))}"
        finally:
            for control in (target, labels, depth):
                control.disabled = False
            offer()

    target.observe(change_target, "value")
    labels.observe(draw, "value")
    depth.observe(draw, "value")
    button.on_click(learn)
    draw()
    controls = ipywidgets.HBox([target, labels, depth], layout={"flex_flow": "row wrap"})
    alt = "Balanced test accuracy by depth of freezing, with the controls as lines across."
    return Experiment([controls, button, picture, said], bytes(picture.value), alt)


def _counts(cells: dict, task: str) -> list[tuple[str, int]]:
    return [(f"{count:,}", count) for name, count in sorted(cells) if name == task]


def _of(rows: "pandas.DataFrame", strategy: str) -> "pandas.DataFrame":
    return rows[rows.strategy == strategy].sort_values("seed")


def _seconds(rows: "pandas.DataFrame", strategy: str) -> str:
    seconds = _of(rows, strategy).seconds.mean()
    return "about a second" if seconds < 1.5 else f"about {seconds:.0f} s"


def _missing(task: str, count: int, seconds: float) -> str:
    """Why a cell cannot be trained here and now; empty where it can."""
    if not tasks.available(task):
        return "Cannot train: this data set is not on your machine"
    if count > AT_HAND.get(task, count):
        return "Cannot train: so many pictures take minutes to draw"
    if seconds > LONGEST:
        return f"Cannot train here: it takes about {seconds:.0f} s"
    return ""


def _sentence(rows: "pandas.DataFrame", strategy: str, shown: str, mine: float | None) -> str:
    """What the chart shows, in words."""
    means = means_of(rows, "strategy", "test_balanced")
    mean, low, high = means.loc[strategy, ["mean", "low", "high"]]
    best = means.loc[[name for name in FROZEN if name in means.index], "mean"].idxmax()
    controls = ", ".join(f"{name} {means.loc[name, 'mean']:.0%}" for name in CONTROLS)
    count = len(_of(rows, strategy))
    text = (
        f"Frozen: {html.escape(shown)}. Mean of {count} runs: <b>{mean:.1%}</b> "
        f"[{low:.1%}, {high:.1%}]. "
    )
    if best == strategy:
        text += "No depth has a higher mean here. "
    else:
        gap = 100 * (means.loc[best, "mean"] - mean)
        text += f"The best depth here ({FROZEN[best]}) has {gap:.1f} points more. "
    text += f"Without what was learned before: {controls}."
    if mine is not None:
        text += f" Your run (diamond), seed 0: {mine:.1%}."
    return text
