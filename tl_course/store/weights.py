"""Weights: read from safetensors files only, never from pickles."""

from __future__ import annotations

import json
from pathlib import Path

from tl_course.store.errors import CorruptFile
from tl_course.store.places import html_fault, unreadable

# The format's own library accepts no longer header.
MAX_HEADER_BYTES = 100_000_000
METADATA = "__metadata__"
CURE = "Get the file again from where it came, or make it again with its recipe"


def load_weights(path: str | Path) -> dict:
    """Return the tensors of a safetensors file by name, floating ones as float32.

    Other tensors (counters, masks) keep their type. Raises `NotAvailable` when there is no such
    file and `CorruptFile` for anything but a whole safetensors file with finite numbers; a pickle
    is refused unread, as reading one runs the program that it holds.
    """
    path = Path(path)
    _header(path)
    import safetensors
    import safetensors.torch
    import torch

    try:
        tensors = safetensors.torch.load(path.read_bytes())
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise CorruptFile(str(path), f"it is no proper safetensors file ({error})", CURE) from error
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        tensors[name] = tensor.to(torch.float32)
        if not torch.isfinite(tensors[name]).all():
            cause = f"the tensor {name!r} holds values that are not finite numbers"
            raise CorruptFile(str(path), cause, CURE)
    return tensors


def load_official(path: str | Path) -> dict:
    """Return the tensors of a .pth file that its authors publish, by name, as float32.

    torchvision publishes its weights in no other format. PyTorch's restricted reader is used
    (``weights_only``), which builds tensors and runs no program. Raises
    `CorruptFile` for a file with anything else in it, and for a damaged one.
    """
    import pickle

    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float() for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        cause = f"it is no file of plain tensors ({str(error).splitlines()[0]})"
        raise CorruptFile(str(path), cause, CURE) from None


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file: text by name. Raises as `load_weights` does."""
    return dict(_header(Path(path)).get(METADATA) or {})


def _header(path: Path) -> dict:
    """Return a safetensors file's header: each tensor's type, shape and place, by name."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(8)
            length = int.from_bytes(start, "little")
            text = file.read(length) if length <= MAX_HEADER_BYTES else b""
        fault = _foreign(start) or html_fault(path)
    except OSError as error:
        raise unreadable(path, error) from error
    header = _parse(text)
    fault = fault or _incomplete(header, 8 + length, size)
    if fault is not None:
        raise CorruptFile(str(path), fault, CURE)
    return header


def _foreign(start: bytes) -> str | None:
    """Say what other kind of file begins like this; None if it may be a safetensors file."""
    refused = "is refused: reading one runs whatever program it holds; only safetensors are read"
    if start[:2] == b"PK":
        return f"it is a zip archive, as torch.save writes; its pickle {refused}"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return f"it is a pickle, which {refused}"
    return None


def _parse(text: bytes) -> dict | None:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def _incomplete(header: dict | None, start: int, size: int) -> str | None:
    """Say what is missing of a safetensors file of `size` bytes whose tensors begin at `start`."""
    if header is None:
        if 8 < size < start <= MAX_HEADER_BYTES:
            return f"it is truncated: {size:,} bytes, but its header alone takes {start:,}"
        return "it is not a safetensors file" if size else "it is empty"
    try:
        ends = [each["data_offsets"][1] for name, each in header.items() if name != METADATA]
        whole = start + max(ends, default=0)
    except (TypeError, KeyError, IndexError):
        return "it is not a safetensors file"
    if size != whole:
        verb = "is truncated" if size < whole else "has more than it says"
        return f"it {verb}: {size:,} bytes, not {whole:,}"
    return None
