"""The board of suspects: a source, a target, labels, frozen or not; and what the runs say."""

import html
from typing import TYPE_CHECKING

import ipywidgets

from tl_course import evidence, plots
from tl_course.lessons.negative_transfer import charts
from tl_course.lessons.negative_transfer.charts import (
    AMOUNTS,
    CONTROLS,
    SOURCES,
    STRATEGIES,
    TARGETS,
    VERDICTS,
    pair,
)
from tl_course.practice.experiment import Experiment

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure

SCRATCH = ("nothing", "fine-tuned")
MEANS = {
    "guilty": "worse than from scratch",
    "innocent": "better than from scratch",
    "not proven": "the runs cannot tell it and from scratch apart",
}


def board() -> Experiment:
    """Choose a source, a target, few or many labels, and frozen or not; read the verdict.

    Every answer is a stored comparison with from scratch, paired by seed. A target that a source
    was not tried on is marked, and the sentence says what was.
    """
    return _Board(evidence.load("sweep_suspects")).experiment


class _Board:
    """The controls, and the stored runs by case."""

    def __init__(self, frame: "pandas.DataFrame"):
        keys = ["source", "task", "labels", "strategy"]
        self._runs = {
            key: rows.set_index("seed").test_balanced.to_dict() for key, rows in frame.groupby(keys)
        }
        self._labels = {task: sorted(map(int, rows.unique())) for task, rows in
                        frame.groupby("task").labels}  # fmt: skip
        self._figure: Figure | None = None
        self._drawn: dict[tuple, tuple[bytes, str]] = {}
        sources = sorted(
            set(frame.source), key=lambda name: (name == "nothing", self._is_reader(name), name)
        )
        self._source = ipywidgets.Dropdown(
            description="source",
            options=[(self._named(name), name) for name in sources],
            value="photographs" if "photographs" in sources else sources[0],
        )
        self._target = ipywidgets.Dropdown(description="target", layout={"width": "22em"})
        self._amount = ipywidgets.Dropdown(description="labels", options=[*AMOUNTS])
        self._frozen = ipywidgets.Checkbox(description="frozen (head alone learns)", indent=False)
        self._picture, self._said = ipywidgets.Image(format="png"), ipywidgets.HTML()
        self._offer()
        tried = [task for task in TARGETS if self._tried(self._source.value, task)]
        self._target.value = tried[0]
        self._source.observe(self._change, "value")
        for control in (self._target, self._amount, self._frozen):
            control.observe(self._show, "value")
        self._show()
        rows = [[self._source, self._target], [self._amount, self._frozen]]
        self.experiment = Experiment(
            [*(ipywidgets.HBox(row) for row in rows), self._said, self._picture],
            bytes(self._picture.value),
            "Accuracies of a source and of from scratch, seed by seed, and their difference with "
            "its interval.",
        )

    def _is_reader(self, source: str) -> bool:
        return any(key[0] == source and key[1] == "numbers_italian" for key in self._runs)

    @staticmethod
    def _named(source: str) -> str:
        return "nothing (random weights)" if source == "nothing" else SOURCES.get(source, source)

    def _tried(self, source: str, task: str) -> bool:
        return any(key[:2] == (source, task) for key in self._runs)

    def _offer(self) -> None:
        """Mark the targets that the source was not tried on."""
        kept = self._target.value
        self._target.options = [
            (name if self._tried(self._source.value, task) else f"{name} (not tried)", task)
            for task, name in TARGETS.items()
        ]
        if kept is not None:
            self._target.value = kept

    def _change(self, _) -> None:
        self._target.unobserve(self._show, "value")  # one picture, not one for each change
        self._offer()
        self._target.observe(self._show, "value")
        self._show()

    def _show(self, _=None) -> None:
        strategy = STRATEGIES[int(self._frozen.value)]
        case = self._source.value, self._target.value, self._amount.value, strategy
        if case not in self._drawn:
            self._drawn[case] = self._judge(*case)
        self._picture.value, self._said.value = self._drawn[case]

    def _judge(self, source: str, task: str, amount: str, strategy: str) -> tuple[bytes, str]:
        """The picture and the sentence of one case."""
        counts = self._labels.get(task, [])
        labels = counts[-1 if amount == AMOUNTS[1] else 0] if counts else 0
        ours = self._runs.get((source, task, labels, strategy))
        scratch = self._runs.get((SCRATCH[0], task, labels, SCRATCH[1]))
        title = f"{pair(source, task)}, {labels} labels, {strategy}"
        missing = self._missing(source, task, strategy, ours, scratch)
        if missing:
            self._figure = charts.duel({}, {}, None, title=title, figure=self._figure)
            return plots.png(self._figure), missing
        seeds = sorted(set(ours) & set(scratch))
        ours, scratch = ({seed: runs[seed] for seed in seeds} for runs in (ours, scratch))
        found = evidence.paired([*ours.values()], [*scratch.values()])
        names = f"{SOURCES.get(source, source)}, {strategy}", "from scratch"
        self._figure = charts.duel(ours, scratch, found, names, title, self._figure, strategy)
        verdict = VERDICTS[found.sign]
        lost = sum(ours[seed] < scratch[seed] for seed in seeds)
        word = "A control" if source in CONTROLS else verdict.capitalize()
        text = (
            f"<b>{word}</b>, {html.escape(title)}: {MEANS[verdict]}. Difference: "
            f"{html.escape(str(found))}; the source lost in {lost} of them."
        )
        return plots.png(self._figure), text + self._control(source, task, labels, strategy)

    def _missing(
        self, source: str, task: str, strategy: str, ours: dict | None, scratch: dict | None
    ) -> str:
        """Why there is nothing to compare; empty where there is."""
        if (source, strategy) == SCRATCH:
            return (
                "Nothing borrowed, everything trained: this <b>is</b> from scratch, which all "
                "others are compared with. Tick <i>frozen</i> for the control: a random backbone."
            )
        if not self._tried(source, task):
            tried = [name for key, name in TARGETS.items() if self._tried(source, key)]
            return (
                f"<b>No run</b>: {html.escape(self._named(source))} was not tried on "
                f"{TARGETS[task]}. It was on {', '.join(tried)}."
            )
        if source == "words counted" and strategy == STRATEGIES[0]:
            return "<b>No run</b>: counting words has no weights to fine-tune. Tick <i>frozen</i>."
        if ours is None or scratch is None or len(set(ours) & set(scratch)) < 5:
            return "<b>No verdict</b>: fewer than five seeds are stored for this case."
        return ""

    def _control(self, source: str, task: str, labels: int, strategy: str) -> str:
        """What the random backbone does in the same place, where frozen."""
        control = self._runs.get(("nothing", task, labels, "frozen"))
        if strategy != "frozen" or source in CONTROLS or control is None:
            return ""
        mine = self._runs[source, task, labels, strategy]
        seeds = sorted(set(mine) & set(control))
        if len(seeds) < 5:
            return ""
        found = evidence.paired([mine[s] for s in seeds], [control[s] for s in seeds])
        return f" Minus a frozen random backbone: {html.escape(str(found))}."
