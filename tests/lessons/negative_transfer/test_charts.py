import numpy as np
import pandas
import pytest
from drawn import colour, key, marks, texts, titles, xs

from tl_course import evidence, plots
from tl_course.lessons.negative_transfer import charts, foresight
from tl_course.lessons.negative_transfer.charts import LOOKS, pair

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
def runs(made_up):
    cells = {
        (task, labels, source, strategy): 0.5 + gain
        for (source, task), gains in GAINS.items()
        for labels in ((30, 300) if task == "numbers_italian" else (50, 500))
        for strategy, gain in zip(charts.STRATEGIES, gains, strict=True)
    }
    cells |= {("digits", labels, "words counted", "frozen"): 0.62 for labels in (50, 500)}
    frame = made_up(cells, "task labels source strategy")
    noise = frame.seed.map({0: 0.02, 1: -0.02}).fillna(0.0)
    own = frame.source != "nothing"
    return frame.assign(test_balanced=frame.test_balanced + noise * own)


@pytest.fixture(scope="module")
def gains(runs):
    return evidence.gains(runs)


def test_suspects_are_sorted_and_judged(runs, gains):
    figure = charts.suspects(gains, evidence.gains(runs, 1 - 1e-9), title="all")
    assert titles(figure)[1:3] == ["fine-tuned, many labels", "frozen, few labels"]
    tuned, _, frozen, _ = figure.axes
    assert texts(tuned.get_yticklabels()) == [
        "reversed Spanish → Italian",
        "noise → digits",
        "photographs → digits",
        "photographs → satellite scenes",
    ]
    assert xs(tuned) == pytest.approx([-20, -10, 0, 20], abs=1)
    wanted = [LOOKS[name] for name in ("guilty", "guilty", "not proven", "innocent")]
    assert [(mark.get_color(), mark.get_marker()) for mark in marks(tuned)] == [
        look[:2] for look in wanted
    ]
    assert {mark.get_markerfacecolor() for mark in marks(tuned)} == {"white"}  # none is firm
    assert "hollow: not if stricter" in key(figure)
    plain = marks(charts.suspects(gains).axes[0])
    assert [mark.get_markerfacecolor() == "white" for mark in plain] == [False, False, True, False]
    assert len(marks(frozen, "x")) == 4 and len(marks(frozen, "+")) == 2
    assert not marks(tuned, "x+")


def test_two_ways_name_what_differs_most_and_show_the_control(gains):
    ax = charts.two_ways(gains)
    (points,) = [c for c in ax.collections if len(c.get_offsets()) == 8]
    assert np.asarray(points.get_offsets()).min() == pytest.approx(-40, abs=1)
    (control,) = marks(ax, "x")
    assert len(control.get_xdata()) == 6 and not np.any(control.get_xdata())
    named = [text for text in texts(ax) if "→" in text]
    assert named and len(named) <= charts.NAMED
    assert all(name.startswith("photographs → digits") for name in named)  # hurts only if frozen


@pytest.fixture(scope="module")
def foreseen(runs, gains):
    draw = np.random.default_rng(0)
    scores = runs[(runs.strategy == "frozen") & (runs.source != "words counted")]
    scores = scores[["task", "labels", "source", "seed"]].assign(
        LogME=scores.test_balanced, other=draw.normal(size=len(scores))
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foresight, "RESAMPLES", 100)
        return scores, foresight.foreseen(scores, gains)


def test_foresight_draws_every_pair_with_its_correlation(gains, foreseen):
    scores, table = foreseen
    figure = charts.scores_and_gains(scores, gains, table, "LogME")
    for ax, amount in zip(figure.axes, ("few", "many") * 2, strict=True):
        assert [len(line.get_xdata()) for line in marks(ax, "o^")] == [4, 4]
        assert [name.split()[0] for name in key(ax)] == ["fine-tuned", "frozen"]
        assert ax.get_legend().get_title().get_text() == f"{amount} labels"
    (frozen,) = marks(figure.axes[0], "^")
    assert np.corrcoef(frozen.get_xdata(), frozen.get_ydata())[0, 1] > 0.9
    one = table.set_index(["score", "against", "amount", "strategy"])
    rank = one.correlation["LogME", "score", "few", "frozen"]
    assert key(figure.axes[0])[1].startswith(f"frozen {rank:+.2f} [")


def test_correlations_are_hollow_where_they_may_be_none(foreseen):
    table = foreseen[1]
    figure = charts.correlations(table)
    names = texts(figure.axes[0].get_yticklabels())
    assert names == ["LogME", "LogME, minus random", "other", "other, minus random"]
    for ax, amount in zip(figure.axes, ("few", "many"), strict=True):
        hollow = [mark.get_markerfacecolor() == "white" for mark in marks(ax)]
        shown = {*zip(xs(ax), hollow, strict=True)}
        rows = table[table.amount == amount].itertuples()
        assert shown == {(row.correlation, row.low <= 0 <= row.high) for row in rows}


def test_a_duel_pairs_seeds_and_draws_again_on_its_figure():
    ours = pandas.Series({0: 0.5, 1: 0.6, 2: 0.4, 3: 0.5, 4: 0.5, 9: 0.1})
    scratch = dict.fromkeys(range(5), 0.7)
    found = evidence.paired([ours[seed] for seed in range(5)], [*scratch.values()])
    figure = charts.duel(ours, scratch, found)
    left, right = figure.axes
    assert texts(left.get_yticklabels()) == list("01234")
    assert key(left) == ["from scratch", "source"]
    assert xs(right, "o") == pytest.approx([-20, -10, -30, -20, -20])
    (mean,) = marks(right, "s")
    assert colour(mean) == plots.COLOURS["from scratch"]  # guilty
    frozen = charts.duel(ours, scratch, found, strategy="frozen").axes[0]
    assert {colour(line) for line in marks(frozen, "^")} == {plots.COLOURS["frozen"]}
    assert charts.duel({}, {}, None, title="nothing", figure=figure) is figure
    assert not figure.axes[0].get_yticklabels()


def test_pairs_have_names():
    assert pair("noise", "digits") == "noise → digits"
    assert pair("reversed", "numbers_italian") == "reversed Spanish → Italian"
