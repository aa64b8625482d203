"""Cells that run out of order: the first that makes a name is told, and none is made anew later."""

import json
import os
import symtable
import sys
from pathlib import Path
from types import SimpleNamespace

import jupytext
import pytest
from jupyter_client.manager import start_new_kernel

from tl_course import lab
from tl_course.practice import grading, order

SOURCES = sorted((Path(__file__).parents[1] / "notebooks" / "source").glob("0*.py"))
CELLS = (
    ("markdown", "# A lesson\n\ntext"),
    ("code", "import os\nfrom re import sub as other"),
    ("code", "%matplotlib inline\nmagic = 1"),
    ("markdown", "text\n## A part\n### Of it"),
    ("code", "first = 1\nfor each in range(3):\n    second = [x for x in range(each)]"),
    ("raw", "raw = 1"),
    ("code", "def work(given):\n    inside = given\n    return first\n"),
    ("code", "first = 2"),
)


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "lesson.ipynb"
    cells = [{"cell_type": kind, "source": text.splitlines(True)} for kind, text in CELLS]
    path.write_text(json.dumps({"cells": cells}))
    return path


@pytest.mark.parametrize(
    ("name", "heading", "start"),
    [
        ("os", "A lesson", "import os"),
        ("other", "A lesson", "import os"),
        ("first", "Of it", "first = 1"),
        ("each", "Of it", "first = 1"),
        ("work", "Of it", "def work(given):"),
        *((name, None, None) for name in ("sub", "x", "inside", "given", "raw", "magic", "", None)),
    ],
)
def test_the_first_cell_that_makes_a_name(notebook, name, heading, start):
    found = order.maker(name, notebook)
    said = f"The cell under “{heading}” that begins with “{start}” makes {name}. Run it first"
    assert found.startswith(said) if heading else not found


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b'{"cells": [{}]}', b'{"cells": 5}', b"\xff"]
)
def test_without_a_notebook_an_error_stands_for_itself(tmp_path, content):
    (tmp_path / "lesson.ipynb").write_bytes(content)
    for place in (tmp_path / "lesson.ipynb", tmp_path, tmp_path / "none", Path()):
        assert order.maker("first", place) == ""


def test_a_check_says_it_too(notebook, monkeypatch):
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    code: dict = {}
    exec("def mine(given):\n    return first + given", code)
    check = grading.graded(lambda: grading.compare_cases(code["mine"], [("1", 1)], abs))
    for said in (check(), grading.graded(lambda: code["mine"](1))()):
        assert "NameError: name 'first' is not defined. The cell under “Of it”" in said
        assert said.startswith("Not yet: ") and said.endswith("Selected Cell.")


def test_a_handler_of_your_own_stays(monkeypatch):
    shell = SimpleNamespace(custom_exceptions=(ValueError,))
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    order.watch()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: None))
    order.watch()
    assert shell.custom_exceptions == (ValueError,)


@pytest.mark.localhost
def test_a_kernel_of_the_course_says_it_from_the_first_cell_on(notebook, monkeypatch):
    started = {}
    monkeypatch.setenv("JPY_SESSION_NAME", str(notebook))
    monkeypatch.setattr(os, "chdir", lambda folder: None)
    monkeypatch.setattr(os, "execve", lambda *given: started.update(given[-1]))
    monkeypatch.setattr(lab.subprocess, "Popen", None)
    with pytest.raises(TypeError):
        lab.open_lab(notebook.parent, [])
    manager, client = start_new_kernel(env=started)
    try:
        heard = []
        for code in ("first + 1", "1 / 0", "nowhere"):
            client.execute_interactive(code, output_hook=heard.append, timeout=60)
        errors = [each["content"] for each in heard if each["msg_type"] == "error"]
        assert [error["ename"] for error in errors] == [
            "NameError",
            "ZeroDivisionError",
            "NameError",
        ]
        told = ["makes" in "".join(error["traceback"]) for error in errors]
        assert told == [True, False, False]
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def taken(code: str) -> set[str]:
    """The names that a cell takes from others."""
    tables = [symtable.symtable(code, "", "exec")]
    for table in tables:
        tables += table.get_children()
    used = {s.get_name() for table in tables for s in table.get_symbols() if s.is_global()}
    return used - order.made(code)


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_cell_changes_what_an_earlier_one_took(path):
    """So that a cell that is run again gives the same again."""
    cells = [cell.source for cell in jupytext.read(path).cells if cell.cell_type == "code"]
    makers: dict[str, list[int]] = {}
    for place, code in enumerate(cells):
        for name in order.made(code):
            makers.setdefault(name, []).append(place)
    for place, code in enumerate(cells):
        for name in taken(code):
            first, *others = makers.get(name, [0])
            late = [cells[other] for other in others if other > place]
            assert first <= place and not late, f"{name} is made anew by {late}"
