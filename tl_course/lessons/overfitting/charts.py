"""Charts of learning by heart: curves of training and validation, confidence, cures, gaps."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence
from tl_course.plots.charts import learning_curves
from tl_course.plots.effects import by_sign, forest, rows_axis
from tl_course.plots.grids import key, panels
from tl_course.plots.lines import PAPER, beside, label_ends, seed_points
from tl_course.plots.style import COLOURS, Look, axes, blank, entitle, styled

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
    figure, (left, right) = panels(["", ""], 9.0, 3.5, title=title, figure=figure)
    highest = [max(_column(run, name), default=1.0) for run in (curves, *before) for name in LOSSES]
    left.set(ylim=(0, min(0.1 + max(highest), LARGEST_LOSS)), ylabel="loss (nats a picture)")
    right.set(ylim=(0, 1.03), ylabel="accuracy")
    for ax, kind in ((left, "loss"), (right, "accuracy")):
        for run in before:
            _pair(ax, run, kind, faint=True)
        ends = _pair(ax, curves, kind)
        last = max([epochs, *(line.get_xdata()[-1] for line in ax.lines)])
        label_ends(ax, [(last, *rest) for _, *rest in ends])
        ax.set(xlabel="epoch", xlim=(1, max(last, 2)))
        ax.locator_params("x", integer=True)
    losses = _column(curves, "val_loss")
    if len(losses):
        best = int(np.argmin(losses))
        ring = {"markerfacecolor": "none", "markeredgewidth": 2, "markersize": 12}
        left.plot(best + 1, losses[best], "o", color=COLOURS["validation"], **ring)
    return figure


def _pair(
    ax: Axes, run: "Curves", kind: str, faint: bool = False
) -> list[tuple[float, float, str, str]]:
    """Draw both curves of one kind; their ends as ``label_ends`` takes them."""
    ends, top = [], ax.get_ylim()[1]
    for split, prefix in SPLITS.items():
        values = _column(run, f"{prefix}_{kind}")
        if not len(values):
            continue
        line = {"linewidth": 1.2, "alpha": 0.35} if faint else {"linewidth": 2.4}
        dash = "-" if split == "training" else (0, (4, 1))
        epochs = range(1, len(values) + 1)
        ax.plot(epochs, values, color=COLOURS[split], linestyle=dash, **line)
        label = f"{split} {values[-1]:.2f}"
        ends.append((len(values), min(values[-1], top), label, COLOURS[split]))
    return ends


def confidence(
    curves: Mapping[str, Sequence[float]], title: str = "", ax: Axes | None = None
) -> Axes:
    """Shares and probabilities in [0, 1] by epoch, one labelled line each.

    A label begins with a name in ``COLOURS``; what is on confidence is dashed. A missing value
    (NaN) leaves a gap.
    """
    dashed = [label for label in curves if label.startswith("confidence")]
    ylabel = "share, or mean probability"
    return learning_curves(curves, title=title, ylabel=ylabel, dashed=dashed, ax=ax)


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
    from sklearn.calibration import calibration_curve

    ax = ax or axes(5.6, 4.4, title)
    sure, answers = (value.numpy() for value in probabilities.max(1))
    shares, means = calibration_curve(answers == labels.numpy(), sure, n_bins=bins)
    edges = np.linspace(0, 1, bins + 1)
    counts = np.bincount(np.searchsorted(edges[1:-1], sure))  # as calibration_curve puts them
    counts = counts[counts > 0]
    ax.plot([0, 1], [0, 1], color="#999999", linewidth=1.2, linestyle="--")
    beside(ax, "as sure as right", (0.27, 0.27), 0, 16, rotation=40, color="#666666")
    ink, sizes = COLOURS["test"], 14 + 500 * counts / len(sure)
    ax.vlines(means, means, shares, color=ink, linewidth=1.5, alpha=0.5)
    ax.scatter(means, shares, s=sizes, color=ink, zorder=3, edgecolor="white")
    for count, size, *place in zip(counts, sizes, means, shares, strict=True):
        beside(ax, f"{count:,}", place, 0, -8 - np.sqrt(size) / 2, fontsize=9, color=ink)
    ax.set(xlim=(0, 1.04), xlabel="probability of the answer (its confidence)")
    ax.set(ylim=(0, 1.04), ylabel="share of such answers that are right")
    return ax


def cures(frame: "pandas.DataFrame", base: str = "no cure", title: str = "") -> Figure:
    """What each cure adds to balanced test accuracy, one panel a task: means with intervals.

    ``frame``: stored runs with columns task, labels, strategy, seed, test_balanced; every strategy
    but ``base`` is a cure. Small points are seeds, each minus ``base`` with the same seed. A cure
    is blue where its whole interval gains, orange-red where it loses, grey where neither is sure.
    """
    runs = evidence.Runs(frame)
    cells = runs.cells("task", "labels")
    names = [name for name in dict.fromkeys(frame.strategy) if name != base]
    titles = [f"{cell['task']}\n{cell['labels']:,} labels" for cell in cells]
    xlabel = f"points of balanced test accuracy, beside {base}"
    grid = {"sharex": True, "sharey": True, "title": title, "xlabel": xlabel}
    figure, spots = panels(titles, 3.0 + 2.5 * len(cells), 0.36 * len(names), 1.4, **grid)
    for ax, cell in zip(spots, cells, strict=True):
        rows = {name: runs.compare(name, base, **cell) for name in names}
        forest(rows, size=7, ax=ax)
        wide = 100 * runs.wide("strategy", **cell)
        for y, name in enumerate(names):
            seed_points(ax, wide[name] - wide[base], y, 0.22, by_sign(name, rows[name]).colour)
    return figure


def gaps(
    rows: "pandas.DataFrame", base: str = "no cure", title: str = "", ax: Axes | None = None
) -> Axes:
    """Mean accuracy in training and in the test for each strategy, joined by their gap.

    ``rows``: stored runs of one task with columns strategy, seed, train_accuracy, test_accuracy.
    A dotted line marks the test accuracy of ``base``. The best in the test stands on top.
    """
    means = rows.groupby("strategy")[["train_accuracy", "test_accuracy"]].mean()
    means = means.sort_values("test_accuracy", ascending=False)
    ax = ax or axes(8.0, 1.5 + 0.36 * len(means))
    looks = {"test": Look(COLOURS["test"], "D"), "training": Look(COLOURS["training"], "o")}
    ax.axvline(means.test_accuracy[base], color=COLOURS["test"], linestyle=":", linewidth=1.5)
    for y, row in enumerate(means.itertuples()):
        ends = (row.test_accuracy, row.train_accuracy)
        ax.plot(ends, (y, y), color="#C4C4C4", linewidth=4, zorder=1, solid_capstyle="round")
        for name, x, right in zip(("test", "training"), ends, (-9, 9), strict=True):
            ax.plot(x, y, **looks[name].point())
            font = {"fontsize": 9, "bbox": PAPER} if name == "test" else {"fontsize": 9}
            beside(ax, f"{x:.2f}", (x, y), right, color=COLOURS[name], **font)
    rows_axis(ax, [f"{name}  " for name in means.index])
    ax.get_yticklabels()[[*means.index].index(base)].set_weight("bold")
    ax.set(xlim=(0, 1.04), xlabel="accuracy (means over seeds; bar: the gap)")
    key(ax.get_figure(), looks, title)
    return ax


@styled
def curve_cases(cases: Mapping[str, "Curves"]) -> Figure:
    """Pairs of curves to be told apart: loss above, accuracy below, three a row.

    ``cases``: name to curves as in ``fit_curves``.
    """
    columns = min(3, len(cases))
    blocks = -(-len(cases) // columns)
    figure = blank(9.2, 3.9 * blocks)
    parts = figure.subfigures(blocks, columns, squeeze=False).flat
    for part, (name, run) in zip(parts, cases.items(), strict=False):
        spots = part.subplots(2, 1, sharex=True)
        entitle(spots[0], name)
        for ax, kind, top in zip(spots, ("loss", "accuracy"), (LARGEST_LOSS, 1.03), strict=True):
            ax.set(ylim=(0, top), ylabel=kind)
            ax.tick_params(labelsize=8.5)
            _pair(ax, run, kind)
    looks = {split: Look(COLOURS[split]) for split in SPLITS}  # where falling losses leave room
    key(figure.axes[0], looks, loc="upper right", ncols=1)
    return figure
