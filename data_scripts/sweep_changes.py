"""What fine-tuning changes, stage by stage, and what each change is worth; stores every run.

    python data_scripts/sweep_changes.py    # about 10 minutes on 2 cores; goes on if stopped

Learning rates of AdamW are those that validation chose in sweep_pictures for the same seed. SGD
is a second look: AdamW moves every weight by about the same step, whatever its gradient. Satellite
needs its file: TL_COURSE_DATA, the cache or a download.
"""

import copy

from torch import cat, manual_seed, nn, optim, randperm

from tl_course import evidence, features, models, surgery, tasks, train

TASKS = ("satellite", "leaves", "digits")
LABELS, EPOCHS = 200, 30
SEEDS = range(5)
RATE_SGD = 1e-2
WAYS = (("fine-tuning", "AdamW"), ("fine-tuning", "SGD"), ("from scratch", "AdamW"))
LOOKED_AT = 600  # pictures on which features are compared


def descend(model: nn.Module, task: tasks.Task, seed: int) -> None:
    """Plain stochastic gradient descent with momentum, its rate falling to zero."""
    manual_seed(seed)
    optimizer = optim.SGD(model.parameters(), lr=RATE_SGD, momentum=0.9)
    steps = EPOCHS * -(-LABELS // 32)
    schedule = optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    for _ in range(EPOCHS):
        surgery.train_mode(model)
        for chosen in randperm(LABELS).split(32):
            pictures = task.train.inputs[chosen]
            pictures = evidence.flip(pictures) if task.name != "digits" else pictures
            logits = model(model.preprocess(pictures))
            optimizer.zero_grad()
            nn.functional.cross_entropy(logits, task.train.labels[chosen]).backward()
            optimizer.step()
            schedule.step()
    model.eval()


def distance(before: nn.Module, after: nn.Module) -> float:
    """How far the weights have moved, as a share of their length before."""
    old, new = (cat([p.detach().flatten() for p in part.parameters()]) for part in (before, after))
    return float((new - old).norm() / old.norm())


def run(task: str, strategy: str, optimizer: str, seed: int) -> list[dict]:
    """One row a stage, the head apart: it is new."""
    few = tasks.load(task).few(LABELS, seed)
    manual_seed(seed)
    start = models.load("resnet10", pretrained=strategy == "fine-tuning")
    surgery.replace_head(start, len(few.classes))
    model = copy.deepcopy(start)
    if optimizer == "SGD":
        descend(model, few, seed)
    else:
        known = evidence.chosen(evidence.load("sweep_pictures"))
        rates = known.set_index(["task", "labels", "strategy", "seed"]).lr
        lr = float(rates[task, LABELS, strategy, seed])
        augment = evidence.flip if task != "digits" else None
        evidence.fit_or_stop(model, few, EPOCHS, lr=lr, augment=augment, seed=seed)
    pictures = few.test.inputs[:LOOKED_AT]
    before, after = (features.every_stage(network, pictures) for network in (start, model))
    accuracy = train.evaluate(model, few.test).balanced_accuracy
    rows = []
    for stage in before:
        old, new = (surgery.stages(network)[stage] for network in (start, model))
        rewound = surgery.transplant(start, copy.deepcopy(model), stage)
        rows.append({
            "stage": stage, "change": distance(old, new),
            "cka": features.cka(before[stage], after[stage]), "test_balanced": accuracy,
            "rewound_balanced": train.evaluate(rewound, few.test).balanced_accuracy,
        })  # fmt: skip
    return rows


def main() -> None:
    sweep = evidence.Sweep("sweep_changes", __doc__)
    cells = [
        {"task": task, "strategy": strategy, "optimizer": optimizer, "seed": seed}
        for task in TASKS
        for strategy, optimizer in WAYS
        for seed in SEEDS
    ]
    done = sweep.run(run, cells, load=TASKS).round(6)
    frame = sweep.store(done, ["strategy", "optimizer", "task", "seed"])
    frame["worth"] = frame.test_balanced - frame.rewound_balanced
    keys = ["strategy", "optimizer", "task", "stage"]
    means = frame.groupby(keys, sort=False)[["change", "cka", "worth"]].mean()
    print(f"expect, means over seeds:\n{means.round(3).to_string()}")


if __name__ == "__main__":
    main()
