"""The house: imports run one way, modules say what they are, lessons are found by looking."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import tl_course
from tl_course import evidence, lessons

PACKAGE = Path(tl_course.__file__).parent
NOTEBOOKS = PACKAGE.parent / "notebooks" / "source"


def test_imports_keep_their_contracts():
    """Rooms import downward only, no lesson another, and few know widgets: see pyproject.toml."""
    linter = Path(sys.executable).parent / "lint-imports"
    found = subprocess.run(
        [linter, "--no-cache"], cwd=PACKAGE.parent, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stdout


def test_every_module_imports_and_says_what_it_is():
    for module in pkgutil.walk_packages(tl_course.__path__, "tl_course."):
        if ".notebooks" not in module.name:
            assert importlib.import_module(module.name).__doc__, module.name


def test_no_room_is_called_utils():
    files = [path for path in PACKAGE.rglob("*.py") if path.parent.name != "source"]
    assert not [path for path in files if "util" in path.stem or "helper" in path.stem]


def test_every_lesson_has_the_name_of_its_notebook():
    stems = sorted(path.stem for path in NOTEBOOKS.glob("*.py"))
    assert [stem[3:] for stem in stems] == [*lessons.names()]


def test_a_lesson_gives_what_it_says():
    for name in lessons.names():
        lesson = importlib.import_module(f"tl_course.lessons.{name}")
        assert [getattr(lesson, each) for each in dir(lesson)]


def test_rules_settle_claims_that_exist_and_each_only_once():
    rules = [
        claim
        for name in lessons.names()
        for claim in importlib.import_module(f"tl_course.lessons.{name}.rules").RULES
    ]
    assert len(rules) == len({*rules}) and {*rules} <= {claim.id for claim in evidence.CLAIMS}
