"""What BatchNorm should do in frozen layers: policies × batch size × target; stores every run.

    python data_scripts/sweep_batchnorm.py    # about 10 minutes on 2 cores; goes on if stopped

Spoken digits need their file: TL_COURSE_DATA, the cache or a download.
"""

import copy

from torch import manual_seed, nn, no_grad, optim, randperm
from torch.nn.functional import cross_entropy

from tl_course import evidence, models, surgery, tasks, train

TARGETS = ("materials", "spoken_digits")  # near and far
LABELS = 200
BATCHES = (8, 32, 128)
EPOCHS = 8
SEEDS = range(5)
# the backbone is frozen: does BatchNorm keep its statistics, and are its own weights trained?
POLICIES = {
    "frozen, fixed": {"affine": False, "moving": False},
    "frozen, statistics move": {"affine": False, "moving": True},
    "frozen, BatchNorm trained": {"affine": True, "moving": True},
}
RATES = (3e-3, 1e-2)


def norms(model: nn.Module) -> list[nn.BatchNorm2d]:
    """The BatchNorm layers of ``model``."""
    return [part for part in model.modules() if isinstance(part, nn.BatchNorm2d)]


def learn(task: tasks.Task, affine: bool, moving: bool, batch: int, lr: float, seed: int):
    """A resnet10 trained under one policy, as it was in the best epoch on validation; its row."""
    manual_seed(seed)
    model = surgery.replace_head(models.load("resnet10"), len(task.classes))
    surgery.freeze(model)
    for norm in norms(model):
        norm.requires_grad_(affine)
    optimizer = optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=lr)
    steps = EPOCHS * -(-len(task.train) // batch)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    best, state = -1.0, {}
    for _ in range(EPOCHS):
        model.train(moving)  # nothing but BatchNorm tells the two modes apart here
        for chosen in randperm(len(task.train)).split(batch):
            logits = model(model.preprocess(task.train.inputs[chosen]))
            loss = cross_entropy(logits, task.train.labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        found = train.evaluate(model, task.val).accuracy
        if found > best:
            best = found
            state = copy.deepcopy(model.state_dict())
    model.load_state_dict(state)
    return model.eval(), {"val_accuracy": best}


def drift(model: nn.Module) -> float:
    """How far the statistics are from the source's: mean change of a mean, in its spreads."""
    with no_grad():
        moves = [
            ((new.running_mean - old.running_mean).abs() / old.running_var.sqrt()).mean()
            for new, old in zip(norms(model), norms(models.load("resnet10")), strict=True)
        ]
    return float(sum(moves) / len(moves))


def run(task: str, labels: int, strategy: str, batch: int, seed: int) -> list[dict]:
    """Train once for each learning rate; the best on validation alone is tested."""
    few = tasks.load(task).few(labels, seed)
    options = {**POLICIES[strategy], "batch": batch, "seed": seed}
    rows, best, model = evidence.tested_best(lambda lr: learn(few, lr=lr, **options), RATES, few)
    best["drift"] = drift(model)
    return rows


def main() -> None:
    sweep = evidence.Sweep("sweep_batchnorm", __doc__)
    cells = evidence.grid(
        task=TARGETS, labels=[LABELS], batch=BATCHES, strategy=POLICIES, seed=SEEDS
    )
    done = sweep.run(run, cells, load=TARGETS)
    frame = sweep.store(done, ["task", "labels", "batch", "strategy", "seed", "lr"])
    print("expect:")
    for batch, rows in frame.groupby("batch"):
        print(f"batch {batch}:\n{evidence.means(rows).round(3).to_string()}")


if __name__ == "__main__":
    main()
