import matplotlib as mpl
import numpy as np
import pytest
import torch
from drawn import titles
from torch import nn

from tl_course import features, models, plots, store, tasks
from tl_course.lessons.layers import charts


@pytest.fixture(scope="module")
def network():
    return models.load("resnet10")


@pytest.fixture
def rng():
    return torch.Generator().manual_seed(0)


def pictures(count: int, size: int, rng) -> torch.Tensor:
    return torch.randint(0, 256, (count, 3, size, size), dtype=torch.uint8, generator=rng)


def tiles(ax, size: int = 7) -> list[np.ndarray]:
    """The pictures of a sheet with a line between them."""
    sheet = ax.images[0].get_array()
    edges = [range(0, length, size + 1) for length in sheet.shape[:2]]
    return [sheet[y : y + size, x : x + size] for y in edges[0] for x in edges[1]]


def test_every_filter_is_shown_once_and_zero_is_grey(network):
    torch.manual_seed(0)
    untrained = models.load("resnet10", pretrained=False)
    figure = charts.filters({"pretrained": network, "random": untrained})
    left, right = figure.axes
    assert titles(figure) == ["pretrained", "random"]
    assert left._left_title.get_color() == plots.COLOURS["pretrained"]
    weights = untrained.stem[0].weight.detach().numpy()
    largest = np.abs(weights).max((1, 2, 3), keepdims=True)
    expected = (127.5 * (1 + weights / largest)).round().astype(np.uint8).transpose(0, 2, 3, 1)
    assert {t.tobytes() for t in tiles(right)} == {e.tobytes() for e in expected}
    grey = [bool((abs(tile.astype(int) - 127.5) < 1).all()) for tile in tiles(left)]
    assert grey == [False] * 20 + [True] * 12  # what has shrunk to nothing comes last
    assert left.get_xlabel() == "12 of 32 have shrunk to nothing" and not right.get_xlabel()
    assert len(plots.png(figure)) < 150_000


def grating(angle: float, colour=(1, 1, 1)) -> np.ndarray:
    y, x = np.mgrid[-3:4, -3:4]
    wave = np.sin(1.3 * (np.cos(angle) * x + np.sin(angle) * y))
    return np.array(colour)[:, None, None] * wave


def test_filters_are_ordered_by_orientation_and_then_by_colour():
    weights = [grating(angle) for angle in (2.6, 0.3, 1.4, 0.9)]
    weights += [np.zeros((3, 7, 7)), grating(0.1, (1, -1, 0)), 100 * grating(0.1, (-1, -1, 2))]
    assert charts._ordered(np.stack(weights) + 1e-9)[1] == 1  # beside one a hundred times as large
    ordered, alive = charts._ordered(np.stack(weights[:-1]) + 1e-9)
    assert alive == 5
    own = [127.5 * (1 + w / np.abs(w).max()) for w in (*weights[:4], weights[5])]
    shown = ordered[:5].numpy().astype(float)
    order = [min(range(5), key=lambda i: abs(own[i] - tile).sum()) for tile in shown]  # noqa: B023
    assert order == [1, 3, 2, 0, 4]


def test_filters_refuse_what_has_none():
    with pytest.raises(store.BadInput, match="no networks"):
        charts.filters({})
    for network in (models.load("reader_spanish"), nn.Conv2d(1, 4, 3)):
        with pytest.raises(store.BadInput, match="red, green and blue"):
            charts.filters({"x": network})


def test_a_map_lies_over_its_picture(rng):
    picture, values = pictures(1, 96, rng)[0], torch.tensor([[0.0, 1.0], [2.0, 4.0]])
    ax = charts.overlay(picture, values, title="$x$")
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
    half = charts.overlay(picture, values, top=8.0, ax=plots.axes()).images[1].get_array()
    assert half[1, 1, 3] == pytest.approx(0.475)
    assert (charts.shaded(torch.zeros(3, 3))[..., 3] == 0.15).all()
    assert len(plots.png(ax.get_figure())) < 150_000


def test_maps_side_by_side_are_small_files(network):
    picture = tasks.examples()["temple"]
    with torch.no_grad(), features.Tap(network, "layer1") as tap:
        network(network.preprocess(picture[None]))
    maps = {f"channel {c}": tap["layer1"][0, c] for c in range(4)}
    figure = charts.activations(picture, maps)
    assert titles(figure) == [*maps]
    for ax, values in zip(figure.axes, maps.values(), strict=True):
        assert np.array_equal(ax.images[1].get_array(), charts.shaded(values))
        assert ax.images[0].get_array().shape == (128, 128, 3)
    assert len(plots.png(figure)) < 150_000
    with pytest.raises(store.BadInput, match="none to show"):
        charts.activations(picture, {})


def test_cams_are_shown_below_their_pictures_in_their_own_colours(network):
    picture = tasks.examples()["temple"]
    heat = features.grad_cam(network, picture, 0)
    figure = charts.cams({"what it is": (picture, heat), "again": (picture, heat)})
    above, _, below, _ = figure.axes
    assert titles(figure) == ["what it is", "again", "", ""]
    assert np.array_equal(above.images[0].get_array(), picture.permute(1, 2, 0))
    colours = np.asarray(below.images[1].get_array())
    place = np.unravel_index(int(heat.argmax()), heat.shape)
    assert colours.shape == (256, 256, 4)
    assert colours[place][:3] == pytest.approx(np.array(mpl.colormaps["inferno"](1.0)[:3]))
    with pytest.raises(store.BadInput, match="none to show"):
        charts.cams({})


def test_a_channels_figure_is_used_again(rng):
    parts = pictures(1, 96, rng)[0], torch.rand(8, 8, generator=rng), pictures(1, 64, rng)[0]
    figure = charts.channel(*parts, pictures(6, 15, rng), "layer1, channel 3")
    patches = pictures(2, 7, rng)
    assert charts.channel(*parts, patches, "stem, channel 1", figure) is figure
    first, _, over, made, exciting = (i.get_array() for ax in figure.axes for i in ax.images)
    assert titles(figure)[1] == "stem, channel 1"
    assert np.array_equal(first, parts[0].permute(1, 2, 0))
    assert np.array_equal(over, charts.shaded(parts[1]))
    assert np.array_equal(made, parts[2].permute(1, 2, 0))
    assert exciting.shape == (15, 23, 3) and (exciting[8:] == 255).all()
    assert np.array_equal(exciting[:7, 8:15], patches[1].permute(1, 2, 0))
