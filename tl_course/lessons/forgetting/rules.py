"""The rules of lesson 07."""

import numpy as np

from tl_course.evidence.findings import HELPS, HURTS, SAME, Row
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, concluded

LESSON = "07_forgetting"
NETWORKS = {"reader": "Spanish to Italian", "resnet10": "photographs to leaves"}
OLD_JOB, BEFORE = "source_accuracy", "source_before"
SCOPE = "a reader of numbers and resnet10"
REMEDIES = ("rehearsal", "L2-SP", "LoRA")


def tuned(network: str, strategy: str = "fine-tuning", **setting) -> dict:
    """The cell of one strategy in ``sweep_forgetting``, nothing frozen; the rate is left open."""
    return {"network": network, "strategy": strategy, "frozen": "", **setting}


def _row(runs: Runs, first: dict, second: dict, where: str = "", claimed=(HELPS,), **cell) -> Row:
    """``first`` minus ``second`` on one network, which is the target here."""
    name = NETWORKS[cell["network"]]
    return runs.row(first, second, where, claimed, **cell)._replace(target=name)


def low_rate_rule() -> Verdict:
    """rate-1: does fine-tuning need a very low learning rate?

    For each network, in accuracy on the new job: the lowest rate tried against the one that is
    best from scratch, which is what one would take without the advice; and against the one that is
    best on validation, which should not be ahead if very low is right.
    """
    runs = stored("sweep_forgetting")
    rows, best = [], []
    for network in NETWORKS:
        ours = tuned(network)
        own, scratch = (
            runs.leader("lr", **each) for each in (ours, tuned(network, "from scratch"))
        )
        low = {"lr": min(runs.rows(**ours).lr), "of": "test_accuracy"}
        against = {f"against the rate best from scratch, {scratch:g}": (scratch, (HELPS,))}
        if own != scratch:
            against[f"against its own best, {own:g}"] = (own, (HELPS, SAME))
        for where, (rate, claimed) in against.items():
            rows.append(_row(runs, low, low | {"lr": rate}, where, claimed, **ours))
        best.append(f"{own:g} ({NETWORKS[network]})")
    more = f"Best on validation: {' and '.join(best)}."
    subject = f"Fine-tuning at the very low rate of {low['lr']:g}"
    return concluded(subject, rows, networks=SCOPE, more=[more])


def high_rate_rule() -> Verdict:
    """rate-2: what the old job keeps at the highest rate tried, against the rate that is best for
    the new job; and whether it is the rate that is to blame: the lowest tried should keep more than
    half of the old job.
    """
    runs = stored("sweep_forgetting")
    rows, more = [], []
    for network, name in NETWORKS.items():
        ours = tuned(network)
        rates = sorted(runs.rows(**ours).lr.unique())
        own, high = runs.leader("lr", **ours), rates[-1]
        old = {"of": OLD_JOB}
        where = f"at {high:g} instead of {own:g}"
        rows.append(_row(runs, old | {"lr": high}, old | {"lr": own}, where, (HURTS,), **ours))
        before = runs.cell(BEFORE, lr=rates[0], **ours)
        spared = runs.cell(OLD_JOB, lr=rates[0], **ours) - before / 2
        where = f"at {rates[0]:g}, against half of it"
        rows.append(Row(name, where, [*spared]))
        kept = {r: runs.cell(OLD_JOB, lr=r, **ours).mean() / before.mean() for r in rates}
        halved = [f"{rate:g}" for rate, share in kept.items() if share < 0.5]
        which = "every rate" if len(halved) == len(rates) else ", ".join(halved) or "no rate"
        more.append(f"{name}: less than half of the old job is left at {which}.")
    says = (
        "leaves less of the old job on {}",
        "leaves more of the old job on {}",
        "leaves as much of the old job on {}",
        "leaves more or less of the old job, nobody can tell, on {}",
    )
    return concluded("The learning rate", rows, networks=SCOPE, says=says, more=more)


def old_start_rule() -> Verdict:
    """analogy-3: learning Italian goes on from Spanish instead of starting fresh.

    Spanish against nothing before the first Italian number, and with the fewest.
    """
    runs = stored("sweep_analogy")
    cells = sorted(runs.cells("task", "labels"), key=lambda cell: cell["labels"])[:2]
    rows = [runs.row("spanish", "nothing", **cell) for cell in cells]
    subject = "For the first Italian numbers, going on from Spanish instead of starting fresh"
    return concluded(subject, rows, networks="reader")


def lost_rule() -> Verdict:
    """lose-1: the old job is forgotten while the new one is learned.

    What fine-tuning with nothing frozen, at the rate that is best for the new job, changes on the
    old one. What remedies change is said besides.
    """
    runs = stored("sweep_forgetting")
    rows, more = [], []
    for network in NETWORKS:
        rows.append(_change(runs, tuned(network), claimed=(HURTS,)))
    for strategy in REMEDIES:
        runs.rows(**tuned("reader", strategy))  # raises where it was not tried
        cells = runs.cells("strength", **tuned("reader", strategy))
        changes = {c["strength"]: np.mean(_change(runs, c).differences) for c in cells}
        strength = max(changes, key=changes.__getitem__)
        more.append(f"{strategy} {strength:g}: {100 * changes[strength]:+.0f}")
    remedies = (
        "With the strength of each remedy that keeps most, the reader's old job changes by, in "
    )
    remedies += f"points: {', '.join(more)}."
    says = (
        "loses the old job on {}",
        "improves the old job on {}",
        "keeps the old job on {}",
        "keeps or loses the old job, nobody can tell, on {}",
    )
    subject = "Fine-tuning with nothing frozen"
    return concluded(subject, rows, networks=SCOPE, says=says, more=[remedies])


def both_rule() -> Verdict:
    """both-1: after fine-tuning, does resnet10 know both the old job and the new one?

    The old job after against before, and the new one against from scratch, each at its best rate.
    """
    runs = stored("sweep_forgetting")
    ours = tuned("resnet10")
    alone = tuned("resnet10", "from scratch")
    rates = [runs.leader("lr", **cell) for cell in (ours, alone)]
    new = [{"of": "test_accuracy", "strategy": cell["strategy"], "lr": rate}
           for cell, rate in zip((ours, alone), rates, strict=True)]  # fmt: skip
    old = _change(runs, ours, (HELPS, SAME))._replace(target="the old job")
    gained = runs.row(*new, "", network="resnet10", frozen="")._replace(target="the new job")
    says = (
        "leaves the network worse at {}",
        "leaves it better at {}",
        "leaves it as good at {}",
        "changes, nobody can tell how, {}",
    )
    return concluded("Fine-tuning", [old, gained], says=says)


def _change(runs: Runs, cell: dict, claimed=(HELPS, SAME)) -> Row:
    """What the old job changes at the rate that is best for the new one."""
    best = runs.leader("lr", **cell)
    return _row(runs, {"of": OLD_JOB}, {"of": BEFORE}, "", claimed, lr=best, **cell)


RULES = {
    "analogy-3": old_start_rule,
    "rate-1": low_rate_rule,
    "rate-2": high_rate_rule,
    "lose-1": lost_rule,
    "both-1": both_rule,
}
