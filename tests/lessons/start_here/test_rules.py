"""The rule of lesson 00, on made-up runs."""

import pytest

from tl_course import store


@pytest.mark.parametrize(
    ("few", "many", "digits", "verdict", "says"),
    [
        (0.2, 0.3, 0.1, "holds", "helps on leaves and digits (+10.0 to +30.0 points)."),
        (0.2, -0.2, 0, "holds-when", "hurts on leaves (1,000 labels) (-20.0 points); helps"),
        (0, -0.2, -0.3, "does-not-hold", "hurts on digits and leaves (1,000 labels) (-30.0"),
        (0, 0, 0, "cannot-tell", "is unclear on leaves and digits."),
    ],
)
def test_fine_tuning_must_win_everywhere(judged, ahead, unsure, few, many, digits, verdict, says):
    more = {"leaves": {50: 0.4, 200: few, 1000: many}, "digits": {200: digits}}
    frame = ahead("fine-tuning", more)
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="fine-tuning")
    assert f"from scratch {says}" in judged("why-1", frame, verdict).sentence
    with pytest.raises(store.UnknownName, match="'from scratch'.*no stored run"):
        judged("why-1", frame[frame.strategy != "from scratch"])
