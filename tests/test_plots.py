import numpy as np
import pytest
import torch

from tl_course import evidence, plots, store
from tl_course.evidence import Interval


def test_nothing_opens_a_window_and_ax_is_respected():
    import inspect

    assert "pyplot" not in inspect.getsource(plots)
    ax = plots.axes()
    assert plots.learning_curves({"fine-tuning": [0.1, 0.5]}, ax=ax) is ax


def test_contact_sheet_puts_each_class_in_its_row():
    labels = torch.arange(12) % 3
    pictures = (labels * 100).to(torch.uint8).view(-1, 1, 1, 1).expand(-1, 3, 16, 16)
    ax = plots.contact_sheet(pictures, labels, ["a", "b", "c"], columns=4)
    sheet = ax.images[0].get_array()
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b", "c"]
    for row, y in enumerate(ax.get_yticks()):
        assert (sheet[int(y), :16] == row * 100).all()


def test_learning_curves_plot_the_values_and_labels_do_not_touch():
    ax = plots.learning_curves({"fine-tuning": [0.2, 0.61], "from scratch": [0.2, 0.60]})
    assert [line.get_ydata().tolist() for line in ax.lines] == [[0.2, 0.61], [0.2, 0.60]]
    heights = sorted(text.xy[1] for text in ax.texts)
    assert heights[1] - heights[0] == pytest.approx(0.07)
    assert [text.get_text() for text in ax.texts] == ["fine-tuning  0.61", "from scratch  0.60"]


def test_runs_show_every_seed():
    frame = evidence.load("sweep_pictures")
    ax = plots.runs(frame, [("leaves", 200), ("satellite", 200)])
    shown = np.concatenate([c.get_offsets()[:, 0] for c in ax.collections])
    rows = evidence.chosen(frame).query(
        "task in ['leaves', 'satellite'] and labels == 200"
        " and strategy in ['fine-tuning', 'from scratch']"
    )
    assert sorted(shown) == pytest.approx(sorted(rows.test_balanced))


def test_differences_show_effect_and_interval_in_points():
    ax = plots.differences(
        {"a": Interval(0.2, 0.1, 0.3, 5), "b": Interval(0.0, -0.1, 0.1, 5)}, "+", "-"
    )
    assert ax.lines[0].get_xdata() == pytest.approx([10, 30])
    assert ax.lines[1].get_xdata() == pytest.approx([20])
    assert [t.get_text() for t in ax.get_yticklabels()] == ["a", "b"]


def test_answers_reuse_a_figure():
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    opinions = {"fine-tuning": torch.tensor([0.7, 0.3]), "from scratch": torch.tensor([0.5, 0.5])}
    figure = plots.answers(picture, opinions, ["a", "b"], truth=1)
    first = plots.png(figure)
    assert plots.answers(picture, opinions, ["a", "b"], 1, figure) is figure
    assert plots.png(figure) == first and first.startswith(b"\x89PNG")


def test_show_carries_alt_text(monkeypatch):
    seen = {}
    monkeypatch.setattr(
        "IPython.display.display", lambda data, raw, metadata: seen.update(data, metadata=metadata)
    )
    plots.show(plots.axes(), alt="An empty chart.")
    assert seen["text/plain"] == "An empty chart."
    assert seen["metadata"] == {"image/png": {"alt": "An empty chart."}}


def test_colours_mean_one_thing():
    assert plots.COLOURS["fine-tuning"] == plots.COLOURS["pretrained"]
    groups = ("pretrained", "from scratch", "frozen", "random")
    assert len({plots.COLOURS[g] for g in groups}) == 4


def test_contact_sheet_refuses_what_it_cannot_show():
    pictures, labels = torch.rand(4, 3, 8, 8), torch.zeros(4, dtype=torch.int64)
    with pytest.raises(store.BadInput, match="uint8"):
        plots.contact_sheet(pictures, labels, ("a",))
    with pytest.raises(store.BadInput, match="uint8"):
        plots.contact_sheet(pictures[:, :, :4].byte(), labels, ("a",))


def test_class_names_are_not_formulas():
    picture = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    ax = plots.contact_sheet(picture, torch.zeros(1, dtype=torch.int64), ("under $5_{ or $6",))
    assert plots.png(ax.get_figure())
    shown = plots.answers(picture[0], {"pretrained": torch.ones(1)}, ("$5_{ $",), 0)
    assert plots.png(shown)
