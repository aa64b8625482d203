"""The rules of lesson 03, on made-up runs."""

import numpy as np
import pytest

from tl_course import store

HEADS = ("linear probe", "old head renamed", "probe on old head", "fine-tuning")
RENAMED, STACKED = "against the old answers renamed", "against a new head on the old one"
AWAY = "On targets farther away it brings"


@pytest.fixture
def heads(made_up):
    """Made-up results as data_scripts/sweep_head.py writes them, with the control at 0.3."""

    def build(cells):
        found = {
            (*cell, head): value
            for cell, values in cells.items()
            for head, value in zip(HEADS, values, strict=True)
        }
        return made_up(found | {(*cell, "probe on random backbone"): 0.3 for cell in cells})

    return build


@pytest.mark.parametrize(
    ("photo", "digits", "verdict", "says"),
    [
        ((0.5, 0.6), (0.4, 0.3), "holds", "helps on photographs and digits (+10.0"),
        (
            (0.5, 0.7),
            (0.5, 0.8),
            "holds-when",
            f"hurts on digits ({STACKED}) (-10.0 points); helps on photographs and digits "
            f"(each {RENAMED}) (+20.0 points); makes no difference on photographs ({STACKED}).",
        ),
        ((0.7, 0.7), (0.8, 0.7), "does-not-hold", f"hurts on digits ({RENAMED}) (-10.0 points);"),
        ((0.7, 0.7), (0.7, 0.7), "cannot-tell", "is unclear on photographs and digits."),
    ],
)
def test_a_new_head_must_beat_both_ways_to_make_do(
    judged, heads, unsure, photo, digits, verdict, says
):
    cells = {("pacs_photo", 200): photo, ("digits", 200): digits, ("digits", 50): (0.9, 0.9)}
    frame = heads({cell: (0.7, *others, 0.7) for cell, others in cells.items()})
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="linear probe")
    found = judged("head-1", frame, verdict)
    assert f"a new head in place of the old one {says}" in found.sentence
    assert len(found.contrasts) == 4


@pytest.mark.parametrize(
    ("more", "verdict", "says"),
    [
        (
            (0.1, 0.0, 0.2, -0.1),
            "holds",
            "helps on photographs (50 labels) (+10.0 points); makes no difference on photographs "
            f"(200 labels). {AWAY} -10.0 to +20.0 points.",
        ),
        ((-0.1, 0.0, -0.2, -0.3), "holds-when", "hurts on photographs (50 labels) (-10.0 points);"),
        ((-0.1, -0.1, 0.2, 0.3), "does-not-hold", "hurts on photographs (-10.0 points)."),
        ((0.0, 0.0, -0.2, -0.3), "cannot-tell", f"is unclear on photographs. {AWAY} -30.0 to -20"),
    ],
)
def test_the_head_alone_may_be_as_good(judged, heads, unsure, more, verdict, says):
    cells = [(task, labels) for task in ("leaves", "pacs_photo") for labels in (50, 200)]
    more = (*more[2:], *more[:2])  # photographs are nearer
    frame = heads({
        cell: (0.6 + each, 0.5, 0.5, 0.6) for cell, each in zip(cells, more, strict=True)
    })  # fmt: skip
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="linear probe")
    found = judged("head-2", frame, verdict)
    assert f"the head alone instead of everything {says}" in found.sentence
    told = [(each.target, each.where) for each in found.contrasts]
    assert told == [(task, f"{labels} labels") for task, labels in cells[2:]]


@pytest.fixture
def zoo(made_up, heads):
    """Made-up results as data_scripts/sweep_families.py writes them: what goes wrong with bert,
    with one seed of five, and what the weights of two families add.
    """

    def build(broken=(), bert=0.3, resnet=0.4):
        fine = {"head": True, "frozen": True, "loss_before": 2.0, "loss_after": 1.0}
        cells = {
            ("minilm", "probe on random backbone"): 0.5,
            ("minilm", "linear probe"): 0.5 + bert,
        }
        names = ("vgg16", "bert", "whisper")
        cells |= {(name, "operations"): fine | {"test_balanced": 0.0} for name in names}
        frame = made_up(cells, "family strategy").astype({"head": object, "frozen": object})
        for column, value in dict(broken).items():
            frame.loc[(frame.family == "bert") & (frame.seed == 3), column] = value
        known = heads({("pacs_photo", n): (0.3 + resnet, 0.5, 0.5, 0.7) for n in (50, 200)})
        return {"sweep_families": frame, "sweep_head": known}

    return build


@pytest.mark.parametrize(
    ("bert", "resnet", "verdict", "says"),
    [
        (0.3, 0.4, "holds-when", "helps on ResNet and BERT (+30.0 to +40.0 points)."),
        (-0.1, 0.4, "holds-when", "hurts on BERT (-10.0 points); helps on ResNet (+40.0 points)."),
        (0.0, 0.0, "does-not-hold", "makes no difference on ResNet and BERT."),
        (None, None, "cannot-tell", "is unclear on ResNet and BERT."),
    ],
)
def test_the_weights_of_two_families_must_be_worth_it(
    judged, zoo, unsure, bert, resnet, verdict, says
):
    frames = zoo(bert=bert or 0.0, resnet=resnet or 0.0)
    for frame in frames.values():
        unsure(frame, 0.1 * (bert is None), strategy="linear probe")
    found = judged("zoo-1", frames, verdict)
    assert f"pretrained instead of random weights {says}" in found.sentence


@pytest.mark.parametrize(
    ("broken", "taken"),
    [
        ({"head": False}, 2),
        ({"frozen": False}, 2),
        ({"loss_after": 1.6}, 3),
        ({"loss_after": np.nan}, 3),
        ({}, 3),
    ],
)
def test_a_family_that_fails_with_one_seed_is_named(judged, zoo, broken, taken):
    short = " (bert with 4 of 5 seeds)"
    told = f"{taken} of 3 families take a new head and freeze{short * (taken < 3)}. "
    told += f"{3 - bool(broken)} of 3 families learn by heart{short * bool(broken)}."
    found = judged("zoo-1", zoo(broken), "holds-when")  # two of three were measured
    assert found.sentence.endswith(told) and found.condition == "ResNet and BERT"


@pytest.mark.parametrize(
    ("claim", "name"),
    [
        *(("head-1", name) for name in HEADS[:3]),
        *(("head-2", name) for name in ("linear probe", "fine-tuning")),
        *(("zoo-1", name) for name in ("operations", "linear probe", "probe on random backbone")),
    ],
)
def test_runs_that_are_missing_are_named(judged, zoo, claim, name):
    frames = {key: frame[frame.strategy != name] for key, frame in zoo().items()}
    with pytest.raises(store.UnknownName, match=f"strategy '{name}'.*no stored run"):
        judged(claim, frames)
