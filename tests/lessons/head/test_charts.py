import pandas
import pytest
import torch
from drawn import assert_apart, key, texts
from matplotlib.colors import to_hex

from tl_course import models, plots, store, surgery
from tl_course.lessons.head import charts, experiment
from tl_course.lessons.head.charts import LEAST, TALL


def boxes(ax, kind: str) -> list:
    shade = plots.COLOURS[kind]
    return [patch for patch in ax.patches if to_hex(patch.get_facecolor()).upper() == shade]


def test_anatomy_takes_a_plain_summary():
    table = surgery.summary(surgery.freeze(models.load("resnet10"), "stem", "layer1"))
    ax = charts.anatomy(table, "two are frozen")
    assert ax.get_title(loc="left") == "two are frozen"
    frozen, trained = boxes(ax, "frozen"), boxes(ax, "fine-tuning")
    assert len(frozen) == 2 and len(trained) == 4
    found = [box.get_height() for box in frozen + trained]
    scale = (table.parameters / table.parameters.max()) ** 0.5
    assert found == pytest.approx((TALL * scale).clip(lower=LEAST).tolist())
    words = texts(ax)
    assert [*table.index] == [word for word in words if word in table.index]
    assert words.count("❄ frozen") == 2 and words.count("trained") == 4
    assert {f"{count:,}" for count in table.parameters} <= {*words}
    assert [label.split(":")[0] for label in key(ax)] == ["frozen", "trained", "height"]


def test_anatomy_shows_what_is_new_and_what_was_before():
    table = pandas.DataFrame(
        {
            "parameters": [100, 400, 0],
            "trained": [0, 400, 0],
            "new": [0, 100, 0],
            "shape": [(8, 4, 4), (5,), (5,)],
        },
        index=["body", "head", "end"],
    )
    before = table[["parameters"]].assign(parameters=[100, 1600, 0])
    answers = torch.tensor([[0.5, 0.2, 0.3], [1.0, 0.0, 0.0]])
    ax = charts.anatomy(table, before=before, example="$a$ text", answers=answers)
    kinds = ["❄ frozen", "partly new", "no weights"]
    assert [word for word in texts(ax) if word in kinds] == kinds
    assert {"8×4×4", "5", "first of 2", "highest 0.50", "guess 0.33", "$a$ text"} <= {*texts(ax)}
    (new,), (old,) = boxes(ax, "from scratch"), boxes(ax, "fine-tuning")
    assert new.get_height() + old.get_height() == pytest.approx(TALL / 2)
    assert new.get_y() == pytest.approx(old.get_y() + old.get_height())
    (outline,) = [patch for patch in ax.patches if patch.get_linestyle() == "--"]
    assert outline.get_height() == pytest.approx(TALL)
    assert [bar.get_width() for bar in ax.containers[1]] == pytest.approx([0.33, 0.132, 0.198])


def test_anatomy_draws_where_it_is_told():
    table = surgery.summary(models.load("resnet10"))
    ax = plots.axes(6, 3)
    assert charts.anatomy(table, ax=ax) is ax
    picture = torch.zeros(3, 8, 8, dtype=torch.uint8)
    assert len(charts.anatomy(table, example=picture).images) == 1
    assert len(charts.anatomy(table, example=torch.zeros(900)).lines) == 1  # silence too


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pandas.DataFrame({"parameters": [1]}), "it has no trained"),
        (pandas.DataFrame(), "no columns"),
        (pandas.DataFrame({"parameters": [], "trained": []}), "it has no rows"),
    ],
)
def test_anatomy_refuses(table, message):
    with pytest.raises(store.BadInput, match=message):
        charts.anatomy(table)


def words(ax) -> list:
    shown = [*ax.texts, *ax.get_legend().get_texts()]
    return [text for text in shown if text.get_text()]


@pytest.mark.parametrize("name", experiment.FAMILIES)
def test_no_word_covers_another(name):
    bench = experiment._Bench(name)
    bench.operate(20, bench.body[0])
    ax = plots.axes(9.4, 3.1)
    bench.draw(ax)
    assert_apart(words(ax))


def test_no_word_covers_another_in_a_deep_network():
    table = pandas.DataFrame({"parameters": [7_087_872] * 14, "trained": [0] * 14})
    table.index = ["patches", *[f"block{i}" for i in range(1, 13)], "head"]
    assert_apart(words(charts.anatomy(table.assign(shape=[(197, 768)] * 14))))
