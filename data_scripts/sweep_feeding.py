"""Thirteen ways to feed a network wrongly: what each costs, and what training on it repairs.

    python data_scripts/sweep_feeding.py    # about 20 minutes on 2 cores; goes on if stopped

A resnet10 that was trained rightly is tested wrongly; and one is trained and tested on pictures
that are fed wrongly in the same way, all of it or its head alone.
"""

from tl_course import evidence, models, tasks, train
from tl_course.lessons.preprocessing import faults as feeding

TARGETS = ("leaves_128", "satellite", "pneumonia")
LABELS, SEEDS = 200, range(5)
KEYS = ["task", "labels", "fault", "strategy", "seed"]


def run(task: str, fault: str, seed: int) -> list[dict]:
    """The rows of one fault: trained on, in two ways; ``right`` adds all that go wrong after."""
    few, rows = tasks.load(task).few(LABELS, seed), []
    if fault != feeding.RIGHT:
        for strategy in feeding.RATES:
            rows.append({"strategy": strategy, **feeding.repaired(few, fault, strategy, seed)})
        return [{"labels": LABELS, **row} for row in rows]
    for strategy, lr in feeding.RATES.items():
        model = feeding.build(fault, strategy, len(few.classes), seed)
        rows.append({"strategy": strategy, **evidence.learned(model, few, lr, seed)})
        if strategy != "fine-tuned":
            continue
        for wrong in (feeding.RIGHT, *feeding.FAULTS):
            if not feeding.applies(wrong, few.test, model):
                continue
            logits, labels = feeding.asked(model, few.test, wrong)
            scores = train.score(logits, labels)
            rows.append({
                "strategy": "fed wrongly", "fed": wrong, "test_accuracy": scores.accuracy,
                "test_balanced": scores.balanced_accuracy, "test_loss": scores.loss,
                "confidence": float(logits.softmax(1).amax(1).mean()),
            })  # fmt: skip
    return [{"labels": LABELS, **row} for row in rows]


def main() -> None:
    sweep = evidence.Sweep("sweep_feeding", __doc__)
    resnet10 = models.load("resnet10")
    inputs = [name for name, fault in feeding.FAULTS.items() if fault.part == "inputs"]
    cells = [
        cell
        for cell in evidence.grid(task=TARGETS, fault=[feeding.RIGHT, *inputs], seed=SEEDS)
        if feeding.applies(cell["fault"], tasks.load(cell["task"]).test, resnet10)
    ]
    done = sweep.run(run, cells)
    done["fault"] = done.fed.fillna(done.fault)  # one cell holds all that went wrong after it
    columns = [*KEYS, "val_accuracy", "test_accuracy", "test_balanced", "test_loss", "confidence"]
    frame = sweep.store(done[columns], KEYS)
    print("expect, mean balanced accuracy:")
    means = frame.groupby(["task", "fault", "strategy"]).test_balanced.mean()
    print(means.unstack().round(3).to_string())


if __name__ == "__main__":
    main()
