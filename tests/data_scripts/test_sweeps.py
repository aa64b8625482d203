"""Every sweep, its runs replaced by the stored ones: it asks for them and stores its table.

Which cells it asks for, which rate each gets, what it takes over from other sweeps, the order of
columns and rows: a mistake in any of them changes what is stored.
"""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pandas
import pytest

from tl_course import evidence, tasks
from tl_course.evidence import results

SCRIPTS = Path(__file__).resolve().parents[2] / "data_scripts"
SWEEPS = sorted(path.stem for path in SCRIPTS.glob("sweep_*.py"))


def table(*names: str) -> pandas.DataFrame:
    return pandas.concat([evidence.load(name) for name in names], ignore_index=True)


def replayed(frame: pandas.DataFrame):
    """A run that gives the rows stored for its cell, without the cell and what is empty."""
    groups = {}

    def run(*folder, **cell):
        keys = [name for name in cell if name in frame]
        if not groups:
            groups.update(dict([*frame.groupby(keys)]))
        rows = groups[tuple(cell[key] for key in keys)].drop(columns=keys)
        return [row.dropna().to_dict() for _, row in rows.astype(object).iterrows()]

    return run


def with_stored_runs(name: str, monkeypatch):
    """The script, with nothing left that takes long."""
    script = import_module(name)
    replaced = {"run": replayed(table(name))}
    if name == "sweep_distances":
        monkeypatch.setattr(script, "store_photographs", lambda: None)
    if name == "sweep_project":
        replaced["divided"] = replayed(table("sweep_twins"))
    if name == "sweep_feeding":
        fed = table(name)
        asked = {*fed[["task", "fault"]].itertuples(index=False, name=None)}
        known = fed.assign(fed=fed.fault.where(fed.strategy == "fed wrongly"))
        known.loc[known.fed.notna(), "fault"] = "right"  # one cell holds all that goes wrong
        replaced["run"] = replayed(known)
        monkeypatch.setattr(
            script.feeding, "applies", lambda fault, test, model: (test, fault) in asked
        )
    if name == "sweep_forgetting":
        replaced["run"] = replayed(table(name).fillna({"frozen": ""}))
    if name == "sweep_freezing":
        replaced["run"] = replayed(table(name, "sweep_freezing_rates"))
        most = table(name).groupby("task").labels.max()
        replaced["load"] = lambda target, labels: labels <= most[target]
    if name == "sweep_suspects":
        runs, rates, scores = table(name), table(f"{name}_rates"), table("sweep_scores")
        words, readers = runs.source == "words counted", runs.task == "numbers_italian"
        frozen = runs[readers & (runs.strategy == "frozen")].drop(columns="strategy")
        mine, searched = replayed(runs), replayed(rates)
        replaced = {
            "run": lambda *folder, **cell: (searched if cell["seed"] >= 100 else mine)(**cell),
            "score": replayed(scores),
            "count_words": replayed(runs[words]),
            "read": replayed(frozen.merge(scores)),
            "learn_source": lambda *folder, **cell: [{"file": "none"}],
        }
    for function, new in replaced.items():
        monkeypatch.setattr(script, function, new)
    return script, [*replaced]


@pytest.fixture
def rebuild(monkeypatch, tmp_path):
    """Runs a sweep's ``main`` on stored runs; returns the text of each table that it stores.

    ``most``: Ctrl-C comes after so many runs. ``ran`` lists them.
    """
    saved, ran = {}, []

    def save(frame, name, command):
        saved[name] = frame.assign(command=command)
        return tmp_path / f"{name}.csv"

    monkeypatch.setattr(results, "save", save)
    monkeypatch.setattr(tasks, "load", lambda name: SimpleNamespace(test=name))

    def main(name: str, *options: str, most: int | None = None) -> dict[str, pandas.DataFrame]:
        saved.clear(), ran.clear()
        script, functions = with_stored_runs(name, monkeypatch)

        def counted(function, run):
            def counting(*given, **cell):
                if len(ran) == most:
                    raise KeyboardInterrupt
                ran.append((function, *cell.values()))
                return run(*given, **cell)

            return counting

        for function in {*functions} - {"load"}:
            monkeypatch.setattr(script, function, counted(function, getattr(script, function)))
        work = ["--jobs", "1", "--work", str(tmp_path / "work")]
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *work, *options])
        script.main()
        return dict(saved)

    main.ran, main.work = ran, tmp_path / "work"
    return main


def same_as_stored(saved: dict[str, pandas.DataFrame], name: str) -> None:
    assert name in saved
    for key, frame in saved.items():
        assert {*frame.pop("command")} == {f"python data_scripts/{name}.py"}
        expected = table(key)
        assert {*frame} == {*expected} and len(frame) == len(expected)
        # as text: what is written, to the last digit
        assert frame[[*expected]].to_csv(index=False) == expected.to_csv(index=False)


@pytest.mark.parametrize("name", SWEEPS)
def test_a_sweep_stores_what_is_stored_and_says_what_to_expect(rebuild, capsys, name):
    same_as_stored(rebuild(name), name)
    assert len(rebuild.ran) == len({*rebuild.ran})
    out = capsys.readouterr().out
    assert "wrote " in out and "\nexpect" in out


@pytest.mark.parametrize(
    ("name", "most"),
    [("sweep_suspects", 300), ("sweep_suspects", 900), ("sweep_feeding", 40)],
)
def test_a_stopped_sweep_goes_on(rebuild, name, most):
    with pytest.raises(KeyboardInterrupt):
        rebuild(name, most=most)
    before = {*rebuild.ran}
    assert len(before) == most
    for path in rebuild.work.glob("*.jsonl") if rebuild.work.is_dir() else [rebuild.work]:
        with path.open("a") as file:
            file.write('[{"source": "noi')  # a kill while it was writing
    same_as_stored(rebuild(name), name)
    assert not before & {*rebuild.ran}


@pytest.mark.parametrize(
    ("name", "options", "kept"),
    [
        ("sweep_freezing", ("--targets", "digits", "leaves", "--most", "100"), 2 * 3 * 5 * 7),
        ("sweep_freezing", ("--most", "25"), 6 * 5 * 7),
        ("sweep_pictures", ("--tasks", "leaves"), 2 * 4 * 5),
    ],
)
def test_a_part_of_a_sweep_is_kept_but_not_stored(rebuild, capsys, name, options, kept):
    assert rebuild(name, *options) == {}
    out = capsys.readouterr().out
    assert "run again without" in out and options[0] in out
    assert len(rebuild.work.read_text().splitlines()) == kept


@pytest.mark.parametrize(
    ("name", "searched", "found"),
    [("sweep_freezing_rates", (100, 101), 5), ("sweep_suspects_rates", (100, 101), 10)],
)
def test_a_search_uses_labels_that_are_not_used_again(name, searched, found):
    rates, runs = table(name), table(name.removesuffix("_rates"))
    assert {*rates.seed} == {*searched} and not {*searched} & {*runs.seed}
    assert runs.seed.nunique() == found
    assert not any(column.startswith("test") for column in rates)


def test_a_script_starts_from_its_file():
    """One that takes from another, which takes from a third."""
    path = SCRIPTS / "sweep_anatomy.py"
    out = subprocess.check_output([sys.executable, str(path), "--help"], text=True, timeout=300)
    assert all(option in out for option in ("--jobs", "--work", "--dask", "--sources"))
