"""Experiments with networks for pictures."""

import html
from collections.abc import Mapping
from typing import TYPE_CHECKING

import ipywidgets
from torch import nn

from tl_course import plots, store, train
from tl_course.lessons.start_here import charts
from tl_course.practice.experiment import Experiment

if TYPE_CHECKING:
    from tl_course.tasks import Task


def two_opinions(task: "Task", models: Mapping[str, nn.Module], pictures: int = 200) -> Experiment:
    """Pick a test picture; see what each network answers.

    ``models``: strategy to trained network. All answers to the first ``pictures`` test pictures
    are computed now, so that moving the slider only draws.
    """
    inputs, labels = task.test.inputs[:pictures], task.test.labels[:pictures]
    if not len(labels) or not models:
        raise store.BadInput(
            "two_opinions", "it has no pictures or no networks to show", "Pass at least one of each"
        )
    shown = [html.escape(name) for name in task.classes]
    opinions = {name: train.predict(model, inputs) for name, model in models.items()}
    figure = None
    slider = ipywidgets.IntSlider(
        description="picture", min=0, max=len(labels) - 1, layout={"width": "60%"}
    )
    number = ipywidgets.BoundedIntText(min=0, max=len(labels) - 1, layout={"width": "80px"})
    only = ipywidgets.Dropdown(
        description="show", options=["all pictures", "where they disagree"], value="all pictures"
    )
    picture, sentence = ipywidgets.Image(format="png"), ipywidgets.HTML()
    first, *_ = guesses = [values.argmax(1) for values in opinions.values()]
    differ = sum((guess != first).int() for guess in guesses).bool().nonzero()[:, 0].tolist()
    chosen = {"all pictures": [*range(len(labels))], "where they disagree": differ}

    def draw(_=None) -> None:
        nonlocal figure
        index = chosen[only.value][slider.value]
        here = {name: values[index] for name, values in opinions.items()}
        truth = int(labels[index])
        figure = charts.answers(inputs[index], here, task.classes, truth, figure)
        picture.value = plots.png(figure)
        said = [
            f"{html.escape(name)} says <b>{shown[int(values.argmax())]}</b> "
            f"({float(values.max()):.0%})"
            for name, values in here.items()
        ]
        sentence.value = f"Picture {index} shows <b>{shown[truth]}</b>: {'; '.join(said)}."

    def limit(_) -> None:
        last = max(len(chosen[only.value]) - 1, 0)
        slider.value = number.value = 0
        slider.max = number.max = last
        draw()

    if not differ:
        only.disabled = True
    ipywidgets.link((slider, "value"), (number, "value"))
    slider.observe(draw, "value")
    only.observe(limit, "value")
    draw()
    controls = ipywidgets.HBox([slider, number, only])
    alt = "One test picture, and the probabilities each network gives to every condition."
    return Experiment([controls, picture, sentence], bytes(picture.value), alt)
