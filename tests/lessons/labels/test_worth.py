"""What pretraining is worth, counted in labels and in epochs."""

import numpy as np
import pandas
import pytest

from tl_course import evidence, store
from tl_course.lessons.labels import worth

COUNTS = (25, 50, 100, 400)
CURVE = (0.2, 0.4, 0.5, 0.7)
TUNED = (0.4, 0.5, 0.6, 0.7)


def test_between_points_it_is_numpys_line_over_the_logarithm():
    rng = np.random.default_rng(0)
    cases = [(COUNTS, CURVE, each) for each in (0.2, 0.25, 0.3999, 0.4, 0.41, 0.5, 0.65, 0.7)]
    for _ in range(50):
        counts = np.sort(rng.choice(np.arange(1, 5000), 6, replace=False))
        curve = np.sort(rng.random(6))
        cases.append((counts, curve, rng.uniform(curve[0], curve[-1])))
    for counts, curve, wanted in cases:
        expected = np.exp(np.interp(wanted, curve, np.log(counts)))
        assert worth.labels_needed(counts, curve, wanted) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("curve", "wanted", "needed"),
    [
        *((CURVE, *each) for each in zip(CURVE, COUNTS, strict=True)),  # what gave it
        (CURVE, 0.1, 25),  # already there with the fewest
        (CURVE, 0.71, None),
        ((0.2, 0.5, 0.3, 0.6), 0.5, 50),  # what falls counts as the best so far
        ((0.2, 0.5, 0.3, 0.6), 0.55, 200),  # from 0.5 with 100 on, not from 0.3
        ((0.2, 0.5, 0.5, 0.5), 0.5, 50),
        ((0.5, 0.4, 0.3, 0.2), 0.45, 25),
        ((0.5, 0.4, 0.3, 0.2), 0.51, None),
        ((0.3, 0.3, 0.3, 0.3), 0.3, 25),
        ((0.5,), 0.5, 25),  # one point is a curve
        ((0.5,), 0.6, None),
    ],
)
def test_curves_that_fall_or_never_get_there(curve, wanted, needed):
    found = worth.labels_needed(COUNTS[: len(curve)], curve, wanted)
    assert found is None if needed is None else found == pytest.approx(needed)


@pytest.mark.parametrize(
    ("counts", "curve", "wanted"),
    [
        ([], [], 0.5),
        (COUNTS, CURVE[:3], 0.5),
        ((50, 25, 100, 400), CURVE, 0.5),
        ((25, 25, 100, 400), CURVE, 0.5),
        ((0, 50, 100, 400), CURVE, 0.5),
        (COUNTS, (0.2, np.nan, 0.5, 0.7), 0.5),
        ((25, 50, np.nan, 400), CURVE, 0.5),
        (COUNTS, CURVE, np.nan),
        ([COUNTS], [CURVE], 0.5),
    ],
)
def test_what_is_no_curve_is_refused(counts, curve, wanted):
    with pytest.raises(store.BadInput, match="counts that rise from above 0") as found:
        worth.labels_needed(counts, curve, wanted)
    assert "Sort it by count" in str(found.value)


def runs(tuned, alone) -> pandas.DataFrame:
    """Five seeds of both strategies; a strategy gives one curve, or one for each seed."""
    return pandas.DataFrame(
        {"task": "leaves", "labels": count, "strategy": strategy, "seed": seed}
        | {"test_accuracy": 0.0, "test_balanced": value}
        for strategy, curve in (("from scratch", alone), ("fine-tuning", tuned))
        for seed, values in enumerate(np.broadcast_to(curve, (5, len(COUNTS))))
        for count, value in reversed([*zip(COUNTS, values, strict=True)])
    )


def test_the_labels_of_each_seed():
    alone = np.array([CURVE] * 5)
    alone[3] = (0.5, 0.6, 0.7, 0.8)  # above 0.4 from the start
    alone[4] = (0.1, 0.2, 0.3, 0.39)  # never there
    found = worth.times_the_labels(runs(TUNED, alone), "leaves", 25)
    assert [*found.columns] == ["seed", "accuracy", "needed", "times", "beyond"]
    assert found.seed.tolist() == [*range(5)] and found.accuracy.tolist() == [0.4] * 5
    assert found.needed.tolist() == pytest.approx([50, 50, 50, 25, 400])
    assert found.times.tolist() == pytest.approx([2, 2, 2, 1, 16])
    assert found.beyond.tolist() == [False] * 4 + [True]


def test_other_strategies_and_rates_that_were_not_chosen_do_not_count():
    frame = runs(TUNED, CURVE)
    others = frame.assign(strategy="head alone", test_balanced=0.9)
    untested = frame.assign(lr=1.0, test_accuracy=np.nan, test_balanced=np.nan)
    plain = worth.times_the_labels(frame, "leaves", 50)
    noisy = worth.times_the_labels(pandas.concat([frame, others, untested]), "leaves", 50)
    pandas.testing.assert_frame_equal(plain, noisy)
    back = worth.times_the_labels(frame, "leaves", 100, "from scratch", "fine-tuning")
    assert back.needed.tolist() == pytest.approx([50] * 5)


def test_a_count_that_one_strategy_was_not_tried_with_is_left_out_of_its_curve():
    frame = runs(TUNED, CURVE)
    frame = frame[(frame.strategy == "fine-tuning") | (frame.labels != 100)]
    found = worth.times_the_labels(frame, "leaves", 50)
    expected = np.exp(np.interp(0.5, (0.4, 0.7), np.log((50, 400))))
    assert found.needed.tolist() == pytest.approx([expected] * 5)


@pytest.mark.parametrize(
    ("asked", "stored"),
    [
        (("leaves", 77), "25"),
        (("digits", 50), "leaves"),
        (("leaves", 50, "head alone"), "fine-tuning"),
        (("leaves", 50, "fine-tuning", "head alone"), "fine-tuning"),
    ],
)
def test_what_was_not_run_is_named(asked, stored):
    with pytest.raises(store.UnknownName, match="there is no stored run") as found:
        worth.times_the_labels(runs(CURVE, CURVE), *asked)
    assert stored in found.value.cure and str(asked[0]) in found.value.thing


@pytest.mark.parametrize(("strategy", "counts"), [("fine-tuning", [50]), ("from scratch", COUNTS)])
def test_a_seed_without_its_partner_is_refused(strategy, counts):
    frame = runs(TUNED, CURVE)
    lost = (frame.strategy == strategy) & frame.labels.isin(counts) & (frame.seed == 2)
    with pytest.raises(store.BadInput, match="none missing"):
        worth.times_the_labels(frame[~lost], "leaves", 50)


def table(*times: float, beyond: int = 0) -> pandas.DataFrame:
    return pandas.DataFrame({"times": times, "beyond": [i < beyond for i in range(len(times))]})


def test_a_factor_is_a_geometric_mean_with_its_interval():
    times = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    found, back = worth.factor(table(*times)), worth.factor(table(*(1 / times)))
    logs = evidence.paired(np.log(times), np.zeros(5))
    assert found.times == pytest.approx(4) and found.seeds == 5 and found.beyond == 0
    assert (found.low, found.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    assert str(found) == f"4.0 times [{found.low:.1f}, {found.high:.1f}], 5 seeds"
    # turning the factors round turns the interval round
    turned = (1 / 4, 1 / found.high, 1 / found.low)
    assert (back.times, back.low, back.high) == pytest.approx(turned)


def test_a_lower_bound_says_so_and_a_factor_wants_five_seeds():
    found = worth.factor(table(*[8.0] * 5, beyond=2))
    assert found.beyond == 2 and str(found) == "more than 8.0 times [8.0, 8.0], 5 seeds"
    with pytest.raises(store.BadInput, match="5 or more"):
        worth.factor(table(1.0, 2.0, 3.0, 4.0))


def epochs(tuned, alone, seconds=2.0) -> pandas.DataFrame:
    """Validation accuracies epoch by epoch; one takes a second from scratch."""
    both = (("fine-tuning", tuned, seconds), ("from scratch", alone, 1.0))
    return pandas.DataFrame(
        {"task": "leaves", "strategy": strategy, "seed": seed, "epoch": epoch}
        | {"val_accuracy": value, "seconds": each * epoch}
        for strategy, values, each in both
        for seed in reversed(range(5))
        for epoch, value in reversed([*enumerate(values, 1)])
    )


@pytest.mark.parametrize(
    ("tuned", "alone", "seconds", "ours", "theirs", "missed"),
    [
        # to the first epoch that is as good
        ((0.3, 0.6, 0.5, 0.7), (0.1, 0.3, 0.6, 0.4, 0.6), 2.0, 2, 3, False),
        # from scratch to within one point, fine-tuning in full
        ((0.595, 0.6, 0.7), (0.3, 0.589, 0.591, 0.595, 0.6), 2.0, 2, 3, False),
        # never: as if it had taken all epochs from scratch, and their seconds
        ((0.3, 0.595), (0.1, 0.3, 0.6, 0.5), 5.0, 4, 3, True),
    ],
)
def test_epochs_until_fine_tuning_is_as_good(tuned, alone, seconds, ours, theirs, missed):
    found = worth.epochs_needed(epochs(tuned, alone, seconds), "leaves")
    columns = ["seed", "wanted", "ours", "theirs", "times", "seconds_times", "missed"]
    assert [*found.columns] == columns
    assert found.seed.tolist() == [*range(5)] and found.wanted.tolist() == [0.6] * 5
    assert found.ours.tolist() == [ours] * 5 and found.theirs.tolist() == [theirs] * 5
    assert found.times.tolist() == pytest.approx([theirs / ours] * 5)
    assert found.seconds_times.tolist() == pytest.approx([3 / 4] * 5)
    assert found.missed.tolist() == [missed] * 5


def test_epochs_that_were_not_run_are_named():
    frame = epochs((0.3, 0.6), (0.1, 0.3))
    with pytest.raises(store.UnknownName, match="Stored are leaves"):
        worth.epochs_needed(frame, "leafs")
    for left in ("fine-tuning", "from scratch"):
        with pytest.raises(store.UnknownName, match=f"Stored are {left}"):
            worth.epochs_needed(frame[frame.strategy == left], "leaves")
