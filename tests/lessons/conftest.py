"""What tests of lessons share: made-up runs, and the verdicts on them."""

import io

import numpy as np
import pandas
import pytest
import torch

from tl_course import lessons, surgery
from tl_course.evidence import pace, results
from tl_course.lessons.freezing.recipe import FROZEN


@pytest.fixture(scope="session")
def made_up():
    """Builds stored runs: from a cell, its values of ``columns``, to accuracy, or to a whole row.

    Five seeds, the last first, with a little noise of mean zero, another for each length of the
    cell's last value; as they come back from a file.
    """

    def build(cells: dict, columns: str = "task labels strategy", **more) -> pandas.DataFrame:
        rows = []
        for key, found in cells.items():
            for seed in reversed(range(5)):
                noise = 0.002 * ((2 * seed + len(str(key[-1]))) % 5 - 2)
                row = dict(zip(columns.split(), key, strict=True)) | {"seed": seed} | more
                if not isinstance(found, dict):
                    found = {"val_accuracy": found, "test_balanced": found}
                row |= {"test_accuracy": 0.0} | found
                rows.append(row | {"test_balanced": row["test_balanced"] + noise})
        return pandas.read_csv(io.StringIO(pandas.DataFrame(rows).to_csv(index=False)))

    return build


@pytest.fixture(scope="session")
def freezing_runs(made_up):
    """Builds results as data_scripts/sweep_freezing.py writes them.

    From (task, labels) to strategy to balanced accuracy. Whatever is not said is 0.5.
    """

    def build(cells: dict[tuple[str, int], dict[str, float]]):
        rows = {}
        for (task, labels), given in cells.items():
            for strategy in FROZEN:
                found = given.get(strategy, 0.5)
                rows[task, labels, strategy] = {
                    "train_accuracy": 0.9,
                    "val_accuracy": found,
                    "test_accuracy": found - 0.1,
                    "test_balanced": found,
                    "epochs": pace(labels)[0],
                }
        return made_up(rows)

    return build


@pytest.fixture(scope="session")
def ahead(freezing_runs):
    """Builds runs in which one strategy is ahead of all others by as much: task to labels to it."""

    def build(strategy: str, differences: dict[str, dict[int, float]]) -> pandas.DataFrame:
        return freezing_runs({
            (task, labels): {strategy: 0.5 + more}
            for task, by_labels in differences.items()
            for labels, more in by_labels.items()
        })  # fmt: skip

    return build


@pytest.fixture(scope="session")
def unsure():
    """Makes results swing from seed to seed around the same mean, where every column fits."""

    def swing(frame: pandas.DataFrame, by: float = 0.1, of: str = "test_balanced", **where):
        rows = np.logical_and.reduce([frame[column] == value for column, value in where.items()])
        frame.loc[rows, of] += np.where(frame.seed[rows] == 0, by, -by / 4)

    return swing


@pytest.fixture
def in_store(monkeypatch):
    """Puts made-up runs in the place of the stored ones: one table, or one for each name."""

    stored = results.load
    caches = (results.stored, results.distances)

    def put(frame) -> None:
        several = isinstance(frame, dict)

        def load(name: str):
            if name == "sweep_distances":  # how far targets are is no run of theirs
                return stored(name)
            return frame[name] if several else frame

        monkeypatch.setattr(results, "load", load)
        for each in caches:
            each.cache_clear()

    yield put
    for each in caches:
        each.cache_clear()


@pytest.fixture
def judged(in_store):
    """Gives the verdict on a claim from made-up runs.

    ``findings``: what each row of its table must show, by target, or by target and where; it may be
    said of some alone.
    """

    def judge(claim, frame, verdict=None, findings=()):
        in_store(frame)
        found = lessons.settle(claim)
        assert found.id == claim and found.lesson and found.scope and found.contrasts
        assert found.low <= found.effect <= found.high and found.interval.effect == found.effect
        for text in (found.sentence, found.condition, str(found)):
            assert "{" not in text and "  " not in text and "nan" not in text
        assert bool(found.condition) == any(each.supports for each in found.contrasts)
        assert verdict in (None, found.verdict)
        shown = {(each.target, each.where): each.finding for each in found.contrasts}
        assert len(shown) == len(found.contrasts)  # no two rows are called alike
        for key, finding in dict(findings).items():
            rows = [key] if isinstance(key, tuple) else [each for each in shown if each[0] == key]
            assert rows and {shown[row] for row in rows} == {finding}, (key, shown)
        return found

    return judge


@pytest.fixture
def shelf(monkeypatch):
    """Puts a made-up table in the place of every stored one; an error is raised instead."""

    def load(name: str) -> pandas.DataFrame:
        if isinstance(there[0], Exception):
            raise there[0]
        return there[0]

    def put(frame: pandas.DataFrame | Exception) -> None:
        there[:] = [frame]
        monkeypatch.setattr(results, "load", load)
        results.stored.cache_clear()

    there = []
    yield put
    results.stored.cache_clear()


@pytest.fixture(scope="session")
def trained_stages():
    """Names the stages with anything that is trained; each is trained whole or not at all."""

    def names(model) -> tuple[str, ...]:
        found = {
            name: {parameter.requires_grad for parameter in stage.parameters()}
            for name, stage in surgery.stages(model).items()
        }
        assert all(len(trained) == 1 for trained in found.values())
        return tuple(name for name, trained in found.items() if trained == {True})

    return names


@pytest.fixture(scope="session")
def alike():
    """Names the stages whose weights are the same in both models."""

    def names(one, other) -> set[str]:
        twins = surgery.stages(other)
        return {
            name
            for name, stage in surgery.stages(one).items()
            if all(
                torch.equal(value, twins[name].state_dict()[key])
                for key, value in stage.state_dict().items()
            )
        }

    return names


@pytest.fixture(scope="session")
def tiny(toy):
    """A task that trains in less than a second."""
    return toy.few(24, seed=0)
