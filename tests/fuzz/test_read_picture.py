"""Pictures of every format, damaged in every way: a picture, or the course's own error."""

import io
import subprocess
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from tl_course import store, tasks

pytestmark = pytest.mark.slow
# what is read, and formats that must not be
KINDS = {
    **dict.fromkeys(("JPEG", "TIFF"), ("RGB", "L", "CMYK", "1")),
    **dict.fromkeys(("PNG", "WEBP", "AVIF"), ("RGB", "RGBA", "L", "P", "LA", "1")),
    **dict.fromkeys(("GIF", "BMP", "PPM"), ("RGB", "L", "P", "1")),
    **dict.fromkeys(
        ("EPS", "TGA", "ICO", "PCX", "SGI", "PDF", "DDS", "ICNS", "JPEG2000"), ("RGB",)
    ),
    "MPO": ("RGB",),
}
STARTS = (
    *(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", b"%PDF-1.4\n", b"DDS "),
    *(
        b"SIMPLE  =                    T",
        b"\xd7\xcd\xc6\x9a",
        b"8BPS\0\1",
        b"P7\n",
        b"Pf\n2 2\n1\n",
    ),
    *(b"P6 9 9 65535\n", b"II*\0\x08\0\0\0", b"MM\0*", b"RIFF\0\0\0\0WEBP", b"\0\0\0\x18ftypavif"),
    *(
        b"\0\0\0\x18ftypheic",
        b"GIF89a",
        b"\x89PNG\r\n\x1a\n",
        b"\xff\xd8\xff",
        b"BM",
        b"",
        b"<svg>",
    ),
)


def encoded(kind: str, mode: str, width: int, height: int) -> bytes:
    pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    try:
        Image.fromarray(pixels).convert(mode).save(buffer, kind)
    except (OSError, ValueError):  # a mode that this format lacks
        Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def deep(kind: type, value: float) -> bytes:
    """A TIFF of numbers of more than 8 bits."""
    buffer = io.BytesIO()
    Image.fromarray(np.full((7, 5), value).astype(kind)).save(buffer, "TIFF")
    return buffer.getvalue()


SIDES = st.integers(1, 40)
WHOLE = st.one_of(
    *(
        st.builds(encoded, st.just(kind), st.sampled_from(modes), SIDES, SIDES)
        for kind, modes in KINDS.items()
    ),
    st.builds(deep, st.just(np.uint16), st.integers(0, 65535)),
    st.builds(deep, st.just(np.int32), st.integers(-(2**31), 2**31 - 1)),
    st.builds(deep, st.just(np.float32), st.floats(width=32)),
)


@st.composite
def damaged(draw) -> bytes:
    """A file, of which some bytes are others, are missing or are there twice."""
    data = bytearray(draw(WHOLE | st.builds(bytes.__add__, st.sampled_from(STARTS), st.binary())))
    for _ in range(draw(st.integers(0, 6))):
        place = draw(st.integers(0, len(data)))
        length = draw(st.integers(0, 8))
        data[place : place + length] = draw(
            st.binary(min_size=length, max_size=length)
            | st.binary(max_size=8)
            | st.sampled_from(STARTS)
            | st.sampled_from([b"\xff" * 4, b"\x7f\xff\xff\xff", bytes(4), bytes(8)])
        )
    end = draw(st.none() | st.integers(0, len(data)))
    return bytes(data[:end])


@settings(max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(data=damaged(), size=st.integers(1, 70))
@example(data=b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n{} loop", size=8)
def test_any_bytes(data, size):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail(f"{a} is started"))
        try:
            read = tasks.read_picture(data, size)
        except store.BadInput as error:
            assert error.thing == "this picture" and error.cause and error.cure
            return
    assert read.shape == (3, size, size) and read.dtype == np.uint8


@settings(max_examples=200, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck])
@given(
    data=st.none() | st.text() | st.integers() | st.binary() | st.lists(st.integers()),
    size=st.none() | st.text() | st.integers() | st.floats() | st.booleans(),
)
def test_any_arguments(data, size):
    with pytest.raises(store.BadInput):
        tasks.read_picture(data, size)
