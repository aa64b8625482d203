"""What reaches a network and what it answers: pictures, numbers, symptoms, and what faults cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence
from tl_course.lessons.preprocessing.faults import FAULTS
from tl_course.plots.effects import forest, rows_axis
from tl_course.plots.grids import key, panels
from tl_course.plots.lines import PAPER
from tl_course.plots.pictures import photograph
from tl_course.plots.stages import cells
from tl_course.plots.still import Still
from tl_course.plots.style import COLOURS, Look, axes, blank, entitle, legible, styled

if TYPE_CHECKING:
    import pandas
    import torch
    from matplotlib.artist import Artist

EDGES = np.linspace(-3, 3, 61)  # bins of a histogram; what lies beyond is counted at the ends
CHANNELS = {"red": Look("#C0392B"), "green": Look("#1E8449"), "blue": Look("#1F5FBF")}
GIVEN = "#9A9A9A"  # the numbers as they should be
RIGHT, WRONG = COLOURS["pretrained"], COLOURS["from scratch"]
PARTS = {
    "inputs": Look(COLOURS["pretrained"], "o"),
    "network": Look(COLOURS["training"], "s"),
    "answers": Look(COLOURS["made on purpose"], "D"),
}
WAYS = {
    "fed wrongly": Look(COLOURS["fed wrongly"], "X"),
    "fine-tuned": Look(COLOURS["fine-tuning"], "o"),
    "head alone": Look(COLOURS["head alone"], "D"),
}
MEANT = ("trained rightly, fed wrongly", "fine-tuned and fed so", "head alone, trained and fed so")


def counts(inputs: "torch.Tensor") -> np.ndarray:
    """The share of each channel's numbers in each bin of ``EDGES``: (3, bins).

    ``inputs``: float (N, 3, H, W). Numbers beyond the edges count in the outermost bins.
    """
    channels = inputs.transpose(0, 1).flatten(1).numpy().clip(EDGES[0], EDGES[-1])
    return np.stack([np.histogram(one, EDGES)[0] / one.size for one in channels])


def confusion(labels: "torch.Tensor", answers: "torch.Tensor", classes: int) -> np.ndarray:
    """How often each label (row) was answered by each class (column): int (classes, classes)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, answers, labels=range(classes))


def input_histograms(
    feeds: "Mapping[str, torch.Tensor]", given: "torch.Tensor | None" = None, columns: int = 3
) -> Figure:
    """The numbers that reach a network, by channel; a panel for each way of feeding it.

    ``feeds``: title to inputs, float (N, 3, H, W). ``given``: inputs as they should be, in grey.
    """
    columns = min(columns, len(feeds))
    shared = {"sharex": True, "sharey": True, "xlabel": "number", "ylabel": "share"}
    figure, spots = panels([*feeds], 2.9 * columns + 0.3, 2.05, 0.3, columns=columns, **shared)
    for ax, inputs in zip(spots, feeds.values(), strict=True):
        _histogram(ax, None if given is None else counts(given))
        _steps(ax, counts(inputs), float(inputs.min()), float(inputs.max()))
    key(spots[0], CHANNELS, loc="upper left", ncols=1)
    return figure


def _histogram(ax: Axes, given: np.ndarray | None) -> None:
    """Axes of a histogram, with the numbers as they should be, their ``counts``, in grey."""
    for share in () if given is None else given:
        ax.stairs(share, EDGES, fill=True, color=GIVEN, alpha=0.3, linewidth=0)
    ax.set(xlim=(EDGES[0], EDGES[-1]), ylim=(0, 0.16))
    ax.set_yticks([0, 0.05, 0.1, 0.15])
    ax.set_xticks(range(-3, 4))


def _steps(ax: Axes, shares: np.ndarray, least: float, most: float) -> "list[Artist]":
    """The three channels as lines, and from where to where their numbers run."""
    middles, drawn = (EDGES[1:] + EDGES[:-1]) / 2, []
    for share, look, style in zip(shares, CHANNELS.values(), ("-", "--", ":"), strict=True):
        line = {"drawstyle": "steps-mid", "color": look.colour, "linewidth": 1.6}
        drawn += ax.plot(middles, share.clip(max=0.158), style, **line)
    text = f"{least:.1f} to {most:,.1f}"
    place = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": 9}
    drawn.append(ax.text(0.94, 0.97, text.replace("-", "−"), bbox=PAPER, **place))
    return drawn


def confusions(
    answers: "Mapping[str, tuple[torch.Tensor, torch.Tensor]]", classes: Sequence[str]
) -> Figure:
    """Confusion matrices side by side, three a row: labels down, answers across.

    ``answers``: title to (labels, answers), each int64 (N,).
    """
    columns = min(3, len(answers))
    shared = {"sharex": True, "sharey": True, "xlabel": "answer", "ylabel": "label in the file"}
    figure, spots = panels([*answers], 2.7 * columns + 0.9, 2.55, 0.4, columns=columns, **shared)
    for ax, pair in zip(spots, answers.values(), strict=True):
        _square(ax, classes)
        _matrix(ax, confusion(*pair, len(classes)))
    return figure


def _square(ax: Axes, classes: Sequence[str]) -> None:
    """Axes of a confusion matrix."""
    places, names = range(len(classes)), [legible(name, 24) for name in classes]
    ax.set_xticks(places, names, rotation=40, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_yticks(places, names, fontsize=9)
    ax.tick_params(length=0)
    ax.set(xlim=(-0.5, len(classes) - 0.5), ylim=(len(classes) - 0.5, -0.5), aspect="equal")


def _matrix(ax: Axes, found: np.ndarray) -> "list[Artist]":
    """A confusion matrix as shades with its numbers; the darkest is a row's whole."""
    texts = np.where(found > 0, found.astype(str), "")
    drawn = cells(ax, found / max(1, found.sum(1).max()), texts, fontsize=9)
    ax.set_aspect("equal")
    return drawn


@dataclass(frozen=True)
class Tile:
    """One picture, fed in one way. ``seen``: uint8 (3, H, W), as the network sees it; ``answer``
    and its ``confidence`` in [0, 1]; ``label``: what the file says.
    """

    seen: "torch.Tensor"
    answer: str
    confidence: float
    label: str


def fed_gallery(tiles: Mapping[str, Tile], title: str = "", columns: int = 5) -> Figure:
    """One picture as a network sees it under each fault, and what it says.

    ``tiles``: the fault's name to what came of it. Wrong answers have a cross.
    """
    figure, spots = panels([*tiles], 1.72 * columns, 2.12, 0.4, columns=columns, title=title)
    for ax, tile in zip(spots, tiles.values(), strict=True):
        photograph(ax, tile.seen, "nearest")
        right = tile.answer == tile.label
        text = f"{'✓' if right else '✗'} {legible(tile.answer, 24)} {tile.confidence:.2f}"
        ax.set_xlabel(text, color=RIGHT if right else WRONG, weight="bold", labelpad=3)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set(visible=True, color="#BBBBBB", linewidth=0.6)  # one may be all white
    return figure


def fault_costs(
    changes: Mapping[str, evidence.Interval], confidences: Mapping[str, float], title: str = ""
) -> Axes:
    """Accuracy won or lost by each fault, in points with its interval, and the confidence beside.

    ``changes``: the fault's name to its ``Interval``. ``confidences``: in [0, 1].
    """
    ax = axes(8.0, 1.6 + 0.34 * len(changes))
    xlabel = "points of accuracy, beside the right feed (95 % interval)"
    forest(changes, lambda name, _: PARTS[FAULTS[name].part], xlabel=xlabel, ax=ax)
    right = {"transform": ax.get_yaxis_transform(), "va": "center", "ha": "right"}
    ax.text(1.1, -0.9, "confidence", **right)
    for y, name in enumerate(changes):
        ax.text(1.1, y, f"{confidences[name]:.2f}", **right)
    looks = {f"fault of the {part}": look for part, look in PARTS.items()}
    key(ax.get_figure(), looks, title)
    return ax


def repairs(
    frame: "pandas.DataFrame",
    targets: Mapping[str, str],
    faults: Sequence[str] | None = None,
    title: str = "",
) -> Figure:
    """What a fault costs where training knew nothing of it, and where it had the same fault.

    ``frame``: the stored ``sweep_feeding``. ``targets``: task to its panel's title. ``faults``:
    from top to bottom, by default those of the inputs, which training can have too. Points of
    balanced accuracy beside the right feed, paired by seed, with 95 % intervals.
    """
    faults = faults or [name for name, fault in FAULTS.items() if fault.part == "inputs"]
    runs, right = evidence.Runs(frame), {"fault": "right"}
    figure, spots = panels(
        [*targets.values()],
        9.0,
        0.46 * len(faults),
        more=1.5,
        title=title,
        looks=dict(zip(MEANT, WAYS.values(), strict=True)),
        xlabel="points of balanced accuracy, beside the right feed",
        sharex=True,
        sharey=True,
    )
    for task, ax in zip(targets, spots, strict=True):
        rows: dict[str, dict[str, evidence.Interval]] = {fault: {} for fault in faults}
        for cell in runs.cells("fault", "strategy", task=task):
            if cell["fault"] in rows:
                rows[cell["fault"]][cell["strategy"]] = runs.compare({}, right, **cell)
        forest(rows, lambda way, _: WAYS[way], size=6, ax=ax)
        for y, row in enumerate(rows.values()):
            if not row:
                ink = {"color": "#777777", "fontsize": 8.5, "va": "center", "ha": "right"}
                ax.text(0, y, "does not apply ", **ink)
            ax.axhline(y - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
    return figure


@dataclass(frozen=True)
class Symptoms:
    """What a fault shows on some pictures.

    ``seen``: uint8 (N, 3, h, w), as the network sees them; ``shares``: ``counts`` of what reaches
    it, which runs from ``least`` to ``most``; ``probabilities``: (N, classes); ``labels``: those
    of the file, (N,); ``changed``: how many answers change when it is asked in another order.
    """

    seen: "torch.Tensor"
    shares: np.ndarray
    least: float
    most: float
    probabilities: "torch.Tensor"
    labels: "torch.Tensor"
    changed: int


class FeedingDesk:
    """One figure for all ways of feeding: a leaf, what is seen of it, numbers, answers, matrix.

    What never changes is drawn once. ``pictures``: uint8 (N, 3, H, W), as they are in the file;
    ``given``: ``counts`` of the numbers as they should be.
    """

    @styled
    def __init__(self, pictures: "torch.Tensor", classes: Sequence[str], given: np.ndarray):
        self._pictures, self._classes = pictures, classes
        figure = blank(8.8, 5.4)
        spots = figure.subplot_mosaic(
            "AASSBB;HHHHCC", width_ratios=[1, 1, 1, 1, 1.6, 1.6], height_ratios=[1.1, 1]
        )
        titles = {
            "A": "the picture",
            "S": "what the network sees",
            "B": "what it answers",
            "H": f"what reaches it: {len(pictures)} leaves (grey: fed rightly)",
            "C": "labels and answers",
        }
        for place, title in titles.items():
            entitle(spots[place], title, fontsize=10.5, pad=6)
        for place in "AS":
            spots[place].set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
            spots[place].set_xlabel("128 × 128")  # keeps the room for it
            spots[place].spines[:].set_visible(False)
        rows_axis(spots["B"], classes)
        spots["B"].set(xlim=(0, 1.12), xticks=[0, 0.5, 1], xlabel="probability")
        _histogram(spots["H"], given)
        key(spots["H"], CHANNELS, loc="upper left", ncols=1)
        spots["H"].set(xlabel="number", ylabel="share")
        _square(spots["C"], classes)
        spots["C"].set_ylabel("label in the file")
        figure.canvas.draw()
        for place in "AS":
            spots[place].set_xlabel("")
        self._spots, self._still, self._laid = spots, Still(spots["A"]), None

    def png(self, found: Symptoms, index: int) -> bytes:
        """The figure for one way of feeding, with the picture at ``index``."""
        if found is not self._laid:  # what is the same for all pictures is drawn once
            answers = found.probabilities.argmax(1)
            table = confusion(found.labels, answers, len(self._classes))
            marks = _steps(self._spots["H"], found.shares, found.least, found.most)
            self._still.lay(marks + _matrix(self._spots["C"], table))
            self._laid = found
        marks = self._photograph("A", self._pictures[index])
        marks += self._photograph("S", found.seen[index])
        return self._still.png(marks + self._bars(found.probabilities[index].numpy()))

    def _photograph(self, key: str, picture: "torch.Tensor") -> "list[Artist]":
        ax, (height, width) = self._spots[key], picture.shape[-2:]
        image = photograph(ax, picture, "nearest", extent=(0, 1, 0, 1))
        place = {"ha": "center", "va": "top", "fontsize": 9, "transform": ax.transAxes}
        return [image, ax.text(0.5, -0.03, f"{width} × {height}", **place)]

    def _bars(self, values: np.ndarray) -> "list[Artist]":
        ax, most = self._spots["B"], int(values.argmax())
        colours = ["#444444" if row == most else "#BDBDBD" for row in range(len(values))]
        bars = ax.barh(range(len(values)), values, color=colours)
        named = ax.bar_label(bars, [f"{value:.2f}" for value in values], padding=3, fontsize=9)
        named[most].set_weight("bold")
        return [*bars, *named]
