"""Fine-tuning from half a pretrained network, early or late; stores every run.

    python data_scripts/sweep_early.py    # about 20 minutes on 2 cores; goes on if stopped

The rest starts from random weights, and all of it is trained. Runs from scratch and from the whole
network, with the same seeds and labels, are in sweep_pictures. Satellite needs its file:
TL_COURSE_DATA, the cache or a download.
"""

from functools import partial

import pandas
from torch import nn

from tl_course import evidence, models, surgery, tasks

TASKS = ("satellite", "leaves", "digits")
LABELS, EPOCHS = 200, 30
SEEDS = range(5)
RATES = (1e-3, 3e-3, 1e-2)  # those of the runs from scratch
HALVES = {
    "early stages pretrained": ("stem", "layer1", "layer2"),
    "late stages pretrained": ("layer3", "layer4"),
}


def build(half: str, classes: int) -> nn.Module:
    """A random network with the stages of ``half`` from the pretrained one."""
    known, model = models.load("resnet10"), models.load("resnet10", pretrained=False)
    return surgery.replace_head(surgery.transplant(known, model, *HALVES[half]), classes)


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """One row a learning rate."""
    few = tasks.load(task).few(labels, seed)
    augment = evidence.flip if task != "digits" else None
    start = partial(build, strategy, len(few.classes))
    return evidence.tune(start, few, RATES, EPOCHS, seed, augment=augment)


def main() -> None:
    sweep = evidence.Sweep("sweep_early", __doc__)
    cells = evidence.grid(task=TASKS, labels=[LABELS], strategy=HALVES, seed=SEEDS)
    done = sweep.run(run, cells, load=TASKS)
    frame = sweep.store(done, ["strategy", "task", "seed", "lr"])
    whole = evidence.load("sweep_pictures")
    whole = whole[whole.task.isin(TASKS) & (whole.labels == LABELS)]
    print("expect, minus from scratch:")
    print(evidence.contrasts(pandas.concat([frame, whole]), HALVES, "from scratch"))


if __name__ == "__main__":
    main()
