"""An experiment on forgetting: what learning Italian costs in Spanish."""

from typing import TYPE_CHECKING

import ipywidgets
import torch

from tl_course import evidence, models, plots, surgery, tasks, train
from tl_course.lessons.forgetting import charts, checks, rules
from tl_course.practice.experiment import Experiment, choice, steps

if TYPE_CHECKING:
    import pandas

CURVES = {"new job: Italian": "test_accuracy", "old job: Spanish": "source_accuracy"}
DEPTHS = {
    "nothing": "",
    "the letters": "letters",
    "letters and memory": "letters memory",
}
LABELS, EPOCHS = 100, 30  # as in the stored runs


def price_list() -> Experiment:
    """Choose a learning rate and what is frozen; see both accuracies, stored and live.

    Curves and numbers come from the stored runs (100 Italian numbers, ten seeds). The button
    trains that very setting now and puts its two accuracies among them.
    """
    stored = evidence.Runs(evidence.load("sweep_forgetting"))
    runs = {
        shown: stored.rows(**rules.tuned("reader", frozen=frozen))
        for shown, frozen in DEPTHS.items()
    }
    live: dict[tuple[str, float], tuple[float, float]] = {}

    def draw(rate: float, frozen: str) -> dict:
        rows, mine = runs[frozen], live.get((frozen, rate))
        here = rows[rows.lr == rate]
        italian, spanish = here.test_accuracy.mean(), here.source_accuracy.mean()
        said = (
            f"Learning rate {rate:g}, frozen: {frozen}. Mean of {len(here)} runs: Italian "
            f"<b>{italian:.0%}</b>, Spanish <b>{spanish:.0%}</b> "
            f"(before: {here.source_before.mean():.1%})."
        )
        if mine:
            said += f" Your run (diamonds): Italian {mine[1]:.0%}, Spanish {mine[0]:.0%}."
        return {"picture": plots.png(_chart(rows, rate, mine).get_figure()), "said": said}

    def train_it(rate: float, frozen: str) -> None:
        live[frozen, rate] = _run(DEPTHS[frozen], rate)

    controls = {
        "rate": steps("learning rate", sorted({*runs["nothing"].lr}), "{:g}".format, value=3e-3),
        "frozen": choice("frozen", [*DEPTHS]),
        "train": ipywidgets.Button(description="Train it now", button_style="primary"),
    }
    alt = "Accuracy in Italian and in Spanish by learning rate, after 100 Italian numbers."
    return Experiment([controls], draw, alt, run={"train": train_it})


def _run(frozen: str, lr: float) -> tuple[float, float]:
    """Accuracies in Spanish and in Italian after learning Italian, one run."""
    torch.manual_seed(0)
    model = models.load("reader_spanish")
    if frozen:
        surgery.freeze(model, *frozen.split())
    few = tasks.load("numbers_italian").few(LABELS, seed=0)
    train.fit(model, few, epochs=EPOCHS, lr=lr, progress=False)
    return checks.both(model)


def _chart(rows: "pandas.DataFrame", lr: float, live: tuple[float, float] | None):
    ax = charts.by_rate(rows, CURVES, before=rows.source_before.mean())
    ax.axvline(lr, color="#999999", linewidth=6, alpha=0.35, zorder=0)
    for value, name in zip(live or (), ("old job", "new job"), strict=False):
        ax.plot(lr, value, "D", color=plots.COLOURS[name], markersize=11, markeredgecolor="white")
    return ax
