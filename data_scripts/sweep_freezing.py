"""How much to freeze: depth × labels × target over seeds, against two controls; stores every run.

    python data_scripts/sweep_freezing.py    # about 2 hours on 2 cores; goes on if stopped
    python data_scripts/sweep_freezing.py --dask tcp://host:8786    # on a Dask cluster instead

First the learning rate of every strategy and target: three rates, two draws of labels that are not
used again, the best mean accuracy on validation. Then every cell with five seeds. On a cluster all
machines need the package; satellite, pneumonia and spoken digits need their files there.
"""

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
    few = load(task, labels).few(labels, seed)
    return [depths.train_cell(few, strategy, lr, seed)]


def search(targets: list[str]) -> list[dict]:
    """Cells of the search for learning rates."""
    return [
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


def main() -> None:
    sweep = evidence.Sweep(
        "sweep_freezing",
        __doc__,
        targets={"nargs": "+", "default": TARGETS, "choices": TARGETS},
        most={"type": int, "default": LABELS[-1], "help": "no more labels than these"},
    )
    args = sweep.args
    found = sweep.run(run, search(args.targets), work=args.work.with_suffix(".rates.jsonl"))
    rates = evidence.best_rates(found)
    cells = [
        {**cell, "lr": rates[name, cell["strategy"], searched]}
        for searched, served in SEARCHED.items()
        for name in args.targets
        for cell in evidence.grid(
            task=[name],
            labels=[n for n in served if n <= args.most and load(name, n)],
            strategy=depths.FROZEN,
            seed=SEEDS,
        )
    ]
    frame = sweep.run(run, cells)
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
