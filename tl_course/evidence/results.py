"""Stored results: small CSV files in the package that say which command made them."""

import os
import platform
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store
from tl_course.evidence.findings import HELPS, Row
from tl_course.evidence.intervals import Interval, paired

if TYPE_CHECKING:
    import pandas


def machine() -> dict[str, str]:
    """Versions and hardware that results depend on."""
    import torch

    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "torchvision", "numpy", "scikit-learn")},
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "instructions": torch.backends.cpu.get_cpu_capability(),
    }


def save(frame: "pandas.DataFrame", name: str, command: str, folder: Path | None = None) -> Path:
    """Write ``frame`` as an embedded CSV with its command, versions and machine on top."""
    folder = folder or store.EMBEDDED
    path = folder / f"{name}.csv"
    header = {"command": command, **machine()}
    text = "".join(f"# {key}: {value}\n" for key, value in header.items())
    table = frame.to_csv(index=False, lineterminator="\n")
    store.write_atomically(path, (text + table).encode())
    store.add_to_manifest(path, name, recipe=command, source="runs of this course", licence="MIT")
    return path


def load(name: str) -> "pandas.DataFrame":
    """Stored results as a table; ``.attrs`` holds the command, versions and machine.

    Raises ``UnknownName`` or ``CorruptFile``.
    """
    import pandas

    tables = [key for key, entry in store.manifest().items() if entry["file"].endswith(".csv")]
    path = store.embedded(store.choose("stored result", name, tables))
    with path.open(encoding="utf-8") as file:
        header = [line[2:].strip() for line in file if line.startswith("# ")]
    frame = pandas.read_csv(path, comment="#")
    frame.attrs.update(dict(line.split(": ", 1) for line in header))
    return frame


def chosen(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """The rows whose learning rate was chosen, that is, those that were tested."""
    return frame.dropna(subset=["test_accuracy"])


def means(frame: "pandas.DataFrame") -> "pandas.DataFrame":
    """Mean balanced test accuracy over seeds: one row a task and count of labels, one column a
    strategy, both in the order in which they first occur.
    """
    rows = chosen(frame)
    table = rows.groupby(["task", "labels", "strategy"]).test_balanced.mean().unstack()
    order = rows[["task", "labels"]].drop_duplicates().itertuples(index=False, name=None)
    return table.loc[[*order], [*dict.fromkeys(rows.strategy)]]


class Runs:
    """A table of runs that is asked cell by cell: ``task="leaves", labels=200`` is one.

    ``frame`` has a column ``seed``; any other column can tell cells apart, where a text that is
    missing counts as ``""``.
    """

    def __init__(self, frame: "pandas.DataFrame") -> None:
        texts = frame.select_dtypes(["object", "string"]).columns
        self.frame = frame.fillna(dict.fromkeys(texts, ""))
        self.frame.attrs = {}  # pandas copies them with every selection
        self._indexes: dict[tuple, dict[tuple, list]] = {}

    @property
    def tasks(self) -> list[str]:
        """The tasks, in the order in which they first occur."""
        return [*dict.fromkeys(self.frame.task)]

    def counts(self, task: str) -> list[int]:
        """The counts of labels stored for a task, rising."""
        return sorted(self._rows(self.frame, {"task": task}).labels.unique().tolist())

    def rows(self, **where) -> "pandas.DataFrame":
        """The rows in which each column has the value given. Raises ``UnknownName`` if none has."""
        found = self._rows(self.frame, where)
        if found.empty:
            raise self._missing(self.frame, where)
        return found

    def cells(self, *columns: str, **where) -> list[dict]:
        """Every cell that ``columns`` tell apart, in the order in which they first occur.

        Each is ready for ``cell`` and ``compare``: it has the values of ``columns`` and ``where``.
        """
        found = self._rows(self.frame, where)[[*columns]].drop_duplicates()
        return [cell | where for cell in found.to_dict("records")]

    def wide(self, column: str, of: str = "test_balanced", **where) -> "pandas.DataFrame":
        """What ``cell`` gives for each value of ``column``, side by side: a row a seed."""
        import pandas

        values = self.rows(**where).dropna(subset=[of])[column].unique()
        return pandas.DataFrame({v: self.cell(of, **where | {column: v}) for v in values})

    def cell(self, of: str = "test_balanced", **where) -> "pandas.Series":
        """Column ``of`` in one cell, by seed; runs that have no value there are left out.

        Raises ``UnknownName``, which lists what is stored, where there is no run, and ``BadInput``
        where a seed has several.
        """
        import pandas

        values = self._values(of, **where)
        return pandas.Series([*values.values()], pandas.Index([*values], name="seed"), name=of)

    def compare(self, first, second, confidence: float = 0.95, **where) -> Interval:
        """``first`` minus ``second`` in one cell, paired by seed.

        Each is a strategy, or a dict of what it has in other columns than ``where`` says (which may
        be ``of``).
        """
        both = [self._values(**cell) for cell in _both(first, second, where)]
        seeds = sorted({*both[0], *both[1]})
        left, right = ([one.get(seed, np.nan) for seed in seeds] for one in both)
        return paired(left, right, confidence)

    def row(
        self, first, second, where: str | None = None, claimed: tuple[str, ...] = (HELPS,), **cell
    ) -> Row:
        """``first`` minus ``second`` in one cell, as a row of a claim's table.

        ``where`` is by default its count of labels. Raises ``BadInput`` where a seed is missing in
        one of them.
        """
        both = [self._values(**each) for each in _both(first, second, cell)]
        seeds = sorted({*both[0], *both[1]})
        gaps = [both[0].get(seed, np.nan) - both[1].get(seed, np.nan) for seed in seeds]
        if where is None:
            where = f"{cell['labels']:,} labels" if "labels" in cell else ""
        return Row(cell.get("task", ""), where, gaps, claimed)

    def leader(self, column: str, among: Iterable[str] | None = None, **where):
        """The value of ``column`` with the best mean accuracy on validation.

        ``among``: of these alone; where some are level, the first. Raises ``UnknownName``.
        """
        # not over the whole table at once: that rounds otherwise, and some are level
        means = self.rows(**where).groupby(column).val_accuracy.mean()
        if among is not None:
            means = means[[store.choose(f"stored {column}", each, means.index) for each in among]]
        return means.idxmax()

    def _values(self, of: str = "test_balanced", **where) -> dict[int, float]:
        """What ``cell`` gives, by seed."""
        found = self._runs(of, where)
        values = dict(sorted(found))
        if len(values) < len(found):
            raise store.BadInput(
                f"the cell {_told(where)}", "a seed has several runs there", "Name more columns"
            )
        return values

    def _runs(self, of: str, where: Mapping) -> list[tuple[int, float]]:
        """Seed and value of every run in one cell; tables are indexed when first asked."""
        columns = tuple(sorted(where))
        if (of, columns) not in self._indexes:
            self._indexes[of, columns] = self._index(of, columns)
        found = self._indexes[of, columns].get(tuple(where[column] for column in columns))
        if found is None:
            raise self._missing(self.frame.dropna(subset=[of]), where)
        return found

    def _index(self, of: str, columns: tuple[str, ...]) -> dict[tuple, list[tuple[int, float]]]:
        """Seed and value of every run, by cell."""
        rows = self.frame.dropna(subset=[of])
        found: dict[tuple, list] = {}
        every = (rows[column].tolist() for column in ("seed", of, *columns))
        for seed, value, *key in zip(*every, strict=True):
            found.setdefault(tuple(key), []).append((seed, value))
        return found

    @staticmethod
    def _rows(frame: "pandas.DataFrame", where: Mapping) -> "pandas.DataFrame":
        fits = [frame[column] == value for column, value in where.items()]
        return frame[np.logical_and.reduce(fits)] if fits else frame

    def _missing(self, rows: "pandas.DataFrame", where: Mapping) -> store.UnknownName:
        """Names the first value that no row has, and what is stored in its place."""
        known, column, value = {}, "seed", "any"
        for column, value in where.items():
            if value not in rows[column].values:
                break
            known[column] = value
            rows = self._rows(rows, {column: value})
        there = f" with {_told(known)}" if known else ""
        return store.UnknownName(
            f"{column} {value!r}{there}",
            "there is no stored run",
            f"Stored are {', '.join(map(str, rows[column].unique())) or 'none'}",
        )


def _both(first, second, where: Mapping) -> list[dict]:
    """The cells of two strategies, or of two that differ in other columns."""
    named = (s if isinstance(s, Mapping) else {"strategy": s} for s in (first, second))
    return [{**where, **columns} for columns in named]


def _told(where: Mapping) -> str:
    return ", ".join(f"{column} {value!r}" for column, value in where.items())


@cache
def stored(*names: str) -> Runs:
    """The stored results of that name, or several as one table, ready to be asked."""
    import pandas

    return Runs(pandas.concat([load(name) for name in names]))


@cache
def distances() -> dict[str, float]:
    """How far each target lies from the photographs of pretraining, the nearest first.

    The course's one measure of it, with no label: the Fréchet distance between features of
    ``resnet10`` after layer4, the mean over draws of pictures. Stored by ``sweep_distances.py``.
    """
    found = load("sweep_distances").groupby("task").distance.mean().sort_values()
    return {str(task): float(distance) for task, distance in found.items()}


def near_and_far(tasks: Iterable[str]) -> tuple[list[str], list[str]]:
    """The nearer half of ``tasks`` by their distance, and the farther; the nearest is first.

    Where they are odd, the one in the middle is far. Raises ``UnknownName`` for a task whose
    distance is not stored.
    """
    known = distances()
    order = sorted(
        (store.choose("distance of", task, known) for task in tasks), key=known.__getitem__
    )
    return order[: len(order) // 2], order[len(order) // 2 :]


def gains(frame: "pandas.DataFrame", confidence: float = 0.95) -> "pandas.DataFrame":
    """What each source brings over from scratch: one row a source, task, labels and strategy.

    ``frame`` is the stored ``sweep_suspects``. Columns ``gain``, ``low`` and ``high`` are balanced
    test accuracies in [-1, 1], paired by seed, with an interval of ``confidence``; ``seeds``.
    """
    import pandas

    runs, scratch = Runs(frame), {"source": "nothing", "strategy": "fine-tuned"}
    rows = []
    for cell in runs.cells("task", "labels", "source", "strategy"):
        if cell | scratch != cell:
            found = runs.compare(cell, cell | scratch, confidence)
            rows.append(cell | {"gain": found.effect} | vars(found))
    return pandas.DataFrame(rows).drop(columns="effect")
