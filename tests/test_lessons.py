"""What every lesson must be; nbval runs the cells, and test_solutions.py the solutions."""

import ast
import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

from tl_course import evidence, lessons

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"
spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

SOURCES = build.sources()
BUILT = [
    (NOTEBOOKS / folder / f"{source.stem}.ipynb", source, solved)
    for source in SOURCES
    for folder, solved in (("", False), ("solutions", True))
]
IDS = [f"{'solution ' if solved else ''}{path.stem}" for path, _, solved in BUILT]
CLAIM = re.compile(r"\b(?:" + "|".join({c.id.split("-")[0] for c in evidence.CLAIMS}) + r")-\d+\b")
each = pytest.mark.parametrize(("path", "source", "solved"), BUILT, ids=IDS)


def code_cells(notebook):
    return [c for c in notebook.cells if c.cell_type == "code" and c.source.strip()]


def test_there_are_lessons():
    assert (NOTEBOOKS / "00_start_here.ipynb").is_file() and SOURCES
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == {s.stem for s in SOURCES}


@each
def test_notebook_is_in_step_with_its_source(path, source, solved):
    stored, fresh = nbformat.read(path, 4), build.compose(source, solved)
    assert [(c.id, c.source) for c in stored.cells] == [(c.id, c.source) for c in fresh.cells]


@each
def test_every_cell_was_run_in_order_without_error(path, source, solved):
    notebook = nbformat.read(path, 4)
    cells = code_cells(notebook)
    assert [c.execution_count for c in cells] == [*range(1, len(cells) + 1)]
    assert not [o for c in cells for o in c.outputs if o.output_type == "error"]
    assert len({c.id for c in notebook.cells}) == len(notebook.cells)


@each
def test_pictures_have_alt_text_and_the_file_is_small(path, source, solved):
    pictures = 0
    for cell in code_cells(nbformat.read(path, 4)):
        for output in cell.outputs:
            if "image/png" in output.get("data", {}):
                pictures += 1
                assert len(output.metadata["image/png"]["alt"]) > 20, cell.source
    assert pictures >= 3
    assert path.stat().st_size <= 1_500_000


@each
def test_cells_are_short(path, source, solved):
    for cell in nbformat.read(path, 4).cells:
        lines = [line for line in cell.source.splitlines() if line.strip()]
        if cell.cell_type == "code":
            assert len(lines) <= 12, cell.source
        else:
            words = re.sub(r"[#|*`<>/-]+", " ", cell.source).split()
            assert len(words) <= 80, f"{len(words)} words: {cell.source}"


@each
def test_nothing_of_this_machine_is_stored(path, source, solved):
    text = path.read_text(encoding="utf-8")
    for trace in (str(Path.home()), str(NOTEBOOKS.parent), "widget-view+json", "it/s]"):
        assert trace not in text
    assert "text/html" not in text or "data:image" not in text


@each
def test_solutions_stand_only_in_solutions(path, source, solved):
    lesson = source.read_text(encoding="utf-8")
    answers = build.SOLUTION.findall(lesson)
    assert answers, "a lesson has at least one exercise"
    text = "\n".join(c.source for c in nbformat.read(path, 4).cells)
    assert "SOLUTION" not in text
    for answer in answers:
        assert (answer.strip() in text) == solved


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_claims_named_in_a_lesson_exist(source):
    named = set(CLAIM.findall(source.read_text(encoding="utf-8")))
    assert named, "a lesson says which claims it settles"
    assert named <= {claim.id for claim in evidence.CLAIMS}


@pytest.mark.parametrize("source", SOURCES, ids=lambda s: s.stem)
def test_a_lesson_opens_with_a_question_and_asks_for_a_prediction(source):
    text = source.read_text(encoding="utf-8")
    title = re.search(r"^# # (.+)$", text, re.M).group(1)
    assert title.endswith("?")
    assert re.search(r"practice\.predict(_ranking)?\(", text) and "practice.compare" in text
    assert "pip install" not in text
    ast.parse(text)


def test_settled_claims_point_to_lessons_that_exist():
    for verdict in lessons.table():
        if verdict.verdict != "open":
            source = NOTEBOOKS / "source" / f"{verdict.lesson}.py"
            assert verdict.id in source.read_text(encoding="utf-8")


@each
def test_the_exercise_checks_see_the_solution(path, source, solved):
    said = [
        output.text.splitlines()[-1]
        for cell in code_cells(nbformat.read(path, 4))
        if "exercise" in cell.metadata.get("tags", []) and ".check_" in cell.source
        for output in cell.outputs
        if output.output_type == "stream"  # a chart may stand before it
    ]
    assert said
    for line in said:
        assert line.startswith("Right" if solved else "Not yet"), line
