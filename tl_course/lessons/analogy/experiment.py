"""Experiments with readers of numbers."""

import html
from dataclasses import replace

import ipywidgets
import torch
from torch import nn

from tl_course import models, plots, store, tasks, train
from tl_course.lessons.analogy import charts
from tl_course.practice.experiment import Experiment, choice, seldom, steps
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
    readers, seen, figure = {}, set(), None

    def learn(source: str, examples: int) -> None:
        nonlocal readers, seen
        few = italian.few(examples, seed=0)
        words = {"".join(chr(code) for code in row if code) for row in few.train.inputs.tolist()}
        # a handful is repeated, and 50 are enough for a curve: looking takes time too
        again = few.train.take([*range(examples)] * max(1, 128 // examples))
        few = replace(few, train=again, val=few.val.take(range(50)))
        pupils = {f"pretrained: {_title(source)}": _reader(source), "from scratch": _reader(None)}
        curves = {name: [] for name in pupils}

        def draw() -> None:
            ax = plots.learning_curves(curves, xlabel="epoch", ax=plots.axes(8.0, 2.3))
            experiment.show(curve=plots.png(ax.get_figure()))

        growing, scores = seldom(REDRAW)(draw), []
        for (name, model), lr in zip(pupils.items(), RATES, strict=True):
            train.fit(
                model,
                few,
                epochs=max(1, STEPS // -(-len(again) // 32)),
                lr=lr,
                watch=lambda _, now, to=curves[name]: (to.append(now.val_accuracy), growing()),
                progress=False,
            )
            scores.append(f"<b>{train.evaluate(model, check).accuracy:.0%}</b> ({name})")
        draw()
        readers, seen = pupils, words  # all or nothing: a training may stop
        text = f"Of 500 Italian numbers neither has seen, read right: {'; '.join(scores)}."
        # text that is refused must not keep the old networks' picture
        experiment.show(learnt=text, grid=show(START)[0])

    def show(text: str, number: int | None = None) -> tuple[bytes, str]:
        nonlocal figure
        answers = {name: letter_by_letter(model, text) for name, model in readers.items()}
        figure = charts.reading(text, answers, figure)
        return plots.png(figure), _sentence(text, number, answers, text in seen)

    def read(line: str) -> dict:
        if not readers:
            return {}
        try:
            number = number_words.lookup(line, "italian")
            grid, said = show(number_words.folded(line), number)
        except store.CourseError as error:  # the picture stays
            return {"said": html.escape(str(error))}
        return {"grid": grid, "said": said}

    chosen = {
        "source": choice("it knows", {_title(name): name for name in models.SOURCES}, value=source),
        "examples": steps("examples", LABELS, "{:,}".format, value=labels),
        "teach": ipywidgets.Button(description="Teach it Italian", button_style="primary"),
    }
    line = ipywidgets.Text(
        description="read", value=START, continuous_update=False, layout={"width": "70%"}
    )
    experiment = Experiment(
        [chosen, {"curve": bytes, "learnt": str}, {"line": line}, {"grid": bytes, "said": str}],
        read,
        f"{START}, letter by letter: the digits each of two networks would answer so far.",
        run={"teach": learn},
    )
    chosen["teach"].click()
    return experiment


def _title(source: str) -> str:
    return source.replace("_", " ").capitalize().replace("Spanish ", "Spanish, ")


def _reader(source: str | None) -> nn.Module:
    torch.manual_seed(0)
    return models.load(f"reader_{source or 'spanish'}", pretrained=source is not None)


def _sentence(text: str, number: int | None, answers: dict, seen: bool) -> str:
    parts = []
    for name, values in answers.items():
        digits = values[-1].argmax(-1).tolist()
        answer = int("".join(map(str, digits)))
        sure = float(values[-1].amax(-1).prod())
        mark = "" if number is None else " ✓" if answer == number else " ✗"
        parts.append(f"{name} <b>{answer}</b>{mark} ({sure:.0%} sure)")
    spelt = html.escape(text)
    if number is None:
        start = f"“{spelt}” is no number in Italian, but these networks know nothing but numbers: "
    else:
        start = f"“{spelt}” is {number:,}"
        start += ", and it was among the examples: " if seen else ", which neither has seen: "
    return start + "; ".join(parts) + "."
