"""What the check of an exercise said."""


def wrong(found: str, *parts: str) -> None:
    """Whether it says in one line that something is wrong, and what."""
    assert found.startswith("Not yet") and "\n" not in found, found
    for part in parts:
        assert part in found, (part, found)


def right(found: str) -> None:
    """Whether it says in one line that nothing is."""
    assert found.startswith("Right: ") and "\n" not in found, found
