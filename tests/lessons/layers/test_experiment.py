"""Lesson 02's explorer: what it shows is what the network computes, in one's own pictures too."""

import io
import re
from datetime import UTC, datetime

import numpy as np
import pytest
import torch
from PIL import Image
from played import play, press

from tl_course import features, models, plots, store, tasks
from tl_course.lessons.layers import charts, experiment
from tl_course.plots import style


@pytest.fixture
def figures(monkeypatch):
    """The figures that were drawn."""
    drawn = []
    monkeypatch.setattr(plots, "jpeg", lambda figure: drawn.append(figure) or style.jpeg(figure))
    return drawn


@pytest.fixture
def explored(figures):
    return experiment.explorer()


def arrays(figures) -> list[np.ndarray]:
    return [image.get_array() for ax in figures[-1].axes for image in ax.images]


def send(explored, name: str, content: bytes) -> str:
    """Upload a file; gives what is told."""
    file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
    explored.controls["upload"].value = ({**file, "last_modified": datetime.now(UTC)},)
    return explored.told.value


def encoded(picture: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue()


def test_the_explorer_shows_what_the_network_computes(explored, figures):
    said = re.sub("<.*?>", "", play(explored, stage="layer2", channel=20))
    picture, network = tasks.examples()["temple"], models.load("resnet10")
    with torch.no_grad(), features.Tap(network, "layer2") as tap:
        network(network.preprocess(picture[None]))
    values = tap["layer2"][0, 20]
    shown = arrays(figures)
    assert np.array_equal(shown[0], picture.permute(1, 2, 0))
    assert np.allclose(shown[2], charts.shaded(values), atol=1e-3)
    preferred = features.stored_preferred("layer2").pictures[20]
    assert np.array_equal(shown[3], preferred.permute(1, 2, 0))
    assert shown[4].shape == (2 * 27 + 1, 3 * 27 + 2, 3)
    assert said.startswith("layer2, channel 20 of 64. The network gets 64 × 64 pixels;")
    assert "one unit here sees 27 × 27 of them." in said
    assert f"mean activation is {values.mean():.2f}" in said
    assert f"{(values > 0).float().mean():.0%} of its 256 units are active" in said
    assert re.search(r"it is number \d+ of 64 here", said) and "patches come from: " in said
    assert explored.places["picture"].format == "jpeg"


@pytest.mark.parametrize(
    ("stage", "channels", "seen"),
    [
        ("stem", 32, "7 × 7"),
        ("layer4", 256, "nearly all"),
        ("layer1", 32, "15 × 15"),
        ("layer3", 128, "51 × 51"),
    ],
)
def test_every_stage_has_its_channels_and_begins_with_the_loudest(explored, stage, channels, seen):
    said, channel = play(explored, stage=stage), explored.controls["channel"]
    assert channel.max == channel.number.max == channels - 1
    assert "it is number <b>1</b> of" in said and seen in said
    loudest = channel.value
    for extreme in (0, channels - 1):
        said = play(explored, channel=extreme)
        assert f"{stage}</b>, channel <b>{extreme}</b> of {channels}" in said
    press(explored, "loudest")
    assert channel.value == loudest


def test_another_picture_has_another_loudest_channel(explored):
    channel, loudest = explored.controls["channel"], set()
    first = channel.value
    names = [name for name, _ in explored.controls["which"].options]
    for name in names:
        assert f"On “{name}”" in play(explored, which=name)
        loudest.add(channel.value)
    assert len(loudest) > 2
    play(explored, which=names[0])
    assert channel.value == first


def test_a_channel_without_a_filter_is_said_to_be_dead(explored, figures):
    assert "Nothing excites this channel" in play(explored, stage="stem", channel=0)
    assert abs(arrays(figures)[3].astype(int) - 128).mean() < 1  # stored with some loss
    for name, _ in explored.controls["which"].options[1:]:  # no loudest channel is a dead one
        assert "Nothing excites" not in play(explored, which=name)


def test_ones_own_picture_is_explored(explored, figures):
    mine = np.zeros((40, 80, 3), np.uint8)
    mine[:, 40:] = (200, 30, 30)
    which = explored.controls["which"]
    assert not send(explored, "half & half.png", encoded(mine))
    assert which.value == "yours: half & half.png"
    assert "On “yours: half &amp; half.png”" in explored.places["said"].value
    shown = arrays(figures)[0]
    assert shown.shape == (256, 256, 3) and (shown[:, :100] == 0).all()
    assert (shown[:, 150:] == (200, 30, 30)).all()
    send(explored, "half & half.png", encoded(mine[:, ::-1]))  # another one of that name
    assert (arrays(figures)[0][:, 150:] == 0).all()
    assert len(which.options) == len(tasks.examples()) + 1
    send(explored, "grey.jpg", encoded(mine[..., 0], "JPEG"))
    assert which.value == "yours: grey.jpg"
    assert "On “flower”" in play(explored, which="flower")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes.txt", b"dear diary"),
        ("empty.png", b""),
        ("cut.png", encoded(np.zeros((64, 64, 3), np.uint8))[:60]),
        ("<b>x</b>.png", b"\x89PNG\r\n\x1a\n" + bytes(50)),
        ("large.png", bytes(20_000_001)),
        ("long" * 100 + ".gif", b"GIF89a"),
    ],
    ids=["text", "empty", "cut", "html", "large", "long"],
)
def test_a_bad_upload_is_told_in_one_line_and_breaks_nothing(explored, name, content):
    before = {place: part.value for place, part in explored.places.items()}
    told = send(explored, name, content)
    assert told and "<b>x" not in told and len(told) < 200 and "\n" not in told
    assert before == {place: part.value for place, part in explored.places.items()}
    assert explored.controls["upload"].value == ()  # so that the same file can be tried again
    assert not send(explored, "good.png", encoded(np.full((9, 9, 3), 200, np.uint8)))
    assert explored.controls["which"].value == "yours: good.png"


def test_the_explorer_can_begin_elsewhere():
    explored = experiment.explorer(picture="healthy leaf", stage="stem")
    assert "On “healthy leaf”" in explored.places["said"].value
    assert explored.controls["channel"].max == 31
    for options in ({"picture": "moon"}, {"stage": "head"}, {"stage": None}):
        with pytest.raises(store.UnknownName):
            experiment.explorer(**options)
