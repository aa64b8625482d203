"""Playing with an experiment: its controls are set by name, and what it says is heard."""

import time


def play(experiment, **values) -> str:
    """Set controls, one after the other; gives what is said then."""
    for name, value in values.items():
        experiment.controls[name].value = value
    return experiment.places["said"].value


def press(experiment, name: str) -> str:
    """Press a button and wait until what it runs has ended; gives what is told then."""
    experiment.controls[name].click()
    deadline = time.monotonic() + 120
    while experiment.busy and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not experiment.busy
    return experiment.told.value
