"""When to fine-tune: policies at equal compute; stores every run.

    python data_scripts/sweep_policies.py    # about 15 minutes on 2 cores; goes on if stopped

The budget is that of fine-tuning for the epochs of ``evidence.pace``. Going through a picture
forward and back costs three times as much as forward alone, so storing the features of all
pictures, which is forward once, costs a third of an epoch, and training the head on them nearly
nothing: who begins with features fine-tunes one epoch less. Satellite and spoken digits need
their files.
"""

import copy

from torch import nn

from tl_course import evidence, surgery, tasks, train
from tl_course.lessons.freezing import recipe as depths

TARGETS = ("satellite", "leaves", "spoken_digits")
LABELS = (50, 200)
SEEDS = range(5)
RATES = (5e-4, 2e-3)
HEAD_EPOCHS, HEAD_RATE = 40, 1e-2  # the head alone: long enough to stop improving
POLICIES = (
    "features only",
    "fine-tune at once",
    "features until they stop, then all",
    "features for one epoch, then all",
    "features until they stop, then from the top",
)
# epochs of "from the top": each opens one stage more and takes a part of the budget; training
# only layer4, layer3 and above, … costs so much of an epoch with all weights trained
TOP = {"layer4": 0.22, "layer3": 0.43, "layer2": 0.65, "layer1": 0.93}


def fit_head(model: nn.Module, task: tasks.Task, epochs: int, seed: int) -> train.History:
    """Train the head on frozen features."""
    surgery.freeze(model)
    return evidence.fit_or_stop(model, task, epochs, lr=HEAD_RATE, seed=seed)


def go_on(model: nn.Module, task: tasks.Task, epochs: int, **settings) -> train.History:
    """Train what is not frozen; the weights before, which the policy has left, do not count."""
    model.classes = ()
    return evidence.fit_or_stop(model, task, epochs, **settings)


def learn(task: tasks.Task, policy: str, lr: float, seed: int) -> tuple[nn.Module, dict]:
    """A model trained by ``policy``, and its row: validation, and the epochs' worth it took."""
    epochs, batch = evidence.pace(len(task.train))
    model = depths.build("fine-tuning", len(task.classes), seed)
    settings = {"lr": lr, "batch": batch, "seed": seed}
    spent = 0.0
    if policy != "fine-tune at once":
        briefly = policy == "features for one epoch, then all"
        history = fit_head(model, task, 1 if briefly else HEAD_EPOCHS, seed)
        spent = 1 / 3
    if policy == "features until they stop, then from the top":
        best = (max(history.val_accuracy), copy.deepcopy(model.state_dict()))
        for stage, cost in TOP.items():
            surgery.unfreeze(model, stage)
            share = max(1, round((epochs - 1) / len(TOP) / cost))
            history = go_on(model, task, share, **settings)
            spent += share * cost + (1 - cost) / 3
            if max(history.val_accuracy) >= best[0]:
                best = (max(history.val_accuracy), copy.deepcopy(model.state_dict()))
        model.load_state_dict(best[1])
        return model, {"val_accuracy": best[0], "epochs": round(spent, 2)}
    if policy != "features only":
        rest = epochs if policy == "fine-tune at once" else epochs - 1
        surgery.unfreeze(model)
        history = go_on(model, task, rest, **settings)
        spent += rest
    return model, {"val_accuracy": max(history.val_accuracy), "epochs": round(spent, 2)}


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """Train once for each learning rate; the best on validation alone is tested."""
    few = tasks.load(task).few(labels, seed)
    rates = RATES[:1] if strategy == "features only" else RATES  # its head has a rate of its own
    return evidence.tested_best(lambda lr: learn(few, strategy, lr, seed), rates, few)[0]


def main() -> None:
    sweep = evidence.Sweep("sweep_policies", __doc__)
    cells = evidence.grid(task=TARGETS, labels=LABELS, strategy=POLICIES, seed=SEEDS)
    done = sweep.run(run, cells, load=TARGETS)
    frame = sweep.store(done, ["task", "labels", "strategy", "seed", "lr"])
    print(f"expect:\n{evidence.means(frame).round(3).to_string()}")


if __name__ == "__main__":
    main()
