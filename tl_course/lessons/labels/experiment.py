"""An exchange office for labels: how many each start needs for an accuracy."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import ipywidgets

from tl_course import evidence, plots
from tl_course.lessons.labels import charts, worth
from tl_course.practice.experiment import Experiment, choice

if TYPE_CHECKING:
    import pandas

TARGETS = {
    "leaves": "leaves",
    "materials": "materials",
    "satellite": "satellite scenes",
    "digits": "digits",
    "spoken_digits": "spoken digits",
    "pneumonia": "chest X-rays",
}
STARTS = ("fine-tuning", "head alone", "from scratch", "head on random backbone")
KEYS = {name: name for name in STARTS}


def exchange() -> Experiment:
    """Choose a target and an accuracy; see how many labels each start needs for it.

    Read from the stored learning curves, means over seeds, on a logarithmic axis. Nothing is
    trained.
    """
    frame = evidence.chosen(evidence.load("sweep_freezing"))
    tasks = [task for task in TARGETS if task in set(frame.task)]
    curves = {task: _curves(frame[frame.task == task]) for task in tasks}
    drawn = {}
    for task in tasks:
        title = f"{TARGETS[task]}: labels for an accuracy"
        ax = plots.label_curves(frame, task, KEYS, title, column="test_balanced")
        drawn[task] = plots.Still(ax)
    wanted = ipywidgets.IntSlider(
        description="accuracy wanted, %",
        min=20,
        max=99,
        value=50,
        style={"description_width": "initial"},
        layout={"width": "28em"},
    )

    def draw(target: str, wanted: int) -> dict:
        still, means, share = drawn[target], curves[target], wanted / 100
        needed = {name: worth.labels_needed(*means[name][:2], share) for name in STARTS}
        picture = still.png(charts.mark_wanted(still.ax, share, needed, KEYS))
        return {"picture": picture, "said": _sentence(TARGETS[target], share, needed, means)}

    alt = (
        "Learning curves of four starts, and the labels at which each reaches the accuracy wanted."
    )
    targets = choice("target", {TARGETS[task]: task for task in tasks})
    return Experiment([{"target": targets, "wanted": wanted}], draw, alt)


def _curves(rows: "pandas.DataFrame") -> dict[str, tuple]:
    """By start: the counts, the mean accuracy at each, and one list of accuracies a seed."""
    runs, found = evidence.Runs(rows), {}
    for name in STARTS:
        table = runs.wide("labels", strategy=name).sort_index(axis=1)
        found[name] = (table.columns.to_numpy(), table.mean().to_numpy(), table.to_numpy())
    return found


def _sentence(
    target: str, wanted: float, needed: Mapping[str, float | None], curves: Mapping[str, tuple]
) -> str:
    parts = []
    for name, found in needed.items():
        counts, means, seeds = curves[name]
        most = f"{counts[-1]:,}"
        if found is None:
            text = f"more than {most} (with {most}: {means[-1]:.0%})"
        elif found <= counts[0]:
            text = f"{counts[0]} or fewer"
        else:
            each = [worth.labels_needed(counts, row, wanted) for row in seeds]
            low = min((count for count in each if count), default=found)
            high = f"more than {most}" if None in each else f"{max(each):,.0f}"
            text = f"about {found:,.0f} (its runs: {low:,.0f} to {high})"
        parts.append(f"<b>{name}</b> {text}")
    return f"{target}, {wanted:.0%} wanted. Labels needed: {'; '.join(parts)}."
