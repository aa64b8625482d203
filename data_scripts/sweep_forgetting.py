"""What the old job loses while the new one is learnt: by learning rate, freezing and remedies.

    python data_scripts/sweep_forgetting.py    # about 35 minutes on 2 cores; goes on if stopped

Two networks: the Spanish reader learns Italian from 100 numbers; resnet10 learns the leaf clinic
from 200 pictures. Forgetting of resnet10 needs tiny-imagenet-200.zip.
"""

import argparse
import copy
from collections.abc import Iterator
from pathlib import Path

import joblib
import pandas
from pretrain_readers import pretrain
from torch import manual_seed, set_num_threads

from tl_course import evidence, models, surgery, tasks, train

SEEDS = range(10)
RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2)
FREEZING = {
    "reader": ("", "letters", "letters memory"),
    "resnet10": ("", "stem layer1 layer2", "stem layer1 layer2 layer3"),
}
# remedies for the reader: how much of each, tried at three rates each
STRENGTHS = {"rehearsal": (10, 30, 100), "L2-SP": (0.01, 0.1, 1.0), "LoRA": (1, 4, 16)}
REMEDY_RATES = {"rehearsal": (1e-3, 3e-3, 1e-2), "L2-SP": (1e-3, 3e-3, 1e-2)}
REMEDY_RATES["LoRA"] = (3e-3, 1e-2, 3e-2)
READER_EPOCHS, PICTURE_EPOCHS = 30, 12


def settings(network: str) -> Iterator[dict]:
    """Every way of learning the new job; ``frozen`` names stages, ``strength`` is the remedy's."""
    for lr in RATES:
        for frozen in FREEZING[network]:
            yield {"strategy": "fine-tuning", "frozen": frozen, "strength": 0, "lr": lr}
        yield {"strategy": "from scratch", "frozen": "", "strength": 0, "lr": lr}
    if network == "reader":
        for strategy, strengths in STRENGTHS.items():
            for strength in strengths:
                for lr in REMEDY_RATES[strategy]:
                    yield {"strategy": strategy, "frozen": "", "strength": strength, "lr": lr}


def run(network: str, seed: int) -> list[dict]:
    """All settings of one network with one seed."""
    set_num_threads(1)
    return (read if network == "reader" else look)(seed)


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
        if setting["frozen"]:
            surgery.freeze(model, *setting["frozen"].split())
        history = train.fit(
            model,
            task,
            epochs=READER_EPOCHS,
            lr=setting["lr"],
            penalty=penalty,
            seed=seed,
            progress=False,
        )
        rows.append(
            setting
            | {
                "val_accuracy": max(history.val_accuracy, default=0.0),
                "test_accuracy": train.evaluate(model, italian.test).accuracy,
                "source_before": before,
                "source_accuracy": train.evaluate(model, spanish.test).accuracy,
                "seconds": round(history.seconds, 2),
            }
        )
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
        if setting["frozen"]:
            surgery.freeze(model, *setting["frozen"].split())
        history = train.fit(
            model, task, epochs=PICTURE_EPOCHS, lr=setting["lr"], seed=seed, progress=False
        )
        row = setting | {
            "val_accuracy": max(history.val_accuracy, default=0.0),
            "test_accuracy": train.evaluate(model, task.test).accuracy,
            "source_before": before,
            "seconds": round(history.seconds, 2),
        }
        if setting["strategy"] == "fine-tuning":
            model.head = source.head
            now = train.predict(model, unlabelled).argmax(1)
            row["source_accuracy"] = train.evaluate(model, photographs).accuracy
            row["drift"] = float((now != answers).double().mean())
        rows.append(row)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_forgetting.jsonl"))
    args = parser.parse_args()
    for name in ("leaves", "materials", "tiny_imagenet"):
        tasks.load(name)  # draw or unpack once, before the workers start
    cells = [{"network": network, "seed": seed} for network in FREEZING for seed in SEEDS]
    done = evidence.sweep(run, cells, args.work, args.jobs)
    frame = pandas.DataFrame(done).sort_values(
        ["network", "strategy", "frozen", "strength", "lr", "seed"]
    )
    frame = frame.reindex(columns=[c for c in frame if c != "drift"] + ["drift"])
    path = evidence.save(frame, "sweep_forgetting", "python data_scripts/sweep_forgetting.py")
    keys = ["network", "strategy", "frozen", "strength", "lr"]
    means = frame.groupby(keys)[["test_accuracy", "source_accuracy", "drift"]].mean()
    print(means.round(3).to_string())
    print(f"wrote {path}; expect these means within 0.03")


if __name__ == "__main__":
    main()
