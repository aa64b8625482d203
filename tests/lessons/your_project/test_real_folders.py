"""Lesson 13 from top to bottom on folders of real photographs, whose pictures nobody stores."""

import importlib.util
from pathlib import Path

import pytest
from nbclient import NotebookClient

from tl_course import store, tasks

NOTEBOOKS = Path(__file__).resolve().parents[3] / "notebooks"
FOLDERS = {"pacs_photo": "photo", "satellite": "RSSCN7", "hymenoptera": "train"}


@pytest.mark.slow
@pytest.mark.parametrize("name", FOLDERS)
def test_the_lesson_runs_on_a_real_folder(name, tmp_path):
    if not tasks.available(name):
        pytest.skip(f"{name} is not here: TL_COURSE_DATA does not name a folder with its file")
    spec = importlib.util.spec_from_file_location("build", NOTEBOOKS / "build.py")
    build = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(build)
    folder = next(store.unpack(tasks.PUBLISHED[name]).rglob(FOLDERS[name]))
    notebook = build.compose(NOTEBOOKS / "source" / "13_your_project.py", solved=True)
    changes = {
        "your_project.example_folder()": repr(str(folder)),
        'return file.rpartition("_")[0]': "return file",
        'WRONG = {"fur/piece11_1.jpg", "weave/piece11_1.jpg"}': "WRONG = set()",
    }
    text = "\n".join(cell.source for cell in notebook.cells)
    for before, after in changes.items():
        assert before in text
        for cell in notebook.cells:
            cell.source = cell.source.replace(before, after)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": tmp_path}}).execute()
    said = [o.text for c in notebook.cells for o in c.get("outputs", ()) if "text" in o]
    (sentence,) = [line for line in "".join(said).splitlines() if "With your" in line][:1]
    print(f"\n{name}: {sentence}")
    assert (tmp_path / "my_model" / "card.md").exists()
