"""Charts of what pretraining is worth: in labels, in epochs, in computing."""

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from tl_course import evidence
from tl_course.lessons.labels import worth
from tl_course.plots.charts import label_curves
from tl_course.plots.effects import SIGNS, forest, interval, rows_axis
from tl_course.plots.grids import key, panels
from tl_course.plots.lines import PAPER, apart, band, beside, log_axis, means_of
from tl_course.plots.style import COLOURS, Look, axes, colour_of, lined

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
    looks = {name: Look(COLOURS[key]) for name, key in strategies.items()}
    figure, spots = _spots(targets, title, looks, "labelled examples", "balanced test accuracy")
    for task, ax in spots.items():
        label_curves(frame, task, strategies, column="test_balanced", named=False, ax=ax)
        log_axis(ax, ax.get_xticks(), _short)
        ax.set(xlabel="", ylabel="")
        if chance:
            ax.axhline(chance[task], color=COLOURS["random"], linestyle=":", linewidth=1.5)
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
    names = {1: f"{first} better", -1: f"{second} better", 0: "cannot be told"}
    looks = {sign: SIGNS[sign]._replace(hollow=not sign) for sign in names}
    shown = {name: looks[sign] for sign, name in names.items()}
    figure, spots = _spots(targets, title, shown, "labelled examples", "points of accuracy")
    runs = evidence.Runs(frame)
    for task, ax in spots.items():
        counts = runs.counts(task)
        found = [runs.compare(first, second, task=task, labels=count) for count in counts]
        ax.plot(counts, [100 * one.effect for one in found], color="#BBBBBB", zorder=1)
        for count, one in zip(counts, found, strict=True):
            interval(ax, count, one, looks[one.sign], 7, upright=True)
        ax.axhline(0, color="black", linewidth=1)
        log_axis(ax, counts, _short)
    return figure


def by_epoch(frame: "pandas.DataFrame", targets: Mapping[str, str], title: str = "") -> Figure:
    """Validation accuracy by epoch, a panel a target: means over seeds, 95 % bands.

    ``frame``: a row an epoch with columns task, strategy, seed, epoch, val_accuracy. The dotted
    line is the best that the seeds get from scratch, their mean.
    """
    looks = {name: Look(COLOURS[name]) for name in ("fine-tuning", "from scratch")}
    figure, spots = _spots(targets, title, looks, "epoch", "validation accuracy")
    for task, ax in spots.items():
        rows = frame[frame.task == task]
        for name, look in looks.items():
            means = means_of(rows[rows.strategy == name], "epoch", "val_accuracy")
            band(ax, means, look.colour, size=3)
        alone = rows[rows.strategy == "from scratch"].groupby("seed").val_accuracy.max()
        best = {"color": COLOURS["from scratch"], "linestyle": ":", "linewidth": 1.5}
        ax.axhline(alone.mean(), **best)
        log_axis(ax, [epoch for epoch in (1, 3, 10, 30) if epoch <= rows.epoch.max()])
        ax.set_ylim(0, 1.02)
    return figure


def _spots(
    targets: Mapping[str, str], title: str, looks: Mapping[str, Look], xlabel: str, ylabel: str
) -> tuple[Figure, dict[str, Axes]]:
    """A figure with a panel for each task, three a row or two, all with the same heights."""
    columns = 2 if len(targets) == 4 else min(3, len(targets))
    options = {"columns": columns, "title": title, "looks": looks, "sharey": True}
    names = {"xlabel": xlabel, "ylabel": ylabel}
    figure, spots = panels([*targets.values()], 8.0, 2.15, 1.0, **names, **options)
    for ax in spots:
        ax.tick_params(labelsize=9)
        lined(ax, "y")
    return figure, dict(zip(targets, spots, strict=True))


def _short(count: float) -> str:
    """A count for a narrow axis: 500, 2k; only some of them."""
    return "" if count not in NAMED else f"{count:.0f}" if count < 1000 else f"{count / 1000:g}k"


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
    runs = evidence.Runs(evidence.chosen(frame))
    wanted = float(runs.cell(task=task, labels=labels, strategy="fine-tuning").mean())
    alone = runs.wide("labels", task=task, strategy="from scratch").mean().sort_index()
    needed = worth.labels_needed(alone.index.to_numpy(), alone.to_numpy(), wanted)
    end = needed or alone.index[-1]
    arrow = {"arrowstyle": "-|>", "color": "black", "linewidth": 1.6, "shrinkA": 6, "shrinkB": 0}
    arrow["mutation_scale"] = 16
    ax.annotate("", (end, wanted), (labels, wanted), arrowprops=arrow)
    if needed:
        ax.plot([needed] * 2, [0, wanted], color="#777777", linestyle=":", linewidth=1.5)
    ax.plot([labels] * 2, [0, wanted], color="#777777", linestyle=":", linewidth=1.5)
    text = f"× {needed / labels:.1f}" if needed else f"more than × {end / labels:.0f}"
    above = (float(np.sqrt(labels * end)), wanted)
    beside(ax, text, above, 0, 7, va="bottom", weight="bold", fontsize=13, bbox=PAPER)
    return ax


def mark_wanted(
    ax: Axes, wanted: float, needed: Mapping[str, float | None], keys: Mapping[str, str]
) -> "list[Artist]":
    """A line at the accuracy wanted, and a mark where each curve reaches it; returns the artists.

    ``needed``: strategy to labels, ``None`` where the curve never gets there. ``keys``: strategy
    to a key of ``COLOURS``. ``Still`` draws the artists and takes them away again.
    """
    found: list[Artist] = [
        ax.axhline(wanted, color="black", linewidth=1.2, linestyle="--", zorder=1)
    ]
    reached = {name: count for name, count in needed.items() if count}
    low, high = np.log10(ax.get_xlim())
    places = apart([float(np.log10(count)) for count in reached.values()], 0.075 * (high - low))
    for place, (name, count) in zip(places, reached.items(), strict=True):
        colour = COLOURS[keys[name]]
        point = Look(colour, "D").point(10) | {"markeredgecolor": "white", "zorder": 5}
        found += ax.plot([count] * 2, [0, wanted], ":", color=colour, linewidth=1.6, zorder=1)
        found += ax.plot(count, wanted, **point)
        ink = {"color": colour, "weight": "bold", "ha": "center", "va": "bottom", "bbox": PAPER}
        found.append(ax.text(10**place, 0.02, f"{count:,.0f}", **ink))
    return found


def costs(amounts: Mapping[str, float], title: str = "", ax: Axes | None = None) -> Axes:
    """Multiply-adds as bars on a logarithmic axis, the amount written at the end.

    ``amounts``: label to a count; a label that begins with no name in ``COLOURS`` is dark.
    """
    ax = ax or axes(8.0, 1.1 + 0.5 * len(amounts), title)
    values = np.array([*amounts.values()]) / TRILLION
    start = 10.0 ** np.floor(np.log10(values.min()) - 0.3)
    colours = [colour_of(name) or COLOURS["old job"] for name in amounts]
    bars = ax.barh(range(len(values)), values - start, 0.62, left=start, color=colours)
    ax.bar_label(bars, [_figures(value) for value in values], padding=6, fontsize=10.5)
    rows_axis(ax, [*amounts])
    ax.set_xscale("log")
    ax.set_xlim(start, 12 * values.max())
    ax.minorticks_off()
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:,.10g}")
    ax.set_xlabel("trillions of multiply-adds (each step right: ten times as many)")
    return ax


def _figures(value: float) -> str:
    """Two significant figures, written out: 0.014, 1.4, 620."""
    return np.format_float_positional(value, 2, fractional=False, trim="-")


def shares(
    reached: Mapping[str, Mapping[str, Sequence[float]]],
    enough: float = 0.9,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How far some counts of labels get on every target, as shares with their 95 % intervals.

    ``reached``: target to count (as it is written) to one share a seed. ``enough``: dotted.
    """
    ax = ax or axes(8.0, 1.5 + 0.55 * len(reached))
    names = [*dict.fromkeys(name for found in reached.values() for name in found)]
    tones = map(to_hex, mpl.colormaps["Blues"](np.linspace(0.5, 0.95, len(names))))
    looks = {name: Look(tone, mark) for name, tone, mark in zip(names, tones, cycle(MARKS))}
    rows = {
        target: {name: evidence.paired(each, np.zeros(len(each))) for name, each in found.items()}
        for target, found in reached.items()
    }
    forest(
        rows,
        look=lambda name, _: looks[name],
        written=lambda found: f"{found.effect:.0%}",
        unit=1,
        xlabel="share of the way from guessing to the most labels measured",
        ax=ax,
    )
    key(ax.get_figure(), looks, title)
    ax.axvline(enough, color="black", linestyle=":")
    ax.set_xlim(ax.dataLim.x0, max(1.08, ax.dataLim.x1))
    ax.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    return ax
