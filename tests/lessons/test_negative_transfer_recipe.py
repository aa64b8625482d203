"""Sources under suspicion: what they are asked, what they are taught, and how gains are counted."""

from itertools import permutations

import numpy as np
import pandas
import pytest
import torch

from tl_course import evidence, models, store, surgery, tasks, train
from tl_course.lessons.negative_transfer import recipe as suspects
from tl_course.tasks import Split

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


def keys(*splits: Split) -> set[bytes]:
    return {picture.numpy().tobytes() for split in splits for picture in split.inputs}


@pytest.fixture(scope="module")
def materials():
    return tasks.load("materials")


def test_every_source_is_a_model_of_the_course():
    assert {*suspects.PICTURES.values(), *suspects.READERS.values()} <= {*models.names()}
    assert {*suspects.PICTURES} - {"photographs"} == {*suspects.RECIPES}
    assert not {*suspects.PICTURES} & {*suspects.READERS}
    for rates in suspects.RATES.values():
        assert len(rates) == 3 and sorted(rates) == [*rates]


def test_orders_are_all_there_are():
    assert {*suspects.ORDERS} == {" ".join(p) for p in permutations(("red", "green", "blue"))}
    assert len(suspects.ORDERS) == 6


def test_by_colour_is_the_order_of_the_mean_colours(materials):
    split = materials.val.take(range(60))
    found = suspects.by_colour(split)
    assert found.inputs is split.inputs and found.labels.dtype == torch.int64
    for picture, label in zip(split.inputs.numpy(), found.labels.tolist(), strict=True):
        brightness = {
            name: picture[index].astype(float).mean()
            for index, name in enumerate(("red", "green", "blue"))
        }
        first, second, third = suspects.ORDERS[label].split()
        assert brightness[first] >= brightness[second] >= brightness[third]
    assert len(found.labels.unique()) >= 5


def test_by_colour_of_plain_pictures():
    shades = ([200, 100, 50], [50, 100, 200], [100, 200, 50])
    pictures = torch.tensor(shades, dtype=torch.uint8)[:, :, None, None].expand(-1, -1, 8, 8)
    found = suspects.by_colour(Split(pictures, torch.zeros(3, dtype=torch.int64)))
    names = [suspects.ORDERS[label] for label in found.labels]
    assert names == ["red green blue", "blue green red", "green red blue"]


def test_by_chance_has_nothing_to_do_with_the_pictures(materials):
    found = suspects.by_chance(materials.train, 3)
    assert found.inputs is materials.train.inputs
    assert torch.equal(found.labels, suspects.by_chance(materials.train, np.int64(3)).labels)
    assert not torch.equal(found.labels, suspects.by_chance(materials.train, 4).labels)
    counts = found.labels.bincount(minlength=10)
    assert len(counts) == 10 == suspects.RANDOM_CLASSES and counts.min() > 50
    together = torch.stack([found.labels, materials.train.labels]).double()
    assert abs(float(torch.corrcoef(together)[0, 1])) < 0.12
    before = torch.random.get_rng_state()
    suspects.by_chance(materials.train, 5)
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize("source", suspects.RECIPES)
def test_a_lesson(source, materials):
    count = suspects.RECIPES[source][0]
    task, again, other = (suspects.lesson(source, seed) for seed in (0, 0, 1))
    assert len(task.train) == count and task.train.labels.max() < len(task.classes)
    assert torch.equal(task.train.inputs, again.train.inputs)
    assert torch.equal(task.train.labels, again.train.labels)
    assert keys(task.train) != keys(other.train) and len(keys(task.train)) == count
    assert not keys(task.train) & keys(materials.val, materials.test)


def test_which_answers_each_lesson_wants(materials):
    colours, chance, few, noise = (suspects.lesson(source, 2) for source in suspects.RECIPES)
    assert colours.classes == suspects.ORDERS and len({t.name for t in (colours, chance, few)}) == 3
    for split in (colours.train, colours.val, colours.test):
        assert torch.equal(split.labels, suspects.by_colour(split).labels)
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
def test_no_lesson_for_other_sources(source):
    with pytest.raises(store.UnknownName, match="random labels"):
        suspects.lesson(source, 0)


def some_model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False)


@pytest.mark.parametrize("strategy", suspects.RATES)
def test_start_gives_a_new_head_and_freezes_the_rest_if_asked(strategy):
    model = some_model()
    old = {name: value.clone() for name, value in model.state_dict().items()}
    assert suspects.start(model, strategy, 4) is model
    assert surgery.frozen(model) == (BODY if strategy == "frozen" else ())
    assert model.head.out_features == 4 and model.head.weight.requires_grad
    for name, value in model.state_dict().items():
        assert name.startswith("head") or torch.equal(value, old[name])


def test_the_head_is_drawn_from_the_generator():
    heads = []
    for seed in (1, 1, 2):
        model = some_model()
        torch.manual_seed(seed)
        heads.append(suspects.start(model, "fine-tuned", 4).head.weight)
    assert torch.equal(heads[0], heads[1]) and not torch.equal(heads[0], heads[2])


def test_start_knows_two_strategies():
    with pytest.raises(store.UnknownName, match="did you mean 'frozen'"):
        suspects.start(some_model(), "freeze", 4)


@pytest.fixture
def hasty(monkeypatch):
    """Recipes that take a second; returns what ``train.fit`` was asked."""
    monkeypatch.setattr(suspects, "RECIPES", {
        "colours": (24, 1, True), "random labels": (20, 3, False),
        "too long on little": (9, 2, False), "noise": (16, 1, True),
    })  # fmt: skip
    asked, fit = [], train.fit

    def noted(model, task, epochs, **settings):
        asked.append((task, epochs, settings))
        return fit(model, task, epochs, **settings)

    monkeypatch.setattr(train, "fit", noted)
    return asked


@pytest.mark.parametrize("source", suspects.RECIPES)
def test_pretrain(source, hasty):
    count, epochs, chosen = suspects.RECIPES[source]
    model, accuracy = suspects.pretrain(source, 1)
    task = suspects.lesson(source, 1)
    ((seen, trained, settings),) = hasty
    assert trained == epochs and settings["keep"] == ("best" if chosen else "last")
    assert settings["seed"] == 1 and len(seen.train) == count
    assert torch.equal(seen.train.labels, task.train.labels)
    assert model.classes == task.classes and models.outputs(model) == len(task.classes)
    judged = task.val if chosen else task.train
    assert accuracy == train.evaluate(model, judged).accuracy
    if not chosen:
        assert keys(seen.val) <= keys(seen.train)  # what learns by heart is not chosen on new ones
    first = {name: value.clone() for name, value in model.state_dict().items()}
    torch.manual_seed(77)
    again, _ = suspects.pretrain(source, 1)
    assert all(torch.equal(value, first[name]) for name, value in again.state_dict().items())


def test_a_source_that_was_interrupted_is_no_source(hasty, monkeypatch):
    from dataclasses import replace

    fit = train.fit
    monkeypatch.setattr(
        train, "fit", lambda *a, **k: replace(fit(*a, **k), stopped="interrupted after epoch 1")
    )
    with pytest.raises(KeyboardInterrupt):
        suspects.pretrain("noise", 0)


def two():
    source, fresh = (models.load("resnet10", pretrained=False) for _ in range(2))
    return source, fresh, {n: v.clone() for n, v in source.state_dict().items()}, {
        n: v.clone() for n, v in fresh.state_dict().items()
    }  # fmt: skip


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
    source, fresh, sources, others = two()
    model = suspects.assemble(source, fresh, part)
    for name, value in model.state_dict().items():
        expected = sources if name.split(".")[0] in stages else others
        assert torch.equal(value, expected[name]), name


def test_assemble_shrinks_and_refuses():
    source, fresh, sources, others = two()
    model = suspects.assemble(source, fresh, "shrink and perturb")
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.detach(), 0.5 * sources[name] + 0.5 * others[name])
    with pytest.raises(store.UnknownName, match="only layer2"):
        suspects.assemble(source, fresh, "only layer9")


def table(seeds: int = 5) -> pandas.DataFrame:
    """A made-up sweep: by source and strategy a mean, and a little that changes with the seed."""
    rows = []
    for task, labels, shift in (("digits", 50, 0.0), ("digits", 500, 0.1), ("leaves", 50, 0.2)):
        for source, strategy, mean in (
            ("nothing", "fine-tuned", 0.5), ("nothing", "frozen", 0.3),
            ("photographs", "fine-tuned", 0.6), ("noise", "fine-tuned", 0.45),
        ):  # fmt: skip
            for seed in range(seeds):
                wobble = 0.01 * ((seed * (3 + len(source)) + len(strategy)) % 5)
                rows.append({"task": task, "labels": labels, "source": source, "seed": seed,
                             "strategy": strategy, "test_balanced": mean + shift + wobble,
                             "test_accuracy": 0.0})  # fmt: skip
    return pandas.DataFrame(rows)


def test_gains_are_paired_differences_from_scratch():
    frame = table()
    shuffled = frame.sample(frac=1, random_state=0)
    for given in (frame, shuffled):
        found = evidence.gains(given).set_index(["task", "labels", "source", "strategy"])
        assert len(found) == 9 and found.seeds.eq(5).all()
        assert not any(key[2:] == ("nothing", "fine-tuned") for key in found.index)

        def of(task, labels, source, strategy):
            rows = frame[(frame.task == task) & (frame.labels == labels)]
            rows = rows[(rows.source == source) & (rows.strategy == strategy)]
            return rows.sort_values("seed").test_balanced.to_numpy()

        for key, row in found.iterrows():
            expected = evidence.paired(of(*key), of(*key[:2], "nothing", "fine-tuned"))
            assert (row.gain, row.low, row.high) == pytest.approx(
                (expected.effect, expected.low, expected.high)
            ), key
            assert row.low <= row.gain <= row.high
    found = found.gain
    assert found["digits", 50, "photographs", "fine-tuned"] == pytest.approx(0.1, abs=0.03)
    assert found["digits", 50, "noise", "fine-tuned"] == pytest.approx(-0.05, abs=0.03)
    assert found["leaves", 50, "nothing", "frozen"] == pytest.approx(-0.2, abs=0.03)


def test_more_confidence_is_a_wider_interval():
    wide, usual = evidence.gains(table(), 0.99), evidence.gains(table())
    assert (wide.gain == usual.gain).all()
    assert ((wide.high - wide.low) >= (usual.high - usual.low)).all()
    assert ((wide.high - wide.low) > (usual.high - usual.low)).any()


def test_gains_want_the_same_seeds_on_both_sides():
    frame = table()
    lost = frame[(frame.source == "noise") & (frame.seed == 3)].index
    with pytest.raises(store.BadInput, match="none missing"):
        evidence.gains(frame.drop(lost))
    scratch = (frame.source == "nothing") & (frame.strategy == "fine-tuned")
    with pytest.raises(KeyError):
        evidence.gains(frame[~scratch])
