"""The rules of lesson 07."""

from functools import partial
from typing import TYPE_CHECKING

from tl_course import store
from tl_course.evidence import results
from tl_course.evidence.intervals import Interval, paired
from tl_course.evidence.judging import settled
from tl_course.evidence.verdicts import Verdict

LESSON = "07_forgetting"

if TYPE_CHECKING:
    import pandas


def tuned(frame: "pandas.DataFrame", network: str, strategy: str, **setting) -> "pandas.DataFrame":
    """Runs of one strategy in ``sweep_forgetting``, with nothing frozen unless ``setting`` says.

    One row a seed and learning rate. Raises ``UnknownName`` where there are none.
    """
    setting = {"network": network, "strategy": strategy, "frozen": "", **setting}
    frame = frame.assign(frozen=frame.frozen.astype(object).fillna(""))
    for column, value in setting.items():
        frame = frame[frame[column] == value]
    if not len(frame):
        raise store.UnknownName(
            f"{strategy!r} of {network!r} in sweep_forgetting", "there is no stored run", ""
        )
    return frame


def best_rate(rows: "pandas.DataFrame") -> float:
    """The learning rate with the best mean validation accuracy on the new job."""
    return float(rows.groupby("lr").val_accuracy.mean().idxmax())


def at_rate(rows: "pandas.DataFrame", lr: float, column: str) -> "pandas.Series":
    """``column`` of the runs with that learning rate, by seed."""
    return rows[rows.lr == lr].set_index("seed")[column].sort_index()


NETWORKS = {"reader": "Spanish to Italian", "resnet10": "photographs to leaves"}


def low_rate_rule() -> Verdict:
    """rate-1: does fine-tuning need a very low learning rate?

    For each network, two questions: does fine-tuning at the rate that is best from scratch cost
    accuracy on the new job, against fine-tuning's own best rate (so a lower one is needed)? And
    does the lowest rate tried cost nothing (so very low is right)? Holds where both are so for
    both networks, holds when the first is so for one at least, else does not hold. The effect is
    what the rate from scratch costs, over both networks.
    """
    frame = results.load("sweep_forgetting")
    own_values, scratch_values, parts, needed, lowest_free = [], [], [], [], []
    for network, title in NETWORKS.items():
        rows = tuned(frame, network, "fine-tuning")
        own, scratch = best_rate(rows), best_rate(tuned(frame, network, "from scratch"))
        values = partial(at_rate, rows, column="test_accuracy")
        low = min(rows.lr)
        cost, very_low = paired(values(own), values(scratch)), paired(values(own), values(low))
        if cost.sign > 0 and own < scratch:
            needed.append(title)
        lowest_free.append(very_low.sign <= 0)
        own_values.append(values(own))
        scratch_values.append(values(scratch))
        parts.append(
            f"{title}: best at {own:g}; {scratch:g}, best from scratch, costs "
            f"{100 * cost.effect:.0f} points, {low:g} costs {100 * very_low.effect:.0f}"
        )
    found = paired(sum(own_values) / len(parts), sum(scratch_values) / len(parts))
    verdict = "holds-when" if needed else "does-not-hold"
    if len(needed) == len(parts) and all(lowest_free):
        verdict = "holds"
    elif needed:
        parts.insert(0, f"lower than from scratch, not very low, for {' and '.join(needed)}")
    return settled(verdict, "; ".join(parts), found)


def high_rate_rule() -> Verdict:
    """rate-2: what the old job loses at a high learning rate, the highest tried.

    Catastrophic means that less than half of the old accuracy is left. Holds where the high rate
    keeps less than the best rate does, and less than half, in both networks; holds when only
    some of this is so; does not hold where it keeps as much. The effect is the loss of the high
    rate against the best rate, over both networks.
    """
    frame = results.load("sweep_forgetting")
    losses, parts = [], []
    shown, kept_by = [], {"own": [], "high": []}
    for network, title in NETWORKS.items():
        rows = tuned(frame, network, "fine-tuning")
        own, high = best_rate(rows), max(rows.lr)
        before = at_rate(rows, own, "source_before")
        kept = {
            "own": at_rate(rows, own, "source_accuracy"),
            "high": at_rate(rows, high, "source_accuracy"),
        }
        loss = paired(kept["own"], kept["high"])
        losses.append(loss.sign > 0)
        shown.append(paired(before / 2, kept["high"]).sign > 0)
        for key, values in kept.items():
            kept_by[key].append(values)
        text = f"{title}: {before.mean():.2f} before, {kept['own'].mean():.2f} after {own:g}"
        parts.append(f"{text}, {kept['high'].mean():.2f} after {high:g}")
    found = paired(*(sum(values) / len(parts) for values in kept_by.values()))
    verdict = "does-not-hold"
    if any(losses):
        verdict = "holds" if all(losses) and all(shown) else "holds-when"
    return settled(verdict, "; ".join(parts), found)


MARGIN = 0.05  # accuracy on the old job that may be lost without calling it forgotten


def old_skill_rule() -> Verdict:
    """analogy-3: does Spanish survive learning Italian?

    It does where the whole interval of what is lost lies below five points. Holds where plain
    fine-tuning at its best rate does that in both networks; holds when only a remedy does it;
    does not hold where nothing tried does. The effect is what plain fine-tuning changes.
    """
    frame = results.load("sweep_forgetting")
    changes, survives = [], []
    for network in NETWORKS:
        rows = tuned(frame, network, "fine-tuning")
        found = _change(rows, best_rate(rows))
        changes.append(found)
        survives.append(found.low > -MARGIN)
    texts = [
        f"{title}: {100 * found.effect:+.0f} points on the old job"
        for title, found in zip(NETWORKS.values(), changes, strict=True)
    ]
    plain = "; ".join(texts)
    if all(survives):
        return settled("holds", plain, changes[0])
    saved = []
    for strategy in ("rehearsal", "L2-SP", "LoRA"):
        strengths = sorted(set(frame.loc[frame.strategy == strategy, "strength"]))
        for strength in strengths:
            rows = tuned(frame, "reader", strategy, strength=strength)
            if _change(rows, best_rate(rows)).low > -MARGIN:
                saved.append(f"{strategy} {strength:g}")
    if not saved:
        return settled("does-not-hold", plain, changes[0])
    condition = f"in the reader with {', '.join(saved)}; without, {plain}"
    return settled("holds-when", condition, changes[0])


def _change(rows: "pandas.DataFrame", lr: float) -> Interval:
    after, before = (at_rate(rows, lr, name) for name in ("source_accuracy", "source_before"))
    return paired(after, before)


RULES = {
    "analogy-3": old_skill_rule,
    "rate-1": low_rate_rule,
    "rate-2": high_rate_rule,
}
