import contextlib
import subprocess
import sys

import pytest

from tl_course import cli, lab, store


def test_lessons_are_copied_and_work_is_never_overwritten(tmp_path, capsys):
    folder = tmp_path / "my course"
    first, solved = folder / lab.FIRST, folder / "solutions" / lab.FIRST
    assert cli.main(["lab", "--dir", str(folder), "--copy-only"]) == 0
    assert first.read_bytes() == (lab.shipped() / lab.FIRST).read_bytes()
    assert solved.is_file() and not list(folder.rglob("*.py"))
    first.write_text("my own work")
    solved.unlink()
    capsys.readouterr()
    assert cli.main(["lab", "--dir", str(folder), "--copy-only"]) == 0
    assert first.read_text() == "my own work" and solved.is_file()
    out = capsys.readouterr().out
    assert "1 lessons copied" in out and f"left as you have them: {lab.FIRST}" in out


@pytest.mark.parametrize(
    ("name", "why"),
    [("taken", "it is a file"), ("~nobody-of-this-name/course", "no home folder of that name")],
)
def test_a_place_that_cannot_be(tmp_path, monkeypatch, capsys, name, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("x")
    assert cli.main(["lab", "--dir", name, "--copy-only"]) == 1
    assert why in capsys.readouterr().err


def test_a_checkout_opens_its_own_lessons():
    assert lab.place(None) == lab.shipped()


def test_an_installed_wheel_copies_into_the_working_folder(tmp_path, monkeypatch):
    package = tmp_path / "site" / "tl_course"
    monkeypatch.setattr(lab, "__file__", str(package / "lab.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(store.NotAvailable, match="Reinstall"):
        lab.place(None)
    (package / "notebooks").mkdir(parents=True)
    (package / "notebooks" / lab.FIRST).write_text("{}")
    assert lab.place(None).resolve() == (tmp_path / lab.DEFAULT_COPY).resolve()
    assert (tmp_path / lab.DEFAULT_COPY / lab.FIRST).is_file()


def test_jupyterlab_is_started_on_the_first_lesson(monkeypatch):
    seen = {"waited": 0}

    class Server(contextlib.nullcontext):
        def __init__(self, command, cwd):
            super().__init__(self)
            seen.update(command=command, cwd=cwd)

        def wait(self):
            seen["waited"] += 1
            if seen["waited"] < 3:
                raise KeyboardInterrupt  # JupyterLab got it too, and asks before it stops
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    assert cli.main(["lab", "--no-browser"]) == 0
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", lab.FIRST]
    assert seen == {"waited": 3, "command": command, "cwd": lab.shipped()}


def test_a_copy_inside_the_lessons_does_not_copy_itself(tmp_path, monkeypatch):
    lessons = tmp_path / "notebooks"
    lessons.mkdir()
    (lessons / lab.FIRST).write_text("{}")
    monkeypatch.setattr(lab, "shipped", lambda: lessons)
    for _ in range(2):
        lab.place(str(lessons / "mine"))
    assert len(list(lessons.rglob("*.ipynb"))) == 2
