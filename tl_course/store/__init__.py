"""Where bytes come from: embedded files, the user's data folder, the cache, downloads.

Whatever is not the user's own is compared with a full checksum, and everything that can go wrong
is raised as one of the course's own errors.
"""

from tl_course.store.archives import archive, check_archive, unpack
from tl_course.store.catalogue import Published, published
from tl_course.store.errors import (
    BadInput,
    CorruptFile,
    CourseError,
    NotAvailable,
    StorageError,
    UnknownName,
    UnsafeArchive,
    choose,
    number,
    some,
    whole,
)
from tl_course.store.fetching import fetch, locate, within
from tl_course.store.keeping import keep, kept
from tl_course.store.places import (
    cache_dir,
    data_dir,
    sha256,
    sweep,
    user_path,
    write_atomically,
)
from tl_course.store.shipped import (
    EMBEDDED,
    REINSTALL,
    add_to_manifest,
    embedded,
    manifest,
    write_embedded,
)
from tl_course.store.weights import load_official, load_weights, read_metadata

__all__ = [
    "EMBEDDED",
    "REINSTALL",
    "BadInput",
    "CorruptFile",
    "CourseError",
    "NotAvailable",
    "Published",
    "StorageError",
    "UnknownName",
    "UnsafeArchive",
    "add_to_manifest",
    "archive",
    "cache_dir",
    "check_archive",
    "choose",
    "data_dir",
    "embedded",
    "fetch",
    "keep",
    "kept",
    "load_official",
    "load_weights",
    "locate",
    "manifest",
    "number",
    "published",
    "read_metadata",
    "sha256",
    "some",
    "sweep",
    "unpack",
    "user_path",
    "whole",
    "within",
    "write_atomically",
    "write_embedded",
]
