"""How single runs are made: over seeds, over learning rates, at the pace of their labels."""

import functools

import pandas
import pytest
import torch

from tl_course import evidence, models, store


def fresh():
    return models.load("resnet10", pretrained=False, classes=["a", "b", "c"])


def test_tune_tests_only_what_validation_chose(toy):
    built = []
    rows = evidence.tune(
        lambda: built.append(fresh()) or built[-1], toy, rates=(1e-6, 1e-3), epochs=3, seed=0
    )
    assert len(rows) == len(built) == 2
    assert "test_accuracy" not in rows[0] and rows[1]["test_accuracy"] > 0.8
    assert len(evidence.chosen(pandas.DataFrame(rows))) == 1


@pytest.mark.parametrize(
    ("build", "rates", "cure"),
    [(functools.cache(fresh), (1e-6, 1e-3), "inside build"), (fresh, (), "Pass")],
)
def test_tune_needs_a_rate_and_a_new_model_each_time(toy, build, rates, cure):
    with pytest.raises(store.BadInput, match=cure):
        evidence.tune(build, toy, rates, epochs=1, seed=0)


def test_ctrl_c_ends_all_runs(toy):
    def interrupting(pictures):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evidence.tune(fresh, toy, rates=(1e-3,), epochs=1, seed=0, augment=interrupting)


def test_flip_mirrors_some():
    torch.manual_seed(0)
    pictures = torch.randint(0, 256, (64, 3, 8, 8), dtype=torch.uint8)
    found = evidence.flip(pictures)
    same = (found == pictures).flatten(1).all(1)
    mirrored = (found == pictures.flip(3)).flatten(1).all(1)
    assert (same | mirrored).all() and 10 < same.sum() < 54


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
