"""The checks of lesson 05: labels read off a curve, a budget, and a fair comparison."""

import hashlib
import math
from collections.abc import Callable
from functools import partial
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import torch

from tl_course import evidence, store
from tl_course.evidence.results import stored
from tl_course.lessons.labels import worth
from tl_course.practice.grading import NotYet, compare_cases, graded, want
from tl_course.tasks import Split, Task

if TYPE_CHECKING:
    import pandas

COUNTS = (25, 50, 100, 200, 500, 1000)
RISES, FALLS = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), (0.2, 0.5, 0.3, 0.4, 0.7, 0.8)
# what the case is about, accuracies at COUNTS, accuracy wanted
CURVES = (
    ("a curve that rises", RISES, 0.55),
    ("a count that was measured", RISES, 0.4),
    ("the most labels measured", RISES, 0.7),
    ("an accuracy never reached", RISES, 0.8),
    ("less than the first point", RISES, 0.1),
    ("a curve that falls once", FALLS, 0.35),
    ("a curve that falls once", FALLS, 0.6),
    ("a curve that falls at its end", (0.2, 0.3, 0.4, 0.5, 0.8, 0.6), 0.7),
)
TARGET, WANTED, PRICE = "leaves", 0.6, 0.5  # accuracy, and what one label costs in euros
VALIDATION = 500  # pictures the target keeps for validation at most
STARTS = ("fine-tuning", "from scratch")


@graded
def check_labels_needed(needed: Callable) -> str:
    """Whether ``needed(counts, accuracies, wanted)`` reads a learning curve on a log axis.

    It is tried on curves that rise and fall, on counts that were measured, on accuracies that are
    never reached, and on curves drawn by chance. ``None`` is the answer where it is never reached,
    the first count where that is enough.
    """
    draw = np.random.default_rng(0)
    drawn = [np.sort(draw.uniform(0.1, 0.9, len(COUNTS))) for _ in range(5)]
    curves = [*CURVES, *(("a curve drawn by chance", c, (c[2] + 2 * c[3]) / 3) for c in drawn)]
    cases = [
        (
            f"{what} ({', '.join(f'{value:.2f}' for value in curve)}), wanted {wanted:.2f},",
            np.array(COUNTS),
            np.array(curve),
            float(wanted),
        )
        for what, curve, wanted in curves
    ]
    compare_cases(needed, cases, worth.labels_needed, read=_count, same=_near, hint=_misread)
    return f"{len(cases)} curves read, one that never gets there among them."


def _count(answer: object) -> float | None:
    if isinstance(answer, np.ndarray) and answer.ndim == 0:
        answer = answer.item()
    if answer is not None:
        want(answer, Real, "a number", "it returns a")
    return answer


def _near(found: float | None, expected: float | None) -> bool:
    if found is None or expected is None:
        return found is expected
    return abs(found - expected) <= max(1.0, 0.01 * expected)


def _misread(
    found: float | None,
    expected: float | None,
    counts: np.ndarray,
    curve: np.ndarray,
    wanted: float,
) -> str:
    """The mistake that leads to ``found``, where it is known."""
    if expected is None:
        return "It never gets there. Say so with None, or you promise."
    if found is None:
        return "It gets there."
    near, log = partial(_near, found), math.log(expected)
    straight = np.interp(wanted, np.maximum.accumulate(curve), counts)
    falls = np.any(np.diff(curve) < 0)
    mistakes = {
        "Yours is a line over labels; take their logarithm, and exp at the end.": near(straight),
        "Yours is the logarithm: np.exp brings it back.": near(log),
        "Logarithm and power must have the same base.": near(10**log) or near(log / math.log(10)),
        "Where a curve falls, the best so far counts: np.maximum.accumulate.": falls,
        "Even the fewest labels are enough, and fewer were not measured.": wanted < curve[0],
        "Between two points, read the line that joins them.": any(map(near, counts)),
    }
    return next((hint for hint, made in mistakes.items() if made), "")


def plan_cost(labels: int) -> float:
    """Euros for ``labels`` training labels and those of validation, which need labelling too."""
    return PRICE * (labels + min(VALIDATION, max(labels, 50)))  # as Task.few shrinks it


@graded
def check_plan(plan: dict) -> str:
    """Whether a ``plan``, a start and a count of labels, keeps its promise at the lowest price.

    The promise: ``WANTED`` of the leaves right (balanced). The stored runs support it where the
    whole 95 % interval of the mean over seeds reaches that.
    """
    if not isinstance(plan, dict) or not {"start", "labels"} <= plan.keys():
        raise NotYet('a plan looks like {"start": "from scratch", "labels": 100}.')
    start, labels = plan["start"], plan["labels"]
    runs = stored("sweep_freezing")
    starts, counts = [*runs.rows(task=TARGET).strategy.unique()], runs.counts(TARGET)
    store.choose("start", start, starts)
    if isinstance(labels, bool) or labels not in counts:
        raise NotYet(
            f"there are no runs with {labels!r} labels, so nothing supports this plan. Measured "
            f"were {', '.join(map(str, counts))}."
        )
    low, mean, high = _supported(start, labels)
    cost = plan_cost(labels)
    said = f"{start}, {labels:,} labels: {mean:.0%} [{low:.0%}, {high:.0%}] for {cost:,.0f} €"
    if high < WANTED:
        raise NotYet(f"{said}. That is below {WANTED:.0%}, whatever you are lucky with.")
    if low < WANTED:
        raise NotYet(f"{said}. The interval reaches below {WANTED:.0%}: it may not be kept.")
    cheaper = [
        (count, other)
        for count in counts
        for other in starts
        if plan_cost(count) < cost and _supported(other, count)[0] >= WANTED
    ]
    if cheaper:
        count, other = min(cheaper)
        raise NotYet(
            f"{said} would do, but {other} with {count:,} labels keeps the promise too, for "
            f"{cost - plan_cost(count):,.0f} € less."
        )
    return f"{said}, and nothing cheaper among the stored runs keeps the promise."


def _supported(start: str, labels: int) -> tuple[float, float, float]:
    """Lower bound, mean and upper bound of the balanced test accuracy."""
    values = stored("sweep_freezing").cell(task=TARGET, labels=labels, strategy=start)
    found = evidence.paired(values, 0 * values)
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
        draw, seen = _digest(task.train), _digest(task.val)
        key = hashlib.sha256(f"{start} {lr!r} {epochs!r} {draw} {seen}".encode()).digest()
        accuracy, model = 0.4 + 0.4 * int.from_bytes(key[:4], "big") / 2**32, object()
        tested = 0.9 - accuracy / 2 + 0.1 * (start == STARTS[0])
        sizes = {"labels": len(task.train), "val": len(task.val)}
        run = {"start": start, "draw": draw, "seen": seen, "epochs": epochs, "lr": lr, **sizes}
        self.runs.append({**run, "model": model, "val_accuracy": accuracy, "test_accuracy": tested})
        return accuracy, model

    def test(self, model: object) -> float:
        self.tested.append(model)
        for run in self.runs:
            if run["model"] is model:
                return run["test_accuracy"]
        raise store.BadInput(
            f"test of a {type(model).__name__}", "learn did not make it", "Pass run[1]"
        )


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


@graded
def check_fair(duel: Callable) -> str:
    """Whether ``duel(task, learn, test)`` compares two starts that differ in nothing else.

    ``learn`` and ``test`` only write down what is asked of them. Fair: the same training labels,
    validation and epochs for both starts, as many learning rates tried, the best on validation
    tested, and no other. Several draws of labels are allowed.
    """
    import pandas

    splits = _pictures(400, 0), _pictures(200, 1000), _pictures(60, 2000)
    task = Task("three", "Three kinds", ("a", "b", "c"), *splits, "MIT", "drawn", "none")
    lab = _Lab()
    answer = duel(task, lab.learn, lab.test)
    ours, theirs = ([run for run in lab.runs if run["start"] == start] for start in STARTS)
    for start, runs in zip(STARTS, (ours, theirs), strict=True):
        if not runs:
            raise NotYet(f"nothing was trained {start}, so nothing is compared.")
    if unequal := _unequal(pandas.DataFrame(ours), pandas.DataFrame(theirs)):
        raise NotYet(f"still unequal are {'; '.join(unequal)}.")
    wanted = _difference(pandas.DataFrame(lab.runs), lab.tested)
    if not isinstance(answer, Real) or not math.isfinite(answer):
        raise NotYet(f"duel returns {answer!r}, not the difference of two accuracies.")
    if abs(answer - wanted) > 1e-6:
        raise NotYet(
            f"duel returns {answer:+.3f}, but fine-tuning minus from scratch is {wanted:+.3f} here."
        )
    tried = len({run["lr"] for run in ours})
    return (
        f"the same {ours[0]['labels']} labels, validation and epochs, {tried} learning "
        f"rate{'s' if tried > 1 else ''} each, the best on validation tested once."
    )


def _unequal(ours: "pandas.DataFrame", theirs: "pandas.DataFrame") -> list[str]:
    """What differs between the runs of the two starts, in words."""
    found = {}
    for name, words, counted in (
        ("labels", "training labels ({})", ""),
        ("draw", "the draw of labels (another seed)", "labels"),
        ("val", "validation pictures ({})", ""),
        ("seen", "the validation pictures (another draw)", "val"),
        ("epochs", "epochs ({})", ""),
    ):
        pair = [sorted(set(runs[name])) for runs in (ours, theirs)]
        if pair[0] != pair[1] and counted not in found:  # another count is another draw
            found[name] = words.format(_against(pair))
    pair = [sorted(runs.groupby("draw").lr.nunique()) for runs in (ours, theirs)]
    if pair[0] != pair[1]:
        found["rates"] = f"learning rates tried ({_against(pair)})"
    return [*found.values()]


def _against(pair: list[list]) -> str:
    return " against ".join(", ".join(map(str, dict.fromkeys(each))) for each in pair)


def _difference(runs: "pandas.DataFrame", tested: list[object]) -> float:
    """Fine-tuning minus from scratch where the best on validation are tested, as they should be."""
    best = runs.loc[runs.groupby(["start", "draw"]).val_accuracy.idxmax()]
    if len(tested) > len(best):
        raise NotYet(
            f"the test was asked {len(tested)} times, for {len(best)} results. Who chooses by the "
            "test has none left: choose by validation, run[0]."
        )
    if {*map(id, tested)} != {*map(id, best.model)}:
        raise NotYet("a model was tested that is not the best on validation, run[0].")
    means = best.groupby("start").test_accuracy.mean()
    return float(means[STARTS[0]] - means[STARTS[1]])
