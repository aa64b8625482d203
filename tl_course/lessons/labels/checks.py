"""The checks of lesson 05: labels read off a curve, a budget, and a fair comparison."""

import hashlib
import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import torch

from tl_course import evidence, store
from tl_course.lessons.labels import worth
from tl_course.practice.patience import one_line, patient
from tl_course.tasks import Split, Task

COUNTS = (25, 50, 100, 200, 500, 1000)
# what the case is about, accuracies at COUNTS, accuracy wanted
CASES = (
    ("a curve that rises", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.55),
    ("a count that was measured", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.4),
    ("the most labels measured", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.7),
    ("an accuracy never reached", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.8),
    ("less than the first point", (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 0.1),
    ("a curve that falls once", (0.2, 0.5, 0.3, 0.4, 0.7, 0.8), 0.35),
    ("a curve that falls once", (0.2, 0.5, 0.3, 0.4, 0.7, 0.8), 0.6),
    ("a curve that falls at its end", (0.2, 0.3, 0.4, 0.5, 0.8, 0.6), 0.7),
)
TARGET, WANTED, PRICE = "leaves", 0.6, 0.5  # accuracy, and what one label costs in euros
VALIDATION = 500  # pictures the target keeps for validation at most
STARTS = ("fine-tuning", "from scratch")


@patient
def check_labels_needed(needed: Callable) -> str:
    """Whether ``needed(counts, accuracies, wanted)`` reads a learning curve on a log axis.

    It is tried on curves that rise and fall, on counts that were measured, on accuracies that are
    never reached, and on curves drawn by chance. ``None`` is the answer where it is never reached,
    the first count where that is enough.
    """
    if not callable(needed):
        return f"Not yet: this is {type(needed).__name__}, not a function."
    draw = np.random.default_rng(0)
    drawn = [np.sort(draw.uniform(0.1, 0.9, len(COUNTS))) for _ in range(5)]
    cases = [*CASES, *(("a curve drawn by chance", c, (c[2] + 2 * c[3]) / 3) for c in drawn)]
    for what, curve, wanted in cases:
        counts, accuracies = np.array(COUNTS), np.array(curve)
        found = needed(counts, accuracies, float(wanted))
        if not (np.array_equal(counts, COUNTS) and np.array_equal(accuracies, curve)):
            return f"Not yet, {what}: your function changes the arrays it is given. Copy first."
        fault = _misread(found, curve, wanted)
        if fault:
            places = ", ".join(f"{value:.2f}" for value in curve)
            return one_line(f"Not yet: {what} ({places}), wanted {wanted:.2f}: {fault}")
    return f"Right: {len(cases)} curves read, one that never gets there among them."


def _misread(found: object, curve: tuple[float, ...], wanted: float) -> str:
    """What is wrong with ``found``; empty if nothing is."""
    expected = worth.labels_needed(COUNTS, curve, wanted)
    if expected is None:
        if found is None:
            return ""
        shown = f"{found:.0f}" if isinstance(found, Real) else repr(found)
        return f"you answer {shown}, but it never gets there. Say so with None, or you promise."
    if found is None:
        return f"you answer None, but it is reached at {expected:.0f} labels."
    if isinstance(found, np.ndarray) and found.ndim == 0:
        found = found.item()
    if not isinstance(found, Real) or isinstance(found, bool):
        return f"you answer with a {type(found).__name__}, not with a number."
    if not math.isfinite(found):
        return f"you answer {found}, which is no count of labels."

    def near(value: float) -> bool:
        return abs(found - value) <= max(1.0, 0.01 * value)

    if near(expected):
        return ""
    best = np.maximum.accumulate(curve)
    said = f"you answer {found:.0f}, it is {expected:.0f}."
    if near(np.interp(wanted, best, COUNTS)):
        return f"{said} Yours is a line over labels; take their logarithm, and exp at the end."
    if near(math.log(expected)):
        return f"{said} Yours is the logarithm: np.exp brings it back."
    if near(10 ** math.log(expected)) or near(math.log10(expected)):
        return f"{said} Logarithm and power must have the same base."
    if np.any(np.diff(curve) < 0):
        return f"{said} Where a curve falls, the best so far counts: np.maximum.accumulate."
    if wanted < curve[0]:
        return f"{said} Even the fewest labels are enough, and fewer were not measured."
    if any(near(count) for count in COUNTS):
        return f"{said} Between two points, read the line that joins them."
    return said


def plan_cost(labels: int) -> float:
    """Euros for ``labels`` training labels and those of validation, which need labelling too."""
    return PRICE * (labels + min(VALIDATION, max(labels, 50)))  # as Task.few shrinks it


@patient
def check_plan(plan: dict) -> str:
    """Whether a ``plan``, a start and a count of labels, keeps its promise at the lowest price.

    The promise: ``WANTED`` of the leaves right (balanced). The stored runs support it where the
    whole 95 % interval of the mean over seeds reaches that.
    """
    if not isinstance(plan, dict) or not {"start", "labels"} <= plan.keys():
        return 'Not yet: a plan looks like {"start": "from scratch", "labels": 100}.'
    start, labels = plan["start"], plan["labels"]
    frame = evidence.load("sweep_freezing")
    frame = frame[frame.task == TARGET]
    store.choose("start", start, dict.fromkeys(frame.strategy))
    counts = sorted(int(count) for count in set(frame.labels))
    if isinstance(labels, bool) or labels not in counts:
        return one_line(
            f"Not yet: there are no runs with {labels!r} labels, so nothing supports this plan. "
            f"Measured were {', '.join(map(str, counts))}."
        )
    low, mean, high = _supported(frame, start, labels)
    cost = plan_cost(labels)
    said = f"{start}, {labels:,} labels: {mean:.0%} [{low:.0%}, {high:.0%}] for {cost:,.0f} €"
    if high < WANTED:
        return f"Not yet: {said}. That is below {WANTED:.0%}, whatever you are lucky with."
    if low < WANTED:
        return f"Not yet: {said}. The interval reaches below {WANTED:.0%}: it may not be kept."
    cheaper = [
        (count, other)
        for count in counts
        for other in dict.fromkeys(frame.strategy)
        if plan_cost(count) < cost and _supported(frame, other, count)[0] >= WANTED
    ]
    if cheaper:
        count, other = min(cheaper)
        saved = cost - plan_cost(count)
        return (
            f"Not yet: {said} would do, but {other} with {count:,} labels keeps the promise too, "
            f"for {saved:,.0f} € less."
        )
    return f"Right: {said}, and nothing cheaper among the stored runs keeps the promise."


def _supported(frame, start: str, labels: int) -> tuple[float, float, float]:
    """Lower bound, mean and upper bound of the balanced test accuracy."""
    values = evidence.scores(frame, TARGET, labels, start)
    found = evidence.paired(values, np.zeros(len(values)))
    return found.low, found.effect, found.high


class _Lab:
    """Stands in for training: writes down what is asked, and answers at once.

    What is best on validation is worst on the test, so that whoever chooses by the test shows it.
    """

    def __init__(self) -> None:
        self.runs: list[dict] = []
        self.tested: list[object] = []

    def learn(self, start: str, task: Task, epochs: int, lr: float) -> tuple[float, object]:
        store.choose("start", start, STARTS)
        if not isinstance(task, Task):
            raise store.BadInput(f"a {type(task).__name__}", "learn needs a task", "Pass one")
        for name, value in (("epochs", epochs), ("lr", lr)):
            if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < math.inf:
                raise store.BadInput(
                    f"{name}={value!r}", "nothing is learnt with that", "Pass one above 0"
                )
        draw, val = _digest(task.train), _digest(task.val)
        key = hashlib.sha256(f"{start} {lr!r} {epochs!r} {draw} {val}".encode()).digest()
        val_accuracy = 0.4 + 0.4 * int.from_bytes(key[:4], "big") / 2**32
        model = object()
        sizes = {"labels": len(task.train), "val": len(task.val)}
        self.runs.append(
            {"start": start, "draw": draw, "seen": val, "epochs": epochs, "lr": lr, **sizes}
            | {"val_accuracy": val_accuracy, "model": model}
        )
        return val_accuracy, model

    def test(self, model: object) -> float:
        self.tested.append(model)
        run = next((run for run in self.runs if run["model"] is model), None)
        if run is None:
            raise store.BadInput(
                f"test of a {type(model).__name__}", "learn did not make it", "Pass run[1]"
            )
        bonus = 0.1 if run["start"] == STARTS[0] else 0.0
        return 0.9 - run["val_accuracy"] / 2 + bonus


def _digest(split: Split) -> str:
    """The same for the same examples in any order."""
    rows = zip(split.inputs.flatten(1).numpy(), split.labels.numpy(), strict=True)
    return hashlib.sha256(b"".join(sorted(x.tobytes() + y.tobytes() for x, y in rows))).hexdigest()


def _pictures(count: int, first: int) -> Split:
    """Pictures that all differ, of three classes."""
    numbers = torch.arange(first, first + count)
    inputs = torch.zeros(count, 3, 4, 4, dtype=torch.uint8)
    inputs[:, 0, 0, 0], inputs[:, 1, 0, 0] = numbers % 256, numbers // 256
    return Split(inputs, numbers % 3)


@patient
def check_fair(duel: Callable) -> str:
    """Whether ``duel(task, learn, test)`` compares two starts that differ in nothing else.

    ``learn`` and ``test`` only write down what is asked of them. Fair: the same training labels,
    validation and epochs for both starts, as many learning rates tried, the best on validation
    tested, and no other. Several draws of labels are allowed.
    """
    if not callable(duel):
        return f"Not yet: this is {type(duel).__name__}, not a function."
    splits = _pictures(400, 0), _pictures(200, 1000), _pictures(60, 2000)
    task = Task("three", "Three kinds", ("a", "b", "c"), *splits, "MIT", "drawn", "none")
    lab = _Lab()
    answer = duel(task, lab.learn, lab.test)
    ours, theirs = ([run for run in lab.runs if run["start"] == start] for start in STARTS)
    for start, runs in zip(STARTS, (ours, theirs), strict=True):
        if not runs:
            return f"Not yet: nothing was trained {start}, so nothing is compared."
    unequal = _unequal(ours, theirs)
    if unequal:
        return f"Not yet, still unequal: {'; '.join(unequal)}."
    best = {}
    for run in lab.runs:
        key = run["start"], run["draw"]
        if key not in best or run["val_accuracy"] > best[key]["val_accuracy"]:
            best[key] = run
    right = [run["model"] for run in best.values()]
    if len(lab.tested) > len(right):
        return (
            f"Not yet: the test was asked {len(lab.tested)} times, for {len(right)} results. Who "
            "chooses by the test has none left: choose by validation, run[0]."
        )
    if {id(model) for model in lab.tested} != {id(model) for model in right}:
        return "Not yet: a model was tested that is not the best on validation, run[0]."
    means = [
        np.mean([lab.test(run["model"]) for (name, _), run in best.items() if name == start])
        for start in STARTS
    ]
    if not isinstance(answer, Real) or not math.isfinite(answer):
        return one_line(f"Not yet: duel returns {answer!r}, not the difference of two accuracies.")
    if abs(answer - (means[0] - means[1])) > 1e-6:
        return (
            f"Not yet: duel returns {answer:+.3f}, but fine-tuning minus from scratch is "
            f"{means[0] - means[1]:+.3f} here."
        )
    tried = len({run["lr"] for run in ours})
    return (
        f"Right: the same {ours[0]['labels']} labels, validation and epochs, {tried} learning "
        f"rate{'s' if tried > 1 else ''} each, the best on validation tested once."
    )


def _unequal(ours: list[dict], theirs: list[dict]) -> list[str]:
    """What differs between the runs of the two starts, in words."""

    def values(runs: list[dict], key: str) -> list:
        return sorted({run[key] for run in runs})

    def both(key: str) -> str:
        return " against ".join(", ".join(map(str, values(runs, key))) for runs in (ours, theirs))

    found = []
    if values(ours, "labels") != values(theirs, "labels"):
        found.append(f"training labels ({both('labels')})")
    elif values(ours, "draw") != values(theirs, "draw"):
        found.append("the draw of labels (another seed)")
    if values(ours, "val") != values(theirs, "val"):
        found.append(f"validation pictures ({both('val')})")
    elif values(ours, "seen") != values(theirs, "seen"):
        found.append("the validation pictures (another draw)")
    if values(ours, "epochs") != values(theirs, "epochs"):
        found.append(f"epochs ({both('epochs')})")
    tried = [
        sorted(len({run["lr"] for run in runs if run["draw"] == draw}) for draw in draws)
        for runs, draws in ((ours, values(ours, "draw")), (theirs, values(theirs, "draw")))
    ]
    if tried[0] != tried[1]:
        counts = " against ".join(", ".join(map(str, sorted(set(one)))) for one in tried)
        found.append(f"learning rates tried ({counts})")
    return found
