"""The rule of lesson 00, on made-up runs."""

import pytest

from tl_course import store


@pytest.mark.parametrize(
    ("leaves", "digits", "verdict", "says"),
    [
        ((0.2, 0.3), 0.1, "holds", "helps on leaves and digits (+10.0 to +30.0"),
        ((0.2, -0.2), 0.0, "holds-when", "hurts on leaves (1,000 labels) (-20.0 points); helps on"),
        ((0.0, -0.2), -0.3, "does-not-hold", "hurts on leaves (1,000 labels) and digits (-30.0"),
        ((0.0, 0.0), 0.0, "cannot-tell", "cannot be told on leaves and digits."),
    ],
)
def test_fine_tuning_must_win_on_each_task(judged, ahead, unsure, leaves, digits, verdict, says):
    more = {"leaves": {50: 0.4} | dict(zip((200, 1000), leaves, strict=True))}
    frame = ahead("fine-tuning", more | {"digits": {200: digits}})
    unsure(frame, 0.1 * (verdict == "cannot-tell"), strategy="fine-tuning")
    found = judged("why-1", frame, verdict)
    assert f" from scratch {says}" in found.sentence and len(found.contrasts) == 3
    with pytest.raises(store.UnknownName, match="'from scratch'.*no stored run"):
        judged("why-1", frame[frame.strategy != "from scratch"])
