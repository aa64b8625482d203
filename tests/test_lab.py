import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import psutil
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
    [
        ("taken", "it is a file"),
        ("~nobody-of-this-name/course", "no home folder of that name"),
        ("x" * 300, "File name too long"),
        ("x/" * 2040 + "y", "File name too long"),  # there is no room for the lessons in it
        ("", "it is empty"),
        ("taken/inside", "cannot be written (Not a directory"),
    ],
)
def test_a_place_that_cannot_be(tmp_path, monkeypatch, capsys, name, why):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("x")
    assert cli.main(["lab", "--dir", name, "--copy-only"]) == 1
    told = capsys.readouterr().err
    assert why in told and told.startswith("tl-course: ") and told.count("\n") == 1


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


COMMAND = [sys.executable, "-m", "jupyterlab", "--no-browser", lab.FIRST]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows waits instead")
def test_jupyterlab_takes_the_place_of_the_command(monkeypatch):
    seen = []
    monkeypatch.setattr(os, "chdir", seen.append)
    monkeypatch.setattr(os, "execve", lambda *given: seen.extend(given))
    monkeypatch.setenv("PYTHONSTARTUP", "mine.py")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", "mine")
    monkeypatch.setattr(subprocess, "Popen", None)
    with contextlib.suppress(TypeError):  # nothing comes after it
        cli.main(["lab", "--no-browser"])
    assert seen[:3] == [lab.shipped(), sys.executable, COMMAND]
    assert seen[3]["PYTHONSTARTUP"] == "mine.py", "what is set stays"
    assert seen[3]["JUPYTER_CONFIG_PATH"] == f"{lab.GIVEN}{os.pathsep}mine"


@pytest.mark.slow
@pytest.mark.localhost
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("sent", ["SIGTERM", "SIGHUP", "SIGKILL"])
def test_whatever_ends_the_command_ends_jupyterlab(tmp_path, sent):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.token="]
    options += ["--ServerApp.disable_check_xsrf=True"]

    def ask(place: str, data: bytes | None = None) -> str:
        return urllib.request.urlopen(f"http://127.0.0.1:{port}/{place}", data, 30).read().decode()

    command = [sys.executable, "-m", "tl_course.cli", "lab", "--dir", str(tmp_path), *options]
    started = psutil.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),  # under nohup, too
    )
    family = [started]
    try:
        for _ in range(240):
            with contextlib.suppress(OSError):
                ask("api/kernels", b"{}")
                break
            time.sleep(0.5)
        news = ask("lab/api/settings/@jupyterlab/apputils-extension:notification")
        family += started.children(True)
        started.send_signal(getattr(signal, sent))
        assert not psutil.wait_procs(family, timeout=60)[1]
    finally:
        for process in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
    assert len(family) > 1, "a kernel was running"
    assert json.loads(news)["schema"]["properties"]["fetchNews"]["default"] == "false"
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", port), timeout=5):
        pass


def test_windows_waits_for_jupyterlab(monkeypatch):
    seen = {"waited": 0}

    class Server(contextlib.nullcontext):
        def __init__(self, command, cwd, env):
            assert "PYTHONSTARTUP" in env
            super().__init__(self)
            seen.update(command=command, cwd=cwd)

        def wait(self):
            seen["waited"] += 1
            if seen["waited"] < 3:
                raise KeyboardInterrupt  # JupyterLab got it too, and asks before it stops
            return 0

    monkeypatch.setattr(subprocess, "Popen", Server)
    monkeypatch.setattr(sys, "platform", "win32")
    assert lab.open_lab(lab.shipped(), ["--no-browser"]) == 0
    assert seen == {"waited": 3, "command": COMMAND, "cwd": lab.shipped()}


def test_a_copy_inside_the_lessons_does_not_copy_itself(tmp_path, monkeypatch):
    lessons = tmp_path / "notebooks"
    lessons.mkdir()
    (lessons / lab.FIRST).write_text("{}")
    monkeypatch.setattr(lab, "shipped", lambda: lessons)
    for _ in range(2):
        lab.place(str(lessons / "mine"))
    assert len(list(lessons.rglob("*.ipynb"))) == 2
