"""The rules of lesson 02."""

from typing import TYPE_CHECKING

import numpy as np

from tl_course.evidence.intervals import Interval, mean_paired, paired
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, settled, share

if TYPE_CHECKING:
    import pandas

LESSON = "02_layers"
NETWORKS = ({"network": "pretrained"}, {"network": "random"})
# the layer that article D names for each thing, and the share that guessing gets
TABLE = {
    "concepts_edges": ("edges", "layer1", 1 / 4),
    "concepts_corners": ("corners", "layer2", 1 / 3),
    "materials": ("textures", "layer2", 1 / 9),
    "concepts_parts": ("parts", "layer3", 1 / 3),
    "concepts_objects": ("objects", "layer4", 1 / 4),
}
CHANCE = {name: chance for name, _, chance in TABLE.values()}
EXPECTED = [(name, layer) for name, layer, _ in TABLE.values()]
MARGIN = 0.05  # accuracy that learning must add
READABLE = 0.9  # of the way from guessing to what the best stage gives
EARLY, LATE = "stem", "layer4"
LAST_EARLY = "layer2"  # the last stage of the first half
TARGETS = {"pacs_photo": "near", "satellite": "near", "leaves": "middle"}
TARGETS |= {"digits": "far", "pneumonia": "far"}
HALVED = ("satellite", "leaves", "digits")  # where half a network was fine-tuned


def probe_table(runs: Runs, network: str) -> "tuple[pandas.DataFrame, pandas.DataFrame]":
    """Mean accuracy of the probes on pixels and on every stage of ``network``, and half the width
    of its 95 % interval: a row a thing in ``TABLE``. ``runs`` are those of ``sweep_probes``.
    """
    import pandas
    from scipy.stats import t

    tables = {}
    for concept, (name, *_) in TABLE.items():
        pixels, stages = (runs.wide("stage", task=concept, network=n) for n in ("pixels", network))
        tables[name] = pixels.join(stages)
    means = pandas.DataFrame({name: table.mean() for name, table in tables.items()}).T
    half = {name: t.ppf(0.975, len(table) - 1) * table.sem() for name, table in tables.items()}
    return means, pandas.DataFrame(half).T


def readable_at(runs: Runs, concept: str) -> str:
    """The first stage of the pretrained network whose probe, on the mean over seeds, comes 90 %
    of the way from guessing to the best stage's. ``runs`` are those of ``sweep_probes``.
    """
    means = runs.wide("stage", task=concept, network="pretrained").mean()
    _, _, chance = TABLE[concept]
    enough = min(chance + READABLE * (means.max() - chance), means.max())  # none above guessing
    return str(means.index[means >= enough][0])


def table_rule() -> Verdict:
    """layer-1: is each thing readable first where the table says, and because it was learned?

    A row of the table is confirmed where ``readable_at`` gives its layer and the pretrained probe
    there beats that on a random network by five points, with its whole interval. Holds where all
    are, does not where none is. The effect is pretrained minus random at the table's layers, the
    mean over rows.
    """
    runs = stored("sweep_probes")
    shown, cells = [], []
    for concept, (name, layer, _) in TABLE.items():
        cells.append({"task": concept, "stage": layer})
        stage = readable_at(runs, concept)
        learned = runs.compare(*NETWORKS, **cells[-1]).low > MARGIN
        text = f"{name} at {layer}"
        if stage != layer:
            text = f"{name} ({stage} instead of {layer})"
        elif not learned:
            ours, control = (runs.cell(**network, **cells[-1]).mean() for network in NETWORKS)
            means = f"{control:.2f} against {ours:.2f}"
            text = f"{name} ({layer}, but random weights show them as well: {means})"
        shown.append((text, stage == layer and learned))
    return settled(*share(shown, "{}", "for {}"), runs.mean(*NETWORKS, cells))


def early_change_rule() -> Verdict:
    """layer-2: does the last stage change more than the first, on three targets?

    Looked at in three ways: the features after AdamW (1 - CKA), the weights after AdamW and after
    SGD (as a share of their length; logarithms are compared, because learning rates differ between
    seeds and scale both stages). Each way and target is confirmed where the last stage changed more
    than the first by its interval. The effect is that of the features, the mean over targets.
    """
    runs = stored("sweep_changes")
    ways = {
        "features (1 - CKA)": ("cka", "AdamW"),
        "weights, AdamW": ("change", "AdamW"),
        "weights, SGD": ("change", "SGD"),
    }
    shown, features = [], []
    for way, (column, optimizer) in ways.items():
        for task in sorted(runs.tasks):
            cell = {"task": task, "strategy": "fine-tuning", "optimizer": optimizer}
            both = [runs.cell(column, stage=stage, **cell) for stage in (LATE, EARLY)]
            both = [1 - each if column == "cka" else np.log(each) for each in both]
            shown.append(({"way": way, "task": task}, paired(*both).sign > 0))
            if column == "cka":
                features.append(both)
    return settled(*share(shown, "in {}", "in {}"), mean_paired(features))


def early_help_rule() -> Verdict:
    """layer-3: do early features help, near and far from photographs?

    Two questions. Is a probe on the last early stage better than on the same stage of a random
    network, for each of five tasks? Is fine-tuning from the pretrained early half, the rest random,
    better than from scratch, for each of three? Holds where every interval lies above zero, does
    not where none does. The effect is that of the probes, the mean over tasks.
    """
    runs = stored("sweep_probes")
    cells = {
        f"{task} ({distance})": {"task": task, "stage": LAST_EARLY}
        for task, distance in TARGETS.items()
    }
    shown = [(text, runs.compare(*NETWORKS, **cell).sign > 0) for text, cell in cells.items()]
    for task in HALVED:
        better = halved(task, "early stages pretrained").sign > 0
        shown.append((f"{task} (fine-tuned)", better))
    return settled(*share(shown, "on {}", "on {}"), runs.mean(*NETWORKS, cells.values()))


def halved(task: str, half: str) -> Interval:
    """Fine-tuning from ``half`` a pretrained network minus from scratch, with 200 labels."""
    runs = stored("sweep_early", "sweep_pictures")
    return runs.compare(half, "from scratch", task=task, labels=200)


RULES = {
    "layer-1": table_rule,
    "layer-2": early_change_rule,
    "layer-3": early_help_rule,
}
