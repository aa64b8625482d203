import io

import matplotlib as mpl
import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from tl_course import features, models, plots, store, tasks
from tl_course.lessons.layers import charts as layers
from tl_course.lessons.layers import charts as layers_charts
from tl_course.lessons.layers.experiment import STAGES


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
