import pytest
import torch
from drawn import ODD, titles
from matplotlib.colors import to_hex

from tl_course import plots
from tl_course.lessons.start_here import charts


def test_answers_show_every_probability_and_reuse_a_figure():
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    opinions = {"fine-tuning": torch.tensor([0.7, 0.3]), "$5_{ $": torch.tensor([0.4, 0.6])}
    figure = charts.answers(picture, opinions, ["a", "$b_{"], truth=1)  # no formulas
    assert titles(figure) == ["truth: $b_{", "fine-tuning", "$5_{ $"]
    shown, tuned, other = figure.axes
    assert shown.images[0].get_array().shape == (64, 64, 3)
    assert [round(bar.get_width(), 2) for bar in other.patches] == [0.4, 0.6]
    bars = [to_hex(bar.get_facecolor()).upper() for bar in tuned.patches]
    assert bars[0] == plots.COLOURS["fine-tuning"] != bars[1]  # the likeliest
    weights = [label.get_weight() for label in tuned.get_yticklabels()]
    assert [weight == "bold" for weight in weights] == [False, True]  # the truth
    first = plots.png(figure)
    assert charts.answers(picture, opinions, ["a", "$b_{"], 1, figure) is figure
    assert plots.png(figure) == first


@pytest.mark.parametrize("name", ODD)
@pytest.mark.filterwarnings("ignore:Glyph|constrained_layout")
def test_classes_may_be_called_anything(name):
    picture, values = torch.zeros(3, 64, 64, dtype=torch.uint8), torch.tensor([0.7, 0.3])
    plots.png(charts.answers(picture, {name: values, "b": values}, [name, "b"], truth=0))
