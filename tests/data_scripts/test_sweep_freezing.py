"""The sweep of lesson 04 for real, on tiny tasks: unbroken, killed and resumed, on a cluster."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pandas
import pytest
import sweep_freezing

from tl_course import evidence, tasks
from tl_course.evidence import runs
from tl_course.lessons.freezing import recipe as depths
from tl_course.tasks import Task

TINY = Path(__file__).with_name("tiny_freezing.py")
TABLES = ("sweep_freezing", "sweep_freezing_rates")


def test_a_task_has_as_many_labels_as_it_has(monkeypatch, toy):
    many = Task("toy", "", toy.classes, toy.test, toy.val, toy.test, "", "", "")
    known = {"toy": toy, "toy_many": many, "few": toy}
    monkeypatch.setattr(tasks, "names", lambda: tuple(known))
    monkeypatch.setattr(tasks, "load", known.__getitem__)
    assert sweep_freezing.load("toy", 90) is toy and sweep_freezing.load("few", 91) is None
    known["toy"] = toy.few(30, seed=0)
    assert sweep_freezing.load("toy", 31) is many and sweep_freezing.load("toy", 30) is known["toy"]


def test_one_cell(monkeypatch, toy):
    monkeypatch.setattr(sweep_freezing, "load", lambda *asked: {("toy", 15): toy}[asked])
    monkeypatch.setattr(runs, "pace", lambda labels: (1, 16))
    (row,) = sweep_freezing.run("toy", 15, "head alone", 3, 1e-2)
    again = depths.train_cell(toy.few(15, 3), "head alone", 1e-2, 3)
    assert row == again | {"seconds": row["seconds"]} and row["epochs"] == 1


def command(folder: Path, *options) -> dict:
    """How ``tiny_freezing.py`` is run: finished cells and tables go into ``folder``."""
    folder.mkdir(exist_ok=True)
    scripts = TINY.parents[2] / "data_scripts"
    work = ["--work", folder / "work.jsonl", "--jobs", 1, *options]
    return {
        "args": [sys.executable, str(TINY), str(folder), *map(str, work)],
        "env": {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(scripts)},
    }


def stored(folder: Path) -> dict[str, pandas.DataFrame]:
    found = {name: pandas.read_csv(folder / f"{name}.csv") for name in TABLES}
    return {name: frame.drop(columns="seconds") for name, frame in found.items()}


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    subprocess.run(**command(folder), check=True, timeout=600)
    return stored(folder)


@pytest.mark.slow
def test_the_whole_sweep(unbroken):
    frame, rates = (unbroken[name] for name in TABLES)
    cells = frame.groupby(["task", "labels", "strategy"]).seed.nunique()
    assert cells.to_dict() == {
        (task, labels, strategy): 2
        for task, labels in (("first", 6), ("first", 12), ("second", 6))
        for strategy in ("fine-tuning", "head alone")
    }
    best = evidence.best_rates(rates)
    assert all(row.lr == best[row.task, row.strategy, 6] for row in frame.itertuples(index=False))


@pytest.mark.slow
def test_killed_and_resumed_gives_what_an_unbroken_run_gives(unbroken, tmp_path):
    work = tmp_path / "work.jsonl"
    victim = subprocess.Popen(**command(tmp_path))
    while victim.poll() is None and not (work.is_file() and work.read_text().count("\n") >= 3):
        time.sleep(0.02)
    victim.kill()
    victim.wait()
    kept = work.read_text().splitlines()
    assert 3 <= len(kept) < 12
    with work.open("a") as file:
        file.write('[{"task": "first", "la')  # a kill while it was writing
    subprocess.run(**command(tmp_path), check=True, timeout=600)
    for name, frame in unbroken.items():
        pandas.testing.assert_frame_equal(stored(tmp_path)[name], frame)
    assert work.read_text().splitlines()[: len(kept) - 1] == kept[:-1]  # not run again


@pytest.mark.slow
@pytest.mark.localhost
def test_a_cluster_gives_the_same_numbers(unbroken, tmp_path):
    distributed = pytest.importorskip("distributed", reason="the package distributed is missing")
    with distributed.LocalCluster(2, threads_per_worker=1, dashboard_address=None) as cluster:
        options = ("--dask", cluster.scheduler_address)
        subprocess.run(**command(tmp_path, *options), check=True, timeout=600)
    for name, frame in unbroken.items():
        pandas.testing.assert_frame_equal(stored(tmp_path)[name], frame)
