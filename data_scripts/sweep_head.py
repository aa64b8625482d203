"""New heads and old ones on one backbone, against fine-tuning it; stores every run.

    python data_scripts/sweep_head.py    # about 25 minutes on 2 cores; goes on if stopped

PACS and satellite need their files: TL_COURSE_DATA, the cache or a download.
"""

from functools import partial

import pandas
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from torch import bincount, manual_seed, nn

from tl_course import evidence, features, models, surgery, tasks

TASKS = ("pacs_photo", "pacs_sketch", "satellite", "leaves", "digits")
LABELS = (50, 200)
SEEDS = range(5)
RATES = (3e-4, 1e-3, 3e-3)  # of fine-tuning
WAYS = (
    "linear probe",
    "probe on random backbone",
    "old head renamed",
    "probe on old head",
    "untrained head",
    "fine-tuning",
)


def build(way: str, classes: int) -> nn.Module:
    """The network with a new head for ``classes``."""
    network = models.load("resnet10", pretrained=way != "probe on random backbone")
    return surgery.replace_head(network, classes)


def logits(model: nn.Module, task: tasks.Task) -> list:
    """What the head of ``model`` puts out for training, validation and test."""
    splits = task.train, task.val, task.test
    return [features.run(model, lambda x: model(model.preprocess(x)), s.inputs) for s in splits]


def renamed(task: tasks.Task) -> dict:
    """The old head's answers, each renamed to the new class it meets most in training."""
    known, val, test = (found.argmax(1) for found in logits(models.load("resnet10"), task))
    count = len(task.classes)
    common = int(bincount(task.train.labels).argmax())  # for old answers that training never met
    names = bincount(known * count + task.train.labels, minlength=200 * count).view(200, count)
    names = names.argmax(1).where(names.any(1), names.new_tensor(common))
    scores = {}
    for name, split, found in (("val", task.val, val), ("test", task.test, test)):
        labels, answers = split.labels.numpy(), names[found].numpy()
        scores[f"{name}_accuracy"] = float(accuracy_score(labels, answers))
    return {**scores, "test_balanced": float(balanced_accuracy_score(labels, answers))}


def run(task: str, labels: int, strategy: str, seed: int) -> list[dict]:
    """All rows of one way on one task with one seed."""
    manual_seed(seed)
    few = tasks.load(task).few(labels, seed)
    if strategy == "fine-tuning":
        start = partial(build, strategy, len(few.classes))
        augment = evidence.flip if task != "digits" else None
        return evidence.tune(start, few, RATES, min(60, 6000 // labels), seed, augment=augment)
    if strategy == "old head renamed":
        return [renamed(few)]
    if strategy == "probe on old head":
        return [features.probe_features(logits(models.load("resnet10"), few), few)]
    model = build(strategy, len(few.classes))
    if strategy == "untrained head":
        return [evidence.tested(model, few)]
    return [features.probe_task(model, few)]


def main() -> None:
    sweep = evidence.Sweep("sweep_head", __doc__)
    keys = ["task", "labels", "strategy", "seed"]
    # runs of the same settings and seeds that another sweep has made already
    known = evidence.load("sweep_pictures")
    known = known[known.strategy.isin(WAYS) & known.task.isin(TASKS) & known.labels.isin(LABELS)]
    made = set(known[keys].itertuples(index=False, name=None))
    cells = evidence.grid(task=TASKS, labels=LABELS, strategy=WAYS, seed=SEEDS)
    missing = [cell for cell in cells if tuple(cell.values()) not in made]
    done = pandas.concat([sweep.run(run, missing, load=TASKS), known])
    frame = sweep.store(done, [*keys, "lr"])
    print(evidence.means(frame).round(3).to_string())
    print("expect, linear probe minus fine-tuning:")
    print(evidence.contrasts(frame, ["linear probe"], "fine-tuning"))


if __name__ == "__main__":
    main()
