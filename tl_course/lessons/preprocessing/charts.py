"""What reaches a network and what it answers: pictures, numbers, symptoms, and what faults cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from tl_course import evidence
from tl_course.lessons.preprocessing.faults import FAULTS
from tl_course.plots.still import Still
from tl_course.plots.style import COLOURS, STYLE, axes, blank, lined

if TYPE_CHECKING:
    import pandas
    import torch
    from matplotlib.artist import Artist

    from tl_course.evidence import Interval

EDGES = np.linspace(-3, 3, 61)  # bins of a histogram; what lies beyond is counted at the ends
CHANNELS = {"red": ("#C0392B", "-"), "green": ("#1E8449", "--"), "blue": ("#1F5FBF", ":")}
GIVEN = "#9A9A9A"  # the numbers as they should be
PANELS = {**STYLE, "axes.titlesize": 11, "axes.titlepad": 6}
RIGHT, WRONG = COLOURS["pretrained"], COLOURS["from scratch"]
PARTS = {
    "inputs": ("o", COLOURS["pretrained"]),
    "network": ("s", COLOURS["training"]),
    "answers": ("D", COLOURS["made on purpose"]),
}
WAYS = {
    "fed wrongly": ("X", COLOURS["fed wrongly"], "trained rightly, fed wrongly"),
    "fine-tuned": ("o", COLOURS["fine-tuning"], "fine-tuned and fed so"),
    "head alone": ("D", COLOURS["head alone"], "head alone, trained and fed so"),
}


def counts(inputs: "torch.Tensor") -> np.ndarray:
    """The share of each channel's numbers in each bin of ``EDGES``: (3, bins).

    ``inputs``: float (N, 3, H, W). Numbers beyond the edges count in the outermost bins.
    """
    found = []
    for channel in inputs.transpose(0, 1).flatten(1).numpy():
        clipped = channel.clip(EDGES[0], EDGES[-1])
        found.append(np.histogram(clipped, EDGES)[0] / channel.size)
    return np.stack(found)


def confusion(labels: "torch.Tensor", answers: "torch.Tensor", classes: int) -> np.ndarray:
    """How often each label (row) was answered by each class (column): int (classes, classes)."""
    from sklearn.metrics import confusion_matrix

    return confusion_matrix(labels, answers, labels=range(classes))


def _spots(
    count: int, columns: int, each: tuple[float, float], more: tuple[float, float]
) -> tuple[Figure, np.ndarray]:
    """A figure with ``count`` axes in rows of ``columns``: inches of ``each``, and the margin."""
    columns = min(columns, count)
    rows = -(-count // columns)
    figure = blank(each[0] * columns + more[0], each[1] * rows + more[1])
    spots = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    for ax in spots.flat[count:]:
        ax.set_axis_off()
    return figure, spots


def input_histograms(
    panels: "Mapping[str, torch.Tensor]", given: "torch.Tensor | None" = None, columns: int = 3
) -> Figure:
    """The numbers that reach a network, by channel; a panel for each way of feeding it.

    ``panels``: title to inputs, float (N, 3, H, W). ``given``: inputs as they should be, in grey.
    """
    with mpl.rc_context(PANELS):
        figure, spots = _spots(len(panels), columns, (2.9, 2.05), (0.3, 0.3))
        for ax, (title, inputs) in zip(spots.flat, panels.items(), strict=False):
            _histogram(ax, given)
            _steps(ax, counts(inputs), float(inputs.min()), float(inputs.max()))
            ax.set_title(title)
        _key(spots[0, 0])
        for ax in spots[-1]:
            ax.set_xlabel("number")
        for ax in spots[:, 0]:
            ax.set_ylabel("share")
    return figure


def _histogram(ax: Axes, given: "torch.Tensor | np.ndarray | None") -> None:
    """Axes of a histogram, with the numbers as they should be in grey."""
    if given is not None:
        shares = given if isinstance(given, np.ndarray) else counts(given)
        for share in shares:
            ax.stairs(share, EDGES, fill=True, color=GIVEN, alpha=0.3, linewidth=0)
    ax.set_xlim(EDGES[0], EDGES[-1])
    ax.set_ylim(0, 0.16)
    ax.set_yticks([0, 0.05, 0.1, 0.15])
    ax.set_xticks(range(-3, 4))


def _steps(ax: Axes, shares: np.ndarray, least: float, most: float) -> "list[Artist]":
    """The three channels as lines, and from where to where their numbers run."""
    middles, drawn = (EDGES[1:] + EDGES[:-1]) / 2, []
    for share, (colour, style) in zip(shares, CHANNELS.values(), strict=True):
        line = {"drawstyle": "steps-mid", "color": colour, "linewidth": 1.6}
        drawn += ax.plot(middles, share.clip(max=0.158), style, **line)
    text = f"{least:.1f} to {most:,.1f}"
    place = {"transform": ax.transAxes, "ha": "right", "va": "top", "fontsize": 9}
    box = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.8}
    drawn.append(ax.text(0.94, 0.97, text.replace("-", "−"), bbox=box, **place))
    return drawn


def _key(ax: Axes) -> None:
    """Names of the channels, in their colours."""
    for row, (name, (colour, _)) in enumerate(CHANNELS.items()):
        place = {"transform": ax.transAxes, "va": "top", "fontsize": 9}
        ax.text(0.03, 0.97 - 0.13 * row, name, color=colour, weight="bold", **place)


def confusions(
    panels: "Mapping[str, tuple[torch.Tensor, torch.Tensor]]", classes: Sequence[str]
) -> Figure:
    """Confusion matrices side by side, three a row: labels down, answers across.

    ``panels``: title to (labels, answers), each int64 (N,).
    """
    with mpl.rc_context(PANELS):
        figure, spots = _spots(len(panels), 3, (2.7, 2.55), (0.9, 0.4))
        for ax, (title, (labels, answers)) in zip(spots.flat, panels.items(), strict=False):
            _square(ax, classes)
            _cells(ax, confusion(labels, answers, len(classes)))
            ax.set_title(title, parse_math=False)
        for ax in spots[-1]:
            ax.set_xlabel("answer")
        for ax in spots[:, 0]:
            ax.set_ylabel("label in the file")
    return figure


def _square(ax: Axes, classes: Sequence[str]) -> None:
    places = range(len(classes))
    ax.set_xticks(places, classes, rotation=40, ha="right", rotation_mode="anchor", fontsize=9)
    ax.set_yticks(places, classes, fontsize=9)
    ax.tick_params(length=0)
    ax.set_xlim(-0.5, len(classes) - 0.5)
    ax.set_ylim(len(classes) - 0.5, -0.5)
    ax.set_aspect("equal")


def _cells(ax: Axes, found: np.ndarray) -> "list[Artist]":
    """A confusion matrix as shades with its numbers; the darkest is a row's whole."""
    whole = max(1, found.sum(1).max())
    drawn = [ax.imshow(found, cmap="Blues", vmin=0, vmax=whole)]
    for (row, column), number in np.ndenumerate(found):
        if number:
            ink = "white" if number > 0.55 * whole else "#333333"
            place = {"ha": "center", "va": "center", "fontsize": 9, "color": ink}
            drawn.append(ax.text(column, row, str(number), **place))
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
    rows = -(-len(tiles) // columns)
    with mpl.rc_context({**STYLE, "axes.titlesize": 10, "axes.titlepad": 4}):
        figure = blank(1.72 * columns, 0.4 + 2.12 * rows)
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        spots = figure.subplots(rows, columns, squeeze=False)
        for ax in spots.flat[len(tiles) :]:
            ax.set_axis_off()
        for ax, (name, tile) in zip(spots.flat, tiles.items(), strict=False):
            ax.imshow(tile.seen.permute(1, 2, 0).numpy(), interpolation="nearest")
            ax.set_title(name, fontsize=9.5, loc="center", weight="bold", color="#222222")
            right = tile.answer == tile.label
            text = f"{'✓' if right else '✗'} {tile.answer} {tile.confidence:.2f}"
            ax.set_xlabel(text, color=RIGHT if right else WRONG, weight="bold", labelpad=3)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set(visible=True, color="#BBBBBB", linewidth=0.6)  # one may be all white
    return figure


def fault_costs(
    changes: "Mapping[str, Interval]", confidences: Mapping[str, float], title: str = ""
) -> Axes:
    """Accuracy won or lost by each fault, in points with its interval, and the confidence beside.

    ``changes``: the fault's name to its ``Interval``. ``confidences``: in [0, 1].
    """
    ax = axes(8.0, 1.6 + 0.34 * len(changes), title)
    for y, (name, found) in enumerate(changes.items()):
        marker, colour = PARTS[FAULTS[name].part]
        low, effect, high = (100 * value for value in (found.low, found.effect, found.high))
        ax.plot([low, high], [y, y], color=colour, linewidth=2.6, alpha=0.55)
        ax.plot(effect, y, marker, color=colour, markersize=8)
        place = {"transform": ax.get_yaxis_transform(), "va": "center", "ha": "right"}
        ax.text(1.1, y, f"{confidences[name]:.2f}", **place)
    ax.text(1.1, -0.9, "confidence", transform=ax.get_yaxis_transform(), va="center", ha="right")
    for part, (marker, colour) in PARTS.items():
        ax.plot([], [], marker, color=colour, label=f"fault of the {part}", markersize=8)
    place = {"loc": "outside lower center", "ncols": len(PARTS)}
    ax.get_figure().legend(frameon=False, labelcolor="linecolor", **place)
    ax.axvline(0, color="black", linewidth=1)
    ax.set_yticks(range(len(changes)), [*changes])
    ax.set_ylim(len(changes) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("points of accuracy, beside the right feed (95 % interval)")
    lined(ax, "x")
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
    runs = evidence.Runs(frame)
    with mpl.rc_context(PANELS):
        figure = blank(9.0, 1.5 + 0.46 * len(faults))
        figure.suptitle(title, x=0.01, ha="left", weight="bold", fontsize=12)
        spots = figure.subplots(1, len(targets), squeeze=False, sharey=True, sharex=True)[0]
        for ax, (task, name) in zip(spots, targets.items(), strict=True):
            rows = frame[frame.task == task]
            known = {*zip(rows.fault, rows.strategy, strict=True)}
            for y, fault in enumerate(faults):
                for index, (way, (marker, colour, _)) in enumerate(WAYS.items()):
                    if (fault, way) not in known:
                        continue
                    right = {"fault": "right"}
                    one = runs.compare({"fault": fault}, right, task=task, strategy=way)
                    level = y + 0.25 * (index - 1)
                    ends = [100 * one.low, 100 * one.high]
                    ax.plot(ends, [level] * 2, color=colour, linewidth=2.2, alpha=0.55)
                    ax.plot(100 * one.effect, level, marker, color=colour, markersize=6)
                if not any((fault, way) in known for way in WAYS):
                    ink = {"color": "#777777", "fontsize": 8.5, "va": "center", "ha": "right"}
                    ax.text(0, y, "does not apply ", **ink)
            ax.axvline(0, color="black", linewidth=1)
            ax.set_title(name)
            lined(ax, "x")
            ax.tick_params(axis="y", length=0)
        for y in range(1, len(faults)):
            for ax in spots:
                ax.axhline(y - 0.5, color="#EEEEEE", linewidth=0.8, zorder=0)
        spots[0].set_yticks(range(len(faults)), faults)
        spots[0].set_ylim(len(faults) - 0.5, -0.5)
        spots[len(spots) // 2].set_xlabel("points of balanced accuracy, beside the right feed")
        lines = [
            mpl.lines.Line2D([], [], color=colour, marker=marker, linestyle="", label=text)
            for marker, colour, text in WAYS.values()
        ]
        place = {"loc": "outside lower center", "ncols": len(WAYS)}
        figure.legend(handles=lines, frameon=False, labelcolor="linecolor", **place)
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


class _Layered(Still):
    """A still with a layer between: marks that stay until others take their place."""

    def __init__(self, ax: Axes) -> None:
        super().__init__(ax)
        self._bare = self._drawn

    def lay(self, marks: "Sequence[Artist]") -> None:
        """Draw ``marks`` under those that come and go; they are removed from the chart."""
        canvas = self.figure.canvas
        canvas.restore_region(self._bare)
        for mark in marks:
            self.ax.draw_artist(mark)
            mark.remove()
        self._drawn = canvas.copy_from_bbox(self.figure.bbox)


class FeedingDesk:
    """One figure for all ways of feeding: a leaf, what is seen of it, numbers, answers, matrix.

    What never changes is drawn once. ``pictures``: uint8 (N, 3, H, W), as they are in the file;
    ``given``: ``counts`` of the numbers as they should be.
    """

    def __init__(self, pictures: "torch.Tensor", classes: Sequence[str], given: np.ndarray):
        self._pictures, self._classes = pictures, classes
        with mpl.rc_context({**STYLE, "axes.titlesize": 10.5, "axes.titlepad": 6}):
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
            for key, title in titles.items():
                spots[key].set_title(title)
            for key in "AS":
                spots[key].set(xlim=(0, 1), ylim=(0, 1), aspect="equal", xticks=[], yticks=[])
                spots[key].set_xlabel("128 × 128")  # keeps the room for it
                spots[key].spines[:].set_visible(False)
            bars, places = spots["B"], range(len(classes))
            bars.set(xlim=(0, 1.12), ylim=(len(classes) - 0.4, -0.6), xticks=[0, 0.5, 1])
            bars.set_yticks(places, classes)
            bars.set_xlabel("probability")
            _histogram(spots["H"], given)
            _key(spots["H"])
            spots["H"].set_xlabel("number")
            spots["H"].set_ylabel("share")
            _square(spots["C"], classes)
            spots["C"].set_ylabel("label in the file")
        self._spots = spots
        figure.canvas.draw()
        for key in "AS":
            spots[key].set_xlabel("")
        self._still, self._laid = _Layered(spots["A"]), None

    def png(self, found: Symptoms, index: int) -> bytes:
        """The figure for one way of feeding, with the picture at ``index``."""
        if found is not self._laid:  # what is the same for all pictures is drawn once
            answers = found.probabilities.argmax(1)
            table = confusion(found.labels, answers, len(self._classes))
            marks = _steps(self._spots["H"], found.shares, found.least, found.most)
            self._still.lay(marks + _cells(self._spots["C"], table))
            self._laid = found
        marks = self._photograph("A", self._pictures[index])
        marks += self._photograph("S", found.seen[index])
        return self._still.png(marks + self._bars(found.probabilities[index].numpy()))

    def _photograph(self, key: str, picture: "torch.Tensor") -> "list[Artist]":
        ax, (height, width) = self._spots[key], picture.shape[-2:]
        image = ax.imshow(
            picture.permute(1, 2, 0).numpy(), extent=(0, 1, 0, 1), interpolation="nearest"
        )
        place = {"ha": "center", "va": "top", "fontsize": 9, "transform": ax.transAxes}
        return [image, ax.text(0.5, -0.03, f"{width} × {height}", **place)]

    def _bars(self, values: np.ndarray) -> "list[Artist]":
        ax, most = self._spots["B"], int(values.argmax())
        colours = ["#444444" if row == most else "#BDBDBD" for row in range(len(values))]
        marks = [*ax.barh(range(len(values)), values, color=colours)]
        for row, value in enumerate(values):
            place = {"va": "center", "fontsize": 9, "weight": "bold" if row == most else "normal"}
            marks.append(ax.text(value + 0.015, row, f"{value:.2f}", **place))
        return marks
