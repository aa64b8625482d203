"""Verdicts: computed from stored results by a rule, never typed."""

from collections.abc import Callable

from tl_course import store
from tl_course.evidence.claims import CLAIMS
from tl_course.evidence.rules import (
    analogy,
    feeding,
    forgetting,
    freezing,
    head,
    labels,
    layers,
    overfitting,
    small_sets,
    suspects,
)
from tl_course.evidence.verdicts import Verdict

RULES: dict[str, Callable[[], Verdict]] = {
    "analogy-1": analogy.faster_rule,
    "analogy-2": analogy.ablation_rule,
    "analogy-3": forgetting.old_skill_rule,
    "layer-1": layers.table_rule,
    "layer-2": layers.early_change_rule,
    "layer-3": layers.early_help_rule,
    "head-1": head.new_head_rule,
    "head-2": head.head_alone_rule,
    "zoo-1": head.families_rule,
    "freeze-1": freezing.quick_features_rule,
    "freeze-2": freezing.partial_rule,
    "freeze-3": freezing.full_rule,
    "freeze-4": freezing.sweet_spot_rule,
    "freeze-5": freezing.policy_rule,
    "freeze-6": overfitting.protection_rule,
    "why-1": small_sets.small_set_rule,
    "why-2": labels.fraction_rule,
    "why-3": labels.fewer_epochs_rule,
    "why-4": labels.cheap_rule,
    "why-5": labels.shrinking_rule,
    "data-1": labels.hundred_rule,
    "sim-1": labels.situations_rule,
    "fit-1": overfitting.picture_rule,
    "fit-2": overfitting.cure_rule,
    "neg-1": suspects.hurt_rule,
    "neg-2": suspects.fading_rule,
    "neg-3": suspects.xray_rule,
    "neg-4": suspects.audio_and_text_rule,
    "prep-1": feeding.prepared_rule,
    "rate-1": forgetting.low_rate_rule,
    "rate-2": forgetting.high_rate_rule,
}


def settle(claim_id: str) -> Verdict:
    """The verdict on one claim, computed now; open where no rule has been written yet.

    Raises ``UnknownName`` for an id that is not among ``CLAIMS``.
    """
    store.choose("claim", claim_id, [claim.id for claim in CLAIMS])
    return RULES[claim_id]() if claim_id in RULES else Verdict(claim_id)


def table() -> list[Verdict]:
    """Every claim's verdict, in the order of ``CLAIMS``."""
    return [settle(claim.id) for claim in CLAIMS]
