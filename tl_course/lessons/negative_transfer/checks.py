"""The checks of lesson 08: a verdict, a cure, a rule that does no harm, and a score."""

import copy
import math
from collections.abc import Callable
from functools import partial
from numbers import Real

import numpy as np
import torch
from scipy.stats import t
from torch import nn

from tl_course import evidence, models, surgery, tasks, train
from tl_course.evidence.results import stored
from tl_course.practice.grading import NotYet, compare_cases, graded, moved, want

WORDS = {-1: "guilty", 0: "not proven", 1: "innocent"}
STEADY = np.array([0.30, 0.45, 0.60, 0.75, 0.90])  # five seeds that differ much from each other
LEVEL = np.full(5, 0.5)


def _around(mean: float, ratio: float) -> np.ndarray:
    """Five differences with this mean, ``ratio`` standard errors from zero."""
    shape = np.array([-2.0, -1.0, 0.0, 1.0, 2.0])
    return mean + shape * mean / (ratio * shape.std(ddof=1) / math.sqrt(5))


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


def _verdict(
    source: np.ndarray,
    scratch: np.ndarray,
    error: Callable[[np.ndarray], float] = lambda d: d.std(ddof=1) / math.sqrt(len(d)),
    wide: float | None = None,
) -> str:
    """The verdict of the interval ``wide`` errors to both sides, by default Student's."""
    difference = source - scratch
    wide = t.ppf(0.975, len(difference) - 1) if wide is None else wide
    low, high = difference.mean() + np.array([-1, 1]) * wide * error(difference)
    return WORDS[int(low > 1e-9) - int(high < -1e-9)]


def _unpaired(source: np.ndarray, scratch: np.ndarray) -> str:
    error = math.sqrt((source.var(ddof=1) + scratch.var(ddof=1)) / len(source))
    return _verdict(source, scratch, lambda _: error, t.ppf(0.975, 2 * len(source) - 2))


MISTAKES = {
    "it finds the guilty innocent: source minus scratch, in this order.": (
        lambda source, scratch: _verdict(scratch, source)
    ),
    "it looks at the mean alone. How sure is it? Where does the interval end?": (
        partial(_verdict, wide=0.0)
    ),
    "it compares two groups. The starts share their seeds: subtract seed by seed first.": _unpaired,
    "1.96 is for many seeds. With five, Student's t is 2.78: scipy.stats.t.ppf(0.975, n - 1).": (
        partial(_verdict, wide=1.96)
    ),
    "numpy's std divides by n. With so few seeds it is too small: std(ddof=1).": (
        partial(_verdict, error=lambda d: d.std() / math.sqrt(len(d)))
    ),
    "it asks how far the seeds spread, not how sure their mean is: divide by sqrt(n).": (
        partial(_verdict, error=lambda d: d.std(ddof=1))
    ),
}


@graded
def check_judge(judge: Callable) -> str:
    """Whether ``judge(source, scratch)`` gives the verdict of the paired 95 % interval.

    Both arguments are arrays of accuracies, one a seed. "guilty": the whole interval lies below
    zero; "innocent": above; else "not proven".
    """
    cases = [
        (f"{what} ({evidence.paired(*given)})", *given) for what, *given in (*TRIALS, *_drawn(60))
    ]
    answers = compare_cases(judge, cases, _verdict, read=_word, mistakes=MISTAKES)
    return f"{len(cases)} cases judged, {answers.count('guilty')} of them guilty."


def _drawn(count: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Cases drawn by chance, none of them on the edge of a verdict."""
    draw, drawn = np.random.default_rng(8), []
    while len(drawn) < count:
        seeds = int(draw.choice([5, 10]))
        scratch = draw.uniform(0.2, 0.8, seeds)
        source = scratch + draw.normal(0, 0.04) + draw.normal(0, 0.05, seeds)
        difference = source - scratch
        ratio = abs(difference.mean()) / (difference.std(ddof=1) / math.sqrt(seeds))
        if abs(ratio - t.ppf(0.975, seeds - 1)) > 0.02:
            drawn.append((f"{seeds} seeds drawn by chance", source, scratch))
    return drawn


def _word(answer: object) -> str:
    if answer is None:
        raise NotYet("it returns None. Return one of three words.")
    if not isinstance(answer, str) or answer not in WORDS.values():
        raise NotYet(f"it returns {str(answer)[:60]!r}, not 'guilty', 'innocent' or 'not proven'.")
    return answer


SOURCE, LABELS, EPOCHS, LR = "reversed", 300, 12, 1.5e-2  # of the lesson's case


def guilty_stage() -> str:
    """The stage of the reversed reader that alone does most harm, by the stored anatomy."""
    rows = stored("sweep_anatomy").rows(source=SOURCE)
    means = rows.groupby("strategy").test_balanced.mean()
    return str(means.filter(like="only ").idxmin()).removeprefix("only ")


@graded
def check_spared(start: models.NumberReader) -> str:
    """Whether ``start`` is the reversed reader with all but its guilty stage, not yet trained.

    If so it is trained on the lesson's 300 Italian numbers (seed 0) and tested: a few seconds.
    """
    with torch.random.fork_rng(devices=[]):  # loading draws weights too
        guilty = guilty_stage()
        kept = _spared(start, guilty)
        model, task = copy.deepcopy(start), tasks.load("numbers_italian").few(LABELS, seed=0)
        surgery.unfreeze(model)
        train.fit(model, task, EPOCHS, lr=LR, progress=False)
    found = train.evaluate(model, task.test).accuracy
    return (
        f"{' and '.join(kept)} stay, the {guilty} is new. After 300 Italian numbers it reads "
        f"{found:.0%}. Compare that with the whole source, and with nothing."
    )


def _spared(start: nn.Module, guilty: str) -> list[str]:
    """The stages that ``start`` has from the reversed reader: all but ``guilty``, which is new."""
    parts, source = surgery.stages(start), surgery.stages(models.load("reader_spanish_reversed"))
    kept = [name for name in source if _alike(parts[name], source[name])]
    fresh = [name for name in source if name not in kept]
    if not fresh:
        raise NotYet("this is the whole reversed reader. One of its stages does the harm.")
    if not kept:
        raise NotYet(
            "no stage is the reversed reader's. Hand in the start: begin with its weights, and do "
            "not train yet."
        )
    if guilty in kept:
        raise NotYet(
            f"{' and '.join(fresh)} went, and the guilty stage is still there. Which one lost most "
            "alone, in the chart?"
        )
    if len(fresh) > 1:
        raise NotYet(f"{' and '.join(fresh)} went. Spare the innocent: one stage is enough.")
    others = (surgery.stages(models.load(f"reader_{name}")) for name in models.SOURCES)
    if any(_alike(parts[guilty], other[guilty]) for other in others):
        raise NotYet(f"this {guilty} comes from another trained reader. It should be new.")
    weights = [weight.detach() for weight in parts[guilty].parameters() if weight.ndim > 1]
    if not all(bool(w.isfinite().all()) and float(w.std()) > 1e-4 for w in weights):
        raise NotYet(
            f"the {guilty} is new, but its weights are all alike or not finite. Let them be drawn "
            "at random."
        )
    return kept


def _alike(one: nn.Module, other: nn.Module) -> bool:
    ours, theirs = one.state_dict(), other.state_dict()
    return ours.keys() == theirs.keys() and not moved(theirs, ours)


WORST, KEPT = -0.05, 0.8  # accuracy a case may lose on average; share of the gains to keep


@graded
def check_harmless(choose: Callable) -> str:
    """Whether ``choose(source_val, scratch_val)`` says "source" or "scratch" so that none is hurt.

    It is given the validation accuracies in [0, 1] of two trained networks and tried on every
    stored run of the suspects. Harmless: no case (source, target, labels, strategy) loses more than
    ``-WORST`` on average over its seeds; useful: ``KEPT`` of the gains are kept.
    """
    frame = stored("sweep_suspects").frame
    scratch = (frame.source == "nothing") & (frame.strategy == "fine-tuned")
    keys = ["task", "labels", "seed"]
    columns = [*keys, "val_accuracy", "test_balanced"]
    both = frame[~scratch].merge(frame.loc[scratch, columns], on=keys, suffixes=("", "_scratch"))
    pairs = zip(both.val_accuracy, both.val_accuracy_scratch, strict=True)
    answers = [_side(choose(float(ours), float(theirs))) for ours, theirs in pairs]
    difference = both.test_balanced - both.test_balanced_scratch
    cases = [both[name] for name in ("source", "task", "labels", "strategy")]
    found = difference.where([answer == "source" for answer in answers], 0).groupby(cases).mean()
    always = difference.groupby(cases).mean()
    share = found.clip(lower=0).sum() / always.clip(lower=0).sum()
    numbers = (
        f"worst case {100 * found.min():+.1f} points (without a rule {100 * always.min():+.1f}), "
        f"{share:.0%} of the gains kept"
    )
    if "scratch" not in answers:
        raise NotYet(f"it always keeps the source: {numbers}.")
    if "source" not in answers:
        raise NotYet(f"it never keeps the source: {numbers}. Harmless, and of no use.")
    if found.min() < WORST:
        source, task, labels, strategy = found.idxmin()
        raise NotYet(
            f"{numbers}. The worst is {source} on {task}, {labels} labels, {strategy}. Ask each "
            "time which of the two did better on validation."
        )
    if share < KEPT:
        raise NotYet(f"{numbers}. Too careful: {KEPT:.0%} of the gains can be kept.")
    return f"{len(found)} cases: {numbers}."


def _side(answer: object) -> str:
    if not isinstance(answer, str) or answer not in ("source", "scratch"):
        raise NotYet(f"it returns {str(answer)[:60]!r}, not 'source' or 'scratch'.")
    return answer


@graded
def check_centroid(score: Callable) -> str:
    """Whether ``score(features, labels)`` is the share of inputs whose nearest centroid is right.

    ``features`` float32 (N, d), ``labels`` int64 (N,). An input is left out of its own class's
    centroid; alone in its class, it counts as wrong. Distances are Euclidean.
    """
    clouds = _clouds()
    lucky = _centroids(*clouds[1][1:], leave=False)
    mistakes = {
        f"each input helps to place its own centroid, so even random labels score {lucky:.0%} "
        "here. Leave it out.": partial(_centroids, leave=False),
        "it is the mean over the classes. Asked is the share of all inputs.": (
            partial(_centroids, balanced=True)
        ),
        "an input alone in its class counts as right. It should count as wrong.": (
            partial(_centroids, alone=True)
        ),
    }
    compare_cases(score, clouds, _centroids, read=_share, same=_as_large, mistakes=mistakes)
    return f"{len(clouds)} clouds of features scored, each input against the others."


def _as_large(one: float, other: float) -> bool:
    return abs(one - other) <= 1e-4


def _share(answer: object) -> float:
    if answer is None:
        raise NotYet("it returns None. Return the share of inputs that are right.")
    if isinstance(answer, torch.Tensor | np.ndarray) and math.prod(answer.shape) == 1:
        answer = answer.item()
    want(answer, Real, "a number", "it returns a")
    if not 0 <= answer <= 1:
        raise NotYet(f"it returns {answer:.3g}, not a share from 0 to 1.")
    return float(answer)


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
    """The score, or what each mistake makes of it."""
    features, labels = features.double().numpy(), labels.numpy()
    member = np.eye(labels.max() + 1)[labels]
    own = member * leave
    counts = member.sum(0) - own  # (N, classes), as are the centroids that an input is compared to
    sums = member.T @ features - own[..., None] * features[:, None]
    away = np.linalg.norm(features[:, None] - sums / np.maximum(counts, 1)[..., None], axis=2)
    right = np.where(counts > 0, away, np.inf).argmin(1) == labels
    if alone:
        right |= member.sum(0)[labels] == 1
    if balanced:
        return float((right @ member / member.sum(0)).mean())
    return float(right.mean())
