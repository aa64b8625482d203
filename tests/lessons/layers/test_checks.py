"""Lesson 02's checks: right for the right solution, and the very fault for others."""

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import features, models, surgery, tasks
from tl_course.lessons.layers.checks import check_channel, check_disguise, check_features


def looked(model, pictures, stage):
    """The features of a stage, the mode put back, no hook left."""
    before = model.training
    model.eval()
    try:
        with torch.no_grad(), features.Tap(model, stage) as tap:
            model(model.preprocess(pictures))
    finally:
        model.train(before)
    return tap[stage].mean((2, 3))


def by_parts(model, pictures, stage):
    """The same without a hook."""
    before = model.training
    model.eval()
    values = model.preprocess(pictures)
    with torch.inference_mode():
        for name, part in surgery.stages(model).items():
            values = part(values)
            if name == stage:
                break
    model.train(before)
    return values.mean((2, 3)).double()


def hook_by_hand(model, pictures, stage, careful=False, remove=True):
    kept, before = {}, model.training
    model.eval()
    x = model.preprocess(pictures)
    handle = getattr(model, stage).register_forward_hook(lambda *given: kept.update(out=given[2]))
    try:
        with torch.no_grad():
            model(x)
        if remove:
            handle.remove()
    finally:
        if careful:
            handle.remove()
        model.train(before)
    return kept["out"].mean((2, 3))


def careful(*given):
    return hook_by_hand(*given, careful=True)


@pytest.mark.parametrize("read", [looked, by_parts, features.extract, careful])
def test_right_features(read):
    right(check_features(read))


def hook_that_stays(*given):
    return hook_by_hand(*given, remove=False)


def whole_maps(model, pictures, stage):
    with torch.no_grad(), features.Tap(model, stage) as tap:
        model(model.preprocess(pictures))
    return tap[stage]


def in_training_mode(*given):
    return whole_maps(*given).mean((2, 3))


def stays_in_eval(model, *given):
    return in_training_mode(model.eval(), *given)


def stays_partly_in_eval(model, *given):
    found = looked(model, *given)
    model.layer1.eval()
    return found


def stays_in_eval_where_it_fails(model, *given):
    found = stays_in_eval(model, *given)
    model.train()
    return found


def with_gradients(model, pictures, stage):
    with features.Tap(model.eval(), stage) as tap:
        model(model.preprocess(pictures))
    model.train()
    return tap[stage].mean((2, 3))


def freezes(model, *given):
    return looked(model.requires_grad_(False), *given)


def moves_a_weight(model, *given):
    model.stem[0].weight.data += 1
    return looked(model, *given)


def adds_a_part(model, *given):
    model.mine = nn.Linear(2, 2)
    return looked(model, *given)


def cuts_the_head(model, *given):
    model.head = nn.Identity()
    return looked(model, *given)


def unprepared(model, pictures, stage):
    with torch.no_grad(), features.Tap(model.eval(), stage) as tap:
        model(pictures / 255)
    return tap[stage].mean((2, 3))


@pytest.mark.parametrize(
    ("read", "parts"),
    [
        (lambda *given: None, ["returns None", "Put the averages"]),
        (hook_that_stays, ["a hook is left behind on 'layer2'", "remove()"]),
        (hook_by_hand, ["when the pass fails, the hook on 'layer2' stays", "finally"]),
        (in_training_mode, ["BatchNorm statistics moved (stem.1.running_mean)", "model.eval()"]),
        (stays_in_eval, ["stands in eval mode now", "put it back"]),
        (stays_partly_in_eval, ["stands in eval mode now"]),
        (stays_in_eval_where_it_fails, ["when the pass fails, the network stays in eval mode"]),
        (
            lambda m, *given: whole_maps(m.eval(), *given),
            ["(40, 64, 16, 16), whole maps", "last two dimensions"],
        ),
        (lambda m, *given: whole_maps(m.eval(), *given).mean((1, 2)), ["(40, 16), not (40, 64)"]),
        (lambda m, *given: whole_maps(m.eval(), *given).amax((2, 3)), ["not the averages after"]),
        (lambda m, x, s: looked(m, x, "layer3"), ["(40, 128), not (40, 64)"]),
        (lambda *given: looked(*given)[:9], ["(9, 64), not (40, 64)"]),
        (with_gradients, ["gradients along", "torch.no_grad()"]),
        (lambda *given: looked(*given).numpy(), ["this is ndarray, not a tensor"]),
        (lambda *given: looked(*given) * float("nan"), ["not the averages"]),
        (unprepared, ["not the averages", "preprocessed"]),
        (lambda m, x, s: looked(m, m.preprocess(x), s), ["divide by 255 once"]),
        (freezes, ["weights are frozen now"]),
        (moves_a_weight, ["the weights moved (stem.0.weight)"]),
        (adds_a_part, ["lost or gained mine.bias"]),
        (cuts_the_head, ["lost or gained head.bias"]),
    ],
)
def test_what_is_wrong_with_features(read, parts):
    wrong(check_features(read), *parts)


@pytest.fixture(scope="module")
def picky():
    """What each channel of layer1 answers to the four directions."""
    model, edges = models.load("resnet10"), tasks.load("concepts_edges").val
    with torch.no_grad(), features.Tap(model, "layer1") as tap:
        model(model.preprocess(edges.inputs))
    maps = tap["layer1"].flatten(2)
    rise = maps.amax(2) - maps.median(2).values
    return torch.stack([rise[edges.labels == label].mean(0) for label in range(4)])


def test_the_channel_of_falling_edges(picky):
    best = (picky[3] / picky[:3].amax(0).clamp(min=0.1)).argmax()
    found = check_channel(int(best))
    right(found)
    assert f"channel {int(best)} prefers falling edges by a factor of" in found
    assert check_channel(best) == check_channel(np.int64(best)) == found


def test_every_channel_gets_the_answer_of_its_maps(picky):
    for channel in (2, 13, 14, 16):
        names = ("horizontal", "rising", "vertical", "falling")
        order = picky[:, channel].argsort(descending=True).tolist()
        found = check_channel(channel)
        if names[order[0]] != "falling":
            wrong(found, f"channel {channel} answers most to {names[order[0]]} edges")
        elif picky[3, channel] < 1.5 * picky[order[1], channel]:
            wrong(found, f"hardly less to {names[order[1]]} ones")
        else:
            right(found)


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (-1, "-1 is no channel of layer1"),
        (32, "They are 0 to 31"),
        (torch.tensor(99), "99 is no channel"),
        (7.0, "float, not the number of a channel"),
        (True, "bool, not the number of a channel"),
        (torch.tensor(7.0), "TypeError"),
        (np.arange(40.0).reshape(5, 8), "TypeError"),
    ],
)
def test_what_is_no_number_of_a_channel(given, part):
    wrong(check_channel(given), part)


@pytest.fixture(scope="module")
def given():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(300, 12, generator=draw) @ torch.randn(12, 12, generator=draw)


def mixed(values):
    return values[torch.randperm(len(values), generator=torch.Generator().manual_seed(1))]


def turned(values):
    return values @ torch.linalg.qr(torch.randn(12, 12, generator=torch.manual_seed(2))).Q


@pytest.mark.parametrize("same", [lambda x: 2 * x + 1, lambda x: -x, turned])
@pytest.mark.parametrize("other", [mixed, lambda x: x.flip(0)])
def test_right_disguise(given, same, other):
    right(check_disguise(given, same(given), other(given)))


@pytest.mark.parametrize(
    ("same", "other", "parts"),
    [
        (lambda x: x, mixed, ["100% of the numbers"]),
        (lambda x: torch.cat([x[:1], x[1:] + 1]), mixed, ["0% of the numbers of same"]),
        (lambda x: x.numpy(), mixed, ["same is ndarray, not a tensor"]),
        (lambda x: x[:, :3], mixed, ["same has the shape (300, 3), not (300, 12)"]),
        (lambda x: x * torch.arange(2, 14) ** 3, mixed, ["CKA with same is", "differently"]),
        (mixed, mixed, ["CKA with same is"]),
        (lambda x: x + float("nan"), mixed, ["are no numbers"]),
        (lambda x: -x, lambda x: x + 1, ["the means of the channels"]),
        (lambda x: -x, lambda x: 2 * (x - x.mean(0)) + x.mean(0), ["the spreads"]),
        (lambda x: -x, lambda x: x, ["CKA with other is 1.00"]),
        (lambda x: -x, lambda x: None, ["other is NoneType"]),
    ],
)
def test_what_is_wrong_with_a_disguise(given, same, other, parts):
    wrong(check_disguise(given, same(given), other(given)), *parts)
