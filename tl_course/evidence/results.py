"""Stored results: small CSV files in the package that say which command made them."""

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course import store

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
