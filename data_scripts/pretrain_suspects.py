"""Train the sources that lesson 08 suspects of doing harm, and write them into the package.

    python data_scripts/pretrain_suspects.py    # about three minutes on 2 cores

Needs no data: the pictures are drawn by the course.
"""

import argparse
import json
from pathlib import Path

import joblib
from torch import set_num_threads

from tl_course import store
from tl_course.lessons.negative_transfer import recipe as suspects

EXPECT = {"colours": 0.9, "random labels": 0.9, "too long on little": 1.0, "noise": 0.9}


def write(source: str, seed: int, folder: Path | None) -> str:
    """Train one, write it, and say how well it does what it was asked."""
    set_num_threads(1)
    model, accuracy = suspects.pretrain(source, seed)
    pictures, epochs, chosen = suspects.RECIPES[source]
    path = store.write_embedded(
        suspects.PICTURES[source],
        model.state_dict(),
        recipe="python data_scripts/pretrain_suspects.py",
        source=f"{suspects.source_task(source, seed).name}, {pictures} pictures, {epochs} epochs",
        licence="MIT",
        metadata={"classes": json.dumps(model.classes)},
        folder=folder,
    )
    kind = "new pictures" if chosen else "its training pictures"
    size = path.stat().st_size / 1e6
    return f"{source}: {accuracy:.2f} of {kind}, {size:.2f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="side by side")
    parser.add_argument("--out", type=Path, help="write here instead of into the package")
    args = parser.parse_args()
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    for source in suspects.RECIPES:
        suspects.source_task(source, 0)  # draw the pictures once, before the workers start
    jobs = (joblib.delayed(write)(source, 0, args.out) for source in suspects.RECIPES)
    for line in joblib.Parallel(n_jobs=args.jobs, return_as="generator")(jobs):
        print(line, flush=True)
    print("expect at least", ", ".join(f"{name} {least}" for name, least in EXPECT.items()))


if __name__ == "__main__":
    main()
