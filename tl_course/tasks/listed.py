"""A table that names pictures and their classes, as people export them: CSV or TSV."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from tl_course import store
from tl_course.store.places import reading
from tl_course.tasks.reading import ENDINGS, folded

FILES = ("file", "filename", "filepath", "path", "image", "imageid", "imagename", "picture", "id")
LABELS = ("label", "class", "classname", "category", "target", "species", "tag", "name")
PARTS = ("split", "set", "part", "subset", "partition")
CURE = "Give it a column of file names and a column called label, with one line for each picture"
Listed = dict[str, dict[str, list[Path]]]  # from a part, or "", to the files of each class


def table_of(root: Path) -> Path | None:
    """The one table beside pictures that are in no class folders; ``None`` where there is none."""
    with reading(root):
        tables = [p for p in root.iterdir() if p.suffix.lower() in (".csv", ".tsv")]
        loose = any(path.suffix.lower() in ENDINGS for path in root.iterdir())
        folders = sum(path.is_dir() for path in root.iterdir())
    return tables[0] if len(tables) == 1 and (loose or folders < 2) else None


def listed(root: Path, table: Path) -> tuple[Listed, list[str]]:
    """The pictures of ``root`` by part and class as ``table`` lists them, and what is to be told.

    A column of files (names below ``root`` or anywhere in it, with or without their ending), a
    column of labels, and if there is one, a column of parts. Raises ``BadInput`` where the columns
    cannot be told, files are not there, or one has two labels.
    """
    rows = _rows(table)
    known = {p.relative_to(root).as_posix(): p for p in sorted(root.rglob("*")) if _picture(p)}
    by_name: dict[str, list[Path]] = {}
    for path in known.values():
        for key in (path.name, path.stem):
            by_name.setdefault(key, []).append(path)

    def found(text: str) -> Path | None:
        text = text.strip().replace("\\", "/").removeprefix("./")
        near = by_name.get(text.rpartition("/")[2], [])
        return known.get(text) or (near[0] if len(near) == 1 else None)

    file, label, part = _columns(table, rows, {each: bool(known) for each in rows[0]}, found)
    classes: Listed = {}
    seen: dict[Path, str] = {}
    missing = [row[file] for row in rows if found(row[file]) is None]
    for row in rows:
        name, place = row[label].strip(), found(row[file])
        if place is None or not name:
            continue
        if seen.setdefault(place, name) != name:
            cause = f"it calls {row[file]!r} both {seen[place]!r} and {name!r}"
            raise store.BadInput(f"table {str(table)!r}", cause, "Keep one line for each picture")
        files = classes.setdefault(folded(row[part]) if part else "", {}).setdefault(name, [])
        files += [] if place in files else [place]
    notes = [f"{len(missing)} × listed in {table.name}, not there: {store.some(missing, str)}"]
    return classes, notes if missing else []


def _picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and path.is_file()


def _rows(table: Path) -> list[dict[str, str]]:
    with reading(table):
        text = table.read_bytes().decode("utf-8-sig", errors="replace")
    try:
        dialect: object = csv.Sniffer().sniff(text[:10_000], delimiters=",;\t|")
    except csv.Error:
        dialect = csv.excel
    rows = [*csv.DictReader(io.StringIO(text), dialect=dialect, restval="")]  # type: ignore
    if not rows or len(rows[0]) < 2:
        cause = "it has no lines" if not rows else "it has one column"
        raise store.BadInput(f"table {str(table)!r}", cause, CURE)
    return [{key: value for key, value in row.items() if isinstance(key, str)} for row in rows]


def _columns(
    table: Path, rows: Sequence[Mapping[str, str]], names: Mapping[str, bool], found
) -> tuple[str, str, str | None]:
    """Which column holds the files, the labels and the parts."""
    share = {name: sum(found(row[name]) is not None for row in rows) / len(rows) for name in names}
    file = max(share, key=lambda name: (share[name], folded(name) in FILES))
    part = next((name for name in names if folded(name) in PARTS and name != file), None)
    rest = [name for name in names if name not in (file, part)]
    label = next((n for wanted in LABELS for n in rest if folded(n) == wanted), None)
    label = label or (rest[0] if len(rest) == 1 else None)
    if not share[file]:
        cause = f"none of its columns, {store.some([*names])}, names files of {str(table.parent)!r}"
        raise store.BadInput(f"table {str(table)!r}", cause, CURE)
    if label is None:
        cause = f"which of its columns is the class, {store.some(rest)}?"
        raise store.BadInput(f"table {str(table)!r}", cause, "Call that column label")
    return file, label, part
