"""The rules of lesson 07."""

from tl_course.evidence.intervals import Interval, mean_paired, paired
from tl_course.evidence.results import Runs, stored
from tl_course.evidence.verdicts import Verdict, settled

LESSON = "07_forgetting"
NETWORKS = {"reader": "Spanish to Italian", "resnet10": "photographs to leaves"}
MARGIN = 0.05  # accuracy on the old job that may be lost without calling it forgotten
OLD_JOB, BEFORE = "source_accuracy", "source_before"


def tuned(network: str, strategy: str = "fine-tuning", **setting) -> dict:
    """The cell of one strategy in ``sweep_forgetting``, nothing frozen; the rate is left open."""
    return {"network": network, "strategy": strategy, "frozen": "", **setting}


def low_rate_rule() -> Verdict:
    """rate-1: does fine-tuning need a very low learning rate?

    For each network, two questions: does fine-tuning at the rate that is best from scratch cost
    accuracy on the new job, against fine-tuning's own best rate (so a lower one is needed)? And
    does the lowest rate tried cost nothing (so very low is right)? Holds where both are so for
    both networks, holds when the first is so for one at least, else does not hold. The effect is
    what the rate from scratch costs, over both networks.
    """
    runs = stored("sweep_forgetting")
    pairs, parts, needed, lowest_free = [], [], [], []
    for network, title in NETWORKS.items():
        ours = tuned(network)
        own, scratch = (
            runs.leader("lr", **cell) for cell in (ours, tuned(network, "from scratch"))
        )
        low = min(runs.rows(**ours).lr)
        best, *others = (runs.cell("test_accuracy", lr=lr, **ours) for lr in (own, scratch, low))
        cost, very_low = (paired(best, other) for other in others)
        if cost.sign > 0 and own < scratch:
            needed.append(title)
        lowest_free.append(very_low.sign <= 0)
        pairs.append((best, others[0]))
        parts.append(
            f"{title}: best at {own:g}; {scratch:g}, best from scratch, costs "
            f"{100 * cost.effect:.0f} points, {low:g} costs {100 * very_low.effect:.0f}"
        )
    verdict = "holds-when" if needed else "does-not-hold"
    if len(needed) == len(parts) and all(lowest_free):
        verdict = "holds"
    elif needed:
        parts.insert(0, f"lower than from scratch, not very low, for {' and '.join(needed)}")
    return settled(verdict, "; ".join(parts), mean_paired(pairs))


def high_rate_rule() -> Verdict:
    """rate-2: what the old job loses at a high learning rate, the highest tried.

    Catastrophic means that less than half of the old accuracy is left. Holds where the high rate
    keeps less than the best rate does, and less than half, in both networks; holds when only
    some of this is so; does not hold where it keeps as much. The effect is the loss of the high
    rate against the best rate, over both networks.
    """
    runs = stored("sweep_forgetting")
    pairs, parts, halved = [], [], []
    for network, title in NETWORKS.items():
        ours = tuned(network)
        own, high = runs.leader("lr", **ours), max(runs.rows(**ours).lr)
        before = runs.cell(BEFORE, lr=own, **ours)
        kept = [runs.cell(OLD_JOB, lr=lr, **ours) for lr in (own, high)]
        halved.append(paired(before / 2, kept[1]).sign > 0)
        pairs.append(kept)
        text = f"{title}: {before.mean():.2f} before, {kept[0].mean():.2f} after {own:g}"
        parts.append(f"{text}, {kept[1].mean():.2f} after {high:g}")
    losses = [paired(*kept).sign > 0 for kept in pairs]
    verdict = "does-not-hold"
    if any(losses):
        verdict = "holds" if all(losses + halved) else "holds-when"
    return settled(verdict, "; ".join(parts), mean_paired(pairs))


def old_skill_rule() -> Verdict:
    """analogy-3: does Spanish survive learning Italian?

    It does where the whole interval of what is lost lies below five points. Holds where plain
    fine-tuning at its best rate does that in both networks; holds when only a remedy does it;
    does not hold where nothing tried does. The effect is what plain fine-tuning changes.
    """
    runs = stored("sweep_forgetting")
    changes = [_change(runs, tuned(network)) for network in NETWORKS]
    plain = "; ".join(
        f"{title}: {100 * found.effect:+.0f} points on the old job"
        for title, found in zip(NETWORKS.values(), changes, strict=True)
    )
    if all(found.low > -MARGIN for found in changes):
        return settled("holds", plain, changes[0])
    saved = []
    for strategy in ("rehearsal", "L2-SP", "LoRA"):
        remedies = runs.cells("strength", **tuned("reader", strategy))
        for cell in sorted(remedies, key=lambda cell: cell["strength"]):
            if _change(runs, cell).low > -MARGIN:
                saved.append(f"{strategy} {cell['strength']:g}")
    if not saved:
        return settled("does-not-hold", plain, changes[0])
    condition = f"in the reader with {', '.join(saved)}; without, {plain}"
    return settled("holds-when", condition, changes[0])


def _change(runs: Runs, cell: dict) -> Interval:
    """What the old job changes at the rate that is best for the new one."""
    best = runs.leader("lr", **cell)
    return runs.compare({"of": OLD_JOB}, {"of": BEFORE}, lr=best, **cell)


RULES = {
    "analogy-3": old_skill_rule,
    "rate-1": low_rate_rule,
    "rate-2": high_rate_rule,
}
