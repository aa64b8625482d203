"""How many epochs until it is good: fine-tuning, and from scratch four times as long.

    python data_scripts/sweep_epochs.py    # about 10 minutes on 2 cores; goes on if stopped

Stores the validation accuracy after every epoch. Learning rates are those that the search of
``sweep_freezing.py`` chose. Satellite and spoken digits need their files.
"""

import argparse
from pathlib import Path

import joblib
import pandas
from torch import set_num_threads

from tl_course import evidence, tasks, train
from tl_course.lessons.freezing import recipe as depths

TARGETS = ("satellite", "leaves", "digits", "spoken_digits")
LABELS, SEARCHED = 200, 100
SEEDS = range(5)
LONGER = {"fine-tuning": 1, "from scratch": 4}


def run(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    """One row an epoch; ``seconds`` on one thread since training began."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed)
    model = depths.build(strategy, len(few.classes), seed)
    epochs, batch = evidence.pace(labels)
    epochs *= LONGER[strategy]
    history = train.fit(model, few, epochs, lr=lr, batch=batch, seed=seed, progress=False)
    scores = train.evaluate(model, few.test)
    rows = [
        {"epoch": epoch, "val_accuracy": found, "seconds": history.seconds * epoch / epochs}
        for epoch, found in enumerate(history.val_accuracy, 1)
    ]
    best = rows[history.best_epoch - 1]
    best.update(test_accuracy=scores.accuracy, test_balanced=scores.balanced_accuracy)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_epochs.jsonl"))
    args = parser.parse_args()
    rates = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    cells = [
        {
            "task": name,
            "labels": LABELS,
            "strategy": strategy,
            "seed": seed,
            "lr": rates[name, strategy, SEARCHED],
        }
        for seed in SEEDS
        for name in TARGETS
        for strategy in LONGER
    ]
    for name in TARGETS:
        tasks.load(name)  # draw or unpack once, before the workers start
    done = pandas.DataFrame(evidence.sweep(run, cells, args.work, args.jobs))
    done = done.sort_values(["task", "strategy", "seed", "epoch"], ignore_index=True)
    done["seconds"] = done.seconds.round(2)
    path = evidence.save(done, "sweep_epochs", "python data_scripts/sweep_epochs.py")
    frame = evidence.load("sweep_epochs")
    print(f"wrote {path}\nexpect:\n{evidence.means(frame).round(3).to_string()}")


if __name__ == "__main__":
    main()
