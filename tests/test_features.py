import pytest
import torch

from tl_course import features, models, store, surgery, tasks, train
from tl_course.tasks.number_words import codes


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


@pytest.mark.parametrize(("stage", "channels"), [("stem", 32), ("layer2", 64), ("layer4", 256)])
def test_extract_equals_the_model_up_to_a_stage(model, toy, stage, channels):
    found = features.extract(model, toy.val.inputs, stage, batch=7)
    assert found.shape == (60, channels) and found.dtype == torch.float32
    expected = model.preprocess(toy.val.inputs)
    with torch.no_grad():
        for name, part in models.stages(model).items():
            expected = part(expected)
            if name == stage:
                break
    torch.testing.assert_close(found, expected.mean((2, 3)), rtol=1e-4, atol=1e-5)


def test_extract_defaults_to_what_the_head_sees(model, toy):
    found = features.extract(model, toy.val.inputs)
    with torch.no_grad():
        logits = model(model.preprocess(toy.val.inputs))
        torch.testing.assert_close(model.head(found), logits, rtol=1e-4, atol=1e-5)


def test_extract_leaves_the_model_as_it_was(model, toy):
    surgery.train_mode(surgery.freeze(model, "stem"))
    modes = [m.training for m in model.modules()]
    before = model.layer1[0].bn1.running_mean.clone()
    features.extract(model, toy.val.inputs)
    assert [m.training for m in model.modules()] == modes
    assert torch.equal(before, model.layer1[0].bn1.running_mean)
    with pytest.raises(store.UnknownName):
        features.extract(model, toy.val.inputs, "layer7")
    with pytest.raises(store.BadInput):
        features.extract(model, toy.val.inputs.float())
    assert [m.training for m in model.modules()] == modes


@pytest.mark.parametrize(
    "names",
    [("stem",), ("stem", "layer1", "layer2"), ("stem", "layer1", "layer2", "layer3", "layer4")],
)
def test_prefix_and_rest_give_the_model(model, toy, names):
    surgery.freeze(model, *names)
    prefix = features.split_prefix(model)
    assert prefix.names == names
    with torch.no_grad():
        found = prefix.above(prefix.apply(toy.val.inputs))
        expected = model(model.preprocess(toy.val.inputs))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_prefix_ends_at_the_first_trainable_stage(model):
    assert features.split_prefix(model) is None
    surgery.freeze(model, "layer2", "layer4")
    assert features.split_prefix(model) is None
    surgery.freeze(model, "stem")
    assert features.split_prefix(model).names == ("stem",)


def test_pooling_goes_below_the_cut(model, toy):
    prefix = features.split_prefix(surgery.freeze(model))
    assert prefix.apply(toy.val.inputs[:4]).shape == (4, 256)


def test_prefix_too_large_for_memory(model, toy, monkeypatch):
    prefix = features.split_prefix(surgery.freeze(model, "stem"))
    assert prefix.fits(toy.train.inputs)
    monkeypatch.setattr(features.prefix, "CACHE_LIMIT", 1000)
    assert not prefix.fits(toy.train.inputs)


def test_probe_reads_what_is_there_and_nothing_else(toy):
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(90, 5, generator=rng)
    val_noise = torch.randn(60, 5, generator=rng)
    told = noise + 3 * torch.nn.functional.one_hot(toy.train.labels, 5)
    val_told = val_noise + 3 * torch.nn.functional.one_hot(toy.val.labels, 5)
    assert features.probe(told, toy.train, val_told, toy.val).accuracy > 0.85
    assert features.probe(noise, toy.train, val_noise, toy.val).accuracy < 0.6


def test_probe_task(model, toy):
    found = features.probe_task(model, toy)
    assert found["test_accuracy"] > 0.9
    assert set(found) == {"val_accuracy", "test_accuracy", "test_balanced"}


def test_probe_refuses_one_class(toy):
    one = toy.train.take((toy.train.labels == 0).nonzero()[:, 0])
    found = one.inputs.float().mean((2, 3))
    with pytest.raises(store.BadInput, match="one class"):
        features.probe(found, one, found, one)


@pytest.fixture
def reader():
    return models.load("reader_spanish")


@pytest.mark.parametrize(("stage", "channels"), [(None, 128), ("letters", 48), ("memory", 128)])
def test_features_of_a_text_do_not_depend_on_what_is_empty_behind_it(reader, stage, channels):
    texts = ["dos", "mil doscientos treinta y cuatro", "cero"]
    found = features.extract(reader, codes(texts), stage)
    assert found.shape == (3, channels) and found.dtype == torch.float32 and found.any(1).all()
    torch.testing.assert_close(features.extract(reader, codes(texts, 100), stage), found)
    for text, expected in zip(texts, found, strict=True):
        alone = features.extract(reader, codes([text]), stage)[0]
        torch.testing.assert_close(alone, expected, atol=1e-5, rtol=1e-4)


def test_features_of_letters_are_their_mean(reader):
    found = features.extract(reader, codes(["dos", "o"]), "letters")
    with torch.no_grad():
        vectors = reader.letters(reader.preprocess(codes(["dos"])))
        torch.testing.assert_close(found[0], vectors[0].mean(0))
        torch.testing.assert_close(found[1], vectors[0, 1])


def test_no_text_has_features_of_zero(reader):
    assert (features.extract(reader, codes([""])) == 0).all()


def test_what_is_cached_of_a_reader_are_the_ends(reader):
    few = tasks.load("numbers_italian").few(30, seed=0)
    surgery.freeze(reader, "letters", "memory")
    prefix = features.split_prefix(reader)
    assert prefix.names == ("letters", "memory") and prefix.fits(few.train.inputs)
    found = prefix.apply(few.train.inputs)
    assert found.shape == (30, 128)
    with torch.no_grad():
        torch.testing.assert_close(
            prefix.above(found), reader(reader.preprocess(few.train.inputs)), atol=1e-5, rtol=1e-4
        )
    history = train.fit(reader, few, epochs=1, progress=False)
    assert history.cached == ("letters", "memory")


def test_a_probe_wants_one_answer_an_input(reader):
    few = tasks.load("numbers_spanish").few(60, seed=0)
    found = features.extract(reader, few.train.inputs)
    with pytest.raises(store.BadInput, match=r"several answers each.*labels\[:, 3\]"):
        features.probe(found, few.train, found, few.train)
    with pytest.raises(store.BadInput, match="several answers each"):
        features.probe_task(reader, few)
    units = tasks.Split(few.train.inputs, few.train.labels[:, 3])
    assert features.probe(found, units, found, units).accuracy > 0.8
