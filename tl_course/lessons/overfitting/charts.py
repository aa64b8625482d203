"""Charts of learning by heart: curves of training and validation, confidence, cures, gaps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence
from tl_course.plots.lines import label_ends
from tl_course.plots.style import COLOURS, STYLE, axes, blank, colour_of, lined

if TYPE_CHECKING:
    import pandas
    import torch

    from tl_course.train import History

    Curves = History | Mapping[str, Sequence[float]]

LOSSES = ("train_loss", "val_loss")
SPLITS = {"training": "train", "validation": "val"}
LARGEST_LOSS = 3.5  # nats; what lies above is cut off, so that the rest can be read


def _column(curves: "Curves", name: str) -> Sequence[float]:
    return curves.get(name, ()) if isinstance(curves, Mapping) else getattr(curves, name)


def fit_curves(
    curves: "Curves",
    before: Sequence["Curves"] = (),
    title: str = "",
    figure: Figure | None = None,
    epochs: int = 0,
) -> Figure:
    """Loss and accuracy by epoch on training and on validation pictures, side by side.

    ``curves``: a ``History``, or its columns by name (``train_loss``, ``train_accuracy``,
    ``val_loss``, ``val_accuracy``); accuracies in [0, 1], losses in nats, one an epoch; missing
    columns are left out. ``before``: earlier runs, drawn faintly. A ring marks the lowest
    validation loss. ``figure`` is cleared and drawn on again. ``epochs``: how far the axis reaches
    at least, while a run is still going on.
    """
    with mpl.rc_context(STYLE):
        figure = figure or blank(9.0, 3.5)
        figure.clear()
        left, right = figure.subplots(1, 2)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        most = 0.1 + max(
            (max(_column(run, name), default=1.0) for run in (curves, *before) for name in LOSSES),
            default=1.0,
        )
        left.set_ylim(0, min(most, LARGEST_LOSS))
        right.set_ylim(0, 1.03)
        for ax, kind in ((left, "loss"), (right, "accuracy")):
            for run in before:
                _pair(ax, run, kind, faint=True)
            ends = _pair(ax, curves, kind)
            last = max([epochs, *(line.get_xdata()[-1] for line in ax.lines)])
            label_ends(ax, [(last, y, label) for _, y, label in ends])
            ax.set_ylabel("loss (nats a picture)" if kind == "loss" else "accuracy")
            ax.set_xlabel("epoch")
            ax.set_xlim(1, max(last, 2))
            ax.xaxis.get_major_locator().set_params(integer=True)
        losses = _column(curves, "val_loss")
        if len(losses):
            best = int(np.argmin(losses))
            ring = {"markerfacecolor": "none", "markeredgewidth": 2, "markersize": 12}
            left.plot(best + 1, losses[best], "o", color=COLOURS["validation"], **ring)
    return figure


def _pair(
    ax: Axes, run: "Curves", kind: str, faint: bool = False
) -> list[tuple[float, float, str]]:
    """Draw both curves of one kind; their ends with a label."""
    ends, top = [], ax.get_ylim()[1]
    for split, prefix in SPLITS.items():
        values = _column(run, f"{prefix}_{kind}")
        if not len(values):
            continue
        line = {"linewidth": 1.2, "alpha": 0.35} if faint else {"linewidth": 2.4}
        dash = "-" if split == "training" else (0, (4, 1))
        epochs = range(1, len(values) + 1)
        ax.plot(epochs, values, color=COLOURS[split], linestyle=dash, **line)
        ends.append((len(values), min(values[-1], top), f"{split} {values[-1]:.2f}"))
    return ends


def confidence(curves: Mapping[str, Sequence[float]], title: str = "", ax: Axes | None = None):
    """Shares and probabilities in [0, 1] by epoch, one labelled line each.

    A label begins with a name in ``COLOURS``; what is on confidence is dashed. A missing value
    (NaN) leaves a gap.
    """
    ax = ax or axes(8.0, 3.6, title)
    ax.set_ylim(0, 1.03)
    ends = []
    for label, values in curves.items():
        epochs = range(1, len(values) + 1)
        dash = (0, (4, 1)) if label.startswith("confidence") else "-"
        ax.plot(epochs, values, color=colour_of(label), linewidth=2.4, linestyle=dash)
        ends.append((len(values), float(values[-1]), f"{label}  {values[-1]:.2f}"))
    label_ends(ax, [end for end in ends if np.isfinite(end[1])])
    ax.set_xlabel("epoch (one pass over the labelled pictures)")
    ax.set_ylabel("share, or mean probability")
    ax.xaxis.get_major_locator().set_params(integer=True)
    return ax


def reliability(
    probabilities: "torch.Tensor",
    labels: "torch.Tensor",
    bins: int = 10,
    title: str = "",
    ax: Axes | None = None,
) -> Axes:
    """How often answers given with some confidence are right; after Guo et al. 2017.

    ``probabilities``: (N, classes); ``labels``: (N,). A point for each bin of the highest
    probability that holds an answer, the larger the more it holds (arXiv:1706.04599). On the
    diagonal, confidence and accuracy agree.
    """
    ax = ax or axes(5.6, 4.4, title)
    sure, answers = (value.numpy() for value in probabilities.max(1))
    right = answers == labels.numpy()
    place = np.minimum((sure * bins).astype(int), bins - 1)
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1.2, linestyle="--")
    along = {"rotation": 40, "color": "#666666", "textcoords": "offset points", "ha": "center"}
    ax.annotate("as sure as right", (0.27, 0.27), (-4, 8), **along)
    for index in np.unique(place):
        here = place == index
        x, y = sure[here].mean(), right[here].mean()
        ax.plot([x, x], [x, y], color=COLOURS["test"], linewidth=1.5, alpha=0.5)
        size = 14 + 500 * here.mean()
        ax.scatter(x, y, s=size, color=COLOURS["test"], zorder=3, edgecolor="white")
        ax.annotate(
            f"{here.sum():,}",
            (x, y),
            (0, -8 - np.sqrt(size) / 2),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=9,
            color=COLOURS["test"],
        )
    ax.set_xlim(0, 1.04)
    ax.set_ylim(0, 1.04)
    ax.set_xlabel("probability of the answer (its confidence)")
    ax.set_ylabel("share of such answers that are right")
    return ax


def nearest(
    asked: Mapping[str, "torch.Tensor"],
    found: Mapping[str, "torch.Tensor"],
    title: str = "",
) -> Figure:
    """Pictures asked about in a row, and below each the one that is nearest to it.

    Both: captions to pictures, uint8 (3, H, W), as many in both and in the same order.
    """
    with mpl.rc_context(STYLE):
        figure = blank(1.55 * len(asked) + 0.2, 4.3)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        rows = figure.subplots(2, len(asked), squeeze=False)
        for row, shown in zip(rows, (asked, found), strict=True):
            for ax, (caption, picture) in zip(row, shown.items(), strict=True):
                ax.imshow(picture.permute(1, 2, 0).numpy(), interpolation="lanczos")
                ax.set_title(caption, fontsize=9.5, weight="normal", pad=4, loc="center")
                ax.set_axis_off()
    return figure


def cures(frame: "pandas.DataFrame", base: str = "no cure", title: str = "") -> Figure:
    """What each cure adds to balanced test accuracy, one panel a task: means with intervals.

    ``frame``: stored runs with columns task, labels, strategy, seed, test_balanced; every strategy
    but ``base`` is a cure. Small points are seeds, each minus ``base`` with the same seed. A cure
    is blue where its whole interval gains, orange-red where it loses, grey where neither is sure.
    """
    cells = [*frame[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)]
    names = [name for name in dict.fromkeys(frame.strategy) if name != base]
    runs = evidence.Runs(frame)
    with mpl.rc_context(STYLE):
        figure = blank(3.0 + 2.5 * len(cells), 1.3 + 0.36 * len(names))
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        panels = figure.subplots(1, len(cells), sharex=True, sharey=True, squeeze=False)[0]
        for ax, (task, labels) in zip(panels, cells, strict=True):
            here = frame[(frame.task == task) & (frame.labels == labels)]
            wide = here.pivot(index="seed", columns="strategy", values="test_balanced")
            for y, name in enumerate(names):
                found = runs.compare(name, base, task=task, labels=labels)
                _worth(ax, y, found, 100 * (wide[name] - wide[base]).to_numpy())
            ax.axvline(0, color="black", linewidth=1)
            ax.set_title(f"{task}\n{labels:,} labels", fontsize=10.5)
            lined(ax, "x")
        panels[0].set_yticks(range(len(names)), names)
        panels[0].set_ylim(len(names) - 0.4, -0.6)
        figure.supxlabel(f"points of balanced test accuracy, beside {base}", fontsize=10.5)
    return figure


def _worth(ax: Axes, y: int, found: evidence.Interval, seeds: np.ndarray) -> None:
    colour = {1: COLOURS["pretrained"], -1: COLOURS["from scratch"], 0: "#555555"}[found.sign]
    low, effect, high = (100 * value for value in (found.low, found.effect, found.high))
    levels = y + np.linspace(-0.22, 0.22, len(seeds))
    ax.scatter(seeds, levels, s=9, color=colour, alpha=0.45, linewidth=0)
    ax.plot([low, high], [y, y], color=colour, linewidth=3, solid_capstyle="round")
    ax.plot(effect, y, "o", color=colour, markersize=7)


def gaps(
    rows: "pandas.DataFrame", base: str = "no cure", title: str = "", ax: Axes | None = None
) -> Axes:
    """Mean accuracy in training and in the test for each strategy, joined by their gap.

    ``rows``: stored runs of one task with columns strategy, seed, train_accuracy, test_accuracy.
    A dotted line marks the test accuracy of ``base``. The best in the test stands on top.
    """
    means = rows.groupby("strategy")[["train_accuracy", "test_accuracy"]].mean()
    means = means.sort_values("test_accuracy", ascending=False)
    ax = ax or axes(8.0, 1.3 + 0.36 * len(means), title)
    ax.axvline(means.test_accuracy[base], color=COLOURS["test"], linestyle=":", linewidth=1.5)
    for y, row in enumerate(means.itertuples()):
        ends = (row.test_accuracy, row.train_accuracy)
        ax.plot(ends, (y, y), color="#C4C4C4", linewidth=4, zorder=1, solid_capstyle="round")
        ax.plot(ends[0], y, "D", color=COLOURS["test"], markersize=8)
        ax.plot(ends[1], y, "o", color=COLOURS["training"], markersize=9)
        beside = {"textcoords": "offset points", "va": "center", "fontsize": 9}
        plain = {"facecolor": "white", "edgecolor": "none", "pad": 1}  # over the dotted line
        left, right = {"color": COLOURS["test"], "bbox": plain}, {"color": COLOURS["training"]}
        ax.annotate(f"{ends[0]:.2f}", (ends[0], y), (-9, 0), ha="right", **left, **beside)
        ax.annotate(f"{ends[1]:.2f}", (ends[1], y), (9, 0), **right, **beside)
    first = {"test": means.test_accuracy.iloc[0], "training": means.train_accuracy.iloc[0]}
    for name, x in first.items():
        above = {"textcoords": "offset points", "ha": "center", "weight": "bold"}
        ax.annotate(name, (x, 0), (0, 12), color=COLOURS[name], **above)
    labels = [f"{name}  " for name in means.index]
    ax.set_yticks(range(len(means)), labels)
    ax.get_yticklabels()[[*means.index].index(base)].set_weight("bold")
    ax.set_ylim(len(means) - 0.5, -1.0)
    ax.set_xlim(0, 1.04)
    ax.set_xlabel("accuracy (means over seeds; bar: the gap)")
    return ax


def curve_cases(cases: Mapping[str, "Curves"]) -> Figure:
    """Pairs of curves to be told apart: loss above, accuracy below, three a row.

    ``cases``: name to curves as in ``fit_curves``.
    """
    columns = min(3, len(cases))
    blocks = -(-len(cases) // columns)
    with mpl.rc_context(STYLE):
        figure = blank(9.2, 3.9 * blocks)
        grid = figure.subplots(2 * blocks, columns, squeeze=False)
        for ax in grid.flat:
            ax.set_axis_off()
        for place, (name, run) in enumerate(cases.items()):
            block, column = divmod(place, columns)
            for row, kind, top in ((0, "loss", LARGEST_LOSS), (1, "accuracy", 1.03)):
                ax = grid[2 * block + row, column]
                ax.set_axis_on()
                ax.set_ylim(0, top)
                _pair(ax, run, kind)
                ax.tick_params(labelsize=8.5)
                if column == 0:
                    ax.set_ylabel(kind)
                if row == 0:
                    ax.set_title(name)
                    ax.set_xticklabels([])
                if place == row == 0:  # named once, in the corner that falling losses leave free
                    for level, split in zip((0.9, 0.76), reversed(SPLITS), strict=True):
                        named = {"color": COLOURS[split], "weight": "bold", "fontsize": 9}
                        ax.text(0.97, level, split, ha="right", transform=ax.transAxes, **named)
    return figure
