"""Weights: read from safetensors files only, never from pickles."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tl_course.store.errors import CorruptFile
from tl_course.store.places import html_fault, reading

CURE = "Get the file again from where it came, or make it again with its recipe"


def load_weights(path: str | Path) -> dict:
    """Return the tensors of a safetensors file by name, floating ones as float32.

    Other tensors (counters, masks) keep their type. Raises ``NotAvailable`` when there is no such
    file and ``CorruptFile`` for anything but a whole safetensors file with finite numbers; a pickle
    is refused unread, as reading one runs the program that it holds.
    """
    import safetensors.torch
    import torch

    path = Path(path)
    with _proper(path):
        # A copy: tensors that shared the file's bytes would change with it.
        tensors = safetensors.torch.load(path.read_bytes())
    for name, tensor in tensors.items():
        if not tensor.is_floating_point():
            continue
        tensors[name] = tensor.to(torch.float32)
        if not torch.isfinite(tensors[name]).all():
            cause = f"the tensor {name!r} holds values that are not finite numbers"
            raise CorruptFile(str(path), cause, CURE)
    return tensors


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file: text by name. Raises as ``load_weights`` does."""
    import safetensors

    path = Path(path)
    with _proper(path), safetensors.safe_open(path, "numpy") as file:
        return file.metadata() or {}


def load_official(path: str | Path) -> dict:
    """Return the tensors of a .pth file that its authors publish, by name, as float32.

    torchvision publishes its weights in no other format. PyTorch's restricted reader is used
    (``weights_only``), which builds tensors and runs no program. Raises ``CorruptFile`` for a file
    with anything else in it, and for a damaged one.
    """
    import torch

    try:
        tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: tensor.float() for name, tensor in tensors.items()}
    except (pickle.UnpicklingError, RuntimeError, EOFError, AttributeError) as error:
        why = str(error).partition("\n")[0] or "it ends too early"
        cause = f"it is no file of plain tensors ({why})"
        raise CorruptFile(str(path), cause, CURE) from None


@contextmanager
def _proper(path: Path) -> Iterator[None]:
    """Say what else a file is, or what is wrong with it, where it is no whole safetensors file."""
    import safetensors

    try:
        with reading(path):
            with path.open("rb") as file:
                start = file.read(2)
            yield
    except (safetensors.SafetensorError, KeyError, ValueError, RuntimeError) as error:
        refused = "is refused: reading one runs whatever it holds; only safetensors are read"
        if not start:
            cause = "it is empty"
        elif start == b"PK":
            cause = f"it is a zip archive, as torch.save writes; its pickle {refused}"
        elif start[:1] == b"\x80":
            cause = f"it is a pickle, which {refused}"
        elif "covered" in str(error) or "header length" in str(error):
            cause = f"it is truncated, or has more than it says ({error})"
        else:
            cause = html_fault(path) or f"it is no proper safetensors file ({error})"
        raise CorruptFile(str(path), cause, CURE) from error
