"""Data sets by name: ``load`` gives a ``Task``; ``folder`` makes one of your own pictures."""

from functools import lru_cache
from importlib import import_module

from tl_course import store
from tl_course.tasks import number_words
from tl_course.tasks.examples import CREDITS, examples
from tl_course.tasks.folder import folder
from tl_course.tasks.pictures import read_picture
from tl_course.tasks.reading import SkippedFiles
from tl_course.tasks.task import Split, Task

__all__ = [
    "CREDITS",
    "SkippedFiles",
    "Split",
    "Task",
    "available",
    "examples",
    "folder",
    "load",
    "names",
    "read_picture",
]

MANY = 10_000  # training labels of the generated tasks whose names end in "_many"
CONCEPTS = ("edges", "corners", "parts", "objects")
# each task's file, and what the file's ``load`` is told
_FILES: dict[str, tuple] = {
    "leaves": ("leaves",),
    "leaves_128": ("leaves", "Leaf clinic, larger originals", (500, 200, 500), 128),
    "materials": ("materials",),
    "leaves_many": ("leaves", "Leaf clinic", (MANY, 500, 1000)),
    "materials_many": ("materials", MANY),
    "noise": ("noise",),
    "text_letters": ("docstrings", "text_letters"),
    **{f"concepts_{kind}": ("concepts", kind) for kind in CONCEPTS},
    **{name: (name,) for name in ("digits", "satellite", "pneumonia", "hymenoptera")},
    **{name: (name,) for name in ("docstrings", "text_pictures", "sounds", "spoken_digits")},
    "tiny_imagenet": ("tiny_imagenet",),
    **{f"pacs_{style}": ("pacs", style) for style in ("photo", "art", "cartoon", "sketch")},
    **{f"numbers_{language}": ("number_words", language) for language in number_words.NAMES},
}
# tasks whose file is not in the package, and that file's name in the catalogue
PUBLISHED = {
    **{name: name for name in ("satellite", "pneumonia", "hymenoptera", "tiny_imagenet")},
    "spoken_digits": "spoken_digits",
    **{name: "pacs" for name in _FILES if name.startswith("pacs_")},
}


def names() -> tuple[str, ...]:
    """Every task there is; those in ``PUBLISHED`` need a file that is not in the package."""
    return tuple(_FILES)


def load(name: str) -> Task:
    """The task called ``name``. Raises ``UnknownName``, or ``NotAvailable`` without its file."""
    return _load(store.choose("task", name, _FILES))


def available(name: str) -> bool:
    """Whether ``load(name)`` works without a network. Raises ``UnknownName``."""
    store.choose("task", name, _FILES)
    return name not in PUBLISHED or store.locate(PUBLISHED[name]) is not None


@lru_cache(maxsize=8)
def _load(name: str) -> Task:
    file, *told = _FILES[name]
    return import_module(f"tl_course.tasks.{file}").load(*told)
