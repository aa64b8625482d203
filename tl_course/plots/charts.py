"""Charts of accuracy: while learning, over seeds, and the difference between two ways."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course import evidence
from tl_course.plots.style import COLOURS, axes

if TYPE_CHECKING:
    import pandas

    from tl_course.train import History


def learning_curves(
    histories: Mapping[str, "History | Sequence[float]"],
    chance: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Validation accuracy by epoch, one line a strategy, labelled at its end.

    Values: a ``History``, or accuracies in [0, 1], one an epoch. ``chance``: the accuracy of
    guessing, drawn as a dotted line.
    """
    ax = ax or axes(8.0, 3.8, title)
    if chance is not None:  # it ends with the curves, so that their labels stay free of it
        last = max((len(getattr(h, "val_accuracy", h)) for h in histories.values()), default=1)
        ax.hlines(chance, 1, max(last, 1), color=COLOURS["random"], linestyle=":")
        ax.text(1, chance - 0.02, "guessing", color=COLOURS["random"], va="top")
    ends = []
    for name, history in histories.items():
        values = getattr(history, "val_accuracy", history)
        if not len(values):
            continue  # training ended before the first epoch did
        epochs = np.arange(1, len(values) + 1)
        line = {"color": COLOURS.get(name), "linewidth": 2.4, "solid_capstyle": "round"}
        ax.plot(epochs, values, **line)
        ends.append((values[-1], epochs[-1], name))
    ax.set_ylim(0, 1)
    for height, (value, epoch, name) in zip(_apart([e[0] for e in ends], 0.07), ends, strict=True):
        text = f"{name}  {value:.2f}"
        colour = COLOURS.get(name)
        ax.annotate(
            text,
            (epoch, height),
            (8, 0),
            textcoords="offset points",
            color=colour,
            va="center",
            weight="bold",
            annotation_clip=False,
        )
    ax.set_xlabel("epoch (one pass over the labelled pictures)")
    ax.set_ylabel("validation accuracy")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def _apart(values: Sequence[float], least: float) -> list[float]:
    """The same values, moved up where needed so that neighbours are ``least`` apart."""
    moved = list(values)
    order = np.argsort(values)
    for below, above in zip(order[:-1], order[1:], strict=True):
        moved[above] = max(moved[above], moved[below] + least)
    return moved


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
                ax.annotate(
                    strategy,
                    (values.mean(), level - 0.13 if index == 0 else level + 0.13),
                    (0, 9 if index == 0 else -9),
                    textcoords="offset points",
                    color=colour,
                    weight="bold",
                    ha="center",
                    va="center",
                    annotation_clip=False,
                )
    ax.set_yticks(range(len(cells)), [f"{task}\n{labels:,} labels" for task, labels in cells])
    ax.set_ylim(len(cells) - 0.5, -0.65)
    ax.set_xlim(0, 1)
    ax.set_xlabel("balanced test accuracy (each point one seed, bar: mean)")
    ax.grid(axis="x", color="#E5E5E5")
    ax.set_axisbelow(True)
    return ax


def differences(
    intervals: Mapping[str, evidence.Interval],
    gain: str,
    loss: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Paired differences with their intervals, in points; ``gain`` and ``loss`` name the sides."""
    ax = ax or axes(8.0, 1.3 + 0.42 * len(intervals), title)
    for y, found in enumerate(intervals.values()):
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
        )
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(intervals)), [*intervals])
    ax.set_ylim(len(intervals) - 0.5, -0.6)
    least = min([0.0, *(100 * found.low for found in intervals.values())])
    most = max([0.0, *(100 * found.high for found in intervals.values())])
    room = 0.1 * max(most - least, 10)
    ax.set_xlim(least - room, most + room)
    ax.set_xlabel(f"difference in points of accuracy (left of 0: {loss}; right: {gain})")
    ax.grid(axis="x", color="#E5E5E5")
    ax.set_axisbelow(True)
    return ax
