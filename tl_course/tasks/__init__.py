"""Data sets by name: ``load`` gives a ``Task``; ``folder`` makes one of your own pictures."""

from collections.abc import Callable
from functools import lru_cache, partial
from importlib import import_module

from tl_course import store
from tl_course.tasks import number_words
from tl_course.tasks.examples import CREDITS, examples
from tl_course.tasks.folder import SkippedFiles, folder, read_picture
from tl_course.tasks.number_words import NAMES as LANGUAGES
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


def _leaves(training: int = 1500) -> Task:
    from tl_course.tasks import generated, leaves

    return generated.make(
        leaves,
        "Leaf clinic",
        (training, 500, 1000),
        overlap="slight: plants are in the background of source pictures, no class is a leaf",
    )


def _large_leaves() -> Task:
    from tl_course.tasks import generated, leaves

    return generated.make(
        leaves,
        "Leaf clinic, larger originals",
        (500, 200, 500),
        overlap="slight: plants are in the background of source pictures, no class is a leaf",
        side=128,
    )


def _materials(training: int = 800) -> Task:
    from tl_course.tasks import generated, materials

    return generated.make(
        materials,
        "Materials",
        (training, 200, 800),
        overlap="large: such surfaces are part of everyday photographs, though no class is one",
    )


def _letters() -> Task:
    from tl_course.tasks import text_pictures

    return text_pictures.letters()


def _noise() -> Task:
    from tl_course.tasks import generated, noise

    return generated.make(
        noise,
        "Noise textures",
        (2000, 200, 400),
        overlap="of textures alone: no photograph is noise",
    )


def _concept(kind: str) -> Task:
    from tl_course.tasks import concepts, generated

    return generated.make(
        concepts,
        f"Concepts: {kind}",
        (800, 200, 600),
        overlap="of concepts alone: the source has photographs, these are drawings",
        kind=kind,
    )


def _pacs(style: str) -> Task:
    from tl_course.tasks import pacs

    return pacs.load(style)


def _file(name: str) -> Callable[[], Task]:
    return lambda: import_module(f"tl_course.tasks.{name}").load()


MANY = 10_000  # training labels of the generated tasks whose names end in "_many"
CONCEPTS = ("edges", "corners", "parts", "objects")
_LOADERS: dict[str, Callable[[], Task]] = {
    "leaves": _leaves,
    "leaves_128": _large_leaves,
    "materials": _materials,
    "leaves_many": partial(_leaves, MANY),
    "materials_many": partial(_materials, MANY),
    "noise": _noise,
    "text_letters": _letters,
    **{f"concepts_{kind}": partial(_concept, kind) for kind in CONCEPTS},
    **{name: _file(name) for name in ("digits", "satellite", "pneumonia", "hymenoptera")},
    **{name: _file(name) for name in ("docstrings", "text_pictures", "sounds", "spoken_digits")},
    "tiny_imagenet": _file("tiny_imagenet"),
    **{f"pacs_{style}": partial(_pacs, style) for style in ("photo", "art", "cartoon", "sketch")},
    **{f"numbers_{language}": partial(number_words.load, language) for language in LANGUAGES},
}
# tasks whose file is not in the package, and that file's name in the catalogue
PUBLISHED = {
    **{name: name for name in ("satellite", "pneumonia", "hymenoptera", "tiny_imagenet")},
    "spoken_digits": "spoken_digits",
    **{name: "pacs" for name in _LOADERS if name.startswith("pacs_")},
}


def names() -> tuple[str, ...]:
    """Every task there is; those in ``PUBLISHED`` need a file that is not in the package."""
    return tuple(_LOADERS)


def load(name: str) -> Task:
    """The task called ``name``. Raises ``UnknownName``, or ``NotAvailable`` without its file."""
    return _load(store.choose("task", name, _LOADERS))


def available(name: str) -> bool:
    """Whether ``load(name)`` works without a network. Raises ``UnknownName``."""
    store.choose("task", name, _LOADERS)
    return name not in PUBLISHED or store.locate(PUBLISHED[name]) is not None


@lru_cache(maxsize=8)
def _load(name: str) -> Task:
    return _LOADERS[name]()
