"""Intervals and the table of runs."""

import json

import numpy as np
import pandas
import pytest

from tl_course import evidence, lessons, store

FINE, SCRATCH = "fine-tuning", "from scratch"


def test_paired_interval_covers_and_is_repeatable():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 20)
    first, second = 0.6 + noise, 0.5 + noise + rng.normal(0, 0.01, 20)
    found = evidence.paired(first, second)
    assert found.low < 0.1 < found.high and found.high - found.low < 0.03
    assert found.sign == 1 and evidence.paired(second, first).sign == -1
    assert found == evidence.paired(first, second)
    assert evidence.paired(first, first[::-1]).sign == 0


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.9996])
def test_the_interval_is_that_of_the_paired_t_test(confidence):
    from scipy.stats import ttest_rel

    rng = np.random.default_rng(0)
    for count in range(5, 25):
        first, second = rng.normal(0.5, 0.1, (2, count))
        found = evidence.paired(first, second, confidence)
        expected = ttest_rel(first, second).confidence_interval(confidence)
        assert (found.low, found.high) == pytest.approx(tuple(expected), rel=1e-12)


def test_five_seeds_are_covered_as_promised():
    """Of 95 % intervals about 95 of 100 hold the true mean; those of a bootstrap would not."""
    from scipy.stats import bootstrap

    rng = np.random.default_rng(0)
    draws, zero = rng.normal(0, 0.05, (1500, 5)), np.zeros(5)
    found = [evidence.paired(values, zero) for values in draws]
    assert 0.935 < np.mean([interval.sign == 0 for interval in found]) < 0.965
    resampled = [
        bootstrap((values,), np.mean, n_resamples=999, rng=rng).confidence_interval
        for values in draws[:400]
    ]
    assert np.mean([low < 0 < high for low, high in resampled]) < 0.9


def test_constant_differences_have_no_width():
    found = evidence.paired([0.5] * 5, [0.25] * 5)
    assert (found.effect, found.low, found.high) == (0.25, 0.25, 0.25)


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 2, 3, 4], [1, 2, 3, 4]), ([1] * 5, [1] * 6), ([1] * 5, [1, 1, 1, 1, float("nan")])],
)
def test_paired_refuses(first, second):
    with pytest.raises(store.BadInput):
        evidence.paired(first, second)


def test_results_say_where_they_come_from(tmp_path):
    frame = pandas.DataFrame({"seed": [0, 1], "test_accuracy": [0.5, None]})
    path = evidence.save(frame, "trial", "python data_scripts/trial.py", folder=tmp_path)
    head = path.read_text().splitlines()
    assert head[0] == "# command: python data_scripts/trial.py"
    assert any(line.startswith("# torch: ") for line in head)
    entry = json.loads((tmp_path / "manifest.json").read_text())["trial"]
    assert entry["sha256"] == store.sha256(path) and entry["recipe"].startswith("python ")


def test_stored_results_load_with_their_command():
    frame = evidence.load("sweep_pictures")
    assert frame.attrs["command"] == "python data_scripts/sweep_pictures.py"
    cells = evidence.chosen(frame).groupby(["task", "labels", "strategy"]).seed.nunique()
    assert (cells >= 5).all()
    for name in ("sweep_nothing", "resnet10"):  # weights are no stored result
        with pytest.raises(store.UnknownName, match="sweep_pictures"):
            evidence.load(name)


def test_both_strategies_were_tuned_alike():
    frame = evidence.load("sweep_pictures")
    tried = frame.groupby(["task", "labels", "strategy"]).lr.nunique().unstack()
    assert (tried[FINE] == tried[SCRATCH]).all()
    shown = frame.dropna(subset=["lr"]).groupby(["task", "labels"]).epochs.nunique()
    assert (shown == 1).all()


def test_what_the_course_promises_about_its_tasks():
    """The figures that lessons build on; a sweep that is made again must keep them."""
    runs = evidence.Runs(evidence.load("sweep_pictures"))
    for labels in (200, 1000):
        found = runs.compare(FINE, SCRATCH, task="leaves", labels=labels)
        assert found.effect >= 0.20 and found.low > 0.1
    materials = {"of": "test_accuracy", "task": "materials", "labels": 200}
    assert runs.cell(**materials, strategy="linear probe").mean() >= 0.70
    assert runs.cell(**materials, strategy="probe on random backbone").mean() <= 0.35
    satellite = runs.compare(FINE, SCRATCH, task="satellite", labels=200)
    assert satellite.effect >= 0.08 and satellite.sign == 1
    assert runs.compare(FINE, SCRATCH, task="pneumonia", labels=200).sign == 0
    assert runs.cell(task="digits", labels=200, strategy=SCRATCH).mean() > 0.93


def table(**more) -> pandas.DataFrame:
    """Two tasks, two counts of labels, two strategies and a rate that was not tested."""
    rows = [
        {"task": task, "labels": labels, "strategy": strategy, "seed": seed, "where": None}
        | {"lr": lr, "val_accuracy": lr, "test_balanced": found + seed / 10 if lr > 0.1 else None}
        for task, labels, ahead in (("leaves", 200, 0.3), ("leaves", 50, 0.1), ("digits", 50, 0.2))
        for strategy, found in ((FINE, 0.2 + ahead), (SCRATCH, 0.2))
        for seed in range(5)
        for lr in (0.1, 0.2)
    ]
    return pandas.DataFrame(rows).assign(**more).sample(frac=1, random_state=0)


CELL = {"task": "leaves", "labels": 50}


def test_a_cell_holds_tested_runs_in_the_order_of_their_seeds():
    runs = evidence.Runs(table())
    found = runs.cell(**CELL, strategy=FINE)
    assert found.index.tolist() == [0, 1, 2, 3, 4] and found.index.name == "seed"
    assert found.tolist() == pytest.approx([0.3, 0.4, 0.5, 0.6, 0.7])
    found += 1  # a copy
    assert runs.cell(strategy=FINE, **CELL).max() < 1
    assert runs.cell("val_accuracy", lr=0.1, strategy=FINE, **CELL).tolist() == [0.1] * 5


@pytest.mark.parametrize(
    ("where", "named", "listed"),
    [
        (CELL | {"strategy": "wishing"}, "strategy 'wishing' with task 'leaves'", [FINE, SCRATCH]),
        ({"task": "digits", "labels": 200, "strategy": FINE}, "labels 200", ["50"]),
        ({"task": "leafs"}, "task 'leafs'", ["leaves", "digits"]),
        ({"lr": 0.1}, "lr 0.1", ["0.2"]),  # was not tested
    ],
)
def test_a_cell_without_runs_lists_what_is_stored(where, named, listed):
    with pytest.raises(store.UnknownName, match="there is no stored run") as found:
        evidence.Runs(table()).cell(**where)
    assert named in found.value.thing and all(each in found.value.cure for each in listed)


def test_a_cell_that_is_several_asks_for_more_columns():
    runs = evidence.Runs(table())
    with pytest.raises(store.BadInput, match="Name more columns"):
        runs.cell(task="leaves", strategy=FINE)
    with pytest.raises(store.BadInput, match="Name more columns"):
        runs.wide("strategy", task="leaves")
    with pytest.raises(store.UnknownName, match="Stored are none"):
        evidence.Runs(table()[:0]).cell()


def test_runs_are_compared_seed_by_seed():
    runs = evidence.Runs(table())
    found = runs.compare(FINE, SCRATCH, **CELL)
    assert found.effect == found.low == found.high == pytest.approx(0.1) and found.seeds == 5
    more, less = ({"labels": labels} for labels in (200, 50))
    assert runs.compare(more, less, task="leaves", strategy=FINE).effect == pytest.approx(0.2)
    test, validation = ({"of": of} for of in ("test_balanced", "val_accuracy"))
    found = runs.compare(test, validation, lr=0.2, strategy=SCRATCH, **CELL)
    assert found.effect == pytest.approx(0.4 - 0.2)
    assert found == evidence.paired(runs.cell(strategy=SCRATCH, **CELL), [0.2] * 5)
    wide = runs.compare(test, validation, 0.99, lr=0.2, strategy=SCRATCH, **CELL)
    assert wide.low < found.low < found.high < wide.high


def test_a_seed_without_its_partner_is_refused():
    frame = table()
    lost = (frame.labels == 50) & (frame.strategy == FINE) & (frame.seed == 2)
    runs = evidence.Runs(frame[~lost])
    with pytest.raises(store.BadInput, match="none missing"):
        runs.compare(FINE, SCRATCH, **CELL)


def test_a_row_of_a_claims_table():
    runs = evidence.Runs(table())
    found = runs.row(FINE, SCRATCH, **CELL)
    assert found.target == "leaves" and found.where == "50 labels" and found.claimed == ("helps",)
    assert found.differences == pytest.approx([0.1] * 5)
    more = runs.row({"labels": 200}, {"labels": 50}, "", ("hurts",), task="leaves", strategy=FINE)
    assert more.where == "" and more.claimed == ("hurts",)
    assert more.differences == pytest.approx([0.2] * 5)
    frame = table()
    lost = evidence.Runs(frame[(frame.strategy == FINE) | (frame.seed != 2)])
    with pytest.raises(store.BadInput, match="none missing"):
        evidence.judged([lost.row(FINE, SCRATCH, **CELL)])


def test_distances_are_stored_once_for_every_target():
    found = evidence.distances()
    assert [*found.values()] == sorted(found.values())
    assert next(iter(found)) == "photographs"  # the source from itself, by chance alone
    targets = {*evidence.load("sweep_freezing").task, *evidence.load("sweep_suspects").task}
    assert targets - {*found} == {"numbers_italian"}


def test_what_a_table_of_runs_holds():
    runs = evidence.Runs(table().sort_index())
    assert runs.tasks == ["leaves", "digits"]
    assert runs.counts("leaves") == [50, 200] and runs.counts("digits") == [50]
    cells = runs.cells("labels", task="leaves")
    assert cells == [{"labels": labels, "task": "leaves"} for labels in (200, 50)]
    assert runs.cells("labels", task="leafs") == []
    wide = runs.wide("strategy", **CELL)
    assert [*wide.columns] == [FINE, SCRATCH] and wide.index.tolist() == [*range(5)]
    assert (wide[FINE] - wide[SCRATCH]).tolist() == pytest.approx([0.1] * 5)
    assert len(runs.rows(**CELL, strategy=FINE)) == 10
    with pytest.raises(store.UnknownName, match="Stored are leaves, digits"):
        runs.rows(task="leafs")


def test_a_missing_text_is_an_empty_one():
    frame = table(frozen=lambda rows: rows.strategy.where(rows.labels == 200).astype(object))
    for missing in (np.nan, ""):
        runs = evidence.Runs(frame.assign(frozen=frame.frozen.fillna(missing)))
        assert {*runs.rows(frozen="").labels} == {50}
        assert runs.compare(FINE, SCRATCH, frozen="", **CELL).effect == pytest.approx(0.1)


def test_means_keep_the_order_in_which_runs_are_stored():
    found = evidence.means(table(test_accuracy=lambda rows: rows.test_balanced).sort_index())
    assert [*found.index] == [("leaves", 200), ("leaves", 50), ("digits", 50)]
    assert [*found.columns] == [FINE, SCRATCH]
    assert found[FINE].tolist() == pytest.approx([0.7, 0.5, 0.6])


def test_the_leader_is_the_best_on_validation_by_its_mean_over_seeds():
    frame = table()
    assert evidence.Runs(frame).leader("lr") == 0.2
    frame.loc[frame.lr == 0.2, "test_balanced"] = 0.0  # does not count
    frame.loc[(frame.strategy == SCRATCH) & (frame.seed == 0), "val_accuracy"] = 0.9
    frame.loc[frame.strategy == FINE, "val_accuracy"] = 0.5
    runs = evidence.Runs(frame)
    assert runs.leader("strategy") == FINE == runs.leader("strategy", [SCRATCH, FINE], **CELL)
    assert runs.leader("strategy", [SCRATCH]) == SCRATCH
    level = evidence.Runs(table(val_accuracy=0.5))
    for order in ([SCRATCH, FINE], [FINE, SCRATCH]):
        assert level.leader("strategy", order) == order[0]
    with pytest.raises(store.UnknownName, match="stored strategy 'wishing'"):
        runs.leader("strategy", [FINE, "wishing"])
    with pytest.raises(store.UnknownName, match="there is no stored run"):
        runs.leader("strategy", task="leafs")


def sources() -> pandas.DataFrame:
    """By source and strategy a mean, and a little that changes with the seed."""
    starts = {
        ("nothing", "fine-tuned"): 0.5,
        ("nothing", "frozen"): 0.3,
        ("photographs", "fine-tuned"): 0.6,
        ("noise", "fine-tuned"): 0.45,
    }
    rows = [
        {"task": task, "labels": labels, "source": source, "strategy": strategy, "seed": seed}
        | {"test_balanced": mean + shift + 0.01 * ((seed * (3 + len(source))) % 5)}
        for task, labels, shift in (("digits", 50, 0.0), ("digits", 500, 0.1), ("leaves", 50, 0.2))
        for (source, strategy), mean in starts.items()
        for seed in range(5)
    ]
    return pandas.DataFrame(rows).sample(frac=1, random_state=0)


def test_gains_are_paired_differences_from_scratch():
    frame = sources()
    found = evidence.gains(frame).set_index(["task", "labels", "source", "strategy"])
    assert len(found) == 9 and found.seeds.eq(5).all()
    assert not any(key[2:] == ("nothing", "fine-tuned") for key in found.index)
    values = frame.set_index([*found.index.names, "seed"]).test_balanced.sort_index()
    for key, row in found.iterrows():
        expected = evidence.paired(values[key], values[(*key[:2], "nothing", "fine-tuned")])
        assert (row.gain, row.low, row.high) == (expected.effect, expected.low, expected.high)
    gain = found.gain
    assert gain["digits", 50, "photographs", "fine-tuned"] == pytest.approx(0.1, abs=0.03)
    assert gain["digits", 50, "noise", "fine-tuned"] == pytest.approx(-0.05, abs=0.03)
    assert gain["leaves", 50, "nothing", "frozen"] == pytest.approx(-0.2, abs=0.03)


def test_more_confidence_is_a_wider_interval():
    wide, usual = evidence.gains(sources(), 0.99), evidence.gains(sources())
    assert (wide.gain == usual.gain).all()
    assert ((wide.high - wide.low) >= (usual.high - usual.low)).all()
    assert ((wide.high - wide.low) > (usual.high - usual.low)).any()


def test_gains_want_the_same_seeds_on_both_sides():
    frame = sources()
    with pytest.raises(store.BadInput, match="none missing"):
        evidence.gains(frame[(frame.source != "noise") | (frame.seed != 3)])
    with pytest.raises(store.UnknownName, match="there is no stored run"):
        evidence.gains(frame[(frame.source != "nothing") | (frame.strategy != "fine-tuned")])


def test_every_claim_has_a_verdict_or_is_open():
    table = lessons.table()
    assert [v.id for v in table] == [c.id for c in evidence.CLAIMS]
    assert len({v.id for v in table}) == len(table) == 49
    for verdict in table:
        assert verdict.verdict in ("open", "holds", "holds-when", "does-not-hold", "cannot-tell")
        if verdict.verdict != "open":
            assert verdict.low <= verdict.effect <= verdict.high and verdict.seeds >= 5
            assert verdict.lesson and verdict.sentence and verdict.contrasts and verdict.scope
    with pytest.raises(store.UnknownName):
        lessons.settle("why-99")
