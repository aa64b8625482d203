import numpy as np
import pandas
import pytest
from drawn import colour, key, marks, texts, titles, xs

from tl_course import evidence, plots
from tl_course.lessons.negative_transfer import charts, foresight
from tl_course.lessons.negative_transfer.charts import CONTROLS, LOOKS, STRATEGIES, pair


@pytest.fixture(scope="module")
def stored():
    return evidence.load("sweep_suspects")


@pytest.fixture(scope="module")
def gains(stored):
    return evidence.gains(stored)


def test_suspects_are_sorted_and_judged(stored, gains):
    figure = charts.suspects(gains, evidence.gains(stored, 1 - 1e-9), title="all")
    assert titles(figure)[1:3] == ["fine-tuned, many labels", "frozen, few labels"]
    own = gains[~gains.source.isin(CONTROLS)]
    order = own.groupby(["source", "task"]).gain.mean().sort_values().index
    assert texts(figure.axes[0].get_yticklabels()) == [pair(*case) for case in order]
    for ax, amount in zip(charts.suspects(gains).axes[:2], ("min", "max"), strict=True):
        counts = own.groupby("task").labels.transform(amount)
        here = own[(own.labels == counts) & (own.strategy == "fine-tuned")]
        rows = here.set_index(["source", "task"]).loc[order]
        assert xs(ax) == pytest.approx([*100 * rows.gain])
        signs = (rows.low > 0).astype(int) - (rows.high < 0)
        looks = [LOOKS[charts.VERDICTS[sign]] for sign in signs]
        for mark, look in zip(marks(ax), looks, strict=True):
            assert (mark.get_color(), mark.get_marker()) == look[:2]
            assert (mark.get_markerfacecolor() == "white") == look.hollow
    firm = [mark for mark in marks(figure.axes[0]) if mark.get_markerfacecolor() != "white"]
    assert len(firm) < 5 and "hollow: not if stricter" in key(figure)
    tried = gains[(gains.source == "nothing") & (gains.strategy == "frozen")].task.unique()
    assert len(marks(figure.axes[2], "x")) == sum(task in tried for _, task in order)
    assert len(marks(figure.axes[2], "+")) == sum(task == "text_pictures" for _, task in order)
    assert not marks(figure.axes[0], "x+")


def test_two_ways_name_what_differs_most_and_show_the_control(gains):
    ax = charts.two_ways(gains)
    wide = gains.pivot(index=["source", "task", "labels"], columns="strategy", values="gain") * 100
    both = wide.drop(index=[*CONTROLS], level="source").dropna()
    points = next(c for c in ax.collections if len(c.get_offsets()) == len(both))
    assert np.allclose(points.get_offsets(), both[["fine-tuned", "frozen"]])
    (control,) = marks(ax, "x")
    assert sorted(control.get_ydata()) == pytest.approx(sorted(wide.frozen["nothing"]))
    assert not np.any(control.get_xdata())
    shaded = both[(both["fine-tuned"] >= 0) & (both.frozen < 0)]  # they hurt only if frozen
    wanted = (shaded.frozen - shaded["fine-tuned"]).nsmallest(4).index
    named = [text for text in texts(ax) if "→" in text]
    assert sorted(named) == sorted(f"{pair(s, task)}, {labels}" for s, task, labels in wanted)


@pytest.fixture(scope="module")
def foreseen(gains):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(foresight, "RESAMPLES", 100)
        return foresight.foreseen(evidence.load("sweep_scores"), gains)


def test_foresight_draws_every_pair_with_its_correlation(gains, foreseen):
    scores = evidence.load("sweep_scores")
    figure = charts.scores_and_gains(scores, gains, foreseen, "LogME")
    rows = foreseen[foreseen.score == "LogME"].set_index(["against", "amount", "strategy"])
    cells = [(against, amount) for against in foresight.AGAINST for amount in ("few", "many")]
    for ax, (against, amount) in zip(figure.axes, cells, strict=True):
        assert ax.get_legend().get_title().get_text() == f"{amount} labels"
        for line, name, way in zip(marks(ax, "o^"), key(ax), STRATEGIES, strict=True):
            pairs = foresight.pairs(scores, gains, way)
            pairs = pairs[pairs.amount == amount]
            column = "LogME" if against == "score" else "LogME minus random"
            assert np.allclose(line.get_xydata().T, [pairs[column], 100 * pairs.gain])
            assert name.startswith(f"{way} {rows.correlation[against, amount, way]:+.2f} [")


def test_correlations_are_hollow_where_they_may_be_none(foreseen):
    figure = charts.correlations(foreseen)
    names = texts(figure.axes[0].get_yticklabels())
    assert names[:2] == ["LogME", "LogME, minus random"] and len(names) == 8
    for ax, amount in zip(figure.axes, ("few", "many"), strict=True):
        hollow = [mark.get_markerfacecolor() == "white" for mark in marks(ax)]
        rows = foreseen[foreseen.amount == amount]
        wanted = zip(rows.correlation, (rows.low <= 0) & (rows.high >= 0), strict=True)
        assert {*zip(xs(ax), hollow, strict=True)} == {*wanted}


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
