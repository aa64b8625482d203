import numpy as np
import pytest
import torch
from drawn import colour, marks, texts, titles
from matplotlib.colors import to_hex
from matplotlib.transforms import Bbox

from tl_course import plots, store
from tl_course.evidence import Interval
from tl_course.lessons.analogy import charts


def probabilities(*numbers: int) -> torch.Tensor:
    """What a reader says that is sure of ``numbers``, one after each letter: (L, 4, 10)."""
    digits = torch.tensor([[int(digit) for digit in f"{number:04d}"] for number in numbers])
    return 0.9 * torch.nn.functional.one_hot(digits, 10) + 0.01


def test_reading_shows_the_likeliest_digit_after_each_letter():
    opinions = {"pretrained: Spanish": probabilities(9, 42, 7), "mine": probabilities(1, 1, 1000)}
    opinions["nothing"] = probabilities(3, 2, 0)
    figure = charts.reading("a b", opinions)
    assert titles(figure) == ["pretrained: Spanish → 7", "mine → 1000", "nothing → 0"]
    first, second, _ = figure.axes
    darkest = [to_hex(ax.images[0].get_cmap()(1.0)).upper() for ax in (first, second)]
    assert darkest == [plots.COLOURS["pretrained"], "#555555"]  # grey: no colour has this name
    assert first.images[0].get_array()[0, 0] == pytest.approx(0.85 * 0.91)
    assert texts(first.get_xticklabels()) == ["a", "␣", "b"]
    assert texts(first.get_yticklabels()) == [*charts.PLACES]
    grid = {text.get_position(): text for text in first.texts}
    shown = ["".join(grid[column, row].get_text() for row in range(4)) for column in range(3)]
    assert shown == ["0009", "0042", "0007"]
    assert [grid[x, 3].get_weight() == "bold" for x in range(3)] == [False, False, True]
    before = plots.png(figure)
    assert charts.reading("a b", opinions, figure) is figure and plots.png(figure) == before
    longer = {name: values.repeat(9, 1, 1) for name, values in opinions.items()}
    charts.reading("a b" * 9, longer, figure)
    assert len(figure.axes) == 3 and plots.png(figure) != before


@pytest.mark.parametrize("text", ["$x$", "\\frac{1}", "<b>", "%s"])
def test_what_is_read_is_no_formula(text):
    opinions = {"$a_{ reader": probabilities(*range(len(text)))}
    assert plots.png(charts.reading(text, opinions))


@pytest.mark.parametrize(("text", "opinions"), [("", {"a": probabilities(1)}), ("a", {})])
def test_reading_needs_a_text_and_a_reader(text, opinions):
    with pytest.raises(store.BadInput, match="no text or no readers"):
        charts.reading(text, opinions)


def test_named_points_carry_their_interval_in_points():
    points = {
        "spanish": (0.55, Interval(0.3, 0.2, 0.45, 10)),
        "spanish_reversed": (0.3, Interval(-0.1, -0.2, 0.0, 10)),
    }
    kinds = {"spanish": "related language", "spanish_reversed": "made on purpose"}
    ax = charts.scatter(points, kinds, "likeness", "gain", title="Both")
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("likeness", "gain")
    bars = [line.get_ydata() for line in ax.lines if line.get_alpha()]
    assert np.allclose(bars, [[20, 45], [-20, 0]])
    assert np.allclose([dot.get_xydata()[0] for dot in marks(ax)], [[0.55, 30], [0.3, -10]])
    assert [colour(dot) for dot in marks(ax)] == [plots.COLOURS[kind] for kind in kinds.values()]
    assert texts(ax) == ["Spanish", "Spanish reversed"] and plots.png(ax.get_figure())


def test_names_stand_beside_their_points_and_cover_none():
    ax = plots.axes(8.0, 4.8)
    rng = np.random.default_rng(1)
    points = {f"Language {i}": tuple(rng.uniform(0.1, 0.9, 2)) for i in range(14)}
    for place in points.values():
        ax.plot(*place, "o")
    ax.set(xlim=(0, 1), ylim=(0, 1))
    charts.name_points(ax, points, dict.fromkeys(points, "black"))
    assert texts(ax) == [*points]
    ax.figure.draw_without_rendering()
    boxes, frame = [text.get_window_extent() for text in ax.texts], ax.get_window_extent()
    for index, (box, (name, place)) in enumerate(zip(boxes, points.items(), strict=True)):
        x, y = ax.transData.transform(place)
        assert abs((box.x0 + box.x1) / 2 - x) < 100 and abs((box.y0 + box.y1) / 2 - y) < 40, name
        assert not box.contains(x, y) and frame.x0 <= box.x0 and box.x1 <= frame.x1, name
        for other in boxes[:index]:
            shared = Bbox.intersection(box, other)
            area = shared.width * shared.height if shared else 0
            assert area < 0.2 * box.width * box.height, name
