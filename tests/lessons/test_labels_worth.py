"""What pretraining is worth, counted in labels and in epochs."""

import numpy as np
import pandas
import pytest

from tl_course import evidence, store
from tl_course.lessons.labels import worth as labels_worth

COUNTS = (25, 50, 100, 400)
CURVE = (0.2, 0.4, 0.5, 0.7)


@pytest.mark.parametrize("wanted", [0.2, 0.25, 0.3999, 0.4, 0.41, 0.5, 0.65, 0.7])
def test_between_points_it_is_numpys_line_over_the_logarithm(wanted):
    expected = np.exp(np.interp(wanted, CURVE, np.log(COUNTS)))
    assert labels_worth.labels_needed(COUNTS, CURVE, wanted) == pytest.approx(expected)


def test_random_curves_are_read_as_numpy_reads_them():
    rng = np.random.default_rng(0)
    for _ in range(50):
        counts = np.sort(rng.choice(np.arange(1, 5000), 6, replace=False))
        curve = np.sort(rng.random(6))
        wanted = rng.uniform(curve[0], curve[-1])
        expected = np.exp(np.interp(wanted, curve, np.log(counts)))
        assert labels_worth.labels_needed(counts, curve, wanted) == pytest.approx(expected)


@pytest.mark.parametrize(("count", "accuracy"), [*zip(COUNTS, CURVE, strict=True)])
def test_a_measured_accuracy_needs_the_labels_that_gave_it(count, accuracy):
    assert labels_worth.labels_needed(COUNTS, CURVE, accuracy) == pytest.approx(count)


@pytest.mark.parametrize(
    ("curve", "wanted", "needed"),
    [
        (CURVE, 0.1, 25),  # already there with the fewest
        (CURVE, 0.71, None),
        ((0.2, 0.5, 0.3, 0.6), 0.5, 50),  # what falls counts as the best so far
        ((0.2, 0.5, 0.3, 0.6), 0.55, 200),  # from 0.5 with 100 on, not from 0.3
        ((0.2, 0.5, 0.5, 0.5), 0.5, 50),
        ((0.5, 0.4, 0.3, 0.2), 0.45, 25),
        ((0.5, 0.4, 0.3, 0.2), 0.51, None),
        ((0.3, 0.3, 0.3, 0.3), 0.3, 25),
    ],
)
def test_curves_that_fall_or_never_get_there(curve, wanted, needed):
    found = labels_worth.labels_needed(COUNTS, curve, wanted)
    assert found is None if needed is None else found == pytest.approx(needed)


def test_one_point_is_a_curve():
    assert labels_worth.labels_needed([100], [0.5], 0.5) == 100
    assert labels_worth.labels_needed([100], [0.5], 0.6) is None


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
        labels_worth.labels_needed(counts, curve, wanted)
    assert "Sort it by count" in str(found.value)


def runs(tuned, alone, counts=COUNTS) -> pandas.DataFrame:
    """Five seeds of both strategies; a strategy gives one curve, or one for each seed."""
    rows = []
    for strategy, curve in (("fine-tuning", tuned), ("from scratch", alone)):
        for seed, values in enumerate(np.broadcast_to(curve, (5, len(counts)))):
            for count, value in zip(counts, values, strict=True):
                row = {"task": "leaves", "labels": count, "strategy": strategy, "seed": seed}
                rows.append(row | {"test_accuracy": 0.0, "test_balanced": value})
    return pandas.DataFrame(rows[::-1])


def test_the_labels_of_each_seed():
    alone = np.array([CURVE] * 5)
    alone[3] = (0.5, 0.6, 0.7, 0.8)  # above 0.4 from the start
    alone[4] = (0.1, 0.2, 0.3, 0.39)  # never there
    found = labels_worth.times_the_labels(runs((0.4, 0.5, 0.6, 0.7), alone), "leaves", 25)
    assert [*found.columns] == ["seed", "accuracy", "needed", "times", "beyond"]
    assert found.seed.tolist() == [*range(5)] and found.accuracy.tolist() == [0.4] * 5
    assert found.needed.tolist() == pytest.approx([50, 50, 50, 25, 400])
    assert found.times.tolist() == pytest.approx([2, 2, 2, 1, 16])
    assert found.beyond.tolist() == [False] * 4 + [True]


def test_other_strategies_and_rates_that_were_not_chosen_do_not_count():
    frame = runs((0.4, 0.5, 0.6, 0.7), CURVE)
    others = frame.assign(strategy="head alone", test_balanced=0.9)
    untested = frame.assign(lr=1.0, test_accuracy=np.nan, test_balanced=np.nan)
    plain = labels_worth.times_the_labels(frame, "leaves", 50)
    noisy = labels_worth.times_the_labels(pandas.concat([frame, others, untested]), "leaves", 50)
    pandas.testing.assert_frame_equal(plain, noisy)
    back = labels_worth.times_the_labels(frame, "leaves", 100, "from scratch", "fine-tuning")
    assert back.needed.tolist() == pytest.approx([50] * 5)


def test_a_count_that_one_strategy_was_not_tried_with_is_left_out_of_its_curve():
    frame = runs((0.4, 0.5, 0.6, 0.7), CURVE)
    frame = frame[(frame.strategy == "fine-tuning") | (frame.labels != 100)]
    found = labels_worth.times_the_labels(frame, "leaves", 50)
    expected = np.exp(np.interp(0.5, (0.4, 0.7), np.log((50, 400))))
    assert found.needed.tolist() == pytest.approx([expected] * 5)


@pytest.mark.parametrize(
    ("task", "labels", "first"),
    [
        ("leaves", 77, "fine-tuning"),
        ("digits", 50, "fine-tuning"),
        ("leaves", 50, "head alone"),
    ],
)
def test_what_was_not_run_is_named(task, labels, first):
    with pytest.raises(store.UnknownName, match="no stored runs") as found:
        labels_worth.times_the_labels(runs(CURVE, CURVE), task, labels, first)
    stored = "none" if task == "digits" else "25, 50, 100, 400"
    assert f"Stored labels are {stored}" in str(found.value) and task in str(found.value)


def test_a_seed_without_its_partner_is_refused():
    frame = runs((0.4, 0.5, 0.6, 0.7), CURVE)
    lost = (frame.strategy == "fine-tuning") & (frame.labels == 50) & (frame.seed == 2)
    with pytest.raises(store.BadInput, match="none missing"):
        labels_worth.times_the_labels(frame[~lost], "leaves", 50)
    lost = (frame.strategy == "from scratch") & (frame.seed == 2)
    with pytest.raises(store.BadInput, match="none missing"):
        labels_worth.times_the_labels(frame[~lost], "leaves", 50)


def table(*times: float, beyond: int = 0) -> pandas.DataFrame:
    return pandas.DataFrame({"times": times, "beyond": [i < beyond for i in range(len(times))]})


def test_a_factor_is_a_geometric_mean_with_its_interval():
    times = (1.0, 2.0, 4.0, 8.0, 16.0)
    found = labels_worth.factor(table(*times))
    logs = evidence.paired(np.log(times), np.zeros(5))
    assert found.times == pytest.approx(4) and found.seeds == 5 and found.beyond == 0
    assert (found.low, found.high) == pytest.approx((np.exp(logs.low), np.exp(logs.high)))
    assert found.low < 4 < found.high
    assert str(found) == f"4.0 times [{found.low:.1f}, {found.high:.1f}], 5 seeds"


def test_turning_the_factors_round_turns_the_interval_round():
    times = np.array([1.5, 2.0, 2.5, 3.0, 4.0])
    found, back = labels_worth.factor(table(*times)), labels_worth.factor(table(*(1 / times)))
    assert (back.times, back.low, back.high) == pytest.approx(
        (1 / found.times, 1 / found.high, 1 / found.low)
    )


def test_a_lower_bound_says_so():
    found = labels_worth.factor(table(*[8.0] * 5, beyond=2))
    assert found.beyond == 2 and str(found) == "more than 8.0 times [8.0, 8.0], 5 seeds"


def test_a_factor_wants_five_seeds():
    with pytest.raises(store.BadInput, match="five or more"):
        labels_worth.factor(table(1.0, 2.0, 3.0, 4.0))


def epochs(tuned, alone, seconds=(1.0, 1.0)) -> pandas.DataFrame:
    rows = []
    both = zip(("fine-tuning", "from scratch"), (tuned, alone), seconds, strict=True)
    for strategy, values, each in both:
        for seed in range(5):
            for epoch, value in enumerate(values, 1):
                row = {"task": "leaves", "strategy": strategy, "seed": seed, "epoch": epoch}
                rows.append(row | {"val_accuracy": value, "seconds": each * epoch})
    return pandas.DataFrame(rows[::-1])


def test_epochs_are_counted_to_the_first_that_is_as_good():
    found = labels_worth.epochs_needed(
        epochs((0.3, 0.6, 0.5, 0.7), (0.1, 0.3, 0.6, 0.4, 0.6), (2.0, 1.0)), "leaves"
    )
    assert [*found.columns] == [
        *("seed", "wanted", "ours", "theirs", "times", "seconds_times", "missed"),
    ]
    assert found.seed.tolist() == [*range(5)] and found.wanted.tolist() == [0.6] * 5
    assert found.ours.tolist() == [2] * 5 and found.theirs.tolist() == [3] * 5
    assert found.times.tolist() == pytest.approx([1.5] * 5)
    assert found.seconds_times.tolist() == pytest.approx([3 / 4] * 5)
    assert not found.missed.any()


def test_from_scratch_is_counted_to_within_one_point_and_fine_tuning_in_full():
    found = labels_worth.epochs_needed(
        epochs((0.595, 0.6, 0.7), (0.3, 0.589, 0.591, 0.595, 0.6), (2.0, 1.0)), "leaves"
    )
    assert found.wanted.tolist() == [0.6] * 5
    assert found.ours.tolist() == [2] * 5 and found.theirs.tolist() == [3] * 5
    assert found.times.tolist() == pytest.approx([3 / 2] * 5)
    assert found.seconds_times.tolist() == pytest.approx([3 / 4] * 5)
    assert not found.missed.any()


def test_fine_tuning_that_is_never_as_good_is_marked():
    found = labels_worth.epochs_needed(
        epochs((0.3, 0.595), (0.1, 0.3, 0.6, 0.5), (5.0, 1.0)), "leaves"
    )
    assert found.missed.all()
    # as if it had taken all epochs from scratch, and their seconds
    assert found.ours.tolist() == [4] * 5 and found.theirs.tolist() == [3] * 5
    assert found.seconds_times.tolist() == pytest.approx([3 / 4] * 5)


def test_epochs_that_were_not_run_are_named():
    frame = epochs((0.3, 0.6), (0.1, 0.3))
    with pytest.raises(store.UnknownName, match="Choose from leaves"):
        labels_worth.epochs_needed(frame, "leafs")
    for left in ("fine-tuning", "from scratch"):
        with pytest.raises(store.UnknownName, match=f"Stored are {left}"):
            labels_worth.epochs_needed(frame[frame.strategy == left], "leaves")
