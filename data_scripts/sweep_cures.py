"""Overfitting on purpose, and what each cure is worth; stores every run.

    python data_scripts/sweep_cures.py    # about 15 minutes on 2 cores; goes on if stopped

Satellite and PACS need their files: TL_COURSE_DATA, the cache or a download.
"""

from tl_course import evidence, tasks, train
from tl_course.lessons.overfitting import recipe as cures

CELLS = (("leaves", 100), ("satellite", 50), ("pacs_sketch", 50))
SEEDS = range(5)


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """The row of one cure on one task with one seed."""
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
    sweep = evidence.Sweep("sweep_cures", __doc__)
    cells = [
        {"task": task, "labels": labels, **rest}
        for task, labels in CELLS
        for rest in evidence.grid(strategy=cures.CURES, seed=SEEDS)
    ]
    done = sweep.run(run, cells, load=dict(CELLS))
    frame = sweep.store(done, ["task", "labels", "strategy", "seed"], strategy=cures.CURES)
    print("expect, each cure minus none:")
    print(evidence.contrasts(frame, [*cures.CURES][1:], "no cure"))


if __name__ == "__main__":
    main()
