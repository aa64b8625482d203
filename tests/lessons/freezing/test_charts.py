import numpy as np
import pandas
import pytest
from drawn import assert_apart, colour, key, marks, texts, titles, xs
from matplotlib.colors import to_rgb

from tl_course import evidence, plots, store
from tl_course.lessons.freezing import charts, recipe
from tl_course.lessons.freezing.charts import CONTROLS, FROZEN, LOOKS

FEW = dict(zip(FROZEN, (0.30, 0.40, 0.46, 0.47, 0.25), strict=True))
MANY = {name: value + 0.3 for name, value in FEW.items()} | {"fine-tuning": 0.9}
BESIDE = dict(zip(CONTROLS, (0.2, 0.15), strict=True))


@pytest.fixture(scope="module")
def runs(freezing_runs):
    cells = {("leaves", labels): MANY | BESIDE for labels in (1000, 10_000)}
    tasks = ("leaves", "satellite", "digits")
    return freezing_runs({(task, 50): FEW | BESIDE for task in tasks} | cells)


def test_standings_name_the_best_and_what_cannot_be_told_from_it(runs, unsure):
    swung = runs.copy()
    unsure(swung, task="leaves", labels=50, strategy="frozen to layer2")
    table = charts.standings(swung, "leaves")
    here = table[table.labels == 50].set_index("strategy")
    assert here.index[here.best].item() == "frozen to layer3"
    assert [*here.index[here.tied]] == ["frozen to layer2"]
    assert here.loc["head alone", "behind"] == pytest.approx(0.22)
    many = table[table.labels == 1000].set_index("strategy")
    assert many.index[many.best].item() == "fine-tuning" and not many.tied.any()
    assert {*table.strategy} == {*FROZEN}  # controls are no depths


def test_standings_leave_out_what_is_not_measured_often_enough(runs):
    extra = runs[(runs.labels == 50) & (runs.seed < 3)].assign(labels=25)
    assert 25 not in {*charts.standings(pandas.concat([runs, extra]), "leaves").labels}
    with pytest.raises(store.UnknownName, match="Choose from leaves"):
        charts.standings(runs, "moon")


def test_the_map_frames_the_best_and_prints_every_mean(runs, unsure):
    swung = runs.copy()
    unsure(swung, task="leaves", labels=50, strategy="frozen to layer2")
    ax = charts.depth_map(swung, "leaves", title="Leaves")
    wanted = [f"{100 * value:.0f}" for value in (*FEW.values(), *MANY.values(), *MANY.values())]
    assert sorted(texts(ax)) == sorted(wanted)
    frames = {tuple(map(round, p.get_center())): p.get_linewidth() for p in ax.patches}
    assert frames == {(0, 3): 2.4, (0, 2): 0.8, (1, 0): 2.4, (2, 0): 2.4}
    assert [text.get_text() for text in ax.texts if text.get_weight() == "bold"] == [
        "90",
        "90",
        "47",
    ]
    assert texts(ax.get_yticklabels()) == [*FROZEN.values()]
    assert texts(ax.get_xticklabels()) == ["50", "1,000", "10,000"]
    shade = ax.images[0].get_array()
    assert shade[3, 0] == shade.max() and shade[4, 0] == 0  # 22 points behind is white
    assert ax.get_title(loc="left") == "Leaves"


def test_maps_of_several_targets_align_their_columns(runs):
    names = {"leaves": "Leaves", "digits": "Digits", "satellite": "Satellite"}
    figure = charts.depth_maps(runs, names, title="All")
    assert titles(figure) == [*names.values()]
    assert len({ax.get_xlim() for ax in figure.axes}) == 1
    assert [len(texts(ax)) for ax in figure.axes] == [15, 5, 5]


def test_lines_show_the_means(runs):
    ax = charts.depth_lines(runs, "leaves")
    lines = {bar.lines[0].get_color(): bar.lines[0].get_ydata() for bar in ax.containers}
    assert lines[plots.COLOURS["frozen to layer2"]] == pytest.approx([0.46, 0.76, 0.76])
    assert texts(ax) == [*FROZEN, "from scratch"]
    assert_apart(ax.texts)


def test_the_profile_shows_controls_seeds_and_the_live_run(runs):
    here = runs[(runs.task == "leaves") & (runs.labels == 50)]
    ax = charts.depth_profile(here, "frozen to layer2", {"frozen to layer2": 0.5})
    across = {line.get_color(): line.get_ydata()[0] for line in ax.lines}
    assert across[plots.COLOURS["from scratch"]] == pytest.approx(0.2)
    shown = [line.get_ydata()[0] for line in marks(ax) if colour(line) != "#000000"]
    assert shown == pytest.approx([*FEW.values()])
    (live,) = (line for line in marks(ax) if colour(line) == "#000000")
    assert [*live.get_ydata()] == [0.5]
    (seeds,) = ax.collections
    wanted = here[here.strategy == "frozen to layer2"].test_balanced
    assert sorted(seeds.get_offsets()[:, 1]) == pytest.approx(sorted(wanted))
    assert {text.replace("\n", " ") for text in texts(ax)} == {*CONTROLS}
    assert not charts.depth_profile(here).collections


def test_groups_show_every_seed_once_and_each_policy_in_the_key():
    frame = evidence.load("sweep_policies")
    policies, names = [*frame.strategy.unique()], {50: "50 labels", "leaves": "Leaves"}
    assert len({LOOKS[policy] for policy in policies}) == len(policies)
    figure = charts.by_group(frame, "task", "labels", policies, names)
    assert titles(figure) == ["50 labels", "200"] and key(figure) == policies
    groups = evidence.chosen(frame).query("labels == 50").groupby(["strategy", "task"])
    ax = figure.axes[0]
    assert texts(ax.get_xticklabels()) == ["Leaves", "satellite", "spoken_digits"]
    cells = [groups.get_group((policy, task)).test_balanced for policy in policies
             for task in ("leaves", "satellite", "spoken_digits")]  # fmt: skip
    for seeds, mark, values in zip(ax.collections, marks(ax), cells, strict=True):
        assert sorted(seeds.get_offsets()[:, 1]) == pytest.approx(sorted(values))
        assert mark.get_ydata()[0] == pytest.approx(values.mean())
    assert min(np.diff(sorted(xs(ax)))) > 0.1  # side by side


def test_every_strategy_of_the_stored_runs_has_its_look():
    assert {*recipe.FROZEN, *evidence.load("sweep_batchnorm").strategy} <= {*LOOKS}


def test_batches_shown_draws_the_last_dashed():
    curves = {"model.eval()": [0.8, 0.8], "model.train()": [0.8, 0.5]}
    still, moving = charts.batches_shown(curves, every=4).lines
    assert [*moving.get_xdata()] == [0, 4] and [*moving.get_ydata()] == [0.8, 0.5]
    assert (still.get_linestyle(), moving.get_linestyle()) == ("-", "--")
    assert colour(still) == plots.COLOURS["frozen"]


def test_depths_differ_without_colour():
    greys = [np.array(to_rgb(plots.COLOURS[name])) @ [0.299, 0.587, 0.114] for name in FROZEN]
    assert min(np.diff(sorted(greys))) > 0.03
