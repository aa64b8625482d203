"""Overfitting on purpose, and what may cure it."""

import pytest
import torch

from tl_course import store, train
from tl_course.lessons.overfitting import recipe

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "head")


def pictures(count: int = 64, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("shape", [(5, 3, 64, 64), (1, 3, 16, 32), (2, 3, 4, 4), (0, 3, 64, 64)])
def test_changed_pictures_are_pictures_still(shape):
    given = torch.full(shape, 255, dtype=torch.uint8)
    found = recipe.augmented(given)
    assert found.shape == shape and found.dtype == torch.uint8
    assert (given == 255).all()  # not in place


def test_what_is_drawn_lies_where_the_pictures_are():
    given = torch.zeros(4, 3, 16, 16, dtype=torch.uint8, device="meta")
    assert recipe.augmented(given).device == given.device


def test_every_picture_is_changed_in_its_own_way():
    given = pictures(1).expand(32, -1, -1, -1).contiguous()
    kept = given.clone()
    torch.manual_seed(0)
    found = recipe.augmented(given)
    assert torch.equal(given, kept)
    assert len({picture.numpy().tobytes() for picture in found}) >= 30
    torch.manual_seed(0)
    assert torch.equal(recipe.augmented(given), found)
    torch.manual_seed(1)
    assert not torch.equal(recipe.augmented(given), found)


def test_pictures_are_mirrored_shifted_and_lit_within_reach():
    """One bright pixel in the middle of each, on grey, tells where it went."""
    given = torch.full((400, 3, 32, 32), 100, dtype=torch.uint8)
    given[:, :, 12, 10] = 200
    torch.manual_seed(0)
    found = recipe.augmented(given).float()
    light = found[:, 0, 0, 0] / 100
    assert (light >= 0.79).all() and (light <= 1.21).all()
    assert light.min() < 0.83 and light.max() > 1.17
    assert torch.equal(found[:, 0], found[:, 1]) and torch.equal(found[:, 0], found[:, 2])
    place = found[:, 0].flatten(1).argmax(1)
    assert (found[:, 0].flatten(1) > 150 * light[:, None]).sum(1).tolist() == [1] * 400
    down, right = place // 32 - 12, place % 32
    assert down.min() == -4 and down.max() == 4  # an eighth of 32
    straight, mirrored = (right - 10).abs() <= 4, (right - 21).abs() <= 4
    assert (straight ^ mirrored).all() and 140 < straight.sum() < 260
    for middle, chosen in ((10, straight), (21, mirrored)):
        assert {*(right[chosen] - middle).tolist()} == {*range(-4, 5)}


def test_what_is_shifted_in_repeats_the_edge():
    given = torch.zeros(64, 3, 32, 32, dtype=torch.uint8)
    given[:, :, :, :] = torch.arange(32, dtype=torch.uint8)[None, None, :, None] + 100
    found = recipe.augmented(given)
    assert (found >= 80).all()  # nothing black comes in, 100 is the darkest edge
    assert not (found.float().diff(dim=2) < 0).any()  # shifted rows are in their order still


def test_light_does_not_wrap_round():
    found = recipe.augmented(torch.full((64, 3, 8, 8), 250, dtype=torch.uint8))
    assert found.min() >= 200 and found.max() == 255


def test_cures_change_the_recipe_and_one_thing_each():
    for name, changes in recipe.CURES.items():
        assert {*changes} <= {*recipe.RECIPE}, name
        assert all(recipe.RECIPE[key] != value for key, value in changes.items()), name
    assert recipe.CURES["no cure"] == {}
    several = ("no cure", "freeze and train less", "all but labels")
    assert all(len(c) == 1 for name, c in recipe.CURES.items() if name not in several)
    both = recipe.CURES["freeze to layer2"] | recipe.CURES["train less"]
    assert recipe.CURES["freeze and train less"] == both
    whole = recipe.CURES["all but labels"]
    assert {*whole} == {*recipe.RECIPE} - {"labels", "epochs"}  # it stops early instead
    singles = [c for name, c in recipe.CURES.items() if name not in several]
    assert all(dict([change]) in singles for change in whole.items())
    assert {*recipe.RECIPE} == {key for changes in singles for key in changes}


@pytest.mark.parametrize(
    ("options", "below", "layers"),
    [
        ({}, 0, ["Linear", "ReLU", "Dropout", "Linear"]),
        ({"hidden": 0}, 0, ["Dropout", "Linear"]),
        ({"frozen": "layer2", "dropout": 0.5}, 3, ["Linear", "ReLU", "Dropout", "Linear"]),
        ({"frozen": "layer4"}, 5, ["Linear", "ReLU", "Dropout", "Linear"]),
    ],
)
def test_the_network_that_overfits(options, below, layers, trained_stages, alike):
    model = recipe.build(7, seed=0, **options)
    assert trained_stages(model) == STAGES[below:]
    assert [type(part).__name__ for part in model.head] == layers
    assert model.head[-1].out_features == 7
    assert model.head[-2].p == options.get("dropout", 0.0)
    assert train.predict(model, pictures(2, 64)).shape == (2, 7)
    twin, other = recipe.build(7, seed=0, **options), recipe.build(7, seed=1, **options)
    assert alike(model, twin) == {*STAGES} and alike(model, other) == {*STAGES} - {"head"}


def test_the_last_epoch_is_kept_or_the_best(tiny):
    seen = []
    model, history = recipe.learn(tiny, 0, watch=lambda *found: seen.append(found), epochs=3)
    assert history.best_epoch == 3 == len(history.val_accuracy)
    assert [(at, epoch.val_accuracy) for at, epoch in seen] == [*enumerate(history.val_accuracy, 1)]
    one = 1.5 / len(tiny.val)  # in other batches a picture may fall on the other side
    found = train.evaluate(model, tiny.val).accuracy
    assert found == pytest.approx(history.val_accuracy[-1], abs=one)
    model, history = recipe.learn(tiny, 0, epochs=3, keep="best")
    found = train.evaluate(model, tiny.val).accuracy
    assert found == pytest.approx(max(history.val_accuracy), abs=one)
    assert history.val_accuracy[history.best_epoch - 1] == max(history.val_accuracy)


def test_the_same_seed_learns_the_same(tiny):
    options = {"epochs": 2, "augment": True, "dropout": 0.5, "frozen": "layer3"}
    (_, first), (_, again) = (recipe.learn(tiny, 3, **options) for _ in range(2))
    assert first.train_loss == again.train_loss and first.val_accuracy == again.val_accuracy
    assert recipe.learn(tiny, 4, **options)[1].train_loss != first.train_loss
    assert first.cached == ()  # pictures that change cannot be run once


def test_learn_hands_the_recipe_to_fit(monkeypatch, tiny):
    asked = []
    monkeypatch.setattr(train, "fit", lambda model, task, **options: asked.append(options))
    for changes in ({}, recipe.CURES["all but labels"], recipe.CURES["train less"]):
        recipe.learn(tiny, 0, **changes)
    plain, careful, brief = asked
    assert (plain["epochs"], plain["keep"], plain["weight_decay"]) == (30, "last", 0.0)
    assert plain["augment"] is None and careful["augment"] is recipe.augmented
    assert (careful["keep"], careful["weight_decay"]) == ("best", 10.0)
    assert brief == plain | {"epochs": 6}


def test_changes_and_stages_that_there_are_not(tiny):
    with pytest.raises(store.UnknownName, match="did you mean 'dropout'") as found:
        recipe.learn(tiny, 0, drop_out=0.5)
    assert all(part in str(found.value) for part in recipe.RECIPE)
    with pytest.raises(store.UnknownName, match="stem, layer1, layer2, layer3, layer4, head"):
        recipe.build(3, seed=0, frozen="layer9")
