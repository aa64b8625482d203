import numpy as np
import pytest
from drawn import colour, key, texts

from tl_course import plots
from tl_course.lessons.forgetting import charts

RATES = [1e-4, 1e-3, 1e-2, 1e-1]


@pytest.fixture(scope="module")
def forgotten(forgetting_runs):
    kept = {
        ("fine-tuning", "", 0): [(0.2, 0.98), (0.9, 0.6), (0.6, 0.0)],
        ("fine-tuning", "letters", 0): [(0.1, 0.99), (0.7, 0.7), (0.5, 0.1)],
        ("rehearsal", "", 10): [(0.2, 0.99), (0.8, 0.9), (0.6, 0.3)],
        ("rehearsal", "", 30): [(0.2, 0.99), (0.85, 0.97), (0.6, 0.5)],
        ("LoRA", "", 4): [(0.1, 0.99), (0.5, 0.9), (0.8, 0.6)],
    }
    return forgetting_runs(
        {
            ("reader", *setting): dict(zip(RATES[:3], found, strict=True))
            for setting, found in kept.items()
        }
    )


def test_accuracies_by_rate(forgotten):
    rows = forgotten[(forgotten.strategy == "fine-tuning") & forgotten.frozen.isna()]
    names = {"new job: Italian": "test_accuracy", "old job: Spanish": "source_accuracy"}
    ax = charts.by_rate(rows, names, before=0.99, title="The price")
    before, *lines = ax.lines
    assert before.get_linestyle() == ":" and {*before.get_ydata()} == {0.99}
    for line, (name, column) in zip(lines, names.items(), strict=True):
        assert line.get_xdata().tolist() == RATES[:3]
        assert line.get_ydata() == pytest.approx(rows.groupby("lr")[column].mean().to_numpy())
        assert colour(line) == plots.COLOURS[name.split(":")[0]].upper()
    assert ax.get_xscale() == "log" and texts(ax) == ["old job, before", *names]
    assert texts(ax.get_xticklabels()) == ["0.0001", "0.001", "0.01"]
    assert len(charts.by_rate(rows, names).lines) == 2


def test_a_trade_shows_every_setting(forgotten):
    ways = ("fine-tuning", "frozen", "rehearsal", "LoRA")
    ax = charts.tradeoff(forgotten, ways, "Spanish kept", "Italian learnt")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Italian learnt", "Spanish kept")
    *points, joined = ax.lines
    shown = np.concatenate([line.get_xydata() for line in points])
    keys = ["strategy", "frozen", "strength", "lr"]
    means = forgotten.groupby(keys, dropna=False)[["test_accuracy", "source_accuracy"]].mean()
    assert sorted(map(tuple, shown.round(6))) == sorted(map(tuple, means.to_numpy().round(6)))
    counts = {colour(line): len(line.get_xdata()) for line in points}
    assert counts == {plots.COLOURS[way].upper(): 6 if way == "rehearsal" else 3 for way in ways}
    assert key(ax) == [*ways] and texts(ax) == ["0.0001", "0.001", "0.01"]
    assert joined.get_xdata() == pytest.approx([0.2, 0.9, 0.6], abs=1e-3)  # by rising rate
    none_frozen = forgotten[forgotten.frozen.isna()].assign(frozen="")
    alone = charts.tradeoff(none_frozen, ["rehearsal"], "kept", "learnt").lines[0]
    assert len(alone.get_xdata()) == 6


def test_a_rate_finder_draws_as_far_as_it_came():
    losses = {"pretrained": [5.0, 4.0, 1.0, 12.0], "from scratch": [10.0, 10.0, 9.0]}
    ax = charts.rate_finder(RATES, losses, title="Finder")
    assert [line.get_xdata().tolist() for line in ax.lines] == [RATES, RATES[:3]]
    assert [line.get_ydata().tolist() for line in ax.lines] == [*losses.values()]
    assert ax.get_xscale() == "log" and ax.get_ylim()[1] == 15
    assert [text.xy for text in ax.texts] == [(1e-2, 1.0), (1e-2, 9.0)] and texts(ax) == [*losses]


@pytest.mark.parametrize(
    "values", [[5.0], [5.0, 5.0, 5.0], [5.0, 6.0, 11.0], [5.0, float("inf")], [5.0, 4.0, np.nan]]
)
def test_a_rate_finder_whose_loss_never_falls(values):
    ax = charts.rate_finder(RATES, {"pretrained": values})
    assert texts(ax) == ["pretrained"] and plots.png(ax.get_figure())
