"""How a cell of the freezing map is trained."""

import pytest

from tl_course import store, surgery, train
from tl_course.evidence import runs
from tl_course.lessons.freezing import recipe

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


@pytest.mark.parametrize("strategy", BELOW)
def test_a_strategy_freezes_what_it_says_and_the_seed_draws_what_is_new(
    strategy, trained_stages, alike
):
    first, again, other = (recipe.build(strategy, 7, seed) for seed in (0, 0, 1))
    assert tuple(surgery.stages(first)) == STAGES
    assert trained_stages(first) == STAGES[BELOW[strategy] :]
    assert first.head.out_features == 7
    assert alike(first, again) == {*STAGES}
    assert alike(first, other) == ({*STAGES} - {"head"} if strategy in PRETRAINED else set())


def test_where_each_strategy_starts(alike):
    tuned, scratch = (recipe.build(s, 3, seed=4) for s in ("fine-tuning", "from scratch"))
    assert {*PRETRAINED} == {*recipe.PRETRAINED}
    assert alike(tuned, recipe.build("head alone", 3, seed=4)) == {*STAGES}
    # the control has the very weights that training from scratch starts with
    assert alike(scratch, recipe.build("head on random backbone", 3, seed=4)) == {*STAGES}
    assert alike(tuned, scratch) == {"head"}  # a seed gives all strategies the same new head


def test_strategies_are_known_and_try_three_rising_rates():
    with pytest.raises(store.UnknownName, match="did you mean 'head alone'") as found:
        recipe.build("heads alone", 3, seed=0)
    assert all(strategy in str(found.value) for strategy in recipe.FROZEN)
    assert {*recipe.RATES} == {*recipe.FROZEN} == {*BELOW}
    for rates in recipe.RATES.values():
        assert len(rates) == 3 and sorted(rates) == [*rates]


@pytest.fixture
def hasty(monkeypatch):
    monkeypatch.setattr(runs, "pace", lambda labels: (3, 16))


ACCURACIES = ("train_accuracy", "val_accuracy", "test_accuracy", "test_balanced")


@pytest.mark.parametrize("strategy", ["fine-tuning", "frozen to layer2", "head alone"])
def test_a_cell_gives_the_same_twice_and_without_the_cache(hasty, tiny, strategy):
    first, again = (recipe.train_cell(tiny, strategy, 1e-3, seed=1) for _ in range(2))
    assert {**first, "seconds": 0} == {**again, "seconds": 0}
    assert all(0 <= first[name] <= 1 for name in ACCURACIES)
    assert first["epochs"] == 3 and 1 <= first["best_epoch"] <= 3 and first["seconds"] >= 0
    plain = recipe.train_cell(tiny, strategy, 1e-3, seed=1, cache=False)
    for name in ACCURACIES:
        assert plain[name] == pytest.approx(first[name], abs=0.1)


def test_another_seed_is_another_run(hasty, tiny):
    found = [recipe.train_cell(tiny, "from scratch", 1e-3, seed) for seed in (0, 1)]
    assert any(found[0][name] != found[1][name] for name in ACCURACIES)


def test_a_cell_tells_of_the_epoch_that_it_chose(monkeypatch, hasty, tiny):
    kept, fit = [], train.fit

    def watched(model, task, *args, **options):
        kept.append((model, fit(model, task, *args, **options)))
        return kept[-1][1]

    monkeypatch.setattr(train, "fit", watched)
    found = recipe.train_cell(tiny, "frozen to layer3", 1e-3, seed=0)
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
        recipe.train_cell(tiny, "head alone", 1e-2, seed=0)


def test_a_cell_that_never_ends_an_epoch_counts_nothing(hasty, tiny):
    with pytest.warns(UserWarning, match="not finite"):
        found = recipe.train_cell(tiny, "fine-tuning", 1e30, seed=0)
    assert found["best_epoch"] == 0 and found["val_accuracy"] == found["train_accuracy"] == 0
