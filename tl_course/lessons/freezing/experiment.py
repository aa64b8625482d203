"""An experiment on freezing: what a depth is worth at a number of labels, stored and live."""

from typing import TYPE_CHECKING

import ipywidgets

from tl_course import evidence, plots, store, tasks
from tl_course.lessons.freezing import charts, recipe
from tl_course.lessons.freezing.charts import CONTROLS, FROZEN
from tl_course.plots.lines import means_of
from tl_course.practice.experiment import Experiment, choice, steps

if TYPE_CHECKING:
    import pandas

TARGETS = {
    "leaves": "leaves",
    "materials": "materials",
    "satellite pictures": "satellite",
    "handwritten digits": "digits",
    "spoken digits (spectrograms)": "spoken_digits",
    "pneumonia (X-rays)": "pneumonia",
}
NAMES = {task: shown[0].upper() + shown[1:] for shown, task in TARGETS.items()}
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
    live: dict[tuple[str, int], dict[str, float]] = {cell: {} for cell in cells}
    targets = choice("target", TARGETS)
    counts = steps("labels", [200])
    depths = steps("frozen", DEPTHS, value="to layer2", layout={"width": "360px"})
    button = ipywidgets.Button(button_style="primary", layout={"width": "max-content"})

    def retarget(target: str) -> None:
        stored = sorted(count for task, count in cells if task == target)
        most, counts.options = counts.value, [(f"{count:,}", count) for count in stored]
        counts.value = max(count for count in stored if count <= most)
        offer(target, counts.value, depths.value)

    def offer(target: str, labels: int, depth: str) -> None:
        seconds = _of(cells[target, labels], DEPTHS[depth]).seconds.mean()
        missing = _missing(target, labels, seconds)
        about = "about a second" if seconds < 1.5 else f"about {seconds:.0f} s"
        button.description = missing or f"Train this cell now ({about})"
        button.disabled = bool(missing)

    def draw(target: str, labels: int, depth: str) -> dict:
        rows, mine, strategy = cells[target, labels], live[target, labels], DEPTHS[depth]
        title = f"{NAMES[target]}, {labels:,} labels"
        chart = charts.depth_profile(rows, strategy, mine, title=title)
        chart.get_figure().set_layout_engine("none")  # finding the places takes half the time
        chart.set_position(PLACE)
        said = _sentence(rows, strategy, depth, mine.get(strategy))
        return {"picture": plots.png(chart.get_figure()), "said": said}

    def train_it(target: str, labels: int, depth: str) -> str | None:
        strategy, button.description = DEPTHS[depth], "Training …"
        try:
            few = tasks.load(target).few(labels, seed=0)
            lr = float(_of(cells[target, labels], strategy).lr.iloc[0])
            found = recipe.train_cell(few, strategy, lr, 0)
        except store.CourseError as error:
            return f"Not trained: {error}"
        finally:
            offer(target, labels, depth)
        live[target, labels][strategy] = found["test_balanced"]
        return None

    return Experiment(
        [{"target": targets, "labels": counts}, {"depth": depths}, {"train": button}],
        draw,
        "Balanced test accuracy by depth of freezing, with the controls as lines across.",
        on={"target": retarget, "labels": offer, "depth": offer},
        run={"train": train_it},
    )


def _of(rows: "pandas.DataFrame", strategy: str) -> "pandas.DataFrame":
    return rows[rows.strategy == strategy].sort_values("seed")


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
    text = f"Frozen: {shown}. Mean of {count} runs: <b>{mean:.1%}</b> [{low:.1%}, {high:.1%}]. "
    if best == strategy:
        text += "No depth has a higher mean here. "
    else:
        gap = 100 * (means.loc[best, "mean"] - mean)
        text += f"The best depth here ({FROZEN[best]}) has {gap:.1f} points more. "
    text += f"Without what was learned before: {controls}."
    if mine is not None:
        text += f" Your run (diamond), seed 0: {mine:.1%}."
    return text
