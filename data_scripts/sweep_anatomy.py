"""Which layers did it, and what cures it: two cases of harm, taken apart; stores every run.

    python data_scripts/sweep_anatomy.py    # about 20 minutes on 2 cores; goes on if stopped

One case is the reader of reversed Spanish, on Italian. The other is the pair of a picture source
and its target that lost most when all was fine-tuned, as ``sweep_suspects.py`` found. Both use
the copies of sources that it keeps in its folder.
"""

import argparse
import copy
from functools import partial
from pathlib import Path

import joblib
import pandas
import sweep_suspects
from torch import manual_seed, set_num_threads

from tl_course import evidence, models, surgery, tasks
from tl_course.lessons.negative_transfer import recipe as suspects

WHOLE = ("from scratch", "whole source")
READER = ("reversed", "numbers_italian", 300)
LOWER, CURES = "lower rate", ("keep up to layer1", "keep up to layer2", "shrink and perturb")
MIXED = "mix in the source"
SEEDS = {"reader": range(10), "pictures": range(5)}
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
    set_num_threads(1)
    reader = source in suspects.READERS
    few = tasks.load(task).few(labels, seed)
    given = sweep_suspects.backbone(folder, source, seed)

    def build():
        manual_seed(seed)
        fresh = models.load("reader_spanish" if reader else "resnet10", pretrained=False)
        starts = [copy.deepcopy(given), fresh]
        if not reader:
            starts = [suspects.start(each, "fine-tuned", len(few.classes)) for each in starts]
        return suspects.assemble(
            *starts, "whole source" if strategy in (LOWER, MIXED) else strategy
        )

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
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--sources", type=Path, default=Path("sweep_suspects"), help="its folder")
    parser.add_argument("--work", type=Path, default=Path("sweep_anatomy.jsonl"))
    args = parser.parse_args()
    source, task, labels = guiltiest()
    rates = evidence.load("sweep_suspects_rates")
    rates = evidence.best_rates(rates[(rates.source == source)])
    rate = rates[task, "fine-tuned", labels]
    earlier = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    scratch = earlier[task, "from scratch", sweep_suspects.SEARCHED[labels]]
    pictures = [*parts([*surgery.stages(models.load("resnet10"))][:-1]), LOWER, *CURES]
    reader = [*parts(["letters", "memory", "head"]), LOWER, CURES[-1], MIXED]
    cells = [
        {"source": case[0], "task": case[1], "labels": case[2], "strategy": part, "seed": seed,
         "lr": scratch if part == "from scratch" else rate}
        for case, kind, wanted in ((READER, "reader", reader),
                                   ((source, task, labels), "pictures", pictures))
        for seed in SEEDS[kind]
        for part in wanted
    ]  # fmt: skip
    done = evidence.sweep(partial(run, args.sources), cells, args.work, args.jobs)
    columns = [*KEYS, "val_accuracy", "test_accuracy", "test_balanced", "seconds"]
    frame = pandas.DataFrame(done)[columns]
    order = {name: place for place, name in enumerate(dict.fromkeys([*pictures, *reader]))}
    place = frame.strategy.map(order)  # from the lowest stage up, not by name
    frame = frame.assign(place=place).sort_values(["source", "place", "seed"], ignore_index=True)
    frame = frame.drop(columns="place")
    path = evidence.save(frame, "sweep_anatomy", "python data_scripts/sweep_anatomy.py")
    print(f"wrote {path}: {len(frame)} runs\nexpect, points over from scratch:")
    stored = evidence.load("sweep_anatomy")
    for (name, target), rows in stored.groupby(["source", "task"]):
        for part in dict.fromkeys(cell["strategy"] for cell in cells if cell["source"] == name):
            found = evidence.compare(rows, target, int(rows.labels.iloc[0]), part, WHOLE[0])
            print(f"  {name}, {part}: {found}")


if __name__ == "__main__":
    main()
