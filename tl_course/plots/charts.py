"""Charts of accuracy: while learning, over seeds, by labels, and the difference of two ways."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course import evidence
from tl_course.plots.lines import apart, band, label_ends, means_of, written
from tl_course.plots.style import COLOURS, axes, colour_of, lined

if TYPE_CHECKING:
    import pandas

    from tl_course.train import History


def learning_curves(
    histories: Mapping[str, "History | Sequence[float]"],
    chance: float | None = None,
    title: str = "",
    xlabel: str = "epoch (one pass over the labelled pictures)",
    first: int = 1,
    every: int = 1,
    ax: Axes | None = None,
) -> Axes:
    """Validation accuracy by epoch, one line a strategy, labelled at its end.

    A label begins with a name in ``COLOURS``, which gives its colour. Values: a ``History``, or
    accuracies in [0, 1], one an epoch. ``chance``: the accuracy of guessing, drawn as a dotted
    line. The first value belongs to ``first``, and the next one to ``every`` later.
    """
    ax = ax or axes(8.0, 3.8, title)
    if chance is not None:  # it ends with the curves, so that their labels stay free of it
        last = max((len(getattr(h, "val_accuracy", h)) for h in histories.values()), default=1)
        ax.hlines(
            chance, first, first + every * max(last - 1, 0), color=COLOURS["random"], linestyle=":"
        )
        ax.text(first, chance - 0.02, "guessing", color=COLOURS["random"], va="top")
    ends = []
    for name, history in histories.items():
        values = getattr(history, "val_accuracy", history)
        if not len(values):
            continue  # training ended before the first epoch did
        epochs = first + every * np.arange(len(values))
        line = {"color": colour_of(name), "linewidth": 2.4, "solid_capstyle": "round"}
        ax.plot(epochs, values, **line)
        ends.append((epochs[-1], values[-1], f"{name}  {values[-1]:.2f}"))
    ax.set_ylim(0, 1)
    label_ends(ax, ends)
    ax.set_xlabel(xlabel)
    ax.set_ylabel("validation accuracy")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def runs(
    frame: "pandas.DataFrame",
    cells: Sequence[tuple[str, int]],
    strategies: Sequence[str] = ("fine-tuning", "from scratch"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Every seed's balanced test accuracy as a point, for (task, labels) cells; bars mark means.

    ``frame``: stored results with columns task, labels, strategy, seed, test_balanced.
    """
    ax = ax or axes(8.0, 1.1 + 0.62 * len(cells), title)
    rows = evidence.chosen(frame)
    for y, (task, labels) in enumerate(cells):
        here = rows[(rows.task == task) & (rows.labels == labels)]
        for index, strategy in enumerate(strategies):
            values = here.loc[here.strategy == strategy, "test_balanced"].to_numpy()
            level = y + 0.13 * (index - (len(strategies) - 1) / 2) * 2
            spread = level + np.linspace(-0.05, 0.05, len(values))
            colour = COLOURS[strategy]
            ax.scatter(values, spread, color=colour, s=22, alpha=0.75, linewidth=0)
            ax.plot([values.mean()] * 2, [level - 0.13, level + 0.13], color=colour, linewidth=3)
            if y == 0:
                first, last = index == 0, index == len(strategies) - 1
                place = (values.mean(), level + (0.13 if last else -0.13))
                between = not first and not last  # no room above or below: beside its points
                ax.annotate(
                    strategy,
                    (values.min(), level) if between else place,
                    (-8, 0) if between else (0, -9 if last else 9),
                    textcoords="offset points",
                    color=colour,
                    weight="bold",
                    ha="right" if between else "center",
                    va="center",
                    annotation_clip=False,
                )
    ax.set_yticks(range(len(cells)), [f"{task}\n{labels:,} labels" for task, labels in cells])
    ax.set_ylim(len(cells) - 0.5, -0.65)
    ax.set_xlim(0, 1)
    ax.set_xlabel("balanced test accuracy (each point one seed, bar: mean)")
    lined(ax, "x")
    return ax


def label_curves(
    frame: "pandas.DataFrame",
    task: str,
    strategies: Mapping[str, str],
    title: str = "",
    column: str = "test_accuracy",
    named: bool = True,
    ax: Axes | None = None,
) -> Axes:
    """Test accuracy by number of labels: the mean over seeds, and its 95 % interval as a band.

    ``frame``: stored results with columns task, labels, strategy, seed, test_accuracy, and
    ``column``, which is drawn.
    ``strategies``: name in the table to a key of ``COLOURS``; "four times as long" is dashed.
    ``named``: whether each curve's name stands at its end.
    """
    ax = ax or axes(8.0, 4.4, title)
    rows = evidence.chosen(frame)
    rows = rows[(rows.task == task) & (rows.labels > 0)]
    ends = []
    for strategy, key in strategies.items():
        here = rows[rows.strategy == strategy]
        means = means_of(here, "labels", column)
        style = "--" if "as long" in strategy else "-"
        band(ax, means, COLOURS[key], style)
        ends.append((float(means["mean"].iloc[-1]), means.index[-1], strategy, COLOURS[key]))
    last = rows.labels.max()
    heights = apart([end[0] for end in ends], 0.075)
    above = max([0.0, *(height - 1 for height in heights)])
    for height, (value, label, name, colour) in zip(heights, ends, strict=True) if named else ():
        ax.annotate(
            written(name),
            (label, value),
            (last * 1.35, height - above),
            color=colour,
            va="center",
            weight="bold",
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 0.8, "shrinkB": 4},
        )
    ax.set_xscale("log")
    labels = sorted(set(rows.labels))
    ax.set_xticks(labels, [f"{label:,}" for label in labels])
    ax.minorticks_off()
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("labelled examples")
    ax.set_ylabel("balanced test accuracy" if column == "test_balanced" else "test accuracy")
    return ax


def differences(
    intervals: Mapping[str, evidence.Interval | None],
    gain: str,
    loss: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Paired differences with their intervals, in points; ``gain`` and ``loss`` name the sides.

    A name with ``None`` is the heading of those that follow.
    """
    ax = ax or axes(8.0, 1.3 + 0.42 * len(intervals), title)
    measured = {y: found for y, found in enumerate(intervals.values()) if found is not None}
    for y, found in measured.items():
        colour = {1: COLOURS["pretrained"], -1: COLOURS["from scratch"], 0: "#555555"}[found.sign]
        low, effect, high = (100 * v for v in (found.low, found.effect, found.high))
        ax.plot([low, high], [y, y], color=colour, linewidth=3, solid_capstyle="round")
        ax.plot(effect, y, "o", color=colour, markersize=8)
        ax.annotate(
            f"{effect:+.0f}",
            (high, y),
            (8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            weight="bold",
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # it may lie on a line
        )
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(intervals)), [*intervals])
    ax.set_ylim(len(intervals) - 0.5, -0.6)
    for y, label in enumerate(ax.get_yticklabels()):
        if y not in measured:
            label.set_weight("bold")
    least = min([0.0, *(100 * found.low for found in measured.values())])
    most = max([0.0, *(100 * found.high for found in measured.values())])
    room = 0.1 * max(most - least, 10)
    ax.set_xlim(least - room, most + room)
    ax.set_xlabel(f"difference in points of accuracy (left of 0: {loss}; right: {gain})")
    lined(ax, "x")
    return ax
