"""Files that ship inside the package, with a manifest that says what they are."""

from __future__ import annotations

import json
from pathlib import Path

from tl_course.store.errors import (
    BadInput,
    CorruptFile,
    CourseError,
    NotAvailable,
    StorageError,
    choose,
)
from tl_course.store.places import once, reading, sha256, write_atomically

EMBEDDED = Path(__file__).resolve().parents[1] / "embedded"
MANIFEST = "manifest.json"
REINSTALL = "Reinstall the package with `pip install --force-reinstall --no-deps tl-course`"
# Seconds to wait while other processes change the manifest.
PATIENCE = 30


def manifest() -> dict[str, dict]:
    """Return what ships inside the package: by name, an entry for each embedded file.

    An entry's keys: file, sha256, bytes, recipe, licence, source, and for weights torch (the
    version that wrote them). Raises ``CorruptFile`` when the manifest cannot be read.
    """
    return _read_manifest(EMBEDDED)


def embedded(name: str) -> Path:
    """Return the path of an embedded file, which is compared with its SHA-256 once per process.

    A file that changed since is compared again. Raises ``UnknownName``, ``NotAvailable`` when the
    file is missing and ``CorruptFile`` when its content is not what the manifest says.
    """
    entries = manifest()
    entry = entries[choose("embedded file", name, entries)]
    path = EMBEDDED / entry["file"]
    cure = f"{REINSTALL}, or make the file again with {entry['recipe']}"
    if not path.is_file():
        raise NotAvailable(f"{name} ({path})", "the embedded file is missing", cure)
    once(path, _compare, name, entry["sha256"], cure)
    return path


def _compare(path: Path, name: str, expected: str, cure: str) -> None:
    found = sha256(path)
    if found != expected:
        cause = f"its SHA-256 is {found[:12]}…, not {expected[:12]}…: it is damaged"
        raise CorruptFile(f"{name} ({path})", cause, cure)


def write_embedded(
    name: str,
    tensors: dict,
    *,
    recipe: str,
    source: str,
    licence: str,
    metadata: dict[str, str] | None = None,
    folder: Path | None = None,
) -> Path:
    """Write weights as NAME.safetensors with a manifest entry, and return the file's path.

    Floating tensors become float16, others keep their type. ``recipe`` is the command that makes
    the file, ``source`` the data it was trained on. ``folder`` is the package's own unless given.
    The same tensors give the same bytes. Raises ``BadInput`` for values that float16 cannot hold.
    """
    import safetensors.torch
    import torch

    kept = {key: _halved(name, key, tensor) for key, tensor in tensors.items()}
    texts = {"recipe": recipe, "source": source, "licence": licence, **(metadata or {})}
    for key, text in texts.items():
        if not isinstance(text, str):
            raise BadInput(f"metadata {key!r} of {name}", f"{text!r} is not text", "Pass a str")
    path = Path(folder or EMBEDDED) / f"{name}.safetensors"
    write_atomically(path, _sorted_header(safetensors.torch.save(kept, texts)))
    # Without the build's suffix, which says nothing about the numbers.
    version = torch.__version__.partition("+")[0]
    add_to_manifest(path, name, recipe=recipe, source=source, licence=licence, torch=version)
    return path


def add_to_manifest(
    path: Path, name: str, *, recipe: str, source: str, licence: str, **about: str
) -> None:
    """Enter a file that lies in the embedded folder (or beside another manifest) under ``name``.

    Replaces an entry of the same name and keeps the others. Raises ``NotAvailable`` when there is
    no such file and ``StorageError`` when the manifest cannot be written.
    """
    from filelock import FileLock

    path = Path(path).resolve()
    folder = EMBEDDED if path.is_relative_to(EMBEDDED) else path.parent
    entry = {
        "file": path.relative_to(folder).as_posix(),
        "sha256": sha256(path),
        "bytes": path.stat().st_size,
        "recipe": recipe,
        "source": source,
        "licence": licence,
        **about,
    }
    try:
        # No other process changes the manifest between its reading and its writing.
        with FileLock(folder / f".{MANIFEST}.lock", timeout=PATIENCE):
            entries = {**_read_manifest(folder), name: entry}
            text = json.dumps(entries, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            write_atomically(folder / MANIFEST, text.encode())
    except CourseError:
        raise
    except OSError as error:
        cause = f"it cannot be locked ({error.strerror or error})"
        cure = "Check that the folder may be written to, and that nothing else writes there"
        raise StorageError(str(folder / MANIFEST), cause, cure) from error


def _halved(name: str, key: str, tensor):
    import torch

    tensor = tensor.detach().cpu()
    if not tensor.is_floating_point():
        return tensor.clone().contiguous()
    half = tensor.to(torch.float16)
    if not torch.isfinite(half).all():
        cause = "it holds values that are not finite or above 65,504, the most that float16 holds"
        raise BadInput(f"tensor {key!r} of {name}", cause, "Check the training that made it")
    return half.clone().contiguous()


def _sorted_header(content: bytes) -> bytes:
    # The library writes metadata in an order that changes from run to run, so that the same
    # weights would get another checksum each time.
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def _read_manifest(folder: Path) -> dict[str, dict]:
    path = folder / MANIFEST
    if not path.exists():
        return {}
    try:
        with reading(path):
            entries = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptFile(str(path), f"it is not JSON ({error})", REINSTALL) from error
    if not isinstance(entries, dict):
        raise CorruptFile(str(path), "it is not a table of entries", REINSTALL)
    return entries
