"""The rules of lesson 02, on made-up runs."""

import numpy as np
import pytest

from tl_course import evidence, store
from tl_course.evidence import Runs
from tl_course.lessons.layers import rules

STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
LAYER = {concept: layer for concept, (_, layer, _) in rules.TABLE.items()}
NAME = {concept: name for concept, (name, *_) in rules.TABLE.items()}


@pytest.fixture(scope="module")
def probes(made_up):
    """Made-up results as data_scripts/sweep_probes.py writes them, from task to network to the
    accuracy at each of STAGES; those of pixels are 0.3.
    """

    def build(accuracies: dict[str, dict[str, tuple]]):
        cells = {
            (task, stage, network): {"val_accuracy": 1.0, "test_balanced": value}
            for task, networks in accuracies.items()
            for network, values in networks.items()
            for stage, value in zip(STAGES, values, strict=True)
        }
        pixels = {(task, "pixels", "pixels"): 0.3 for task in accuracies}
        return made_up(cells | pixels, "task stage network", labels=600)

    return build


def curve(layer: str, low: float = 0.4, high: float = 0.9) -> tuple:
    """Accuracy that rises at ``layer``."""
    return tuple(high if place >= STAGES.index(layer) else low for place in range(5))


@pytest.fixture(scope="module")
def table(probes):
    """Probes that show the table, but for concepts that come one stage off, and for those that
    the random network shows as well.
    """

    def build(off: tuple = (), innate: tuple = (), random: float = 0.4):
        found = {}
        for concept, layer in LAYER.items():
            place = STAGES.index(layer) - (concept in off)
            control = 0.9 if concept in innate else random
            found[concept] = {"pretrained": curve(STAGES[place]), "random": (control,) * 5}
        return probes(found)

    return build


def test_a_table_that_is_right(judged, table):
    rows = ", ".join(f"{NAME[concept]} at {layer}" for concept, layer in LAYER.items())
    found = judged("layer-1", table(), ("{}", "for {}", rows, ""))
    assert found.effect == pytest.approx(0.5)


def test_a_table_that_is_right_in_part(judged, table):
    yes = "corners at layer2, textures at layer2, parts at layer3"
    no = (
        "edges (layer1, but random weights show them as well: 0.90 against 0.90), objects (layer3 "
        "instead of layer4)"
    )
    frame = table(("concepts_objects",), ("concepts_edges",))
    found = judged("layer-1", frame, ("{}", "for {}", yes, no))
    assert found.effect == pytest.approx(0.4)


@pytest.mark.parametrize(("off", "innate"), [((), LAYER), (LAYER, ())])
def test_a_table_that_is_wrong(judged, table, off, innate):
    found = judged("layer-1", table(tuple(off), tuple(innate)), verdict="does-not-hold")
    assert all(name in found.condition for name in NAME.values())


@pytest.mark.parametrize(("random", "verdict"), [(0.84, "holds"), (0.86, "does-not-hold")])
def test_learning_must_add_five_points(judged, table, random, verdict):
    judged("layer-1", table(random=random), verdict=verdict)


def test_what_can_be_read_first_is_counted_from_guessing(probes):
    rising = {"pretrained": (0.3, 0.5, 0.88, 0.9, 0.94)}
    runs = Runs(probes({"materials": rising, "concepts_edges": rising}))
    assert rules.readable_at(runs, "materials") == "layer2"  # 0.86 is 90 % of the way
    assert rules.readable_at(runs, "concepts_edges") == "layer2"  # from 0.25 it is 0.87
    below = {"pretrained": (0.20, 0.22, 0.21, 0.2, 0.2)}
    assert rules.readable_at(Runs(probes({"concepts_edges": below})), "concepts_edges") == "layer1"


def test_the_table_of_probes_shows_means_and_intervals(table):
    runs = Runs(table(innate=("materials",)))
    means, half = rules.probe_table(runs, "pretrained")
    assert [*means.index] == [*half.index] == [*NAME.values()]
    assert [*means.columns] == [*half.columns] == ["pixels", *STAGES]
    for concept, name in NAME.items():
        assert means.loc[name].tolist() == pytest.approx([0.3, *curve(LAYER[concept])])
    means, half = rules.probe_table(runs, "random")
    assert means.loc["textures", "layer3"] == pytest.approx(0.9)
    values = runs.cell(task="materials", network="random", stage="layer3")
    found = evidence.paired(values, np.zeros(5))
    assert half.loc["textures", "layer3"] == pytest.approx(found.high - found.effect)


UP, DOWN, LEVEL = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1), (0.3,) * 5


@pytest.fixture
def changes(made_up):
    """Made-up results as data_scripts/sweep_changes.py writes them: for each optimizer what the
    stages' weights moved, and how alike their features stayed (CKA).
    """

    def build(adam, sgd):
        cells = {}
        for strategy, optimizer, (moved, alike) in (
            ("fine-tuning", "AdamW", adam),
            ("fine-tuning", "SGD", sgd),
            ("from scratch", "AdamW", [each[::-1] for each in adam]),  # must not count
        ):
            for task in ("satellite", "leaves"):
                for place, stage in enumerate(STAGES):
                    found = {"change": moved[place], "cka": alike[place], "test_balanced": 0.8}
                    cells[task, strategy, optimizer, stage] = found
        frame = made_up(cells, "task strategy optimizer stage")
        for column in ("change", "cka"):
            frame[column] += 0.002 * ((2 * frame.seed + frame.stage.map(STAGES.index)) % 5 - 2)
        return frame

    return build


WAYS = {
    way: f"{way} (leaves, satellite)"
    for way in ("features (1 - CKA)", "weights, AdamW", "weights, SGD")
}
FEATURES, ADAM, SGD = WAYS.values()


@pytest.mark.parametrize(
    ("adam", "sgd", "yes", "no", "effect"),
    [
        ((UP, DOWN), (UP, UP), [FEATURES, ADAM, SGD], [], 0.4),
        ((DOWN, DOWN), (UP, UP), [FEATURES, SGD], [ADAM], 0.4),
        ((LEVEL, UP), (DOWN, DOWN), [], [FEATURES, ADAM, SGD], -0.4),
    ],
)
def test_whether_late_stages_change_most(judged, changes, adam, sgd, yes, no, effect):
    found = judged("layer-2", changes(adam, sgd), ("in {}", "in {}", ", ".join(yes), ", ".join(no)))
    assert found.effect == pytest.approx(effect, abs=0.005)


def test_tasks_may_disagree_on_what_changes(judged, changes):
    frame = changes((UP, DOWN), (UP, UP))
    frame.loc[frame.task == "leaves", "change"] = 0.3
    yes = f"{FEATURES}, weights, AdamW (satellite), weights, SGD (satellite)"
    no = "weights, AdamW (leaves), weights, SGD (leaves)"
    judged("layer-2", frame, ("in {}", "in {}", yes, no))


EARLY, LATE = "early stages pretrained", "late stages pretrained"


@pytest.fixture
def halves(made_up):
    """Half a network from pretrained weights, where it was tried; from scratch gives 0.5."""

    def build(early: dict[str, float]):
        whole = {"from scratch": 0.5, "fine-tuning": 0.9}
        half = {(task, 200, LATE): 0.6 for task in early}
        half |= {(task, 200, EARLY): value for task, value in early.items()}
        pictures = {
            (task, labels, way): value
            for task in early
            for labels in (200, 1000)
            for way, value in whole.items()
        }
        return {"sweep_early": made_up(half), "sweep_pictures": made_up(pictures)}

    return build


@pytest.mark.parametrize(
    ("gains", "early", "verdict", "effect"),
    [
        ((0.3, 0.3, 0.2, 0.1, 0.1), (0.7, 0.6, 0.6), "holds", 0.2),
        ((0.3, 0.3, 0.2, 0.0, -0.1), (0.7, 0.6, 0.5), "holds-when", 0.14),
        ((0.3, 0.3, 0.2, 0.1, 0.1), (0.5, 0.5, 0.4), "holds-when", 0.2),
        ((0.0, 0.0, -0.2, 0.0, 0.0), (0.5, 0.4, 0.5), "does-not-hold", -0.04),
    ],
)
def test_whether_early_features_help(judged, probes, halves, gains, early, verdict, effect):
    after_layer2 = {  # after layer2 alone
        task: {"pretrained": (0.1, 0.1, 0.5 + gain, 0.1, 0.1), "random": (0.5,) * 5}
        for task, gain in zip(rules.TARGETS, gains, strict=True)
    }
    sweeps = halves(dict(zip(rules.HALVED, early, strict=True)))
    better = {
        f"{task} ({distance})": gain > 0
        for (task, distance), gain in zip(rules.TARGETS.items(), gains, strict=True)
    }
    better |= {
        f"{task} (fine-tuned)": value > 0.5 for task, value in zip(rules.HALVED, early, strict=True)
    }
    told = [", ".join(text for text, it in better.items() if it == side) for side in (True, False)]
    frames = sweeps | {"sweep_probes": probes(after_layer2)}
    found = judged("layer-3", frames, ("on {}", "on {}", *told), verdict)
    assert found.effect == pytest.approx(effect, abs=0.005)


def test_half_a_network_against_none_of_it(in_store, halves):
    in_store(halves({"leaves": 0.7}))
    assert rules.halved("leaves", EARLY).effect == pytest.approx(0.2)
    assert rules.halved("leaves", LATE).effect == pytest.approx(0.1)
    for task, half in (("digits", EARLY), ("leaves", "no stages pretrained")):
        with pytest.raises(store.UnknownName, match="no stored run"):
            rules.halved(task, half)
