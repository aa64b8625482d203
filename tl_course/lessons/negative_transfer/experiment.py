"""The board of suspects: a source, a target, labels, frozen or not; and what the runs say."""

from collections.abc import Collection, Mapping

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
from tl_course.practice.experiment import Experiment, choice

SCRATCH = ("nothing", "fine-tuned")
MEANS = {
    "guilty": "worse than from scratch",
    "innocent": "better than from scratch",
    "not proven": "the runs cannot tell it and from scratch apart",
}
FEWEST = 5  # seeds for a verdict


def board() -> Experiment:
    """Choose a source, a target, few or many labels, and frozen or not; read the verdict.

    Every answer is a stored comparison with from scratch, paired by seed. A target that a source
    was not tried on is marked, and the sentence says what was.
    """
    frame = evidence.load("sweep_suspects")
    runs = {
        key: rows.set_index("seed").test_balanced.to_dict()
        for key, rows in frame.groupby(["source", "task", "labels", "strategy"])
    }
    counts = {task: sorted(map(int, few.unique())) for task, few in frame.groupby("task").labels}
    tried = {source: {*tasks} for source, tasks in frame.groupby("source").task}
    names = sorted(tried, key=lambda s: (s == "nothing", "numbers_italian" in tried[s], s))
    first = "photographs" if "photographs" in tried else names[0]
    begin = next(task for task in TARGETS if task in tried[first])
    targets = choice("target", _offered(tried[first]), value=begin, layout={"width": "22em"})
    figure = None

    def mark(source: str) -> None:
        kept, targets.options = targets.value, [*_offered(tried[source]).items()]
        targets.value = kept

    def draw(source: str, target: str, amount: str, frozen: bool) -> dict:
        nonlocal figure
        labels = counts.get(target, [0])[-1 if amount == AMOUNTS[1] else 0]
        strategy = STRATEGIES[frozen]
        title = f"{pair(source, target)}, {labels} labels, {strategy}"
        ours, scratch, random = (
            runs.get((name, target, labels, how), {})
            for name, how in ((source, strategy), SCRATCH, ("nothing", "frozen"))
        )
        both = _paired(ours, scratch)
        said = _missing(source, target, strategy, tried[source])
        if said or both is None:
            said = said or "<b>No verdict</b>: fewer than five seeds are stored for this case."
            figure = charts.duel({}, {}, None, title=title, figure=figure)
            return {"said": said, "picture": plots.png(figure)}
        shown = f"{SOURCES.get(source, source)}, {strategy}", "from scratch"
        figure = charts.duel(ours, scratch, both, shown, title, figure, strategy)
        verdict = VERDICTS[both.sign]
        word = "A control" if source in CONTROLS else verdict.capitalize()
        lost = sum(ours[seed] < scratch[seed] for seed in {*ours} & {*scratch})
        said = (
            f"<b>{word}</b>, {title}: {MEANS[verdict]}. Difference: {both}; "
            f"the source lost in {lost} of them."
        )
        control = None if source in CONTROLS or not frozen else _paired(ours, random)
        if control is not None:
            said += f" Minus a frozen random backbone: {control}."
        return {"said": said, "picture": plots.png(figure)}

    sources = choice("source", {_named(name): name for name in names}, value=first)
    frozen = ipywidgets.Checkbox(description="frozen (head alone learns)", indent=False)
    return Experiment(
        [
            {"source": sources, "target": targets},
            {"amount": choice("labels", AMOUNTS), "frozen": frozen},
            {"said": str, "picture": bytes},
        ],
        draw,
        "Accuracies of a source and of from scratch, seed by seed, and their difference with its "
        "interval.",
        on={"source": mark},
    )


def _named(source: str) -> str:
    return "nothing (random weights)" if source == "nothing" else SOURCES.get(source, source)


def _offered(tried: Collection[str]) -> dict[str, str]:
    """All targets by what is shown; those that a source was not tried on are marked."""
    return {name + " (not tried)" * (task not in tried): task for task, name in TARGETS.items()}


def _paired(ours: Mapping[int, float], theirs: Mapping[int, float]) -> evidence.Interval | None:
    """The difference by seed, where there are enough of them."""
    seeds = sorted({*ours} & {*theirs})
    if len(seeds) < FEWEST:
        return None
    return evidence.paired([ours[s] for s in seeds], [theirs[s] for s in seeds])


def _missing(source: str, target: str, strategy: str, tried: Collection[str]) -> str:
    """Why there is nothing to compare; empty where there may be."""
    if (source, strategy) == SCRATCH:
        return (
            "Nothing borrowed, everything trained: this <b>is</b> from scratch, which all "
            "others are compared with. Tick <i>frozen</i> for the control: a random backbone."
        )
    if target not in tried:
        names = [name for task, name in TARGETS.items() if task in tried]
        return (
            f"<b>No run</b>: {_named(source)} was not tried on {TARGETS[target]}. "
            f"It was on {', '.join(names)}."
        )
    if source == "words counted" and strategy == STRATEGIES[0]:
        return "<b>No run</b>: counting words has no weights to fine-tune. Tick <i>frozen</i>."
    return ""
