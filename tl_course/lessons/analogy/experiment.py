"""Experiments with readers of numbers."""

import html
import time
from collections.abc import Callable
from dataclasses import replace

import ipywidgets
import torch
from torch import nn

from tl_course import models, plots, store, tasks, train
from tl_course.lessons.analogy import charts
from tl_course.practice.experiment import Experiment
from tl_course.tasks import number_words

LABELS = (10, 30, 100, 300, 1000)
STEPS = 36  # so that both networks have learned within two seconds
RATES = (4e-3, 1.5e-2)  # pretrained, from scratch: what validation chose most often in the sweep
REDRAW = 0.6  # seconds between two pictures of a curve that grows
START = "quattrocentosettantadue"


def letter_by_letter(model: nn.Module, text: str) -> torch.Tensor:
    """Probabilities (L, 4, 10): what ``model`` answers after each letter of ``text``.

    ``text`` is read as ``number_words.folded`` gives it, of L letters.
    """
    text = number_words.folded(text)
    points = number_words.codes([text]).repeat(len(text), 1).tril()  # row i: i + 1 letters
    return train.predict(model, points)


def _title(source: str) -> str:
    return source.replace("_", " ").capitalize().replace("Spanish ", "Spanish, ")


def teach_italian(source: str = "spanish", labels: int = 30) -> Experiment:
    """Choose what a reader knows and how many Italian numbers it sees; type one and watch.

    Two networks are trained at once: one from the reader of ``source``, one from scratch. Raises
    ``UnknownName`` for a source that is not one of ``models.SOURCES``, and ``BadInput`` for a
    number of labels that is not one of ``LABELS``.
    """
    store.choose("source", source, models.SOURCES)
    if labels not in LABELS:
        raise store.BadInput(
            f"labels={labels!r}", "the slider has no such place", f"Choose from {LABELS}"
        )
    italian = tasks.load("numbers_italian")
    check = italian.test.take(range(500))
    chosen = ipywidgets.Dropdown(
        description="it knows",
        options=[(_title(name), name) for name in models.SOURCES],
        value=source,
    )
    count = ipywidgets.SelectionSlider(
        description="examples",
        options=[(f"{n:,}", n) for n in LABELS],
        value=labels,
        continuous_update=False,
    )
    teach = ipywidgets.Button(description="Teach it Italian", button_style="primary")
    line = ipywidgets.Text(
        description="read", value=START, continuous_update=False, layout={"width": "70%"}
    )
    curve, grid = ipywidgets.Image(format="png"), ipywidgets.Image(format="png")
    learnt, said = ipywidgets.HTML(), ipywidgets.HTML()
    state: dict = {"figure": None}

    def learn(_=None) -> None:
        teach.disabled = True
        try:
            few = italian.few(count.value, seed=0)
            seen = _texts(few.train.inputs)
            # a handful is repeated, and 50 are enough for a curve: looking takes time too
            again = few.train.take([*range(count.value)] * max(1, 128 // count.value))
            few = replace(few, train=again, val=few.val.take(range(50)))
            readers = {
                f"pretrained: {_title(chosen.value)}": _reader(chosen.value),
                "from scratch": _reader(None),
            }
            state.update(readers=readers, seen=seen)
            accuracies = {name: [] for name in readers}
            draw = _redraw(curve, accuracies)
            scores = {}
            for (name, model), lr in zip(readers.items(), RATES, strict=True):
                train.fit(
                    model,
                    few,
                    epochs=max(1, STEPS // -(-len(again) // 32)),
                    lr=lr,
                    watch=lambda _, now, to=accuracies[name]: (to.append(now.val_accuracy), draw()),
                    progress=False,
                )
                scores[name] = train.evaluate(model, check).accuracy
            draw(final=True)
            learnt.value = (
                "Of 500 Italian numbers neither has seen, read right: "
                + "; ".join(f"<b>{share:.0%}</b> ({html.escape(n)})" for n, share in scores.items())
                + "."
            )
            read() or show(START)  # text that is refused must not keep the old networks' picture
        except store.CourseError as error:
            learnt.value = html.escape(str(error))
        finally:
            teach.disabled = False

    def read(_=None) -> bool:
        """Whether what was typed could be read."""
        try:
            number = number_words.lookup(line.value, "italian")
            said.value = show(number_words.folded(line.value), number)
        except store.CourseError as error:
            said.value = html.escape(str(error))
            return False
        return True

    def show(text: str, number: int | None = None) -> str:
        answers = {name: letter_by_letter(m, text) for name, m in state["readers"].items()}
        state["figure"] = charts.reading(text, answers, state["figure"])
        grid.value = plots.png(state["figure"])
        return _sentence(text, number, answers, text in state["seen"])

    teach.on_click(learn)
    line.observe(read, "value")
    learn()
    controls = ipywidgets.HBox([chosen, count, teach])
    alt = f"{START}, letter by letter: the digits each of two networks would answer so far."
    return Experiment([controls, curve, learnt, line, grid, said], bytes(grid.value), alt)


def _reader(source: str | None) -> nn.Module:
    torch.manual_seed(0)
    return models.load(f"reader_{source or 'spanish'}", pretrained=source is not None)


def _texts(points: torch.Tensor) -> set[str]:
    return {"".join(chr(code) for code in row if code) for row in points.tolist()}


def _redraw(image: ipywidgets.Image, curves: dict) -> Callable:
    """A function that draws the growing curves, though not more often than the eye needs."""
    last = 0.0

    def draw(final: bool = False) -> None:
        nonlocal last
        if not final and time.monotonic() - last < REDRAW:
            return
        ax = plots.learning_curves(curves, xlabel="epoch", ax=plots.axes(8.0, 2.3))
        image.value = plots.png(ax.get_figure())
        last = time.monotonic()

    return draw


def _sentence(text: str, number: int | None, answers: dict, seen: bool) -> str:
    parts = []
    for name, values in answers.items():
        digits = values[-1].argmax(-1).tolist()
        answer = int("".join(map(str, digits)))
        sure = float(values[-1].amax(-1).prod())
        mark = "" if number is None else " ✓" if answer == number else " ✗"
        parts.append(f"{html.escape(name)} <b>{answer}</b>{mark} ({sure:.0%} sure)")
    spelt = html.escape(text)
    if number is None:
        start = f"“{spelt}” is no number in Italian, but these networks know nothing but numbers: "
    else:
        start = f"“{spelt}” is {number:,}"
        start += ", and it was among the examples: " if seen else ", which neither has seen: "
    return start + "; ".join(parts) + "."
