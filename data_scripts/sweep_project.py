"""From a folder to a model that answers: how long it takes, how good it is; stores every run.

    python data_scripts/sweep_project.py    # about 10 minutes on 2 cores; goes on if stopped

Folders of files, read at 129 pixels a side; 200 pictures to learn from, or three fifths of what is
there. A head on ``lite0``, a logistic regression, is chosen on validation and tested once.
``seconds``, on one core, is the time from the files of training and validation to a model.
``by_…`` say how well three measures tell the test pictures from those of another folder (area under
the curve, 0.5 is chance): confidence, that of a head on plainly standardised features, likeness.
``sweep_twins`` holds heads on lesson 13's folder, with shots of one piece on both sides of a
division or on one. PACS, satellite, pneumonia and hymenoptera need their files.
"""

import io
import time
import warnings
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.metrics import balanced_accuracy_score, roc_auc_score
from torch import Tensor, from_numpy

from tl_course import evidence, features, models, store, tasks
from tl_course.lessons import your_project
from tl_course.lessons.your_project.example import ASTRAY
from tl_course.lessons.your_project.rules import LABELS
from tl_course.tasks import Split, leaves, materials

STYLES = ("photo", "art_painting", "cartoon", "sketch")
PUBLISHED = {
    **{f"pacs_{style.partition('_')[0]}": ("pacs", style) for style in STYLES},
    "satellite": ("satellite", "RSSCN7"),
    "hymenoptera": ("hymenoptera", "hymenoptera_data/train"),
}
DRAWN = {"materials": materials, "leaves": leaves}
TARGETS = (*PUBLISHED, *DRAWN, "pneumonia")
COUNT, SIDE = 400, 160  # pictures that are drawn of a task, and their size
STRANGERS = 100
SEEDS = range(10)


def root(name: str) -> Path:
    """The folder with the files of a target, one folder a class."""
    if name in PUBLISHED:
        archive, inside = PUBLISHED[name]
        found = store.unpack(archive)
        return next(path for path in (found / inside, *found.rglob(inside)) if path.is_dir())
    folder = store.cache_dir() / "sweep_project" / name
    if not (folder / ".whole").exists():
        split, classes = drawn(name)
        for place, (picture, label) in enumerate(zip(split.inputs, split.labels, strict=True)):
            buffer = io.BytesIO()
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(buffer, "PNG")
            path = folder / classes[label] / f"{place:04}.png"
            store.write_atomically(path, buffer.getvalue())
        store.write_atomically(folder / ".whole", b"")
    return folder


def drawn(name: str) -> tuple[Split, tuple[str, ...]]:
    """Pictures that become files."""
    if name == "pneumonia":
        task = tasks.load(name).few(COUNT, seed=0)
        return task.train, task.classes
    module = DRAWN[name]
    labels = np.arange(COUNT) % len(module.CLASSES)
    pictures = module.pictures(labels, seed=1813, size=SIDE)
    return Split(from_numpy(pictures), from_numpy(labels)), module.CLASSES


def strangers(name: str) -> Tensor:
    """Pictures of another folder."""
    other = "materials" if name == "leaves" else "leaves"
    return tasks.folder(root(other), 129).train.inputs[:STRANGERS]


def run(task: str, seed: int) -> list[dict]:
    """The row of one folder, divided anew."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tasks.SkippedFiles)
        whole = tasks.folder(root(task), 129, seed=seed)
    few = whole.few(min(LABELS, len(whole.train)), seed)
    model = models.load("lite0")
    began = time.perf_counter()
    for split in (few.train, few.val):  # once more, for the clock
        for file in split.files:
            tasks.read_picture((root(task) / file).read_bytes(), 129)
    seen, val = (features.extract(model, split.inputs) for split in (few.train, few.val))
    probe = features.probe(seen, few.train, val, few.val, steady=True)
    seconds = time.perf_counter() - began
    shown = few.test.inputs, strangers(task)
    found = [features.extract(model, pictures) for pictures in shown]
    ours = np.repeat([True, False], [*map(len, shown)])
    plain = features.probe(seen, few.train, val, few.val)
    said, plainly = (
        [each.layer(len(few.classes))(x).softmax(1).detach() for x in found]
        for each in (probe, plain)
    )
    measures = {
        "by_confidence": [your_project.confidence(each) for each in said],
        "by_plain_confidence": [your_project.confidence(each) for each in plainly],
        "by_likeness": [your_project.likeness(each, seen).max(1) for each in found],
    }
    return [{
        "labels": len(few.train),
        "pictures": len(few.train) + len(few.val),
        "seconds": round(seconds, 2),
        "strength": probe.strength,
        "test_balanced": float(balanced_accuracy_score(few.test.labels, said[0].argmax(1))),
        **{name: float(roc_auc_score(ours, np.concatenate(m))) for name, m in measures.items()},
    }]  # fmt: skip


def divided(network: str, seed: int) -> list[dict]:
    """A head on lesson 13's folder, with the three shots of a piece torn apart, and together."""
    model, rows = models.load(network), []
    for twins, groups in {"torn apart": None, "together": lambda f: f.rpartition("_")[0]}.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", tasks.SkippedFiles)
            task = tasks.folder(
                your_project.example_folder(), 129, seed, None, None, groups, ASTRAY
            )
        splits = task.train, task.val, task.test
        train, val, test = (features.extract(model, split.inputs) for split in splits)
        probe = features.probe(train, task.train, val, task.val, steady=True)
        right = balanced_accuracy_score(task.test.labels, probe.predict(test))
        rows.append({"twins": twins, "strength": probe.strength, "test_balanced": float(right)})
    return rows


def main() -> None:
    sweep = evidence.Sweep("sweep_project", __doc__)
    cells = evidence.grid(network=("resnet10", "lite0"), seed=SEEDS)
    found = sweep.run(divided, cells, work=sweep.args.work.with_suffix(".twins.jsonl"))
    sweep.store(found, ["network", "twins", "seed"], "sweep_twins")
    print(found.groupby(["network", "twins"]).test_balanced.mean().round(2))
    frame = sweep.store(sweep.run(run, evidence.grid(task=TARGETS, seed=SEEDS)), ["task", "seed"])
    print(f"expect:\n{frame.groupby('task', sort=False).mean(numeric_only=True).round(2)}")


if __name__ == "__main__":
    main()
