"""What fine-tuning changes, stage by stage, and what each change is worth; stores every run.

    python data_scripts/sweep_changes.py    # about 10 minutes on 2 cores; goes on if stopped

Learning rates of AdamW are those that validation chose in sweep_pictures for the same seed. SGD
is a second look: AdamW moves every weight by about the same step, whatever its gradient. Satellite
needs its file: TL_COURSE_DATA, the cache or a download.
"""

import argparse
import copy
from pathlib import Path

import joblib
import pandas
from torch import cat, manual_seed, nn, optim, randperm, set_num_threads

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
    set_num_threads(1)
    few = tasks.load(task).few(LABELS, seed)
    manual_seed(seed)
    start = models.load("resnet10", pretrained=strategy == "fine-tuning")
    surgery.replace_head(start, len(few.classes))
    model = copy.deepcopy(start)
    if optimizer == "SGD":
        descend(model, few, seed)
    else:
        known = evidence.chosen(evidence.load("sweep_pictures")).set_index(
            ["task", "labels", "strategy", "seed"]
        )
        train.fit(
            model,
            few,
            epochs=EPOCHS,
            lr=float(known.lr.loc[task, LABELS, strategy, seed]),
            augment=evidence.flip if task != "digits" else None,
            seed=seed,
            progress=False,
        )
    pictures = few.test.inputs[:LOOKED_AT]
    before, after = (features.every_stage(network, pictures) for network in (start, model))
    accuracy = train.evaluate(model, few.test).balanced_accuracy
    rows = []
    for stage in before:
        rewound = copy.deepcopy(model)
        old, new = (surgery.stages(network)[stage] for network in (start, rewound))
        new.load_state_dict(old.state_dict())
        rows.append(
            {
                "stage": stage,
                "change": distance(old, surgery.stages(model)[stage]),
                "cka": features.cka(before[stage], after[stage]),
                "test_balanced": accuracy,
                "rewound_balanced": train.evaluate(rewound, few.test).balanced_accuracy,
            }
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_changes.jsonl"))
    args = parser.parse_args()
    cells = [
        {"task": task, "strategy": strategy, "optimizer": optimizer, "seed": seed}
        for strategy, optimizer in WAYS
        for task in TASKS
        for seed in SEEDS
    ]
    for name in TASKS:
        tasks.load(name)  # draw or unpack once, before the workers start
    frame = pandas.DataFrame(evidence.sweep(run, cells, args.work, args.jobs)).round(6)
    frame = frame.sort_values(
        ["strategy", "optimizer", "task", "seed"], kind="stable", ignore_index=True
    )
    path = evidence.save(frame, "sweep_changes", "python data_scripts/sweep_changes.py")
    frame["worth"] = frame.test_balanced - frame.rewound_balanced
    keys = ["strategy", "optimizer", "task", "stage"]
    means = frame.groupby(keys, sort=False)[["change", "cka", "worth"]].mean()
    print(f"wrote {path}\nexpect, means over seeds:\n{means.round(3).to_string()}")


if __name__ == "__main__":
    main()
