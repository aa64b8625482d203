"""Charts of what borrowing did: every suspect with its interval, frozen against fine-tuned, scores
that should have warned, and the paired seeds of one case.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tl_course import evidence
from tl_course.lessons.negative_transfer.foresight import AGAINST, pairs
from tl_course.plots.lines import apart
from tl_course.plots.style import COLOURS, STYLE, axes, blank, lined

if TYPE_CHECKING:
    import pandas

VERDICTS = {-1: "guilty", 0: "not proven", 1: "innocent"}  # by the sign of the interval
INK = {
    "guilty": COLOURS["from scratch"],
    "not proven": "#555555",
    "innocent": COLOURS["pretrained"],
}
SHAPES = {"guilty": "s", "not proven": "d", "innocent": "o"}  # told apart without colour too
SOURCES = {"enciphered": "enciphered Spanish", "reversed": "reversed Spanish"}
TARGETS = {
    "satellite": "satellite scenes",
    "pneumonia": "chest X-rays",
    "spoken_digits": "spectrograms",
    "digits": "digits",
    "leaves": "leaves",
    "materials": "materials",
    "text_pictures": "pictures of text",
    "numbers_italian": "Italian",
}
STRATEGIES = ("fine-tuned", "frozen")
LOOKS = {"fine-tuned": (COLOURS["fine-tuning"], "o"), "frozen": (COLOURS["frozen"], "^")}
CONTROLS = {"nothing": "x", "words counted": "+"}  # which borrow nothing, and their marks
PAIR = ["source", "task"]
AMOUNTS = ("few", "many")
NAMED = 4  # cases with a name in a crowd of points


def pair(source: str, task: str) -> str:
    """A source and its target, as the charts write them: "noise → digits"."""
    return f"{SOURCES.get(source, source)} → {TARGETS.get(task, task)}"


def suspects(
    table: "pandas.DataFrame", strict: "pandas.DataFrame | None" = None, title: str = ""
) -> Figure:
    """Every source and target as a row: what borrowing gained, with its interval.

    ``table``: what ``evidence.gains`` gives. Four columns, few and many labels, fine-tuned and
    frozen; the row with the lowest mean gain is the first. ``strict``: the same table with wider
    intervals; a filled mark keeps its verdict there, a hollow one loses it. The random backbone is
    no row; a grey cross marks it on its target's rows, and a plus what counting words does there.
    """
    marked = _judged(table, strict)
    own = marked[~marked.source.isin(CONTROLS)]
    order = own.groupby(PAIR).gain.mean().sort_values().index
    rows = {key: y for y, key in enumerate(order)}
    columns = [(strategy, more) for strategy in STRATEGIES for more in (False, True)]
    with mpl.rc_context(STYLE):
        figure = blank(11.0, 1.5 + 0.27 * len(rows))
        grid = figure.subplots(1, 4, sharey=True, sharex=True)
    for ax, (strategy, more) in zip(grid, columns, strict=True):
        amount = AMOUNTS[more]
        ax.set_title(f"{strategy}, {amount} labels", loc="left", fontsize=10.5)
        here = marked[(marked.strategy == strategy) & (marked.many == more)]
        for row in here[~here.source.isin(CONTROLS)].itertuples():
            _draw(ax, rows[row.source, row.task], row)
        for row in here[here.source.isin(CONTROLS)].itertuples():
            for y in [y for (_, task), y in rows.items() if task == row.task]:
                ax.plot(100 * row.gain, y, CONTROLS[row.source], color=COLOURS["random"])
        ax.axvline(0, color="black", linewidth=1)
        lined(ax, "x")
        ax.tick_params(axis="y", length=0)
    grid[0].set_yticks(range(len(rows)), [pair(*key) for key in rows])
    grid[0].set_ylim(len(rows) - 0.4, -0.6)
    figure.supxlabel("gain over from scratch, in points of balanced accuracy", fontsize=10.5)
    _key(figure, title, strict is not None)
    return figure


def _judged(table: "pandas.DataFrame", strict: "pandas.DataFrame | None") -> "pandas.DataFrame":
    """The table with columns ``verdict``, ``many`` (labels) and ``firm`` (holds if stricter)."""
    keys = [*PAIR, "labels", "strategy"]
    found = table.assign(
        verdict=[_verdict(row.low, row.high) for row in table.itertuples()],
        many=table.labels > table.groupby("task").labels.transform("min"),
        firm=True,
    )
    if strict is not None:
        wide = strict.set_index(keys)
        found["firm"] = [
            _verdict(*wide.loc[key, ["low", "high"]]) == verdict
            for *key, verdict in found[[*keys, "verdict"]].itertuples(index=False, name=None)
            for key in [tuple(key)]
        ]
    return found


def _verdict(low: float, high: float) -> str:
    return VERDICTS[evidence.Interval((low + high) / 2, low, high, 0).sign]


def _draw(ax: Axes, y: float, row) -> None:
    colour = INK[row.verdict]
    ax.plot([100 * row.low, 100 * row.high], [y, y], color=colour, linewidth=2, zorder=2)
    hollow = not row.firm or row.verdict == "not proven"
    ax.plot(
        100 * row.gain,
        y,
        SHAPES[row.verdict],
        color=colour,
        markerfacecolor="white" if hollow else colour,
        markersize=6,
        zorder=3,
    )


def _key(figure: Figure, title: str, strict: bool) -> None:
    """The names of the marks on top; the title before them."""
    marks = {
        "guilty": ("s", INK["guilty"], INK["guilty"]),
        "innocent": ("o", INK["innocent"], INK["innocent"]),
        "not proven": ("d", INK["not proven"], "white"),
    }
    if strict:
        marks["hollow: not if stricter"] = ("o", "black", "white")
    marks["random backbone, frozen"] = ("x", COLOURS["random"], COLOURS["random"])
    marks["words counted"] = ("+", COLOURS["random"], COLOURS["random"])
    lines = [
        Line2D([], [], color=ink, marker=mark, markerfacecolor=face, linestyle="", label=name)
        for name, (mark, ink, face) in marks.items()
    ]
    options = {"frameon": False, "ncols": len(lines), "handletextpad": 0.2, "columnspacing": 1.4}
    options |= {"title": title, "title_fontsize": 12, "alignment": "left"}
    legend = figure.legend(handles=lines, loc="outside upper left", **options)
    legend.get_title().set_weight("bold")


def two_ways(table: "pandas.DataFrame", title: str = "", ax: Axes | None = None) -> Axes:
    """The gain of each case fine-tuned (across) against that with frozen weights (up), in points.

    ``table``: what ``evidence.gains`` gives. Below the horizontal line frozen weights hurt, left of
    the vertical one fine-tuning does; shaded: they hurt only if frozen, and of these the cases that
    differ most are named. Grey crosses: a frozen random backbone; its fine-tuning is from scratch.
    """
    ax = ax or axes(7.6, 5.0, title)
    keys = [*PAIR, "labels"]
    wide = table.pivot(index=keys, columns="strategy", values="gain").mul(100).reset_index()
    control = wide[wide.source == "nothing"]
    both = wide[~wide.source.isin(CONTROLS)].dropna()
    ax.plot([0] * len(control), control["frozen"], "x", color=COLOURS["random"])
    ink = [
        INK["guilty"] if y < 0 <= x else "#333333"
        for x, y in zip(both["fine-tuned"], both["frozen"], strict=True)
    ]
    ax.scatter(both["fine-tuned"], both["frozen"], c=ink, s=34, alpha=0.8, linewidth=0, zorder=3)
    values = np.concatenate([both["fine-tuned"], both["frozen"], control["frozen"], [0.0]])
    low, high = values.min() - 6, values.max() + 6
    left = both["fine-tuned"].min() - 6
    ax.set_xlim(left, high)
    ax.set_ylim(low, high)
    ax.fill_between([0, high], low, 0, color=INK["guilty"], alpha=0.08, linewidth=0)
    ax.axhline(0, color="black", linewidth=1)
    ax.axvline(0, color="black", linewidth=1)
    ax.plot([left, high], [left, high], ":", color="#888888")
    ax.text(high, low + 2, "hurts only if frozen ", color=INK["guilty"], ha="right", weight="bold")
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1.5}
    ax.text(high - 1, high - 4, "alike", color="#666666", ha="right", va="center", bbox=box)
    shaded = both[(both["fine-tuned"] >= 0) & (both["frozen"] < 0)]
    gap = shaded["frozen"] - shaded["fine-tuned"]
    named = both.loc[gap.nsmallest(NAMED).index].sort_values("frozen", ascending=False)
    heights = apart([*named["frozen"]], 0.05 * (high - low))
    for height, row in zip(heights, named.itertuples(index=False), strict=True):
        ax.annotate(
            f"{pair(row.source, row.task)}, {row.labels}",
            (row[3], row[4]),
            (high + 0.02 * (high - left), height),
            va="center",
            fontsize=9,
            annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.8, "shrinkB": 4},
        )
    if len(control):
        ax.text(0, high - 4, "  × random backbone", color=COLOURS["random"], va="center")
    ax.set_xlabel("gain fine-tuned, in points")
    ax.set_ylabel("gain frozen, in points")
    return ax


def scores_and_gains(
    scores: "pandas.DataFrame",
    gains: "pandas.DataFrame",
    table: "pandas.DataFrame",
    name: str,
    title: str = "",
) -> Figure:
    """A score without training against the gain measured, one point a source and target.

    ``scores``: the stored ``sweep_scores``, of which the column ``name`` is drawn, a mean over
    seeds; ``gains``: what ``evidence.gains`` gives; ``table``: what ``foresight.foreseen`` gives,
    for the rank correlations written in each panel. Left few labels, right many; above the score as
    it is, below minus that of a random backbone on the same labels.
    """
    found = table[table.score == name].set_index(["against", "amount", "strategy"])
    with mpl.rc_context(STYLE):
        figure = blank(9.0, 6.4)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        grid = figure.subplots(2, 2, sharey=True, sharex="row")
    for against, line in zip(AGAINST, grid, strict=True):
        for amount, ax in zip(AMOUNTS, line, strict=True):
            for index, (strategy, (colour, mark)) in enumerate(LOOKS.items()):
                here = pairs(scores, gains, strategy)
                here = here[here.amount == amount]
                column = name if against == AGAINST[0] else f"{name} minus random"
                point = {"color": colour, "markersize": 6, "alpha": 0.75}
                ax.plot(here[column], 100 * here.gain, mark, **point)
                one = found.loc[against, amount, strategy]
                text = f"{strategy} {one.correlation:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
                place = {"transform": ax.transAxes, "va": "bottom", "fontsize": 9}
                ax.text(0.0 + 0.52 * index, 1.01, text, color=colour, **place)
            if against == AGAINST[0]:
                ax.set_title(f"{amount} labels", loc="left", fontsize=11, weight="bold", pad=20)
            ax.axhline(0, color="black", linewidth=1)
            if against != AGAINST[0]:
                ax.axvline(0, color="#888888", linewidth=1, linestyle=":")
            ax.set_xlabel(name if against == AGAINST[0] else f"{name}, minus random backbone")
        line[0].set_ylabel("gain, in points")
    return figure


def correlations(table: "pandas.DataFrame", title: str = "") -> Figure:
    """How each score goes with the gain: rank correlations with their intervals, from -1 to 1.

    ``table``: what ``foresight.foreseen`` gives. Left few labels, right many. Filled: the interval
    holds no zero.
    """
    names = [*dict.fromkeys(zip(table.score, table.against, strict=True))]
    with mpl.rc_context(STYLE):
        figure = blank(10.0, 1.6 + 0.38 * len(names))
        panels = figure.subplots(1, 2, sharey=True)
    for amount, ax in zip(AMOUNTS, panels, strict=True):
        ax.set_title(f"{amount} labels", loc="left", fontsize=10.5)
        for row in table[table.amount == amount].itertuples():
            colour, mark = LOOKS[row.strategy]
            y = names.index((row.score, row.against))
            y += 0.32 * (STRATEGIES.index(row.strategy) - 0.5)
            face = colour if row.low > 0 or row.high < 0 else "white"
            ax.plot([row.low, row.high], [y, y], color=colour, linewidth=2.2)
            ax.plot(row.correlation, y, mark, color=colour, markerfacecolor=face, markersize=7)
        ax.axvline(0, color="black", linewidth=1)
        ax.set_xlim(-1.03, 1.03)
        lined(ax, "x")
        ax.tick_params(axis="y", length=0)
    labels = [name if against == AGAINST[0] else f"{name}, minus random" for name, against in names]
    panels[0].set_yticks(range(len(names)), labels)
    panels[0].set_ylim(len(names) - 0.4, -0.6)
    figure.supxlabel("rank correlation with the gain (hollow: may be none)", fontsize=10.5)
    lines = [
        Line2D([], [], color=colour, marker=mark, label=strategy)
        for strategy, (colour, mark) in LOOKS.items()
    ]
    options = {"frameon": False, "ncols": 2, "labelcolor": "linecolor", "title": title}
    options |= {"title_fontsize": 12, "alignment": "left"}
    legend = figure.legend(handles=lines, loc="outside upper left", **options)
    legend.get_title().set_weight("bold")
    return figure


PLACES = (0.07, 0.16, 0.52, 0.70), (0.64, 0.16, 0.33, 0.70)  # of the two panels of a duel


def duel(
    source: Mapping[int, float],
    scratch: Mapping[int, float],
    found: "evidence.Interval | None",
    names: Sequence[str] = ("source", "from scratch"),
    title: str = "",
    figure: Figure | None = None,
    strategy: str = "fine-tuned",
) -> Figure:
    """One case, seed by seed: both test accuracies, and their difference with its interval.

    ``source`` and ``scratch``: seed to balanced test accuracy in [0, 1], as a dict or a Series;
    ``found``: the interval of their differences. ``figure`` is cleared and drawn on again. Without
    any seed the panels stay empty, and the title alone speaks. ``strategy``: how the source was
    trained, for colour and mark.
    """
    source, scratch = dict(source), dict(scratch)
    seeds = [seed for seed in source if seed in scratch]
    with mpl.rc_context(STYLE):
        figure = figure or blank(9.0, 3.8)
        figure.clear()
        figure.set_layout_engine("none")  # finding the places would take half the time
        left, right = (figure.add_axes(place) for place in PLACES)
    figure.text(0.012, 0.93, title, weight="bold", fontsize=12)
    ink = COLOURS["from scratch"], LOOKS[strategy][0]
    mark = LOOKS[strategy][1]
    for y, seed in enumerate(seeds):
        ends = scratch[seed], source[seed]
        left.plot(ends, [y, y], color="#BBBBBB", linewidth=2, zorder=1)
        left.plot(ends[0], y, "s", color=ink[0], markersize=6)
        left.plot(ends[1], y, mark, color=ink[1], markersize=7)
        right.plot(100 * (ends[1] - ends[0]), y, "o", color="#555555", markersize=5)
    if seeds and found is not None:
        verdict = VERDICTS[found.sign]
        low, effect, high = (100 * value for value in (found.low, found.effect, found.high))
        y = len(seeds) + 0.3
        right.plot([low, high], [y, y], color=INK[verdict], linewidth=3)
        right.plot(effect, y, SHAPES[verdict], color=INK[verdict], markersize=9)
        bold = {"weight": "bold", "va": "bottom"}
        first = left.text(
            0.0, 1.02, f"■ {names[1]}", color=ink[0], transform=left.transAxes, **bold
        )
        shown = f"   {'●' if mark == 'o' else '▲'} {names[0]}"
        left.annotate(shown, (1, 0), xycoords=first, color=ink[1], **bold)
        most = max(5.0, *(abs(value) for value in (low, high)),
                   *(100 * abs(source[s] - scratch[s]) for s in seeds))  # fmt: skip
        right.set_xlim(-1.1 * most, 1.1 * most)
        right.text(0.0, 1.02, "mean, 95 % interval", color=INK[verdict], weight="bold",
                   transform=right.transAxes)  # fmt: skip
    right.axvline(0, color="black", linewidth=1)
    left.set_xlim(0, 1)
    left.set_xlabel("balanced test accuracy")
    right.set_xlabel("difference, in points")
    for ax, labels in ((left, True), (right, False)):
        ax.set_ylim(len(seeds) + 0.8, -0.6)
        ax.set_yticks(range(len(seeds)), [str(seed) for seed in seeds] if labels else [])
        ax.tick_params(axis="y", length=0)
    left.set_ylabel("seed")
    return figure
