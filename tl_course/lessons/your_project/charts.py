"""Charts of lesson 13: doubtful labels, twins, the race, its mistakes, and what to expect."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence, features, store
from tl_course.evidence.verdicts import NAMES
from tl_course.lessons.your_project.prospects import Outlook
from tl_course.lessons.your_project.recipe import Race, confidence
from tl_course.plots.effects import forest
from tl_course.plots.grids import key
from tl_course.plots.lines import band, beside, log_axis, means_of
from tl_course.plots.maps import cams
from tl_course.plots.maps import row as row_of
from tl_course.plots.pictures import photograph
from tl_course.plots.style import COLOURS, Look, axes, colour_of, legible, lined

if TYPE_CHECKING:
    import pandas
    import torch
    from torch import nn

    from tl_course.tasks import Split, Task

BINS = 5
MEASURES = {  # of how well a picture fits: its column among the stored runs, and how it is drawn
    "likeness": ("by_likeness", Look(COLOURS["likeness"], "o")),
    "confidence": ("by_confidence", Look(COLOURS["confidence when right"], "s")),
    "confidence, plain scaling": (
        "by_plain_confidence",
        Look(COLOURS["confidence when wrong"], "s", hollow=True),
    ),
}
NOW, THEN = Look(COLOURS["head alone"], "o"), Look("#555555")


def picked(task: "Task", table: "pandas.DataFrame", count: int = 5) -> Figure:
    """The first pictures of what ``suspects`` gave, each under its label and what it looks like.

    Raises ``BadInput`` for an empty table.
    """
    if table.empty:
        raise store.BadInput("a row of suspects", "no picture is doubted", "Leave this cell out")
    first = [row for _, row in table.head(count).iterrows()]
    titles = [f"labelled {row.labelled},\nlike {row['looks like']}?" for row in first]
    figure, spots = row_of(titles)
    for ax, row in zip(spots, first, strict=True):
        photograph(ax, getattr(task, row.split).inputs[row.place])
        ax.set_axis_off()
    return figure


def pairs(task: "Task", table: "pandas.DataFrame", count: int = 5) -> Figure:
    """Test pictures above the training picture most like each, from what ``twins`` gave.

    No two are of one training picture. Raises ``BadInput`` without pairs.
    """
    some = [*table.drop_duplicates("train").head(count).itertuples()]
    figure, spots = row_of([f"likeness {row.likeness:.2f}" for row in some], below=True)
    for place, row in enumerate(some):
        twins = ((place, task.test, row.test), (len(some) + place, task.train, row.train))
        for spot, split, index in twins:
            photograph(spots[spot], split.inputs[index])
            spots[spot].set_xticks([])
            spots[spot].set_yticks([])
    for spot, name in ((0, "test"), (len(some), "training")):
        spots[spot].set_ylabel(name)
    return figure


def standings(race: Race, title: str = "", ax: Axes | None = None) -> Axes:
    """Every entry: accuracy on validation with its interval, against the seconds it took.

    The name of the chosen one is set in bold.
    """
    ax = ax or axes(8.6, 1.2 + 0.45 * len(race.entries), title)
    table, chosen = race.table(), race.chosen()
    for y, row in table.iterrows():
        name = f"{row.strategy}, {row.network}"
        entry = race.entries[name]
        low, high = (100 * value for value in race.interval(entry.val, "val"))
        colour = colour_of(row.strategy)
        ax.plot([low, high], [y, y], color=colour, linewidth=3, alpha=0.5)
        ax.plot(100 * entry.val.accuracy, y, "o", color=colour, markersize=8)
        weight = "bold" if entry is chosen else "normal"
        took = f"{entry.seconds:.0f} s" if entry.seconds >= 1 else "< 1 s"
        beside(ax, took, (101, y), 8, weight=weight, color=colour)
    ax.set_yticks(range(len(table)), [f"{r.strategy}, {r.network}" for _, r in table.iterrows()])
    for label, (_, row) in zip(ax.get_yticklabels(), table.iterrows(), strict=True):
        label.set_color(colour_of(row.strategy))
        label.set_weight("bold" if f"{row.strategy}, {row.network}" == chosen.name else "normal")
    ax.set_ylim(len(table) - 0.45, -0.6)
    ax.set_xlim(0, 101)
    ax.set_xlabel(f"% of {chosen.val.n} validation pictures right, 95 % intervals; right: seconds")
    ax.tick_params(axis="y", length=0)
    lined(ax, "x")
    return ax


def mistakes(
    model: "nn.Module", split: "Split", probabilities: "torch.Tensor", count: int = 4
) -> Figure:
    """The mistakes of which ``model`` is surest, and below each where it saw its answer.

    ``probabilities``: (N, classes) of ``split``. Raises ``BadInput`` where nothing is wrong.
    """
    sure, answers = confidence(probabilities), probabilities.argmax(1)
    wrong = np.flatnonzero((answers != split.labels).numpy())
    if not len(wrong):
        raise store.BadInput("a row of mistakes", "there is none here", "Leave this cell out")
    found = {}
    for place in wrong[np.argsort(-sure[wrong])][:count]:
        truth, answer = (split.classes[int(each[place])] for each in (split.labels, answers))
        heat = features.grad_cam(model, split.inputs[place], int(answers[place]))
        found[f"{truth}:\n{answer}, it says ({sure[place]:.0%})"] = split.inputs[place], heat
    return cams(found)


def outlook(curve: "pandas.DataFrame", ahead: Outlook, ax: Axes | None = None) -> Axes:
    """A learning curve, and its power law up to eight times as many labels."""
    ax = ax or axes(7.6, 3.8, "What more pictures would bring")
    shown = means_of(curve.assign(right=100 * (1 - curve.error)), "labels", "right", (0, 100))
    now = int(shown.index[-1])
    band(ax, shown, NOW.colour)
    later = np.geomspace(shown.index[0], 8 * now, 40)
    middle, low, high = 100 * np.array([ahead.at(count) for count in later]).T
    ax.plot(later, middle, "--", color=THEN.colour, linewidth=2)
    ax.fill_between(later, low, high, color=THEN.colour, alpha=0.15, linewidth=0)
    log_axis(ax, [*shown.index, 2 * now, 4 * now, 8 * now])
    key(ax, {"measured": NOW._replace(marker=""), "power law": THEN}, loc="lower right")
    ax.set(xlabel="training pictures", ylabel="% right (balanced)", ylim=(0, 101))
    lined(ax, "y")
    return ax


def calibration(
    probabilities: "torch.Tensor", labels: "torch.Tensor", ax: Axes | None = None
) -> Axes:
    """How often a model is right, against how sure it is, with Wilson intervals.

    Answers are sorted by confidence and cut into five parts of equal size.
    """
    from scipy.stats import binomtest

    ax = ax or axes(5.2, 4.4, "Is it as right as it is sure?")
    sure = confidence(probabilities)
    right = (probabilities.argmax(1) == labels).numpy()
    ax.plot([0, 1], [0, 1], ":", color=COLOURS["random"])
    for part in np.array_split(np.argsort(sure), min(BINS, len(sure))):
        share, count = right[part].mean(), len(part)
        found = binomtest(int(right[part].sum()), count).proportion_ci(method="wilson")
        colour = COLOURS["confidence when right"]
        ax.plot([sure[part].mean()] * 2, [found.low, found.high], color=colour, alpha=0.5)
        ax.plot(sure[part].mean(), share, "o", color=colour, markersize=8)
    ax.text(0.03, 0.97, "too modest", va="top", color="#555555", transform=ax.transAxes)
    ax.text(0.97, 0.03, "too sure", ha="right", color="#555555", transform=ax.transAxes)
    ax.set(xlabel="confidence", ylabel="share right", ylim=(0, 1.02))
    ax.set_xlim(1 / probabilities.shape[1], 1.02)
    return ax


def doubts(
    sure: np.ndarray,
    right: np.ndarray,
    strange: np.ndarray,
    least: float,
    measure: str = "confidence",
    ax: Axes | None = None,
) -> Axes:
    """Every answer as a point by a ``measure`` from 0 to 1: right, wrong, or of another thing.

    ``sure`` (N,) and ``right`` (N,) for pictures of the model's classes, ``strange`` (M,) for
    others. Those left of ``least`` are refused.
    """
    ax = ax or axes(8.0, 2.9)
    ax.clear()
    kinds = {
        "right": (sure[right], COLOURS["pretrained"]),
        "wrong": (sure[~right], COLOURS["from scratch"]),
        "none of its classes": (strange, COLOURS["made on purpose"]),
    }
    for y, (values, colour) in enumerate(kinds.values()):
        ups = y + np.linspace(-0.28, 0.28, max(len(values), 1))[np.argsort(np.argsort(values))]
        kept = values >= least
        ax.scatter(values[kept], ups[kept], s=22, color=colour, linewidth=0)
        ax.scatter(values[~kept], ups[~kept], s=22, facecolor="none", edgecolor=colour)
    ax.axvspan(0, least, color="#EEEEEE", zorder=0)
    ax.text(max(least, 0.16) - 0.01, -0.52, "I don't know", ha="right", va="center", color="#444")
    ax.set_yticks(range(len(kinds)), map(legible, kinds))
    ax.set_ylim(len(kinds) - 0.5, -0.7)
    ax.set(xlim=(0, 1.02), xlabel=measure)
    ax.tick_params(axis="y", length=0)
    return ax


def strangers(ax: Axes | None = None) -> Axes:
    """How well three measures tell pictures of other things from a model's own, by folder.

    Stored runs: the mean area under the curve over draws, 50 being chance, with its interval.
    """
    stored = evidence.load("sweep_project")
    rows = {
        NAMES.get(str(task), str(task)): {
            name: evidence.paired(runs[column], 0 * runs.seed)
            for name, (column, _) in MEASURES.items()
        }
        for task, runs in stored.groupby("task")
    }
    looks = {name: look for name, (_, look) in MEASURES.items()}
    order = sorted(rows, key=lambda name: rows[name]["confidence"].effect)
    ax = ax or axes(8.0, 5.2)
    forest(
        {name: rows[name] for name in order},
        look=lambda name, _: looks[name],
        xlabel="other things told from its own, area under the curve (50 is chance)",
        ax=ax,
    )
    ax.axvline(50, color=COLOURS["random"], linestyle=":")
    ax.set_xlim(0, 101)
    key(ax.figure, looks)
    return ax
