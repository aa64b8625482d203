import copy
import dataclasses
import warnings

import pytest
import torch
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, ResNet

from tl_course import features, models, store, surgery, tasks, train
from tl_course.tasks import Split

QUIET = {"progress": False}
EXACT = {"progress": False, "dtype": torch.float32}  # the order of sums is fixed only there


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_fit_learns_keeps_the_best_epoch_and_evaluate_sees_it(model, toy):
    history = train.fit(model, toy, epochs=8, **QUIET)
    assert len(history.val_accuracy) == len(history.train_loss) == 8
    assert history.stopped == "" and history.cached == () and history.seconds > 0
    assert not model.training and model.classes == toy.classes
    kept, best = train.evaluate(model, toy.val), history.best_epoch - 1
    assert kept.accuracy == pytest.approx(history.val_accuracy[best])
    assert kept.accuracy == pytest.approx(max(history.val_accuracy)) and kept.accuracy > 0.9
    assert kept.loss == pytest.approx(history.val_loss[best], rel=0.02)
    scores = train.evaluate(model, toy.test)
    assert scores.accuracy > 0.9 and scores.n == 90


def test_fit_does_what_the_loop_in_the_lesson_does(model, toy):
    twin = copy.deepcopy(model).to(memory_format=torch.channels_last)
    train.fit(model, toy, epochs=1, lr=1e-3, seed=5, **EXACT)
    optimizer = torch.optim.AdamW(twin.parameters(), lr=1e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 3)
    twin.train()
    for chosen in torch.randperm(90, generator=torch.Generator().manual_seed(5)).split(32):
        pictures = twin.preprocess(toy.train.inputs[chosen])
        logits = twin(pictures.contiguous(memory_format=torch.channels_last))
        loss = F.cross_entropy(logits, toy.train.labels[chosen])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    torch.testing.assert_close(model.state_dict(), twin.state_dict(), rtol=1e-3, atol=1e-4)


def test_cache_changes_speed_not_results(model, toy):
    surgery.freeze(model)
    twin = copy.deepcopy(model)
    cached = train.fit(model, toy, epochs=3, lr=1e-2, **EXACT)
    plain = train.fit(twin, toy, epochs=3, lr=1e-2, cache=False, **EXACT)
    assert cached.cached == ("stem", "layer1", "layer2", "layer3", "layer4") and plain.cached == ()
    assert cached.train_loss == pytest.approx(plain.train_loss, rel=1e-3)
    torch.testing.assert_close(model.head.weight, twin.head.weight, rtol=1e-3, atol=1e-4)


def test_augmentation_switches_the_cache_off(model, toy):
    seen = []
    history = train.fit(
        surgery.freeze(model),
        toy,
        epochs=2,
        augment=lambda x: seen.append(x.dtype) or x.flip(3),
        **QUIET,
    )
    assert history.cached == () and seen == [torch.uint8] * 6


@pytest.mark.parametrize("keep", ["best", "last"])
@pytest.mark.parametrize("step", [1, 7, 8])  # three make an epoch
def test_ctrl_c_returns_the_history_so_far(model, toy, step, keep):
    heads, steps = [model.head.weight.detach().clone()], []

    def interrupting(pictures):
        steps.append(1)
        if len(steps) == step:
            raise KeyboardInterrupt
        return pictures

    def noting(number, epoch):
        heads.append(model.head.weight.detach().clone())

    history = train.fit(model, toy, augment=interrupting, watch=noting, keep=keep, **QUIET)
    ended = (step - 1) // 3
    assert history.stopped == f"interrupted in epoch {ended + 1}"
    assert history.stopped in repr(history)
    assert len(history.val_accuracy) == ended and not model.training
    assert history.best_epoch in ((ended,) if keep == "last" or not ended else (1, 2))
    assert torch.equal(model.head.weight, heads[history.best_epoch])


def test_a_weight_that_is_spoiled_ends_training_though_no_loss_shows_it(model, toy):
    """As in bfloat16, where maps have one pixel: the rest of a kernel gets any gradient at all."""
    model.register_buffer("unseen", torch.zeros(1))

    def spoil(trained):
        return trained.unseen.fill_(float("nan")).nan_to_num()

    with pytest.warns(UserWarning, match="float32"):
        history = train.fit(model, toy, epochs=3, penalty=spoil, **EXACT)
    assert history.stopped == "weights were not finite in epoch 1" and not history.best_epoch
    assert model.unseen.isfinite().all()


def test_a_loss_that_explodes_ends_training_and_is_not_scored(model, toy):
    with pytest.warns(UserWarning, match="lower learning rate"):
        history = train.fit(model, toy, epochs=3, lr=1e30, **EXACT)
    assert "not finite" in history.stopped
    assert all(value.isfinite().all() for value in model.state_dict().values())
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(store.BadInput, match="not finite numbers"):
        train.evaluate(model, Split(toy.test.inputs, toy.test.labels))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: train.fit(m, t, epochs=0), "epochs=0"),
        (lambda m, t: train.fit(m, t, batch="32"), "batch='32'"),
        (lambda m, t: train.fit(m, t, seed=None), "seed=None"),
        (lambda m, t: train.fit(m, t, seed=2**64), "seed=18446744073709551616"),
        (lambda m, t: train.fit(m, t, weight_decay=10**400), "weight_decay=1000"),
        (lambda m, t: train.fit(m, t, cache="no"), "cache='no'"),
        (lambda m, t: train.fit(m, t, progress=None), "progress=None"),
        (lambda m, t: train.fit(m, t, augment="flip"), "augment='flip': .*another kind"),
        (lambda m, t: train.fit(m, t, penalty=0.1), "penalty=0.1"),
        (lambda m, t: train.fit(m, t, watch=True), "watch=True"),
        (lambda m, t: train.fit(m, t, weight_decay=-1), "weight_decay=-1"),
        (lambda m, t: train.fit(m, t, keep="first"), "Choose from best, last"),
        (lambda m, t: train.fit(m, t, device="gpu"), "Leave device out"),
        (lambda m, t: train.fit(m, t, device="meta"), "this machine computes on none"),
        (lambda m, t: train.fit(m, t, dtype=torch.float64), "float32, bfloat16 or float16"),
        (lambda m, t: train.fit(m, t, dtype="float32"), "dtype='float32'"),
        (lambda m, t: train.fit(m, t, lr="1e-3"), "not a positive number"),
        (lambda m, t: train.fit(m, t, lr=True), "not a positive number"),
        (lambda m, t: train.fit(m, t, lr={}), "learning rates for nothing"),
        (lambda m, t: train.fit(m, t.train), "as task"),
        (lambda m, t: train.fit(None, t), "a model of type NoneType"),
        (lambda m, t: train.fit(models.load("resnet10", pretrained=False), t), "replace_head"),
        (lambda m, t: train.l2_sp(m, -1), "strength=-1"),
        (lambda m, t: train.l2_sp(None, 1), "a model of type NoneType"),
        (lambda m, t: train.evaluate(m, t), "as split"),
        (lambda m, t: train.evaluate(m, t.test.take(torch.arange(0))), "no examples"),
        (lambda m, t: train.evaluate(m, Split(t.test.inputs, t.test.labels + 1)), "from 0 to 2"),
        (lambda m, t: train.predict(m, t.test.inputs.numpy()), "expects a torch tensor"),
        (lambda m, t: train.predict(ResNet(BasicBlock, [1] * 4), t.test.inputs), "no preprocess"),
        (lambda m, t: Split(t.test.inputs, t.test.labels[:5]), "each input needs one label"),
        (lambda m, t: Split(t.test.inputs, t.test.labels.int()), "int64"),
    ],
)
def test_mistakes_that_people_make(model, toy, call, message):
    before = everything(model.train())
    with pytest.raises(store.CourseError, match=message):
        call(model, toy)
    assert everything(model) == before


def everything(model) -> dict:
    """What a refused call must leave as it was, in a form that can be compared."""
    parts = {name: part.training for name, part in model.named_modules()}
    weights = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    parts |= {
        name: (value.device, value.detach().numpy().tobytes()) for name, value in weights.items()
    }
    read = getattr(model.preprocess, "read_size", None)
    return parts | {"classes": model.classes, "saved": getattr(model, "saved", None), "read": read}


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"augment": lambda x: None}, "of type NoneType"),
        ({"augment": lambda x: x[:, :2]}, "pictures of shape"),
        ({"augment": lambda x: x[1:]}, "a batch of 32: 31 inputs cannot be learned from"),
        ({"penalty": lambda m: None}, "this penalty: it gives None"),
        ({"penalty": lambda m: m.head.bias}, "this penalty: it gives Parameter"),
        ({"penalty": lambda m: m.layer4(0)}, "."),
        ({"watch": lambda number, epoch: 1 / 0}, "division"),
    ],
)
@pytest.mark.parametrize("frozen", [(), ("stem",)])
def test_an_error_in_the_first_epoch_leaves_the_model_as_it_was(
    toy, tmp_path, options, error, frozen
):
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=False, classes=[*"abc"])
    model = models.open(models.save(model, tmp_path / "m")).train()
    surgery.freeze(model, *frozen) if frozen else model
    half = dataclasses.replace(toy, train=smaller(toy.train), val=smaller(toy.val))
    before = everything(model)
    with pytest.raises((store.BadInput, TypeError, ZeroDivisionError), match=error):
        train.fit(model, half, epochs=2, **options, **QUIET)
    if "watch" in options:  # the epoch had ended
        assert model.classes == toy.classes and not model.training
    else:
        assert everything(model) == before


def smaller(split):
    return dataclasses.replace(split, inputs=split.inputs[:, :, ::2, ::2].contiguous())


def test_a_split_with_another_number_of_answers(model, toy):
    four = Split(toy.val.inputs, torch.zeros(60, 4, dtype=torch.int64))
    with pytest.raises(store.BadInput, match="4 answers an input.*ResNet10 gives 1"):
        train.evaluate(model, four)
    texts = tasks.load("numbers_spanish").val.inputs
    one = Split(texts, torch.zeros(len(texts), dtype=torch.int64))
    with pytest.raises(store.BadInput, match="1 answers an input.*NumberReader gives 4"):
        train.evaluate(models.load("reader_spanish"), one)


def named(split: Split, *classes: str) -> Split:
    return dataclasses.replace(split, classes=classes)


@pytest.fixture(scope="module")
def taught(toy):
    torch.manual_seed(0)
    model = models.load("resnet10", pretrained=False, classes=toy.classes)
    train.fit(model, toy, epochs=8, lr=3e-3, **QUIET)
    return model


def test_labels_are_matched_by_name(taught, toy):
    known = train.evaluate(taught, toy.test)
    assert known.accuracy > 0.9
    two = toy.test.take(toy.test.labels > 0)
    fewer = Split(two.inputs, two.labels - 1, ("down", "none"))
    turned = Split(toy.test.inputs, 2 - toy.test.labels, toy.classes[::-1])
    more = Split(toy.test.inputs, toy.test.labels + 1, ("dots", *toy.classes))
    for split in (turned, more):
        found = train.evaluate(taught, split)
        assert found.accuracy == known.accuracy and torch.equal(found.labels, toy.test.labels)
    assert train.evaluate(taught, fewer).accuracy == train.evaluate(taught, two).accuracy > 0.9
    unnamed = Split(two.inputs, two.labels - 1)  # by place, as nobody says what they are
    assert train.evaluate(taught, unnamed).accuracy < 0.5
    twin = copy.deepcopy(taught)
    twin.classes = ("only", "two")  # names of another head
    assert train.evaluate(twin, toy.test).accuracy == known.accuracy


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        (
            ("across", "down", "dots"),
            "examples of 'dots': the model's outputs are 'across', 'down'",
        ),
        (("Across", "down", "none"), "differ: 'Across' for 'across'. Name the classes as"),
        (("across", " down", "no\tne"), "examples of ' down', .* differ: ' down' for 'down'"),
        (("ant", "bee", "cat"), "examples of 'ant', 'bee', 'cat'"),
        (("across", "down"), "labels from 0 to 2: 2 outputs, or names"),
    ],
)
def test_classes_that_a_model_does_not_have(taught, toy, classes, message):
    with pytest.raises(store.BadInput, match=message):
        train.evaluate(taught, named(toy.test, *classes))


def test_names_that_look_alike_and_names_that_are_there_twice(taught, toy):
    twin = copy.deepcopy(taught)
    twin.classes = ("caf\u00e9", "down", "none")
    with pytest.raises(store.BadInput, match="the way accents are written differ"):
        train.evaluate(twin, named(toy.test, "cafe\u0301", "down", "none"))
    twin.classes = ("down", "down", "none")
    with pytest.raises(store.BadInput, match="examples of 'down': the model's outputs"):
        train.evaluate(twin, named(toy.test, "none", "down", "none"))


@pytest.mark.parametrize("keep", ["best", "last"])
def test_a_second_fit_does_not_lose_a_good_model(taught, toy, tmp_path, keep):
    model = models.open(models.save(taught, tmp_path / "good"))
    good = train.evaluate(model, toy.val).accuracy
    history = train.fit(model, toy, epochs=2, lr=0.3, keep=keep, **QUIET)
    assert len(history.val_accuracy) == 2 and max(history.val_accuracy) < good
    if keep == "best":
        assert history.best_epoch == 0 and "the start is kept" in repr(history)
        assert train.evaluate(model, toy.val).accuracy == good and model.saved
    else:
        assert history.best_epoch == 2 and train.evaluate(model, toy.val).accuracy < good
        assert not hasattr(model, "saved")


@pytest.mark.parametrize("classes", [(), ("none", "down", "across")])
def test_a_new_head_is_no_start_to_keep(taught, toy, classes):
    model = copy.deepcopy(taught)
    model.classes = classes
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", models.PreprocessingWarning)  # of the other order
        history = train.fit(model, toy, epochs=1, lr=0.3, **QUIET)
    assert history.best_epoch == 1 and model.classes == toy.classes


def test_evaluate_counts_examples_not_batches(model):
    pictures = torch.randint(0, 256, (301, 3, 64, 64), dtype=torch.uint8)
    labels = train.predict(model, pictures).argmax(1)
    labels[:100] = (labels[:100] + 1) % 3
    scores = train.evaluate(model, Split(pictures, labels))
    assert scores.accuracy == pytest.approx(201 / 301)
    low, high = scores.interval
    assert low < 201 / 301 < high


def test_balanced_accuracy_does_not_reward_the_larger_class():
    labels = torch.tensor([0] * 90 + [1] * 10)
    scores = train.Scores(0.9, 0.0, torch.zeros(100, dtype=torch.int64), labels)
    assert scores.balanced_accuracy == 0.5


def test_one_wrong_digit_makes_the_whole_number_wrong():
    reader = models.load("reader_spanish")
    inputs = tasks.load("numbers_spanish").test.inputs[:300]
    labels = train.predict(reader, inputs).argmax(-1)
    labels[:30, 2] = (labels[:30, 2] + 1) % 10
    labels[30:40] = (labels[30:40] + 1) % 10  # four wrong digits count no more than one
    scores = train.evaluate(reader, Split(inputs, labels))
    assert scores.answers.shape == scores.labels.shape == (300, 4) and scores.n == 300
    assert scores.accuracy == scores.balanced_accuracy == pytest.approx(260 / 300)
    low, high = scores.interval
    assert low < 260 / 300 < high
    flat = train.Scores(260 / 300, 0.0, torch.zeros(300), torch.arange(300) >= 260)
    assert scores.interval == flat.interval  # an interval of numbers, not of digits


def test_fit_chooses_by_whole_numbers():
    reader = models.load("reader_spanish")
    task = tasks.load("numbers_italian").few(30, seed=0)
    history = train.fit(reader, task, epochs=4, lr=4e-3, **QUIET)
    found = train.evaluate(reader, task.val).accuracy
    assert found == pytest.approx(max(history.val_accuracy))
    assert {round(accuracy * 30, 6) % 1 for accuracy in history.train_accuracy} == {0}


def test_a_penalty_is_added_to_the_loss_of_every_step(model, toy):
    twin = copy.deepcopy(model)
    plain = train.fit(model, toy, epochs=2, **EXACT)
    calls = []
    fined = train.fit(
        twin, toy, epochs=2, penalty=lambda m: calls.append(m) or torch.tensor(100.0), **EXACT
    )
    assert len(calls) == 6 and all(called is twin for called in calls)
    assert fined.train_loss == pytest.approx([100 + loss for loss in plain.train_loss], rel=1e-3)
    assert fined.val_loss == pytest.approx(plain.val_loss, rel=1e-3)


def test_watch_is_called_after_every_epoch_and_may_ask_the_model(model, toy):
    twin = copy.deepcopy(model)
    seen, heads = [], []

    def ask(number, epoch):
        assert not model.training
        seen.append((number, epoch, train.evaluate(model, toy.val).accuracy))
        heads.append(model.head.weight.detach().clone())
        features.extract(model, toy.val.inputs[:5])

    watched = train.fit(model, toy, epochs=3, watch=ask, **EXACT)
    plain = train.fit(twin, toy, epochs=3, **EXACT)
    assert [number for number, *_ in seen] == [1, 2, 3]
    for name in train.Epoch._fields:
        assert tuple(getattr(epoch, name) for _, epoch, _ in seen) == getattr(watched, name)
    assert [now for *_, now in seen] == pytest.approx(watched.val_accuracy, abs=0.02)
    assert watched.train_loss == pytest.approx(plain.train_loss, rel=1e-4)
    assert watched.val_accuracy == pytest.approx(plain.val_accuracy, abs=0.02)
    # it sees the epoch, not the best one so far
    assert not torch.equal(heads[0], heads[1]) and not torch.equal(heads[1], heads[2])
    assert torch.equal(model.head.weight, heads[watched.best_epoch - 1])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_end_while_watching_leaves_the_best_weights(model, toy, error):
    found = []

    def failing(number, epoch):
        found.append(epoch.val_accuracy)
        if number == 2:
            raise error

    if error is KeyboardInterrupt:
        history = train.fit(model, toy, epochs=5, watch=failing, **QUIET)
        assert history.val_accuracy == tuple(found) and history.stopped.startswith("interrupted")
    else:
        with pytest.raises(error):
            train.fit(model, toy, epochs=5, watch=failing, **QUIET)
    assert len(found) == 2 and not model.training and model.classes == toy.classes
    assert train.evaluate(model, toy.val).accuracy == pytest.approx(max(found))


def test_the_last_epoch_can_be_kept_however_bad(model, toy):
    def spoil(epoch, accuracy):
        if epoch == 2:  # what the third epoch cannot mend
            with torch.no_grad():
                model.head.bias.copy_(torch.tensor([99.0, 0.0, 0.0]))

    start = copy.deepcopy(model.state_dict())
    for keep, epochs in (("best", (1, 2)), ("last", (3,))):
        model.load_state_dict(start)
        history = train.fit(model, toy, epochs=3, watch=spoil, keep=keep, **QUIET)
        found = train.evaluate(model, toy.val).accuracy
        assert history.best_epoch in epochs and not model.training
        assert found == pytest.approx(history.val_accuracy[history.best_epoch - 1])
        assert history.val_accuracy[2] == pytest.approx(1 / 3)


def test_l2_sp_is_half_the_squared_distance_of_what_is_trained(model):
    surgery.freeze(model, "stem")
    penalty = train.l2_sp(model, 3.0)
    assert penalty(model) == 0
    with torch.no_grad():
        model.head.bias.add_(torch.tensor([1.0, -2.0, 0.0]))
        model.stem[0].weight.add_(7)
    found = penalty(model)
    assert found.item() == pytest.approx(3 / 2 * 5)
    found.backward()
    torch.testing.assert_close(model.head.bias.grad, torch.tensor([3.0, -6.0, 0.0]))


def test_l2_sp_holds_weights_where_they_were():
    task = tasks.load("numbers_italian").few(30, seed=0)
    moved = []
    for strength in (0, 1000):
        reader = models.load("reader_spanish")
        away, penalty = train.l2_sp(reader, 2), train.l2_sp(reader, strength)
        train.fit(reader, task, epochs=30, lr=4e-3, penalty=penalty, **QUIET)
        moved.append(away(reader).item() ** 0.5)
    assert moved[1] < moved[0] / 3


def test_predict_gives_probabilities(model, toy):
    found = train.predict(model, toy.val.inputs[:9])
    assert found.shape == (9, 3)
    torch.testing.assert_close(found.sum(1), torch.ones(9), rtol=1e-3, atol=1e-3)
    digits = train.predict(models.load("reader_spanish"), tasks.load("numbers_spanish").val.inputs)
    assert digits.shape == (len(digits), 4, 10)
    torch.testing.assert_close(digits.sum(-1), torch.ones(len(digits), 4))


def test_same_seed_same_result(model, toy):
    twin = copy.deepcopy(model)
    first, second = (train.fit(each, toy, epochs=2, seed=1, **QUIET) for each in (model, twin))
    assert first.train_loss == second.train_loss


@pytest.mark.parametrize(
    ("amx", "avx512", "cuda", "device", "expected"),
    [
        (True, False, False, "cpu", torch.bfloat16),
        (False, True, False, "cpu", torch.bfloat16),
        (False, False, True, "cpu", torch.float32),
        (True, True, True, "mps", torch.float32),
        (False, False, True, "cuda", torch.bfloat16),
        (True, True, False, "cuda", torch.float32),
    ],
)
def test_precision_follows_the_hardware(monkeypatch, model, amx, avx512, cuda, device, expected):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512, raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: cuda)
    assert train.pick_dtype(torch.device(device)) == expected
    assert train.pick_dtype(torch.device(device), model) == expected
    reader = models.load("reader_spanish", pretrained=False)  # many small steps, always exact
    assert train.pick_dtype(torch.device(device), reader) == torch.float32


def test_a_device_without_doubles(monkeypatch, model, toy):
    """Apple's MPS has no float64."""

    def refuse(self):
        raise TypeError("no float64 here")

    monkeypatch.setattr(torch.Tensor, "double", refuse)
    assert len(train.fit(model, toy, epochs=1, **QUIET).val_accuracy) == 1


def test_a_card_that_is_too_old_is_not_used(monkeypatch):
    def ones(*size, device):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert train.pick_device() == torch.device("cpu")
