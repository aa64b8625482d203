"""The checks of lesson 08: a verdict, a cure, a rule that does no harm, and a score."""

import copy
import math
from collections.abc import Callable
from numbers import Real

import numpy as np
import torch
from scipy.stats import t
from torch import nn

from tl_course import evidence, models, surgery, tasks, train
from tl_course.practice.patience import not_a_reader, one_line, patient

WORDS = {-1: "guilty", 0: "not proven", 1: "innocent"}
STEADY = np.array([0.30, 0.45, 0.60, 0.75, 0.90])  # five seeds that differ much from each other
LEVEL = np.full(5, 0.5)


def _around(mean: float, ratio: float) -> np.ndarray:
    """Five differences with this mean, ``ratio`` standard errors from zero."""
    shape = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    error = shape.std(ddof=1) / math.sqrt(5)
    return mean + shape * mean / (ratio * error)


# what the case is about, the source's accuracies, those from scratch
TRIALS = (
    ("a clear gain", LEVEL + _around(0.2, 9.0), LEVEL),
    ("a clear loss", LEVEL - _around(0.2, 9.0), LEVEL),
    ("a gain no larger than the spread", LEVEL + _around(0.04, 0.8), LEVEL),
    ("seeds that differ more than the starts do", STEADY - _around(0.03, 9.0), STEADY),
    ("seeds that differ more than the starts do", STEADY + _around(0.03, 9.0), STEADY),
    ("a loss 2.3 standard errors from zero", LEVEL - _around(0.1, 2.3), LEVEL),
    ("a loss 2.65 standard errors from zero", LEVEL - _around(0.1, 2.65), LEVEL),
    ("a loss 3 standard errors from zero", LEVEL - _around(0.1, 3.0), LEVEL),
    ("the same difference in every seed", STEADY - 0.05, STEADY),
    ("no difference in any seed", STEADY, STEADY),
)


def _interval(difference: np.ndarray, error: float, wide: float) -> int:
    low, high = difference.mean() - wide * error, difference.mean() + wide * error
    return int(low > 1e-9) - int(high < -1e-9)


def _student(source: np.ndarray, scratch: np.ndarray) -> int:
    difference = source - scratch
    error = difference.std(ddof=1) / math.sqrt(len(difference))
    return _interval(difference, error, t.ppf(0.975, len(difference) - 1))


def _unpaired(source: np.ndarray, scratch: np.ndarray) -> int:
    error = math.sqrt((source.var(ddof=1) + scratch.var(ddof=1)) / len(source))
    return _interval(source - scratch, error, t.ppf(0.975, 2 * len(source) - 2))


def _normal(source: np.ndarray, scratch: np.ndarray) -> int:
    difference = source - scratch
    return _interval(difference, difference.std(ddof=1) / math.sqrt(len(difference)), 1.96)


def _population(source: np.ndarray, scratch: np.ndarray) -> int:
    difference = source - scratch
    wide = t.ppf(0.975, len(difference) - 1)
    return _interval(difference, difference.std() / math.sqrt(len(difference)), wide)


def _spread(source: np.ndarray, scratch: np.ndarray) -> int:
    difference = source - scratch
    return _interval(difference, difference.std(ddof=1), t.ppf(0.975, len(difference) - 1))


FAULTS = {
    "it finds the guilty innocent: source minus scratch, in this order": (
        lambda a, b: _student(b, a)
    ),
    "it looks at the mean alone. How sure is it? Where does the interval end?": (
        lambda a, b: int(np.sign(np.round((a - b).mean(), 9)))
    ),
    "it compares two groups. The starts share their seeds: subtract seed by seed first": _unpaired,
    "1.96 is for many seeds. With five, Student's t is 2.78: scipy.stats.t.ppf(0.975, n - 1)": (
        _normal
    ),
    "numpy's std divides by n. With so few seeds it is too small: std(ddof=1)": _population,
    "it asks how far the seeds spread, not how sure their mean is: divide by sqrt(n)": _spread,
}


@patient
def check_judge(judge: Callable) -> str:
    """Whether ``judge(source, scratch)`` gives the verdict of the paired 95 % interval.

    Both arguments are arrays of accuracies, one a seed. "guilty": the whole interval lies below
    zero; "innocent": above; else "not proven".
    """
    if not callable(judge):
        return f"Not yet: this is {type(judge).__name__}, not a function."
    draw = np.random.default_rng(8)
    drawn = []
    while len(drawn) < 60:
        count = int(draw.choice([5, 10]))
        scratch = draw.uniform(0.2, 0.8, count)
        source = scratch + draw.normal(0, 0.04) + draw.normal(0, 0.05, count)
        difference = source - scratch
        ratio = abs(difference.mean()) / (difference.std(ddof=1) / math.sqrt(count))
        if abs(ratio - t.ppf(0.975, count - 1)) > 0.02:  # none on the edge
            drawn.append((f"{count} seeds drawn by chance", source, scratch))
    cases, answers = [*TRIALS, *drawn], []
    for what, source, scratch in cases:
        given = source.copy(), scratch.copy()
        try:
            answer = judge(*given)
        except Exception as error:  # the learner's own code
            return one_line(f"Not yet: on {what} it stops with {type(error).__name__}: {error}.")
        if not (np.array_equal(given[0], source) and np.array_equal(given[1], scratch)):
            return "Not yet: it changes the arrays it is given."
        if answer is None:
            return "Not yet: it returns None. Return one of three words."
        if not isinstance(answer, str) or answer not in WORDS.values():
            return one_line(
                f"Not yet: it returns {str(answer)[:60]!r}, not 'guilty', 'innocent' or "
                "'not proven'."
            )
        answers.append(answer)
    wanted = [WORDS[_student(source, scratch)] for _, source, scratch in cases]
    if answers == wanted:
        return f"Right: {len(cases)} cases judged, {wanted.count('guilty')} of them guilty."
    for fault, rule in FAULTS.items():
        if answers == [WORDS[rule(source, scratch)] for _, source, scratch in cases]:
            return f"Not yet: {fault}."
    for (what, source, scratch), answer, want in zip(cases, answers, wanted, strict=True):
        if answer != want:
            found = evidence.paired(source, scratch)
            return f"Not yet: on {what} ({found}) it says {answer!r}, not {want!r}."
    return "Not yet."


SOURCE, LABELS, EPOCHS, LR = "reversed", 300, 12, 1.5e-2  # of the lesson's case


def guilty_stage() -> str:
    """The stage of the reversed reader that alone does most harm, by the stored anatomy."""
    frame = evidence.load("sweep_anatomy")
    rows = frame[(frame.source == SOURCE) & frame.strategy.str.startswith("only ")]
    means = rows.groupby("strategy").test_balanced.mean()
    return str(means.idxmin()).removeprefix("only ")


@patient
def check_spared(start: nn.Module) -> str:
    """Whether ``start`` is the reversed reader with all but its guilty stage, not yet trained.

    If so it is trained on the lesson's 300 Italian numbers (seed 0) and tested: a few seconds.
    """
    if fault := not_a_reader(start):
        return fault
    with torch.random.fork_rng(devices=[]):  # loading draws weights too
        return _spared(start)


def _spared(start: nn.Module) -> str:
    guilty, source = guilty_stage(), surgery.stages(models.load("reader_spanish_reversed"))
    names = [*source]
    kept = [name for name in names if _alike(surgery.stages(start)[name], source[name])]
    if kept == names:
        return "Not yet: this is the whole reversed reader. One of its stages does the harm."
    if not kept:
        return (
            "Not yet: no stage is the reversed reader's. Hand in the start: begin with its "
            "weights, and do not train yet."
        )
    fresh = [name for name in names if name not in kept]
    if guilty in kept:
        return (
            f"Not yet: {' and '.join(fresh)} went, and the guilty stage is still there. Which one "
            "lost most alone, in the chart?"
        )
    if len(fresh) > 1:
        return f"Not yet: {' and '.join(fresh)} went. Spare the innocent: one stage is enough."
    part = surgery.stages(start)[guilty]
    others = (surgery.stages(models.load(f"reader_{name}"))[guilty] for name in models.SOURCES)
    if any(_alike(part, other) for other in others):
        return f"Not yet: this {guilty} comes from another trained reader. It should be new."
    if not _random(part):
        return f"Not yet: the {guilty} is new, but its weights are all alike or not finite. " + (
            "Let them be drawn at random."
        )
    model, task = copy.deepcopy(start), tasks.load("numbers_italian").few(LABELS, seed=0)
    surgery.unfreeze(model)
    train.fit(model, task, EPOCHS, lr=LR, progress=False)
    found = train.evaluate(model, task.test).accuracy
    return (
        f"Right: {' and '.join(kept)} stay, the {guilty} is new. After 300 Italian numbers it "
        f"reads {found:.0%}. Compare that with the whole source, and with nothing."
    )


def _alike(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and all(
        ours[name].shape == theirs[name].shape and torch.equal(ours[name].cpu(), theirs[name])
        for name in ours
    )


def _random(part: nn.Module) -> bool:
    weights = [value.detach() for value in part.parameters() if value.ndim > 1]
    return all(bool(value.isfinite().all()) and float(value.std()) > 1e-4 for value in weights)


WORST, KEPT = -0.05, 0.8  # accuracy a case may lose on average; share of the gains to keep


@patient
def check_harmless(choose: Callable) -> str:
    """Whether ``choose(source_val, scratch_val)`` says "source" or "scratch" so that none is hurt.

    It is given the validation accuracies in [0, 1] of two trained networks and tried on every
    stored run of the suspects. Harmless: no case (source, target, labels, strategy) loses more than
    ``-WORST`` on average over its seeds; useful: ``KEPT`` of the gains are kept.
    """
    if not callable(choose):
        return f"Not yet: this is {type(choose).__name__}, not a function."
    frame = evidence.load("sweep_suspects")
    scratch = (frame.source == "nothing") & (frame.strategy == "fine-tuned")
    keys = ["task", "labels", "seed"]
    columns = [*keys, "val_accuracy", "test_balanced"]
    both = frame[~scratch].merge(frame.loc[scratch, columns], on=keys, suffixes=("", "_scratch"))
    answers = []
    for ours, theirs in zip(both.val_accuracy, both.val_accuracy_scratch, strict=True):
        answer = choose(float(ours), float(theirs))
        if not isinstance(answer, str) or answer not in ("source", "scratch"):
            return one_line(f"Not yet: it returns {str(answer)[:60]!r}, not 'source' or 'scratch'.")
        answers.append(answer == "source")
    difference = both.test_balanced - both.test_balanced_scratch
    cases = [both[name] for name in ("source", "task", "labels", "strategy")]
    found = (difference * answers).groupby(cases).mean()
    always = difference.groupby(cases).mean()
    share = found.clip(lower=0).sum() / always.clip(lower=0).sum()
    numbers = (
        f"worst case {100 * found.min():+.1f} points (without a rule {100 * always.min():+.1f}), "
        f"{share:.0%} of the gains kept"
    )
    if all(answers):
        return f"Not yet: it always keeps the source: {numbers}."
    if not any(answers):
        return f"Not yet: it never keeps the source: {numbers}. Harmless, and of no use."
    if found.min() < WORST:
        source, task, labels, strategy = found.idxmin()
        return (
            f"Not yet: {numbers}. The worst is {source} on {task}, {labels} labels, {strategy}. "
            "Ask each time which of the two did better on validation."
        )
    if share < KEPT:
        return f"Not yet: {numbers}. Too careful: {KEPT:.0%} of the gains can be kept."
    return f"Right: {len(found)} cases: {numbers}."


@patient
def check_centroid(score: Callable) -> str:
    """Whether ``score(features, labels)`` is the share of inputs whose nearest centroid is right.

    ``features`` float32 (N, d), ``labels`` int64 (N,). An input is left out of its own class's
    centroid; alone in its class, it counts as wrong. Distances are Euclidean.
    """
    if not callable(score):
        return f"Not yet: this is {type(score).__name__}, not a function."
    found = []
    for what, features, labels in _clouds():
        given = features.clone(), labels.clone()
        answer = score(*given)
        if not (torch.equal(given[0], features) and torch.equal(given[1], labels)):
            return "Not yet: it changes what it is given."
        if answer is None:
            return "Not yet: it returns None. Return the share of inputs that are right."
        if isinstance(answer, torch.Tensor | np.ndarray) and math.prod(answer.shape) == 1:
            answer = answer.item()
        if isinstance(answer, bool) or not isinstance(answer, Real):
            return f"Not yet: it returns a {type(answer).__name__}, not a number."
        if not 0 <= answer <= 1:
            return f"Not yet: on {what} it returns {answer:.3g}, not a share from 0 to 1."
        found.append(float(answer))

    def fits(**rule) -> bool:
        wanted = [_centroids(features, labels, **rule) for _, features, labels in _clouds()]
        return bool(np.allclose(found, wanted, atol=1e-4))

    if fits():
        return f"Right: {len(found)} clouds of features scored, each input against the others."
    if fits(leave=False):
        return (
            "Not yet: each input helps to place its own centroid, so even random labels score "
            f"{found[1]:.0%} here. Leave it out."
        )
    if fits(balanced=True):
        return "Not yet: it is the mean over the classes. Asked is the share of all inputs."
    if fits(alone=True):
        return "Not yet: an input alone in its class counts as right. It should count as wrong."
    for (what, features, labels), answer in zip(_clouds(), found, strict=True):
        want = _centroids(features, labels)
        if abs(answer - want) > 1e-4:
            return f"Not yet: on {what} the share is {want:.3f}, yours is {answer:.3f}."
    return "Not yet."


def _clouds() -> list[tuple[str, torch.Tensor, torch.Tensor]]:
    """Features of several kinds: what is special, (N, d), labels (N,)."""
    draw = torch.Generator().manual_seed(8)

    def cloud(counts: tuple[int, ...], width: int, apart: float) -> tuple:
        labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
        places = apart * torch.randn(len(counts), width, generator=draw)
        noise = torch.randn(len(labels), width, generator=draw)
        order = torch.randperm(len(labels), generator=draw)
        return (places[labels] + noise)[order], labels[order]

    return [
        ("three classes far apart", *cloud((20, 20, 20), 4, 4.0)),
        ("random labels in 200 dimensions", *cloud((20, 20), 200, 0.0)),
        ("classes of unequal size", *cloud((40, 10, 5), 3, 1.0)),
        ("a class with one input", *cloud((20, 20, 1), 5, 1.0)),
        ("overlapping classes", *cloud((30, 30, 30), 6, 0.7)),
        ("two inputs a class", *cloud((2, 2, 2), 3, 1.0)),
    ]


def _centroids(
    features: torch.Tensor,
    labels: torch.Tensor,
    leave: bool = True,
    balanced: bool = False,
    alone: bool = False,
) -> float:
    classes = labels.unique()
    right = torch.zeros(len(labels))
    for i, (feature, label) in enumerate(zip(features.double(), labels, strict=True)):
        others = torch.ones(len(labels), dtype=torch.bool)
        others[i] = not leave
        if not (others & (labels == label)).any():
            right[i] = float(alone)
            continue
        distances = [
            (feature - features[others & (labels == c)].double().mean(0)).norm() for c in classes
        ]
        right[i] = classes[int(torch.stack(distances).argmin())] == label
    if balanced:
        return float(torch.stack([right[labels == c].mean() for c in classes]).mean())
    return float(right.mean())
