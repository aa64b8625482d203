"""Overfitting on purpose, and what each cure is worth; stores every run.

    python data_scripts/sweep_cures.py    # about 15 minutes on 2 cores; goes on if stopped

Satellite and PACS need their files: TL_COURSE_DATA, the cache or a download.
"""

import argparse
from pathlib import Path

import joblib
import pandas
from torch import set_num_threads

from tl_course import evidence, tasks, train
from tl_course.lessons.overfitting import recipe as cures

CELLS = (("leaves", 100), ("satellite", 50), ("pacs_sketch", 50))
SEEDS = range(5)


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """The row of one cure on one task with one seed."""
    set_num_threads(1)
    changes = cures.CURES[strategy]
    few = tasks.load(task).few(labels * changes.get("labels", 1), seed)
    model, history = cures.learn(few, seed, **changes)
    learned, tested = train.evaluate(model, few.train), train.evaluate(model, few.test)
    sure = train.predict(model, few.test.inputs).max(1).values.mean()
    return [
        {
            "train_accuracy": learned.accuracy,
            "train_loss": learned.loss,
            "val_accuracy": history.val_accuracy[history.best_epoch - 1],
            "test_accuracy": tested.accuracy,
            "test_balanced": tested.balanced_accuracy,
            "test_loss": tested.loss,
            "confidence": float(sure),
            "best_epoch": history.best_epoch,
            "seconds": round(history.seconds, 2),
        }
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_cures.jsonl"))
    args = parser.parse_args()
    keys = ["task", "labels", "strategy", "seed"]
    cells = [
        dict(zip(keys, (name, labels, cure, seed), strict=True))
        for seed in SEEDS
        for name, labels in CELLS
        for cure in cures.CURES
    ]
    for name, _ in CELLS:
        tasks.load(name)  # draw or unpack once, before the workers start
    done = pandas.DataFrame(evidence.sweep(run, cells, args.work, args.jobs))
    order = {cure: place for place, cure in enumerate(cures.CURES)}
    done = done.sort_values(keys, key=lambda c: c.map(order) if c.name == "strategy" else c)
    path = evidence.save(done, "sweep_cures", "python data_scripts/sweep_cures.py")
    frame = evidence.load("sweep_cures")
    print(f"wrote {path}\nexpect, each cure minus none:")
    for name, labels in CELLS:
        for cure in [*cures.CURES][1:]:
            found = evidence.compare(frame, name, labels, cure, "no cure")
            print(f"  {name}, {labels} labels, {cure}: {found}")


if __name__ == "__main__":
    main()
