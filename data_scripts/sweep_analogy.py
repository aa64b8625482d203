"""Every source language, fine-tuned on Italian with 10 to 1,000 labels; stores every run.

    python data_scripts/sweep_analogy.py    # about an hour on 2 cores; goes on if stopped

Each seed trains its own reader of the source first, as ``pretrain_readers.py`` does, so that an
interval covers luck in learning the source too. Seed 0 is the reader in the package.
"""

import copy
from functools import partial

from pretrain_readers import pretrain
from torch import manual_seed

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
    sweep = evidence.Sweep("sweep_analogy", __doc__)
    sources = (*CONTROLS, *models.SOURCES)
    done = sweep.run(run, evidence.grid(strategy=sources, seed=SEEDS))
    frame = sweep.store(done, ["strategy", "labels", "seed", "lr"], strategy=sources)
    print(evidence.means(frame).T.round(3).to_string())
    print("expect, fine-tuning with 30 Italian numbers, minus from nothing:")
    print(evidence.contrasts(frame[frame.labels == 30], models.SOURCES, "nothing"))


if __name__ == "__main__":
    main()
