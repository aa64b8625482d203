"""How many epochs until it is good: fine-tuning, and from scratch four times as long.

    python data_scripts/sweep_epochs.py    # about 10 minutes on 2 cores; goes on if stopped

Stores the validation accuracy after every epoch. Learning rates are those that the search of
``sweep_freezing.py`` chose. Satellite and spoken digits need their files.
"""

from tl_course import evidence, tasks
from tl_course.lessons.freezing import recipe as depths

TARGETS = ("satellite", "leaves", "digits", "spoken_digits")
LABELS, SEARCHED = 200, 100
SEEDS = range(5)
LONGER = {"fine-tuning": 1, "from scratch": 4}


def run(task: str, labels: int, strategy: str, seed: int, lr: float) -> list[dict]:
    """One row an epoch; ``seconds`` on one thread since training began."""
    few = tasks.load(task).few(labels, seed)
    model = depths.build(strategy, len(few.classes), seed)
    epochs, batch = evidence.pace(labels)
    epochs *= LONGER[strategy]
    history = evidence.fit_or_stop(model, few, epochs, lr=lr, batch=batch, seed=seed)
    rows = [
        {"epoch": epoch, "val_accuracy": found, "seconds": history.seconds * epoch / epochs}
        for epoch, found in enumerate(history.val_accuracy, 1)
    ]
    rows[history.best_epoch - 1].update(evidence.tested(model, few))
    return rows


def main() -> None:
    sweep = evidence.Sweep("sweep_epochs", __doc__)
    rates = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    cells = [
        {**cell, "lr": rates[cell["task"], cell["strategy"], SEARCHED]}
        for cell in evidence.grid(task=TARGETS, labels=[LABELS], strategy=LONGER, seed=SEEDS)
    ]
    done = sweep.run(run, cells, load=TARGETS).round({"seconds": 2})
    frame = sweep.store(done, ["task", "strategy", "seed", "epoch"])
    print(f"expect:\n{evidence.means(frame).round(3).to_string()}")


if __name__ == "__main__":
    main()
