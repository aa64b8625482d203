"""How much to freeze: depth × labels × target over seeds, against two controls; stores every run.

    python data_scripts/sweep_freezing.py    # about 2 hours on 2 cores; goes on if stopped
    python data_scripts/sweep_freezing.py --dask tcp://host:8786    # on a Dask cluster instead

First the learning rate of every strategy and target: three rates, two draws of labels that are not
used again, the best mean accuracy on validation. Then every cell with five seeds. On a cluster all
machines need the package; satellite, pneumonia and spoken digits need their files there.
"""

import argparse
from pathlib import Path

import joblib
import pandas
from torch import set_num_threads

from tl_course import evidence, tasks
from tl_course.lessons.freezing import recipe as depths

LABELS = (25, 50, 100, 200, 500, 1000, 2000)
TARGETS = ("materials", "satellite", "leaves", "digits", "spoken_digits", "pneumonia")
SEEDS = range(5)
SEARCHED = {100: LABELS[:4], 500: LABELS[4:]}  # the search at 100 labels serves up to 200
SEARCH_SEEDS = (100, 101)
KEYS = ["task", "labels", "strategy", "seed"]


def load(target: str, labels: int) -> tasks.Task | None:
    """The task with so many training labels at hand, or ``None`` where there are not as many."""
    for name in (target, f"{target}_many"):
        if name in tasks.names() and labels <= len(tasks.load(name).train):
            return tasks.load(name)
    return None


def run(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    """The row of one cell with one seed."""
    set_num_threads(1)
    few = load(task, labels).few(labels, seed)
    return [depths.train_cell(few, strategy, lr, seed)]


def search(targets: list[str]) -> list[dict]:
    """Cells of the search for learning rates."""
    return [
        {"task": name, "labels": labels, "strategy": strategy, "seed": seed, "lr": lr}
        for labels in SEARCHED
        for name in targets
        if load(name, labels)
        for seed in SEARCH_SEEDS
        for strategy, rates in depths.RATES.items()
        for lr in rates
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler to run on instead")
    parser.add_argument("--targets", nargs="+", default=[*TARGETS], choices=TARGETS)
    parser.add_argument("--most", type=int, default=LABELS[-1], help="no more labels than these")
    parser.add_argument("--work", type=Path, default=Path("sweep_freezing.jsonl"))
    args = parser.parse_args()
    whole = [*args.targets] == [*TARGETS] and args.most == LABELS[-1]
    for name in args.targets:
        for labels in (*SEARCHED, *LABELS):
            if labels <= max(args.most, *SEARCHED):
                load(name, labels)  # draw or unpack once, before the workers start
    found = evidence.sweep(
        run, search(args.targets), args.work.with_suffix(".rates.jsonl"), args.jobs, args.dask
    )
    rates = evidence.best_rates(pandas.DataFrame(found))
    cells = [
        {
            "task": name,
            "labels": labels,
            "strategy": strategy,
            "seed": seed,
            "lr": rates[name, strategy, searched],
        }
        for searched, served in SEARCHED.items()
        for labels in served
        for name in args.targets
        if labels <= args.most and load(name, labels)
        for seed in SEEDS
        for strategy in depths.FROZEN
    ]
    done = evidence.sweep(run, cells, args.work, args.jobs, args.dask)
    frame = pandas.DataFrame(done).sort_values(KEYS, ignore_index=True)
    if not whole:
        print(evidence.means(frame).round(3).to_string())
        print(f"kept in {args.work}; run again without --targets and --most to store all results")
        return
    command = "python data_scripts/sweep_freezing.py"
    search_rows = pandas.DataFrame(found).sort_values([*KEYS, "lr"], ignore_index=True)
    search_rows = search_rows.drop(columns=["test_accuracy", "test_balanced"])
    evidence.save(search_rows, "sweep_freezing_rates", command)
    path = evidence.save(frame, "sweep_freezing", command)
    print(f"wrote {path}: {len(frame)} runs and {len(search_rows)} of the search\nexpect:")
    print(evidence.means(evidence.load("sweep_freezing")).round(3).to_string())


if __name__ == "__main__":
    main()
