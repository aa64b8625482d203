"""Cells that run out of order: a name that is missing comes with the cell that makes it."""

import contextlib
import json
import os
import re
import symtable
import sys
from pathlib import Path


def watch() -> None:
    """Let ``NameError`` say which cell of this notebook makes the name, if any does."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell and not shell.custom_exceptions:
        shell.set_custom_exc((NameError,), _explained)


def _explained(shell, kind, error, trace, tb_offset=None) -> None:
    if found := hint(error):
        error.add_note(found)
    shell.showtraceback((kind, error, trace), tb_offset=tb_offset)


def hint(error: Exception) -> str:
    """The cell of this notebook that makes the name which is missing, else nothing."""
    name = error.name if isinstance(error, NameError) else None
    return maker(name, Path(os.environ.get("JPY_SESSION_NAME", ""))) if name else ""


def maker(name: str, notebook: Path) -> str:
    """The first cell that makes ``name``, in a sentence; empty where none does."""
    heading = notebook.stem
    with contextlib.suppress(OSError, ValueError, LookupError, TypeError):  # it cannot be read
        for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
            text = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                heading = [heading, *re.findall(r"^#+ +(.+)", text, re.M)][-1]
            elif cell["cell_type"] == "code" and name in made(text):
                first = f"The cell under “{heading}” that begins with “{text.splitlines()[0]}”"
                above = "Run it first, or all above: Run > Run All Above Selected Cell."
                return f"{first} makes {name}. {above}"
    return ""


def made(code: str) -> set[str]:
    """The names that a cell makes; none where it is not Python alone."""
    try:
        names = symtable.symtable(code, "", "exec").get_symbols()
    except SyntaxError:
        return set()
    return {name.get_name() for name in names if name.is_assigned() or name.is_imported()}
