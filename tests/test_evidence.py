import json

import numpy as np
import pandas
import pytest

from tl_course import evidence, lessons, store
from tl_course.evidence import results


def test_paired_interval_covers_and_is_repeatable():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.1, 20)
    first, second = 0.6 + noise, 0.5 + noise + rng.normal(0, 0.01, 20)
    found = evidence.paired(first, second)
    assert found.low < 0.1 < found.high and found.high - found.low < 0.03
    assert found.sign == 1 and evidence.paired(second, first).sign == -1
    assert found == evidence.paired(first, second)
    assert evidence.paired(first, first[::-1]).sign == 0


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


def test_repeat_wants_five_seeds():
    frame = evidence.repeat(lambda seed: {"accuracy": seed / 10})
    assert frame.seed.tolist() == [0, 1, 2, 3, 4] and frame.accuracy[4] == 0.4
    with pytest.raises(store.BadInput, match="Use five"):
        evidence.repeat(lambda seed: {}, range(4))


def test_tune_tests_only_what_validation_chose(toy):
    from tl_course import models

    built = []

    def build():
        built.append(1)
        return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])

    rows = evidence.tune(build, toy, rates=(1e-6, 1e-3), epochs=3, seed=0)
    assert len(rows) == len(built) == 2
    assert "test_accuracy" not in rows[0] and rows[1]["test_accuracy"] > 0.8
    assert len(evidence.chosen(pandas.DataFrame(rows))) == 1


def test_flip_mirrors_some():
    import torch

    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    found = evidence.flip(pictures)
    same = (found == pictures).flatten(1).all(1)
    mirrored = (found == pictures.flip(3)).flatten(1).all(1)
    assert (same | mirrored).all() and 10 < same.sum() < 54


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
    with pytest.raises(store.UnknownName):
        evidence.load("sweep_nothing")


def test_both_strategies_were_tuned_alike():
    frame = evidence.load("sweep_pictures")
    tried = frame.groupby(["task", "labels", "strategy"]).lr.nunique().unstack()
    assert (tried["fine-tuning"] == tried["from scratch"]).all()
    shown = frame.dropna(subset=["lr"]).groupby(["task", "labels"]).epochs.nunique()
    assert (shown == 1).all()


def test_what_the_course_promises_about_its_tasks():
    """The figures that later lessons build on; a regenerated sweep must keep them."""
    frame = evidence.load("sweep_pictures")
    for labels in (200, 1000):
        found = evidence.compare(frame, "leaves", labels, "fine-tuning", "from scratch")
        assert found.effect >= 0.20 and found.low > 0.1
    rows = evidence.chosen(frame).query("task == 'materials' and labels == 200")
    means = rows.groupby("strategy").test_accuracy.mean()
    assert means["linear probe"] >= 0.70 and means["probe on random backbone"] <= 0.35
    assert evidence.compare(frame, "satellite", 200, "fine-tuning", "from scratch").effect >= 0.08


def test_what_lesson_00_says_in_words_about_the_stored_runs():
    frame = evidence.load("sweep_pictures")
    signs = {
        name: evidence.compare(frame, name, 200, "fine-tuning", "from scratch").sign
        for name in ("satellite", "pneumonia")
    }
    assert signs == {"satellite": 1, "pneumonia": 0}
    digits = evidence.chosen(frame).query("task == 'digits' and strategy == 'from scratch'")
    assert digits.test_balanced.mean() > 0.93


def test_compare_needs_stored_runs():
    frame = evidence.load("sweep_pictures")
    with pytest.raises(store.UnknownName, match="no stored run"):
        evidence.compare(frame, "leaves", 200, "fine-tuning", "wishing")


COLUMNS = ["task", "labels", "strategy", "seed", "test_balanced"]


def fake(better: dict[str, float]) -> pandas.DataFrame:
    rows = []
    for task, gain in better.items():
        for seed in range(5):
            for strategy, extra in (("fine-tuning", gain), ("from scratch", 0)):
                wobble = 0.01 * ((seed * 7 + len(strategy)) % 5)
                rows.append((task, 200, strategy, seed, 0.5 + extra + wobble))
    return pandas.DataFrame(rows, columns=COLUMNS).assign(test_accuracy=0.5)


@pytest.mark.parametrize(
    ("better", "verdict"),
    [
        ({"a": 0.2, "b": 0.3}, "holds"),
        ({"a": 0.2, "b": 0.0}, "holds-when"),
        ({"a": 0.0, "b": -0.2}, "does-not-hold"),
    ],
)
def test_the_rule_follows_the_results(monkeypatch, better, verdict):
    monkeypatch.setattr(results, "load", lambda name: fake(better))
    found = lessons.settle("why-1")
    assert found.verdict == verdict
    if verdict == "holds-when":
        assert found.condition.startswith("on a; not shown on b")


def test_every_claim_has_a_verdict_or_is_open():
    table = lessons.table()
    assert [v.id for v in table] == [c.id for c in evidence.CLAIMS]
    assert len({v.id for v in table}) == len(table) == 39
    for verdict in table:
        assert verdict.verdict in ("open", "holds", "holds-when", "does-not-hold")
        if verdict.verdict != "open":
            assert verdict.low <= verdict.effect <= verdict.high and verdict.seeds >= 5
            assert verdict.lesson and verdict.condition
    with pytest.raises(store.UnknownName):
        lessons.settle("why-99")


def test_tune_wants_a_new_model_each_time(toy):
    from tl_course import models

    model = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
    with pytest.raises(store.BadInput, match="inside build"):
        evidence.tune(lambda: model, toy, rates=(1e-6, 1e-3), epochs=1, seed=0)


def test_ctrl_c_ends_a_repetition(toy):
    from tl_course import models

    def interrupting(pictures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evidence.tune(
            lambda: models.load("resnet10", pretrained=False, classes=["a", "b", "c"]),
            toy,
            rates=(1e-3,),
            epochs=1,
            seed=0,
            augment=interrupting,
        )


def test_tune_needs_a_rate(toy):
    with pytest.raises(store.BadInput, match="no rate"):
        evidence.tune(lambda: None, toy, rates=[], epochs=1, seed=0)


def test_weights_are_no_stored_result():
    with pytest.raises(store.UnknownName, match="sweep_pictures"):
        evidence.load("resnet10")


def test_a_sweep_that_was_killed_goes_on(tmp_path):
    work = tmp_path / "sweep.jsonl"
    work.write_text('[{"seed": 0, "lr": 1}, {"seed": 0, "lr": 2}]\n[{"seed": 1, "l')
    cells, ran = [{"seed": seed} for seed in range(3)], []

    def run(seed):
        ran.append(seed)
        return [{"lr": 1}, {"lr": 2}]

    rows = evidence.sweep(run, cells, work, jobs=1)
    assert ran == [1, 2]  # seed 0 was finished, the line of seed 1 cut short
    assert [(row["seed"], row["lr"]) for row in rows] == [(s, r) for s in range(3) for r in (1, 2)]
    assert [row for line in work.read_text().splitlines() for row in json.loads(line)] == rows
    assert evidence.sweep(run, cells, work, jobs=1) == rows and ran == [1, 2]


def test_a_sweep_keeps_what_was_finished_before_an_error(tmp_path):
    work, broken = tmp_path / "sweep.jsonl", [2]

    def run(source, seed):
        if seed in broken:
            raise ZeroDivisionError
        return [{"accuracy": seed / 10}]

    cells = [{"source": "español", "seed": seed} for seed in range(4)]
    with pytest.raises(ZeroDivisionError):
        evidence.sweep(run, cells, work, jobs=1)
    assert len(work.read_text().splitlines()) == 2
    broken.clear()
    rows = evidence.sweep(run, cells, work, jobs=1)
    assert rows == [{**cell, "accuracy": cell["seed"] / 10} for cell in cells]


def test_a_sweep_runs_side_by_side(tmp_path):
    cells = [{"name": name, "lr": lr} for name in ("a", "b") for lr in (1e-3, 0.1)]
    rows = evidence.sweep(
        lambda name, lr: [{"found": f"{name}{lr}"}], cells, tmp_path / "sweep.jsonl", jobs=2
    )
    expected = [{**cell, "found": f"{cell['name']}{cell['lr']}"} for cell in cells]
    assert sorted(rows, key=lambda row: row["found"]) == sorted(
        expected, key=lambda row: row["found"]
    )


def test_a_sweep_drops_what_is_no_longer_asked_for(tmp_path):
    work, ran = tmp_path / "sweep.jsonl", []

    def run(name, seed):
        ran.append((name, seed))
        return [{"accuracy": seed / 10}]

    cells = [{"name": name, "seed": seed} for name in ("a", "b") for seed in range(3)]
    assert len(evidence.sweep(run, cells, work, jobs=1)) == 6
    kept = [cell for cell in cells if cell["name"] == "b"] + [{"name": "b", "seed": 7}]
    ran.clear()
    rows = evidence.sweep(run, kept, work, jobs=1)
    assert [(row["name"], row["seed"]) for row in rows] == [("b", s) for s in (0, 1, 2, 7)]
    assert ran == [("b", 7)]
    assert evidence.sweep(run, [], work, jobs=1) == [] and ran == [("b", 7)]
    assert len(evidence.sweep(run, cells, work, jobs=1)) == 6  # the dropped ones were kept aside
