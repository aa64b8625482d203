"""The rules of lesson 02, on made-up runs."""

import numpy as np
import pytest

from tl_course import evidence, store
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


@pytest.fixture(scope="module")
def table(probes):
    """Probes that show the table, but for concepts one stage ``off`` or ``innate``."""

    def build(off=(), innate=(), random=0.4):
        found = {}
        for concept, layer in LAYER.items():
            place = STAGES.index(layer) - (concept in off)
            control = 0.9 if concept in innate else random
            learned = (0.4,) * place + (0.9,) * (5 - place)
            found[concept] = {"pretrained": learned, "random": (control,) * 5}
        return probes(found)

    return build


EVERY = "edges at layer1, corners at layer2, textures at layer2, parts at layer3 and objects"


@pytest.mark.parametrize(
    ("off", "innate", "random", "verdict", "says"),
    [
        ((), (), 0.4, "holds", f"helps on {EVERY} at layer4 (+50.0 points)."),
        (
            ["concepts_objects"],
            ["concepts_edges"],
            0.4,
            "holds-when",
            "(+50.0 points); makes no difference on edges at layer1 (against random weights) and "
            "objects at layer4 (against layer3).",
        ),
        ((), (), 0.95, "holds-when", f"hurts on {EVERY} at layer4 (each against random weights)"),
        (LAYER, LAYER, 0, "does-not-hold", f"makes no difference on {EVERY} at layer4."),
        (LAYER, LAYER, 0, "cannot-tell", f"is unclear on {EVERY} at layer4."),
    ],
)
def test_the_table_must_beat_random_weights_and_the_stage_before(
    judged, table, unsure, off, innate, random, verdict, says
):
    frame = table(off, innate, random)
    for task, stage in LAYER.items() if verdict == "cannot-tell" else ():
        unsure(frame, task=task, stage=stage, network="pretrained")
    found = judged("layer-1", frame, verdict)
    assert says in found.sentence and len(found.contrasts) == 10


def test_what_can_be_read_first_is_counted_from_guessing(probes):
    rising = {"pretrained": (0.3, 0.5, 0.88, 0.9, 0.94)}
    runs = evidence.Runs(probes({"materials": rising, "concepts_edges": rising}))
    assert rules.readable_at(runs, "materials") == "layer2"  # 0.86 is 90 % of the way
    assert rules.readable_at(runs, "concepts_edges") == "layer2"  # from 0.25 it is 0.87
    below = {"concepts_edges": {"pretrained": (0.20, 0.22, 0.21, 0.2, 0.2)}}
    assert rules.readable_at(evidence.Runs(probes(below)), "concepts_edges") == "layer1"


def test_the_table_of_probes_shows_means_and_intervals(table):
    runs = evidence.Runs(table(innate=("materials",)))
    means, half = rules.probe_table(runs, "pretrained")
    assert [*means.index] == [*half.index] == [*NAME.values()]
    assert [*means.columns] == [*half.columns] == ["pixels", *STAGES]
    assert means.loc["corners"].tolist() == pytest.approx([0.3, 0.4, 0.4, 0.9, 0.9, 0.9])
    means, half = rules.probe_table(runs, "random")
    assert means.loc["textures", "layer3"] == pytest.approx(0.9)
    values = runs.cell(task="materials", network="random", stage="layer3")
    found = evidence.paired(values, np.zeros(5))
    assert half.loc["textures", "layer3"] == pytest.approx(found.high - found.effect)


UP, DOWN, LEVEL = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1), ((0.3,) * 5,) * 2


@pytest.fixture
def changes(made_up):
    """Made-up results as data_scripts/sweep_changes.py writes them: for each optimizer what the
    stages' weights moved, and how alike their features stayed (CKA).
    """

    def build(adam, sgd):
        tried = {("fine-tuning", "AdamW"): adam, ("fine-tuning", "SGD"): sgd}
        tried["from scratch", "AdamW"] = [each[::-1] for each in adam]  # must not count
        cells = {
            (task, *way, stage): {"change": moved, "cka": alike, "test_balanced": 0.8}
            for task in ("satellite", "leaves")
            for way, found in tried.items()
            for stage, moved, alike in zip(STAGES, *found, strict=True)
        }
        frame = made_up(cells, "task strategy optimizer stage")
        for column in ("change", "cka"):
            frame[column] += 0.002 * ((2 * frame.seed + frame.stage.map(STAGES.index)) % 5 - 2)
        return frame

    return build


BOTH = "leaves and satellite scenes"
ADAM = f"{BOTH} (each weights by AdamW)"


@pytest.mark.parametrize(
    ("adam", "sgd", "verdict", "says"),
    [
        ((UP, DOWN), (UP, UP), "holds", f"more than the first on {BOTH} (+0.40, 5.0 times)."),
        ((DOWN, DOWN), (UP, UP), "holds-when", f"less than the first on {ADAM} (0.2 times);"),
        ((DOWN, UP), (DOWN, DOWN), "does-not-hold", f"less than the first on {BOTH} (-0.40,"),
        (LEVEL, LEVEL, "cannot-tell", f"cannot be told from the first on {BOTH}."),
    ],
)
def test_whether_late_stages_change_most(judged, changes, unsure, adam, sgd, verdict, says):
    frame = changes(adam, sgd)
    for column in ("change", "cka"):
        unsure(frame, 0.1 * (verdict == "cannot-tell"), of=column, stage="layer4")
    found = judged("layer-2", frame, verdict)
    assert says in found.sentence and len(found.contrasts) == 6


EARLY, LATE = "early stages pretrained", "late stages pretrained"


@pytest.fixture
def early(made_up, probes):
    """What pretrained early stages gain: after layer2 alone when probed, and when fine-tuned."""

    def build(probed=(0.3, 0.3, 0.2, 0.1, 0.1), tuned=(0.2, 0.2, 0.2)):
        after_layer2 = {
            task: {"pretrained": (0.1, 0.1, 0.5 + gain, 0.1, 0.1), "random": (0.5,) * 5}
            for task, gain in zip(rules.TARGETS, probed, strict=True)
        }
        half, scratch = {}, {}
        for task, gain in zip(rules.HALVED, tuned, strict=True):
            half |= {(task, 200, EARLY): 0.5 + gain, (task, 200, LATE): 0.6}
            scratch |= {(task, labels, "from scratch"): 0.5 for labels in (200, 1000)}
        pictures = {"sweep_early": made_up(half), "sweep_pictures": made_up(scratch)}
        return pictures | {"sweep_probes": probes(after_layer2)}

    return build


@pytest.mark.parametrize(
    ("probed", "tuned", "verdict", "says"),
    [
        ((0.3, 0.3, 0.2, 0.1, 0.1), (0.2, 0.1, 0.1), "holds", "helps on photographs, satellite"),
        (
            (0.3, 0.3, 0.2, 0, -0.1),
            (0.2, 0.1, 0),
            "holds-when",
            "hurts on X-rays (-10.0 points); helps on photographs, satellite scenes and leaves "
            "(+10.0 to +30.0 points); makes no difference on digits.",
        ),
        ((0, 0, -0.2, 0, 0), (0, -0.1, 0), "does-not-hold", "hurts on leaves (-20.0 to -10.0"),
        ((0,) * 5, (0,) * 3, "cannot-tell", "is unclear on photographs, satellite scenes,"),
    ],
)
def test_whether_early_features_help(judged, early, unsure, probed, tuned, verdict, says):
    frames = early(probed, tuned)
    swing = 0.1 * (verdict == "cannot-tell")
    unsure(frames["sweep_probes"], swing, network="pretrained")
    unsure(frames["sweep_early"], swing, strategy=EARLY)
    found = judged("layer-3", frames, verdict)
    assert f"early stages instead of random ones {says}" in found.sentence
    assert [each.where for each in found.contrasts] == ["probed"] * 5 + ["fine-tuned"] * 3


def test_half_a_network_against_none_of_it(in_store, early):
    in_store(early())
    assert rules.halved("leaves", EARLY).effect == pytest.approx(0.2)
    assert rules.halved("leaves", LATE).effect == pytest.approx(0.1)
    for task, half in (("pneumonia", EARLY), ("leaves", "no stages pretrained")):
        with pytest.raises(store.UnknownName, match="no stored run"):
            rules.halved(task, half)


@pytest.mark.parametrize(
    ("claim", "name", "query"),
    [
        ("layer-1", "sweep_probes", "network == 'random' and stage == 'layer1'"),
        ("layer-2", "sweep_changes", "optimizer == 'SGD'"),
        ("layer-3", "sweep_early", f"strategy == '{EARLY}'"),
    ],
)
def test_all_that_is_compared_must_be_stored(judged, table, changes, early, claim, name, query):
    frames = early() | {"sweep_changes": changes((UP, DOWN), (UP, UP))}
    frames |= {"sweep_probes": table()} if claim == "layer-1" else {}
    gone = frames[name].query(query).index
    for rows, error in ((gone, store.UnknownName), (gone[:1], store.BadInput)):
        with pytest.raises(error):
            judged(claim, frames | {name: frames[name].drop(rows)})
