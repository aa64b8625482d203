"""Pictures as people save them, and how to tell that two are one."""

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from tl_course import store

if TYPE_CHECKING:
    from PIL import Image

# a file's first bytes choose the decoder: of all that Pillow knows, some start other programs
FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM", "AVIF")
LARGEST = 100_000_000  # pixels; beyond this a picture would take gigabytes of memory to open
SIDE = 4096  # pixels; the largest size to read at
SAVE_AGAIN = "Leave it out or save it again as JPEG or PNG"


def read_picture(data: bytes, size: int) -> np.ndarray:
    """One encoded picture as uint8 (3, ``size``, ``size``), RGB, upright, centre-cropped.

    ``data`` is in one of ``FORMATS``. Turns what a camera marked as turned (EXIF), converts CMYK
    and palettes, lays transparent pictures on white. In 16-bit grey 65,535 is white; in 32 bits
    the least of 1 (of floats), 255 and 65,535 that nothing exceeds. Raises ``BadInput`` with the
    reason when it cannot.
    """
    from PIL import Image, ImageOps

    size = store.whole("size", size, most=SIDE)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about notes of a camera; what matters is raised
            picture: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            if picture.width * picture.height > LARGEST:
                many = f"{picture.width} × {picture.height} pixels are too many"
                raise refused(many, "Shrink it")
            kind = picture.format
            picture.draft("RGB", (2 * size, 2 * size))  # JPEG decodes at a fraction of its size
            picture.load()
            with contextlib.suppress(Exception):  # damaged notes of a camera
                picture = ImageOps.exif_transpose(picture)
            if picture.mode == "F" or picture.mode.startswith("I"):
                picture = _eight_bits(picture, kind)
            if "transparency" in picture.info or picture.mode in ("RGBA", "LA", "PA"):
                picture = picture.convert("RGBA")
                sheet = Image.new("RGBA", picture.size, "white")
                picture = Image.alpha_composite(sheet, picture)
            square = ImageOps.fit(picture.convert("RGB"), (size, size), Image.Resampling.BICUBIC)
    except store.BadInput:
        raise
    except Exception as error:  # decoders raise many kinds
        raise _unreadable(data, error) from None
    return np.asarray(square).transpose(2, 0, 1)


def _eight_bits(picture: "Image.Image", kind: str | None) -> "Image.Image":
    from PIL import Image

    grey = np.asarray(picture, dtype=np.float64)
    if not np.isfinite(grey).all():
        raise refused("some of its values are not finite numbers")
    whites = (1, 255, 65535) if picture.mode == "F" else (65535,)
    if (picture.mode, kind) == ("I", "TIFF"):  # in others it is 16 bits
        whites = (255, 65535, 2**31 - 1)
    black, white = grey.min(), grey.max()
    if black >= 0 and white <= whites[-1]:
        black, white = 0, min(each for each in whites if each >= white)
    # no usual scale holds the others: from their darkest to their brightest
    return Image.fromarray(((grey - black) / ((white - black) or 1) * 255).astype(np.uint8))


def _unreadable(data: bytes, error: Exception) -> store.BadInput:
    from PIL import Image

    if not isinstance(data, bytes | bytearray | memoryview):
        thing = f"a {type(data).__name__} as a picture"
        return store.BadInput(thing, "the bytes of a file are needed", "Pass path.read_bytes()")
    if isinstance(error, Image.DecompressionBombError):
        return refused("it has too many pixels", "Shrink it")
    if not data:
        return refused("it is empty, like a file that is still in a cloud", "Download it")
    if data[4:8] == b"ftyp" and data[8:12] not in (b"avif", b"avis"):
        return refused(
            "it is HEIC, which is not read here",
            "Convert it, on a Mac with `sips -s format jpeg x.heic --out x.jpg`, elsewhere with "
            "`magick x.heic x.jpg`; for the next ones set the phone's camera to JPEG",
        )
    return refused(f"it cannot be read as a picture ({type(error).__name__})")


def refused(cause: str, cure: str = SAVE_AGAIN) -> store.BadInput:
    """The error for a picture that cannot be read."""
    return store.BadInput("this picture", cause, cure)


def sketch(picture: np.ndarray) -> np.ndarray:
    """How bright a picture is at 16×16: float32 (256,), 0 for grey."""
    from PIL import Image

    grey = Image.fromarray(picture.transpose(1, 2, 0)).convert("L")
    return np.asarray(grey.resize((16, 16), Image.Resampling.BOX), np.float32).ravel() - 128


def alike(sketches: Sequence[np.ndarray], parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Pairs (later, earlier) in different ``parts`` that look as if one were the other saved again.

    Then sketches differ by less than 2 of 255 levels and by less than 15 % of their contrast, as
    root mean squares; no two photographs of the course's data sets do, but for copies.
    """
    every, groups = np.stack([*sketches, np.zeros(256, np.float32)])[:-1], np.asarray(parts)
    energy, limit = (every**2).mean(1), np.minimum(4, 0.0225 * every.var(1))
    for start in range(0, len(every), 256):
        rows = slice(start, start + 256)
        products = every[rows] @ every[: start + 256].T / every.shape[1]
        near = energy[rows, None] + energy[: start + 256] - 2 * products < limit[rows, None]
        near &= groups[rows, None] != groups[: start + 256]
        later, earlier = np.nonzero(np.tril(near, start - 1))
        for row, first in zip(*np.unique(later, return_index=True), strict=True):
            yield start + int(row), int(earlier[first])
