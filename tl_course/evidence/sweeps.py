"""Sweeps: many cells, side by side or on a cluster; one that was stopped goes on where it ended."""

import argparse
import inspect
import itertools
import json
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence import results

if TYPE_CHECKING:
    import pandas


class Sweep:
    """What a sweep's script does around its runs: its arguments, its workers, what it stores.

    ``name`` is the script's and its table's; the first line of ``doc`` says what it does. Each of
    ``arguments`` is one more of the script, in the words of ``add_argument``, or stands in for
    ``jobs``, ``work`` or ``dask``. ``args`` is what the command line gave.
    """

    def __init__(self, name: str, doc: str, **arguments: dict) -> None:
        import joblib

        usual = {
            "jobs": {"type": int, "default": joblib.cpu_count(), "help": "runs side by side"},
            "work": {"type": Path, "default": Path(f"{name}.jsonl"), "help": "what is finished"},
            "dask": {"metavar": "ADDRESS", "help": "a Dask scheduler to run on instead"},
        }
        parser = argparse.ArgumentParser(description=doc.splitlines()[0])
        for argument, settings in {**usual, **arguments}.items():
            parser.add_argument(f"--{argument}", **settings)
        self.name, self.args = name, parser.parse_args()

    def run(
        self,
        run: Callable[..., list[dict]],
        cells: Sequence[Mapping],
        load: Iterable[str] = (),
        work: Path | None = None,
    ) -> "pandas.DataFrame":
        """The rows of ``run(**cell)`` for every cell; see ``sweep``. ``load`` names their tasks."""
        import pandas

        from tl_course import tasks

        for task in load:
            tasks.load(task)  # drawn or unpacked once, before the workers start
        rows = sweep(run, cells, work or self.args.work, self.args.jobs, self.args.dask)
        return pandas.DataFrame(rows)

    def store(
        self, frame: "pandas.DataFrame", by: list[str], name: str = "", /, **orders: Iterable
    ) -> "pandas.DataFrame":
        """Write ``frame`` into the package, say so, and return it as lessons will read it.

        It is sorted by the columns ``by``, of which ``orders`` lists the values of some in order.
        """
        places = {column: [*order].index for column, order in orders.items()}
        frame = frame.sort_values(
            by, key=lambda c: c.map(places[c.name]) if c.name in places else c, ignore_index=True
        )
        name = name or self.name
        path = results.save(frame, name, f"python data_scripts/{self.name}.py")
        print(f"wrote {path}: {len(frame)} rows")
        return results.load(name)


def grid(**columns: Iterable) -> list[dict]:
    """Cells: every combination of the columns' values; the last column changes first."""
    rows = itertools.product(*columns.values())
    return [dict(zip(columns, values, strict=True)) for values in rows]


def contrasts(frame: "pandas.DataFrame", strategies: Iterable[str], against: str) -> str:
    """What each strategy brings over ``against``: a line for each task and number of labels."""
    runs = results.Runs(frame)
    return "\n".join(
        f"  {cell['task']}, {cell['labels']} labels, {strategy}: "
        f"{runs.compare(strategy, against, **cell)}"
        for cell in runs.cells("task", "labels")
        for strategy in strategies
    )


def sweep(
    run: Callable[..., list[dict]],
    cells: Sequence[Mapping],
    work: Path,
    jobs: int,
    dask: str | None = None,
) -> list[dict]:
    """The rows of ``run(**cell)`` for every cell, ``jobs`` side by side; each row repeats its cell.

    Every run has one thread, so that its numbers do not depend on how many cores there are.
    ``dask``, the address of a scheduler, runs them on that cluster instead. Finished cells are
    kept in ``work``, one a line, and a sweep that was stopped goes on where it ended; a line that
    a kill cut short is dropped. A cell's values are numbers or texts. Raises ``NotAvailable``
    where the cluster does not answer or the package ``distributed`` is missing.
    """
    import joblib
    from tqdm.auto import tqdm

    if not cells:
        return []
    key = itemgetter(*cells[0])
    wanted = {key(cell) for cell in cells}
    done = [row for row in _kept(work) if key(row) in wanted]
    finished = {key(row) for row in done}
    missing = [cell for cell in cells if key(cell) not in finished]
    if not missing:
        return done
    workers = _cluster(dask) if dask else joblib.parallel_config(n_jobs=jobs)
    with workers, work.open("a", encoding="utf-8") as file:
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1)
        function = _packed(run) if dask else run
        finishing = parallel(joblib.delayed(_labelled)(function, cell) for cell in missing)
        for rows in tqdm(finishing, total=len(missing)):
            done += rows
            file.write(json.dumps(rows, default=float) + "\n")
            file.flush()
    return done


def _kept(work: Path) -> list[dict]:
    """The rows of the lines that are whole; ``work`` is left with nothing else."""
    text = work.read_text(encoding="utf-8") if work.is_file() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        work.write_text(whole, encoding="utf-8", newline="\n")
    return [row for line in whole.splitlines() for row in json.loads(line)]


def _labelled(run: Callable[..., list[dict]], cell: Mapping) -> list[dict]:
    import torch

    torch.set_num_threads(1)
    return [{**cell, **row} for row in run(**cell)]


def _packed(run: Callable[..., list[dict]]) -> Callable[..., list[dict]]:
    """``run`` with what it takes from the files beside its own: workers have the package alone."""
    import cloudpickle

    folder = Path(inspect.getfile(getattr(run, "func", run))).resolve().parent
    for module in [*sys.modules.values()]:
        if Path(getattr(module, "__file__", None) or "/").parent == folder:
            cloudpickle.register_pickle_by_value(module)
    return partial(_unpacked, cloudpickle.dumps(run))


def _unpacked(packed: bytes, **cell) -> list[dict]:
    # a pickle, but our own: it comes from ``_packed`` over the cluster, which runs any code anyway
    return pickle.loads(packed)(**cell)


@contextmanager
def _cluster(address: str) -> Iterator[None]:
    """Inside ``with``, joblib runs on the workers of a Dask cluster."""
    import joblib

    try:
        from distributed import Client
    except ImportError:
        raise store.NotAvailable(
            "Dask", "the package distributed is not installed", "Run `pip install distributed`"
        ) from None
    try:
        with Client(address, timeout=10) as client:
            client.wait_for_workers(1, timeout=30)
    except (OSError, ValueError) as error:  # a timeout is an OSError
        raise store.NotAvailable(
            f"the Dask cluster at {address}",
            f"it does not answer, or has no workers ({error})",
            "Start it with `dask scheduler` and `dask worker ADDRESS`, or leave out --dask",
        ) from None
    with Client(address) as client, joblib.parallel_config("dask", client=client):
        yield
