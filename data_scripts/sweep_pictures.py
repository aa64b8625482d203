"""Fine-tuning, from scratch, and linear probes on pictures, over seeds; stores every run.

    python data_scripts/sweep_pictures.py    # about 35 minutes on 2 cores; goes on if stopped

Real tasks (satellite, pneumonia) need their files: TL_COURSE_DATA, the cache or a download.
"""

from functools import partial

from torch import manual_seed, nn

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
    sweep = evidence.Sweep(
        "sweep_pictures", __doc__, tasks={"nargs": "+", "help": "only these tasks"}
    )
    wanted = [cell for cell in CELLS if cell[0] in (sweep.args.tasks or dict(CELLS))]
    cells = [
        {"task": task, "labels": labels, **rest}
        for task, labels in wanted
        for rest in evidence.grid(strategy=[*RATES, *PROBES], seed=SEEDS)
    ]
    done = sweep.run(run, cells, load=dict(wanted))
    if sweep.args.tasks:
        print(f"kept in {sweep.args.work}; run again without --tasks to store all results")
        return
    frame = sweep.store(done, ["task", "labels", "strategy", "seed", "lr"], task=dict(CELLS))
    print(evidence.means(frame).round(3).to_string())
    print("expect, fine-tuning minus from scratch:")
    print(evidence.contrasts(frame, ["fine-tuning"], "from scratch"))


if __name__ == "__main__":
    main()
