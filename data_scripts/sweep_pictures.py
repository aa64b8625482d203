"""Fine-tuning, from scratch, and linear probes on pictures, over seeds; stores every run.

    python data_scripts/sweep_pictures.py    # about 35 minutes on 2 cores; goes on if stopped

Real tasks (satellite, pneumonia) need their files: TL_COURSE_DATA, the cache or a download.
"""

import argparse
from functools import partial
from pathlib import Path

import joblib
import pandas
from torch import manual_seed, nn, set_num_threads

from tl_course import evidence, features, models, surgery, tasks

CELLS = (
    ("leaves", 200),
    ("leaves", 1000),
    ("satellite", 200),
    ("materials", 200),
    ("pneumonia", 200),
    ("digits", 200),
)
SEEDS = range(5)
# three learning rates each, so that neither strategy is tuned harder than the other
RATES = {"fine-tuning": (3e-4, 1e-3, 3e-3), "from scratch": (1e-3, 3e-3, 1e-2)}
PROBES = ("linear probe", "probe on random backbone")


def epochs_for(labels: int) -> int:
    """Enough passes to show about 6,000 pictures: at least 15, at most 60."""
    return max(15, min(60, 6000 // labels))


def build(strategy: str, classes: int) -> nn.Module:
    """The network a strategy starts from."""
    pretrained = strategy in ("fine-tuning", "linear probe")
    return surgery.replace_head(models.load("resnet10", pretrained=pretrained), classes)


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """All rows of one strategy on one task with one seed."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed)
    if strategy in PROBES:
        manual_seed(seed)
        return [features.probe_task(build(strategy, len(few.classes)), few)]
    return evidence.tune(
        partial(build, strategy, len(few.classes)),
        few,
        RATES[strategy],
        epochs_for(labels),
        seed,
        augment=evidence.flip if task != "digits" else None,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--tasks", nargs="+", help="only these tasks")
    parser.add_argument("--work", type=Path, default=Path("sweep_pictures.jsonl"))
    args = parser.parse_args()
    cells = [
        {"task": name, "labels": labels, "strategy": strategy, "seed": seed}
        for name, labels in CELLS
        if args.tasks is None or name in args.tasks
        for seed in SEEDS
        for strategy in (*RATES, *PROBES)
    ]
    for name in {cell["task"] for cell in cells}:
        tasks.load(name)  # draw or unpack once, before the workers start
    done = evidence.sweep(run, cells, args.work, args.jobs)
    if args.tasks:
        print(f"kept in {args.work}; run again without --tasks to store all results")
        return
    order = {cell: index for index, cell in enumerate(CELLS)}
    done = [r for r in done if (r["task"], r["labels"]) in order]
    done.sort(
        key=lambda r: (order[r["task"], r["labels"]], r["strategy"], r["seed"], r.get("lr", 0))
    )
    path = evidence.save(
        pandas.DataFrame(done), "sweep_pictures", "python data_scripts/sweep_pictures.py"
    )
    frame = evidence.load("sweep_pictures")
    print(evidence.means(frame).round(3).to_string())
    print(f"wrote {path}\nexpect, fine-tuning minus from scratch:")
    for name, labels in dict.fromkeys((r["task"], r["labels"]) for r in done):
        found = evidence.compare(frame, name, labels, "fine-tuning", "from scratch")
        print(f"  {name}, {labels} labels: {found}")


if __name__ == "__main__":
    main()
