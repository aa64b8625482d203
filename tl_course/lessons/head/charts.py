"""The stages of a network in a row: how large each is, what it puts out, what becomes of it."""

import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Patch, Rectangle

from tl_course import store
from tl_course.plots.pictures import photograph
from tl_course.plots.style import COLOURS, axes, entitle, legible

if TYPE_CHECKING:
    import pandas
    import torch

KINDS = {
    "frozen": (COLOURS["frozen"], "frozen: keeps its weights"),
    "trained": (COLOURS["fine-tuning"], "trained: starts from its weights"),
    "new": (COLOURS["from scratch"], "new: starts at random"),
}
INK, FAINT = "#222222", "#777777"
WIDE, TALL, LEAST = 0.66, 0.5, 0.025  # of a box: its width, and its height at most and at least
MIDDLE, NAMES, ROWS = 0.62, 0.95, (0.3, 0.21, 0.12)  # where things stand, from 0 below to 1
MARGIN = 0.65  # for the names of the rows, in boxes
SIDE = 0.85  # inches of an example at most
NEEDED = ("parameters", "trained")


def anatomy(
    table: "pandas.DataFrame",
    title: str = "",
    before: "pandas.DataFrame | None" = None,
    example: "torch.Tensor | str | None" = None,
    answers: "torch.Tensor | None" = None,
    ax: Axes | None = None,
) -> Axes:
    """A box a stage, from left to right, as high as the square root of its number of weights.

    ``table``: ``surgery.summary(model)``. Two more columns are shown where it has them: ``shape``,
    what one input has become after the stage, a tuple; ``new``, how many of the stage's weights
    have been put there at random. Colours and words tell what is frozen, trained and new.
    ``before``: the summary of the same stages at an earlier time; a dashed line shows how high a
    box was. ``example`` is what goes in: a picture, uint8 (3, H, W), a sound (samples,), or a
    text. ``answers``: probabilities (classes,), or (K, classes) of which the first are drawn.
    Raises ``BadInput`` for a table that is empty or lacks a column.
    """
    missing = [column for column in NEEDED if column not in table]
    if missing or not len(table):
        raise store.BadInput(
            f"head.anatomy with a table of {', '.join(map(str, table.columns)) or 'no columns'}",
            f"it has no {missing[0]}" if missing else "it has no rows",
            "Pass surgery.summary(model)",
        )
    slots = len(table) + (example is not None) + (answers is not None)
    ax = ax or axes(min(max(0.85 * (slots + MARGIN), 9.0), 13.0), 3.1)
    ax.set(xlim=(-MARGIN, slots), ylim=(0, 1), xticks=[], yticks=[])
    ax.set_axis_off()
    entitle(ax, title)
    inches = ax.get_figure().get_figwidth() / (slots + MARGIN)
    size = min(8.5, 10.8 * inches)  # of the words, in points
    for start, end in pairwise(range(slots)):
        tail, tip = start + (1 + WIDE) / 2, end + (1 - WIDE) / 2
        arrow = {"arrowstyle": "-|>", "color": "#B5B5B5", "shrinkA": 1, "shrinkB": 1}
        ax.annotate("", (tip, MIDDLE), (tail, MIDDLE), arrowprops=arrow, zorder=1)
    if example is not None:
        _example(ax, example, inches, size)
        _column(ax, 0, "input", (), size)
    earlier = {} if before is None else before["parameters"].to_dict()
    top = max(1, table["parameters"].max(), *earlier.values())
    seen = {}
    for place, (name, row) in enumerate(table.iterrows(), int(example is not None)):
        shares, word = _shares(row)
        seen |= dict.fromkeys(shares)
        _box(ax, place, shares, row["parameters"], top)
        if earlier.get(name, row["parameters"]) != row["parameters"]:
            seen["before"] = None
            _outline(ax, place, earlier[name], top)
        shape = "×".join(map(str, row["shape"])) if "shape" in table else ""
        _column(ax, place, name, (word, f"{row['parameters']:,}", shape), size, INK)
    for y, label in zip(ROWS[1:], ("weights", "output" if "shape" in table else ""), strict=True):
        ax.text(-0.08, y, label, ha="right", va="center", size=size, color=FAINT)
    if answers is not None:
        _answers(ax, slots - 1, answers, size)
    _legend(ax, seen)
    return ax


def _column(
    ax: Axes, place: int, name: str, lines: tuple[str, ...], size: float, colour: str = FAINT
) -> None:
    """Words above and below what is drawn at ``place``; those about a stage are bold and dark."""
    bold = "bold" if colour == INK else "normal"
    centre = {"x": place + 0.5, "ha": "center", "va": "center", "parse_math": False}
    ax.text(y=NAMES, s=name, size=1.17 * size, weight=bold, color=colour, **centre)
    for y, line, weight in zip(ROWS, lines, (bold, "normal", "normal"), strict=False):
        ax.text(y=y, s=line, size=size, weight=weight, color=colour, **centre)


def _shares(row: "pandas.Series") -> tuple[dict[str, int], str]:
    """How many of a stage's weights are of each of ``KINDS``, and the stage in one word."""
    new = min(int(row.get("new", 0)), int(row["trained"]))
    counts = {
        "frozen": int(row["parameters"] - row["trained"]),
        "trained": int(row["trained"]) - new,
        "new": new,
    }
    shares = {kind: count for kind, count in counts.items() if count}
    if len(shares) == 1:
        (word,) = shares
        return shares, "❄ frozen" if word == "frozen" else word
    if not shares:
        return shares, "no weights"
    return shares, "partly new" if new else "partly trained"


def _height(count: int, top: int) -> float:
    return max(LEAST, TALL * (count / top) ** 0.5)


def _box(ax: Axes, place: int, shares: dict[str, int], count: int, top: int) -> None:
    """A box of layers, one for each kind of weights, none too thin to be seen."""
    height = max(_height(count, top), LEAST * len(shares))
    spare, low = height - LEAST * len(shares), MIDDLE - height / 2
    for kind, number in shares.items():
        layer = LEAST + spare * number / count
        colour = KINDS[kind][0]
        ax.add_patch(Rectangle((place + (1 - WIDE) / 2, low), WIDE, layer, color=colour, lw=0))
        low += layer


def _outline(ax: Axes, place: int, count: int, top: int) -> None:
    height = _height(count, top)
    corner = (place + (1 - WIDE) / 2 - 0.04, MIDDLE - height / 2)
    ax.add_patch(Rectangle(corner, WIDE + 0.08, height, fill=False, edgecolor=INK, linestyle="--"))


def _example(ax: Axes, example: "torch.Tensor | str", inches: float, size: float) -> None:
    """What goes in, in the first place, no larger than a box."""
    if isinstance(example, str):
        lines = textwrap.fill(legible(example, 200), max(6, int(inches * 9)))
        ax.text(0.5, MIDDLE, lines, ha="center", va="center", size=size, style="italic")
        return
    side = min(SIDE, 0.88 * inches)
    wide, tall = side / inches, side / (0.82 * ax.get_figure().get_figheight())
    left, low = 0.5 - wide / 2, MIDDLE - tall / 2
    if example.ndim == 3:
        extent = (left, left + wide, low, low + tall)
        photograph(ax, example, "bilinear", extent=extent, aspect="auto", zorder=2)
        return
    values = example.numpy()[:: max(1, len(example) // 400)]
    height = 0.5 * tall * values / max(float(np.abs(values).max()), 1e-9)
    ax.plot(left + wide * np.linspace(0, 1, len(values)), MIDDLE + height, color=INK, lw=0.6)


def _answers(ax: Axes, place: int, answers: "torch.Tensor", size: float) -> None:
    """Probabilities as bars, from 0 on the left to 1 on the right."""
    several = answers.ndim > 1
    values = (answers[0] if several else answers).detach().cpu().numpy()
    left = place + (1 - WIDE) / 2
    step = min(TALL / len(values), 0.08)
    y = MIDDLE + step * ((len(values) - 1) / 2 - np.arange(len(values)))
    thick = {"height": 0.7 * step, "left": left}
    ax.barh(y, WIDE, color="#E4E4E4", **thick)
    ax.barh(y, WIDE * values, color=INK, **thick)
    lines = (f"highest {values.max():.2f}", f"guess {1 / len(values):.2f}")
    _column(ax, place, f"first of {len(answers)}" if several else "answer", lines, size)


def _legend(ax: Axes, seen: dict[str, None]) -> None:
    handles = [
        Patch(color=colour, label=label) for kind, (colour, label) in KINDS.items() if kind in seen
    ]
    if "before" in seen:
        handles.append(Patch(fill=False, edgecolor=INK, linestyle="--", label="before"))
    handles.append(Patch(alpha=0, label="height: √ of the weights"))
    place = {"loc": "lower center", "bbox_to_anchor": (0.5, -0.015), "borderaxespad": 0}
    look = {"frameon": False, "fontsize": 8.5, "handlelength": 1.4, "columnspacing": 1.6}
    legend = ax.legend(handles=handles, ncols=len(handles), borderpad=0.2, **place, **look)
    legend.set_in_layout(False)  # it is wider than few stages are
