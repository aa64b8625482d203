"""How single runs are trained: a cell of the freezing map, and overfitting with its cures."""

import pytest
import torch

from tl_course import evidence, store, surgery, train
from tl_course.evidence import runs
from tl_course.lessons.freezing import recipe as depths
from tl_course.lessons.overfitting import recipe as cures

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4", "head")
BELOW = {  # how many stages from the bottom are frozen
    "fine-tuning": 0,
    "frozen to layer1": 2,
    "frozen to layer2": 3,
    "frozen to layer3": 4,
    "head alone": 5,
    "from scratch": 0,
    "head on random backbone": 5,
}
PRETRAINED = (*BELOW,)[:5]


def trained_stages(model) -> tuple[str, ...]:
    """Stages with anything that is trained; each is trained whole or not at all."""
    found = []
    for name, stage in surgery.stages(model).items():
        trained = {parameter.requires_grad for parameter in stage.parameters()}
        assert len(trained) == 1, name
        if trained == {True}:
            found.append(name)
    return tuple(found)


def alike(one, other) -> set[str]:
    """Names of the stages whose weights are the same in both models."""
    twins = surgery.stages(other)
    return {
        name
        for name, stage in surgery.stages(one).items()
        if all(
            torch.equal(value, twins[name].state_dict()[key])
            for key, value in stage.state_dict().items()
        )
    }


@pytest.mark.parametrize("strategy", BELOW)
def test_a_strategy_freezes_what_it_says(strategy):
    model = depths.build(strategy, 7, seed=0)
    assert tuple(surgery.stages(model)) == STAGES
    assert trained_stages(model) == STAGES[BELOW[strategy] :]
    assert model.head.out_features == 7


@pytest.mark.parametrize("strategy", BELOW)
def test_the_seed_draws_the_new_weights_and_nothing_else(strategy):
    first, again, other = (depths.build(strategy, 3, seed) for seed in (0, 0, 1))
    assert alike(first, again) == {*STAGES}
    known = {*STAGES} - {"head"} if strategy in PRETRAINED else set()
    assert alike(first, other) == known


def test_where_each_strategy_starts():
    tuned, scratch = (depths.build(s, 3, seed=4) for s in ("fine-tuning", "from scratch"))
    assert {*PRETRAINED} == {*depths.PRETRAINED}
    assert alike(tuned, depths.build("head alone", 3, seed=4)) == {*STAGES}
    # the control has the very weights that training from scratch starts with
    assert alike(scratch, depths.build("head on random backbone", 3, seed=4)) == {*STAGES}
    assert alike(tuned, scratch) == {"head"}  # a seed gives all strategies the same new head


def test_a_strategy_that_is_not_known_lists_those_that_are():
    with pytest.raises(store.UnknownName, match="did you mean 'head alone'") as found:
        depths.build("heads alone", 3, seed=0)
    assert all(strategy in str(found.value) for strategy in depths.FROZEN)


def test_every_strategy_tries_three_rising_rates():
    assert {*depths.RATES} == {*depths.FROZEN} == {*BELOW}
    for rates in depths.RATES.values():
        assert len(rates) == 3 and sorted(rates) == [*rates]


def test_more_labels_mean_fewer_epochs_and_more_steps():
    counts = (5, 25, 26, 50, 100, 200, 201, 500, 1000, 2000, 2001, 10_000)
    paces = [evidence.pace(count) for count in counts]
    epochs, batches = zip(*paces, strict=True)
    assert sorted(epochs, reverse=True) == [*epochs] and epochs[-1] >= 1
    assert sorted(batches) == [*batches]
    grid = (25, 50, 100, 200, 500, 1000, 2000, 10_000)
    shown = [count * evidence.pace(count)[0] for count in grid]
    assert sorted(shown) == shown  # more labels never mean fewer pictures
    assert all(isinstance(number, int) for pair in paces for number in pair)


def test_the_best_rate_is_the_best_on_validation_over_seeds():
    import pandas

    rows = [
        {"task": task, "labels": labels, "strategy": "head alone", "seed": seed, "lr": lr}
        | {"val_accuracy": value, "test_accuracy": lr}
        for task, labels, values in (
            ("leaves", 100, {1e-3: (0.9, 0.1), 1e-2: (0.6, 0.6), 1e-1: (0.2, 0.2)}),
            ("leaves", 500, {1e-3: (0.9, 0.9), 1e-2: (0.6, 0.6), 1e-1: (0.2, 0.2)}),
            ("digits", 100, {1e-3: (0.1, 0.1), 1e-2: (0.6, 0.6), 1e-1: (0.6, 0.7)}),
        )
        for lr, both in values.items()
        for seed, value in enumerate(both)
    ]
    assert evidence.best_rates(pandas.DataFrame(rows)) == {
        ("leaves", "head alone", 100): 1e-2,
        ("leaves", "head alone", 500): 1e-3,
        ("digits", "head alone", 100): 1e-1,
    }


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(runs, "pace", lambda labels: (3, 16))


@pytest.fixture(scope="module")
def tiny(toy):
    return toy.few(24, seed=0)


ACCURACIES = ("train_accuracy", "val_accuracy", "test_accuracy", "test_balanced")


@pytest.mark.parametrize("strategy", ["fine-tuning", "frozen to layer2", "head alone"])
def test_a_cell_gives_the_same_twice_and_without_the_cache(hasty, tiny, strategy):
    first, again = (depths.train_cell(tiny, strategy, 1e-3, seed=1) for _ in range(2))
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    assert all(0 <= first[name] <= 1 for name in ACCURACIES)
    assert first["epochs"] == 3 and 1 <= first["best_epoch"] <= 3 and first["seconds"] >= 0
    plain = depths.train_cell(tiny, strategy, 1e-3, seed=1, cache=False)
    for name in ACCURACIES:
        assert plain[name] == pytest.approx(first[name], abs=0.1)


def test_another_seed_is_another_run(hasty, tiny):
    found = [depths.train_cell(tiny, "from scratch", 1e-3, seed) for seed in (0, 1)]
    assert any(found[0][name] != found[1][name] for name in ACCURACIES)


def test_a_cell_tells_of_the_epoch_that_it_chose(monkeypatch, hasty, tiny):
    kept, fit = [], train.fit

    def watched(model, task, *args, **options):
        kept.append((model, fit(model, task, *args, **options)))
        return kept[-1][1]

    monkeypatch.setattr(train, "fit", watched)
    found = depths.train_cell(tiny, "frozen to layer3", 1e-3, seed=0)
    ((model, history),) = kept
    assert found["best_epoch"] == history.best_epoch
    assert found["val_accuracy"] == max(history.val_accuracy)
    assert found["train_accuracy"] == history.train_accuracy[history.best_epoch - 1]
    assert found["test_accuracy"] == train.evaluate(model, tiny.test).accuracy


def test_ctrl_c_ends_a_cell(monkeypatch, hasty, tiny):
    def interrupting(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(surgery, "train_mode", interrupting)
    with pytest.raises(KeyboardInterrupt):
        depths.train_cell(tiny, "head alone", 1e-2, seed=0)


def test_a_cell_that_never_ends_an_epoch_counts_nothing(hasty, tiny):
    with pytest.warns(UserWarning, match="not finite"):
        found = depths.train_cell(tiny, "fine-tuning", 1e30, seed=0)
    assert found["best_epoch"] == 0 and found["val_accuracy"] == found["train_accuracy"] == 0


def pictures(count: int = 64, side: int = 32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("shape", [(5, 3, 64, 64), (1, 3, 16, 32), (2, 3, 4, 4), (0, 3, 64, 64)])
def test_changed_pictures_are_pictures_still(shape):
    given = torch.full(shape, 255, dtype=torch.uint8)
    found = cures.augmented(given)
    assert found.shape == shape and found.dtype == torch.uint8
    assert (given == 255).all()  # not in place


def test_what_is_drawn_lies_where_the_pictures_are():
    given = torch.zeros(4, 3, 16, 16, dtype=torch.uint8, device="meta")
    assert cures.augmented(given).device == given.device


def test_every_picture_is_changed_in_its_own_way():
    given = pictures(1).expand(32, -1, -1, -1).contiguous()
    kept = given.clone()
    torch.manual_seed(0)
    found = cures.augmented(given)
    assert torch.equal(given, kept)
    assert len({picture.numpy().tobytes() for picture in found}) >= 30
    torch.manual_seed(0)
    assert torch.equal(cures.augmented(given), found)
    torch.manual_seed(1)
    assert not torch.equal(cures.augmented(given), found)


def test_pictures_are_mirrored_shifted_and_lit_within_reach():
    """One bright pixel in the middle of each, on grey, tells where it went."""
    given = torch.full((400, 3, 32, 32), 100, dtype=torch.uint8)
    given[:, :, 12, 10] = 200
    torch.manual_seed(0)
    found = cures.augmented(given).float()
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
    found = cures.augmented(given)
    assert (found >= 80).all()  # nothing black comes in, 100 is the darkest edge
    assert not (found.float().diff(dim=2) < 0).any()  # shifted rows are in their order still


def test_light_does_not_wrap_round():
    found = cures.augmented(torch.full((64, 3, 8, 8), 250, dtype=torch.uint8))
    assert found.min() >= 200 and found.max() == 255


def test_cures_change_the_recipe_and_one_thing_each():
    for name, changes in cures.CURES.items():
        assert {*changes} <= {*cures.RECIPE}, name
        assert all(cures.RECIPE[key] != value for key, value in changes.items()), name
    assert cures.CURES["no cure"] == {}
    several = ("no cure", "freeze and train less", "all but labels")
    assert all(len(c) == 1 for name, c in cures.CURES.items() if name not in several)
    both = cures.CURES["freeze to layer2"] | cures.CURES["train less"]
    assert cures.CURES["freeze and train less"] == both
    whole = cures.CURES["all but labels"]
    assert {*whole} == {*cures.RECIPE} - {"labels", "epochs"}  # it stops early instead
    singles = [c for name, c in cures.CURES.items() if name not in several]
    assert all(dict([change]) in singles for change in whole.items())
    assert {*cures.RECIPE} == {key for changes in singles for key in changes}


def test_rules_speak_of_cures_that_there_are():
    from tl_course.lessons.overfitting import rules as overfitting

    for name in (overfitting.BASE, overfitting.CURE, overfitting.LABELS):
        assert name in cures.CURES


@pytest.mark.parametrize(
    ("options", "below", "layers"),
    [
        ({}, 0, ["Linear", "ReLU", "Dropout", "Linear"]),
        ({"hidden": 0}, 0, ["Dropout", "Linear"]),
        ({"frozen": "layer2", "dropout": 0.5}, 3, ["Linear", "ReLU", "Dropout", "Linear"]),
        ({"frozen": "layer4"}, 5, ["Linear", "ReLU", "Dropout", "Linear"]),
    ],
)
def test_the_network_that_overfits(options, below, layers):
    model = cures.build(7, seed=0, **options)
    assert trained_stages(model) == STAGES[below:]
    assert [type(part).__name__ for part in model.head] == layers
    assert model.head[-1].out_features == 7
    assert model.head[-2].p == options.get("dropout", 0.0)
    assert train.predict(model, pictures(2, 64)).shape == (2, 7)
    twin, other = cures.build(7, seed=0, **options), cures.build(7, seed=1, **options)
    assert alike(model, twin) == {*STAGES} and alike(model, other) == {*STAGES} - {"head"}


def test_a_stage_that_is_not_known_lists_those_that_are():
    with pytest.raises(store.UnknownName, match="stem, layer1, layer2, layer3, layer4, head"):
        cures.build(3, seed=0, frozen="layer9")


def test_the_last_epoch_is_kept_or_the_best(tiny):
    seen = []
    model, history = cures.learn(tiny, 0, watch=lambda *found: seen.append(found), epochs=3)
    assert history.best_epoch == 3 == len(history.val_accuracy)
    assert [(at, epoch.val_accuracy) for at, epoch in seen] == [*enumerate(history.val_accuracy, 1)]
    assert train.evaluate(model, tiny.val).accuracy == history.val_accuracy[-1]
    model, history = cures.learn(tiny, 0, epochs=3, keep="best")
    assert train.evaluate(model, tiny.val).accuracy == max(history.val_accuracy)
    assert history.val_accuracy[history.best_epoch - 1] == max(history.val_accuracy)


def test_the_same_seed_learns_the_same(tiny):
    options = {"epochs": 2, "augment": True, "dropout": 0.5, "frozen": "layer3"}
    (_, first), (_, again) = (cures.learn(tiny, 3, **options) for _ in range(2))
    assert first.train_loss == again.train_loss and first.val_accuracy == again.val_accuracy
    assert cures.learn(tiny, 4, **options)[1].train_loss != first.train_loss
    assert first.cached == ()  # pictures that change cannot be run once


def test_learn_hands_the_recipe_to_fit(monkeypatch, tiny):
    asked = []
    monkeypatch.setattr(
        train,
        "fit",
        lambda model, task, epochs, **options: asked.append({"epochs": epochs} | options),
    )
    for changes in ({}, cures.CURES["all but labels"], cures.CURES["train less"]):
        cures.learn(tiny, 0, **changes)
    plain, careful, brief = asked
    assert (plain["epochs"], plain["keep"], plain["weight_decay"]) == (30, "last", 0.0)
    assert plain["augment"] is None and careful["augment"] is cures.augmented
    assert (careful["keep"], careful["weight_decay"]) == ("best", 10.0)
    assert brief == plain | {"epochs": 6}


def test_a_change_that_the_recipe_does_not_have(tiny):
    with pytest.raises(store.UnknownName, match="did you mean 'dropout'") as found:
        cures.learn(tiny, 0, drop_out=0.5)
    assert all(part in str(found.value) for part in cures.RECIPE)
