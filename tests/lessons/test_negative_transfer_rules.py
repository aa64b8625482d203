"""Rules of lessons 08 and 09, on made-up tables whose verdict is known."""

import numpy as np
import pandas
import pytest

from tl_course import evidence
from tl_course.evidence import results
from tl_course.lessons.negative_transfer import foresight
from tl_course.lessons.negative_transfer import rules as suspects
from tl_course.lessons.preprocessing import rules as feeding

PICTURES = {**dict.fromkeys((*suspects.NEAR, *suspects.FAR), (50, 500)), "text_pictures": (50, 400)}


def row(task, labels, source, strategy, seed, accuracy):
    # no draw: one made-up table in twenty would show what is not there
    noise = 0.005 * (-1) ** (seed // (1 if source == "nothing" else 2))
    return {
        "task": task, "labels": labels, "source": source, "strategy": strategy, "seed": seed,
        "lr": 1e-3, "val_accuracy": accuracy, "test_accuracy": accuracy,
        "test_balanced": accuracy + noise,
    }  # fmt: skip


@pytest.fixture
def table(monkeypatch):
    """Stores a made-up ``sweep_suspects``; ``gain(task, labels, source, strategy)`` is its plan."""

    def store(gain):
        rows = []
        for task, counts in PICTURES.items():
            for labels in counts:
                for seed in range(10):
                    starts = [(s, t) for s in ("photographs", "noise", "nothing")
                              for t in ("fine-tuned", "frozen")]  # fmt: skip
                    starts += [("words counted", "frozen")] * (task == "text_pictures")
                    for source, strategy in starts:
                        more = gain(task, labels, source, strategy)
                        if (source, strategy) == ("nothing", "fine-tuned"):
                            more = 0.0
                        rows.append(row(task, labels, source, strategy, seed, 0.5 + more))
        frame = pandas.DataFrame(rows)
        monkeypatch.setattr(results, "load", lambda name: frame)
        return frame

    return store


def plan(task, labels, source, strategy):
    """Near +0.2, far +0.1, X-rays and text 0, words counted +0.3, everything frozen -0.2."""
    if source == "words counted":
        return 0.3
    if strategy == "frozen":
        return -0.2
    if source != "photographs":
        return 0.02
    return 0.2 if task in suspects.NEAR else 0.1 if task in ("digits", "spoken_digits") else 0.0


def test_harm_beyond_every_interval_is_found_and_the_example_told_apart(table):
    def harmful(task, labels, source, strategy):
        if (task, source, strategy) == ("digits", "noise", "fine-tuned"):
            return -0.1
        return plan(task, labels, source, strategy)

    table(harmful)
    found = suspects.hurt_rule()
    assert found.verdict == "holds-when"
    assert "noise to digits (50)" in found.condition
    assert "satellite, the document's example, gains +20" in found.condition
    assert found.effect == pytest.approx(-0.1, abs=0.02)

    def example(task, labels, source, strategy):
        if (task, source, strategy) == ("satellite", "photographs", "fine-tuned"):
            return -0.1
        return plan(task, labels, source, strategy)

    table(example)
    assert suspects.hurt_rule().verdict == "holds"


def test_a_frozen_backbone_that_loses_is_not_harm_of_pretraining(table):
    table(plan)
    assert suspects.hurt_rule().verdict == "does-not-hold"


def test_the_benefit_fades_where_far_targets_gain_less(table):
    table(plan)
    found = suspects.fading_rule()
    assert found.verdict == "holds"
    assert "digits (50, 500)" in found.condition
    assert "pneumonia" not in found.condition
    table(lambda task, labels, source, strategy: 0.1)
    assert suspects.fading_rule().verdict != "holds"


def test_xrays_work_only_where_the_leader_on_validation_gains(table):
    table(plan)
    assert suspects.xray_rule().verdict == "does-not-hold"

    def head(task, labels, source, strategy):
        frozen = (task, source, strategy) == ("pneumonia", "photographs", "frozen")
        return 0.1 if frozen and labels == 50 else plan(task, labels, source, strategy)

    table(head)
    found = suspects.xray_rule()
    assert found.verdict == "holds-when"
    assert "with 50 X-rays" in found.condition
    assert "frozen leads with 50" in found.condition


def test_sound_may_work_and_text_not(table):
    table(plan)
    found = suspects.audio_and_text_rule()
    assert found.verdict == "holds"
    assert found.effect == pytest.approx(-0.3, abs=0.02)

    def text(task, labels, source, strategy):
        read = (task, source, strategy) == ("text_pictures", "photographs", "fine-tuned")
        return 0.1 if read else plan(task, labels, source, strategy)

    table(text)
    found = suspects.audio_and_text_rule()
    assert found.verdict == "holds-when"
    assert "text gains with 50, 400" in found.condition


def test_a_stricter_interval_is_wider_and_has_the_same_middle(table):
    frame = table(plan)
    plain, strict = evidence.gains(frame), evidence.gains(frame, 0.999)
    assert (strict.high - strict.low >= plain.high - plain.low).all()
    assert (strict.high > plain.high).any()
    assert np.allclose(plain.gain, strict.gain)
    assert not ((plain.source == "nothing") & (plain.strategy == "fine-tuned")).any()


def scored(pairs, score):
    """``sweep_scores`` of two draws, and the gains of ``pairs``: (task, source) to gain."""
    rows = [
        {"task": task, "labels": labels, "source": source, "seed": seed,
         "score": score(task, source)}
        for task, source in [*pairs, *{(task, "nothing") for task, _ in pairs}]
        for labels in (50, 500)
        for seed in (0, 1)
    ]  # fmt: skip
    measured = [
        {"task": task, "labels": labels, "source": source, "strategy": "frozen", "gain": gain,
         "low": gain - 0.01, "high": gain + 0.01, "seeds": 10}
        for (task, source), gain in pairs.items()
        for labels in (50, 500)
    ]  # fmt: skip
    return pandas.DataFrame(rows), pandas.DataFrame(measured)


def test_a_score_that_orders_pairs_by_gain_correlates_and_warns():
    pairs = {(f"task {n}", "noise"): 0.1 * n - 0.35 for n in range(8)}
    scores, measured = scored(pairs, lambda task, source: int(task[-1]) * (source != "nothing"))
    found = foresight.foreseen(scores, measured)
    assert set(found.amount) == {"few", "many"}
    assert (found.correlation > 0.99).all()
    assert (found.low > 0.9).all()
    assert (found.warned == 1).all()
    assert (found.pairs == 8).all()


def test_a_score_of_the_task_alone_says_nothing_once_random_weights_are_subtracted():
    rng = np.random.default_rng(0)
    pairs = {(f"task {n}", "noise"): rng.normal() for n in range(8)}
    luck = {(task, s): rng.normal() for task, _ in pairs for s in ("noise", "nothing")}
    scores, measured = scored(pairs, lambda task, source: 10 * int(task[-1]) + luck[task, source])
    found = foresight.foreseen(scores, measured).set_index(["against", "amount"])
    assert found.loc[("score minus random", "few"), "low"] < 0.5
    assert found.loc[("score", "few"), "correlation"] != pytest.approx(
        found.loc[("score minus random", "few"), "correlation"]
    )


def fed(costs, trained=0.0):
    rows = []
    for task in ("leaves_128", "pneumonia"):
        for fault in (feeding.RIGHT, *costs):
            for seed in range(5):
                noise = np.random.default_rng([seed, len(fault), len(task)]).normal(0, 0.003)
                cost = 0.0 if fault == feeding.RIGHT else costs[fault]
                for strategy, less in ((feeding.WRONG, cost), (feeding.TRAINED, trained)):
                    rows.append({
                        "task": task, "fault": fault, "strategy": strategy, "seed": seed,
                        "test_balanced": 0.8 - less * (fault != feeding.RIGHT) + noise,
                    })  # fmt: skip
    return pandas.DataFrame(rows)


@pytest.mark.parametrize(
    ("costs", "verdict"),
    [
        ({"BGR": 0.3, "grey": 0.2}, "holds"),
        ({"BGR": 0.3, "grey": 0.0}, "holds-when"),
        ({"BGR": -0.1, "grey": -0.1}, "does-not-hold"),
        ({"BGR": 0.3, "labels off by one": 0.0}, "holds"),
    ],
)
def test_preparing_matters_where_each_fault_costs(monkeypatch, costs, verdict):
    monkeypatch.setattr(results, "load", lambda name: fed(costs))
    found = feeding.prepared_rule()
    assert found.verdict == verdict
    assert "lost in 0 of" in found.condition


def test_what_training_with_the_fault_leaves_is_told(monkeypatch):
    monkeypatch.setattr(results, "load", lambda name: fed({"BGR": 0.3}, trained=0.1))
    assert "lost in 2 of 2 cells: BGR (leaves_128, pneumonia)" in feeding.prepared_rule().condition
