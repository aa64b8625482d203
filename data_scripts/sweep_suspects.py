"""Suspects of negative transfer: every source × target × labels × frozen or not, over seeds.

    python data_scripts/sweep_suspects.py    # 90 minutes on 2 cores; goes on if stopped

Each seed trains its own copy of every source (but photographs, of which there is one), draws its
own labels, and is compared with itself from scratch. The learning rate of every start: three
rates, two draws that are not used again, the best mean accuracy on validation. Where the freezing
sweep has trained the same cell, its seeds and its search are taken over. Scores that need no
training are computed on the same draws.
"""

import argparse
from functools import partial
from pathlib import Path

import joblib
import pandas
from pretrain_readers import pretrain
from safetensors.torch import save_file
from torch import manual_seed, set_num_threads

from tl_course import evidence, features, models, surgery, tasks
from tl_course.lessons.negative_transfer import recipe as suspects

TARGETS = ("satellite", "pneumonia", "spoken_digits", "digits", "leaves", "materials",
           "text_pictures")  # fmt: skip
OWN_TARGETS = ("digits", "materials", "spoken_digits")  # of sources made here
LABELS = dict.fromkeys(TARGETS, (50, 500)) | {"text_pictures": (50, 400)}
SEEDS, SEARCH_SEEDS = range(10), (100, 101)
NOTHING = "nothing"
EARLIER = {  # strategies of the freezing sweep, for its six targets and first five seeds
    ("photographs", "fine-tuned"): "fine-tuning",
    ("photographs", "frozen"): "head alone",
    (NOTHING, "fine-tuned"): "from scratch",
    (NOTHING, "frozen"): "head on random backbone",
}
EARLIER_SEEDS, SEARCHED = range(5), {50: 100, 500: 500}
READER_LABELS, STEPS, READER_RATES = (30, 300), 120, (1e-3, 4e-3, 1.5e-2)
# strategies of the sweep of lesson 01
ANALOGY = {name: reader.removeprefix("reader_") for name, reader in suspects.READERS.items()}
ANALOGY[NOTHING] = "nothing"
KEYS = ["task", "labels", "source", "strategy", "seed"]


def file_of(folder: Path, source: str, seed: int) -> Path:
    """Where copy number ``seed`` of a source lies; searches take the first ones."""
    return folder / f"{source.replace(' ', '_')}-{seed % 100}.safetensors"


def learn_source(folder: Path, source: str, seed: int) -> None:
    """Write copy number ``seed`` of ``source``, a picture source or a reader."""
    set_num_threads(1)
    if source in suspects.READERS:
        model = pretrain(ANALOGY[source], seed)
    else:
        model, _ = suspects.pretrain(source, seed)
    part = file_of(folder, source, seed).with_suffix(".part")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
    part.replace(file_of(folder, source, seed))


def backbone(folder: Path, source: str, seed: int):
    """The source's network for one seed; ``nothing`` gives random weights drawn from the seed."""
    manual_seed(seed)
    reader = source in suspects.READERS
    if source == NOTHING:
        return models.load("resnet10", pretrained=False)
    if source == "photographs":
        return models.load("resnet10")
    name = (suspects.READERS if reader else suspects.PICTURES)[source]
    classes = None if reader else suspects.lesson(source, seed % 100).classes
    return models.load(name, classes=classes, weights=file_of(folder, source, seed))


def run(
    folder: Path, source: str, task: str, labels: int, strategy: str, seed: int, lr: float
) -> list[dict]:
    """The row of one cell with one seed."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed)
    model = suspects.start(backbone(folder, source, seed), strategy, len(few.classes))
    return [evidence.learned(model, few, lr, seed)]


def score(folder: Path, source: str, task: str, labels: int, seed: int) -> list[dict]:
    """Scores of one source's frozen features on the training labels of one draw."""
    set_num_threads(1)
    few = tasks.load(task).few(labels, seed).train
    found = features.extract(backbone(folder, source, seed), few.inputs)
    return [features.transfer_scores(found, few.labels)]


def read(folder: Path, source: str, seed: int) -> list[dict]:
    """A reader of ``source`` with all but its head frozen, on Italian; and its scores."""
    set_num_threads(1)
    italian, rows = tasks.load("numbers_italian"), []

    def build():
        if source != NOTHING:
            return surgery.freeze(backbone(folder, source, seed))
        manual_seed(seed)
        return surgery.freeze(models.load("reader_spanish", pretrained=False))

    for labels in READER_LABELS:
        few = italian.few(labels, seed)
        epochs = max(STEPS // -(-labels // 32), 10)
        rates = suspects.RATES["frozen"]
        best = next(
            r for r in evidence.tune(build, few, rates, epochs, seed) if "test_accuracy" in r
        )
        scores = features.transfer_scores(
            features.extract(build(), few.train.inputs), few.train.labels
        )
        rows.append({"task": italian.name, "labels": labels, **best, **scores})
    return rows


def count_words(task: str, labels: int, seed: int) -> list[dict]:
    """What counting words makes of the same sentences: TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline

    few = tasks.load("text_letters").few(labels, seed)
    texts = {
        name: ["".join(map(chr, row)).rstrip("\0") for row in getattr(few, name).inputs.tolist()]
        for name in ("train", "val", "test")
    }
    best, chosen = -1.0, None
    for strength in (0.1, 1.0, 10.0, 100.0):
        found = make_pipeline(TfidfVectorizer(), LogisticRegression(C=strength, max_iter=1000))
        found.fit(texts["train"], few.train.labels.numpy())
        val = found.score(texts["val"], few.val.labels.numpy())
        if val > best:
            best, chosen = val, found
    answers, labels_ = chosen.predict(texts["test"]), few.test.labels.numpy()
    return [{
        "source": "words counted", "strategy": "frozen", "val_accuracy": best,
        "test_accuracy": float((answers == labels_).mean()),
        "test_balanced": float(balanced_accuracy_score(labels_, answers)),
    }]  # fmt: skip


def pairs() -> list[tuple[str, str]]:
    """Every source and target, those for pictures; ``nothing`` goes with every target."""
    own = [(source, target) for target in OWN_TARGETS for source in suspects.RECIPES]
    return [(source, name) for name in TARGETS for source in ("photographs", NOTHING)] + own


def search() -> list[dict]:
    """Cells of the search for learning rates that no earlier sweep has made."""
    return [
        {"source": source, "task": name, "labels": labels, "strategy": strategy, "seed": seed,
         "lr": lr}
        for source, name in pairs()
        if (source, "frozen") not in EARLIER or name == "text_pictures"
        for labels in LABELS[name]
        for strategy, rates in suspects.RATES.items()
        for seed in SEARCH_SEEDS
        for lr in rates
    ]  # fmt: skip


def chosen_rates(found: list[dict]) -> dict[tuple[str, str, int, str], float]:
    """The rate of every start, by (source, task, labels, strategy)."""
    rates = {}
    for (source, strategy), rows in pandas.DataFrame(found).groupby(["source", "strategy"]):
        best = evidence.best_rates(rows)
        rates |= {(source, name, labels, strategy): lr for (name, _, labels), lr in best.items()}
    earlier = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    for (source, strategy), known in EARLIER.items():
        for name in TARGETS[:-1]:
            for labels, searched in SEARCHED.items():
                rates[source, name, labels, strategy] = earlier[name, known, searched]
    return rates


def taken_over() -> pandas.DataFrame:
    """Runs of the freezing sweep that are cells of this one."""
    frame = evidence.load("sweep_freezing")
    frame = frame[frame.labels.isin(SEARCHED)]
    back = {known: key for key, known in EARLIER.items()}
    frame = frame[frame.strategy.isin(back)]
    starts = [back[known] for known in frame.strategy]
    return frame.assign(source=[s for s, _ in starts], strategy=[s for _, s in starts])


def readers(done: list[dict]) -> pandas.DataFrame:
    """Readers: frozen as trained here, fine-tuned as in the sweep of lesson 01."""
    frozen = pandas.DataFrame(done).assign(strategy="frozen")
    analogy = evidence.chosen(evidence.load("sweep_analogy"))
    analogy = analogy[analogy.labels.isin(READER_LABELS)]
    back = {known: name for name, known in ANALOGY.items()}
    tuned = analogy[analogy.strategy.isin(back)]
    tuned = tuned.assign(source=tuned.strategy.map(back), strategy="fine-tuned")
    return pandas.concat([frozen.drop(columns=[*features.SCORES]), tuned], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jobs", type=int, default=joblib.cpu_count(), help="runs side by side")
    parser.add_argument("--work", type=Path, default=Path("sweep_suspects"), help="a folder")
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    for name in (*TARGETS, "text_letters", "materials_many", "noise"):
        tasks.load(name)  # draw or unpack once, before the workers start
    missing = [
        (source, seed)
        for source in (*suspects.RECIPES, *suspects.READERS)
        for seed in SEEDS
        if not file_of(args.work, source, seed).is_file()
    ]
    parallel = joblib.Parallel(n_jobs=args.jobs)
    parallel(joblib.delayed(learn_source)(args.work, *one) for one in missing)

    def swept(function, cells: list[dict], name: str) -> list[dict]:
        return evidence.sweep(function, cells, args.work / f"{name}.jsonl", args.jobs)

    found = swept(partial(run, args.work), search(), "rates")
    rates = chosen_rates(found)
    cells = [
        {"source": source, "task": name, "labels": labels, "strategy": strategy, "seed": seed,
         "lr": rates[source, name, labels, strategy]}
        for source, name in pairs()
        for labels in LABELS[name]
        for strategy in suspects.RATES
        for seed in SEEDS
        if (source, strategy) not in EARLIER or name == TARGETS[-1] or seed not in EARLIER_SEEDS
    ]  # fmt: skip
    done = swept(partial(run, args.work), cells, "runs")
    words = swept(
        count_words,
        [{"task": TARGETS[-1], "labels": n, "seed": s} for n in LABELS[TARGETS[-1]] for s in SEEDS],
        "words",
    )
    scored = swept(
        partial(score, args.work),
        [{"source": source, "task": name, "labels": labels, "seed": seed}
         for source, name in pairs() for labels in LABELS[name] for seed in SEEDS],
        "scores",
    )  # fmt: skip
    read_rows = swept(
        partial(read, args.work),
        [{"source": source, "seed": seed} for seed in SEEDS for source in ANALOGY],
        "readers",
    )
    columns = [*KEYS, "lr", "val_accuracy", "test_accuracy", "test_balanced", "seconds"]
    parts = [pandas.DataFrame(done + words), taken_over(), readers(read_rows)]
    frame = pandas.concat([part.reindex(columns=columns) for part in parts], ignore_index=True)
    scores = pandas.DataFrame(scored + read_rows)[
        ["task", "labels", "source", "seed", *features.SCORES]
    ]
    command = "python data_scripts/sweep_suspects.py"
    rate_rows = pandas.DataFrame(found)[[*KEYS, "lr", "val_accuracy"]]
    evidence.save(rate_rows.sort_values([*KEYS, "lr"]), "sweep_suspects_rates", command)
    evidence.save(scores.sort_values(["task", "labels", "source", "seed"]), "sweep_scores", command)
    path = evidence.save(frame.sort_values(KEYS), "sweep_suspects", command)
    print(f"wrote {path}: {len(frame)} runs\nexpect, points gained over from scratch:")
    gains = evidence.gains(evidence.load("sweep_suspects"))
    print(gains.to_string(index=False))


if __name__ == "__main__":
    main()
