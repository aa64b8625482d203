"""Operations in any order, with any arguments: done whole, or refused and nothing changed."""

import copy

import pytest
import torch
from fuzz.odd import ODD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from tl_course import models, store, surgery

pytestmark = pytest.mark.slow
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "letters", "memory", "head")
MODEL, OTHER = "the model", "another model"
NETWORKS = st.sampled_from((MODEL, OTHER, OTHER))
VALUE = st.one_of(ODD, st.sampled_from(STAGES), st.just(OTHER))
NAMES = st.lists(st.sampled_from(STAGES) | VALUE, max_size=3)
CALLS = {
    "replace_head": st.tuples(st.integers(2, 5) | VALUE),
    "transplant": st.tuples(NETWORKS | VALUE, st.just(MODEL)) | st.tuples(st.just(MODEL), VALUE),
    "shrink": st.tuples(st.just(MODEL), NETWORKS | VALUE, st.floats(0, 1) | VALUE),
    "freeze": st.just((MODEL,)),
    "unfreeze": st.just((MODEL,)),
    "freeze_to": st.tuples(st.just(MODEL), st.sampled_from(STAGES) | VALUE),
    "add_lora": st.tuples(st.just(MODEL), st.integers(1, 5) | VALUE),
    "merge_lora": st.just((MODEL,)),
    "train_mode": st.just((MODEL,)),
    "frozen": st.just((MODEL,)),
    "summary": st.just((MODEL,)),
    "param_groups": st.tuples(st.just(MODEL), st.floats() | VALUE),
    "deepcopy": st.just((MODEL,)),
}
CALLS["replace_head"] = CALLS["replace_head"].map(lambda found: (MODEL, *found))
MANY = ("transplant", "freeze", "unfreeze")  # take any number of names
STEP = st.sampled_from(sorted(CALLS)).flatmap(
    lambda verb: st.tuples(st.just(verb), CALLS[verb], NAMES if verb in MANY else st.just([]))
)


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {
        name: models.load(name, pretrained=False).eval() for name in ("resnet10", "reader_spanish")
    }


def held(model: nn.Module) -> dict:
    """All that a refused operation must leave as it was."""
    tensors = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    found = {name: value.detach().clone() for name, value in tensors.items()}
    return found | {f"{name} trained": value.requires_grad for name, value in tensors.items()}


def same(one: dict, other: dict) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
        for name, value in one.items()
    )


@settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(
    st.sampled_from(("resnet10", "reader_spanish")),
    st.sampled_from(("resnet10", "reader_spanish")),
    st.lists(STEP, min_size=1, max_size=4),
)
def test_any_operations_on_any_network(networks, name, second, steps):
    model, other = copy.deepcopy(networks[name]), copy.deepcopy(networks[second])
    for verb, arguments, names in steps:
        before, classes = held(model), model.classes
        given = [
            {MODEL: model, OTHER: other}.get(each, each) if isinstance(each, str) else each
            for each in (*arguments, *names)
        ]
        try:
            if verb == "deepcopy":
                kept, model = model, copy.deepcopy(model)
                surgery.merge_lora(kept)  # the copy is its own
            else:
                getattr(surgery, verb)(*given)
        except store.CourseError:
            assert same(before, held(model)) and model.classes == classes
        with torch.no_grad():
            inputs = torch.ones(2, 3, 8, 8) if name == "resnet10" else torch.full((2, 3), 5)
            found = model.eval()(inputs)
        assert found.shape[-1] == models.outputs(model) and len(found) == 2


@settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.sampled_from(sorted({*CALLS} - {"deepcopy"})), ODD, st.lists(ODD, max_size=2))
def test_what_is_no_network_is_refused(verb, network, rest):
    if verb == "add_lora" and isinstance(network, nn.Module):
        return  # it takes any, for the oracle of the tests
    try:
        getattr(surgery, verb)(network, *rest)
    except store.CourseError:
        return
    except TypeError as error:
        assert "argument" in str(error), error  # too few or too many of them
        return
    raise AssertionError(f"{verb}({network!r}) was not refused")
