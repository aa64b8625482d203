"""What the old job loses while the new one is learnt: by learning rate, freezing and remedies.

    python data_scripts/sweep_forgetting.py    # about 35 minutes on 2 cores; goes on if stopped

Two networks: the Spanish reader learns Italian from 100 numbers; resnet10 learns the leaf clinic
from 200 pictures. Forgetting of resnet10 needs tiny-imagenet-200.zip.
"""

import copy

from pretrain_readers import pretrain
from torch import manual_seed, nn

from tl_course import evidence, models, surgery, tasks, train

SEEDS = range(10)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
FREEZING = {
    "reader": ("", "letters", "letters memory"),
    "resnet10": ("", "stem layer1 layer2", "stem layer1 layer2 layer3"),
}
# remedies for the reader: how much of each, and the rates it is tried at
REMEDIES = {
    "rehearsal": ((10, 30, 100), (1e-3, 3e-3, 1e-2)),
    "L2-SP": ((0.01, 0.1, 1.0), (1e-3, 3e-3, 1e-2)),
    "LoRA": ((1, 4, 16), (3e-3, 1e-2, 3e-2)),
}
READER_EPOCHS, PICTURE_EPOCHS = 30, 12
KEYS = ["network", "strategy", "frozen", "strength", "lr"]


def settings(network: str) -> list[dict]:
    """Every way of learning the new job; ``frozen`` names stages, ``strength`` is the remedy's."""
    kinds = [("fine-tuning", FREEZING[network], (0,), RATES), ("from scratch", ("",), (0,), RATES)]
    if network == "reader":
        kinds += [(name, ("",), *tried) for name, tried in REMEDIES.items()]
    return [
        cell
        for name, frozen, strengths, rates in kinds
        for cell in evidence.grid(strategy=[name], frozen=frozen, strength=strengths, lr=rates)
    ]


def run(network: str, seed: int) -> list[dict]:
    """All settings of one network with one seed."""
    return (read if network == "reader" else look)(seed)


def learn(
    model: nn.Module, task: tasks.Task, setting: dict, epochs: int, seed: int, penalty=None
) -> dict:
    """The row of one setting as far as it tells of the new job."""
    if setting["frozen"]:
        surgery.freeze(model, *setting["frozen"].split())
    history = evidence.fit_or_stop(
        model, task, epochs, lr=setting["lr"], penalty=penalty, seed=seed
    )
    return setting | {
        "val_accuracy": max(history.val_accuracy, default=0.0),
        "test_accuracy": train.evaluate(model, task.test).accuracy,
        "seconds": round(history.seconds, 2),
    }


def read(seed: int) -> list[dict]:
    """Spanish, then 100 Italian numbers."""
    source = pretrain("spanish", seed)
    spanish = tasks.load("numbers_spanish")
    italian = tasks.load("numbers_italian").few(100, seed)
    before = train.evaluate(source, spanish.test).accuracy
    rows = []
    for setting in settings("reader"):
        manual_seed(seed)
        model, task, penalty = copy.deepcopy(source), italian, None
        if setting["strategy"] == "from scratch":
            model = models.load("reader_spanish", pretrained=False)
        elif setting["strategy"] == "rehearsal":
            task = italian.mixed(spanish.few(setting["strength"], seed).train)
        elif setting["strategy"] == "L2-SP":
            penalty = train.l2_sp(model, setting["strength"])
        elif setting["strategy"] == "LoRA":
            surgery.add_lora(model, setting["strength"])
        row = learn(model, task, setting, READER_EPOCHS, seed, penalty)
        after = train.evaluate(model, spanish.test).accuracy
        rows.append(row | {"source_before": before, "source_accuracy": after})
    return rows


def look(seed: int) -> list[dict]:
    """Everyday photographs, then 200 leaves.

    The old head is kept aside and put back to ask about photographs. ``drift`` is the share of
    400 unlabelled pictures (the materials) of which it now says something else than before.
    """
    task = tasks.load("leaves").few(200, seed)
    photographs = tasks.load("tiny_imagenet").test
    photographs = photographs.take(range(0, len(photographs), 5))
    unlabelled = tasks.load("materials").test.inputs[:400]
    source = models.load("resnet10")
    before = train.evaluate(source, photographs).accuracy
    answers = train.predict(source, unlabelled).argmax(1)
    rows = []
    for setting in settings("resnet10"):
        manual_seed(seed)
        model = models.load("resnet10", pretrained=setting["strategy"] != "from scratch")
        surgery.replace_head(model, len(task.classes))
        row = learn(model, task, setting, PICTURE_EPOCHS, seed) | {"source_before": before}
        if setting["strategy"] == "fine-tuning":
            model.head = source.head
            now = train.predict(model, unlabelled).argmax(1)
            row["source_accuracy"] = train.evaluate(model, photographs).accuracy
            row["drift"] = float((now != answers).double().mean())
        rows.append(row)
    return rows


def main() -> None:
    sweep = evidence.Sweep("sweep_forgetting", __doc__)
    cells = evidence.grid(network=FREEZING, seed=SEEDS)
    done = sweep.run(run, cells, load=["leaves", "materials", "tiny_imagenet"])
    measured = ["val_accuracy", "test_accuracy", "source_before", "source_accuracy", "seconds"]
    columns = ["network", "seed", *KEYS[1:], *measured, "drift"]
    frame = sweep.store(done[columns], [*KEYS, "seed"])
    print("expect, within 0.03:")
    means = frame.groupby(KEYS, dropna=False)[["test_accuracy", "source_accuracy", "drift"]].mean()
    print(means.round(3).to_string())


if __name__ == "__main__":
    main()
