"""``sweep_freezing.py`` on two tiny tasks with two strategies; its tables go into a folder.

python tests/data_scripts/tiny_freezing.py FOLDER --work FILE ...
"""

import sys
from pathlib import Path

import numpy as np
import pandas
import sweep_freezing
import torch

from tl_course.evidence import results, runs
from tl_course.lessons.freezing import recipe as depths
from tl_course.tasks import Split, Task

RATES = {"fine-tuning": (1e-3,), "head alone": (1e-3, 1e-2)}


def load(target: str, labels: int) -> Task | None:
    """Bright and dark pictures; the second target has no more than six labels."""
    if labels > (12 if target == "first" else 6):
        return None
    splits = []
    for seed, count in enumerate((15, 9, 9)):
        rng = np.random.default_rng([seed, len(target)])
        answers = np.arange(count) % 3
        pictures = rng.integers(0, 150, (count, 3, 64, 64)) + 50 * answers[:, None, None, None]
        pictures = torch.from_numpy(pictures.clip(0, 255).astype(np.uint8))
        splits.append(Split(pictures, torch.from_numpy(answers)))
    return Task(target, target, ("a", "b", "c"), *splits, "MIT", "tests", "none")


def hasty(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    runs.pace = lambda labels: (1, 6)  # here, so that it is so on a worker too
    return [depths.train_cell(load(task, labels).few(labels, seed), strategy, lr, seed)]


if __name__ == "__main__":
    folder = Path(sys.argv.pop(1))

    def save(frame: pandas.DataFrame, name: str, command: str) -> Path:
        frame.to_csv(folder / f"{name}.csv", index=False)
        return folder / f"{name}.csv"

    results.save, results.load = save, lambda name: pandas.read_csv(folder / f"{name}.csv")
    depths.RATES, depths.FROZEN = RATES, {name: depths.FROZEN[name] for name in RATES}
    vars(sweep_freezing).update(
        LABELS=(6, 12), TARGETS=("first", "second"), SEARCHED={6: (6, 12)}, SEEDS=range(2),
        load=load, run=hasty,
    )  # fmt: skip
    sweep_freezing.main()
