"""The solutions of the exercises, each with the few statements before it on which it depends.

Solved notebooks share nearly all cells with the blank ones, which nbval runs whole; the solved ones
are run whole among the slow tests.
"""

import ast
import importlib.util
import symtable
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parent.parent / "notebooks" / "build.py"
spec = importlib.util.spec_from_file_location("build", SCRIPT)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)
VERDICTS = ("Right", "Not yet")


def names_in(node: ast.AST) -> tuple[set[str], set[str]]:
    """Names of the notebook that a piece of code uses, and those to which it gives an object."""
    table = symtable.symtable(ast.unparse(node), "cell", "exec")
    used = {name.get_name() for name in table.get_symbols() if name.is_referenced()}
    given = {n.get_name() for n in table.get_symbols() if n.is_assigned() or n.is_imported()}
    inside = table.get_children()
    while inside:
        scope = inside.pop()
        used |= {name.get_name() for name in scope.get_symbols() if name.is_global()}
        inside += scope.get_children()
    return used, given


def changed(node: ast.stmt, modules: set[str]) -> set[str]:
    """Names whose objects a statement may change: by a store, or by a call that stands alone."""
    found = set()
    for n in () if isinstance(node, ast.FunctionDef | ast.ClassDef) else ast.walk(node):
        into = isinstance(n, ast.Attribute | ast.Subscript) and isinstance(n.ctx, ast.Store)
        alone = isinstance(n, ast.Expr) and isinstance(n.value, ast.Call)
        if into or (alone and ast.unparse(n.value.func) not in ("print", "plots.show")):
            found |= names_in(n)[0]
            if isinstance(node, ast.For):  # what it runs over may change by its parts
                found |= names_in(node.iter)[0]
    return found - modules


def slice_of(cells: list[str], exercises: list[int]) -> list[tuple[int, ast.stmt]]:
    """The exercises, and of the cells before them each statement on which they depend."""
    body = [(i, node) for i, cell in enumerate(cells) for node in ast.parse(cell).body]
    imports = [node for _, node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = set().union(*(names_in(node)[1] for node in imports))
    kept, wanted = [], set()
    for index, node in reversed(body):
        used, given = names_in(node)
        if index in exercises or wanted & (given | changed(node, modules)):
            if not isinstance(node, ast.AugAssign | ast.If | ast.For | ast.With):
                wanted -= given
            wanted |= used
            kept.append((index, node))
    return kept[::-1]


@pytest.mark.parametrize("source", build.sources(), ids=lambda s: s.stem)
def test_solutions_are_right(source, tmp_path, monkeypatch, capsys):
    blank, solved = (
        [c.source for c in build.compose(source, solved).cells if c.cell_type == "code"]
        for solved in (False, True)
    )
    exercises = [i for i, (old, new) in enumerate(zip(blank, solved, strict=True)) if old != new]
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__main__"}
    for index, node in slice_of(solved, exercises):
        code = compile(ast.Module([node], []), f"{source.stem}, cell {index}", "exec")
        exec(code, names)
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith(VERDICTS)]
    assert len(said) >= len(exercises) and all(line.startswith("Right") for line in said), said
