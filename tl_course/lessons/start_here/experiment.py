"""Experiments with networks for pictures."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import nn

from tl_course import plots, store, train
from tl_course.lessons.start_here import charts
from tl_course.practice.experiment import Experiment, Slider, choice

if TYPE_CHECKING:
    from tl_course.tasks import Task


def two_opinions(task: "Task", models: Mapping[str, nn.Module], pictures: int = 200) -> Experiment:
    """Pick a test picture; see what each network answers. It begins where they disagree.

    ``models``: strategy to trained network. All answers to the first ``pictures`` test pictures
    are computed now, so that moving the slider only draws. Where networks disagree, those come
    first of which the first network is right.
    """
    inputs, labels = task.test.inputs[:pictures], task.test.labels[:pictures]
    if not len(labels) or not models:
        raise store.BadInput(
            "two_opinions", "it has no pictures or no networks to show", "Pass at least one of each"
        )
    opinions = {name: train.predict(model, inputs) for name, model in models.items()}
    first, *_ = guesses = [values.argmax(1) for values in opinions.values()]
    differ = sum((guess != first).int() for guess in guesses).bool().nonzero()[:, 0].tolist()
    differ.sort(key=lambda place: bool(first[place] != labels[place]))
    offered = {"where they disagree": differ} if differ else {}
    offered["all pictures"] = [*range(len(labels))]
    slider = Slider("picture", 0, len(labels) - 1, width="60%")
    only = choice("show", [*offered], disabled=not differ)
    names, figure = [html.escape(name) for name in task.classes], None

    def limit(only: str) -> None:
        slider.value, slider.max = 0, max(len(offered[only]) - 1, 0)

    def draw(place: int, only: str) -> dict:
        nonlocal figure
        index = offered[only][place]
        here = {name: values[index] for name, values in opinions.items()}
        truth = int(labels[index])
        figure = charts.answers(inputs[index], here, task.classes, truth, figure)
        said = [
            f"{html.escape(name)} says <b>{names[values.argmax()]}</b> ({values.max():.0%})"
            for name, values in here.items()
        ]
        text = f"Picture {index} shows <b>{names[truth]}</b>: {'; '.join(said)}."
        return {"picture": plots.png(figure), "said": text}

    alt = "One test picture, and the probabilities each network gives to every class."
    return Experiment([{"place": slider, "only": only}], draw, alt, on={"only": limit})
