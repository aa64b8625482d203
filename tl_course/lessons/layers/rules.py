"""The rules of lesson 02."""

import math
from typing import TYPE_CHECKING

from tl_course.evidence import results
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.judging import settled, share
from tl_course.evidence.verdicts import Verdict, compare

if TYPE_CHECKING:
    import pandas

LESSON = "02_layers"
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
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


def probed(frame: "pandas.DataFrame", task: str, network: str) -> "pandas.DataFrame":
    """Balanced test accuracy of the probes on one task: a row a seed, a column a stage."""
    rows = frame[(frame.task == task) & (frame.network == network)]
    wide = rows.pivot(index="seed", columns="stage", values="test_balanced")
    return wide[[stage for stage in STAGES if stage in wide] or ["pixels"]]


def probe_table(
    frame: "pandas.DataFrame", network: str
) -> "tuple[pandas.DataFrame, pandas.DataFrame]":
    """Mean accuracy of the probes on pixels and on every stage of ``network``, and half the width
    of its 95 % interval: a row a thing in ``TABLE``.
    """
    import pandas
    from scipy.stats import t

    tables = {
        name: probed(frame, concept, "pixels").join(probed(frame, concept, network))
        for concept, (name, *_) in TABLE.items()
    }
    means = pandas.DataFrame({name: table.mean() for name, table in tables.items()}).T
    half = {name: t.ppf(0.975, len(table) - 1) * table.sem() for name, table in tables.items()}
    return means, pandas.DataFrame(half).T


def readable_at(frame: "pandas.DataFrame", concept: str) -> str:
    """The first stage of the pretrained network whose probe, on the mean over seeds, comes 90 %
    of the way from guessing to the best stage's.
    """
    means = probed(frame, concept, "pretrained").mean()
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
    frame = results.load("sweep_probes")
    right, wrong, ours, control = [], [], [], []
    for concept, (name, layer, _) in TABLE.items():
        known, random = (probed(frame, concept, n)[layer] for n in ("pretrained", "random"))
        stage = readable_at(frame, concept)
        learned = paired(known, random).low > MARGIN
        ours.append(known)
        control.append(random)
        if stage == layer and learned:
            right.append(f"{name} at {layer}")
        elif stage == layer:
            shown = f"{random.mean():.2f} against {known.mean():.2f}"
            wrong.append(f"{name} ({layer}, but random weights show them as well: {shown})")
        else:
            wrong.append(f"{name} ({stage} instead of {layer})")
    found = paired(sum(ours) / len(ours), sum(control) / len(control))
    verdict, condition = share(right, wrong, "{}", "for {}")
    return settled(verdict, condition, found)


def moved(
    frame: "pandas.DataFrame", task: str, column: str, optimizer: str = "AdamW"
) -> "pandas.DataFrame":
    """What fine-tuning did to each stage: a row a seed, a column a stage."""
    rows = frame[(frame.task == task) & (frame.optimizer == optimizer)]
    rows = rows[rows.strategy == "fine-tuning"]
    return rows.pivot(index="seed", columns="stage", values=column)[[*STAGES]]


def early_change_rule() -> Verdict:
    """layer-2: does the last stage change more than the first, on three targets?

    Looked at in three ways: the features after AdamW (1 - CKA), the weights after AdamW and after
    SGD (as a share of their length; logarithms are compared, because learning rates differ between
    seeds and scale both stages). Each way and target is confirmed where the last stage changed more
    than the first by its interval. The effect is that of the features, the mean over targets.
    """
    frame = results.load("sweep_changes")
    frame = frame.assign(features=1 - frame.cka)
    ways = {
        "features (1 - CKA)": ("features", "AdamW"),
        "weights, AdamW": ("change", "AdamW"),
        "weights, SGD": ("change", "SGD"),
    }
    yes, no, late, early = [], [], [], []
    for way, (column, optimizer) in ways.items():
        for task in sorted(set(frame.task)):
            stages = moved(frame, task, column, optimizer)
            values = stages if column == "features" else stages.map(math.log)
            confirmed = paired(values[LATE], values[EARLY]).sign > 0
            (yes if confirmed else no).append((way, task))
            if column == "features":
                late.append(stages[LATE])
                early.append(stages[EARLY])
    found = paired(sum(late) / len(late), sum(early) / len(early))
    verdict, condition = share(_listed(yes), _listed(no), "in {}", "in {}")
    return settled(verdict, condition, found)


def _listed(pairs: list[tuple[str, str]]) -> list[str]:
    """Pairs of a way and a task as one text a way."""
    tasks: dict[str, list[str]] = {}
    for way, task in pairs:
        tasks.setdefault(way, []).append(task)
    return [f"{way} ({', '.join(names)})" for way, names in tasks.items()]


def early_help_rule() -> Verdict:
    """layer-3: do early features help, near and far from photographs?

    Two questions. Is a probe on the last early stage better than on the same stage of a random
    network, for each of five tasks? Is fine-tuning from the pretrained early half, the rest random,
    better than from scratch, for each of three? Holds where every interval lies above zero, does
    not where none does. The effect is that of the probes, the mean over tasks.
    """
    frame = results.load("sweep_probes")
    yes, no, ours, control = [], [], [], []
    for task, distance in TARGETS.items():
        known, random = (probed(frame, task, n)[LAST_EARLY] for n in ("pretrained", "random"))
        better = paired(known, random).sign > 0
        (yes if better else no).append(f"{task} ({distance})")
        ours.append(known)
        control.append(random)
    found = paired(sum(ours) / len(ours), sum(control) / len(control))
    for task in HALVED:
        better = halved(task, "early stages pretrained").sign > 0
        (yes if better else no).append(f"{task} (fine-tuned)")
    verdict, condition = share(yes, no, "on {}", "on {}")
    return settled(verdict, condition, found)


def halved(task: str, half: str) -> Interval:
    """Fine-tuning from ``half`` a pretrained network minus from scratch, with 200 labels."""
    import pandas

    frame = pandas.concat([results.load("sweep_early"), results.load("sweep_pictures")])
    return compare(frame, task, 200, half, "from scratch")


RULES = {
    "layer-1": table_rule,
    "layer-2": early_change_rule,
    "layer-3": early_help_rule,
}
