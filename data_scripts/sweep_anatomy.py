"""Which layers did it, and what cures it: two cases of harm, taken apart; stores every run.

    python data_scripts/sweep_anatomy.py    # about 20 minutes on 2 cores; goes on if stopped

One case is the reader of reversed Spanish, on Italian. The other is the pair of a picture source
and its target that lost most when all was fine-tuned, as ``sweep_suspects.py`` found. Both use
the copies of sources that it keeps in its folder.
"""

import copy
from functools import partial
from pathlib import Path

import sweep_suspects
from torch import manual_seed

from tl_course import evidence, models, surgery, tasks
from tl_course.lessons.negative_transfer import recipe as suspects

WHOLE = ("from scratch", "whole source")
READER = ("reversed", "numbers_italian", 300)
LOWER, CURES = "lower rate", ("keep up to layer1", "keep up to layer2", "shrink and perturb")
MIXED = "mix in the source"
KEYS = ["source", "task", "labels", "strategy", "seed"]


def guiltiest() -> tuple[str, str, int]:
    """Source, target and labels of the picture pair that lost most with everything fine-tuned."""
    gains = evidence.gains(evidence.load("sweep_suspects"))
    own = gains[(gains.strategy == "fine-tuned") & gains.source.isin([*suspects.RECIPES])]
    worst = own.loc[own.gain.idxmin()]
    return worst.source, worst.task, int(worst.labels)


def run(
    folder: Path, source: str, task: str, labels: int, strategy: str, seed: int, lr: float
) -> list[dict]:
    """The row of one part or cure with one seed; ``lr`` is the rate of the whole source.

    A reader tries three rates, as it did in the sweep of lesson 01.
    """
    reader = source in suspects.READERS
    few = tasks.load(task).few(labels, seed)
    given = sweep_suspects.backbone(folder, source, seed)

    def build():
        manual_seed(seed)
        fresh = models.load("reader_spanish" if reader else "resnet10", pretrained=False)
        starts = [copy.deepcopy(given), fresh]
        if not reader:
            starts = [suspects.start(each, "fine-tuned", len(few.classes)) for each in starts]
        return suspects.assemble(*starts, WHOLE[1] if strategy in (LOWER, MIXED) else strategy)

    lower = 0.1 if strategy == LOWER else 1.0
    if not reader:
        return [evidence.learned(build(), few, lr * lower, seed)]
    if strategy == MIXED:
        old = tasks.load("numbers_" + sweep_suspects.ANALOGY[source])
        few = few.mixed(old.few(labels, seed).train)
    epochs = max(sweep_suspects.STEPS // -(-labels // 32), 10)
    rates = [lower * rate for rate in sweep_suspects.READER_RATES]
    tuned = evidence.tune(build, few, rates, epochs, seed)
    best = next(row for row in tuned if "test_accuracy" in row)
    return [{name: value for name, value in best.items() if name != "lr"}]


def parts(stages: list[str]) -> list[str]:
    """Everything one stage alone and all but one stage can tell."""
    return [*WHOLE, *(f"{kind} {name}" for kind in ("only", "all but") for name in stages)]


def main() -> None:
    sweep = evidence.Sweep(
        "sweep_anatomy",
        __doc__,
        sources={"type": Path, "default": Path("sweep_suspects"), "help": "its folder"},
    )
    source, task, labels = guiltiest()
    rates = evidence.load("sweep_suspects_rates")
    rate = evidence.best_rates(rates[rates.source == source])[task, "fine-tuned", labels]
    earlier = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    scratch = earlier[task, "from scratch", sweep_suspects.SEARCHED[labels]]
    stages = [*surgery.stages(models.load("resnet10"))][:-1]
    pictures = [*parts(stages), LOWER, *CURES]
    reader = [*parts(["letters", "memory", "head"]), LOWER, CURES[-1], MIXED]
    cases = [(*READER, reader, 10), (source, task, labels, pictures, 5)]
    cells = [
        {**cell, "lr": scratch if cell["strategy"] == WHOLE[0] else rate}
        for each, target, count, wanted, seeds in cases
        for cell in evidence.grid(
            source=[each], task=[target], labels=[count], strategy=wanted, seed=range(seeds)
        )
    ]
    done = sweep.run(partial(run, sweep.args.sources), cells)
    columns = [*KEYS, "val_accuracy", "test_accuracy", "test_balanced", "seconds"]
    stages_up = [*pictures, *reader]
    frame = sweep.store(done[columns], ["source", "strategy", "seed"], strategy=stages_up)
    print("expect, points over from scratch:")
    for name, rows in frame.groupby("source"):
        found = evidence.contrasts(rows, dict.fromkeys(rows.strategy), WHOLE[0])
        print(f"{name}\n{found}")


if __name__ == "__main__":
    main()
