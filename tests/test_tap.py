import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from tl_course import features, models, store, surgery
from tl_course.features import Tap, tap


def hooks(model) -> int:
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_head_gives_the_logits_with_their_graph(model, toy):
    with Tap(model, "head", "layer2") as found:
        logits = model(model.preprocess(toy.val.inputs[:3]))
    assert torch.equal(found["head"], logits)
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), found["layer2"])
    assert gradient.shape == found["layer2"].shape == (3, 64, 16, 16) and gradient.any()


def test_hooks_live_inside_with_only_and_the_model_stays_as_it_was(model, toy):
    surgery.train_mode(surgery.freeze(model, "stem"))
    modes = [module.training for module in model.modules()]
    inputs = model.preprocess(toy.val.inputs[:2])
    with Tap(model, "stem", "layer4") as found:
        assert hooks(model) == 2
        model(inputs)
    assert hooks(model) == 0
    kept = found["stem"]
    model(inputs[:1])  # is not seen any more
    assert found["stem"] is kept and len(kept) == 2
    with found:
        model(inputs[:1])
    assert len(found["stem"]) == 1 and hooks(model) == 0
    with pytest.raises(RuntimeError), Tap(model):
        model(torch.zeros(1, 5, 64, 64))
    assert hooks(model) == 0 and [module.training for module in model.modules()] == modes


def test_unknown_names_are_refused_before_anything_is_hooked(model, toy):
    with pytest.raises(store.UnknownName, match="did you mean 'layer1'"):
        Tap(model, "stem", "layer_1")
    assert hooks(model) == 0
    with Tap(model, "stem") as found:
        with pytest.raises(store.BadInput, match="nothing has passed"):
            found["stem"]
        model(model.preprocess(toy.val.inputs[:1]))
    with pytest.raises(store.UnknownName, match="Choose from stem"):
        found["layer1"]


class Doubled(nn.Module):
    """A stage that is no module of the model: its own forward does the same by hand."""

    def forward(self, x):
        return 2 * x


class ByHand(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(2, 2), nn.Linear(2, 2)

    def forward(self, x):
        return self.last(2 * self.first(x))


class AsTuple(ByHand):
    def forward(self, x):
        doubled = 2 * self.first(x)
        return (self.last(input=doubled), doubled)


@pytest.mark.parametrize("kind", [ByHand, AsTuple])
def test_a_stage_without_a_module_is_seen_where_the_next_takes_it_in(monkeypatch, kind):
    model = kind()
    parts = {"start": nn.Sequential(model.first, Doubled()), "end": nn.Sequential(model.last)}
    monkeypatch.setattr(tap, "stages", lambda _: parts)
    with Tap(model) as found:
        model(torch.ones(1, 2))
    torch.testing.assert_close(found["start"], 2 * model.first(torch.ones(1, 2)))
    torch.testing.assert_close(found["end"], model.last(found["start"]))


def test_the_last_stage_is_what_the_model_gives(monkeypatch):
    model = AsTuple()
    monkeypatch.setattr(tap, "stages", lambda _: {"all": Doubled()})
    with Tap(model) as found:
        logits, _ = model(torch.ones(1, 2))
    assert found["all"] is logits


def test_a_stage_that_cannot_be_seen_is_refused(monkeypatch):
    model = ByHand()
    parts = {"start": Doubled(), "middle": Doubled(), "end": model.last}
    monkeypatch.setattr(tap, "stages", lambda _: parts)
    with pytest.raises(store.BadInput, match="'start'.*no module"):
        Tap(model, "start")


# what a unit of the stage sees, counted by hand
FIELDS = {"stem": (7, 2, -3), "layer1": (15, 2, -7), "layer2": (27, 4, -13), "layer3": (51, 8, -25)}


@pytest.mark.parametrize("stage", FIELDS)
def test_receptive_field_of_resnet10(model, stage):
    assert features.receptive_field(model, stage) == features.Field(*FIELDS[stage])


def influence(model, stage: str, row: int, column: int, size: int) -> torch.Tensor:
    """Which pixels change a unit: bool (size, size). Weights are made positive: none cancel."""
    for parameter in model.parameters():
        parameter.data.abs_()
    picture = torch.rand(1, 3, size, size, requires_grad=True)
    with Tap(model, stage) as found:
        model(picture)
    found[stage][0, :, row, column].sum().backward()
    return (picture.grad[0] != 0).any(0)


@pytest.mark.parametrize(
    ("name", "stage", "size", "slack"),  # of a pooling window only one pixel counts
    [
        *[
            ("resnet10", stage, 160, 0)
            for stage in ("stem", "layer1", "layer2", "layer3", "layer4")
        ],
        *[("resnet18", stage, 256, 6) for stage in ("stem", "layer1", "layer2")],
    ],
)
def test_receptive_field_is_where_pixels_count(name, stage, size, slack):
    torch.manual_seed(0)
    model = models.load(name, pretrained=False)
    field = features.receptive_field(model, stage)
    row, column = size // field.stride // 2, size // field.stride // 2 - 1
    seen = influence(model, stage, row, column, size)
    top, left, bottom, right = field.box(row, column)
    for axis, first, last in ((1, top, bottom), (0, left, right)):
        places = seen.any(axis).nonzero()[:, 0]
        low, high = places[0].item(), places[-1].item() + 1
        assert first <= low and high <= last and last - first - (high - low) <= slack


def test_a_bottleneck_sees_through_its_three_convolutions():
    model = resnet50()
    model.preprocess = models.Preprocess(224)
    # 11 after the stem; 16 after three blocks of one 3×3 window each, 4 pixels apart
    assert features.receptive_field(model, "layer1") == features.Field(35, 4, -17)
    assert str(features.receptive_field(model, "layer1")) == "35 × 35 pixels"


def test_what_sees_everything_has_no_receptive_field(model):
    for network, stage, message in (
        (model, "head", "AdaptiveAvgPool2d is no window"),
        (models.load("reader_spanish"), "letters", "Embedding"),
    ):
        with pytest.raises(store.BadInput, match=message):
            features.receptive_field(network, stage)
    with pytest.raises(store.UnknownName):
        features.receptive_field(model, "layer9")
