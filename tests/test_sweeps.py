"""Sweeps: their cells, side by side and on a Dask cluster, stopped and going on; their tables."""

import importlib.util
import json
import os
import sys
import time
from pathlib import Path

import pandas
import pytest

from tl_course import evidence, store, tasks
from tl_course.evidence import results

localhost = pytest.mark.localhost
CELLS = evidence.grid(name=("a", "b"), seed=range(4))
EXPECTED = [{**cell, "lr": lr, "found": cell["seed"] * lr} for cell in CELLS for lr in (0.001, 0.1)]


def simple(before=lambda name, seed: None):
    """What a sweep runs, after ``before``; made here, so that workers get it by value."""

    def run(name, seed):
        before(name, seed)
        return [{"lr": lr, "found": seed * lr} for lr in (0.001, 0.1)]

    return run


def in_order(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda row: [str(row[key]) for key in sorted(row)])


def kept(work: Path) -> list[dict]:
    return [row for line in work.read_text().splitlines() for row in json.loads(line)]


def test_a_grid_has_every_combination_the_last_column_changing_first():
    cells = evidence.grid(task=("b", "a"), labels=[5], seed=range(2))
    assert [tuple(cell.values()) for cell in cells] == [
        ("b", 5, 0), ("b", 5, 1), ("a", 5, 0), ("a", 5, 1)
    ]  # fmt: skip
    assert all([*cell] == ["task", "labels", "seed"] for cell in cells)
    assert evidence.grid(task=(), seed=range(2)) == []


def test_a_sweep_that_was_killed_goes_on(tmp_path):
    work, ran = tmp_path / "sweep.jsonl", []
    run = simple(lambda *cell: ran.append(cell))
    work.write_text(json.dumps(EXPECTED[:2]) + '\n[{"name": "a", "seed": 1, "l')
    rows = evidence.sweep(run, CELLS, work, jobs=1)
    assert rows == EXPECTED == kept(work)
    assert ran == [tuple(cell.values()) for cell in CELLS[1:]]  # the line of seed 1 was cut short
    assert evidence.sweep(run, CELLS, work, jobs=1) == rows and len(ran) == len(CELLS) - 1


def test_a_sweep_keeps_what_was_finished_before_an_error(tmp_path):
    work, broken = tmp_path / "sweep.jsonl", [2]

    def run(source, seed):
        if seed in broken:
            raise ZeroDivisionError
        return [{"accuracy": seed / 10}]

    cells = evidence.grid(source=["español"], seed=range(4))
    with pytest.raises(ZeroDivisionError):
        evidence.sweep(run, cells, work, jobs=1)
    assert len(work.read_text().splitlines()) == 2
    broken.clear()
    rows = evidence.sweep(run, cells, work, jobs=1)
    assert rows == [{**cell, "accuracy": cell["seed"] / 10} for cell in cells]


def test_a_sweep_drops_what_is_no_longer_asked_for(tmp_path):
    work, ran = tmp_path / "sweep.jsonl", []
    run = simple(lambda *cell: ran.append(cell))
    assert len(evidence.sweep(run, CELLS, work, jobs=1)) == 16
    ran.clear()
    wanted = [*CELLS[4:], {"name": "b", "seed": 7}]
    rows = evidence.sweep(run, wanted, work, jobs=1)
    assert {(row["name"], row["seed"]) for row in rows} == {("b", s) for s in (0, 1, 2, 3, 7)}
    assert ran == [("b", 7)]
    assert evidence.sweep(run, [], work, jobs=1) == [] and ran == [("b", 7)]
    assert len(evidence.sweep(run, CELLS, work, jobs=1)) == 16  # the dropped ones were kept aside


@pytest.mark.slow
def test_cells_run_side_by_side_with_one_thread_each(tmp_path):
    def run(name, seed):
        import torch

        time.sleep(0.2)
        return [{"process": os.getpid(), "threads": torch.get_num_threads()}]

    rows = evidence.sweep(run, CELLS, tmp_path / "sweep.jsonl", jobs=2)
    assert in_order([{k: row[k] for k in ("name", "seed")} for row in rows]) == in_order(CELLS)
    assert len({row["process"] for row in rows} - {os.getpid()}) == 2
    assert {row["threads"] for row in rows} == {1}


@pytest.fixture(scope="module")
def cluster():
    """The address of a scheduler with two workers on this machine, each a process."""
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made.scheduler_address


@localhost
def test_a_cluster_gives_the_same_rows(tmp_path):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    work = tmp_path / "sweep.jsonl"
    with distributed.LocalCluster(2, processes=False, dashboard_address=None) as made:
        rows = evidence.sweep(simple(), CELLS, work, jobs=1, dask=made.scheduler_address)
    assert in_order(rows) == in_order(EXPECTED) and kept(work) == rows
    # with everything there, no cluster is needed
    assert evidence.sweep(simple(), CELLS, work, jobs=1, dask="tcp://127.0.0.1:9") == rows


@localhost
@pytest.mark.slow
def test_what_was_finished_on_a_cluster_stays_when_a_cell_fails(cluster, tmp_path):
    work, gate, ran = tmp_path / "sweep.jsonl", tmp_path / "gate", tmp_path / "ran"
    ran.mkdir()
    work.write_text(json.dumps(EXPECTED[:2]) + '\n[{"name": "a", "seed": 1, "l')

    def noting(name, seed):
        (ran / f"{name}{seed}-{os.getpid()}").touch()
        time.sleep(0.2)
        if (name, seed) == ("b", 3) and not gate.exists():
            while work.read_text().count("\n") < len(CELLS) - 1:
                time.sleep(0.05)  # until the others are stored
            raise store.BadInput("a cell", "it cannot be run", "Mend it")

    with pytest.raises(store.BadInput, match="it cannot be run. Mend it"):
        evidence.sweep(simple(noting), CELLS, work, jobs=1, dask=cluster)
    assert len(work.read_text().splitlines()) == len(CELLS) - 1
    gate.touch()
    rows = evidence.sweep(simple(noting), CELLS, work, jobs=1, dask=cluster)
    assert in_order(rows) == in_order(EXPECTED)
    cells, processes = zip(*(path.name.split("-") for path in ran.iterdir()), strict=True)
    assert {*cells} == {"a1", "a2", "a3", "b0", "b1", "b2", "b3"}
    assert len({*processes} - {str(os.getpid())}) == 2  # side by side


@localhost
@pytest.mark.slow
def test_what_a_script_takes_from_its_neighbour_goes_along_to_the_cluster(
    cluster, tmp_path, monkeypatch
):
    (tmp_path / "neighbour.py").write_text("def double(value):\n    return 2 * value\n")
    script = "import neighbour\n\ndef run(seed):\n    return [{'found': neighbour.double(seed)}]\n"
    (tmp_path / "script.py").write_text(script)
    for name in ("neighbour", "script"):  # in no folder that a worker knows
        spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
        monkeypatch.setitem(sys.modules, name, importlib.util.module_from_spec(spec))
        spec.loader.exec_module(sys.modules[name])
    rows = evidence.sweep(
        sys.modules["script"].run, [{"seed": 3}], tmp_path / "sweep.jsonl", 1, cluster
    )
    assert rows == [{"seed": 3, "found": 6}]


@localhost
@pytest.mark.parametrize(
    ("address", "method"),
    [
        ("tcp://127.0.0.1:9", "__init__"),
        ("no address at all", "__init__"),
        ("tcp://[::", "__init__"),
        pytest.param("the cluster", "wait_for_workers", marks=pytest.mark.slow),
    ],
)
def test_no_cluster_at_the_address_or_no_worker(request, tmp_path, monkeypatch, address, method):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    if address == "the cluster":
        address = request.getfixturevalue("cluster")
    waited, patient = [], getattr(distributed.Client, method)

    def impatient(client, first, timeout):
        waited.append(timeout)
        return patient(client, 3 if first == 1 else first, timeout=0.3)  # there are two workers

    monkeypatch.setattr(distributed.Client, method, impatient)
    work = tmp_path / "sweep.jsonl"
    with pytest.raises(store.NotAvailable, match="does not answer, or has no workers") as found:
        evidence.sweep(simple(), CELLS, work, jobs=1, dask=address)
    assert waited == [10 if method == "__init__" else 30]  # seconds
    assert address in found.value.thing
    assert "dask worker" in found.value.cure and "--dask" in found.value.cure
    assert not work.exists()


def test_a_cluster_wants_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(store.NotAvailable, match="pip install distributed"):
        evidence.sweep(simple(), CELLS, tmp_path / "sweep.jsonl", jobs=1, dask="tcp://127.0.0.1:9")


def test_a_script_around_its_runs(tmp_path, monkeypatch, capsys):
    work, loaded, saved = tmp_path / "some.jsonl", [], {}
    monkeypatch.setattr(tasks, "load", loaded.append)
    monkeypatch.setattr(
        results, "save", lambda frame, *names: saved.update({names: frame}) or tmp_path / "x.csv"
    )
    monkeypatch.setattr(results, "load", lambda name: name)
    options = ["--jobs", "1", "--work", str(work), "--tasks", "leaves"]
    monkeypatch.setattr(sys, "argv", ["sweep_trial.py", *options])
    sweep = evidence.Sweep("sweep_trial", "A trial.\n\nMore.", tasks={"nargs": "+"})
    assert (sweep.args.jobs, sweep.args.dask, sweep.args.tasks) == (1, None, ["leaves"])
    found = sweep.run(simple(), CELLS, load=["leaves", "digits"])
    assert loaded == ["leaves", "digits"] and found.to_dict("records") == EXPECTED == kept(work)

    assert sweep.store(found, ["name", "seed", "lr"], name=["b", "a"]) == "sweep_trial"
    ((names, frame),) = saved.items()
    assert names == ("sweep_trial", "python data_scripts/sweep_trial.py")
    assert frame.name.tolist() == ["b"] * 8 + ["a"] * 8 and [*frame.index] == [*range(16)]
    assert frame.lr.tolist() == [0.001, 0.1] * 8
    assert capsys.readouterr().out == f"wrote {tmp_path / 'x.csv'}: 16 rows\n"

    monkeypatch.setattr(sys, "argv", ["sweep_trial.py"])
    usual = evidence.Sweep("sweep_trial", "A trial.", dask={"default": "there"}).args
    assert (usual.work, usual.dask) == (Path("sweep_trial.jsonl"), "there")


def test_contrasts_name_the_cell_and_the_strategy():
    rows = [
        {"task": task, "labels": 5, "strategy": strategy, "seed": seed, "test_balanced": value}
        for task, gain in (("b", 0.1), ("a", 0.2))
        for strategy, value in (("nothing", 0.5), ("something", 0.5 + gain))
        for seed in range(5)
    ]
    frame = pandas.DataFrame(rows)
    first, second = evidence.contrasts(frame, ["something"], "nothing").splitlines()
    assert first.startswith("  b, 5 labels, something: +10.0 points")
    assert second.startswith("  a, 5 labels, something: +20.0 points")
