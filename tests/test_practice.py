import pytest
import torch

from tl_course import models, practice, surgery

BODY = ("stem", "layer1", "layer2", "layer3", "layer4")


def test_predictions_are_kept_and_compared(tmp_path):
    path = tmp_path / "kept.json"
    assert practice.recall("a", path) is None
    assert "commit to a prediction" in practice.compare("a", "ahead", path)
    practice.commit("a", "behind", path)
    practice.commit("b", "ahead", path)
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == practice.recall("b", path) == "ahead"
    assert "that is what was measured" in practice.compare("a", "ahead", path)
    assert "What made the difference?" in practice.compare("a", "behind", path)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '"text"'])
def test_damaged_predictions_count_as_none(tmp_path, content):
    path = tmp_path / "kept.json"
    path.write_text(content)
    assert practice.recall("a", path) is None
    practice.commit("a", "ahead", path)
    assert practice.recall("a", path) == "ahead"


def prepared(toy, pretrained=True):
    model = surgery.replace_head(models.load("resnet10", pretrained=pretrained), len(toy.classes))
    return surgery.freeze(model, *BODY)


def test_right_answers(toy):
    assert practice.check_head_only(prepared(toy), toy).startswith("Right: 771 of ")
    plain = models.load("resnet10")
    for weight in plain.parameters():
        weight.requires_grad = False
    plain.head = torch.nn.Linear(256, 3)
    assert practice.check_head_only(plain, toy).startswith("Right")


def test_trained_head_is_still_right(toy):
    from tl_course import train

    model = prepared(toy)
    train.fit(model, toy, epochs=1, progress=False)
    assert practice.check_head_only(model, toy).startswith("Right")


def test_the_check_says_what_the_model_shows(toy):
    cases = {
        "not a network": None,
        "head has 200 outputs": models.load("resnet10"),
        "head is frozen too": surgery.freeze(prepared(toy), "head"),
        "layer3, layer4 would still be trained": surgery.unfreeze(
            prepared(toy), "layer3", "layer4"
        ),
        "differs from the pretrained": prepared(toy, pretrained=False),
    }
    moved = prepared(toy)
    moved.train()
    moved(moved.preprocess(toy.train.inputs[:32]))
    cases["BatchNorm statistics moved"] = moved
    for message, model in cases.items():
        found = practice.check_head_only(model, toy)
        assert found.startswith("Not yet") and message in found, (message, found)


def test_other_networks_get_a_line_not_a_trace(toy):
    assert practice.check_head_only(torch.nn.Linear(2, 2), toy).startswith("Not yet")
    other = surgery.replace_head(models.load("resnet18", pretrained=False), 3)
    assert "resnet10" in practice.check_head_only(surgery.freeze(other), toy)
