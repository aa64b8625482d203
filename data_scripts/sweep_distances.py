"""How far every target lies from the photographs of pretraining; stores every draw.

    python data_scripts/sweep_distances.py    # about 5 minutes on 2 cores; goes on if stopped

The Fréchet distance between features of 400 pictures each after layer4 of resnet10, without any
label, so that no result of ours can choose it. The other usual measure, how well a linear
classifier tells the two sets apart (``told_apart``, by cross-validation), is near 1 for all but
photographs and would call everything else equally far. The features of 800 photographs are stored,
too, so that a learner's own pictures can be compared with them. Needs tiny-imagenet-200.zip and the
files of the targets.
"""

from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Generator, cat, randperm, zeros

from tl_course import evidence, features, models, store, tasks

SOURCE = "tiny_imagenet"
TARGETS = ("pacs_photo", "pacs_sketch", "materials", "satellite", "leaves", "digits",
           "spoken_digits", "pneumonia", "text_pictures")  # fmt: skip
COUNT, STAGE = 400, "layer4"
SEEDS = range(10)


def run(seed: int) -> list[dict]:
    """The distance of every target in one draw; ``photographs`` is the source from itself."""
    model = models.load("resnet10")

    def drawn(split: tasks.Split, count: int):
        order = randperm(len(split), generator=Generator().manual_seed(seed))
        return features.extract(model, split.take(order[:count]).inputs, STAGE)

    source, again = drawn(tasks.load(SOURCE).val, 2 * COUNT).split(COUNT)
    sets = {name: drawn(tasks.load(name).train, COUNT) for name in TARGETS}
    rows = []
    for name, found in {"photographs": again, **sets}.items():
        both = cat([source, found]).numpy()
        sides = cat([zeros(len(source)), zeros(len(found)) + 1]).numpy()
        judge = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=500))
        right = cross_val_score(judge, both, sides, cv=5).mean()
        distance = features.frechet(source, found)
        rows.append({"task": name, "distance": distance, "told_apart": float(right)})
    return rows


def store_photographs() -> None:
    """Store features of photographs, (800, 256), those of the first draw."""
    split = tasks.load(SOURCE).val
    order = randperm(len(split), generator=Generator().manual_seed(SEEDS[0]))
    shown = split.take(order[: 2 * COUNT]).inputs
    store.write_embedded(
        "photographs",
        {"features": features.extract(models.load("resnet10"), shown, STAGE)},
        recipe="python data_scripts/sweep_distances.py",
        source="Tiny ImageNet, validation pictures; features of resnet10, no picture",
        licence="MIT",
    )


def main() -> None:
    sweep = evidence.Sweep("sweep_distances", __doc__)
    done = sweep.run(run, evidence.grid(seed=SEEDS), load=[SOURCE, *TARGETS])
    frame = sweep.store(done[["task", "seed", "distance", "told_apart"]], ["task", "seed"])
    store_photographs()
    means = frame.groupby("task")[["distance", "told_apart"]].mean().sort_values("distance")
    print(f"expect:\n{means.round(2).to_string()}")


if __name__ == "__main__":
    main()
