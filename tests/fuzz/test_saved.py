"""Damaged and changed files, and models of every kind: opened as they were saved, or refused."""

import copy
import json
import warnings
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from fuzz.odd import ODD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load, save_file
from torch import nn

from tl_course import models, store, surgery, train
from tl_course.models import saved

pytestmark = pytest.mark.slow
ANY = settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
INPUTS = {
    "resnet10": torch.randint(0, 256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(0)),
    "bert": torch.tensor([[114, 97, 105, 110], [111, 110, 101, 0]]),
}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 99) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=4,
)


def shown(name: str) -> torch.Tensor:
    return INPUTS[name].to(torch.uint8 if name == "resnet10" else torch.int32)


class Kept(NamedTuple):
    """A model, its file, and the bytes of it."""

    name: str
    model: nn.Module
    path: Path
    whole: bytes

    def __repr__(self) -> str:
        return f"Kept({self.name!r})"


@pytest.fixture(scope="module", params=["resnet10", "bert"])
def kept(request, tmp_path_factory):
    torch.manual_seed(0)
    model = models.load(request.param, pretrained=False, classes=["a", "b", "c"])
    path = models.save(model, tmp_path_factory.mktemp("saved") / "model")
    return Kept(request.param, model, path, path.read_bytes())


def says_the_same(name: str, model: nn.Module, path) -> None:
    """Only what was saved opens; the check is of its answers."""
    try:
        found = models.open(path)
    except store.CourseError as error:
        assert len(str(error)) < 1200, error
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = (train.predict(each, shown(name)) for each in (found, model))
    torch.testing.assert_close(*answers)
    assert found.classes == model.classes


@ANY
@given(st.data())
def test_changed_bytes(kept, data):
    name, model, path, whole = kept
    changed = bytearray(whole)
    header = 8 + int.from_bytes(whole[:8], "little")
    place = st.integers(0, header - 1) | st.integers(0, len(whole) - 1)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(place)
        end = data.draw(st.sampled_from((start, start, start + 1, start + 9, len(changed))))
        changed[start:end] = data.draw(st.binary(max_size=9))
    path.with_name("changed.safetensors").write_bytes(changed)
    says_the_same(name, model, path.with_name("changed.safetensors"))


@ANY
@given(st.data())
def test_changed_fields(kept, data):
    """Whoever changes the JSON and its checksum too gets what was asked for, or a refusal."""
    name, model, path, whole = kept
    said = json.loads(store.read_metadata(path)["tl_course"])
    about = spot = copy.deepcopy(said)
    while isinstance(spot, dict | list) and spot:
        keys = [*spot] if isinstance(spot, dict) else [*range(len(spot))]
        key = data.draw(st.sampled_from(keys))
        if isinstance(spot[key], dict | list) and spot[key] and data.draw(st.booleans()):
            spot = spot[key]
            continue
        match data.draw(st.sampled_from(("change", "change", "remove", "add"))):
            case "change":
                spot[key] = data.draw(JSON)
            case "remove":
                del spot[key]
            case "add" if isinstance(spot, dict):
                spot[data.draw(st.text(max_size=5))] = data.draw(JSON)
        break
    if "check" in about and data.draw(st.booleans()):
        about["check"] = saved._digest(about)
    changed = path.with_name("changed.safetensors")
    save_file(load(whole), changed, {"tl_course": json.dumps(about)})
    try:
        found = models.open(changed)
    except store.CourseError as error:
        assert len(str(error)) < 1200, error
        return
    assert len(found.classes) == models.outputs(found)
    if about.get("config") == said.get("config"):  # what another one does is the library's affair
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert train.predict(found, shown(name)).shape == (2, len(found.classes))


def put(place: str, value: object):
    def change(model: nn.Module) -> None:
        owner, _, name = place.rpartition(".")
        setattr(model.get_submodule(owner), name, value)

    return change


CHANGES = st.one_of(
    st.tuples(
        st.sampled_from(
            ("classes", "preprocess", "preprocess.size", "preprocess.read_size", "head", "saved")
        ),
        ODD | st.permutations(["x", "y", "z"]) | st.builds(models.Preprocess, st.just(16)),
    ).map(lambda found: put(*found)),
    st.integers(2, 4).map(lambda count: lambda model: surgery.replace_head(model, count)),
    st.sampled_from(
        (
            surgery.add_lora,
            nn.Module.double,
            nn.Module.half,
            lambda model: next(model.parameters()).data.fill_(torch.inf),
            lambda model: setattr(model, "classes", [*"abcd"]),
            lambda model: model.add_module("more", nn.Linear(1, 1)),
            lambda model: surgery.freeze(model),
        )
    ),
)


@ANY
@given(st.lists(CHANGES, max_size=3))
def test_changed_models(kept, changes):
    name, model, path, _ = kept
    model = copy.deepcopy(model)
    for change in changes:
        try:
            change(model)
        except (store.CourseError, TypeError, AttributeError, KeyError, ValueError):
            return  # neither the course's nor torch's model would take it
    place = path.with_name("another")
    try:
        found = models.open(models.save(model, place))
    except store.CourseError:
        assert not list(path.parent.glob(".*.part"))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        inputs = shown(name)
        torch.testing.assert_close(train.predict(found, inputs), train.predict(model, inputs))
    assert found.classes == tuple(model.classes)


@ANY
@given(st.sampled_from(("save", "open", "load", "weights", "classes", "pretrained")), ODD)
def test_odd_arguments(kept, tmp_path_factory, verb, odd):
    _, model, path, _ = kept
    if isinstance(odd, str) and verb == "save":
        odd = str(path.parent / odd)
    try:
        match verb:
            case "save":
                models.save(model, odd)
            case "open":
                models.open(odd)
            case "load":
                models.load(odd)
            case _:
                models.load("resnet10", **{verb: odd})
    except store.CourseError as error:
        assert len(str(error)) < 1200, error
