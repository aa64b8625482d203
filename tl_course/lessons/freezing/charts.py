"""Charts of how much is frozen: by labels, by target, by what BatchNorm does, by policy."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from tl_course import evidence, store
from tl_course.lessons.freezing import recipe
from tl_course.plots.lines import apart, label_ends, means_of
from tl_course.plots.style import COLOURS, STYLE, axes, blank, colour_of, lined

if TYPE_CHECKING:
    import pandas

# what is frozen, as the rows of a map say it
FROZEN = {
    "fine-tuning": "nothing",
    "frozen to layer1": "to layer1",
    "frozen to layer2": "to layer2",
    "frozen to layer3": "to layer3",
    "head alone": "all but the head",
}
CONTROLS = ("from scratch", "head on random backbone")
MARKERS = dict(zip(recipe.FROZEN, "osv^DXP", strict=True))  # told apart without colour too
FAR_BEHIND = 15  # points; a cell that far behind the best is white
OPEN, FILLED = "white", None
# colour, marker and filling: colour says what is trained, filling what else happens
LOOKS = {
    **{name: (name, marker, FILLED) for name, marker in MARKERS.items()},
    "head on random backbone": ("head on random backbone", "o", OPEN),
    "frozen, fixed": ("frozen", "o", FILLED),
    "frozen, statistics move": ("frozen", "o", OPEN),
    "frozen, BatchNorm trained": ("frozen", "^", FILLED),
    "features only": ("head alone", "D", FILLED),
    "fine-tune at once": ("fine-tuning", "o", FILLED),
    "features until they stop, then all": ("frozen to layer1", "s", FILLED),
    "features for one epoch, then all": ("frozen to layer1", "s", OPEN),
    "features until they stop, then from the top": ("frozen to layer3", "v", FILLED),
}


def standings(frame: "pandas.DataFrame", task: str) -> "pandas.DataFrame":
    """How the depths compare on ``task``: one row a number of labels and strategy.

    Columns ``labels``, ``strategy``, ``mean`` (balanced test accuracy in [0, 1]), ``behind`` (the
    best mean of that number of labels minus this one), ``best``, ``tied`` (not the best, but the
    paired 95 % interval of the difference holds zero). Raises ``UnknownName`` for a task without
    runs of five seeds.
    """
    import pandas

    rows = evidence.chosen(frame)
    rows = rows[rows.strategy.isin(recipe.PRETRAINED)]
    tasks = list(dict.fromkeys(rows.task))
    rows = rows[rows.task == store.choose("task with stored runs", task, tasks)]
    wide = rows.pivot(index=["labels", "seed"], columns="strategy", values="test_balanced")
    found = []
    for labels, here in wide.dropna().groupby(level="labels"):
        if len(here) < 5:
            continue
        best = here.mean().idxmax()
        for strategy in here:
            gap = evidence.paired(here[best], here[strategy])
            first = strategy == best
            tied = not first and gap.sign == 0
            found.append((labels, strategy, here[strategy].mean(), gap.effect, first, tied))
    columns = ["labels", "strategy", "mean", "behind", "best", "tied"]
    return pandas.DataFrame(found, columns=columns)


def depth_map(
    frame: "pandas.DataFrame", task: str, title: str = "", ax: Axes | None = None
) -> Axes:
    """Where the sweet spot lies on one target: a row a depth, a column a number of labels.

    ``frame``: columns task, labels, strategy, seed, test_accuracy, test_balanced. The number is
    the mean balanced test accuracy in percent; a cell is the darker the fewer points it is behind
    the best of its column. Thick frame: the best; thin frame: not told from the best.
    """
    table = standings(frame, task)
    labels = sorted(set(table.labels))
    ax = ax or axes(2.0 + 0.62 * len(labels), 2.6, title)
    if title:
        ax.set_title(title, loc="left", fontsize=11)
    order = [*FROZEN]
    behind = table.pivot(index="strategy", columns="labels", values="behind").loc[order, labels]
    shade = 0.62 * (1 - (100 * behind.to_numpy() / FAR_BEHIND).clip(0, 1))
    ax.imshow(shade, cmap=mpl.colormaps["Blues"], vmin=0, vmax=1, aspect="auto")
    for row in table.itertuples():
        x, y = labels.index(row.labels), order.index(row.strategy)
        weight = "bold" if row.best else "normal"
        ax.text(x, y, f"{100 * row.mean:.0f}", ha="center", va="center", weight=weight)
        if row.best or row.tied:
            style = {"fill": False, "edgecolor": "black", "linewidth": 2.4 if row.best else 0.8}
            ax.add_patch(Rectangle((x - 0.44, y - 0.42), 0.88, 0.84, **style))
    ax.set_xticks(range(len(labels)), [f"{count:,}" for count in labels])
    ax.set_yticks(range(len(order)), [FROZEN[name] for name in order])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def depth_maps(frame: "pandas.DataFrame", targets: Mapping[str, str], title: str = "") -> Figure:
    """``depth_map`` of several targets, two in a row. ``targets``: task to the title of its map.

    Equal numbers of labels stand below each other.
    """
    count = -(-len(targets) // 2)
    figure, panels = _panels(count, 2, (11.0, 2.25 * count + 0.9), title)
    most = max(frame[frame.task.isin(targets)].groupby("task").labels.nunique())
    for index, ax in enumerate(panels.flat):
        if index >= len(targets):
            ax.remove()
            continue
        task, name = [*targets.items()][index]
        depth_map(frame, task, title=name, ax=ax)
        ax.set_xlim(-0.5, most - 0.5)
        if index % 2:
            ax.set_yticklabels([])
        if index // 2 == count - 1:
            ax.set_xlabel("labelled pictures")
    figure.supylabel("frozen", fontsize=11)
    figure.supxlabel(
        "Number: mean balanced test accuracy in %. Thick frame: best of its column. Thin frame: "
        f"not told from the best.\nThe lighter, the further behind; white: {FAR_BEHIND} points or "
        "more.",
        fontsize=10,
    )
    return figure


def depth_lines(
    frame: "pandas.DataFrame",
    task: str,
    strategies: Sequence[str] = (*FROZEN, "from scratch"),
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Test accuracy by number of labels, one line a depth: means over seeds, 95 % intervals.

    ``frame``: columns task, labels, strategy, seed, test_accuracy, test_balanced.
    """
    ax = ax or axes(9.0, 4.6, title)
    rows = evidence.chosen(frame)
    rows = rows[rows.task == task]
    ends = []
    for index, strategy in enumerate(strategies):
        means = means_of(rows[rows.strategy == strategy], "labels", "test_balanced")
        colour = COLOURS[strategy]
        # a little beside each other, so that the intervals do not hide one another
        places = means.index * 1.03 ** (index - (len(strategies) - 1) / 2)
        errors = [means["mean"] - means.low, means.high - means["mean"]]
        style = "--" if strategy in CONTROLS else "-"
        look = {"marker": MARKERS[strategy], "linestyle": style, "color": colour, "linewidth": 2}
        ax.errorbar(places, means["mean"], errors, elinewidth=1, capsize=2, **look)
        ends.append((places[-1], float(means["mean"].iloc[-1]), strategy))
    labels = sorted(set(rows.labels))
    ax.set_xscale("log")
    ax.set_xticks(labels, [f"{label:,}" for label in labels])
    ax.minorticks_off()
    ax.set_ylim(0, 1)
    last = max(x for x, _, _ in ends)
    label_ends(ax, [(last, y, name) for _, y, name in ends])
    ax.set_xlabel("labelled pictures")
    ax.set_ylabel("balanced test accuracy")
    return ax


def depth_profile(
    rows: "pandas.DataFrame",
    chosen: str = "",
    live: Mapping[str, float] | None = None,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Accuracy by depth for one task and number of labels, with the controls as lines across.

    ``rows``: columns strategy, seed, test_balanced of that cell. ``chosen``: the strategy whose
    seeds are shown as points. ``live``: strategy to an accuracy measured now, a diamond.
    """
    ax = ax or axes(8.0, 3.8, title)
    means = means_of(rows, "strategy", "test_balanced")
    order = [name for name in FROZEN if name in means.index]
    for name in CONTROLS:
        if name in means.index:
            ax.axhline(means.loc[name, "mean"], color=COLOURS[name], linestyle="--", linewidth=1.6)
    heights = apart([float(means.loc[name, "mean"]) for name in CONTROLS], 0.11)
    for name, height in zip(CONTROLS, heights, strict=True):
        ax.text(
            1.01,
            height,
            name.replace("on random", "on\nrandom"),
            color=COLOURS[name],
            va="center",
            transform=ax.get_yaxis_transform(),
        )
    here = means.loc[order]
    ax.plot(range(len(order)), here["mean"], color="#BBBBBB", zorder=1)
    for x, name in enumerate(order):
        mean, low, high = here.loc[name, ["mean", "low", "high"]]
        picked = name == chosen
        colour = COLOURS[name]
        ax.plot([x, x], [low, high], color=colour, linewidth=5 if picked else 2.5, alpha=0.6)
        size = 13 if picked else 9
        ax.plot(x, mean, MARKERS[name], color=colour, markersize=size, markeredgecolor="white")
        if picked:
            ax.axvspan(x - 0.4, x + 0.4, color="#999999", alpha=0.16, linewidth=0, zorder=0)
            seeds = rows.loc[rows.strategy == name, "test_balanced"].to_numpy()
            spread = x + 0.12 + np.linspace(0, 0.12, len(seeds))
            ax.plot(spread, seeds, ".", color=colour, markersize=8)
        if name in (live or {}):
            ax.plot(x - 0.2, live[name], "D", color="black", markersize=9, markeredgecolor="white")
    ax.set_xticks(range(len(order)), [FROZEN[name] for name in order])
    ax.set_xlim(-0.5, len(order) - 0.5)
    ax.set_ylim(0, 1.02)
    ax.set_xlabel("frozen")
    ax.set_ylabel("balanced test accuracy")
    return ax


def by_group(
    frame: "pandas.DataFrame",
    group: str,
    panel: str,
    strategies: Sequence[str],
    names: Mapping[object, str] | None = None,
    title: str = "",
) -> Figure:
    """Every seed as a point beside its mean with a 95 % interval, for strategies side by side.

    ``frame``: columns ``group`` (along the axis), ``panel`` (side by side), strategy, seed,
    test_accuracy, test_balanced. ``strategies``: keys of ``LOOKS``. ``names``: values of group and
    panel as they are to be written.
    """
    rows = evidence.chosen(frame)
    panels, groups = ([*dict.fromkeys(rows[column])] for column in (panel, group))
    names = {} if names is None else names
    figure, drawn = _panels(1, len(panels), (10.5, 4.3), title)
    step = 0.84 / len(strategies)
    for ax, value in zip(drawn.flat, panels, strict=True):
        for index, strategy in enumerate(strategies):
            here = rows[(rows[panel] == value) & (rows.strategy == strategy)]
            means = means_of(here, group, "test_balanced")
            key, marker, filled = LOOKS[strategy]
            look = {"color": COLOURS[key], "markerfacecolor": filled or COLOURS[key]}
            for x, name in enumerate(groups):
                if name not in means.index:
                    continue
                place = x + step * (index - (len(strategies) - 1) / 2)
                mean, low, high = means.loc[name, ["mean", "low", "high"]]
                seeds = here.loc[here[group] == name, "test_balanced"]
                beside = [place + 0.3 * step] * len(seeds)
                ax.plot(beside, seeds, ".", color=COLOURS[key], markersize=4, alpha=0.7)
                ax.plot([place, place], [low, high], color=COLOURS[key], linewidth=1.6)
                label = strategy if x == 0 else None
                ax.plot(place, mean, marker, markersize=7, linestyle="", label=label, **look)
        ax.set_xticks(range(len(groups)), [names.get(name, name) for name in groups])
        ax.set_title(names.get(value, value), loc="left", fontsize=11)
        lined(ax, "y")
        ax.tick_params(axis="x", length=0)
    drawn.flat[0].set_ylabel("balanced test accuracy")
    keys = drawn.flat[0].get_legend_handles_labels()
    columns = len(strategies) if len(strategies) < 5 else 3
    figure.legend(*keys, loc="outside lower center", ncols=columns, frameon=False)
    return figure


def batches_shown(
    curves: Mapping[str, Sequence[float]], every: int = 1, title: str = "", ax: Axes | None = None
) -> Axes:
    """Accuracy by number of batches that a frozen network was merely shown, one line a mode.

    ``curves``: label to accuracies in [0, 1], ``every`` so many batches; the last line is dashed.
    """
    ax = ax or axes(8.0, 3.6, title)
    ends = []
    for index, (label, values) in enumerate(curves.items()):
        style = "--" if index == len(curves) - 1 else "-"
        batches = every * np.arange(len(values))
        colour = COLOURS["frozen"]
        ax.plot(batches, values, style, color=colour, linewidth=2.4, marker="o", label=label)
        ends.append((batches[-1], values[-1], label))
    ax.set_ylim(0, 1)
    label_ends(ax, ends)
    for text in ax.texts:
        text.set_color(colour_of(text.get_text()) or COLOURS["frozen"])
    ax.set_xlabel("batches shown")
    ax.set_ylabel("accuracy on the old job")
    return ax


def _panels(rows: int, columns: int, size: tuple[float, float], title: str):
    """A figure in the course's style and its axes (rows, columns), all with the same heights."""
    with mpl.rc_context(STYLE):
        figure = blank(*size)
        panels = figure.subplots(rows, columns, squeeze=False, sharey=rows == 1)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        return figure, panels
