"""Pictures in folders, one a class: a learner's own, and those of published archives."""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.store.places import reading
from tl_course.tasks.listed import NamesNone, listed, tables_of
from tl_course.tasks.pictures import SIDE
from tl_course.tasks.reading import ENDINGS, UNWANTED, Reader, Source, folded, hidden
from tl_course.tasks.task import Split, Task, divide

if TYPE_CHECKING:
    from torch import nn

LEAST = 5  # pictures of a class that can be divided: one to choose, one to test
SPLIT = re.compile(
    r"\d*(?:(?P<train>train(?:ing)?|trn)|(?P<val>val(?:id(?:ation)?)?|dev(?:el(?:opment)?)?)"
    r"|(?P<test>test(?:ing)?|tst|holdout)|(?P<eval>eval(?:uation)?))\d*s?"
    r"(?:data(?:set)?|set|split|folder|images?|imgs?|pictures?|pics?|photos?)?\d*"
)
PARTS = {"test": "the test", "val": "validation", "train": "training"}  # in the order of reading
Inside = dict[str, dict[str, Source]]  # from a part to its class folders, or files, by name


def folder(
    path: str | Path,
    size: "int | nn.Module" = 129,
    seed: int = 0,
    classes: Sequence[str] | None = None,
    labels: str | Path | None = None,
    groups: Callable[[str], object] | None = None,
    without: Collection[str] = (),
) -> Task:
    """A task from your own pictures: ``path/CLASS/a.jpg``, or the same below train, val, test.

    Pictures become uint8 (3, ``size``, ``size``); ``size`` may be the network that will see them,
    and is by default what ``models.load("lite0")`` takes. Without ready-made splits a fifth of
    each class is held out for validation and a fifth for the test: a class needs 5 pictures, or 1
    in each of train, val and test. ``classes`` are names in an order, such as ``model.classes``;
    other folders are then left out, and a name without a folder is a class without pictures.

    ``labels``: a CSV file with a column of file names and a column ``label`` (and ``split``, if it
    is known); one that lies beside loose pictures is found. ``groups`` tells from a file's name,
    such as ``"cat/anna_3.jpg"``, what it belongs to, such as ``"anna"``: what belongs together is
    never in two splits. ``without`` names files to leave out, such as ``"cat/anna_3.jpg"``.

    Files that cannot be read, copies of others and what is in hidden folders are left out, with one
    ``SkippedFiles`` warning that counts them by reason; it names those that look like another saved
    again, too. What took long to read is kept in the cache. Raises ``BadInput`` for fewer than two
    classes, a class with too few pictures, and folders that may be read in two ways.
    """
    ready = getattr(size, "preprocess", None)
    size = store.whole("size", getattr(ready, "size", size), most=SIDE)
    seed = store.whole("seed", seed, least=0)
    root = store.user_path(path)
    with reading(root):
        if not root.is_dir():
            raise _wrong(
                root,
                "it is a file" if root.exists() else "there is no such folder",
                "Pass a folder that holds one folder of pictures for each class",
            )
    wanted = None if classes is None else _names(classes)
    several = isinstance(without, Collection) and not isinstance(without, str)
    if not several or not all(isinstance(name, str) for name in without):
        cause, cure = "it must be a list of names", 'Pass ["cat/anna_3.jpg"]'
        raise store.BadInput(f"without={without!r:.60}", cause, cure)
    names, inside, notes, table = _sources(root, labels, wanted)
    reader = Reader(root, names, size, alike=True, keep=True, without=without)
    reader.notes += notes
    with reader.keeping():
        read = {part: reader.read(inside[part]) for part in PARTS if part in inside}
    if unknown := sorted({*without} - {*reader.skipped.get(UNWANTED, ())}):
        cause = f"there are no such pictures in {root.resolve().name}: {store.some(unknown)}"
        raise store.BadInput("without=…", cause, "Name them as task.train.files does")
    unused = f"not listed in {table.name}" if table else "in no class folder"
    absent = f"Nothing in {table.name}" if table else "No folder of pictures"
    reader.strays([each for found in inside.values() for each in found.values()], unused)
    whole = len(read) == len(PARTS)
    for part, split in read.items():
        where = f" for {PARTS[part]}" if len(read) > 1 else ""
        missing = [name for name in names if name not in inside[part]]
        if wanted and missing:
            reader.notes.append(f"{absent}{where}: {store.some(missing)}")
        # what other parts lack is taken from training
        least = 1 if whole or part != "train" else LEAST
        reader.require(split, [*inside[part]] if wanted else names, least, where)
    reader.finish(apart=whole)
    return Task(
        root.resolve().name or str(root),
        root.resolve().name or str(root),
        names,
        *_complete(read, seed, groups, names),
        licence="yours",
        source=str(root),
        overlap="not known: everyday objects may be among the classes of the source",
    )


def unpacked(name: str, classes: Sequence[str], inside: str | None = None) -> Split:
    """Every picture of a published archive at 64×64, labelled by the order of ``classes``.

    ``classes`` are folders side by side, in a folder called ``inside`` if given. Raises
    ``CorruptFile`` unless they are there, and once, and ``BadInput`` for a class without pictures;
    warns of files that cannot be read.
    """
    top = store.unpack(name)
    roots = [
        path
        for path in (top, *sorted(top.rglob("*")))
        if inside in (None, path.name)
        and "__MACOSX" not in path.parts
        and all((path / each).is_dir() for each in classes)
    ]
    if len(roots) != 1:
        place = "one folder" if inside is None else f"one folder {inside!r}"
        raise store.CorruptFile(
            name,
            f"the archive does not hold {place} with the folders {', '.join(classes)}",
            "Get it again from its publisher",
        )
    reader = Reader(roots[0], classes, 64)
    split = reader.read({each: roots[0] / each for each in classes})
    reader.require(split, classes)
    reader.finish()
    return Split(split.inputs, split.labels)


def together(files: Iterable[str], groups: Callable[[str], object]) -> list[object]:
    """What each of ``files`` belongs to, as ``groups`` tells. Raises ``BadInput`` where it fails,
    or gives None or what cannot be compared.
    """
    found = []
    for file in files:
        try:
            found.append(groups(file))
            hash(found[-1])
            if found[-1] is None:
                raise TypeError("it gives None")
        except Exception as error:  # it is the learner's
            cause = f"it fails for {file!r} ({type(error).__name__}: {error})"
            cure = "It takes a file's name, and returns a text or a number"
            raise store.BadInput("groups=…", cause, cure) from error
    return found


def _wrong(root: Path, cause: str, cure: str) -> store.BadInput:
    return store.BadInput(f"folder {str(root)!r}", cause, cure)


def _composed(name: str) -> str:
    """A name with its accents composed, as systems differ there, and without what is no text."""
    return unicodedata.normalize("NFC", name.encode(errors="replace").decode())


def _folders(root: Path, all: bool = False) -> dict[str, Path]:
    """The folders of ``root`` by name."""
    with reading(root):
        found = sorted(p for p in root.iterdir() if p.is_dir() and (all or not hidden(p.name)))
    named = {_composed(path.name): path for path in found}
    if len(named) < len(found):
        cause = "two of its folders have one name, but for how accents are stored"
        raise _wrong(root, cause, "Put their pictures together")
    return named


def _ready_made(root: Path, classes: Sequence[str]) -> dict[str, Path]:
    """The folders train, val and test of ``root``, however they are called; none for classes."""
    children = _folders(root)
    if children.keys() & map(_composed, classes):
        return {}
    found = {name: SPLIT.fullmatch(folded(name)) for name in children}
    others = [name for name in found if not found[name]]
    known = {name: match.lastgroup for name, match in found.items() if match}
    if others and len(known) < 2:
        known = {name: role for name, role in known.items() if _holds_folders(children[name])}
    if others and known:
        raise _wrong(
            root,
            f"it mixes train, val or test with other folders: {store.some(others)}",
            "Move the others away, or pass a folder with one folder for each class",
        )
    parts: dict[str, Path] = {}
    for name, role in known.items():
        if role == "eval":  # beside a test it is for validation
            role = "val" if "test" in known.values() else "test"
        if role in parts:
            cause = f"two of its folders are {PARTS[role]}: {parts[role].name!r} and {name!r}"
            raise _wrong(root, cause, "Keep one of them")
        parts[str(role)] = children[name]
    if parts and "train" not in parts:
        raise _wrong(
            root,
            f"it has {' and '.join(map(repr, known))} but no train",
            "Add a folder named train, or pass a folder with one folder for each class",
        )
    return parts


def _holds_folders(root: Path) -> bool:
    """Whether there are folders rather than pictures in ``root``, but for a stray one."""
    with reading(root):
        pictures = sum(path.suffix.lower() in ENDINGS for path in root.iterdir())
    return pictures < len(_folders(root))


def _sources(
    root: Path, labels: str | Path | None, wanted: tuple[str, ...] | None
) -> tuple[tuple[str, ...], Inside, list[str], Path | None]:
    """The classes and what is read of each; what is to be told; the table that says so, if any."""
    tables = tables_of(root) if labels is None else [store.user_path(labels, "labels")]
    notes = []
    if len(tables) == 1:
        try:
            return *_listed(root, tables[0], wanted), tables[0]
        except NamesNone as error:
            top = _ready_made(root, wanted or ()).get("train", root)
            if labels is not None or len(_folders(top)) < 2:
                raise
            notes = [f"Not used: {tables[0].name}, as {error.cause}"]
    tops = _ready_made(root, wanted or ()) or {"train": root}
    names, inside = _every(root, tops) if wanted is None else _chosen(root, wanted, tops)
    return names, inside, notes, None


def _listed(
    root: Path, table: Path, wanted: tuple[str, ...] | None
) -> tuple[tuple[str, ...], Inside, list[str]]:
    """The classes, and files in each part, as a table lists them; and what is to be told."""
    by_part, notes = listed(root, table)
    names = wanted or tuple(sorted({name for found in by_part.values() for name in found}))
    if len(names) < 2:
        cause = f"it has only one class, {names[0]!r}" if names else "it names no class"
        cause = "; ".join([cause, *notes])
        raise store.BadInput(
            f"table {str(table)!r}", cause, "List pictures of two classes at least"
        )
    inside: dict[str, dict[str, list[Path]]] = {}
    roles = {name: _role(table, name) for name in by_part}
    for name, found in by_part.items():
        part = roles[name]
        if part == "eval":  # beside a test it is for validation
            part = "val" if "test" in roles.values() else "test"
        for each in names:
            if each in found:
                inside.setdefault(part, {}).setdefault(each, []).extend(found[each])
    if not inside:
        cause = f"it lists no picture of {store.some(names)}"
        raise store.BadInput(f"table {str(table)!r}", cause, "Pass the names of its classes")
    if "train" not in inside:
        cause = f"it lists pictures for {' and '.join(inside)} but none for train"
        raise store.BadInput(f"table {str(table)!r}", cause, "List some as train")
    return names, {part: {**found} for part, found in inside.items()}, notes


def _role(table: Path, name: str) -> str:
    """Which part a table's ``name`` of one is; what has none is for training."""
    match = SPLIT.fullmatch(name or "train")
    if not match:
        cause = f"its column of splits says {name!r}"
        raise store.BadInput(f"table {str(table)!r}", cause, "Say train, val or test")
    return str(match.lastgroup)


def _every(root: Path, tops: Mapping[str, Path]) -> tuple[tuple[str, ...], Inside]:
    """All class folders of each part. Raises ``BadInput`` where others may be the classes."""
    folders = {part: _folders(top) for part, top in tops.items()}
    names = sorted({name for found in folders.values() for name in found})
    if len(names) < 2:
        unseen = sorted(_folders(root, all=True).keys() - _folders(root))
        cause = (
            f"it has only one class folder, {names[0]!r}" if names else "it has no class folders"
        )
        cause += f" but hidden ones: {store.some(unseen)}" if unseen else ""
        cure = "Put the pictures of each class into a folder of its own; two classes at least"
        if tables := [path.name for path in tables_of(root)]:
            cause += f" but several tables: {store.some(tables)}"
            cure += f". Or pass one of them: labels={str(root / tables[0])!r}"
        raise _wrong(root, cause, cure)
    for found in folders.values():
        below = {name: _folders(path) for name, path in found.items() if _holds_folders(path)}
        every = [each for inner in below.values() for each in inner]
        shared = {each for each in every if every.count(each) > 1}
        if shared and len({*every}) > 1:
            both = [name for name, inner in below.items() if shared & inner.keys()]
            raise _wrong(
                root,
                f"its classes may be {store.some(both)}, or else {store.some(sorted({*every}))}, "
                "as these are folders in several of them",
                f"If the first, pass classes={both[:2]} and so on; if the second, name one folder "
                "train and one test, or put the pictures of each class together",
            )
    return tuple(names), {part: dict(found) for part, found in folders.items()}


def _names(classes: Sequence[str]) -> tuple[str, ...]:
    names = () if isinstance(classes, str) or not isinstance(classes, Iterable) else (*classes,)
    proper = all(isinstance(name, str) and name for name in names)
    if not names or not proper or len({*map(_composed, names)}) < len(names):
        thing, cause = f"classes={classes!r}", "it must be a list of different names"
        raise store.BadInput(thing, cause, 'Pass ["ant", "bee"] or model.classes')
    return names


def _chosen(
    root: Path, names: tuple[str, ...], tops: Mapping[str, Path]
) -> tuple[tuple[str, ...], Inside]:
    """The ``names`` that the caller wants, and their folders in each part."""
    inside: Inside = {}
    for part, top in tops.items():
        found = _folders(top, all=True)
        inside[part] = {n: found[_composed(n)] for n in names if _composed(n) in found}
        near = {folded(name): name for name in found.keys() - map(_composed, names)}
        for name in names:
            if name not in inside[part] and folded(name) in near:
                cause = f"{str(top)!r} has no folder of this name, but {near[folded(name)]!r}"
                raise store.BadInput(f"class {name!r}", cause, "Rename the folder or the class")
    if not any(inside.values()):
        cause = f"it has no folder of {store.some(names)}"
        raise _wrong(root, cause, "Pass the names of its folders")
    return names, inside


def _complete(
    read: Mapping[str, Split],
    seed: int,
    groups: Callable[[str], object] | None,
    names: tuple[str, ...],
) -> tuple[Split, Split, Split]:
    """Make up for missing splits: a lone ``val`` is the test set, ``val`` is cut from ``train``."""
    train, val, test = read["train"], read.get("val"), read.get("test")
    belonging = together(train.files, groups) if groups else None
    if test is None:
        val, test = None, val
    if test is None:
        parts = divide(train, (0.2, 0.2), seed, belonging)
    elif val is None:
        parts = (*divide(train, (0.2, 0.0), seed, belonging)[:2], test)
    else:
        parts = train, val, test
    if groups:
        _stay_apart(parts, groups, names, {*train.labels.tolist()})
    return parts


def _stay_apart(
    parts: tuple[Split, Split, Split],
    groups: Callable[[str], object],
    names: tuple[str, ...],
    wanted: set[int],
) -> None:
    """Refuse groups that are in two splits, or leave a split without a class."""
    found = [{*together(split.files, groups)} for split in parts]
    shared = (found[0] & found[1]) | (found[0] & found[2]) | (found[1] & found[2])
    if shared:
        cause = f"{len(shared)} of them are in two of the folder's own splits"
        raise store.BadInput("groups=…", cause, "Divide the folder anew, or leave groups out")
    lacking = {label for split in parts for label in wanted - {*split.labels.tolist()}}
    if lacking:
        few = store.some([names[label] for label in sorted(lacking)])
        cause = f"what belongs together makes too few groups of {few}"
        raise store.BadInput("groups=…", cause, "Each class needs five groups or more")
