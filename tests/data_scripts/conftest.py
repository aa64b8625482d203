import pytest
import torch

from tl_course import models, surgery, tasks
from tl_course.evidence import runs
from tl_course.lessons.negative_transfer import recipe as suspects


@pytest.fixture
def tiny(monkeypatch, toy):
    """Tasks and sources that take a second."""
    monkeypatch.setattr(tasks, "load", {"toy": toy}.__getitem__)
    monkeypatch.setattr(runs, "pace", lambda labels: (1, 16))
    monkeypatch.setattr(suspects, "source_task", lambda source, seed: toy)

    def pretrain(source, seed):
        torch.manual_seed(1000 + seed)
        model = models.load("resnet10", pretrained=False)
        return surgery.replace_head(model, len(toy.classes)), 0.5

    monkeypatch.setattr(suspects, "pretrain", pretrain)
