"""Sources under suspicion: what they are asked, and what they are taught."""

from itertools import permutations

import numpy as np
import pytest
import torch

from tl_course import models, store, surgery, tasks, train
from tl_course.lessons.negative_transfer import recipe
from tl_course.tasks import Split

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


def keys(*splits: Split) -> set[bytes]:
    return {picture.numpy().tobytes() for split in splits for picture in split.inputs}


@pytest.fixture(scope="module")
def materials():
    return tasks.load("materials")


def test_every_source_is_a_model_of_the_course():
    assert {*recipe.PICTURES.values(), *recipe.READERS.values()} <= {*models.names()}
    assert {*recipe.PICTURES} - {"photographs"} == {*recipe.RECIPES}
    assert not {*recipe.PICTURES} & {*recipe.READERS}
    for rates in recipe.RATES.values():
        assert len(rates) == 3 and sorted(rates) == [*rates]
    colours = permutations(("red", "green", "blue"))
    assert sorted(recipe.ORDERS) == sorted(map(" ".join, colours))


def test_by_colour_is_the_order_of_the_mean_colours(materials):
    split = materials.val.take(range(60))
    found = recipe.by_colour(split)
    assert found.inputs is split.inputs and found.labels.dtype == torch.int64
    for picture, label in zip(split.inputs.double().mean((2, 3)), found.labels, strict=True):
        means = dict(zip(("red", "green", "blue"), picture.tolist(), strict=True))
        first, second, third = recipe.ORDERS[label].split()
        assert means[first] >= means[second] >= means[third]
    assert len(found.labels.unique()) >= 5
    shades = torch.tensor(([200, 100, 50], [50, 100, 200], [100, 200, 50]), dtype=torch.uint8)
    plain = Split(shades[:, :, None, None].expand(-1, -1, 8, 8), torch.zeros(3, dtype=torch.int64))
    names = [recipe.ORDERS[label] for label in recipe.by_colour(plain).labels]
    assert names == ["red green blue", "blue green red", "green red blue"]


def test_by_chance_has_nothing_to_do_with_the_pictures(materials):
    before = torch.random.get_rng_state()
    found = recipe.by_chance(materials.train, 3)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert found.inputs is materials.train.inputs
    assert torch.equal(found.labels, recipe.by_chance(materials.train, np.int64(3)).labels)
    assert not torch.equal(found.labels, recipe.by_chance(materials.train, 4).labels)
    counts = found.labels.bincount(minlength=10)
    assert len(counts) == 10 == recipe.RANDOM_CLASSES and counts.min() > 50
    together = torch.stack([found.labels, materials.train.labels]).double()
    assert abs(float(torch.corrcoef(together)[0, 1])) < 0.12


@pytest.mark.slow  # ten thousand pictures are drawn
@pytest.mark.parametrize("source", recipe.RECIPES)
def test_the_task_of_a_source(source, materials):
    count = recipe.RECIPES[source][0]
    task, again, other = (recipe.source_task(source, seed) for seed in (0, 0, 1))
    assert len(task.train) == count and task.train.labels.max() < len(task.classes)
    assert torch.equal(task.train.inputs, again.train.inputs)
    assert torch.equal(task.train.labels, again.train.labels)
    assert keys(task.train) != keys(other.train) and len(keys(task.train)) == count
    assert not keys(task.train) & keys(materials.val, materials.test)


@pytest.mark.slow  # ten thousand pictures are drawn
def test_which_answers_each_source_is_taught(materials):
    colours, chance, few, noise = (recipe.source_task(source, 2) for source in recipe.RECIPES)
    assert colours.classes == recipe.ORDERS and len({t.name for t in (colours, chance, few)}) == 3
    for split in (colours.train, colours.val, colours.test):
        assert torch.equal(split.labels, recipe.by_colour(split).labels)
    assert colours.train.labels.bincount(minlength=6).min() >= 20
    assert len(chance.classes) == 10 and len(chance.train.labels.unique()) == 10
    for split in (chance.val, chance.test):  # there is nothing else to know
        assert torch.equal(split.labels, chance.train.labels)
    assert few.classes == materials.classes and few.train.labels.bincount().tolist() == [4] * 9
    many = tasks.load("materials_many").train
    answers = {p.numpy().tobytes(): int(y) for p, y in zip(many.inputs, many.labels, strict=True)}
    for picture, label in zip(few.train.inputs, few.train.labels.tolist(), strict=True):
        assert answers[picture.numpy().tobytes()] == label
    assert noise.name == "noise" and not keys(noise.train) & keys(noise.val, noise.test)


@pytest.mark.parametrize("source", ["photographs", "nothing", "colour", None])
def test_other_sources_have_no_task(source):
    with pytest.raises(store.UnknownName, match="random labels"):
        recipe.source_task(source, 0)


def blank():
    return models.load("resnet10", pretrained=False)


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


@pytest.mark.parametrize("strategy", recipe.RATES)
def test_start_gives_a_new_head_and_freezes_the_rest_if_asked(strategy):
    model = blank()
    old, heads = weights(model), []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)  # draws the head
        assert recipe.start(model, strategy, 4) is model
        heads.append(model.head.weight.detach().clone())
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])
    assert surgery.frozen(model) == (BODY if strategy == "frozen" else ())
    assert model.head.out_features == 4 and model.head.weight.requires_grad
    for name, value in model.state_dict().items():
        assert name.startswith("head") or torch.equal(value, old[name])


def test_start_knows_two_strategies():
    with pytest.raises(store.UnknownName, match="did you mean 'frozen'"):
        recipe.start(blank(), "freeze", 4)


@pytest.fixture
def hasty(monkeypatch):
    """Recipes that take a second; returns what ``train.fit`` was asked."""
    monkeypatch.setattr(recipe, "RECIPES", {
        "colours": (24, 1, True), "random labels": (20, 3, False),
        "too long on little": (9, 2, False), "noise": (16, 1, True),
    })  # fmt: skip
    asked, fit = [], train.fit

    def noted(model, task, epochs, **settings):
        asked.append((task, epochs, settings))
        return fit(model, task, epochs, **settings)

    monkeypatch.setattr(train, "fit", noted)
    return asked


@pytest.mark.slow
@pytest.mark.parametrize("source", recipe.RECIPES)
def test_pretrain(source, hasty):
    count, epochs, chosen = recipe.RECIPES[source]
    model, accuracy = recipe.pretrain(source, 1)
    task = recipe.source_task(source, 1)
    ((seen, trained, settings),) = hasty
    assert trained == epochs and settings["keep"] == ("best" if chosen else "last")
    assert settings["seed"] == 1 and len(seen.train) == count
    assert torch.equal(seen.train.labels, task.train.labels)
    assert model.classes == task.classes and models.outputs(model) == len(task.classes)
    asked = task.val if chosen else task.train
    assert accuracy == train.evaluate(model, asked).accuracy
    if not chosen:
        assert keys(seen.val) <= keys(seen.train)  # what learns by heart is not chosen on new ones
    first = weights(model)
    torch.manual_seed(77)
    again, _ = recipe.pretrain(source, 1)
    assert all(torch.equal(value, first[name]) for name, value in again.state_dict().items())


def test_a_source_that_was_interrupted_is_no_source(hasty, monkeypatch):
    from dataclasses import replace

    fit = train.fit
    monkeypatch.setattr(
        train, "fit", lambda *a, **k: replace(fit(*a, **k), stopped="interrupted after epoch 1")
    )
    with pytest.raises(KeyboardInterrupt):
        recipe.pretrain("noise", 0)


@pytest.mark.parametrize(
    ("part", "stages"),
    [
        ("from scratch", ()),
        ("whole source", (*BODY, "head")),
        ("only layer2", ("layer2",)),
        ("only stem", ("stem",)),
        ("all but layer2", ("stem", "layer1", "layer3", "layer4", "head")),
        ("keep up to layer1", ("stem", "layer1")),
        ("keep up to stem", ("stem",)),
    ],
)
def test_assemble_takes_parts_from_both(part, stages):
    source, fresh = blank(), blank()
    sources, others = weights(source), weights(fresh)
    for name, value in recipe.assemble(source, fresh, part).state_dict().items():
        expected = sources if name.split(".")[0] in stages else others
        assert torch.equal(value, expected[name]), name


def test_assemble_shrinks_and_refuses():
    source, fresh = blank(), blank()
    sources, others = weights(source), weights(fresh)
    for name, weight in recipe.assemble(source, fresh, "shrink and perturb").named_parameters():
        torch.testing.assert_close(weight.detach(), 0.5 * sources[name] + 0.5 * others[name])
    with pytest.raises(store.UnknownName, match="only layer2"):
        recipe.assemble(source, fresh, "only layer9")
