"""Long sweeps: on a Dask cluster, killed in the middle, and that of freezing from end to end."""

import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas
import pytest
import torch

from tl_course import evidence, store, tasks
from tl_course.evidence import runs
from tl_course.lessons.freezing import recipe as depths
from tl_course.tasks import Split, Task

SCRIPT = Path(__file__).resolve().parent.parent / "data_scripts" / "sweep_freezing.py"
localhost = pytest.mark.localhost
CELLS = [{"name": name, "seed": seed} for name in ("a", "b") for seed in range(4)]
EXPECTED = [{**cell, "lr": lr, "found": cell["seed"] * lr} for cell in CELLS for lr in (0.001, 0.1)]


@pytest.fixture(scope="module")
def cluster():
    """The address of a scheduler with two workers on this machine."""
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    ) as made:
        yield made.scheduler_address


def simple():
    """What a sweep runs; made here, so that workers get it by value."""

    def run(name, seed):
        return [{"lr": lr, "found": seed * lr} for lr in (0.001, 0.1)]

    return run


def in_order(rows: list[dict]) -> list[dict]:
    return sorted(rows, key=lambda row: [str(row[key]) for key in sorted(row)])


@localhost
def test_a_cluster_gives_the_same_rows(cluster, tmp_path):
    run = simple()
    here = evidence.sweep(run, CELLS, tmp_path / "here.jsonl", jobs=1)
    there = evidence.sweep(run, CELLS, tmp_path / "there.jsonl", jobs=1, dask=cluster)
    assert here == EXPECTED and in_order(there) == in_order(here)
    stored = [
        row
        for line in (tmp_path / "there.jsonl").read_text().splitlines()
        for row in json.loads(line)
    ]
    assert stored == there


@localhost
def test_cells_run_on_the_workers_side_by_side(cluster, tmp_path):
    def run(seed):
        time.sleep(0.2)
        return [{"process": os.getpid()}]

    rows = evidence.sweep(
        run, [{"seed": s} for s in range(4)], tmp_path / "sweep.jsonl", jobs=1, dask=cluster
    )
    processes = {row["process"] for row in rows}
    assert len(processes) == 2 and os.getpid() not in processes


@localhost
def test_a_sweep_that_was_killed_goes_on_where_it_ended(cluster, tmp_path):
    work, ran = tmp_path / "sweep.jsonl", tmp_path / "ran"
    ran.mkdir()
    first = [row for row in EXPECTED if row["name"] == "a" and row["seed"] < 2]
    lines = [json.dumps(first[:2]), json.dumps(first[2:])]
    work.write_text("\n".join(lines) + '\n[{"name": "a", "seed": 2, "l')
    plain = simple()

    def run(name, seed):
        (ran / f"{name}{seed}").touch()
        return plain(name, seed)

    rows = evidence.sweep(run, CELLS, work, jobs=1, dask=cluster)
    assert in_order(rows) == in_order(EXPECTED)
    assert {path.name for path in ran.iterdir()} == {"a2", "a3", "b0", "b1", "b2", "b3"}
    # with everything there, no cluster is needed
    nowhere = "tcp://127.0.0.1:9"
    assert in_order(evidence.sweep(run, CELLS, work, jobs=1, dask=nowhere)) == in_order(rows)


@localhost
def test_what_was_finished_on_a_cluster_stays_when_a_cell_fails(cluster, tmp_path):
    work, plain = tmp_path / "sweep.jsonl", simple()
    gate = tmp_path / "gate"

    def run(name, seed):
        if (name, seed) == ("b", 3) and not gate.exists():
            while work.read_text().count("\n") < len(CELLS) - 1:
                time.sleep(0.05)  # until the others are stored
            raise store.BadInput("a cell", "it cannot be run", "Mend it")
        return plain(name, seed)

    with pytest.raises(store.BadInput, match="it cannot be run. Mend it"):
        evidence.sweep(run, CELLS, work, jobs=1, dask=cluster)
    assert len(work.read_text().splitlines()) == len(CELLS) - 1
    gate.touch()
    rows = evidence.sweep(run, CELLS, work, jobs=1, dask=cluster)
    assert in_order(rows) == in_order(EXPECTED)


@localhost
def test_a_cluster_without_enough_workers(cluster, tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    waited, wait = [], distributed.Client.wait_for_workers

    def impatient(client, n_workers, timeout):
        waited.append((n_workers, timeout))
        try:
            return wait(client, 3, timeout=0.3)  # there are two
        finally:
            client.close()

    monkeypatch.setattr(distributed.Client, "wait_for_workers", impatient)
    work = tmp_path / "sweep.jsonl"
    with pytest.raises(store.NotAvailable, match="or has no workers") as found:
        evidence.sweep(simple(), CELLS, work, jobs=1, dask=cluster)
    assert waited == [(1, 30)]  # one worker, seconds
    assert cluster in found.value.thing and "dask worker" in found.value.cure
    assert not work.exists() or work.read_text() == ""


@localhost
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "no address at all", "tcp://[::"])
def test_no_cluster_at_the_address(tmp_path, monkeypatch, address):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    waited, client = [], distributed.Client

    def impatient(address, timeout):
        waited.append(timeout)
        return client(address, timeout=0.3)

    monkeypatch.setattr(distributed, "Client", impatient)
    work = tmp_path / "sweep.jsonl"
    with pytest.raises(store.NotAvailable) as found:
        evidence.sweep(simple(), CELLS, work, jobs=1, dask=address)
    assert waited == [10]  # seconds
    assert address in found.value.thing
    assert "does not answer, or has no workers" in str(found.value)
    assert "dask scheduler" in found.value.cure and "--dask" in found.value.cure
    assert not work.exists() or work.read_text() == ""


def test_a_cluster_wants_its_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(store.NotAvailable, match="pip install distributed"):
        evidence.sweep(simple(), CELLS, tmp_path / "sweep.jsonl", jobs=1, dask="tcp://127.0.0.1:9")


DRIVER = """
import sys, time
import numpy as np
import torch
from pathlib import Path
from tl_course.lessons.freezing import recipe as depths
from tl_course.tasks import Split, Task
script = Path(sys.argv.pop(1))
exec(compile(script.read_text().replace("if __name__", "if False and __name__"), script, "exec"))
"""

# replaces what would take hours; also run by the process that is killed
PATCHES = '''
LABELS, TARGETS, SEARCHED = (6, 12), ("first", "second"), {6: (6, 12)}
SEEDS = range(2)


def load(target, labels):
    """Bright and dark pictures; the second target has no more than six labels."""
    if labels > (12 if target == "first" else 6):
        return None
    splits = []
    for seed, count in enumerate((15, 9, 9)):
        rng = np.random.default_rng([seed, len(target)])
        answers = np.arange(count) % 3
        pictures = rng.integers(0, 150, (count, 3, 64, 64)) + 50 * answers[:, None, None, None]
        pictures = torch.from_numpy(pictures.clip(0, 255).astype(np.uint8))
        splits.append(Split(pictures, torch.from_numpy(answers)))
    return Task(target, target, ("a", "b", "c"), *splits, "MIT", "tests", "none")


def hasty(task, labels, strategy, seed, lr):
    evidence.pace = lambda labels: (1, 6)  # on the worker, too
    return whole_run(task, labels, strategy, seed, lr)


whole_run, run = run, hasty
'''
RATES = {"fine-tuning": (1e-3,), "head alone": (1e-3, 1e-2)}


@pytest.fixture
def sweep_freezing(monkeypatch, tmp_path):
    """The script as a module that no worker can import: what it runs is sent by value."""
    spec = importlib.util.spec_from_file_location("not_to_be_imported", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    saved = {}

    def save(frame, name, command):
        saved[name] = frame.assign(command=command)
        return tmp_path / f"{name}.csv"

    monkeypatch.setattr(evidence, "save", save)
    monkeypatch.setattr(evidence, "load", saved.__getitem__)
    monkeypatch.setattr(runs, "pace", evidence.pace)  # put back when the test ends
    module.saved = saved
    return module


@pytest.fixture
def small(sweep_freezing, monkeypatch):
    """The script on two tiny tasks with two strategies."""
    vars(sweep_freezing).update(np=np, torch=torch, Split=Split, Task=Task)
    exec(compile(PATCHES, "patches", "exec"), vars(sweep_freezing))
    monkeypatch.setattr(depths, "RATES", RATES)
    monkeypatch.setattr(depths, "FROZEN", {name: depths.FROZEN[name] for name in RATES})

    def main(*options):
        """What ``main`` stores, without what differs from run to run."""
        sweep_freezing.saved.clear()
        monkeypatch.setattr(sys, "argv", ["sweep_freezing.py", *map(str, options)])
        sweep_freezing.main()
        return {
            name: frame.drop(columns=["seconds", "command"])
            for name, frame in sweep_freezing.saved.items()
        }

    sweep_freezing.stores = main
    return sweep_freezing


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """Filled by the first test: what an unbroken run stores."""
    return {}


def equal(found: dict, expected: dict) -> None:
    assert {*found} == {*expected} == {"sweep_freezing", "sweep_freezing_rates"}
    for name, frame in expected.items():
        pandas.testing.assert_frame_equal(found[name], frame, check_like=True)


def whole(small, unbroken, folder: Path) -> dict:
    if not unbroken:
        unbroken.update(small.stores("--jobs", 1, "--work", folder / "whole.jsonl"))
    return unbroken


def test_the_search_tries_every_rate_with_labels_not_used_again(sweep_freezing):
    cells = sweep_freezing.search(["leaves", "digits"])
    keys = {(c["task"], c["labels"], c["strategy"], c["seed"], c["lr"]) for c in cells}
    assert len(keys) == len(cells) == 2 * 2 * 2 * 3 * len(depths.FROZEN)
    assert {cell["labels"] for cell in cells} == {100, 500}
    assert not {cell["seed"] for cell in cells} & {*sweep_freezing.SEEDS}
    assert {(c["strategy"], c["lr"]) for c in cells} == {
        (strategy, lr) for strategy, rates in depths.RATES.items() for lr in rates
    }
    served = [labels for counts in sweep_freezing.SEARCHED.values() for labels in counts]
    assert tuple(served) == sweep_freezing.LABELS


def test_the_search_leaves_out_what_a_task_has_not(sweep_freezing, monkeypatch):
    monkeypatch.setattr(
        sweep_freezing, "load", lambda name, n: "a task" if (name, n) != ("few", 500) else None
    )
    cells = sweep_freezing.search(["many", "few"])
    assert {(cell["task"], cell["labels"]) for cell in cells} == {
        *(("many", 100), ("many", 500), ("few", 100)),
    }


def test_a_task_has_as_many_labels_as_it_has(sweep_freezing, monkeypatch, toy):
    many = Task("toy", "", toy.classes, toy.test, toy.val, toy.test, "", "", "")
    known = {"toy": toy, "toy_many": many, "few": toy}
    monkeypatch.setattr(tasks, "names", lambda: tuple(known))
    monkeypatch.setattr(tasks, "load", known.__getitem__)
    assert sweep_freezing.load("toy", 90) is toy and sweep_freezing.load("few", 91) is None
    known["toy"] = toy.few(30, seed=0)
    assert sweep_freezing.load("toy", 31) is many and sweep_freezing.load("toy", 30) is known["toy"]


def test_one_cell(sweep_freezing, monkeypatch, toy):
    asked = []
    monkeypatch.setattr(
        sweep_freezing, "load", lambda name, labels: asked.append((name, labels)) or toy
    )
    monkeypatch.setattr(runs, "pace", lambda labels: (1, 16))
    (row,) = sweep_freezing.run("toy", 15, "head alone", 3, 1e-2)
    assert asked == [("toy", 15)] and row["epochs"] == 1
    assert {"train_accuracy", "val_accuracy", "test_accuracy", "test_balanced"} <= {*row}
    few = toy.few(15, 3)
    assert row == depths.train_cell(few, "head alone", 1e-2, 3) | {"seconds": row["seconds"]}


def test_the_whole_sweep_on_tiny_tasks(small, unbroken, tmp_path, capsys):
    found = whole(small, unbroken, tmp_path)
    frame, rates = found["sweep_freezing"], found["sweep_freezing_rates"]
    cells = frame.groupby(["task", "labels", "strategy"]).seed.nunique()
    assert cells.to_dict() == {
        (task, labels, strategy): 2
        for task, labels in (("first", 6), ("first", 12), ("second", 6))
        for strategy in RATES
    }
    assert not any(column.startswith("test") for column in rates)
    best = evidence.best_rates(rates)
    assert all(row.lr == best[row.task, row.strategy, 6] for row in frame.itertuples(index=False))
    assert "wrote " in capsys.readouterr().out
    # "command" is a column here, see the fixture
    assert small.saved["sweep_freezing"].command[0] == "python data_scripts/sweep_freezing.py"


def test_a_part_of_the_sweep_is_kept_but_not_stored(small, tmp_path, capsys):
    work = tmp_path / "part.jsonl"
    assert small.stores("--jobs", 1, "--work", work, "--targets", "first", "--most", 6) == {}
    assert "run again without --targets" in capsys.readouterr().out
    assert len(work.read_text().splitlines()) == 2 * len(RATES)


def test_killed_and_resumed_gives_what_an_unbroken_run_gives(small, unbroken, tmp_path):
    expected = whole(small, unbroken, tmp_path)
    work, driver = tmp_path / "broken.jsonl", tmp_path / "driver.py"
    settings = f"""
depths.RATES = {RATES}
depths.FROZEN = {{name: depths.FROZEN[name] for name in depths.RATES}}
main()
"""
    driver.write_text(DRIVER + PATCHES + settings)
    victim = subprocess.Popen(
        [sys.executable, str(driver), str(SCRIPT), "--jobs", "1", "--work", str(work)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(SCRIPT.parent.parent)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    for _ in range(15_000):
        if (work.is_file() and work.read_text().count("\n") >= 3) or victim.poll() is not None:
            break
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    kept = work.read_text().splitlines()
    assert 3 <= len(kept) < 12
    with work.open("a") as file:
        file.write('[{"task": "first", "la')  # a kill while it was writing
    equal(small.stores("--jobs", 1, "--work", work), expected)
    assert work.read_text().splitlines()[: len(kept) - 1] == kept[:-1]  # not run again


@localhost
def test_a_cluster_gives_the_same_numbers(small, unbroken, cluster, tmp_path):
    expected = whole(small, unbroken, tmp_path)
    found = small.stores("--dask", cluster, "--work", tmp_path / "dask.jsonl")
    equal(found, expected)
