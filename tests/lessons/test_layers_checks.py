"""The checks of lessons 02 and 03: right for the right solution, and the very fault for others."""

import re

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn
from torch.nn import functional as F

from tl_course import features, models, surgery, tasks
from tl_course.lessons.head import checks as head_checks
from tl_course.lessons.layers import checks as layers_checks


def fails(*given):
    raise LookupError("lost\non the way")


NO_FUNCTION = [(None, "NoneType"), ("layer2", "str"), (torch.ones(2), "Tensor"), ([], "list")]


@pytest.mark.parametrize("check", [layers_checks.check_features, head_checks.check_frozen_training])
def test_a_check_of_a_function_wants_a_function_that_runs(check):
    for given, kind in NO_FUNCTION:
        wrong(check(given), f"this is {kind}, not a function")
    wrong(check(fails), "LookupError: lost on the way")
    wrong(check(lambda: None), "TypeError")


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


@pytest.mark.parametrize("read", [looked, by_parts, features.extract])
def test_right_features(read):
    right(layers_checks.check_features(read))


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


def hook_that_stays(model, pictures, stage):
    return hook_by_hand(model, pictures, stage, remove=False)


def test_a_hook_that_stays():
    wrong(
        layers_checks.check_features(hook_that_stays),
        "a hook is left behind on 'layer2'",
        "remove()",
    )
    found = layers_checks.check_features(hook_by_hand)
    wrong(found, "when the pass fails, the hook on 'layer2' stays", "finally")
    right(layers_checks.check_features(lambda *given: hook_by_hand(*given, careful=True)))


def in_training_mode(model, pictures, stage):
    with torch.no_grad(), features.Tap(model, stage) as tap:
        model(model.preprocess(pictures))
    return tap[stage].mean((2, 3))


def stays_in_eval(model, pictures, stage):
    model.eval()
    return in_training_mode(model, pictures, stage)


def stays_partly_in_eval(model, pictures, stage):
    found = looked(model, pictures, stage)
    model.layer1.eval()
    return found


def stays_in_eval_where_it_fails(model, pictures, stage):
    model.eval()
    found = in_training_mode(model, pictures, stage)
    model.train()
    return found


def whole_maps(model, pictures, stage):
    with torch.no_grad(), features.Tap(model.eval(), stage) as tap:
        model(model.preprocess(pictures))
    return tap[stage]


def with_gradients(model, pictures, stage):
    with features.Tap(model.eval(), stage) as tap:
        model(model.preprocess(pictures))
    model.train()
    return tap[stage].mean((2, 3))


def freezes(model, pictures, stage):
    return looked(model.requires_grad_(False), pictures, stage)


def moves_a_weight(model, pictures, stage):
    model.stem[0].weight.data += 1
    return looked(model, pictures, stage)


def adds_a_part(model, pictures, stage):
    model.mine = nn.Linear(2, 2)
    return looked(model, pictures, stage)


def cuts_the_head(model, pictures, stage):
    model.head = nn.Identity()
    return looked(model, pictures, stage)


def unprepared(model, pictures, stage):
    model.eval()
    with torch.no_grad(), features.Tap(model, stage) as tap:
        model(pictures / 255)
    return tap[stage].mean((2, 3))


@pytest.mark.parametrize(
    ("read", "parts"),
    [
        (lambda *given: None, ["returns None", "Put the averages"]),
        (in_training_mode, ["BatchNorm statistics moved (stem.1.running_mean)", "model.eval()"]),
        (stays_in_eval, ["stands in eval mode now", "put it back"]),
        (stays_partly_in_eval, ["stands in eval mode now"]),
        (stays_in_eval_where_it_fails, ["when the pass fails, the network stays in eval mode"]),
        (whole_maps, ["(40, 64, 16, 16), whole maps", "last two dimensions"]),
        (lambda *given: whole_maps(*given).mean((1, 2)), ["(40, 16), not (40, 64)"]),
        (lambda *given: whole_maps(*given).amax((2, 3)), ["not the averages after 'layer2'"]),
        (lambda m, x, s: looked(m, x, "layer3"), ["(40, 128), not (40, 64)"]),
        (lambda *given: looked(*given)[:9], ["(9, 64), not (40, 64)"]),
        (with_gradients, ["gradients along", "torch.no_grad()"]),
        (lambda *given: looked(*given).numpy(), ["this is ndarray, not a tensor"]),
        (lambda *given: [*looked(*given)], ["this is list, not a tensor"]),
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
    wrong(layers_checks.check_features(read), *parts)


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
    found = layers_checks.check_channel(int(best))
    right(found)
    assert f"channel {int(best)} prefers falling edges by a factor of" in found
    assert layers_checks.check_channel(best) == layers_checks.check_channel(np.int64(best)) == found


def test_every_channel_gets_the_answer_of_its_maps(picky):
    for channel in (2, 13, 14, 16):
        names = ("horizontal", "rising", "vertical", "falling")
        order = picky[:, channel].argsort(descending=True).tolist()
        found = layers_checks.check_channel(channel)
        if names[order[0]] != "falling":
            wrong(found, f"channel {channel} answers most to {names[order[0]]} edges")
        elif picky[3, channel] < 1.5 * picky[order[1], channel]:
            wrong(found, f"hardly less to {names[order[1]]} ones")
        else:
            right(found)


@pytest.mark.parametrize("given", [-1, 32, 10**9, torch.tensor(99)])
def test_a_channel_that_is_not_there(given):
    wrong(layers_checks.check_channel(given), f"{int(given)} is no channel of layer1", "0 to 31")


@pytest.mark.parametrize(
    ("given", "part"),
    [
        (None, "NoneType"),
        ("7", "str"),
        (7.0, "float"),
        (True, "bool"),
        ([7], "list"),
        (torch.argmax, "builtin_function_or_method"),
        (torch.tensor(7.0), "TypeError"),
        (torch.rand(9, 9), "TypeError"),
        (np.arange(40.0).reshape(5, 8), "TypeError"),
    ],
)
def test_what_is_no_number_of_a_channel(given, part):
    wrong(layers_checks.check_channel(given), part)


@pytest.fixture(scope="module")
def given():
    draw = torch.Generator().manual_seed(0)
    return torch.randn(300, 12, generator=draw) @ torch.randn(12, 12, generator=draw)


def mixed(values):
    return values[torch.randperm(len(values), generator=torch.Generator().manual_seed(1))]


def test_right_disguise(given):
    right(layers_checks.check_disguise(given, 2 * given + 1, mixed(given)))
    right(layers_checks.check_disguise(given, -given, given.flip(0)))
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(2))).Q
    right(layers_checks.check_disguise(given, given @ turn, mixed(given)))


@pytest.mark.parametrize(
    ("same", "other", "parts"),
    [
        (lambda x: x, mixed, ["100% of the numbers"]),
        (lambda x: torch.cat([x[:1], x[1:] + 1]), mixed, ["0% of the numbers of same"]),
        (lambda x: x.numpy(), mixed, ["same is ndarray"]),
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
    wrong(layers_checks.check_disguise(given, same(given), other(given)), *parts)


@pytest.fixture(scope="module")
def leaves():
    return tasks.load("leaves")


def vgg():
    return models.load("vgg16", pretrained=False)


def vgg_with(layer):
    model = vgg()
    model.classifier[6] = layer
    return model


@pytest.mark.parametrize("name", ["vgg16", "efficientnet_b0", "vit_b_16", "resnet18"])
def test_a_head_sewn_by_the_package_is_right(leaves, name):
    model = surgery.replace_head(models.load(name, pretrained=False), 5)
    found = head_checks.check_sewn(model, leaves)
    right(found)
    assert f"{models.classifier(model).in_features} features in, 5 logits out" in found


def test_a_head_sewn_by_hand_is_right(leaves):
    right(head_checks.check_sewn(vgg_with(nn.Linear(48, 5)), leaves))
    right(head_checks.check_sewn(vgg_with(nn.Sequential(nn.Dropout(), nn.Linear(48, 5))), leaves))
    whole = vgg()
    whole.classifier = nn.Linear(128, 5)  # all three layers in one
    right(head_checks.check_sewn(whole, leaves))


def test_what_is_wrong_with_a_sewn_head(leaves):
    stacked, bare, frozen = vgg(), vgg(), vgg_with(nn.Linear(48, 5))
    stacked.classifier.append(nn.Linear(1000, 5))
    bare.classifier = nn.Identity()
    frozen.classifier[6].requires_grad_(False)
    cases = [
        (vgg_with(nn.Linear(128, 5)), ["expects 128 numbers and gets 48", "in_features"]),
        (vgg_with(nn.Linear(4096, 5)), ["expects 4096 numbers and gets 48"]),
        (vgg(), ["the old head with 1000 outputs is still there", "leaves has 5 classes"]),
        (stacked, ["the old head with 1000 outputs is still there"]),
        (vgg_with(nn.Identity()), ["no head is left", "Identity with 48 numbers"]),
        (bare, ["no head is left", "Identity with 128 numbers"]),
        (
            vgg_with(nn.Sequential(nn.Linear(48, 5), nn.Softmax(1))),
            ["ends in Softmax with 5 numbers"],
        ),
        (vgg_with(nn.Linear(48, 4)), ["shape (2, 4), not (2, 5)"]),
        (frozen, ["the new head is frozen"]),
    ]
    for model, parts in cases:
        wrong(head_checks.check_sewn(model, leaves), *parts)


def test_what_is_no_network_cannot_be_sewn(leaves):
    for given, kind in [*NO_FUNCTION, (nn.Linear, "type"), (vgg, "function")]:
        wrong(head_checks.check_sewn(given, leaves), f"this is {kind}, not a network")
    parts = nn.Sequential(vgg().features, nn.Flatten(), nn.Linear(128, 5))
    wrong(head_checks.check_sewn(parts, leaves), "this Sequential has no preprocess")
    wrong(head_checks.check_sewn(vgg(), "leaves"), "AttributeError")


@pytest.fixture(scope="module")
def sewn():
    return surgery.replace_head(models.load("resnet10"), 5)


def split(model):
    """Weights of the backbone, and of the head."""
    head = [*model.head.parameters()]
    rest = [p for name, p in model.named_parameters() if not name.startswith("head")]
    return rest, head


def two_rates(model, slow=1e-3, fast=1e-2):
    rest, head = split(model)
    return [{"params": rest, "lr": slow}, {"params": head, "lr": fast}]


def test_right_rates(sewn):
    found = head_checks.check_rates(two_rates(sewn), sewn)
    assert found == "Right: the head learns at 0.01, the backbone at 0.001 or below."
    layered = surgery.param_groups(sewn, {"head": 1e-2, "layer4": 1e-3, "stem": 1e-4})
    right(head_checks.check_rates(layered, sewn))
    right(head_checks.check_rates(tuple(two_rates(sewn)), sewn))


def test_an_optimizer_stands_for_its_groups(sewn):
    right(head_checks.check_rates(torch.optim.AdamW(two_rates(sewn)), sewn))
    same = torch.optim.SGD(sewn.parameters(), lr=1e-3)
    wrong(head_checks.check_rates(same, sewn), "the head learns at 0.001")


def test_the_other_network_has_its_head_elsewhere():
    model = surgery.replace_head(vgg(), 5)
    right(
        head_checks.check_rates(surgery.param_groups(model, {"head": 1e-2, "hidden": 1e-3}), model)
    )


def test_what_is_wrong_with_rates(sewn):
    rest, head = split(sewn)
    body, fast = two_rates(sewn)
    other = [*models.load("resnet10").parameters()]
    cases = [
        (
            [{"params": rest + head, "lr": 1e-3}],
            ["head learns at 0.001", "backbone at up to 0.001"],
        ),
        (two_rates(sewn, 1e-2, 1e-3), ["head learns at 0.001", "backbone at up to 0.01"]),
        (two_rates(sewn, 1e-3, 2e-3), ["only 2.0 times as fast", "Try ten"]),
        ([body, {"params": head[:1], "lr": 1e-2}], ["weights of head are in no group"]),
        ([body], ["weights of head are in no group"]),
        ([{"params": rest[1:], "lr": 1e-3}, fast], ["weights of stem are in no group"]),
        ([fast], ["weights of stem are in no group"]),
        ([], ["weights of stem are in no group"]),
        ([body, {"params": rest[:1] + head, "lr": 1e-2}], ["stem.0.weight stands there twice"]),
        ([{"params": [*sewn.parameters()], "lr": 1e-3}, fast], ["head.weight stands there twice"]),
        (
            [{"params": rest + head[1:], "lr": 1e-3}, {"params": head[:1], "lr": 1e-2}],
            ["the head learns at 0.001"],  # its bias does
        ),
        ([body, {"params": sewn.head.parameters(), "lr": 1e-2}], ["generator, not a list", "[*"]),
        ([body, {"params": head[0], "lr": 1e-2}], ["params is a Parameter, not a list"]),
        (
            [body, {"params": [*sewn.head.named_parameters()], "lr": 1e-2}],
            ["holds a tuple that is no weight"],
        ),
        ([{"params": other, "lr": 1e-3}], ["no weight of this model"]),
        ([body, {"params": head}], ["an optimizer takes a list"]),
        ([body, {"lr": 1e-2}], ["an optimizer takes a list"]),
        (body, ["an optimizer takes a list"]),
        (rest, ["an optimizer takes a list"]),
        (sewn.parameters(), ["an optimizer takes a list"]),
        (None, ["an optimizer takes a list"]),
        (two_rates(sewn, 0.0), ["0.0 is no learning rate"]),
        (two_rates(sewn, -1e-3), ["-0.001 is no learning rate"]),
        (two_rates(sewn, 1e-3, float("nan")), ["nan is no learning rate"]),
        (two_rates(sewn, "1e-3"), ["'1e-3' is no learning rate"]),
        (two_rates(sewn, np.ones((3, 3))), ["is no learning rate"]),
    ]
    for groups, parts in cases:
        wrong(head_checks.check_rates(groups, sewn), *parts)
    wrong(head_checks.check_rates(two_rates(sewn), None))
    wrong(head_checks.check_rates(two_rates(sewn), nn.Linear(2, 2)))


def test_asking_about_rates_twice_gives_the_same(sewn):
    groups = [{"params": sewn.parameters(), "lr": 1e-3}]
    assert head_checks.check_rates(groups, sewn) == head_checks.check_rates(groups, sewn)
    assert len([*groups[0]["params"]]) > 20  # the check has not used it up


def trained(model, task, weights, steps=2, lr=1e-2, sign=1):
    optimizer = torch.optim.SGD([*weights], lr=lr)
    for _ in range(steps):
        loss = sign * F.cross_entropy(model(model.preprocess(task.train.inputs)), task.train.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def learn_head(model, task):
    trained(model.eval(), task, model.head.parameters())


def learn_frozen(model, task):
    surgery.train_mode(surgery.freeze(model))
    trained(model, task, [p for p in model.parameters() if p.requires_grad])


def learn_another_head(model, task):
    surgery.replace_head(model, len(task.classes))
    learn_head(model, task)


@pytest.mark.parametrize("learn", [learn_head, learn_frozen, learn_another_head])
def test_right_training_of_a_head(learn):
    found = head_checks.check_frozen_training(learn)
    right(found)
    assert re.search(r"head\.weight and head\.bias moved, and \d\d tensors did not", found)


def learn_in_training_mode(model, task):
    trained(surgery.freeze(model), task, model.head.parameters(), steps=1)


def learn_all(model, task):
    trained(model.eval(), task, model.parameters(), steps=1)


def learn_after_freezing_the_head(model, task):
    surgery.freeze(model, "head")
    other = surgery.replace_head(models.load("resnet10"), len(task.classes))
    learn_head(other, task)


def learn_at_no_rate(model, task):
    trained(model.eval(), task, model.head.parameters(), steps=1, lr=0.0)


def learn_away(model, task):
    trained(model.eval(), task, model.head.parameters(), sign=-1)


def learn_too_fast(model, task):
    trained(model.eval(), task, model.head.parameters(), lr=1e9)


def learn_to_no_numbers(model, task):
    model.head.weight.data *= float("nan")


def learn_with_a_hook(model, task):
    model.layer4.register_forward_hook(lambda *given: None)
    learn_head(model, task)


def learn_after_looking(model, task):
    model(model.preprocess(task.train.inputs[:8]))  # in training mode
    learn_head(model, task)


def learn_without_a_stage(model, task):
    model.layer4 = nn.Identity()


@pytest.mark.parametrize(
    ("learn", "parts"),
    [
        (lambda model, task: None, ["nothing moved"]),
        (learn_at_no_rate, ["nothing moved"]),
        (learn_after_freezing_the_head, ["nothing moved", "other weights than the model's"]),
        (learn_in_training_mode, ["BatchNorm statistics moved (stem.1.running_mean", "eval mode"]),
        (learn_after_looking, ["BatchNorm statistics moved"]),
        (learn_all, ["stem.0.weight moved", "the head alone"]),
        (learn_with_a_hook, ["a hook is left behind on 'layer4'"]),
        (learn_away, ["its loss", "went from"]),
        (learn_too_fast, ["its loss", "rate too high"]),
        (learn_to_no_numbers, ["not finite numbers"]),
        (learn_without_a_stage, ["Not yet"]),
    ],
)
def test_what_is_wrong_with_training_a_head(learn, parts):
    wrong(head_checks.check_frozen_training(learn), *parts)


def test_an_interruption_is_no_answer():
    def interrupted(*given):
        raise KeyboardInterrupt

    for check in (layers_checks.check_features, head_checks.check_frozen_training):
        with pytest.raises(KeyboardInterrupt):
            check(interrupted)
