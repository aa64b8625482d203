"""Charts of what borrowing did: every suspect with its interval, frozen against fine-tuned, scores
that should have warned, and the paired seeds of one case.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course.evidence import Interval
from tl_course.lessons.negative_transfer.foresight import AGAINST, pairs
from tl_course.plots.effects import forest, interval, rows_axis
from tl_course.plots.grids import key, panels
from tl_course.plots.lines import PAPER, label_ends
from tl_course.plots.style import COLOURS, Look, axes, blank, styled

if TYPE_CHECKING:
    import pandas

VERDICTS = {-1: "guilty", 1: "innocent", 0: "not proven"}  # by the sign of the interval
LOOKS = {  # told apart without colour too
    "guilty": Look(COLOURS["from scratch"], "s"),
    "innocent": Look(COLOURS["pretrained"], "o"),
    "not proven": Look("#555555", "d", hollow=True),
    "fine-tuned": Look(COLOURS["fine-tuning"], "o"),
    "frozen": Look(COLOURS["frozen"], "^"),
    "from scratch": Look(COLOURS["from scratch"], "s"),
}
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
CONTROLS = {"nothing": Look(COLOURS["random"], "x"), "words counted": Look(COLOURS["random"], "+")}
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
    signs = _signs(table)
    firm = signs == (signs if strict is None else _signs(strict)[signs.index])
    many = table.labels > table.groupby("task").labels.transform("min")
    marked = table.assign(many=many, firm=firm.to_numpy())
    own = marked[~marked.source.isin(CONTROLS)]
    order = own.groupby(PAIR).gain.mean().sort_values().index
    columns = [(strategy, more) for strategy in STRATEGIES for more in (False, True)]
    figure, spots = panels(
        [f"{strategy}, {AMOUNTS[more]} labels" for strategy, more in columns],
        11.0,
        0.27 * len(order),
        more=1.7,
        title=title,
        looks=_named(strict is not None),
        xlabel="gain over from scratch, in points of balanced accuracy",
        sharex=True,
        sharey=True,
    )
    for ax, (strategy, more) in zip(spots, columns, strict=True):
        here = marked[(marked.strategy == strategy) & (marked.many == more)].set_index(PAIR)
        rows, looks = {pair(*case): {} for case in order}, {}
        for case in here.index.intersection(order):
            row, name = here.loc[case], pair(*case)
            rows[name] = Interval(row.gain, row.low, row.high, row.seeds)
            look = LOOKS[VERDICTS[rows[name].sign]]
            looks[name] = look._replace(hollow=look.hollow or not row.firm)
        forest(rows, lambda name, _, looks=looks: looks[name], size=6, ax=ax)
        for source, look in CONTROLS.items():
            for y, (_, task) in enumerate(order):
                if (source, task) in here.index:
                    ax.plot(100 * here.gain[source, task], y, **look.point(6))
    return figure


def _signs(table: "pandas.DataFrame") -> "pandas.Series":
    """Of each case the sign of its interval, see ``Interval.sign``."""
    found = table.set_index([*PAIR, "labels", "strategy"])
    return (found.low > 0).astype(int) - (found.high < 0)


def _named(strict: bool) -> dict[str, Look]:
    """What the marks mean."""
    looks = {verdict: LOOKS[verdict] for verdict in VERDICTS.values()}
    if strict:
        looks["hollow: not if stricter"] = Look("black", "o", hollow=True)
    return looks | dict(
        zip(("random backbone, frozen", "words counted"), CONTROLS.values(), strict=True)
    )


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
    ax.plot([0] * len(control), control["frozen"], **CONTROLS["nothing"].point(6))
    shaded = (both["fine-tuned"] >= 0) & (both["frozen"] < 0)
    ink = np.where(shaded, LOOKS["guilty"].colour, "#333333")
    ax.scatter(both["fine-tuned"], both["frozen"], c=ink, s=34, alpha=0.8, linewidth=0, zorder=3)
    values = np.concatenate([both["fine-tuned"], both["frozen"], control["frozen"], [0.0]])
    low, high, left = values.min() - 6, values.max() + 6, both["fine-tuned"].min() - 6
    ax.fill_between([0, high], low, 0, color=LOOKS["guilty"].colour, alpha=0.08, linewidth=0)
    ax.axhline(0, color="black", linewidth=1)
    ax.axvline(0, color="black", linewidth=1)
    ax.plot([left, high], [left, high], ":", color="#888888")
    bold = {"color": LOOKS["guilty"].colour, "ha": "right", "weight": "bold"}
    ax.text(high, low + 2, "hurts only if frozen ", **bold)
    ax.text(high - 1, high - 4, "alike", color="#666666", ha="right", va="center", bbox=PAPER)
    if len(control):
        ax.text(0, high - 4, "  × random backbone", color=COLOURS["random"], va="center")
    ax.set(xlim=(left, high), ylim=(low, high))
    ax.set(xlabel="gain fine-tuned, in points", ylabel="gain frozen, in points")
    gap = (both["frozen"] - both["fine-tuned"])[shaded]
    ends = [
        (row["fine-tuned"], row["frozen"], f"{pair(row.source, row.task)}, {row.labels}", "#555555")
        for _, row in both.loc[gap.nsmallest(NAMED).index].iterrows()
    ]
    label_ends(ax, ends, last=high)
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
    cells = [(against, amount) for against in AGAINST for amount in AMOUNTS]
    grid = {"columns": 2, "sharey": True, "sharex": "row", "title": title}
    figure, spots = panels([""] * 4, 9.0, 3.4, 0.3, ylabel="gain, in points", **grid)
    for ax, (against, amount) in zip(spots, cells, strict=True):
        plain, named = against == AGAINST[0], {}
        for strategy in STRATEGIES:
            here = pairs(scores, gains, strategy)
            here = here[here.amount == amount]
            x = here[name if plain else f"{name} minus random"]
            ax.plot(x, 100 * here.gain, alpha=0.75, **LOOKS[strategy].point(6))
            one = found.loc[against, amount, strategy]
            text = f"{strategy} {one.correlation:+.2f} [{one.low:+.2f}, {one.high:+.2f}]"
            named[text] = LOOKS[strategy]
        key(ax, named, f"{amount} labels", loc="lower left", bbox_to_anchor=(0, 1), ncols=1)
        ax.axhline(0, color="black", linewidth=1)
        if not plain:
            ax.axvline(0, color="#888888", linewidth=1, linestyle=":")
        ax.set_xlabel(name if plain else f"{name}, minus random backbone")
    return figure


def correlations(table: "pandas.DataFrame", title: str = "") -> Figure:
    """How each score goes with the gain: rank correlations with their intervals, from -1 to 1.

    ``table``: what ``foresight.foreseen`` gives. Left few labels, right many. Filled: the interval
    holds no zero.
    """
    cells = [*dict.fromkeys(zip(table.score, table.against, strict=True))]
    names = {(s, a): s if a == AGAINST[0] else f"{s}, minus random" for s, a in cells}
    figure, spots = panels(
        [f"{amount} labels" for amount in AMOUNTS],
        10.0,
        0.38 * len(names),
        more=1.8,
        title=title,
        looks={strategy: LOOKS[strategy] for strategy in STRATEGIES},
        xlabel="rank correlation with the gain (hollow: may be none)",
        sharey=True,
    )
    for amount, ax in zip(AMOUNTS, spots, strict=True):
        rows = {name: {} for name in names.values()}
        for row in table[table.amount == amount].itertuples():
            found = Interval(row.correlation, row.low, row.high, 0)
            rows[names[row.score, row.against]][row.strategy] = found
        forest(rows, _hollow_at_zero, unit=1, size=7, ax=ax)
        ax.set_xlim(-1.03, 1.03)
    return figure


def _hollow_at_zero(strategy: str, found: Interval) -> Look:
    return LOOKS[strategy]._replace(hollow=not found.sign)


PLACES = (0.07, 0.16, 0.52, 0.70), (0.64, 0.16, 0.33, 0.70)  # of the two panels of a duel


@styled
def duel(
    source: Mapping[int, float],
    scratch: Mapping[int, float],
    found: Interval | None,
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
    figure = figure or blank(9.0, 3.8)
    figure.clear()
    figure.set_layout_engine("none")  # finding the places would take half the time
    left, right = (figure.add_axes(place) for place in PLACES)
    figure.text(0.012, 0.93, title, weight="bold", fontsize=12)
    for y, seed in enumerate(seeds):
        ends = scratch[seed], source[seed]
        left.plot(ends, [y, y], color="#BBBBBB", linewidth=2, zorder=1)
        left.plot(ends[0], y, **LOOKS["from scratch"].point(6))
        left.plot(ends[1], y, **LOOKS[strategy].point(7))
        right.plot(100 * (ends[1] - ends[0]), y, "o", color="#555555", markersize=5)
    for ax in (left, right):
        rows_axis(ax, [str(seed) for seed in seeds])
        ax.set_ylim(len(seeds) + 0.8, -0.6)
    right.set_yticks([])
    right.axvline(0, color="black", linewidth=1)
    if seeds and found is not None:
        verdict = LOOKS[VERDICTS[found.sign]]._replace(hollow=False)
        interval(right, len(seeds) + 0.3, found, verdict, 9)
        shown = {names[1]: LOOKS["from scratch"], names[0]: LOOKS[strategy]}
        above = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0}
        key(left, shown, **above)
        key(right, {"mean, 95 % interval": verdict}, **above)
        most = max(5, *map(abs, right.dataLim.intervalx))
        right.set_xlim(-1.1 * most, 1.1 * most)
    left.set(xlim=(0, 1), xlabel="balanced test accuracy", ylabel="seed")
    right.set_xlabel("difference, in points")
    return figure
