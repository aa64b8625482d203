"""Any options and any task: ``fit`` trains, or refuses and leaves the model as it was."""

import copy
import warnings

import pytest
import torch
from fuzz.odd import ODD
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tl_course import models, store, surgery, train
from tl_course.tasks import Split, Task

pytestmark = pytest.mark.slow
CLASSES = ("a", "b", "c")
RATE = st.floats(1e-5, 1) | st.sampled_from((1e30, {"head": 1e-3}, {"stem": 1e-3}, {"x": 1}))
GOOD = {
    "epochs": st.integers(1, 2),
    "lr": RATE,
    "batch": st.integers(1, 9),
    "weight_decay": st.floats(0, 10),
    "augment": st.sampled_from((None, lambda x: x.flip(3), lambda x: x[1:], lambda x: x[:, 0])),
    "penalty": st.sampled_from(
        (None, lambda m: 1, lambda m: m.head.bias, lambda m: m.head.bias[0])
    ),
    "watch": st.none() | st.just(lambda number, epoch: None),
    "seed": st.integers(0, 2**64 - 1),
    "device": st.sampled_from((None, "cpu", torch.device("cpu"))),
    "dtype": st.sampled_from((None, torch.float32, torch.bfloat16)),
    "cache": st.booleans(),
    "keep": st.sampled_from(("best", "last")),
}
NOT_CALLED = ("augment", "penalty", "watch")  # what is called raises what it likes
OPTIONS = st.fixed_dictionaries(
    {},
    optional={
        name: good
        | ODD.filter(lambda value, name=name: name not in NOT_CALLED or not callable(value))
        for name, good in GOOD.items()
    },
).filter(lambda found: not (type(found.get("epochs")) is int and found["epochs"] > 3))
KINDS = (torch.uint8, torch.uint8, torch.uint8, torch.float32, torch.int64, torch.bool, torch.int16)


@st.composite
def splits(draw) -> Split:
    """A few pictures of any shape and kind, often good ones; labels in or out of range."""
    count, kind = draw(st.integers(1, 5)), draw(st.sampled_from(KINDS))
    shape = draw(
        st.sampled_from(((3, 8, 8), (3, 8, 8), (3, 1, 1), (1, 9, 5), (4, 8, 8), (8, 8), ()))
    )
    pictures = torch.randint(0, 2, (count, *shape), generator=torch.Generator().manual_seed(count))
    answers = draw(st.sampled_from(((), (), (), (4,))))
    low, high = draw(st.sampled_from(((0, 2), (0, 2), (0, 2), (0, 3), (-1, 2))))
    flat = draw(st.lists(st.integers(low, high), min_size=count * 4, max_size=count * 4))
    labels = torch.tensor(flat)[: count * (answers or (1,))[0]].view(count, *answers)
    classes = draw(st.sampled_from((CLASSES, CLASSES, (), ("c", "b", "a"), ("A", "b", "c"))))
    return Split((pictures * 255).to(kind), labels, classes)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=False, classes=CLASSES)
    model.preprocess = models.Preprocess(8)
    return models.open(models.save(model, tmp_path_factory.mktemp("fit") / "model"))


def everything(model) -> dict:
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [part.training for part in model.modules()]
    read = getattr(model.preprocess, "read_size", None)
    return weights | {"rest": (modes, model.classes, getattr(model, "saved", None), read)}


def same(one: dict, other: dict) -> bool:
    rest = one.pop("rest") == other.pop("rest")
    return rest and all(torch.equal(value, other[name]) for name, value in one.items())


@settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(OPTIONS, splits(), splits(), st.sampled_from(((), (), ("stem",), ("stem", "head"))))
def test_any_options_and_any_task(saved, options, learn, choose, frozen):
    model = copy.deepcopy(saved).train()
    surgery.freeze(model, *frozen) if frozen else model
    before = everything(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            task = Task("any", "Any", CLASSES, learn, choose, choose, "MIT", "tests", "none")
            history = train.fit(model, task, **{"epochs": 1, "progress": False, **options})
        except store.CourseError:
            assert same(before, everything(model))
            return
    assert not model.training and model.classes == CLASSES
    assert all(value.isfinite().all() for value in model.state_dict().values())
    assert len(history.val_accuracy) == options.get("epochs", 1) or history.stopped
    assert bool(history.best_epoch) or same_weights(before, model)


def same_weights(before: dict, model) -> bool:
    return all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


@settings(
    max_examples=2000, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
@given(st.sampled_from(("evaluate", "predict")), splits(), ODD)
def test_any_split_is_measured_or_refused(saved, verb, split, odd):
    for shown in (split if verb == "evaluate" else split.inputs, odd):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            try:
                found = getattr(train, verb)(saved, shown)
            except store.CourseError:
                continue
        if verb == "evaluate":
            assert 0 <= found.accuracy <= 1 and found.n == len(split)
        else:
            assert found.shape == (len(split), 3) and found.isfinite().all()
