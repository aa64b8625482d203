"""Charts of what pretraining is worth: in labels, in epochs, in computing."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tl_course import evidence
from tl_course.lessons.labels import worth
from tl_course.plots.charts import label_curves
from tl_course.plots.lines import apart, band, means_of
from tl_course.plots.style import COLOURS, STYLE, axes, blank, colour_of, lined

if TYPE_CHECKING:
    import pandas
    from matplotlib.artist import Artist

TRILLION = 1e12
NAMED = (25, 100, 500, 2000, 10_000)  # counts of labels written below a narrow panel
MARKS = "os^Dv"  # one a count of labels, so that they differ in grey too


def by_target(
    frame: "pandas.DataFrame",
    targets: Mapping[str, str],
    strategies: Mapping[str, str],
    chance: Mapping[str, float] | None = None,
    title: str = "",
) -> Figure:
    """Balanced test accuracy by labels, one panel a target: means over seeds, 95 % bands.

    ``targets``: task to the panel's title. ``strategies``: name in the table to a key of
    ``COLOURS``. ``chance``: the accuracy of guessing by task, a dotted line.
    """
    figure, panels = _panels(targets, title, {name: COLOURS[k] for name, k in strategies.items()})
    for task, ax in panels.items():
        label_curves(frame, task, strategies, column="test_balanced", named=False, ax=ax)
        _log_axis(ax, ax.get_xticks(), NAMED)
        if chance:
            ax.axhline(chance[task], color=COLOURS["random"], linestyle=":", linewidth=1.5)
    _label_outside(panels, "labelled examples", "balanced test accuracy")
    return figure


def gains_by_labels(
    frame: "pandas.DataFrame",
    targets: Mapping[str, str],
    first: str = "fine-tuning",
    second: str = "from scratch",
    title: str = "",
) -> Figure:
    """``first`` minus ``second`` by labels, paired by seed with 95 % intervals, a panel a target.

    Points of accuracy. Filled: the interval lies on one side of zero; hollow: it meets zero.
    """
    key = {f"{first} better": COLOURS["pretrained"], f"{second} better": COLOURS["from scratch"]}
    key["cannot be told"] = "#555555"
    figure, panels = _panels(targets, title, key)
    colours = dict(zip((1, -1, 0), key.values(), strict=True))
    runs = evidence.Runs(frame)
    for task, ax in panels.items():
        counts = runs.counts(task)
        found = [runs.compare(first, second, task=task, labels=count) for count in counts]
        ax.plot(counts, [100 * one.effect for one in found], color="#BBBBBB", zorder=1)
        for count, one in zip(counts, found, strict=True):
            colour = colours[one.sign]
            ax.plot([count] * 2, [100 * one.low, 100 * one.high], color=colour, linewidth=2.4)
            inside = colour if one.sign else "white"
            point = {"color": colour, "markerfacecolor": inside, "markersize": 7}
            ax.plot(count, 100 * one.effect, "o", **point)
        ax.axhline(0, color="black", linewidth=1)
        _log_axis(ax, counts, NAMED)
    least = min(ax.get_ylim()[0] for ax in panels.values())
    most = max(ax.get_ylim()[1] for ax in panels.values())
    for ax in panels.values():
        ax.set_ylim(least, most)
    _label_outside(panels, "labelled examples", "points of accuracy")
    return figure


def by_epoch(frame: "pandas.DataFrame", targets: Mapping[str, str], title: str = "") -> Figure:
    """Validation accuracy by epoch, a panel a target: means over seeds, 95 % bands.

    ``frame``: a row an epoch with columns task, strategy, seed, epoch, val_accuracy. The dotted
    line is the best that the seeds get from scratch, their mean.
    """
    strategies = ("fine-tuning", "from scratch")
    figure, panels = _panels(targets, title, {name: COLOURS[name] for name in strategies})
    for task, ax in panels.items():
        rows = frame[frame.task == task]
        for name in strategies:
            here = rows[rows.strategy == name]
            means = means_of(here, "epoch", "val_accuracy")
            band(ax, means, COLOURS[name])
            if name == "from scratch":
                best = here.groupby("seed").val_accuracy.max().mean()
                ax.axhline(best, color=COLOURS[name], linestyle=":", linewidth=1.5)
        for line in ax.lines:
            line.set_markersize(3)
        ticks = [epoch for epoch in (1, 3, 10, 30) if epoch <= rows.epoch.max()]
        _log_axis(ax, ticks, ticks)
        ax.set_ylim(0, 1.02)
    _label_outside(panels, "epoch", "validation accuracy")
    return figure


def _panels(
    targets: Mapping[str, str], title: str, key: Mapping[str, str]
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each task, three a row, and the names of the colours on top."""
    columns = min(3, len(targets)) if len(targets) != 4 else 2
    rows = -(-len(targets) // columns)
    with mpl.rc_context({**STYLE, "axes.titlesize": 11, "axes.titlepad": 6}):
        figure = blank(8.0, 1.0 + 2.15 * rows)
        grid = figure.subplots(rows, columns, squeeze=False).flat
        panels = dict(zip(targets, grid, strict=False))
        for task, ax in panels.items():
            ax.set_title(targets[task])
    for ax in grid[len(targets) :]:
        ax.remove()
    lines = [Line2D([], [], color=colour, linewidth=3, label=name) for name, colour in key.items()]
    options = {"frameon": False, "labelcolor": "linecolor", "ncols": len(lines)}
    options |= {"title": title, "title_fontsize": 12, "alignment": "left"}
    legend = figure.legend(handles=lines, loc="outside upper left", **options)
    for text in (legend.get_title(), *legend.get_texts()):
        text.set_weight("bold")
    return figure, panels


def _label_outside(panels: Mapping[str, Axes], xlabel: str, ylabel: str) -> None:
    """Name the axes once: x below the lowest panels, y beside the leftmost."""
    for ax in panels.values():
        place = ax.get_subplotspec()
        ax.set_xlabel(xlabel if place.is_last_row() else "")
        ax.set_ylabel(ylabel if place.is_first_col() else "")
        ax.tick_params(labelsize=9)
        lined(ax, "y")


def _log_axis(ax: Axes, counts: Sequence[int], named: Sequence[int]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(counts, [_short(count) if count in named else "" for count in counts])
    ax.minorticks_off()


def _short(count: float) -> str:
    """A count for a narrow axis: 500, 2k."""
    return f"{count:.0f}" if count < 1000 else f"{count / 1000:g}k"


def worth_in_labels(
    frame: "pandas.DataFrame",
    task: str,
    labels: int,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Two learning curves, and the arrow from fine-tuning to as many labels from scratch needs.

    Both curves are means over seeds; the arrow begins at ``labels`` and ends where from scratch is
    as good, read on the logarithmic axis. Where it never is, the arrow ends with the curve.
    """
    strategies = {"fine-tuning": "fine-tuning", "from scratch": "from scratch"}
    ax = label_curves(frame, task, strategies, title, column="test_balanced", ax=ax)
    wanted, needed, last = _reach(frame, task, labels)
    end = needed or last
    arrow = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.6, "shrinkA": 6, "shrinkB": 0}
    arrow["mutation_scale"] = 16
    ax.annotate("", (end, wanted), (labels, wanted), arrowprops=arrow)
    if needed:
        ax.plot([needed] * 2, [0, wanted], color="#777777", linestyle=":", linewidth=1.5)
    ax.plot([labels] * 2, [0, wanted], color="#777777", linestyle=":", linewidth=1.5)
    text = f"× {needed / labels:.1f}" if needed else f"more than × {last / labels:.0f}"
    middle = float(np.sqrt(labels * end))
    ax.annotate(
        text,
        (middle, wanted),
        (0, 7),
        textcoords="offset points",
        ha="center",
        weight="bold",
        fontsize=13,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5, "alpha": 0.8},
    )
    return ax


def _reach(frame: "pandas.DataFrame", task: str, labels: int) -> tuple[float, float | None, int]:
    """What fine-tuning reaches, the labels from scratch needs on the mean curve, the most there."""
    runs = evidence.Runs(frame)
    wanted = float(runs.cell(task=task, labels=labels, strategy="fine-tuning").mean())
    rows = evidence.chosen(frame)
    rows = rows[(rows.task == task) & (rows.strategy == "from scratch")]
    alone = rows.groupby("labels").test_balanced.mean()
    needed = worth.labels_needed(alone.index.to_numpy(), alone.to_numpy(), wanted)
    return wanted, needed, int(alone.index.max())


def mark_wanted(
    ax: Axes, wanted: float, needed: Mapping[str, float | None], keys: Mapping[str, str]
) -> "list[Artist]":
    """A line at the accuracy wanted, and a mark where each curve reaches it; returns the artists.

    ``needed``: strategy to labels, ``None`` where the curve never gets there. ``keys``: strategy
    to a key of ``COLOURS``. ``Still`` draws the artists and takes them away again.
    """
    line = ax.axhline(wanted, color="black", linewidth=1.2, linestyle="--", zorder=1)
    found: list[Artist] = [line]
    reached = {name: count for name, count in needed.items() if count}
    low, high = np.log10(ax.get_xlim())
    places = apart([float(np.log10(count)) for count in reached.values()], 0.075 * (high - low))
    for place, (name, count) in zip(places, reached.items(), strict=True):
        colour = COLOURS[keys[name]]
        found += ax.plot([count] * 2, [0, wanted], ":", color=colour, linewidth=1.6, zorder=1)
        found += ax.plot(
            count, wanted, "D", color=colour, markersize=10, markeredgecolor="white", zorder=5
        )
        ink = {"color": colour, "weight": "bold", "ha": "center", "va": "bottom"}
        box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}
        found.append(ax.text(10**place, 0.02, f"{count:,.0f}", bbox=box, **ink))
    return found


def costs(amounts: Mapping[str, float], title: str = "", ax: Axes | None = None) -> Axes:
    """Multiply-adds as bars on a logarithmic axis, the amount written at the end.

    ``amounts``: label to a count; a label that begins with no name in ``COLOURS`` is dark.
    """
    ax = ax or axes(8.0, 1.1 + 0.5 * len(amounts), title)
    values = np.array([*amounts.values()]) / TRILLION
    start = 10.0 ** np.floor(np.log10(values.min()) - 0.3)
    for y, (name, value) in enumerate(zip(amounts, values, strict=True)):
        ax.barh(y, value - start, 0.62, left=start, color=colour_of(name) or COLOURS["old job"])
        ax.annotate(
            _figures(value), (value, y), (6, 0), textcoords="offset points", va="center", size=10.5
        )
    ax.set_xscale("log")
    ax.set_xlim(start, 12 * values.max())
    ax.set_yticks(range(len(amounts)), [*amounts])
    ax.set_ylim(len(amounts) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.set_xlabel("trillions of multiply-adds (each step right: ten times as many)")
    return ax


def _figures(value: float) -> str:
    """Two significant figures, written out: 0.014, 1.4, 620."""
    digits = max(0, 1 - int(np.floor(np.log10(value))))
    return f"{float(f'{value:.2g}'):,.{digits}f}"


def shares(
    reached: Mapping[str, Mapping[str, Sequence[float]]],
    enough: float = 0.9,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How far some counts of labels get on every target, as shares with their 95 % intervals.

    ``reached``: target to count (as it is written) to one share a seed. ``enough``: dotted.
    """
    ax = ax or axes(8.0, 1.3 + 0.55 * len(reached), title)
    names = [*dict.fromkeys(name for found in reached.values() for name in found)]
    tones = mpl.colormaps["Blues"](np.linspace(0.5, 0.95, len(names)))
    for y, found in enumerate(reached.values()):
        for name, values in found.items():
            index = names.index(name)
            one = evidence.paired(values, np.zeros(len(values)))
            level = y + 0.3 * (index - (len(names) - 1) / 2)
            ax.plot([one.low, one.high], [level] * 2, color=tones[index], linewidth=3)
            ax.plot(one.effect, level, MARKS[index % len(MARKS)], color=tones[index], markersize=8)
            ax.annotate(
                f"{one.effect:.0%}",
                (max(one.high, one.effect), level),
                (7, 0),
                textcoords="offset points",
                va="center",
                color=tones[index],
                weight="bold",
            )
    lines = [
        Line2D([], [], color=tone, marker=MARKS[i % len(MARKS)], linestyle="", label=name)
        for i, (name, tone) in enumerate(zip(names, tones, strict=True))
    ]
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": len(lines)}
    legend = ax.legend(handles=lines, frameon=False, **place)
    for text, tone in zip(legend.get_texts(), tones, strict=True):
        text.set(color=tone, weight="bold")
    ax.axvline(enough, color="black", linestyle=":")
    ax.set_yticks(range(len(reached)), [*reached])
    ax.set_ylim(len(reached) - 0.45, -0.55)
    least, most = ax.get_xlim()
    ax.set_xlim(min(0, least), max(1.08, most))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    ax.set_xlabel("share of the way from guessing to the most labels measured")
    lined(ax, "x")
    return ax
