"""A table that names pictures and their classes, as people export them: CSV or TSV."""

import codecs
import csv
import io
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from tl_course import store
from tl_course.store.places import reading
from tl_course.tasks.reading import ENDINGS, folded, hidden, left_out

FILES = ("file", "filename", "filepath", "path", "image", "imageid", "imagename", "picture", "id")
LABELS = ("label", "class", "classname", "category", "target", "species", "tag", "name")
PARTS = ("split", "set", "part", "subset", "partition")
CURE = "Give it a column of file names and a column called label, with one line for each picture"
Listed = dict[str, dict[str, list[Path]]]  # from a part, or "", to the files of each class


class NamesNone(store.BadInput):
    """A table that names no file of the folder: it may be about something else."""


def tables_of(root: Path) -> list[Path]:
    """The tables beside pictures that are in no class folders."""
    with reading(root):
        seen = [path for path in sorted(root.iterdir()) if not hidden(path.name)]
        tables = [p for p in seen if p.suffix.lower() in (".csv", ".tsv") and p.is_file()]
        loose = any(path.suffix.lower() in ENDINGS for path in seen)
        folders = sum(path.is_dir() for path in seen)
    return tables if loose or folders < 2 else []


def listed(root: Path, table: Path) -> tuple[Listed, list[str]]:
    """The pictures of ``root`` by part and class as ``table`` lists them, and what is to be told.

    A column of files (names below ``root`` or anywhere in it, with or without their ending), a
    column of labels, and if there is one, a column of parts. Raises ``BadInput`` where the columns
    cannot be told, or a file has two labels or is in two parts, and ``NamesNone``.
    """
    rows = _rows(table)
    known = {
        _composed(path.relative_to(root).as_posix()): path
        for path in sorted(root.rglob("*"))
        if left_out(path.relative_to(root)) is None and path.is_file()
    }
    by_name: dict[str, list[Path]] = {}
    for path in known.values():
        for key in (path.name, path.stem):
            by_name.setdefault(_composed(key), []).append(path)

    def found(text: str) -> Path | None:
        text = rest = _composed(text.strip().replace("\\", "/").removeprefix("./"))
        while "/" in rest and rest not in known:  # written where the folder was elsewhere
            rest = rest.partition("/")[2]
        exact = known.get(rest) if rest == text or "/" in rest else None
        near = by_name.get(rest, [])
        return exact or (near[0] if len(near) == 1 else None)

    file, label, part = _columns(table, rows, found)
    classes: Listed = {}
    seen: dict[Path, tuple[str, str]] = {}
    missing = [row[file] for row in rows if found(row[file]) is None]
    for row in rows:
        name, place = row[label].strip(), found(row[file])
        if place is None or not name:
            continue
        said = name, folded(row[part]) if part else ""
        if place not in seen:
            classes.setdefault(said[1], {}).setdefault(name, []).append(place)
        for first, other in zip(seen.setdefault(place, said), said, strict=True):
            if first != other:
                cause = f"it calls {row[file]!r} both {first!r} and {other!r}"
                raise _wrong(table, cause, "Keep one line for each picture")
    notes = [f"{len(missing)} × listed in {table.name}, not there: {store.some(missing, str)}"]
    return classes, notes if missing else []


def _composed(name: str) -> str:
    """A name with its accents composed, as systems differ there."""
    return unicodedata.normalize("NFC", name)


def _wrong(table: Path, cause: str, cure: str = CURE) -> store.BadInput:
    return store.BadInput(f"table {str(table)!r}", cause, cure)


def _text(table: Path) -> str:
    """What a spreadsheet wrote: in Unicode, or the 8 bits of older ones."""
    with reading(table):
        data = table.read_bytes()
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    with suppress(UnicodeDecodeError):
        return data.decode("utf-16" if wide else "utf-8-sig")
    return data.decode("cp1252", errors="replace")


def _rows(table: Path) -> list[dict[str, str]]:
    text = _text(table).lstrip("\r\n")
    first = text.partition("\n")[0]
    lines = csv.DictReader(
        io.StringIO(text, newline=None),
        delimiter=max(",;\t|", key=first.count),
        skipinitialspace=True,
        strict=True,
        restval="",
    )
    try:
        rows = [*lines] if "\0" not in text else None
    except csv.Error as error:
        cause = f"it cannot be read as CSV near its line {lines.line_num} ({error})"
        raise _wrong(table, cause, "Save it as CSV again") from None
    if rows is None:
        raise _wrong(table, "it is not a text", "Save it as CSV (UTF-8)")
    if not rows or len(rows[0]) < 2:
        raise _wrong(table, "it has no lines" if not rows else "it has one column")
    names = [name for name in lines.fieldnames or () if name.strip()]
    if len({*names}) < len(names):
        raise _wrong(table, f"two of its columns have one name: {store.some(names)}")
    return [{key: value for key, value in row.items() if isinstance(key, str)} for row in rows]


def _columns(table: Path, rows: Sequence[Mapping[str, str]], found) -> tuple[str, str, str | None]:
    """Which column holds the files, the labels and the parts."""
    names = [*rows[0]]
    picture = next((n for n in names if Path(n).suffix.lower() in ENDINGS and found(n)), None)
    if picture:
        raise _wrong(table, f"its first line lists {picture!r}, not the names of its columns")
    share = {name: sum(found(row[name]) is not None for row in rows) / len(rows) for name in names}
    file = max(share, key=lambda name: (share[name], folded(name) in FILES))
    part = next((name for name in names if folded(name) in PARTS and name != file), None)
    rest = [name for name in names if name not in (file, part)]
    label = next((n for wanted in LABELS for n in rest if folded(n) == wanted), None)
    label = label or (rest[0] if len(rest) == 1 else None)
    if not share[file]:
        cause = f"none of its columns, {store.some([*names])}, names files of {str(table.parent)!r}"
        raise NamesNone(f"table {str(table)!r}", cause, CURE)
    if label is None:
        cause = f"which of its columns is the class, {store.some(rest)}?"
        raise _wrong(table, cause, "Call that column label")
    return file, label, part
