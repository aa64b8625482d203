"""Weights: read from files of plain tensors, never from what runs a program."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course.store.errors import CorruptFile, CourseError
from tl_course.store.places import html_fault, reading, user_path

if TYPE_CHECKING:
    import torch

CURE = "Get the file again from where it came, or make it again with its recipe"


def load_weights(path: str | Path) -> dict:
    """Return the tensors of a safetensors file by name, floating ones as float32.

    Other tensors (counters, masks) keep their type. Raises ``NotAvailable`` when there is no such
    file and ``CorruptFile`` for anything but a whole safetensors file with finite numbers; a pickle
    is refused unread, as reading one runs the program that it holds.
    """
    import safetensors.torch
    import torch

    path = user_path(path)
    with _whole(path):
        # A copy: tensors that shared the file's bytes would change with it.
        tensors = safetensors.torch.load(path.read_bytes())
    for name, tensor in tensors.items():
        if tensor.is_floating_point():
            tensors[name] = _finite(path, name, tensor.to(torch.float32))
    return tensors


def read_metadata(path: str | Path) -> dict[str, str]:
    """Return the metadata of a safetensors file: text by name. Raises as ``load_weights`` does."""
    import safetensors

    path = user_path(path)
    with _whole(path), safetensors.safe_open(path, "numpy") as file:
        return file.metadata() or {}


def load_official(path: str | Path) -> dict:
    """Return the tensors of a .pth file that its authors publish, by name, as float32.

    torchvision publishes its weights in no other format. PyTorch's restricted reader is used
    (``weights_only``), which builds tensors and runs no program. Raises ``NotAvailable`` when there
    is no such file and ``CorruptFile`` for anything but a whole one with finite numbers.
    """
    import torch

    path = user_path(path)
    with _whole(path, "it is damaged, or holds something other than plain tensors by name"):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of damaged files, which the error tells of
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        return {name: _finite(path, name, tensor.float()) for name, tensor in tensors.items()}


def _finite(path: Path, name: str, tensor: torch.Tensor) -> torch.Tensor:
    if not tensor.isfinite().all():
        cause = f"the tensor {name!r} holds values that are not finite numbers"
        raise CorruptFile(str(path), cause, CURE)
    return tensor


@contextmanager
def _whole(path: Path, otherwise: str = "") -> Iterator[None]:
    """Say what is wrong with a file that does not read: ``otherwise``, or as no safetensors file.

    What broken bytes may do to a reader has no end, and what a reader advises then may mislead.
    """
    with reading(path), path.open("rb") as file:
        start = file.read(2)
    try:
        yield
    except CourseError:
        raise
    except Exception as error:
        refused = "is refused: reading one runs whatever it holds; only safetensors are read"
        if not start:
            cause = "it is empty"
        elif fault := html_fault(path) or otherwise:
            cause = fault
        elif start == b"PK":
            cause = f"it is a zip archive, as torch.save writes; its pickle {refused}"
        elif start[:1] == b"\x80":
            cause = f"it is a pickle, which {refused}"
        elif "covered" in str(error) or "header length" in str(error):
            cause = f"it is truncated, or has more than it says ({error})"
        else:
            cause = f"it is no proper safetensors file ({error})"
        raise CorruptFile(str(path), cause, CURE) from None
