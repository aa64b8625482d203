"""The rules of lesson 02."""

from typing import TYPE_CHECKING

import numpy as np

from tl_course.evidence.findings import Row
from tl_course.evidence.intervals import Interval
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, concluded

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
READABLE = 0.9  # of the way from guessing to what the best stage gives
EARLY, LATE = "stem", "layer4"
LAST_EARLY = "layer2"  # the last stage of the first half
TARGETS = ("pacs_photo", "satellite", "leaves", "digits", "pneumonia")
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
    """layer-1: is each thing readable at the layer that the table names, because it was learned?

    Probes at the table's layer against those on the same layer of a random network; and against
    those one stage earlier, where it should not be readable as well yet.
    """
    runs = stored("sweep_probes")
    stages = [cell["stage"] for cell in runs.cells("stage", network="pretrained")]
    rows = []
    for concept, (name, layer, _) in TABLE.items():
        before = stages[stages.index(layer) - 1]
        here = {"task": concept, "stage": layer}
        rows += [
            runs.row(*NETWORKS, "against random weights", **here),
            runs.row(here, here | {"stage": before}, f"against {before}", **NETWORKS[0]),
        ]
        rows[-2:] = [row._replace(target=f"{name} at {layer}") for row in rows[-2:]]
    return concluded("Reading from the layer that the table names", rows)


def early_change_rule() -> Verdict:
    """layer-2: does the last stage change more than the first, on three targets?

    Looked at in three ways: the features after AdamW (1 - CKA), the weights after AdamW and after
    SGD (as a share of their length; logarithms are compared, because learning rates differ between
    seeds and scale both stages).
    """
    runs = stored("sweep_changes")
    ways = {
        "features": ("cka", "AdamW"),
        "weights by AdamW": ("change", "AdamW"),
        "weights by SGD": ("change", "SGD"),
    }
    rows = []
    for way, (column, optimizer) in ways.items():
        for task in sorted(runs.tasks):
            cell = {"task": task, "strategy": "fine-tuning", "optimizer": optimizer}
            late, early = (runs.cell(column, stage=stage, **cell) for stage in (LATE, EARLY))
            if column == "cka":  # what is less alike has changed more
                rows.append(Row(task, way, [*(early - late)], unit=""))
            else:
                rows.append(Row(task, way, [*np.log(late / early)], unit="times"))
    says = (
        "changes less than the first on {}",
        "changes more than the first on {}",
        "changes as much as the first on {}",
        "cannot be told from the first on {}",
    )
    return concluded("In fine-tuning, the last stage", rows, says=says)


def early_help_rule() -> Verdict:
    """layer-3: do early features help, near and far from photographs?

    Two questions. Is a probe on the last early stage better than on the same stage of a random
    network, for each of five tasks? Is fine-tuning from the pretrained early half, the rest random,
    better than from scratch, for each of three?
    """
    runs, halves = stored("sweep_probes"), stored("sweep_early", "sweep_pictures")
    rows = [runs.row(*NETWORKS, "probed", task=task, stage=LAST_EARLY) for task in TARGETS]
    pair = ("early stages pretrained", "from scratch")
    rows += [halves.row(*pair, "fine-tuned", task=task, labels=200) for task in HALVED]
    return concluded("Starting from pretrained early stages instead of random ones", rows)


def halved(task: str, half: str) -> Interval:
    """Fine-tuning from ``half`` a pretrained network minus from scratch, with 200 labels."""
    runs = stored("sweep_early", "sweep_pictures")
    return runs.compare(half, "from scratch", task=task, labels=200)


RULES = {
    "layer-1": table_rule,
    "layer-2": early_change_rule,
    "layer-3": early_help_rule,
}
