"""Predictions are kept and compared; checks ask, compare and answer in one line."""

import json
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from said import right, wrong
from torch import nn

from tl_course import models, practice, store
from tl_course.practice import NotYet, graded, grading


@pytest.fixture
def path(tmp_path):
    return tmp_path / "kept.json"


def test_predictions_are_kept_and_compared(path):
    assert practice.recall("a", path) is None
    assert "commit to a prediction" in practice.compare("a", "ahead", path)
    practice.commit("a", "behind", path)
    practice.commit("b", "ahead", path)
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == practice.recall("b", path) == "ahead"
    assert "that is what was measured" in practice.compare("a", "ahead", path)
    assert "What made the difference?" in practice.compare("a", "behind", path)


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "null", '"text"', '{"a": 5}', '{"a": ["b"]}', "[" * 100_000]
)
def test_damaged_predictions_count_as_none(path, content):
    path.write_text(content)
    assert practice.recall("a", path) is None
    assert "commit to a ranking" in practice.compare_ranking("a", "a > b", path)
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == "ahead"


def test_a_ranking_joins_what_nobody_could_tell_apart():
    measured = {"b": 0.1, "a": 0.5, "c": 0.08, "d": -0.3}
    assert practice.ranking(measured) == "a > b = c > d"
    assert practice.ranking(measured, margin=0.01) == "a > b > c > d"
    assert practice.ranking({"a": 0.2}) == "a"


@pytest.mark.parametrize(
    ("kept", "found"),
    [
        ("a > b > c > d", "5 of 5"),
        ("a > c > b > d", "5 of 5"),  # b and c are level: either order will do
        ("d > c > b > a", "0 of 5"),
        ("b > a > c > d", "4 of 5"),
        ("a > x > d", "1 of 1"),  # no longer offered
    ],
)
def test_a_ranking_is_compared_pair_by_pair(path, kept, found):
    path.write_text(json.dumps({"k": kept}))
    line = practice.compare_ranking("k", "a > b = c > d", path)
    assert line.startswith(f"You ranked {kept}. Measured: a > b = c > d.")
    assert line.endswith(f"{found} pairs in this order.")


def test_a_check_answers_in_one_line():
    assert graded(lambda: "all of\nit.")() == "Right: all of it."

    def answer(error):
        @graded
        def check():
            raise error

        return check()

    assert answer(NotYet("try\nagain.")) == "Not yet: try again."
    assert answer(store.BadInput("x", "bad", "Mend")) == "Not yet: x: bad. Mend."
    assert answer(KeyError("a\nb")) == r"Not yet: this stops with KeyError: 'a\nb'."
    assert answer(ValueError("a\nb")) == "Not yet: this stops with ValueError: a b."
    with pytest.raises(KeyboardInterrupt):
        answer(KeyboardInterrupt())


@pytest.mark.parametrize(
    ("kind", "name", "fitting"),
    [
        (Callable, "function", print),
        (Callable[[int], str], "function", str),
        (nn.Module, "network", nn.Linear(2, 2)),
        (models.NumberReader, "reader of numbers", models.load("reader_spanish")),
        (torch.Tensor, "tensor", torch.ones(2)),
    ],
)
def test_the_annotation_of_an_argument_is_its_guard(kind, name, fitting):
    def check(given, other: "nn.Module") -> str:
        return "it is."

    check.__annotations__["given"] = kind
    right(graded(check)(fitting, other=3))
    for given in (None, 3, "x", True, [fitting]):
        wrong(graded(check)(given, 3), f"this is {type(given).__name__}, not a {name}")
    wrong(graded(check)(fitting), "TypeError", "other")


def test_several_guarded_arguments_are_told_by_name():
    @graded
    def check(first: nn.Module, second: torch.Tensor) -> str:
        return "both."

    wrong(check(nn.Linear(1, 1), None), "second is NoneType, not a tensor.")


@pytest.mark.parametrize("spoilt", [7.5, None, [1]])
@pytest.mark.parametrize("given", [[1.0, math.nan], [np.array([1, math.nan]), torch.ones(2)]])
def test_what_is_asked_may_not_change_what_it_is_given(given, spoilt):
    assert grading.ask(len, given) == 2

    def spoils(values):
        values[0] = spoilt

    with pytest.raises(NotYet, match="hands off"):
        grading.ask(spoils, given, spoiled="hands off")
    with pytest.raises(NotYet, match="Work on a copy"):
        grading.ask(lambda values: values.pop(), given)
    assert grading.ask(len, given) == 2, "it was a copy"


def test_arrays_and_tensors_may_not_change_either():
    for given in (np.ones(3), torch.ones(3)):
        with pytest.raises(NotYet):
            grading.ask(lambda values: values.__imul__(2), given)


CASES = [("small numbers", 1, 2), ("large numbers", 100, 200)]


def compared(function, **options) -> str:
    reference = lambda a, b: a + b  # noqa: E731
    return graded(lambda: str(grading.compare_cases(function, CASES, reference, **options)))()


def shy(a, b):
    if a > 99:
        raise LookupError("too large")
    return a + b


def test_cases_are_compared_with_the_reference():
    mistakes = {"You multiply.": lambda a, b: a * b, "You subtract.": lambda a, b: a - b}
    assert compared(lambda a, b: a + b, mistakes=mistakes) == "Right: [3, 300]"
    assert compared(lambda a, b: a - b, mistakes=mistakes) == "Not yet: You subtract."
    found = compared(lambda a, b: a * b if a > 1 else a + b, mistakes=mistakes)
    assert found == "Not yet: on large numbers it gives 20000, not 300."
    wrong(compared(shy), "on large numbers it stops with LookupError: too large.")
    wrong(compared(lambda a: a), "on small numbers it stops with TypeError")
    wrong(compared(lambda a, b: None), "on small numbers it gives None, not 3.")
    close = compared(lambda a, b: a + b + 0.1, same=lambda one, other: abs(one - other) < 1)
    assert close == "Right: [3.1, 300.1]"


def test_answers_are_read_and_hints_given():
    def read(answer):
        grading.want(answer, str, "a text", "it returns a")
        return int(answer)

    assert compared(lambda a, b: f" {a + b}", read=read) == "Right: [3, 300]"
    wrong(compared(lambda a, b: a, read=read), "on small numbers it returns a int, not a text.")
    hint = lambda value, wanted, a, b: f"Off by {wanted - value} for {a} and {b}."  # noqa: E731
    wrong(compared(lambda a, b: 3, hint=hint), "it gives 3, not 300. Off by 297 for 100 and 200.")


def test_what_has_moved_is_named():
    model = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = grading.state(model)
    assert grading.moved(before, model.state_dict()) == []
    model(torch.randn(8, 2))
    names = grading.moved(before, model.state_dict())
    assert names == ["1.running_mean", "1.running_var", "1.num_batches_tracked"]
    assert all(map(grading.is_statistic, names))
    model[0] = nn.Linear(2, 3)
    assert {"0.weight", "0.bias"} < {*grading.moved(before, model.state_dict())}
    model[0] = nn.Identity()
    assert "0.weight" in grading.moved(before, model.state_dict())
    assert not grading.is_statistic("0.weight")


def test_hooks_are_found():
    model = nn.Sequential(nn.ReLU())
    grading.no_hooks(model)
    with pytest.raises(NotYet, match="left behind on '0'. Remove it when"):
        model[0].register_forward_hook(print)
        grading.no_hooks(model)
    with pytest.raises(NotYet, match="see the network"):
        model.register_full_backward_hook(print)
        grading.no_hooks(model, "see {}")


def test_what_is_left_out_of_a_split(toy):
    some = toy.train.take([3, 5, 7])
    rest = grading.without(toy.train, some)
    assert len(rest) == len(toy.train) - 3
    assert len(grading.without(some, rest)) == 3 and not len(grading.without(some, toy.train))
