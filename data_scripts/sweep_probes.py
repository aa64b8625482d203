"""Linear probes on every stage of resnet10, of a random copy, and on pixels; stores every run.

    python data_scripts/sweep_probes.py    # about 15 minutes on 2 cores; goes on if stopped

Probe sets ask for one thing each: edges, corners, texture (the materials), parts, objects. Tasks
are what a learner would want to solve; PACS, satellite and pneumonia need their files:
TL_COURSE_DATA, the cache or a download.
"""

import argparse
from pathlib import Path

import joblib
import pandas
from torch import manual_seed, nn, set_num_threads

from tl_course import evidence, features, models, tasks

CONCEPTS = ("concepts_edges", "concepts_corners", "materials", "concepts_parts", "concepts_objects")
TASKS = ("pacs_photo", "satellite", "leaves", "digits", "pneumonia")
LABELS = {**dict.fromkeys(CONCEPTS, 600), **dict.fromkeys(TASKS, 200)}
SEEDS = range(10)
NETWORKS = ("pretrained", "random", "pixels")


def run(task: str, labels: int, network: str, seed: int) -> list[dict]:
    """One row a stage."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed)
    inputs = [split.inputs for split in (few.train, few.val, few.test)]
    if network == "pixels":
        small = [nn.functional.adaptive_avg_pool2d(x / 255, 16).flatten(1) for x in inputs]
        return [{"stage": "pixels", **features.probe_features(small, few)}]
    manual_seed(seed)
    model = models.load("resnet10", pretrained=network == "pretrained")
    stages = [features.every_stage(model, x) for x in inputs]
    return [
        {"stage": stage, **features.probe_features([each[stage] for each in stages], few)}
        for stage in stages[0]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_probes.jsonl"))
    args = parser.parse_args()
    cells = [
        {"task": task, "labels": labels, "network": network, "seed": seed}
        for task, labels in LABELS.items()
        for network in NETWORKS
        for seed in SEEDS
    ]
    for name in LABELS:
        tasks.load(name)  # draw or unpack once, before the workers start
    frame = pandas.DataFrame(evidence.sweep(run, cells, args.work, args.jobs))
    frame = frame.round({name: 6 for name in frame if name.startswith(("val_", "test_"))})
    order = {name: place for place, name in enumerate((*LABELS, *NETWORKS))}
    frame = frame.sort_values(  # stages stay in the order of the network
        ["task", "network", "seed"],
        key=lambda column: column.map(order) if column.name != "seed" else column,
        kind="stable",
        ignore_index=True,
    )
    path = evidence.save(frame, "sweep_probes", "python data_scripts/sweep_probes.py")
    print(f"wrote {path}\nexpect, mean balanced test accuracy:")
    means = frame.groupby(["task", "network", "stage"], sort=False).test_balanced.mean()
    print(means.unstack(sort=False).round(3).to_string())


if __name__ == "__main__":
    main()
