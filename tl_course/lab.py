"""Where the lessons are, how they are copied for a learner, and how JupyterLab is opened."""

import filecmp
import os
import subprocess
import sys
from pathlib import Path

from tl_course import store

FIRST = "00_start_here.ipynb"
DEFAULT_COPY = "transfer-learning-course"
GIVEN = Path(__file__).parent / "jupyter"  # what JupyterLab is to begin with


def shipped() -> Path:
    """The folder of lessons: in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).parent
    for folder in (package / "notebooks", package.parent / "notebooks"):
        if (folder / FIRST).is_file():
            return folder
    raise store.NotAvailable(
        "the lessons",
        f"{FIRST} is neither in the package nor beside it",
        "Reinstall the course: pip install --force-reinstall --no-deps tl-course",
    )


def place(target: str | None) -> Path:
    """The folder to open. Copies the lessons to ``target`` first, or out of an installed wheel.

    A file that is there already is never touched, so that no work of yours is lost.
    """
    source = shipped()
    if target is None:
        if source.parent != Path(__file__).parent:
            return source
        target = DEFAULT_COPY
    folder = store.user_path(target, "--dir")
    if folder.exists() and not folder.is_dir():
        raise store.BadInput(f"--dir {target}", "it is a file", "Name a folder, new or existing")
    copied, kept = 0, []
    for path in sorted(source.rglob("*.ipynb")):
        inner = path.relative_to(source)
        if any(part.startswith(".") for part in inner.parts) or folder.resolve() in path.parents:
            continue
        copy = folder / inner
        if copy.exists():
            if not filecmp.cmp(path, copy, shallow=False):
                kept.append(str(inner))
            continue
        store.write_atomically(copy, path.read_bytes())
        copied += 1
    print(f"{copied} lessons copied to {folder}")
    if kept:
        print(f"left as you have them: {', '.join(kept)} (rename one to get a fresh copy)")
    return folder


def open_lab(folder: Path, options: list[str]) -> int:
    """JupyterLab in ``folder`` with the first lesson open; gives its exit status.

    It takes the place of this process, so that whatever ends this ends JupyterLab. Windows knows no
    such thing: there this waits, and only goes on waiting at Ctrl-C, which reaches JupyterLab too.
    """
    paths = str(GIVEN), os.environ.get("JUPYTER_CONFIG_PATH")
    given = {"PYTHONSTARTUP": str(GIVEN / "startup.py"), **os.environ}
    given["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, paths))
    command = [sys.executable, "-m", "jupyterlab", *options, FIRST]
    if sys.platform != "win32":
        os.chdir(folder)
        sys.stdout.flush()
        os.execve(sys.executable, command, given)
    with subprocess.Popen(command, cwd=folder, env=given) as server:
        while True:
            try:
                return server.wait()
            except KeyboardInterrupt:
                continue
