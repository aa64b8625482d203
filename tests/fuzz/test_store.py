"""Any value where a path belongs, and any bytes in a file that others have published."""

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from fuzz.odd import ODD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tl_course import store

pytestmark = pytest.mark.slow
WEIGHTS = {"a.weight": torch.arange(12.0).reshape(4, 3), "b": torch.arange(3)}
FILES = {  # the names under which they are found, and how they are read
    "rsscn7.zip": ("satellite", store.check_archive),
    "pneumoniamnist.npz": ("pneumonia", store.check_archive),
    "resnet18-f37072fd.pth": ("resnet18", store.load_official),
    "vgg16-397923af.pth": ("vgg16", store.load_official),
    "net.safetensors": (None, store.load_weights),
}
EDITS = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 40), st.binary(max_size=9)), min_size=1, max_size=4
)
fuzzed = settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=[*HealthCheck]
)


def written(file: str) -> bytes:
    """A whole file of this name."""
    if file == "net.safetensors":
        return safetensors.torch.save(WEIGHTS, {"key": "text"})
    buffer = io.BytesIO()
    if file == "rsscn7.zip":
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for place in range(3):
                archive.writestr(f"d/{place}.txt", bytes(range(200)) * 3)
    elif file == "pneumoniamnist.npz":
        np.savez_compressed(buffer, x=np.arange(9), y=np.ones((3, 3)))
    else:
        old = file.startswith("vgg16")
        torch.save(WEIGHTS, buffer, _use_new_zipfile_serialization=not old)
    return buffer.getvalue()


@fuzzed
@given(st.sampled_from((store.user_path, store.sha256, *(read for _, read in FILES.values()))), ODD)
def test_any_value_where_a_path_belongs(take, value):
    try:
        found = take(value)
    except store.CourseError as error:
        assert len(str(error)) < 600
    else:
        assert isinstance(found, Path) and take is store.user_path


@fuzzed
@given(st.sampled_from([*FILES]), EDITS)
def test_any_bytes_in_a_published_file(tmp_path_factory, file, edits):
    folder = tmp_path_factory.getbasetemp() / "bytes"
    folder.mkdir(exist_ok=True)
    content = written(file)
    for place, gone, new in edits:
        start = int(place * len(content))
        content = content[:start] + new + content[start + gone :]
    (folder / file).write_bytes(content)
    os.utime(folder / file, ns=(hash(content), hash(content)))
    name, read = FILES[file]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_DATA", str(folder))
        patch.setenv("TL_COURSE_CACHE", str(folder / "cache"))
        asked = [lambda: read(folder / file)]
        asked += [lambda: store.fetch(name), lambda: store.unpack(name)] if name else []
        for ask in asked:
            try:
                ask()
            except (store.CorruptFile, store.UnsafeArchive) as error:
                assert "\n" not in str(error) and len(str(error)) < 600
                assert "weights_only" not in str(error)
        if name and (here := store.locate(name)):
            assert here == store.fetch(name)
