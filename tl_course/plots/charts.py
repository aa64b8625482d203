"""Charts of accuracy: while learning, over seeds, by labels, and the difference of two ways."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from tl_course import evidence
from tl_course.plots.lines import apart, band, label_ends, means_of
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
            _words(name),
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


def _words(name: str) -> str:
    """A name from a table as it is written in a text: "Spanish reversed"."""
    return name.replace("_", " ").capitalize()


def by_rate(
    rows: "pandas.DataFrame",
    columns: Mapping[str, str],
    before: float | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Accuracies by learning rate: means over seeds with 95 % intervals.

    ``rows``: columns lr, seed and those named. ``columns``: the curve's label to its column; the
    label begins with a key of ``COLOURS``. ``before``: accuracy on the old job before the new one
    was learnt, drawn as a dotted line.
    """
    ax = ax or axes(8.0, 3.8, title)
    if before is not None:
        ax.axhline(before, color=COLOURS["old job"], linestyle=":")
        ax.text(max(rows.lr), before - 0.02, "old job, before", va="top", ha="right")
    rates, ends = sorted(set(rows.lr)), []
    for label, column in columns.items():
        means = means_of(rows, "lr", column)
        band(ax, means, colour_of(label))
        ends.append((rates[-1], max(float(means["mean"].iloc[-1]), 0.03), label))
    ax.set_xscale("log")
    ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
    ax.minorticks_off()
    ax.set_ylim(0, 1.02)
    label_ends(ax, ends)
    ax.set_xlabel("learning rate")
    ax.set_ylabel("test accuracy")
    return ax


def tradeoff(
    frame: "pandas.DataFrame",
    ways: Sequence[str],
    kept: str,
    learnt: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """What is kept of the old job against what is learnt of the new, one point a setting.

    ``frame``: columns strategy, frozen, strength, lr, seed, test_accuracy, source_accuracy.
    ``ways``: strategies, "frozen" for those with frozen stages; the first is joined by a line from
    the lowest learning rate to the highest. Each point is a mean over seeds. ``kept`` and
    ``learnt`` name the axes.
    """
    ax = ax or axes(7.6, 5.0, title)
    keys = ["strategy", "frozen", "strength", "lr"]
    columns = ["test_accuracy", "source_accuracy"]
    named = frame.assign(frozen=frame.frozen.astype(object).fillna(""))
    means = named.groupby(keys)[columns].mean().dropna().reset_index()
    means["way"] = np.where(means.frozen != "", "frozen", means.strategy)
    first, *_ = ways
    for way in ways:
        here = means[means.way == way].sort_values("lr")
        style = "o-" if way == first else "o"
        points = here.test_accuracy, here.source_accuracy
        ax.plot(
            *points, style, color=COLOURS[way], linewidth=2, markersize=8, alpha=0.85, label=way
        )
    line = means[means.way == first].sort_values("lr")
    for row in line.itertuples():
        ax.annotate(
            f"{row.lr:g}",
            (row.test_accuracy, row.source_accuracy),
            (-9, -4),
            textcoords="offset points",
            ha="right",
            va="top",
            color=COLOURS[first],
            fontsize=9,
        )
    ax.legend(loc="lower right", frameon=False, labelcolor="linecolor")
    ax.set_xlim(0, 1.03)
    ax.set_ylim(0, 1.06)
    ax.set_xlabel(learnt)
    ax.set_ylabel(kept)
    return ax


def scatter(
    points: Mapping[str, tuple[float, evidence.Interval]],
    kinds: Mapping[str, str],
    xlabel: str,
    ylabel: str,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Named points with the interval of their height, in points of accuracy.

    ``points``: name to (x, ``Interval``). ``kinds``: name to a key of ``COLOURS``.
    """
    ax = ax or axes(8.0, 4.8, title)
    for name, (x, found) in points.items():
        low, effect, high = (100 * value for value in (found.low, found.effect, found.high))
        colour = COLOURS[kinds[name]]
        ax.plot([x, x], [low, high], color=colour, linewidth=2, alpha=0.5)
        ax.plot(x, effect, "o", color=colour, markersize=8)
    ax.axhline(0, color="black", linewidth=1)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.margins(0.12)
    places = {name: (x, 100 * found.effect) for name, (x, found) in points.items()}
    _name_points(ax, places, {name: COLOURS[kinds[name]] for name in points})
    return ax


def _name_points(
    ax: Axes, points: Mapping[str, tuple[float, float]], colours: Mapping[str, str]
) -> None:
    """Write each name beside its point, on the side where it covers least."""
    ax.figure.draw_without_rendering()
    taken = [ax.transData.transform(place) for place in points.values()]
    boxes = [(x - 6, y - 6, x + 6, y + 6) for x, y in taken]
    sides = [(10, 0, "left"), (-10, 0, "right"), (0, 13, "center"), (0, -13, "center")]
    sides += [(9, 10, "left"), (9, -10, "left"), (-9, 10, "right"), (-9, -10, "right")]
    frame = ax.get_window_extent()
    for name, place in points.items():
        options = []
        for dx, dy, side in sides:
            label = ax.annotate(
                _words(name),
                place,
                (dx, dy),
                textcoords="offset points",
                ha=side,
                va="center",
                color=colours[name],
            )
            box = label.get_window_extent().extents
            overlap = sum(_shared(box, other) for other in boxes)
            outside = max(frame.x0 - box[0], box[2] - frame.x1, box[3] - frame.y1, 0)
            options.append((overlap + 100 * outside, len(options), label, box))
        options.sort(key=lambda option: option[:2])
        boxes.append(options[0][3])
        for _, _, label, _ in options[1:]:
            label.remove()


def _shared(first: Sequence[float], second: Sequence[float]) -> float:
    """Area that two boxes (x0, y0, x1, y1) have in common."""
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


def rate_finder(
    rates: Sequence[float], losses: Mapping[str, Sequence[float]], title: str = "", ax=None
) -> Axes:
    """The loss while the learning rate is raised step by step, one line a start."""
    ax = ax or axes(8.0, 3.6, title)
    for name, values in losses.items():
        colour = COLOURS.get(name, COLOURS["other language"])
        ax.plot(rates[: len(values)], values, color=colour, linewidth=2.4)
        fallen = (i for i, value in enumerate(values) if value < 0.6 * values[0])
        half = next(fallen, len(values) - 1)
        ax.annotate(
            name,
            (rates[half], values[half]),
            (8, 6),
            textcoords="offset points",
            color=colour,
            weight="bold",
        )
    ax.set_xscale("log")
    ax.set_ylim(0, 1.5 * max(values[0] for values in losses.values()))
    ax.set_xlabel("learning rate of the step")
    ax.set_ylabel("loss (nats a digit)")
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
