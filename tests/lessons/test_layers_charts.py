import io
import re
import time
from datetime import UTC, datetime

import ipywidgets
import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tl_course import features, models, plots, store, tasks
from tl_course.lessons.layers import charts as layers
from tl_course.lessons.layers import charts as layers_charts
from tl_course.lessons.layers import experiment as layers_experiment
from tl_course.lessons.layers.experiment import STAGES
from tl_course.plots import style


@pytest.fixture(scope="module")
def network():
    return models.load("resnet10")


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def pictures(count: int, size: int, rng) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=rng)


def tiles(sheet: np.ndarray, columns: int, size: int = 7) -> list[np.ndarray]:
    rows = (len(sheet) + 1) // (size + 1)
    return [
        sheet[y : y + size, x : x + size]
        for y in range(0, rows * (size + 1), size + 1)
        for x in range(0, columns * (size + 1), size + 1)
    ]


def test_every_filter_is_shown_once_and_zero_is_grey(network):
    torch.manual_seed(0)
    untrained = models.load("resnet10", pretrained=False)
    figure = layers_charts.filters({"pretrained": network, "random": untrained})
    left, right = figure.axes
    assert [ax.get_title("left") for ax in (left, right)] == ["pretrained", "random"]
    assert left._left_title.get_color() == plots.COLOURS["pretrained"]
    weights = untrained.stem[0].weight.detach().numpy()
    largest = np.abs(weights).max((1, 2, 3), keepdims=True)
    expected = (127.5 * (1 + weights / largest)).round().astype(np.uint8).transpose(0, 2, 3, 1)
    shown = tiles(right.images[0].get_array(), 8)
    assert {t.tobytes() for t in shown} == {e.tobytes() for e in expected}
    grey = [
        bool((abs(t.astype(int) - 127.5) < 1).all()) for t in tiles(left.images[0].get_array(), 8)
    ]
    assert grey == [False] * 20 + [True] * 12  # what has shrunk to nothing comes last
    assert left.get_xlabel() == "12 of 32 have shrunk to nothing" and not right.get_xlabel()
    assert len(plots.png(figure)) < 150_000
    assert len(layers_charts.filters({"a": untrained}).axes) == 1


def grating(angle: float, colour=(1, 1, 1)) -> np.ndarray:
    y, x = np.mgrid[-3:4, -3:4]
    wave = np.sin(1.3 * (np.cos(angle) * x + np.sin(angle) * y))
    return np.array(colour)[:, None, None] * wave


def test_filters_are_ordered_by_orientation_and_then_by_colour():
    angles = (2.6, 0.3, 1.4, 0.9)
    weights = [grating(angle) for angle in angles]
    weights += [np.zeros((3, 7, 7)), grating(0.1, (1, -1, 0)), 100 * grating(0.1, (-1, -1, 2))]
    ordered, alive = layers._ordered(np.stack(weights) + 1e-9)
    assert alive == 1  # beside a filter a hundred times as large
    ordered, alive = layers._ordered(np.stack(weights[:-1]) + 1e-9)
    assert alive == 5
    own = [127.5 * (1 + w / np.abs(w).max()) for w in (*weights[:4], weights[5])]
    order = [
        min(range(5), key=lambda i: abs(own[i].transpose(1, 2, 0) - tile).sum())
        for tile in ordered[:5]
    ]
    assert order == [1, 3, 2, 0, 4]


def test_filters_refuse_what_has_none():
    with pytest.raises(store.BadInput, match="no networks"):
        layers_charts.filters({})
    for network in (models.load("reader_spanish"), nn.Conv2d(1, 4, 3)):
        with pytest.raises(store.BadInput, match="red, green and blue"):
            layers_charts.filters({"x": network})


def test_a_map_lies_over_its_picture(rng):
    picture, values = pictures(1, 96, rng)[0], torch.tensor([[0.0, 1.0], [2.0, 4.0]])
    ax = layers_charts.activation(picture, values, title="$x$")
    under, over = ax.images
    assert [*under.get_extent()] == [*over.get_extent()] == [-0.5, 95.5, 95.5, -0.5]
    colours = np.asarray(over.get_array())
    assert colours.shape == (2, 2, 4)
    assert colours[..., 3].ravel() == pytest.approx(np.array([0.15, 0.3125, 0.475, 0.8]))
    assert colours[1, 1, :3] == pytest.approx(np.array(mpl.colormaps["viridis"](1.0)[:3]))
    grey = under.get_array()
    assert (grey[..., 0] == grey[..., 1]).all() and grey.shape == (96, 96, 3)
    mean = picture.float().mul(torch.tensor([0.299, 0.587, 0.114])[:, None, None]).sum(0)
    assert np.abs(grey[..., 0] - mean.numpy()).max() < 6
    half = layers_charts.activation(picture, values, top=8.0, ax=plots.axes()).images[1].get_array()
    assert half[1, 1, 3] == pytest.approx(0.475)
    assert (layers.shaded(torch.zeros(3, 3))[..., 3] == 0.15).all()
    assert len(plots.png(ax.get_figure())) < 150_000


def test_maps_side_by_side_are_small_files(network):
    picture = tasks.examples()["temple"]
    with torch.no_grad(), features.Tap(network, "layer1") as tap:
        network(network.preprocess(picture[None]))
    maps = {f"channel {c}": tap["layer1"][0, c] for c in range(4)}
    figure = layers_charts.activations(picture, maps)
    assert [ax.get_title("left") for ax in figure.axes] == [*maps]
    for ax, values in zip(figure.axes, maps.values(), strict=True):
        assert np.array_equal(ax.images[1].get_array(), layers.shaded(values))
        assert ax.images[0].get_array().shape == (128, 128, 3)
    assert len(plots.png(figure)) < 150_000
    with pytest.raises(store.BadInput, match="none to show"):
        layers_charts.activations(picture, {})


def test_cam_is_shown_in_its_own_colours(network):
    picture = tasks.examples()["temple"]
    heat = features.grad_cam(network, picture, 0)
    ax = layers_charts.cam(picture, heat, "what it is")
    colours = np.asarray(ax.images[1].get_array())
    assert colours.shape == (256, 256, 4) and ax.get_title("left") == "what it is"
    place = np.unravel_index(int(heat.argmax()), heat.shape)
    assert colours[place][:3] == pytest.approx(np.array(mpl.colormaps["inferno"](1.0)[:3]))
    assert len(plots.png(ax.get_figure())) < 150_000


def test_gallery_shows_rows_of_pictures(rng):
    flat = torch.arange(6, dtype=torch.uint8).view(-1, 1, 1, 1).mul(40).expand(6, 3, 64, 64)
    rows = {"stem": flat, "layer1": flat[:2] + 5}
    ax = plots.gallery(rows, {"stem": ["a", "b", "c", "d"], "layer1": ["e", "f"]})
    sheet = ax.images[0].get_array()
    assert sheet.shape[1] == 4 * 134 - 6
    assert [int(sheet[60, 134 * i + 60, 0]) for i in range(4)] == [0, 40, 80, 120]
    second = int(ax.get_yticks()[1])
    assert [int(sheet[second, 134 * i + 60, 0]) for i in range(4)] == [5, 45, 255, 255]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["stem", "layer1"]
    assert [t.get_text() for t in ax.texts] == ["a", "b", "c", "d", "e", "f"]
    given = plots.axes()
    assert plots.gallery({"x": flat}, columns=2, zoom=1, ax=given) is given
    assert given.images[0].get_array().shape == (64, 134, 3)


def test_a_gallery_of_all_stages_fits_a_notebook():
    rows = {stage: features.stored_preferred(stage).pictures[[5, 9, 20, 21]] for stage in STAGES}
    figure = plots.gallery(rows, {stage: ["5", "9", "20", "21"] for stage in STAGES}).get_figure()
    picture = Image.open(io.BytesIO(plots.png(figure)))
    shown = np.array(picture.convert("RGB"))
    assert len(plots.png(figure)) < 150_000
    sheet = figure.axes[0].images[0].get_array()
    # no pixel is blended with its neighbour
    assert (shown[6:134, -6 - sheet.shape[1] : -6] == sheet[:128]).mean() > 0.99


@pytest.mark.parametrize(
    "rows",
    [
        {},
        {"a": torch.zeros(2, 3, 8, 8)},
        {"a": torch.zeros(2, 3, 8, 9, dtype=torch.uint8)},
        {"a": torch.zeros(3, 8, 8, dtype=torch.uint8)},
        {"a": torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "b": torch.zeros(2, 3, 4, 4).byte()},
    ],
)
def test_gallery_refuses(rows):
    with pytest.raises(store.BadInput, match="a gallery shows"):
        plots.gallery(rows)


def test_a_channels_figure_is_used_again(rng):
    parts = pictures(1, 96, rng)[0], torch.rand(8, 8, generator=rng), pictures(1, 64, rng)[0]
    figure = layers_charts.channel(*parts, pictures(6, 15, rng), "layer1, channel 3")
    patches = pictures(2, 7, rng)
    assert layers_charts.channel(*parts, patches, "stem, channel 1", figure) is figure
    images = [image.get_array() for ax in figure.axes for image in ax.images]
    assert len(images) == 5 and figure.axes[1].get_title("left") == "stem, channel 1"
    assert np.array_equal(images[0], parts[0].permute(1, 2, 0))
    assert np.array_equal(images[2], layers.shaded(parts[1]))
    assert np.array_equal(images[3], parts[2].permute(1, 2, 0))
    assert images[4].shape == (15, 23, 3)
    assert np.array_equal(images[4][:7, 8:15], patches[1].permute(1, 2, 0))
    assert (images[4][8:] == 255).all()
    assert plots.jpeg(figure).startswith(b"\xff\xd8")
    small = plots.small_png(figure)
    assert small.startswith(b"\x89PNG") and len(small) < len(plots.png(figure))
    assert Image.open(io.BytesIO(small)).size == Image.open(io.BytesIO(plots.png(figure))).size


def find(widget, kind):
    found = [widget] if isinstance(widget, kind) else []
    for child in getattr(widget, "children", ()):
        found += find(child, kind)
    return found


class Explored:
    """The explorer's controls, and the figures it draws."""

    def __init__(self, monkeypatch, **options):
        self.figure = None
        monkeypatch.setattr(plots, "jpeg", self._kept)
        self.box = layers_experiment.explorer(**options)
        self.picture, self.stage = find(self.box, ipywidgets.Dropdown)
        (self.channel,) = find(self.box, ipywidgets.IntSlider)
        (self.typed,) = find(self.box, ipywidgets.BoundedIntText)
        (self.loudest,) = find(self.box, ipywidgets.Button)
        (self.upload,) = find(self.box, ipywidgets.FileUpload)
        (self.image,) = find(self.box, ipywidgets.Image)
        self.trouble, self.said = find(self.box, ipywidgets.HTML)

    def _kept(self, figure) -> bytes:
        self.figure = figure
        return style.jpeg(figure)

    def arrays(self) -> list[np.ndarray]:
        return [image.get_array() for ax in self.figure.axes for image in ax.images]

    def send(self, name: str, content: bytes) -> None:
        file = {"name": name, "type": "", "size": len(content), "content": memoryview(content)}
        self.upload.value = ({**file, "last_modified": datetime.now(UTC)},)


@pytest.fixture
def explored(monkeypatch):
    return Explored(monkeypatch)


def test_the_explorer_shows_what_the_network_computes(explored, network):
    explored.stage.value = "layer2"
    explored.channel.value = 20
    picture = tasks.examples()["temple"]
    with torch.no_grad(), features.Tap(network, "layer2") as tap:
        network(network.preprocess(picture[None]))
    values = tap["layer2"][0, 20]
    shown = explored.arrays()
    assert np.array_equal(shown[0], picture.permute(1, 2, 0))
    assert np.allclose(shown[2], layers.shaded(values), atol=1e-3)
    preferred = features.stored_preferred("layer2").pictures[20]
    assert np.array_equal(shown[3], preferred.permute(1, 2, 0))
    assert shown[4].shape == (2 * 27 + 1, 3 * 27 + 2, 3)
    said = re.sub("<.*?>", "", explored.said.value)
    assert said.startswith("layer2, channel 20 of 64. The network gets 64 × 64 pixels;")
    assert "one unit here sees 27 × 27 of them." in said
    assert f"mean activation is {values.mean():.2f}" in said
    assert f"{(values > 0).float().mean():.0%} of its 256 units are active" in said
    assert re.search(r"it is number \d+ of 64 here", said) and "patches come from: " in said


def test_every_stage_has_its_channels_and_begins_with_the_loudest(explored):
    for stage, channels, seen in (
        ("stem", 32, "7 × 7"),
        ("layer4", 256, "nearly all"),
        ("layer1", 32, "15 × 15"),
        ("layer3", 128, "51 × 51"),
    ):
        explored.stage.value = stage
        assert explored.channel.max == explored.typed.max == channels - 1
        assert "it is number <b>1</b> of" in explored.said.value and seen in explored.said.value
        loudest = explored.channel.value
        for extreme in (0, channels - 1):
            explored.channel.value = extreme
            assert explored.typed.value == extreme
            assert f"{stage}</b>, channel <b>{extreme}</b>" in explored.said.value
        explored.typed.value = 3
        assert explored.channel.value == 3 and "channel <b>3</b>" in explored.said.value
        explored.loudest.click()
        assert explored.channel.value == explored.typed.value == loudest


def test_another_picture_has_another_loudest_channel(explored):
    first = explored.channel.value
    loudest = set()
    for name in explored.picture.options:
        explored.picture.value = name
        assert f"On “{name}”" in explored.said.value
        loudest.add(explored.channel.value)
    assert len(loudest) > 2
    explored.picture.value = "temple"
    assert explored.channel.value == first


def test_a_channel_without_a_filter_is_said_to_be_dead(explored):
    explored.stage.value = "stem"
    explored.channel.value = 0
    assert "Nothing excites this channel" in explored.said.value
    assert abs(explored.arrays()[3].astype(int) - 128).mean() < 1  # stored with some loss
    for name in explored.picture.options[1:]:  # no loudest channel is a dead one
        explored.picture.value = name
        assert "Nothing excites" not in explored.said.value


def encoded(picture: np.ndarray, kind: str = "PNG") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, kind)
    return buffer.getvalue()


def test_ones_own_picture_is_explored(explored):
    mine = np.zeros((40, 80, 3), np.uint8)
    mine[:, 40:] = (200, 30, 30)
    explored.send("half & half.png", encoded(mine))
    assert explored.picture.value == "yours: half & half.png" and not explored.trouble.value
    assert "On “yours: half &amp; half.png”" in explored.said.value
    shown = explored.arrays()[0]
    assert shown.shape == (256, 256, 3) and (shown[:, :100] == 0).all()
    assert (shown[:, 150:] == (200, 30, 30)).all()
    explored.send("half & half.png", encoded(mine[:, ::-1]))  # another one of that name
    assert (explored.arrays()[0][:, 150:] == 0).all()
    assert len(explored.picture.options) == len(tasks.examples()) + 1
    explored.send("grey.jpg", encoded(mine[..., 0], "JPEG"))
    assert explored.picture.value == "yours: grey.jpg"
    explored.picture.value = "flower"
    assert "On “flower”" in explored.said.value


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
    before = explored.said.value, explored.image.value, explored.picture.options
    explored.send(name, content)
    assert explored.trouble.value and "<b>x" not in explored.trouble.value
    assert len(explored.trouble.value) < 200 and "\n" not in explored.trouble.value
    assert (explored.said.value, explored.image.value, explored.picture.options) == before
    assert explored.upload.value == ()  # so that the same file can be tried again
    explored.send("good.png", encoded(np.full((9, 9, 3), 200, np.uint8)))
    assert not explored.trouble.value and explored.picture.value == "yours: good.png"


def test_a_move_is_quick(explored):
    explored.stage.value = "layer4"
    taken = []
    for channel in range(50):
        began = time.perf_counter()
        explored.channel.value = channel
        taken.append(time.perf_counter() - began)
    assert np.median(taken) < 0.3, np.median(taken)  # 0.06 on a machine that does nothing else


def test_a_picture_of_the_explorer_stands_in_without_a_kernel(explored):
    data, metadata = explored.box._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG") and len(data["image/png"]) < 150_000
    assert metadata["image/png"]["alt"] == data["text/plain"] and "temple" in data["text/plain"]
    assert bytes(explored.image.value).startswith(b"\xff\xd8") and explored.image.format == "jpeg"


def test_the_explorer_can_begin_elsewhere(monkeypatch):
    explored = Explored(monkeypatch, picture="healthy leaf", stage="stem")
    assert "On “healthy leaf”" in explored.said.value and explored.channel.max == 31
    for options in ({"picture": "moon"}, {"stage": "head"}, {"stage": None}):
        with pytest.raises(store.UnknownName):
            layers_experiment.explorer(**options)
