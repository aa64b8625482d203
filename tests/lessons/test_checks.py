"""Every check of every lesson answers in one line, whatever it is given."""

import importlib
import inspect

import pytest
import torch
from said import wrong
from torch import nn

from tl_course import lessons


def fails(*given):
    raise LookupError("lost\non the way")


RUBBISH = [None, 3, "x", [], {}, torch.ones(2), nn.Linear(2, 2), fails, lambda *given: None]
MODULES = [importlib.import_module(f"tl_course.lessons.{name}") for name in lessons.names()]
CHECKS = {
    name: getattr(module, name)
    for module in MODULES
    for name in module.__all__
    if name.startswith("check_")
}


@pytest.mark.parametrize("name", CHECKS)
def test_rubbish_gets_a_line(name):
    check = CHECKS[name]
    count = len(inspect.signature(check).parameters)
    for given in RUBBISH:
        wrong(check(*[given] * count))
    wrong(check(), "TypeError")
