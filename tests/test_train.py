import copy

import pytest
import torch
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, ResNet

from tl_course import features, models, store, surgery, tasks, train
from tl_course.tasks import Split


@pytest.fixture
def model():
    torch.manual_seed(0)
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_fit_learns_and_evaluate_sees_it(model, toy):
    history = train.fit(model, toy, epochs=8, progress=False)
    assert len(history.val_accuracy) == len(history.train_loss) == 8
    assert max(history.val_accuracy) > 0.9
    assert history.stopped == "" and history.cached == () and history.seconds > 0
    scores = train.evaluate(model, toy.test)
    assert scores.accuracy > 0.9 and scores.n == 90
    assert not model.training


def test_the_best_epoch_is_kept(model, toy):
    history = train.fit(model, toy, epochs=4, progress=False)
    kept = train.evaluate(model, toy.val)
    best = history.best_epoch - 1
    assert kept.accuracy == history.val_accuracy[best] == max(history.val_accuracy)
    assert kept.loss == pytest.approx(history.val_loss[best], rel=0.02)


def test_fit_does_what_the_loop_in_the_lesson_does(model, toy):
    """The same updates as a bare loop; float32, because only there is the order of sums fixed."""
    twin = copy.deepcopy(model).to(memory_format=torch.channels_last)
    train.fit(model, toy, epochs=1, lr=1e-3, seed=5, dtype=torch.float32, progress=False)
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
    for (name, mine), theirs in zip(
        model.state_dict().items(), twin.state_dict().values(), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4, msg=name)


def test_cache_changes_speed_not_results(model, toy):
    surgery.freeze(model)
    twin = copy.deepcopy(model)
    options = {"epochs": 3, "lr": 1e-2, "dtype": torch.float32, "progress": False}
    cached = train.fit(model, toy, **options)
    plain = train.fit(twin, toy, cache=False, **options)
    assert cached.cached == ("stem", "layer1", "layer2", "layer3", "layer4") and plain.cached == ()
    assert cached.train_loss == pytest.approx(plain.train_loss, rel=1e-3)
    torch.testing.assert_close(model.head.weight, twin.head.weight, rtol=1e-3, atol=1e-4)


def test_augmentation_switches_the_cache_off(model, toy):
    surgery.freeze(model)
    seen = []
    history = train.fit(
        model, toy, epochs=2, augment=lambda x: seen.append(x.dtype) or x.flip(3), progress=False
    )
    assert history.cached == ()
    assert seen == [torch.uint8] * 6


def test_ctrl_c_returns_the_history_so_far_with_the_best_weights(model, toy):
    calls = []

    def interrupting(pictures):
        calls.append(1)
        if len(calls) == 8:  # third step of the third epoch
            raise KeyboardInterrupt
        return pictures

    history = train.fit(model, toy, epochs=9, augment=interrupting, progress=False)
    assert history.stopped == "interrupted in epoch 3"
    assert len(history.val_accuracy) == 2 and history.best_epoch in (1, 2)
    assert train.evaluate(model, toy.val).accuracy == max(history.val_accuracy)


def test_ctrl_c_before_the_first_epoch_ends(model, toy):
    def interrupting(pictures):
        raise KeyboardInterrupt

    history = train.fit(model, toy, augment=interrupting, progress=False)
    assert history.val_accuracy == () and history.best_epoch == 0
    assert "interrupted in epoch 1" in repr(history)


def test_a_loss_that_explodes_ends_training_with_a_warning(model, toy):
    with pytest.warns(UserWarning, match="lower learning rate"):
        history = train.fit(model, toy, epochs=3, lr=1e30, dtype=torch.float32, progress=False)
    assert "not finite" in history.stopped


@pytest.mark.parametrize("options", [{"epochs": 0}, {"epochs": 1.5}, {"batch": 0}, {"batch": "32"}])
def test_fit_refuses(model, toy, options):
    with pytest.raises(store.BadInput, match="whole number from 1"):
        train.fit(model, toy, progress=False, **options)


def test_fit_refuses_a_head_of_another_size(toy):
    model = models.load("resnet10", pretrained=False)
    with pytest.raises(store.BadInput, match="replace_head"):
        train.fit(model, toy, progress=False)


def test_evaluate_counts_examples_not_batches(model):
    pictures = torch.randint(0, 256, (301, 3, 64, 64), dtype=torch.uint8)
    answers = train.predict(model, pictures).argmax(1)
    labels = answers.clone()
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
    history = train.fit(reader, task, epochs=4, lr=4e-3, progress=False)
    assert train.evaluate(reader, task.val).accuracy == max(history.val_accuracy)
    assert {round(accuracy * 30, 6) % 1 for accuracy in history.train_accuracy} == {0}


def test_a_split_with_another_number_of_answers(model, toy):
    four = Split(toy.val.inputs, torch.zeros(60, 4, dtype=torch.int64))
    with pytest.raises(store.BadInput, match="4 answers an input.*ResNet10 gives 1"):
        train.evaluate(model, four)
    texts = tasks.load("numbers_spanish").val.inputs
    one = Split(texts, torch.zeros(len(texts), dtype=torch.int64))
    with pytest.raises(store.BadInput, match="1 answers an input.*NumberReader gives 4"):
        train.evaluate(models.load("reader_spanish"), one)


def test_a_penalty_is_added_to_the_loss_of_every_step(model, toy):
    twin = copy.deepcopy(model)
    options = {"epochs": 2, "dtype": torch.float32, "progress": False}
    plain = train.fit(model, toy, **options)
    calls = []
    fined = train.fit(
        twin, toy, penalty=lambda m: calls.append(m) or torch.tensor(100.0), **options
    )
    assert len(calls) == 6 and all(called is twin for called in calls)
    assert fined.train_loss == pytest.approx([100 + loss for loss in plain.train_loss], rel=1e-3)
    assert fined.val_loss == pytest.approx(plain.val_loss, rel=1e-3)


def test_watch_is_called_after_every_epoch_and_may_ask_the_model(model, toy):
    twin = copy.deepcopy(model)
    options = {"epochs": 3, "dtype": torch.float32, "progress": False}
    seen, modes = [], []

    def ask(number, epoch):
        modes.append(model.training)
        seen.append((number, epoch, train.evaluate(model, toy.val).accuracy))
        features.extract(model, toy.val.inputs[:5])

    watched, plain = train.fit(model, toy, watch=ask, **options), train.fit(twin, toy, **options)
    assert [number for number, *_ in seen] == [1, 2, 3] and modes == [False] * 3
    for name in train.Epoch._fields:
        assert tuple(getattr(epoch, name) for _, epoch, _ in seen) == getattr(watched, name)
    assert [now for *_, now in seen] == pytest.approx(watched.val_accuracy, abs=0.02)
    assert watched.train_loss == pytest.approx(plain.train_loss, rel=1e-4)
    assert watched.val_accuracy == plain.val_accuracy


def test_watch_sees_the_epoch_not_the_best_one(model, toy):
    heads = []
    train.fit(
        model,
        toy,
        epochs=3,
        watch=lambda *_: heads.append(model.head.weight.detach().clone()),
        progress=False,
    )
    assert not torch.equal(heads[0], heads[1]) and not torch.equal(heads[1], heads[2])
    assert any(torch.equal(model.head.weight, head) for head in heads)


def test_ctrl_c_while_watching_ends_training(model, toy):
    def interrupting(epoch, accuracy):
        if epoch == 2:
            raise KeyboardInterrupt

    history = train.fit(model, toy, epochs=5, watch=interrupting, progress=False)
    assert len(history.val_accuracy) == 2 and history.stopped.startswith("interrupted")
    assert train.evaluate(model, toy.val).accuracy == pytest.approx(max(history.val_accuracy))


def test_an_error_while_watching_leaves_the_best_weights(model, toy):
    found = []

    def failing(number, epoch):
        found.append(epoch.val_accuracy)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        train.fit(model, toy, epochs=5, watch=failing, progress=False)
    assert len(found) == 1 and not model.training
    assert train.evaluate(model, toy.val).accuracy == pytest.approx(found[0])


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
        away = train.l2_sp(reader, 2)
        penalty = train.l2_sp(reader, strength)
        train.fit(reader, task, epochs=30, lr=4e-3, penalty=penalty, progress=False)
        moved.append(away(reader).item() ** 0.5)
    assert moved[1] < moved[0] / 3


@pytest.mark.parametrize("strength", [-1, "1", None, True, float("nan"), float("inf")])
def test_l2_sp_refuses(model, strength):
    with pytest.raises(store.BadInput, match="a number from 0"):
        train.l2_sp(model, strength)


def test_evaluate_refuses(model):
    empty = Split(torch.zeros(0, 3, 64, 64, dtype=torch.uint8), torch.zeros(0, dtype=torch.int64))
    with pytest.raises(store.BadInput, match="no examples"):
        train.evaluate(model, empty)
    beyond = Split(torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.tensor([3]))
    with pytest.raises(store.BadInput, match="labels from 0 to 2"):
        train.evaluate(model, beyond)


def test_predict_gives_probabilities(model, toy):
    found = train.predict(model, toy.val.inputs[:9])
    assert found.shape == (9, 3)
    torch.testing.assert_close(found.sum(1), torch.ones(9), rtol=1e-3, atol=1e-3)


def test_same_seed_same_result(toy):
    runs = []
    for _ in range(2):
        torch.manual_seed(1)
        model = models.load("resnet10", pretrained=False, classes=["a", "b", "c"])
        runs.append(train.fit(model, toy, epochs=2, seed=1, progress=False))
    assert runs[0].train_loss == runs[1].train_loss


def test_precision_follows_the_hardware(monkeypatch):
    cpu = torch.device("cpu")
    for amx, avx, expected in (
        (True, False, torch.bfloat16),
        (False, True, torch.bfloat16),
        (False, False, torch.float32),
    ):
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda v=amx: v, raising=False)
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda v=avx: v, raising=False)
        assert train.pick_dtype(cpu) == expected
    assert train.pick_dtype(torch.device("mps")) == torch.float32


def test_a_reader_stays_in_float32(monkeypatch, model):
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True, raising=False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda *_: True)
    reader = models.load("reader_spanish", pretrained=False)
    for device in ("cpu", "cuda"):
        assert train.pick_dtype(torch.device(device), reader) == torch.float32
        assert train.pick_dtype(torch.device(device), model) == torch.bfloat16


def test_numbers_that_are_no_numbers_are_not_scored(model, toy):
    with pytest.warns(UserWarning, match="lower learning rate"):
        train.fit(model, toy, epochs=2, lr=1e30, dtype=torch.float32, progress=False)
    assert all(value.isfinite().all() for value in model.state_dict().values())
    with torch.no_grad():
        model.head.weight.fill_(float("nan"))
    with pytest.raises(store.BadInput, match="not finite numbers"):
        train.evaluate(model, toy.test)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda m, t: train.evaluate(m, t), "as split"),
        (lambda m, t: train.fit(m, t.train), "as task"),
        (lambda m, t: train.predict(m, t.test.inputs.numpy()), "expects a torch tensor"),
        (lambda m, t: train.fit(m, t, device="gpu"), "Leave device out"),
        (lambda m, t: train.fit(m, t, dtype=torch.float64), "Leave dtype out"),
        (lambda m, t: train.fit(m, t, lr="1e-3"), "not a positive number"),
        (lambda m, t: train.fit(m, t, seed=None), "a number from 0"),
        (lambda m, t: train.fit(m, t, weight_decay=-1), "a number from 0"),
        (lambda m, t: train.predict(ResNet(BasicBlock, [1] * 4), t.test.inputs), "no preprocess"),
        (lambda m, t: Split(t.test.inputs, t.test.labels[:5]), "each input needs one label"),
        (lambda m, t: Split(t.test.inputs, t.test.labels.int()), "int64"),
    ],
)
def test_mistakes_that_people_make(model, toy, call, message):
    with pytest.raises(store.BadInput, match=message):
        call(model, toy)


def test_a_device_without_doubles(monkeypatch, model, toy):
    """Apple's MPS has no float64."""

    def refuse(self):
        raise TypeError("no float64 here")

    monkeypatch.setattr(torch.Tensor, "double", refuse)
    assert len(train.fit(model, toy, epochs=1, progress=False).val_accuracy) == 1


def test_a_card_that_is_too_old_is_not_used(monkeypatch):
    def ones(*size, device):
        raise RuntimeError("no kernel image is available for execution on the device")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "ones", ones)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert train.pick_device() == torch.device("cpu")


def test_the_last_epoch_can_be_kept_however_bad(model, toy):
    def spoil(epoch, accuracy):
        if epoch == 2:  # what the third epoch cannot mend
            with torch.no_grad():
                model.head.bias.copy_(torch.tensor([99.0, 0.0, 0.0]))

    start = copy.deepcopy(model.state_dict())
    kept = {}
    for keep in ("best", "last"):
        model.load_state_dict(start)
        history = train.fit(model, toy, epochs=3, watch=spoil, keep=keep, progress=False)
        kept[keep] = history.best_epoch
        found = train.evaluate(model, toy.val)
        assert found.accuracy == history.val_accuracy[history.best_epoch - 1]
        assert history.val_accuracy[2] == pytest.approx(1 / 3) and not model.training
    assert kept["best"] in (1, 2) and kept["last"] == 3 and found.accuracy == pytest.approx(1 / 3)


def test_ctrl_c_keeps_the_last_epoch_that_ended(model, toy):
    heads = []

    def interrupting(epoch, accuracy):
        heads.append(model.head.weight.detach().clone())
        if epoch == 2:
            raise KeyboardInterrupt

    history = train.fit(model, toy, epochs=5, watch=interrupting, keep="last", progress=False)
    assert history.best_epoch == len(history.val_accuracy) == 2
    assert torch.equal(model.head.weight, heads[1]) and not torch.equal(*heads)


@pytest.mark.parametrize("keep", ["first", "Last", None, 3])
def test_fit_keeps_the_best_epoch_or_the_last(model, toy, keep):
    with pytest.raises(store.BadInput, match='Pass "best" or "last"'):
        train.fit(model, toy, keep=keep, progress=False)
