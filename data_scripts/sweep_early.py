"""Fine-tuning from half a pretrained network, early or late; stores every run.

    python data_scripts/sweep_early.py    # about 20 minutes on 2 cores; goes on if stopped

The rest starts from random weights, and all of it is trained. Runs from scratch and from the whole
network, with the same seeds and labels, are in sweep_pictures. Satellite needs its file:
TL_COURSE_DATA, the cache or a download.
"""

import argparse
from functools import partial
from pathlib import Path

import joblib
import pandas
from torch import nn, set_num_threads

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
    for name in HALVES[half]:
        surgery.stages(model)[name].load_state_dict(surgery.stages(known)[name].state_dict())
    return surgery.replace_head(model, classes)


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """One row a learning rate."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed)
    augment = evidence.flip if task != "digits" else None
    start = partial(build, strategy, len(few.classes))
    return evidence.tune(start, few, RATES, EPOCHS, seed, augment=augment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_early.jsonl"))
    args = parser.parse_args()
    cells = [
        {"task": task, "labels": LABELS, "strategy": half, "seed": seed}
        for half in HALVES
        for task in TASKS
        for seed in SEEDS
    ]
    for name in TASKS:
        tasks.load(name)  # draw or unpack once, before the workers start
    done = pandas.DataFrame(evidence.sweep(run, cells, args.work, args.jobs))
    done = done.sort_values(["strategy", "task", "seed", "lr"], ignore_index=True)
    path = evidence.save(done, "sweep_early", "python data_scripts/sweep_early.py")
    whole = evidence.chosen(evidence.load("sweep_pictures"))
    frame = pandas.concat([evidence.chosen(evidence.load("sweep_early")), whole])
    print(f"wrote {path}\nexpect, minus from scratch:")
    for half in HALVES:
        for task in TASKS:
            print(
                f"  {half}, {task}: {evidence.compare(frame, task, LABELS, half, 'from scratch')}"
            )


if __name__ == "__main__":
    main()
