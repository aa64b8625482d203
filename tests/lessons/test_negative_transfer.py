"""Lesson 08: charts of the suspects, the checks, and the board."""

import math
import zlib

import numpy as np
import pandas
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import evidence, models, plots, store, surgery
from tl_course.lessons.negative_transfer import charts as negative_transfer_charts
from tl_course.lessons.negative_transfer import checks, foresight
from tl_course.lessons.negative_transfer import checks as negative_transfer_checks
from tl_course.lessons.negative_transfer import foresight as negative_transfer_foresight
from tl_course.lessons.negative_transfer.charts import INK, pair

GAINS = {  # (source, task): gain fine-tuned, gain frozen
    ("photographs", "satellite"): (0.2, 0.1),
    ("photographs", "digits"): (0.0, -0.1),
    ("noise", "digits"): (-0.1, -0.3),
    ("reversed", "numbers_italian"): (-0.2, -0.4),
    ("nothing", "satellite"): (0.0, -0.15),
    ("nothing", "digits"): (0.0, -0.2),
    ("nothing", "numbers_italian"): (0.0, -0.3),
}


@pytest.fixture(scope="module")
def runs():
    """Made-up results as data_scripts/sweep_suspects.py writes them."""
    rows = []
    for (source, task), gains in GAINS.items():
        for labels in (30, 300) if task == "numbers_italian" else (50, 500):
            for strategy, gain in zip(("fine-tuned", "frozen"), gains, strict=True):
                key = zlib.crc32(f"{source} {task} {labels} {strategy}".encode())
                noise = 0.02 * np.random.default_rng(key).standard_normal(6)
                noise = noise - noise.mean()  # the mean gain is the one asked for
                for seed in range(6):
                    found = 0.5 + gain + noise[seed] * (gain != 0 or source != "nothing")
                    row = {"task": task, "labels": labels, "source": source, "strategy": strategy}
                    row |= {"seed": seed, "val_accuracy": found, "test_accuracy": found}
                    rows.append(row | {"test_balanced": found})
    for labels in (50, 500):
        for seed in range(6):
            row = {"task": "digits", "labels": labels, "source": "words counted", "seed": seed}
            row |= {"strategy": "frozen", "val_accuracy": 0.6, "test_accuracy": 0.6}
            rows.append(row | {"test_balanced": 0.6 + 0.01 * seed})
    return pandas.DataFrame(rows)


@pytest.fixture(scope="module")
def gains(runs):
    return evidence.gains(runs)


# Charts


def means(ax) -> dict[float, tuple]:
    """Marks by row: x and colour of the points, without crosses and lines."""
    return {
        float(line.get_ydata()[0]): (float(line.get_xdata()[0]), line)
        for line in ax.lines
        if line.get_marker() in "sdo"
    }


def test_suspects_are_sorted_and_judged(runs, gains):
    wide = evidence.gains(runs, 1 - 1e-9)
    figure = negative_transfer_charts.suspects(gains, wide, title="all")
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["reversed Spanish → Italian", "noise → digits", "photographs → digits",
                     "photographs → satellite scenes"]  # fmt: skip
    assert len(figure.axes) == 4
    tuned = means(figure.axes[0])
    assert [tuned[y][0] for y in sorted(tuned)] == pytest.approx([-20, -10, 0, 20], abs=3)
    inks = [tuned[y][1].get_color() for y in sorted(tuned)]
    assert inks == [INK[n] for n in ("guilty", "guilty", "not proven", "innocent")]
    shapes = [tuned[y][1].get_marker() for y in sorted(tuned)]
    assert shapes == ["s", "s", "d", "o"]
    assert all(line.get_markerfacecolor() == "white" for _, line in tuned.values())
    filled = means(negative_transfer_charts.suspects(gains).axes[0])
    assert filled[0.0][1].get_markerfacecolor() == INK["guilty"]
    crosses = [line for line in figure.axes[2].lines if line.get_marker() == "x"]
    assert len(crosses) == 4 and not [x for x in figure.axes[0].lines if x.get_marker() == "x"]
    assert sum(line.get_marker() == "+" for line in figure.axes[2].lines) == 2


def test_two_ways_name_what_differs_most_and_show_the_control(gains):
    ax = negative_transfer_charts.two_ways(gains)
    (points,) = [c for c in ax.collections if len(c.get_offsets()) == 8]
    assert np.asarray(points.get_offsets()).min() == pytest.approx(-40, abs=4)
    control = next(line for line in ax.lines if line.get_marker() == "x")
    assert len(control.get_xdata()) == 6 and not np.any(control.get_xdata())
    named = [text.get_text() for text in ax.texts if "→" in text.get_text()]
    assert len(named) == 4 and any(name.startswith("noise → digits") for name in named)


@pytest.fixture(scope="module")
def foreseen(runs, gains):
    draw = np.random.default_rng(0)
    scores = runs[(runs.strategy == "frozen") & (runs.source != "words counted")]
    scores = scores[["task", "labels", "source", "seed"]].assign(
        LogME=scores.test_balanced, other=draw.normal(size=len(scores))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foresight, "RESAMPLES", 100)
        return scores, negative_transfer_foresight.foreseen(scores, gains)


def test_foresight_draws_every_pair_with_its_correlation(gains, foreseen):
    scores, table = foreseen
    figure = negative_transfer_charts.scores_and_gains(scores, gains, table, "LogME")
    assert len(figure.axes) == 4
    for ax in figure.axes:
        marks = [line for line in ax.lines if line.get_marker() in "o^"]
        assert [len(line.get_xdata()) for line in marks] == [4, 4]
        assert [text.get_text().split()[0] for text in ax.texts] == ["fine-tuned", "frozen"]
    frozen = next(line for line in figure.axes[0].lines if line.get_marker() == "^")
    assert np.corrcoef(frozen.get_xdata(), frozen.get_ydata())[0, 1] > 0.9


def test_correlations_are_hollow_where_they_may_be_none(foreseen):
    figure = negative_transfer_charts.correlations(foreseen[1])
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names == ["LogME", "LogME, minus random", "other", "other, minus random"]
    for ax, amount in zip(figure.axes, ("few", "many"), strict=True):
        rows = foreseen[1][foreseen[1].amount == amount]
        marks = [line for line in ax.lines if line.get_marker() in "o^"]
        hollow = [line.get_markerfacecolor() == "white" for line in marks]
        assert hollow == [not (row.low > 0 or row.high < 0) for row in rows.itertuples()]


def test_a_duel_pairs_seeds_and_draws_again_on_its_figure():
    ours = pandas.Series({0: 0.5, 1: 0.6, 2: 0.4, 3: 0.5, 4: 0.5, 9: 0.1})
    scratch = dict.fromkeys(range(5), 0.7)
    found = evidence.paired([ours[seed] for seed in range(5)], [*scratch.values()])
    figure = negative_transfer_charts.duel(ours, scratch, found)
    left, right = figure.axes
    assert [label.get_text() for label in left.get_yticklabels()] == list("01234")
    points = [float(line.get_xdata()[0]) for line in right.lines if line.get_marker() == "o"]
    assert points == pytest.approx([-20, -10, -30, -20, -20])
    (mean,) = [line for line in right.lines if line.get_marker() == "s"]
    assert mean.get_color() == INK["guilty"]
    frozen = negative_transfer_charts.duel(ours, scratch, found, strategy="frozen").axes[0]
    assert {line.get_color() for line in frozen.lines if line.get_marker() == "^"} == {
        plots.COLOURS["frozen"]
    }
    assert negative_transfer_charts.duel({}, {}, None, title="nothing", figure=figure) is figure
    assert not figure.axes[0].get_yticklabels()


def test_pairs_have_names():
    assert pair("noise", "digits") == "noise → digits"
    assert pair("reversed", "numbers_italian") == "reversed Spanish → Italian"


# The judge


def judged(source, scratch):
    return checks.WORDS[checks._student(source, scratch)]


@pytest.mark.parametrize(("fault", "rule"), checks.FAULTS.items())
def test_each_wrong_judge_hears_its_own_fault(fault, rule):
    wrong(negative_transfer_checks.check_judge(lambda a, b: checks.WORDS[rule(a, b)]), fault)


def spoils(source, scratch):
    source -= scratch
    return "guilty"


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("guilty", ["str, not a function"]),
        (lambda source: "guilty", ["TypeError"]),
        (lambda source, scratch: None, ["returns None"]),
        (lambda source, scratch: -1, ["'-1'"]),
        (lambda source, scratch: "Guilty", ["'Guilty'"]),
        (lambda source, scratch: np.array(["guilty"]), ["not 'guilty'"]),
        (lambda source, scratch: "not proven", ["a clear gain", "'innocent'"]),
        (lambda source, scratch: "", ["''"]),
        (spoils, ["changes the arrays"]),
    ],
)
def test_wrong_judges(given, parts):
    wrong(negative_transfer_checks.check_judge(given), *parts)


def test_right_judges():
    right(negative_transfer_checks.check_judge(judged))
    signs = checks.WORDS
    right(negative_transfer_checks.check_judge(lambda a, b: signs[evidence.paired(a, b).sign]))


# The spared reader


@pytest.fixture
def anatomy(monkeypatch):
    worth = {"from scratch": 0.8, "only letters": 0.8, "only memory": 0.7, "only head": 0.4}
    rows = [
        {"source": "reversed", "task": "numbers_italian", "strategy": name, "test_balanced": value}
        for name, value in worth.items()
    ]
    monkeypatch.setattr(checks.evidence, "load", lambda name: pandas.DataFrame(rows))


def reader(*names, source="reader_spanish_reversed"):
    """A reader with these stages from ``source``, the rest random."""
    torch.manual_seed(0)
    fresh = models.load("reader_spanish", pretrained=False)
    return surgery.transplant(models.load(source), fresh, *names)


def test_the_spared_reader_is_trained_and_the_start_stays(anatomy, monkeypatch):
    monkeypatch.setattr(checks, "EPOCHS", 1)
    start = reader("letters", "memory")
    before, state = {n: w.clone() for n, w in start.state_dict().items()}, torch.get_rng_state()
    right(negative_transfer_checks.check_spared(start))
    assert all(torch.equal(before[name], w) for name, w in start.state_dict().items())
    assert torch.equal(state, torch.get_rng_state())


def test_wrongly_spared_readers(anatomy):
    wrong(negative_transfer_checks.check_spared(None), "NoneType")
    wrong(negative_transfer_checks.check_spared(nn.Linear(2, 2)), "Linear")
    wrong(negative_transfer_checks.check_spared(reader("letters", "memory", "head")), "the whole")
    wrong(negative_transfer_checks.check_spared(reader()), "no stage", "do not train")
    wrong(
        negative_transfer_checks.check_spared(reader("memory", "head")),
        "letters went",
        "still there",
    )
    wrong(
        negative_transfer_checks.check_spared(reader("letters")),
        "memory and head went",
        "one stage is enough",
    )
    zeros = reader("letters", "memory")
    nn.init.zeros_(zeros.head.weight)
    wrong(negative_transfer_checks.check_spared(zeros), "drawn at random")
    borrowed = surgery.transplant(models.load("reader_spanish"), zeros, "head")
    wrong(negative_transfer_checks.check_spared(borrowed), "another trained reader")


def test_a_missing_table_is_told(monkeypatch):
    def missing(name):
        raise store.UnknownName(name, "there is none", "Look")

    monkeypatch.setattr(checks.evidence, "load", missing)
    wrong(negative_transfer_checks.check_spared(reader("letters")), "there is none")
    wrong(negative_transfer_checks.check_harmless(lambda a, b: "source"), "there is none")


# A rule that does no harm


@pytest.fixture
def stored(runs, monkeypatch):
    monkeypatch.setattr(checks.evidence, "load", lambda name: runs)


def test_harmless_rules(stored):
    right(
        negative_transfer_checks.check_harmless(
            lambda ours, theirs: "source" if ours > theirs else "scratch"
        )
    )
    wrong(negative_transfer_checks.check_harmless(lambda ours, theirs: "source"), "always keeps")
    wrong(negative_transfer_checks.check_harmless(lambda ours, theirs: "scratch"), "never keeps")
    backwards = negative_transfer_checks.check_harmless(
        lambda ours, theirs: "source" if ours < theirs else "scratch"
    )
    wrong(backwards, "The worst is reversed on numbers_italian")
    timid = negative_transfer_checks.check_harmless(
        lambda ours, theirs: "source" if ours > theirs + 0.2 else "scratch"
    )
    wrong(timid, "Too careful")


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        ("source", ["str, not a function"]),
        (lambda ours, theirs: ours > theirs, ["not 'source' or 'scratch'"]),
        (lambda ours, theirs: None, ["'None'"]),
        (lambda ours: "source", ["TypeError"]),
        (lambda ours, theirs: 1 / 0, ["ZeroDivisionError"]),
    ],
)
def test_what_is_no_rule(stored, given, parts):
    wrong(negative_transfer_checks.check_harmless(given), *parts)


# A score


def variant(**rule):
    return lambda features, labels: checks._centroids(features, labels, **rule)


def test_right_scores():
    right(negative_transfer_checks.check_centroid(variant()))
    right(
        negative_transfer_checks.check_centroid(lambda f, t: torch.tensor(checks._centroids(f, t)))
    )


@pytest.mark.parametrize(
    ("given", "parts"),
    [
        (variant(leave=False), ["Leave it out"]),
        (variant(balanced=True), ["mean over the classes"]),
        (variant(alone=True), ["alone in its class"]),
        (0.5, ["float, not a function"]),
        (lambda features, labels: None, ["returns None"]),
        (lambda features, labels: 70.0, ["not a share"]),
        (lambda features, labels: math.nan, ["not a share"]),
        (lambda features, labels: features, ["a Tensor, not a number"]),
        (lambda features, labels: True, ["a bool, not a number"]),
        (lambda features, labels: 0.0, ["three classes far apart", "yours is 0.000"]),
        (lambda features, labels: float(features.zero_().sum()), ["changes what it is given"]),
        (lambda features: 1.0, ["TypeError"]),
    ],
)
def test_wrong_scores(given, parts):
    wrong(negative_transfer_checks.check_centroid(given), *parts)


# The board
