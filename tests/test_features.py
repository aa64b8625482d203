import dataclasses
import os
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from tl_course import features, models, store, surgery, tasks
from tl_course.features import extraction
from tl_course.tasks.number_words import codes


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_extract_leaves_the_model_as_it_was(model, toy):
    surgery.train_mode(surgery.freeze(model, "stem"))
    modes = [m.training for m in model.modules()]
    before = model.layer1[0].bn1.running_mean.clone()
    features.extract(model, toy.val.inputs)
    assert torch.equal(before, model.layer1[0].bn1.running_mean)
    with pytest.raises(store.UnknownName):
        features.extract(model, toy.val.inputs, "layer7")
    with pytest.raises(store.BadInput):
        features.extract(model, toy.val.inputs.float())
    assert [m.training for m in model.modules()] == modes


def test_prefix_ends_at_the_first_trainable_stage(model, reader, toy):
    assert features.split_prefix(model) is None
    surgery.freeze(model, "layer2", "layer4")
    assert features.split_prefix(model) is None
    assert features.split_prefix(surgery.freeze(model, "stem")).names == ("stem",)
    pooled = features.split_prefix(surgery.freeze(model))  # pooling has nothing to learn
    assert pooled.apply(toy.val.inputs[:4]).shape == (4, 256)
    ends = features.split_prefix(surgery.freeze(reader, "letters", "memory"))
    assert ends.apply(codes(["dos", "mil"])).shape == (2, 128)
    assert features.split_prefix(surgery.freeze(model, "head")) is None


def test_prefix_too_large_for_memory(model, toy, monkeypatch):
    prefix = features.split_prefix(surgery.freeze(model, "stem"))
    assert prefix.fits(toy.train.inputs)
    monkeypatch.setattr(features.prefix, "CACHE_LIMIT", 1000)
    assert not prefix.fits(toy.train.inputs)


def test_probe_reads_what_is_there_and_nothing_else(toy):
    rng = torch.Generator().manual_seed(0)
    noise = torch.randn(90, 5, generator=rng)
    val_noise = torch.randn(60, 5, generator=rng)
    told = noise + 3 * F.one_hot(toy.train.labels, 5)
    val_told = val_noise + 3 * F.one_hot(toy.val.labels, 5)
    assert features.probe(told, toy.train, val_told, toy.val).accuracy > 0.85
    assert features.probe(noise, toy.train, val_noise, toy.val).accuracy < 0.6


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


def test_a_probe_wants_one_answer_an_input(reader):
    few = tasks.load("numbers_spanish").few(60, seed=0)
    found = features.extract(reader, few.train.inputs)
    with pytest.raises(store.BadInput, match=r"several answers each.*labels\[:, 3\]"):
        features.probe(found, few.train, found, few.train)
    with pytest.raises(store.BadInput, match="several answers each"):
        features.probe_task(reader, few)
    units = tasks.Split(few.train.inputs, few.train.labels[:, 3])
    assert features.probe(found, units, found, units).accuracy > 0.8


@pytest.fixture
def made():
    """Two sets of features of the same 120 inputs: the second shares some with the first."""
    draw = torch.Generator().manual_seed(0)
    first = torch.randn(120, 6, generator=draw) * torch.arange(1, 7)
    second = first @ torch.randn(6, 4, generator=draw) + 9 * torch.randn(120, 4, generator=draw)
    return first, second + torch.arange(4)


def hsic(first, second):
    """Hilbert-Schmidt independence criterion with linear kernels (Gretton et al. 2005), by its
    definition: from how alike the inputs are pair by pair, where cka goes by channels.
    """
    count = len(first)
    centring = torch.eye(count, dtype=torch.float64) - 1 / count
    one, two = (values.double() @ values.double().T for values in (first, second))
    return torch.trace(one @ centring @ two @ centring) / (count - 1) ** 2


def test_cka_is_normalised_hsic(made):
    expected = hsic(*made) / (hsic(made[0], made[0]) * hsic(made[1], made[1])) ** 0.5
    assert 0.1 < expected < 0.9
    assert features.cka(*made) == pytest.approx(float(expected), rel=1e-9)
    assert features.cka(*made[::-1]) == pytest.approx(float(expected), rel=1e-9)


def test_frechet_is_that_of_two_normal_distributions(made):
    """Against scipy's root of a matrix; along one channel it has a closed form."""
    from scipy.linalg import sqrtm

    first, other = made[0][:, :4], made[1]
    one, two = (np.cov(values.double().numpy().T) for values in (first, other))
    apart = (first.double().mean(0) - other.double().mean(0)).square().sum()
    expected = float(apart) + np.trace(one + two - 2 * sqrtm(one @ two).real)
    assert features.frechet(first, other) == pytest.approx(expected, rel=1e-6)
    assert features.frechet(other, first) == pytest.approx(expected, rel=1e-6)
    assert features.frechet(first, first.flip(0)) == pytest.approx(0, abs=1e-6)
    assert features.frechet(first, first + 2) == pytest.approx(4 * 4, abs=1e-6)
    line = first[:, :1].double()
    spread = float(line.std())
    assert features.frechet(line, 3 * line) == pytest.approx(
        float((2 * line.mean()) ** 2) + (3 * spread - spread) ** 2, rel=1e-9
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [((5, 3), (5, 4)), ((5,), (5,)), ((1, 3), (5, 3))],
)
def test_frechet_refuses(first, second):
    with pytest.raises(store.BadInput):
        features.frechet(torch.randn(first), torch.randn(second))
    with pytest.raises(store.BadInput, match="finite"):
        features.frechet(torch.full((5, 3), torch.nan), torch.randn(5, 3))


def test_what_leaves_cka_as_it_is(made):
    first, second = made
    turn = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1))).Q
    order = torch.randperm(120, generator=torch.Generator().manual_seed(2))
    before = features.cka(first, second)
    for other in (first @ turn, -0.01 * first, first + 1000, first.flip(1)):
        assert features.cka(first, other) == pytest.approx(1, abs=1e-6)
        assert features.cka(other, second) == pytest.approx(before, abs=1e-6)
    assert features.cka(first[order], second[order]) == pytest.approx(before)
    assert features.cka(first.half(), second.half()) == pytest.approx(before, abs=1e-3)


def test_what_changes_cka(made):
    first, second = made
    assert features.cka(first, second.roll(60, 0)) < 0.5 * features.cka(first, second)
    assert features.cka(first, first * torch.arange(6)) < 0.99  # not any linear map, as CCA would
    signs = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert features.cka(signs[:, :1], signs[:, 1:]) == 0


def test_cka_is_high_by_chance_with_few_inputs():
    draw = torch.Generator().manual_seed(0)
    few, many = (features.cka(*torch.randn(2, count, 50, generator=draw)) for count in (20, 5000))
    assert few > 0.6 and many < 0.02


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (torch.rand(5, 3), torch.rand(6, 3), r"shapes \(5, 3\) and \(6, 3\)"),
        (torch.rand(5), torch.rand(5, 3), "must be"),
        (torch.rand(5, 3), torch.rand(5, 3, 4, 4), "must be"),
        (torch.rand(1, 3), torch.rand(1, 3), "two or more inputs"),
        (torch.rand(5, 3), torch.full((5, 3), 0.1), "do not vary"),
        (torch.rand(5, 0), torch.rand(5, 3), "do not vary"),
        (torch.rand(5, 3), torch.full((5, 3), torch.nan), "are no numbers"),
        (torch.rand(5, 3), torch.full((5, 3), torch.inf), "are no numbers"),
    ],
)
def test_cka_refuses(first, second, message):
    with pytest.raises(store.BadInput, match=message):
        features.cka(first, second)


def test_every_stage_goes_in_batches(model):
    pictures = torch.randint(0, 256, (300, 3, 64, 64), dtype=torch.uint8)
    found = features.every_stage(model, pictures)
    widths = {"stem": 32, "layer1": 32, "layer2": 64, "layer3": 128, "layer4": 256}
    assert {name: tuple(v.shape) for name, v in found.items()} == {
        name: (300, width) for name, width in widths.items()
    }
    last = features.every_stage(model, pictures[-1:])  # of the second batch
    for name, values in last.items():
        torch.testing.assert_close(values[0], found[name][-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("change", [lambda x: None, torch.Tensor.numpy, lambda x: x[0]])
def test_every_stage_refuses_what_is_no_picture(model, toy, change):
    with pytest.raises(store.BadInput):
        features.every_stage(model, change(toy.val.inputs))


def test_a_probe_of_features_is_chosen_on_validation_and_tested_once(toy):
    rare = torch.cat(
        [(toy.test.labels == label).nonzero()[:n, 0] for label, n in enumerate((20, 4))]
    )
    task = dataclasses.replace(toy, test=toy.test.take(rare))
    told = [F.one_hot(split.labels, 3).float() for split in (toy.train, toy.val)]
    always = torch.tensor([1.0, 0, 0]).repeat(24, 1)  # shows class 0, whatever it is
    assert features.probe_features([*told, always], task) == {
        "val_accuracy": 1.0,
        "test_accuracy": pytest.approx(20 / 24),
        "test_balanced": pytest.approx(1 / 2),
    }


def test_probing_a_stage_is_probing_its_features(model, toy):
    assert features.probe_task(model, toy)["test_accuracy"] > 0.9
    parts = [features.every_stage(model, s.inputs) for s in (toy.train, toy.val, toy.test)]
    by_features = features.probe_features([part["layer2"] for part in parts], toy)
    assert by_features == pytest.approx(features.probe_task(model, toy, "layer2"), abs=0.03)


@pytest.fixture
def passes(monkeypatch):
    """Counts how often ``extract`` runs a network, from an empty memory on."""
    counted = []
    run = extraction.run

    def counting(*given):
        counted.append(given)
        return run(*given)

    monkeypatch.setattr(extraction, "run", counting)
    monkeypatch.setattr(extraction, "_remembered", OrderedDict())
    return counted


def test_the_same_features_are_not_computed_twice(model, toy, passes):
    first = features.extract(model, toy.val.inputs, "layer2")
    found = features.extract(model, toy.val.inputs.clone(), "layer2")
    assert torch.equal(found, first) and len(passes) == 1
    found.zero_()  # whoever changes what was given changes nothing that is remembered
    assert torch.equal(features.extract(model, toy.val.inputs, "layer2"), first)
    features.extract(model, toy.val.inputs, "layer1")
    features.extract(model, toy.val.inputs)
    features.extract(model, toy.test.inputs, "layer2")
    assert len(passes) == 4


@pytest.mark.parametrize(
    "change",
    [
        lambda model: model.layer1[0].conv1.weight.data.mul_(2),
        lambda model: model.layer1[0].bn1.running_mean.add_(1),
        lambda model: setattr(model, "preprocess", models.Preprocess(32)),
        lambda model: setattr(model.preprocess, "size", 32),
        lambda model: model.preprocess.mean.add_(0.1),
    ],
)
def test_what_features_depend_on_is_noticed(model, toy, passes, change):
    first = features.extract(model, toy.val.inputs, "layer2")
    change(model)
    assert not torch.allclose(features.extract(model, toy.val.inputs, "layer2"), first)
    assert len(passes) == 2


def test_a_hook_hears_every_pass(model, toy, passes):
    features.extract(model, toy.val.inputs, "layer2")
    with features.Tap(model, "stem") as tap:
        features.extract(model, toy.val.inputs, "layer2")
    assert tap["stem"].shape[0] == len(toy.val) and len(passes) == 2


def test_only_so_much_is_remembered(model, toy, passes, monkeypatch):
    size = features.extract(model, toy.val.inputs, "layer2").nbytes
    monkeypatch.setattr(extraction, "REMEMBERED_BYTES", 2 * size)
    for count in (50, 40, 30):
        features.extract(model, toy.val.inputs[:count], "layer2")
    features.extract(model, toy.val.inputs[:30], "layer2")
    assert len(passes) == 4 and sum(x.nbytes for x in extraction._remembered.values()) <= 2 * size
    monkeypatch.setattr(extraction, "REMEMBERED_BYTES", 1)
    found = features.extract(model, toy.val.inputs[:20], "layer2")
    assert found.shape == (20, 64) and not extraction._remembered


def test_what_is_kept_is_not_computed_again_and_what_was_stopped_goes_on(monkeypatch, tmp_path):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    for name, value in {"WORTH": -1, "PIECE": 8, "REMEMBERED_BYTES": 0}.items():
        monkeypatch.setattr(features.extraction, name, value)
    model, inputs = models.load("resnet10"), tasks.load("digits").test.inputs[:20]
    expected, real, seen = features.extract(model, inputs), features.extraction.run, []

    def stopping(model, function, part, batch=None):
        if len(seen) == 2:
            raise KeyboardInterrupt
        seen.append(len(part))
        return real(model, function, part, batch)

    monkeypatch.setattr(features.extraction, "run", stopping)
    with pytest.raises(KeyboardInterrupt):
        features.extract(model, inputs, keep=True)
    seen.clear()
    torch.testing.assert_close(features.extract(model, inputs, keep=True), expected)
    assert seen == [1, 4]  # one to see whether what was kept has its shape
    seen.clear()
    torch.testing.assert_close(features.extract(model, inputs, keep=True), expected)
    assert seen == [1]
    with torch.no_grad():
        model.stem[0].weight.mul_(1.1)
    features.extract(model, inputs[:4], keep=True)
    assert seen == [1, 4]


@pytest.mark.parametrize(
    "change",
    [
        lambda found: {"features": found[:, :5]},
        lambda found: {"features": found[:7, 0]},
        lambda found: {"features": found.astype("f8")},
        lambda found: {"features": np.concatenate([found, found])},
        lambda found: {"other": found},
    ],
)
def test_what_another_version_kept_is_computed_again(monkeypatch, tmp_path, model, change):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    for name, value in {"WORTH": -1, "REMEMBERED_BYTES": 0}.items():
        monkeypatch.setattr(extraction, name, value)
    inputs = tasks.load("digits").test.inputs[:10]
    expected = features.extract(model, inputs, keep=True)
    [path] = (tmp_path / "kept").iterdir()
    np.savez(path, **change(expected.numpy()))
    torch.testing.assert_close(features.extract(model, inputs, keep=True), expected)


@pytest.mark.parametrize(
    ("inputs", "how"),
    [*((wrong, {}) for wrong in (5, None, torch.tensor(1), [1]))]
    + [(torch.zeros(2, 3, 64, 64, dtype=torch.uint8), {"batch": n}) for n in (0, -1, 1.5, True)],
)
@pytest.mark.parametrize("keep", [False, True])
def test_what_has_no_features(model, inputs, how, keep):
    with pytest.raises(store.BadInput):
        features.extract(model, inputs, keep=keep, **how)


@pytest.mark.parametrize(("side", "most"), [(64, 256), (129, 63), (225, 20), (2000, 1)])
def test_so_many_pictures_at_a_time_as_fit(side, most):
    model = models.load("resnet10")
    model.preprocess.size = side
    batches = features.extraction._batches(model, torch.empty(300, 0))
    assert len(batches[0]) == most


@pytest.mark.parametrize("where", [8, 9, -40, -50, -60])
def test_what_is_damaged_is_not_there(monkeypatch, tmp_path, where):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    store.keep("a", x=np.zeros(1000, "u1"))
    path = tmp_path / "kept" / "a.npz"
    whole = path.read_bytes()
    for byte in range(256):
        path.write_bytes(whole[:where] + bytes([byte]) + whole[where:][1:])
        assert store.kept("a").keys() <= {"x"}
    np.save(path.with_suffix(".npy"), np.zeros(3))
    path.with_suffix(".npy").replace(path)
    assert store.kept("a") == {}


def test_only_so_much_is_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path))
    monkeypatch.setitem(store.keep.__globals__, "ROOM", 3000)
    for name in "abcd":
        store.keep(name, x=np.zeros(1000, "u1"))
        os.utime(tmp_path / "kept" / f"{name}.npz", (ord(name), ord(name)))
    assert sorted(p.stem for p in (tmp_path / "kept").glob("*.npz")) == ["c", "d"]
    assert store.kept("a") == {} and len(store.kept("d")["x"]) == 1000


def test_a_steady_scaler_blows_nothing_up():
    from sklearn.preprocessing import StandardScaler

    from tl_course.features.scaling import SteadyScaler

    rng = np.random.default_rng(0)
    seen = rng.normal(size=(50, 9)).astype("f4")
    seen[:, 0] *= 1e-6  # a channel that is nearly silent
    new = np.ones((1, 9), "f4")
    plain, steady = (
        each.fit(seen).transform(new)[0] for each in (StandardScaler(), SteadyScaler())
    )
    assert plain[0] > 1e5 and 0.5 < steady[0] < 2
    assert np.median(np.abs(plain - steady)) < 0.5
