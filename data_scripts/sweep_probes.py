"""Linear probes on every stage of resnet10, of a random copy, and on pixels; stores every run.

    python data_scripts/sweep_probes.py    # about 15 minutes on 2 cores; goes on if stopped

Probe sets ask for one thing each: edges, corners, texture (the materials), parts, objects. Tasks
are what a learner would want to solve; PACS, satellite and pneumonia need their files:
TL_COURSE_DATA, the cache or a download.
"""

from torch import manual_seed, nn

from tl_course import evidence, features, models, tasks

CONCEPTS = ("concepts_edges", "concepts_corners", "materials", "concepts_parts", "concepts_objects")
TASKS = ("pacs_photo", "satellite", "leaves", "digits", "pneumonia")
LABELS = {**dict.fromkeys(CONCEPTS, 600), **dict.fromkeys(TASKS, 200)}
SEEDS = range(10)
NETWORKS = ("pretrained", "random", "pixels")


def run(task: str, labels: int, network: str, seed: int) -> list[dict]:
    """One row a stage."""
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
    sweep = evidence.Sweep("sweep_probes", __doc__)
    cells = [
        {"task": task, "labels": labels, **rest}
        for task, labels in LABELS.items()
        for rest in evidence.grid(network=NETWORKS, seed=SEEDS)
    ]
    done = sweep.run(run, cells, load=LABELS)
    done = done.round({name: 6 for name in done if name.startswith(("val_", "test_"))})
    # stages stay in the order of the network
    frame = sweep.store(done, ["task", "network", "seed"], task=LABELS, network=NETWORKS)
    print("expect, mean balanced test accuracy:")
    means = frame.groupby(["task", "network", "stage"], sort=False).test_balanced.mean()
    print(means.unstack(sort=False).round(3).to_string())


if __name__ == "__main__":
    main()
