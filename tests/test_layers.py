"""Imports run one way, from the command line down to the store."""

import ast
import importlib
import pkgutil
from pathlib import Path

import pytest

import tl_course

PACKAGE = Path(tl_course.__file__).parent
ORDER = (
    ("cli",),
    ("lab", "doctor"),
    ("widgets",),
    ("practice",),
    ("plots",),
    ("evidence",),
    ("train",),
    ("features", "surgery"),
    ("models", "tasks"),
    ("store",),
)
LEVEL = {room: level for level, rooms in enumerate(ORDER) for room in rooms}
FILES = sorted(p for p in PACKAGE.rglob("*.py") if p.parent.name != "source")


def room_of(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    base = ["tl_course", *path.relative_to(PACKAGE).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            start = base[: len(base) - node.level + 1] if node.level else []
            module = ".".join([*start, *([node.module] if node.module else [])])
            names = [f"{module}.{alias.name}" for alias in node.names]
        for name in names:
            parts = name.split(".")
            if parts[0] == "tl_course" and len(parts) > 1:
                rooms.add(parts[1])
    return rooms


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_downward(path):
    room = room_of(path)
    if room == "__init__":
        assert not imported_rooms(path)
        return
    assert room in LEVEL, f"{room} is a new room: give it a place in ORDER, and in the README"
    for other in imported_rooms(path) - {room, "__version__"}:
        assert LEVEL[other] > LEVEL[room], f"{path.name}: {room} imports {other}, which is above it"


def test_only_widgets_import_ipywidgets():
    for path in FILES:
        if room_of(path) != "widgets":
            assert "import ipywidgets" not in path.read_text(encoding="utf-8"), path


def test_store_imports_nothing_of_the_course():
    for path in (PACKAGE / "store").rglob("*.py"):
        assert imported_rooms(path) <= {"store"}, path


def test_every_module_imports_and_says_what_it_is():
    for module in pkgutil.walk_packages(tl_course.__path__, "tl_course."):
        if ".notebooks" not in module.name:
            assert importlib.import_module(module.name).__doc__, module.name


def test_no_room_is_called_utils():
    assert not [p for p in FILES if "util" in p.stem or "helper" in p.stem]
