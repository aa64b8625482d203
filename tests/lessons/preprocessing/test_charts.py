import numpy as np
import pytest
import torch
from drawn import ODD, colour, key, marks, texts, titles, xs

from tl_course import evidence, models, plots
from tl_course.evidence import Interval
from tl_course.lessons.preprocessing import charts
from tl_course.lessons.preprocessing.charts import PARTS, WAYS, Tile


def test_undone_undoes_the_right_normalisation():
    doctor, leaves = models.load("leaf_doctor"), torch.randint(0, 256, (3, 3, 64, 64)).byte()
    assert torch.equal(doctor.preprocess.undone(doctor.preprocess(leaves)), leaves)
    assert torch.equal(doctor.preprocess.seen(leaves), leaves)


def test_counts_and_confusion_count_all():
    inputs = torch.tensor([-9.0, 0.0, 0.0, 9.0]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    shares = charts.counts(inputs)
    assert shares.shape == (3, 60) and np.allclose(shares.sum(1), 1)
    assert shares[0, 0] == shares[0, -1] == 0.25
    found = charts.confusion(torch.tensor([0, 0, 2]), torch.tensor([1, 1, 2]), 3)
    assert found.tolist() == [[0, 2, 0], [0, 0, 0], [0, 0, 1]]


def test_histograms_say_from_where_to_where():
    inputs = torch.rand(2, 3, 8, 8)
    inputs[0, 0, 0, 0], inputs[0, 0, 0, 1] = -1, 1200
    figure = charts.input_histograms({"a": inputs, "b": inputs, "c": inputs, "d": inputs}, inputs)
    assert titles(figure) == [*"abcd"] and key(figure.axes[0]) == ["red", "green", "blue"]
    for ax in figure.axes:
        for line, share in zip(ax.lines, charts.counts(inputs), strict=True):
            assert line.get_ydata() == pytest.approx(share.clip(max=0.158))
        assert texts(ax) == ["−1.0 to 1,200.0"] and len(ax.patches) == 3


def test_confusions_have_every_number():
    labels, answers = torch.tensor([0, 0, 1]), torch.tensor([0, 1, 1])
    (ax,) = charts.confusions({"one": (labels, answers)}, ("a", "b")).axes
    assert texts(ax) == ["1", "1", "1"] and texts(ax.get_yticklabels()) == ["a", "b"]
    assert ax.images[0].get_array().tolist() == [[0.5, 0.5], [0, 0.5]]  # of the fullest row


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore:Glyph|constrained_layout")
def test_classes_may_be_called_anything(name):
    labels, picture = torch.tensor([0, 1]), torch.zeros(3, 4, 4, dtype=torch.uint8)
    plots.png(charts.confusions({name: (labels, labels)}, (name, "b")))
    plots.png(charts.fed_gallery({name: Tile(picture, name, 0.9, name)}, name))
    desk = charts.FeedingDesk(picture[None], (name, "b"), charts.counts(picture[None] / 255))
    shares = charts.counts(picture[None] / 255)
    found = charts.Symptoms(picture[None], shares, 0, 1, torch.eye(2), labels, 0)
    assert desk.png(found, 0).startswith(b"\x89PNG")


def test_the_gallery_ticks_what_is_right():
    picture = torch.zeros(3, 4, 4, dtype=torch.uint8)
    tiles = {
        "right": Tile(picture, "rust", 0.9, "rust"),
        "BGR": Tile(picture, "rust", 1.0, "blight"),
    }
    figure = charts.fed_gallery(tiles, "One leaf")
    assert [ax.get_xlabel() for ax in figure.axes] == ["✓ rust 0.90", "✗ rust 1.00"]
    assert titles(figure) == ["right", "BGR"]


def test_fault_costs_have_mean_interval_and_confidence():
    found = {"BGR": Interval(-0.5, -0.6, -0.4, 9), "training mode": Interval(-0.1, -0.2, 0.0, 9)}
    ax = charts.fault_costs(found, {"BGR": 0.8, "training mode": 0.7}, "Costs")
    assert texts(ax) == ["confidence", "0.80", "0.70"]
    bars = [line.get_xdata() for line in ax.lines if line.get_alpha()]
    assert np.allclose(bars, [[-60, -40], [-20, 0]]) and xs(ax) == [-50, -10]
    looks = [PARTS[part][:2] for part in ("inputs", "network")]
    assert [(colour(mark), mark.get_marker()) for mark in marks(ax)] == looks
    assert len(key(ax.get_figure())) == 3


def test_repairs_are_differences_from_the_right_feed():
    frame, targets = evidence.load("sweep_feeding"), {"leaves_128": "leaves", "pneumonia": "X-rays"}
    figure = charts.repairs(frame, targets, ["BGR", "grey", "corner crop"], title="a title")
    assert titles(figure) == [*targets.values()] and len(key(figure)) == 3
    runs, right = evidence.Runs(frame), {"fault": "right"}
    left, other = figure.axes
    assert texts(left.get_yticklabels()) == ["BGR", "grey", "corner crop"]
    assert [text.strip() for text in texts(other)] == ["does not apply"] and not texts(left)
    for way, look in WAYS.items():
        cell = {"task": "leaves_128", "strategy": way}
        wanted = [runs.compare({"fault": f}, right, **cell) for f in texts(left.get_yticklabels())]
        assert xs(left, look.marker) == pytest.approx([100 * one.effect for one in wanted])
    assert len(charts.repairs(frame, targets).axes[0].get_yticklabels()) == 10  # of the inputs


def test_the_desk_shows_each_way_of_feeding_and_each_picture():
    pictures = torch.randint(0, 256, (4, 3, 16, 16)).to(torch.uint8)
    given = charts.counts(pictures / 255)
    desk = charts.FeedingDesk(pictures, ("a", "b"), given)

    def fed(inputs: torch.Tensor, likely: float) -> charts.Symptoms:
        sure = torch.tensor([[likely, 1 - likely]] * 4)
        return charts.Symptoms(pictures, charts.counts(inputs), 0.0, 1.0, sure,
                               torch.tensor([0, 1, 0, 1]), 0)  # fmt: skip

    right, wrong = fed(pictures / 255, 0.9), fed(pictures / 100, 0.2)
    first = desk.png(right, 0)
    assert first.startswith(b"\x89PNG")
    assert len({first, desk.png(right, 1), desk.png(wrong, 0)}) == 3
    assert desk.png(right, 0) == first  # nothing of the others is left
