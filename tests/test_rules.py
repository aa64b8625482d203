"""The rules behind the verdicts, on made-up results: each must be able to give every verdict."""

import io

import numpy as np
import pandas
import pytest

from tl_course import evidence, lessons, store
from tl_course.evidence import results
from tl_course.lessons.forgetting import rules as forgetting_rules
from tl_course.lessons.layers import rules as layers

LABELS = (10, 30, 1000)
FOUR_TIMES = "nothing, four times as long"
RATES = (1e-4, 1e-3, 1e-2)


@pytest.fixture
def settled(monkeypatch):
    def settle(claim, frame):
        """``frame``: what every sweep found, or a frame for each sweep that is asked for."""
        several = isinstance(frame, dict)
        monkeypatch.setattr(results, "load", frame.__getitem__ if several else lambda name: frame)
        found = lessons.settle(claim)
        assert found.id == claim and found.seeds == 5 and found.low <= found.effect <= found.high
        return found

    return settle


def languages(spanish, nothing, longer):
    """Accuracy with each number of ``LABELS``; before any label all guess."""
    return {
        name: {0: 0.01} | dict(zip(LABELS, values, strict=True))
        for name, values in (("spanish", spanish), ("nothing", nothing), (FOUR_TIMES, longer))
    }


@pytest.mark.parametrize(
    ("longer", "verdict", "condition"),
    [
        ((0.1, 0.3, 0.8), "holds", "with 10, 30, 1,000 Italian numbers"),
        ((0.1, 0.3, 0.9), "holds-when", "with 10, 30 Italian numbers; not shown with 1,000"),
        ((0.1, 0.9, 0.97), "holds-when", "with 10 Italian numbers; not shown with 30, 1,000"),
        ((0.3, 0.7, 0.9), "does-not-hold", "not with 10, 30, 1,000 Italian numbers"),
    ],
)
def test_spanish_must_also_beat_who_trains_four_times_as_long(
    settled, analogy_runs, longer, verdict, condition
):
    frame = analogy_runs(languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), longer))
    found = settled("analogy-1", frame)
    assert (found.verdict, found.condition) == (verdict, condition)
    assert found.effect == pytest.approx(0.5, abs=0.01)  # against nothing, with 30 numbers
    assert found.lesson == "01_analogy"


def test_the_long_start_from_nothing_counts_where_it_was_tried(settled, analogy_runs):
    accuracies = languages((0.3, 0.7, 0.9), (0.1, 0.2, 0.7), (0.9, 0.3, 0.95))
    tried = {labels: accuracies[FOUR_TIMES][labels] for labels in (0, 30)}
    found = settled("analogy-1", analogy_runs(accuracies | {FOUR_TIMES: tried}))
    assert found.verdict == "holds"
    tried[30] = 0.8
    found = settled("analogy-1", analogy_runs(accuracies | {FOUR_TIMES: tried}))
    assert found.condition == "with 10, 1,000 Italian numbers; not shown with 30"


def test_spanish_that_is_behind_is_not_faster(settled, analogy_runs):
    frame = analogy_runs(languages((0.1, 0.2, 0.3), (0.3, 0.4, 0.5), (0.3, 0.4, 0.5)))
    found = settled("analogy-1", frame)
    assert found.verdict == "does-not-hold" and found.effect == pytest.approx(-0.2, abs=0.01)


RELATIVES = ("false_friends", "reversed", "enciphered", "invented")


@pytest.mark.parametrize(
    ("relatives", "verdict", "condition"),
    [
        (
            (0.1, 0.2, 0.3, 0.4),
            "holds",
            "worth, in points: cognates +40, grammar +30, alphabet +20, roots +10",
        ),
        (
            (0.1, 0.5, 0.3, 0.6),
            "holds-when",
            "worth, in points: cognates +40, alphabet +20; not shown grammar +0, roots -10",
        ),
        (
            (0.5, 0.6, 0.7, 0.5),
            "does-not-hold",
            "not worth, in points: cognates +0, grammar -10, alphabet -20, roots +0",
        ),
    ],
)
def test_what_was_taken_away_must_be_worth_something(
    settled, analogy_runs, relatives, verdict, condition
):
    starts = {"spanish": 0.5} | {
        f"spanish_{name}": value for name, value in zip(RELATIVES, relatives, strict=True)
    }
    # with 10 numbers it would look otherwise; 30 count
    frame = analogy_runs({name: {10: 1 - value, 30: value} for name, value in starts.items()})
    found = settled("analogy-2", frame)
    assert found.verdict == verdict
    assert found.condition.replace("-0", "+0") == condition
    assert found.effect == pytest.approx(0.5 - np.mean(relatives), abs=0.01)


FINE, SCRATCH = "fine-tuning", "from scratch"


def both_networks(reader, pictures=None):
    """Settings of both networks: for fine-tuning and from scratch, what each of RATES gives."""
    frame = {}
    for network, found in (("reader", reader), ("resnet10", pictures or reader)):
        for strategy, values in zip((FINE, SCRATCH), found, strict=True):
            frame[network, strategy, "", 0] = dict(zip(RATES, values, strict=True))
    return frame


def new_job(*accuracies):
    return [(accuracy, 0.5) for accuracy in accuracies]


HIGH_FROM_SCRATCH = new_job(0.1, 0.2, 0.6)
VERY_LOW = (new_job(0.9, 0.8, 0.5), HIGH_FROM_SCRATCH)
LOWER = (new_job(0.4, 0.9, 0.5), HIGH_FROM_SCRATCH)
THE_SAME = (new_job(0.4, 0.8, 0.9), HIGH_FROM_SCRATCH)


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (VERY_LOW, VERY_LOW, "holds"),
        (LOWER, LOWER, "holds-when"),
        (VERY_LOW, LOWER, "holds-when"),
        (THE_SAME, VERY_LOW, "holds-when"),
        (THE_SAME, THE_SAME, "does-not-hold"),
    ],
)
def test_whether_fine_tuning_needs_a_very_low_rate(
    settled, forgetting_runs, reader, pictures, verdict
):
    assert settled("rate-1", forgetting_runs(both_networks(reader, pictures))).verdict == verdict


def test_what_the_rate_from_scratch_costs(settled, forgetting_runs):
    found = settled("rate-1", forgetting_runs(both_networks(LOWER, VERY_LOW)))
    assert found.effect == pytest.approx((0.4 + 0.4) / 2, abs=0.01)
    assert found.condition.endswith(
        "Spanish to Italian: best at 0.001; 0.01, best from scratch, costs 40 points, 0.0001 costs "
        "50; photographs to leaves: best at 0.0001; 0.01, best from scratch, costs 40 points, "
        "0.0001 costs 0"
    )


def old_job(*accuracies):
    """What is kept at each of RATES; the middle one is best for the new job."""
    return list(zip((0.4, 0.9, 0.5), accuracies, strict=True)), HIGH_FROM_SCRATCH


FORGOTTEN, HALF_FORGOTTEN, KEPT = old_job(1, 0.9, 0.1), old_job(1, 0.9, 0.6), old_job(1, 0.9, 0.9)


@pytest.mark.parametrize(
    ("reader", "pictures", "verdict"),
    [
        (FORGOTTEN, FORGOTTEN, "holds"),
        (FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (HALF_FORGOTTEN, HALF_FORGOTTEN, "holds-when"),
        (FORGOTTEN, KEPT, "holds-when"),
        (KEPT, KEPT, "does-not-hold"),
        (old_job(1, 0.1, 0.1), old_job(1, 0.1, 0.1), "does-not-hold"),  # no worse than the best
    ],
)
def test_whether_a_high_rate_forgets(settled, forgetting_runs, reader, pictures, verdict):
    assert settled("rate-2", forgetting_runs(both_networks(reader, pictures))).verdict == verdict


def test_what_a_high_rate_loses(settled, forgetting_runs):
    found = settled("rate-2", forgetting_runs(both_networks(FORGOTTEN, HALF_FORGOTTEN)))
    assert found.effect == pytest.approx((0.8 + 0.3) / 2, abs=0.01)
    assert found.condition.startswith("Spanish to Italian: 0.99 before, 0.90 after 0.001, 0.10")


REMEDIES = (("rehearsal", 10), ("rehearsal", 30), ("L2-SP", 0.1), ("LoRA", 4))


def with_remedies(settings, saving=()):
    return settings | {
        ("reader", name, "", strength): {1e-3: (0.9, 0.98 if (name, strength) in saving else 0.5)}
        for name, strength in REMEDIES
    }


def test_a_skill_that_survives_by_itself(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.97, 0.1))))
    found = settled("analogy-3", frame)
    assert found.verdict == "holds" and found.effect == pytest.approx(-0.02, abs=0.01)


def test_a_skill_that_a_remedy_saves(settled, forgetting_runs):
    saving = {("rehearsal", 30), ("LoRA", 4)}
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.7, 0.1)), saving))
    found = settled("analogy-3", frame)
    assert found.verdict == "holds-when"
    assert found.condition == (
        "in the reader with rehearsal 30, LoRA 4; without, Spanish to Italian: -29 points on the "
        "old job; photographs to leaves: -29 points on the old job"
    )


def test_a_skill_that_nothing_saves(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.7, 0.1))))
    found = settled("analogy-3", frame)
    assert found.verdict == "does-not-hold" and "Spanish to Italian: -29 points" in found.condition


def test_a_skill_must_survive_in_both_networks(settled, forgetting_runs):
    settings = both_networks(old_job(1, 0.98, 0.1), old_job(1, 0.5, 0.1))
    assert settled("analogy-3", forgetting_runs(with_remedies(settings))).verdict != "holds"


def test_a_loss_that_might_be_five_points_is_no_survival(settled, forgetting_runs):
    frame = forgetting_runs(with_remedies(both_networks(old_job(1, 0.96, 0.1))))
    frame.source_accuracy += np.where(frame.seed == 0, -0.1, 0.025)  # the same mean, but unsure
    found = settled("analogy-3", frame)
    assert found.effect > -0.05 > found.low and found.verdict == "does-not-hold"


def test_every_verdict_has_a_condition(settled, forgetting_runs):
    kept = forgetting_runs(with_remedies(both_networks(old_job(1, 0.98, 0.1))))
    for claim in ("rate-1", "rate-2", "analogy-3"):
        assert settled(claim, kept).condition, claim


def test_tuned_takes_runs_with_nothing_frozen(forgetting_runs):
    rates = {1e-3: (0.9, 0.5), 1e-2: (0.7, 0.1)}
    frame = forgetting_runs(
        {
            ("reader", FINE, "", 0): rates,
            ("reader", FINE, "letters", 0): rates,
            ("resnet10", FINE, "", 0): rates,
            ("reader", "LoRA", "", 4): rates,
            ("reader", "LoRA", "", 16): rates,
        }
    )
    for empty in (np.nan, ""):
        stored = frame.assign(frozen=frame.frozen.fillna(empty))
        rows = forgetting_rules.tuned(stored, "reader", FINE)
        assert len(rows) == 10 and rows.frozen.isin(["", np.nan]).all()
        assert set(zip(rows.network, rows.strategy, strict=True)) == {("reader", FINE)}
    assert set(forgetting_rules.tuned(frame, "reader", FINE, frozen="letters").frozen) == {
        "letters"
    }
    assert set(forgetting_rules.tuned(frame, "reader", "LoRA", strength=16).strength) == {16}
    for missing in ({"strategy": "rehearsal"}, {"network": "resnet18"}, {"frozen": "head"}):
        with pytest.raises(store.UnknownName, match="there is no stored run"):
            forgetting_rules.tuned(frame, **{"network": "reader", "strategy": FINE, **missing})


def test_the_best_rate_is_best_on_validation_not_on_the_test(forgetting_runs):
    rates = dict(zip(RATES, new_job(0.4, 0.9, 0.5), strict=True))
    frame = forgetting_runs({("reader", FINE, "", 0): rates})
    frame["test_accuracy"] = frame.lr
    assert forgetting_rules.best_rate(frame) == 1e-3


def test_at_rate_is_in_the_order_of_the_seeds(forgetting_runs):
    frame = forgetting_runs({("reader", FINE, "", 0): {1e-3: (0.9, 0.5), 1e-2: (0.7, 0.1)}})
    frame["source_accuracy"] = frame.seed / 10
    shuffled = frame.sample(frac=1, random_state=0)
    found = forgetting_rules.at_rate(shuffled, 1e-2, "source_accuracy")
    assert found.index.tolist() == [*range(5)]
    assert found.tolist() == [0.0, 0.1, 0.2, 0.3, 0.4]


STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")


def stored(rows: list[dict]) -> pandas.DataFrame:
    """``rows`` as they come back from a file."""
    return pandas.read_csv(io.StringIO(pandas.DataFrame(rows).to_csv(index=False)))


def spread(value: float, seed: int, shift: int = 0) -> float:
    """``value`` with a little noise of mean zero over five seeds."""
    return value + 0.002 * ((2 * seed + shift) % 5 - 2)


def probes(accuracies: dict[str, dict[str, tuple]]) -> pandas.DataFrame:
    """Made-up results as data_scripts/sweep_probes.py writes them, from task to network to the
    accuracy at each of STAGES; those of pixels are 0.3.
    """
    rows = []
    for task, networks in accuracies.items():
        for network, values in (networks | {"pixels": (0.3,)}).items():
            stages = STAGES if len(values) > 1 else ("pixels",)
            for seed in reversed(range(5)):  # the order of the rows does not matter
                for stage, value in zip(stages, values, strict=True):
                    row = {"task": task, "labels": 600, "network": network, "seed": seed}
                    row |= {"stage": stage, "val_accuracy": 1.0, "test_accuracy": 0.0}
                    rows.append(row | {"test_balanced": spread(value, seed, len(network))})
    return stored(rows)


LAYER = {concept: layer for concept, (_, layer, _) in layers.TABLE.items()}
NAME = {concept: name for concept, (name, *_) in layers.TABLE.items()}


def curve(layer: str, low: float = 0.4, high: float = 0.9) -> tuple:
    """Accuracy that rises at ``layer``."""
    return tuple(high if place >= STAGES.index(layer) else low for place in range(5))


def table(late: tuple = (), innate: tuple = (), random: float = 0.4) -> pandas.DataFrame:
    """Probes that show the table, but for concepts that come one stage off, and for those that
    the random network shows as well.
    """
    found = {}
    for concept, layer in LAYER.items():
        place = STAGES.index(layer)
        off = STAGES[place - 1 if concept in late else place]
        control = 0.9 if concept in innate else random
        found[concept] = {"pretrained": curve(off), "random": (control,) * 5}
    return probes(found)


def test_a_table_that_is_right(settled):
    found = settled("layer-1", table())
    assert found.verdict == "holds" and found.effect == pytest.approx(0.5)
    assert found.condition == (
        "edges at layer1, corners at layer2, textures at layer2, parts at layer3, objects at layer4"
    )


def test_a_table_that_is_right_in_part(settled):
    found = settled("layer-1", table(("concepts_objects",), ("concepts_edges",)))
    assert found.verdict == "holds-when" and found.effect == pytest.approx(0.4)
    assert found.condition == (
        "corners at layer2, textures at layer2, parts at layer3; not shown for edges (layer1, but "
        "random weights show them as well: 0.90 against 0.90), objects (layer3 instead of layer4)"
    )


@pytest.mark.parametrize(("late", "innate"), [((), LAYER), (LAYER, ())])
def test_a_table_that_is_wrong(settled, late, innate):
    found = settled("layer-1", table(tuple(late), tuple(innate)))
    assert found.verdict == "does-not-hold"
    assert all(name in found.condition for name in NAME.values())


@pytest.mark.parametrize(("random", "verdict"), [(0.84, "holds"), (0.86, "does-not-hold")])
def test_learning_must_add_five_points(settled, random, verdict):
    assert settled("layer-1", table(random=random)).verdict == verdict


def test_what_can_be_read_first_is_counted_from_guessing():
    rising = {"pretrained": (0.3, 0.5, 0.88, 0.9, 0.94), "random": (0.3,) * 5}
    frame = probes({"materials": rising, "concepts_edges": rising})
    assert layers.readable_at(frame, "materials") == "layer2"  # 0.86 is 90 % of the way
    assert layers.readable_at(frame, "concepts_edges") == "layer2"  # from 0.25 it is 0.87
    below = {"pretrained": (0.20, 0.22, 0.21, 0.2, 0.2), "random": (0.2,) * 5}
    assert layers.readable_at(probes({"concepts_edges": below}), "concepts_edges") == "layer1"


def test_the_table_of_probes_shows_means_and_intervals():
    frame = table(innate=("materials",))
    means, half = layers.probe_table(frame, "pretrained")
    assert [*means.index] == [*half.index] == [*NAME.values()]
    assert [*means.columns] == [*half.columns] == ["pixels", *STAGES]
    for concept, name in NAME.items():
        assert means.loc[name].tolist() == pytest.approx([0.3, *curve(LAYER[concept])])
    rows = frame.query("task == 'materials' and network == 'random' and stage == 'layer3'")
    means, half = layers.probe_table(frame, "random")
    assert means.loc["textures", "layer3"] == pytest.approx(0.9)
    found = evidence.paired(rows.test_balanced, np.zeros(5))
    assert half.loc["textures", "layer3"] == pytest.approx(found.high - found.effect)


WAYS = ("AdamW", "SGD")


def changes(cells: dict, tasks: tuple = ("satellite", "leaves")) -> pandas.DataFrame:
    """Made-up results as data_scripts/sweep_changes.py writes them. ``cells``: from optimizer to
    what the stages' weights moved, and how alike their features stayed (CKA).
    """
    rows = []
    kinds = [("fine-tuning", way) for way in WAYS] + [("from scratch", "AdamW")]
    for strategy, optimizer in kinds:
        moved, alike = cells[optimizer]
        if strategy == "from scratch":  # must not count
            moved, alike = moved[::-1], alike[::-1]
        for number, task in enumerate(tasks):
            for seed in reversed(range(5)):
                for place, stage in enumerate(STAGES):
                    row = {"task": task, "strategy": strategy, "optimizer": optimizer}
                    row |= {"seed": seed, "stage": stage}
                    row |= {"change": spread(moved[place] + number / 100, seed, place)}
                    row |= {"cka": spread(alike[place], seed, place)}
                    rows.append(row | {"test_balanced": 0.8, "rewound_balanced": 0.7})
    return stored(rows)


UP, DOWN, LEVEL = (0.1, 0.2, 0.3, 0.4, 0.5), (0.5, 0.4, 0.3, 0.2, 0.1), (0.3,) * 5


@pytest.mark.parametrize(
    ("adam", "sgd", "verdict", "effect", "condition"),
    [
        (
            (UP, DOWN),
            (UP, UP),
            "holds",
            0.4,
            "in features (1 - CKA) (leaves, satellite), weights, AdamW (leaves, satellite), "
            "weights, SGD (leaves, satellite)",
        ),
        (
            (DOWN, DOWN),
            (UP, UP),
            "holds-when",
            0.4,
            "in features (1 - CKA) (leaves, satellite), weights, SGD (leaves, satellite); "
            "not shown in weights, AdamW (leaves, satellite)",
        ),
        (
            (LEVEL, UP),
            (DOWN, DOWN),
            "does-not-hold",
            -0.4,
            "not in features (1 - CKA) (leaves, satellite), weights, AdamW (leaves, satellite), "
            "weights, SGD (leaves, satellite)",
        ),
    ],
)
def test_whether_late_stages_change_most(settled, adam, sgd, verdict, effect, condition):
    found = settled("layer-2", changes({"AdamW": adam, "SGD": sgd}))
    assert (found.verdict, found.condition) == (verdict, condition)
    assert found.effect == pytest.approx(effect, abs=0.005)


def test_tasks_may_disagree_on_what_changes(settled):
    frame = changes({"AdamW": (UP, DOWN), "SGD": (UP, UP)})
    frame.loc[frame.task == "leaves", "change"] = 0.3
    found = settled("layer-2", frame)
    assert found.verdict == "holds-when"
    assert found.condition.endswith("not shown in weights, AdamW (leaves), weights, SGD (leaves)")
    assert "weights, AdamW (satellite)" in found.condition


def test_moved_is_fine_tuning_by_seed_and_stage():
    frame = changes({"AdamW": (UP, DOWN), "SGD": (LEVEL, LEVEL)})
    found = layers.moved(frame, "satellite", "change")
    assert found.index.tolist() == [*range(5)] and found.columns.tolist() == [*STAGES]
    assert found.mean().tolist() == pytest.approx(UP)
    assert layers.moved(frame, "leaves", "change", "SGD").mean().tolist() == pytest.approx(
        [0.31] * 5
    )
    assert layers.moved(frame, "leaves", "cka").mean().tolist() == pytest.approx(DOWN)


def trained(cells: dict[tuple[str, int], dict[str, float]]) -> pandas.DataFrame:
    """Made-up results of training: (task, labels) to way to balanced accuracy. With each a rate
    that was not chosen, and so not tested.
    """
    rows = []
    for (task, labels), ways in cells.items():
        for way, accuracy in ways.items():
            for seed in reversed(range(5)):
                row = {"task": task, "labels": labels, "strategy": way, "seed": seed}
                found = spread(accuracy, seed, len(way))
                rows.append(row | {"lr": 1e-4, "val_accuracy": 0.0})
                rows.append(row | {"lr": 1e-3, "test_accuracy": 0.0, "test_balanced": found})
    return stored(rows)


EARLY, LATE = "early stages pretrained", "late stages pretrained"


def halves(early: dict[str, float]) -> dict[str, pandas.DataFrame]:
    """Half a network from pretrained weights, where it was tried; from scratch gives 0.5."""
    return {
        "sweep_early": trained({(t, 200): {EARLY: a, LATE: 0.6} for t, a in early.items()}),
        "sweep_pictures": trained(
            {(t, n): {"from scratch": 0.5, "fine-tuning": 0.9} for t in early for n in (200, 1000)}
        ),
    }


def early_probes(gains: dict[str, float]) -> pandas.DataFrame:
    """Pretrained probes ahead of random ones by as much, after layer2 alone."""
    return probes(
        {
            task: {"pretrained": (0.1, 0.1, 0.5 + gain, 0.1, 0.1), "random": (0.5,) * 5}
            for task, gain in gains.items()
        }
    )


@pytest.mark.parametrize(
    ("gains", "early", "verdict", "effect"),
    [
        ((0.3, 0.3, 0.2, 0.1, 0.1), (0.7, 0.6, 0.6), "holds", 0.2),
        ((0.3, 0.3, 0.2, 0.0, -0.1), (0.7, 0.6, 0.5), "holds-when", 0.14),
        ((0.3, 0.3, 0.2, 0.1, 0.1), (0.5, 0.5, 0.4), "holds-when", 0.2),
        ((0.0, 0.0, -0.2, 0.0, 0.0), (0.5, 0.4, 0.5), "does-not-hold", -0.04),
    ],
)
def test_whether_early_features_help(settled, gains, early, verdict, effect):
    sweeps = halves(dict(zip(layers.HALVED, early, strict=True)))
    sweeps["sweep_probes"] = early_probes(dict(zip(layers.TARGETS, gains, strict=True)))
    found = settled("layer-3", sweeps)
    assert found.verdict == verdict and found.effect == pytest.approx(effect, abs=0.005)
    shown, _, not_shown = found.condition.partition("; not shown ")
    for task, gain in zip(layers.TARGETS, gains, strict=True):
        text = f"{task} ({layers.TARGETS[task]})"
        assert text in (shown if gain > 0 or verdict == "does-not-hold" else not_shown)
    for task, accuracy in zip(layers.HALVED, early, strict=True):
        text = f"{task} (fine-tuned)"
        assert text in (shown if accuracy > 0.5 or verdict == "does-not-hold" else not_shown)


def test_half_a_network_against_none_of_it(monkeypatch):
    sweeps = halves({"leaves": 0.7})
    monkeypatch.setattr(results, "load", sweeps.__getitem__)
    assert layers.halved("leaves", EARLY).effect == pytest.approx(0.2)
    assert layers.halved("leaves", LATE).effect == pytest.approx(0.1)
    for task, half in (("digits", EARLY), ("leaves", "no stages pretrained")):
        with pytest.raises(store.UnknownName, match="no stored run"):
            layers.halved(task, half)


HEADS = ("linear probe", "old head renamed", "probe on old head", "fine-tuning")
NEW, RENAMED, STACKED = 0.7, 0.5, 0.6


def heads(cells: dict[tuple[str, int], tuple]) -> pandas.DataFrame:
    """Made-up results as data_scripts/sweep_head.py writes them, with the control at 0.3."""
    known = {"probe on random backbone": 0.3}
    return trained(
        {cell: dict(zip(HEADS, found, strict=True)) | known for cell, found in cells.items()}
    )


@pytest.mark.parametrize(
    ("photo", "digits", "verdict", "condition"),
    [
        (
            (NEW, RENAMED, STACKED, 0.7),
            (NEW, RENAMED, STACKED, 0.7),
            "holds",
            "better than the old answers renamed (pacs_photo, digits), a new head on the old one "
            "(pacs_photo, digits)",
        ),
        (
            (NEW, RENAMED, 0.7, 0.7),
            (NEW, RENAMED, STACKED, 0.7),
            "holds-when",
            "better than the old answers renamed (pacs_photo, digits), a new head on the old one "
            "(digits); not shown against a new head on the old one (pacs_photo)",
        ),
        (
            (0.5, 0.5, 0.5, 0.7),
            (0.5, 0.6, 0.5, 0.7),
            "does-not-hold",
            "not better than the old answers renamed (pacs_photo, digits), a new head on the old "
            "one (pacs_photo, digits)",
        ),
    ],
)
def test_whether_a_new_head_is_needed(settled, photo, digits, verdict, condition):
    worst = (0.1, 0.9, 0.9, 0.9)  # with 50 labels it would look otherwise; 200 count
    cells = {("pacs_photo", 200): photo, ("digits", 200): digits, ("digits", 50): worst}
    found = settled("head-1", heads(cells))
    assert (found.verdict, found.condition) == (verdict, condition)
    expected = ((photo[0] - photo[1]) + (digits[0] - digits[1])) / 2
    assert found.effect == pytest.approx(expected, abs=0.005)


def tuned_by(photo_50: float, photo_200: float, leaves_50: float, leaves_200: float):
    """Fine-tuning ahead of the head alone by as much."""
    lost = {("pacs_photo", 50): photo_50, ("pacs_photo", 200): photo_200}
    lost |= {("leaves", 50): leaves_50, ("leaves", 200): leaves_200}
    return heads({cell: (0.7, 0.5, 0.5, 0.7 + ahead) for cell, ahead in lost.items()})


@pytest.mark.parametrize(
    ("ahead", "verdict", "condition"),
    [
        (
            (0.02, -0.1, 0.2, 0.3),
            "holds",
            "enough (points against fine-tuning): pacs_photo 50 (-2), pacs_photo 200 (+10); not "
            "shown on leaves 50 (-20), leaves 200 (-30)",
        ),
        (
            (0.02, 0.2, 0.2, 0.3),
            "holds-when",
            "enough (points against fine-tuning): pacs_photo 50 (-2); not shown on pacs_photo 200 "
            "(-20), leaves 50 (-20), leaves 200 (-30)",
        ),
        (
            (0.2, 0.3, 0.2, -0.1),
            "holds-when",
            "enough (points against fine-tuning): leaves 200 (+10); not shown on pacs_photo 50 "
            "(-20), pacs_photo 200 (-30), leaves 50 (-20)",
        ),
        (
            (0.2, 0.3, 0.2, 0.3),
            "does-not-hold",
            "not enough (points against fine-tuning): pacs_photo 50 (-20), pacs_photo 200 (-30), "
            "leaves 50 (-20), leaves 200 (-30)",
        ),
    ],
)
def test_whether_the_head_alone_is_enough(settled, ahead, verdict, condition):
    found = settled("head-2", tuned_by(*ahead))
    assert (found.verdict, found.condition) == (verdict, condition)
    assert found.effect == pytest.approx(-ahead[0], abs=0.005)


def test_a_head_that_may_lose_five_points_is_not_enough(settled):
    frame = tuned_by(0.02, 0.02, 0.2, 0.2)
    assert settled("head-2", frame).verdict == "holds"
    unsure = (frame.task == "pacs_photo") & (frame.strategy == "fine-tuning")
    frame.loc[unsure, "test_balanced"] += np.where(frame.seed[unsure] == 0, 0.1, -0.025)
    found = settled("head-2", frame)
    assert found.effect == pytest.approx(-0.02, abs=0.005) and found.low < -0.05
    assert found.verdict == "does-not-hold"


def families(broken: dict[str, dict] | None = None, worth: float = 0.3, names=("vgg16", "bert")):
    """Made-up results as data_scripts/sweep_families.py writes them: what goes wrong with a
    family, with one seed of five, and what the weights of minilm add.
    """
    rows = []
    for family in names:
        for seed in range(5):
            row = {"family": family, "strategy": "operations", "seed": seed, "head": True}
            row |= {"frozen": True, "features": 48, "loss_before": 2.0, "loss_after": 1.0}
            rows.append(row | ((broken or {}).get(family, {}) if seed == 3 else {}))
    for way, accuracy in (("linear probe", 0.5 + worth), ("probe on random backbone", 0.5)):
        for seed in range(5):
            row = {"family": "minilm", "strategy": way, "seed": seed, "val_accuracy": 0.0}
            rows.append(row | {"test_balanced": spread(accuracy, seed, len(way))})
    return stored(rows)


def zoo(broken=None, worth=0.3, pictures=0.7, names=("vgg16", "bert", "whisper")):
    found = families(broken, worth, names)
    known = heads({("pacs_photo", n): (pictures, 0.5, 0.5, 0.7) for n in (50, 200)})
    return {"sweep_families": found, "sweep_head": known}


BREAKS = {"head": {"head": False}, "frozen": {"frozen": False}, "loss": {"loss_after": 2.5}}


def test_families_that_take_a_new_job(settled):
    found = settled("zoo-1", zoo())
    assert found.verdict == "holds-when" and found.effect == pytest.approx(
        (0.4 + 0.3) / 2, abs=0.01
    )
    assert found.condition == (
        "3 of 3 families take a new head and freeze; 3 of 3 families learn by heart; that their "
        "weights are worth it was measured for ResNet and BERT"
    )


def test_families_that_are_all_worth_it(settled):
    assert settled("zoo-1", zoo(names=("resnet18", "bert"))).verdict == "holds"


@pytest.mark.parametrize("what", [*BREAKS, "nan"])
def test_a_family_that_fails_with_one_seed(settled, what):
    broken = {"bert": BREAKS.get(what, {"loss_after": np.nan})}
    found = settled("zoo-1", zoo(broken))
    assert found.verdict == "holds-when"
    taken = "2 of 3" if what in ("head", "frozen") else "3 of 3"
    assert found.condition.startswith(f"{taken} families take a new head and freeze")
    assert "2 of 3 families learn by heart (bert with 4 of 5 seeds)" in found.condition


@pytest.mark.parametrize(
    ("options", "verdict", "proven"),
    [
        ({"worth": 0.0}, "holds-when", "measured for ResNet"),
        ({"pictures": 0.3}, "holds-when", "measured for BERT"),
        ({"worth": -0.1, "pictures": 0.3}, "does-not-hold", "measured for none"),
        (
            {"broken": dict.fromkeys(("vgg16", "bert", "whisper"), BREAKS["loss"])},
            "does-not-hold",
            "0 of 3",
        ),
    ],
)
def test_families_that_are_not_worth_it(settled, options, verdict, proven):
    found = settled("zoo-1", zoo(**options))
    assert found.verdict == verdict and proven in found.condition
