"""Train a number reader on every source language and write them into the package.

    python data_scripts/pretrain_readers.py    # about four minutes on 2 cores

Needs no data: num2words writes the numbers.
"""

import argparse
from pathlib import Path

import joblib
import torch

from tl_course import models, store, tasks, train

EPOCHS, RATE, BATCH = 8, 5e-3, 128


def pretrain(source: str, seed: int) -> torch.nn.Module:
    """A reader that has learned ``source`` from 7,000 numbers; the best epoch on validation."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    model = models.load("reader_spanish", pretrained=False)
    task = tasks.load(f"numbers_{source}")
    train.fit(model, task, epochs=EPOCHS, lr=RATE, batch=BATCH, seed=seed, progress=False)
    return model


def write(source: str, folder: Path | None) -> str:
    """Train one, write it, and say how it reads numbers it never saw, from the file."""
    path = store.write_embedded(
        f"reader_{source}",
        pretrain(source, seed=0).state_dict(),
        recipe="python data_scripts/pretrain_readers.py",
        source=f"numbers in {source.replace('_', ' ')}, written by num2words",
        licence="MIT",
        folder=folder,
    )
    model = models.load(f"reader_{source}", weights=path)
    score = train.evaluate(model, tasks.load(f"numbers_{source}").test)
    size = path.stat().st_size / 1e6
    return f"reader_{source}: {score.accuracy:.3f} of {score.n:,} new numbers right, {size:.2f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="readers side by side")
    parser.add_argument("--sources", nargs="+", default=models.SOURCES, choices=models.SOURCES)
    parser.add_argument("--out", type=Path, help="write here instead of into the package")
    args = parser.parse_args()
    jobs = (joblib.delayed(write)(source, args.out) for source in args.sources)
    for line in joblib.Parallel(n_jobs=args.jobs, return_as="generator")(jobs):
        print(line, flush=True)
    print("expect 0.99 or more for every reader")


if __name__ == "__main__":
    main()
