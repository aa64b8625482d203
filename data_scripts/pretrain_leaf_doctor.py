"""Fine-tune resnet10 on 10,000 drawn leaves: the network that lesson 09 feeds wrongly.

    python data_scripts/pretrain_leaf_doctor.py    # about two minutes on one core

Needs no data: the leaves are drawn by the course.
"""

import argparse
import json
from pathlib import Path

from torch import manual_seed

from tl_course import models, store, surgery, tasks, train

EPOCHS, RATE, SEED = 5, 1e-3, 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--out", type=Path, help="write here instead of into the package")
    args = parser.parse_args()
    leaves = tasks.load("leaves_many")
    manual_seed(SEED)
    model = surgery.replace_head(models.load("resnet10"), len(leaves.classes))
    train.fit(model, leaves, args.epochs, lr=RATE, batch=64, seed=SEED)
    path = store.write_embedded(
        "leaf_doctor",
        model.state_dict(),
        recipe="python data_scripts/pretrain_leaf_doctor.py",
        source=f"resnet10, fine-tuned on {len(leaves.train):,} drawn leaves",
        licence="MIT; first trained on Tiny ImageNet",
        metadata={"classes": json.dumps(leaves.classes)},
        folder=args.out,
    )
    doctor = models.load("leaf_doctor", weights=path)
    for name in ("leaves", "leaves_128"):
        scores = train.evaluate(doctor, tasks.load(name).test)
        print(f"{name}: {scores.accuracy:.2f} of {scores.n:,} new leaves right")
    print(f"wrote {path}, {path.stat().st_size / 1e6:.2f} MB\nexpect 0.85 or more for both")


if __name__ == "__main__":
    main()
