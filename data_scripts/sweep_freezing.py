"""How much to freeze: depth × labels × target over seeds, against two controls; stores every run.

    python data_scripts/sweep_freezing.py    # about 5 hours on 2 cores; goes on if stopped
    python data_scripts/sweep_freezing.py --dask tcp://host:8786    # on a Dask cluster instead

First the learning rate of every strategy and target: five rates, two draws of labels that are not
used again, the best mean on validation; where that lies at an end of the rates tried, more beyond
it. Then every cell with ten seeds, each run trained to the end (``evidence.learned``). A head alone
is a logistic regression on features that are computed once (``features.probe_task``). On a cluster
all machines need the package; satellite, pneumonia and spoken digits need their files there.
"""

import pandas

from tl_course import evidence, tasks
from tl_course.lessons.freezing import recipe as depths

LABELS = (25, 50, 100, 200, 500, 1000, 2000)
TARGETS = ("materials", "satellite", "leaves", "digits", "spoken_digits", "pneumonia")
SEEDS = range(10)
SEARCHED = {100: LABELS[:4], 500: LABELS[4:]}  # the search at 100 labels serves up to 200
SEARCH_SEEDS = (100, 101)
KEYS = ["task", "labels", "strategy", "seed"]
# times the epochs of ``pace`` from which each begins; what is random knows less, and needs more
TIMES = {"from scratch": 4}


def load(target: str, labels: int) -> tasks.Task | None:
    """The task with so many training labels at hand, or ``None`` where there are not as many."""
    for name in (target, f"{target}_many"):
        if name in tasks.names() and labels <= len(tasks.load(name).train):
            return tasks.load(name)
    return None


def run(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    """The row of one cell with one seed."""
    few = load(task, labels).few(labels, seed)
    return [depths.train_cell(few, strategy, lr, seed, times=TIMES.get(strategy, 1))]


def tried(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    """The row of one rate in the search: all rates of a strategy get the same epochs."""
    few, times = load(task, labels).few(labels, seed), TIMES.get(strategy, 1)
    return [depths.train_cell(few, strategy, lr, seed, times=times, longest=times)]


def probed(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """The same for a head alone."""
    return [depths.train_cell(load(task, labels).few(labels, seed), strategy, None, seed)]


def search(sweep: evidence.Sweep, targets: list[str]) -> pandas.DataFrame:
    """The runs of the search for learning rates, none of which has its best at an end."""
    cells = [
        {**cell, "lr": lr}
        for name in targets
        for cell in evidence.grid(
            task=[name],
            labels=[n for n in SEARCHED if load(name, n)],
            strategy=depths.RATES,
            seed=SEARCH_SEEDS,
        )
        for lr in depths.RATES[cell["strategy"]]
    ]
    while True:
        found = sweep.run(tried, cells, work=sweep.args.work.with_suffix(".rates.jsonl"))
        edges = evidence.at_an_edge(found)
        if not edges:
            return found
        cells += [
            {"task": task, "labels": labels, "strategy": strategy, "seed": seed, "lr": lr}
            for (task, strategy, labels), lr in edges.items()
            for seed in SEARCH_SEEDS
        ]


def main() -> None:
    sweep = evidence.Sweep(
        "sweep_freezing",
        __doc__,
        targets={"nargs": "+", "default": TARGETS, "choices": TARGETS},
        most={"type": int, "default": LABELS[-1], "help": "no more labels than these"},
    )
    args = sweep.args
    found = search(sweep, args.targets)
    rates = evidence.best_rates(found)
    searched = {n: at for at, served in SEARCHED.items() for n in served}
    places = [
        {"seed": seed, "task": name, "labels": labels}
        for seed in SEEDS
        for name in args.targets
        for labels in LABELS
        if labels <= args.most and load(name, labels)
    ]
    cells = [
        {
            **place,
            "strategy": strategy,
            "lr": rates[place["task"], strategy, searched[place["labels"]]],
        }
        for place in places
        for strategy in depths.RATES
    ]
    heads = [{**place, "strategy": head} for place in places for head in depths.HEADS]
    probes = sweep.run(probed, heads, work=args.work.with_suffix(".heads.jsonl"))
    frame = pandas.concat([sweep.run(run, cells), probes], ignore_index=True)
    if (*args.targets,) != TARGETS or args.most < LABELS[-1]:
        print(evidence.means(frame.sort_values(KEYS)).round(3).to_string())
        print(f"kept in {args.work}; run again without --targets and --most to store all results")
        return
    untested = found[[name for name in found if not name.startswith("test_")]]
    sweep.store(untested, [*KEYS, "lr"], "sweep_freezing_rates")
    frame = sweep.store(frame, KEYS)
    print(f"expect:\n{evidence.means(frame).round(3).to_string()}")


if __name__ == "__main__":
    main()
