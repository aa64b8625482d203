"""Charts of how much is frozen: by labels, by target, by what BatchNorm does, by policy."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence, store
from tl_course.lessons.freezing import recipe
from tl_course.plots.charts import learning_curves
from tl_course.plots.effects import interval
from tl_course.plots.grids import panels
from tl_course.plots.lines import apart, label_ends, log_axis, means_of, seed_points
from tl_course.plots.stages import cells, frame_cell, unframed
from tl_course.plots.style import COLOURS, Look, axes, entitle, lined

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
BELOW = f"""labelled pictures
Number: mean balanced test accuracy in %. Thick frame: best of its column. Thin frame: not told from
the best. The lighter, the further behind; white: {FAR_BEHIND} points or more."""
# colour says what is trained, filling what else happens
LOOKS = {
    **{name: Look(COLOURS[name], marker) for name, marker in MARKERS.items()},
    "head on random backbone": Look(COLOURS["head on random backbone"], "o", hollow=True),
    "frozen, fixed": Look(COLOURS["frozen"], "o"),
    "frozen, statistics move": Look(COLOURS["frozen"], "o", hollow=True),
    "frozen, BatchNorm trained": Look(COLOURS["frozen"], "^"),
    "features only": Look(COLOURS["head alone"], "D"),
    "fine-tune at once": Look(COLOURS["fine-tuning"], "o"),
    "features until they stop, then all": Look(COLOURS["frozen to layer1"], "s"),
    "features for one epoch, then all": Look(COLOURS["frozen to layer1"], "s", hollow=True),
    "features until they stop, then from the top": Look(COLOURS["frozen to layer3"], "v"),
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
    labels, order = sorted(set(table.labels)), [*FROZEN]
    ax = ax or axes(2.0 + 0.62 * len(labels), 2.6)
    if title:
        entitle(ax, title, fontsize=11, pad=6)
    wide = table.pivot(index="strategy", columns="labels").loc[order]
    shades = 0.6 * (1 - (100 * wide.behind.to_numpy() / FAR_BEHIND).clip(0, 1))
    drawn = cells(ax, shades, (100 * wide["mean"]).map("{:.0f}".format).to_numpy())
    for row in table[table.best | table.tied].itertuples():
        y, x = order.index(row.strategy), labels.index(row.labels)
        frame_cell(ax, y, x, "black", 2.4 if row.best else 0.8)
        drawn[1 + y * len(labels) + x].set_weight("bold" if row.best else "normal")
    ax.set_xticks(range(len(labels)), [f"{count:,}" for count in labels])
    ax.set_yticks(range(len(order)), [*FROZEN.values()])
    return unframed(ax)


def depth_maps(frame: "pandas.DataFrame", targets: Mapping[str, str], title: str = "") -> Figure:
    """``depth_map`` of several targets, two in a row. ``targets``: task to the title of its map.

    Equal numbers of labels stand below each other.
    """
    figure, spots = panels([*targets.values()], 11.0, 2.25, 1.1, columns=2, title=title,
                           xlabel=BELOW, ylabel="frozen", sharey=True)  # fmt: skip
    most = max(frame[frame.task.isin(targets)].groupby("task").labels.nunique())
    for task, ax in zip(targets, spots, strict=True):
        depth_map(frame, task, ax=ax)
        ax.set_xlim(-0.5, most - 0.5)
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
        ends.append((places[-1], float(means["mean"].iloc[-1]), strategy, colour))
    log_axis(ax, sorted(set(rows.labels)))
    ax.set_ylim(0, 1)
    label_ends(ax, ends)
    ax.set(xlabel="labelled pictures", ylabel="balanced test accuracy")
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
    heights = apart([float(means.loc[name, "mean"]) for name in CONTROLS], 0.11)
    for name, height in zip(CONTROLS, heights, strict=True):
        ax.axhline(means.loc[name, "mean"], color=COLOURS[name], linestyle="--", linewidth=1.6)
        beyond = {"transform": ax.get_yaxis_transform(), "va": "center", "color": COLOURS[name]}
        ax.text(1.01, height, name.replace("on random", "on\nrandom"), **beyond)
    ax.plot(range(len(order)), means.loc[order, "mean"], color="#BBBBBB", zorder=1)
    for x, name in enumerate(order):
        look, picked = Look(COLOURS[name], MARKERS[name]), name == chosen
        interval(ax, x, _found(means, name), look, 13 if picked else 9, unit=1, upright=True)
        if picked:
            ax.axvspan(x - 0.4, x + 0.4, color="#999999", alpha=0.16, linewidth=0, zorder=0)
            seeds = rows.loc[rows.strategy == name, "test_balanced"]
            seed_points(ax, seeds, x + 0.2, 0.06, look.colour, size=28, upright=True)
        if name in (live or {}):
            ax.plot(x - 0.2, live[name], "D", color="black", markersize=9, markeredgecolor="white")
    ax.set_xticks(range(len(order)), [FROZEN[name] for name in order])
    ax.set(
        xlim=(-0.5, len(order) - 0.5),
        ylim=(0, 1.02),
        xlabel="frozen",
        ylabel="balanced test accuracy",
    )
    return ax


def _found(means: "pandas.DataFrame", name) -> evidence.Interval:
    """A row of what ``means_of`` gives."""
    return evidence.Interval(*means.loc[name, ["mean", "low", "high", "n"]])


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
    rows, names = evidence.chosen(frame), names or {}
    values, groups = ([*dict.fromkeys(rows[column])] for column in (panel, group))
    looks, titles = {name: LOOKS[name] for name in strategies}, [names.get(v, v) for v in values]
    figure, spots = panels(titles, 10.5, 4.3, title=title, looks=looks,
                           ylabel="balanced test accuracy", sharey=True)  # fmt: skip
    step = 0.84 / len(strategies)
    for ax, value in zip(spots, values, strict=True):
        for index, (strategy, look) in enumerate(looks.items()):
            here = rows[(rows[panel] == value) & (rows.strategy == strategy)]
            means = means_of(here, group, "test_balanced")
            for name in means.index:
                x = groups.index(name) + step * (index - (len(strategies) - 1) / 2)
                interval(ax, x, _found(means, name), look, 7, unit=1, upright=True)
                seeds = here.loc[here[group] == name, "test_balanced"]
                seed_points(ax, seeds, x + 0.36 * step, 0, look.colour, upright=True)
        ax.set_xticks(range(len(groups)), [names.get(name, name) for name in groups])
        ax.tick_params(axis="x", length=0)
        lined(ax, "y")
    return figure


def batches_shown(
    curves: Mapping[str, Sequence[float]], every: int = 1, title: str = "", ax: Axes | None = None
) -> Axes:
    """Accuracy by number of batches that a frozen network was merely shown, one line a mode.

    ``curves``: label to accuracies in [0, 1], ``every`` so many batches; the last line is dashed.
    """
    names = {"xlabel": "batches shown", "ylabel": "accuracy on the old job"}
    line = {"look": Look(COLOURS["frozen"], "o"), "dashed": [*curves][-1:], "every": every}
    return learning_curves(curves, title=title, first=0, ax=ax, **names, **line)
