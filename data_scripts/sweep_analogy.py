"""Every source language, fine-tuned on Italian with 10 to 1,000 labels; stores every run.

    python data_scripts/sweep_analogy.py    # about an hour on 2 cores; goes on if stopped

Each seed trains its own reader of the source first, as ``pretrain_readers.py`` does, so that an
interval covers luck in learning the source too. Seed 0 is the reader in the package.
"""

import argparse
import copy
from functools import partial
from pathlib import Path

import joblib
import pandas
from pretrain_readers import pretrain
from torch import manual_seed, set_num_threads

from tl_course import evidence, models, tasks, train

LABELS = (10, 30, 100, 300, 1000)
SEEDS = range(10)
RATES = (1e-3, 4e-3, 1.5e-2)  # the same three for every start
STEPS = 120  # of up to 32 numbers each, but at least ten passes over all
# both from random weights; the second, slow one only where it could change a verdict
CONTROLS = {"nothing": LABELS, "nothing, four times as long": (30, 100, 300)}
LONGER = {"nothing, four times as long": 4}


def run(strategy: str, seed: int) -> list[dict]:
    """Accuracy on Italian before any label, then with each number of them, for one source."""
    set_num_threads(1)
    if strategy in CONTROLS:
        build = partial(models.load, "reader_spanish", pretrained=False)
    else:
        build = partial(copy.deepcopy, pretrain(strategy, seed))
    italian = tasks.load("numbers_italian")
    manual_seed(seed)
    before = train.evaluate(build(), italian.test).accuracy
    rows = [{"labels": 0, "test_accuracy": before, "test_balanced": before}]
    for labels in CONTROLS.get(strategy, LABELS):
        epochs = LONGER.get(strategy, 1) * max(STEPS // -(-labels // 32), 10)
        tuned = evidence.tune(build, italian.few(labels, seed), RATES, epochs, seed)
        rows += [{"labels": labels, **row} for row in tuned]
    return [{"task": italian.name, **row} for row in rows]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_analogy.jsonl"))
    args = parser.parse_args()
    sources = (*CONTROLS, *models.SOURCES)
    cells = [{"strategy": source, "seed": seed} for seed in SEEDS for source in sources]
    done = evidence.sweep(run, cells, args.work, args.jobs)
    done.sort(key=lambda r: (sources.index(r["strategy"]), r["labels"], r["seed"], r.get("lr", 0)))
    path = evidence.save(
        pandas.DataFrame(done), "sweep_analogy", "python data_scripts/sweep_analogy.py"
    )
    frame = evidence.load("sweep_analogy")
    means = evidence.chosen(frame).groupby(["strategy", "labels"]).test_accuracy.mean()
    print(means.unstack().loc[list(sources)].round(3).to_string())
    print(f"wrote {path}\nexpect, fine-tuning with 30 Italian numbers, minus from nothing:")
    for source in models.SOURCES:
        print(f"  {source}:", evidence.compare(frame, "numbers_italian", 30, source, "nothing"))


if __name__ == "__main__":
    main()
