"""Suspects of negative transfer: every source × target × labels × frozen or not, over seeds.

    python data_scripts/sweep_suspects.py    # 90 minutes on 2 cores; goes on if stopped

Each seed trains its own copy of every source (but photographs, of which there is one), draws its
own labels, and is compared with itself from scratch. The learning rate of every start: three
rates, two draws that are not used again, the best mean accuracy on validation. Where the freezing
sweep has trained the same cell, its seeds and its search are taken over. Scores that need no
training are computed on the same draws.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas
from pretrain_readers import pretrain
from safetensors.torch import save_file
from torch import manual_seed

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


def learn_source(folder: Path, source: str, seed: int) -> list[dict]:
    """Write copy number ``seed`` of ``source``, a picture source or a reader."""
    if source in suspects.READERS:
        model = pretrain(ANALOGY[source], seed)
    else:
        model, _ = suspects.pretrain(source, seed)
    part = file_of(folder, source, seed).with_suffix(".part")
    save_file({name: value.contiguous() for name, value in model.state_dict().items()}, part)
    return [{"file": part.replace(file_of(folder, source, seed)).name}]


def backbone(folder: Path, source: str, seed: int):
    """The source's network for one seed; ``nothing`` gives random weights drawn from the seed."""
    manual_seed(seed)
    reader = source in suspects.READERS
    if source == NOTHING:
        return models.load("resnet10", pretrained=False)
    if source == "photographs":
        return models.load("resnet10")
    name = (suspects.READERS if reader else suspects.PICTURES)[source]
    classes = None if reader else suspects.source_task(source, seed % 100).classes
    return models.load(name, classes=classes, weights=file_of(folder, source, seed))


def run(
    folder: Path, source: str, task: str, labels: int, strategy: str, seed: int, lr: float
) -> list[dict]:
    """The row of one cell with one seed."""
    few = tasks.load(task).few(labels, seed)
    model = suspects.start(backbone(folder, source, seed), strategy, len(few.classes))
    return [evidence.learned(model, few, lr, seed)]


def score(folder: Path, source: str, task: str, labels: int, seed: int) -> list[dict]:
    """Scores of one source's frozen features on the training labels of one draw."""
    few = tasks.load(task).few(labels, seed).train
    found = features.extract(backbone(folder, source, seed), few.inputs)
    return [features.transfer_scores(found, few.labels)]


def read(folder: Path, source: str, seed: int) -> list[dict]:
    """A reader of ``source`` with all but its head frozen, on Italian; and its scores."""
    italian, rows = tasks.load("numbers_italian"), []

    def build():
        if source != NOTHING:
            return surgery.freeze(backbone(folder, source, seed))
        manual_seed(seed)
        return surgery.freeze(models.load("reader_spanish", pretrained=False))

    for labels in READER_LABELS:
        few = italian.few(labels, seed)
        epochs = max(STEPS // -(-labels // 32), 10)
        tuned = evidence.tune(build, few, suspects.RATES["frozen"], epochs, seed)
        best = next(row for row in tuned if "test_accuracy" in row)
        found = features.extract(build(), few.train.inputs)
        scores = features.transfer_scores(found, few.train.labels)
        rows.append({"task": italian.name, "labels": labels, **best, **scores})
    return rows


def count_words(task: str, labels: int, seed: int) -> list[dict]:
    """What counting words makes of the same sentences: TF-IDF and logistic regression."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import balanced_accuracy_score
    from sklearn.pipeline import make_pipeline

    few = tasks.load("text_letters").few(labels, seed)
    train, val, test = (
        (["".join(map(chr, row)).rstrip("\0") for row in part.inputs.tolist()], part.labels.numpy())
        for part in (few.train, few.val, few.test)
    )
    fitted = [
        make_pipeline(TfidfVectorizer(), LogisticRegression(C=strength, max_iter=1000)).fit(*train)
        for strength in (0.1, 1.0, 10.0, 100.0)
    ]
    best = max(fitted, key=lambda found: found.score(*val))
    return [{
        "source": "words counted", "strategy": "frozen", "val_accuracy": best.score(*val),
        "test_accuracy": best.score(*test),
        "test_balanced": float(balanced_accuracy_score(test[1], best.predict(test[0]))),
    }]  # fmt: skip


def pairs() -> list[tuple[str, str]]:
    """Every source and target, those for pictures; ``nothing`` goes with every target."""
    own = [(source, target) for target in OWN_TARGETS for source in suspects.RECIPES]
    return [(source, name) for name in TARGETS for source in ("photographs", NOTHING)] + own


def grid(**more) -> list[dict]:
    """Every pair with each of its numbers of labels, and with all of ``more``."""
    return [
        cell
        for source, name in pairs()
        for cell in evidence.grid(source=[source], task=[name], labels=LABELS[name], **more)
    ]


def search() -> list[dict]:
    """Cells of the search for learning rates that no earlier sweep has made."""
    return [
        {**cell, "lr": lr}
        for cell in grid(strategy=suspects.RATES, seed=SEARCH_SEEDS)
        if (cell["source"], "frozen") not in EARLIER or cell["task"] == TARGETS[-1]
        for lr in suspects.RATES[cell["strategy"]]
    ]


def chosen_rates(found: pandas.DataFrame) -> dict[tuple[str, str, int, str], float]:
    """The rate of every start, by (source, task, labels, strategy)."""
    rates = {}
    for source, rows in found.groupby("source"):
        best = evidence.best_rates(rows)
        rates |= {(source, name, n, strategy): lr for (name, strategy, n), lr in best.items()}
    earlier = evidence.best_rates(evidence.load("sweep_freezing_rates"))
    for (source, strategy), known in EARLIER.items():
        for name in TARGETS[:-1]:
            for labels, searched in SEARCHED.items():
                rates[source, name, labels, strategy] = earlier[name, known, searched]
    return rates


def taken_over() -> pandas.DataFrame:
    """Runs of the freezing sweep that are cells of this one."""
    frame = evidence.load("sweep_freezing")
    back = {known: key for key, known in EARLIER.items()}
    frame = frame[frame.labels.isin(SEARCHED) & frame.strategy.isin(back)]
    starts = [back[known] for known in frame.strategy]
    return frame.assign(source=[s for s, _ in starts], strategy=[s for _, s in starts])


def readers(done: pandas.DataFrame) -> pandas.DataFrame:
    """Readers: frozen as trained here, fine-tuned as in the sweep of lesson 01."""
    analogy = evidence.chosen(evidence.load("sweep_analogy"))
    back = {known: name for name, known in ANALOGY.items()}
    tuned = analogy[analogy.labels.isin(READER_LABELS) & analogy.strategy.isin(back)]
    tuned = tuned.assign(source=tuned.strategy.map(back), strategy="fine-tuned")
    return pandas.concat([done.assign(strategy="frozen"), tuned], ignore_index=True)


def main() -> None:
    sweep = evidence.Sweep(
        "sweep_suspects",
        __doc__,
        work={"type": Path, "default": Path("sweep_suspects"), "help": "a folder"},
    )
    folder = sweep.args.work
    folder.mkdir(parents=True, exist_ok=True)

    def swept(name: str, function: Callable, cells: list[dict], load=()) -> pandas.DataFrame:
        return sweep.run(function, cells, load, folder / f"{name}.jsonl")

    learnt = evidence.grid(source=(*suspects.RECIPES, *suspects.READERS), seed=SEEDS)
    needed = (*TARGETS, "text_letters", "materials_many", "noise")
    swept("sources", partial(learn_source, folder), learnt, needed)
    found = swept("rates", partial(run, folder), search())
    rates = chosen_rates(found)
    keys = ("source", "task", "labels", "strategy")
    cells = [
        {**cell, "lr": rates[tuple(cell[key] for key in keys)]}
        for cell in grid(strategy=suspects.RATES, seed=SEEDS)
        if (cell["source"], cell["strategy"]) not in EARLIER
        or cell["task"] == TARGETS[-1]
        or cell["seed"] not in EARLIER_SEEDS
    ]
    done = swept("runs", partial(run, folder), cells)
    sentences = evidence.grid(task=TARGETS[-1:], labels=LABELS[TARGETS[-1]], seed=SEEDS)
    words = swept("words", count_words, sentences)
    scored = swept("scores", partial(score, folder), grid(seed=SEEDS))
    read_rows = swept("readers", partial(read, folder), evidence.grid(source=ANALOGY, seed=SEEDS))
    columns = [*KEYS, "lr", "val_accuracy", "test_accuracy", "test_balanced", "seconds"]
    parts = [done, words, taken_over(), readers(read_rows)]
    frame = pandas.concat([part.reindex(columns=columns) for part in parts])
    sweep.store(found[[*KEYS, "lr", "val_accuracy"]], [*KEYS, "lr"], "sweep_suspects_rates")
    draw = ["task", "labels", "source", "seed"]
    scores = pandas.concat([scored, read_rows])[[*draw, *features.SCORES]]
    sweep.store(scores, draw, "sweep_scores")
    frame = sweep.store(frame, KEYS)
    print("expect, points gained over from scratch:")
    print(evidence.gains(frame).to_string(index=False))


if __name__ == "__main__":
    main()
