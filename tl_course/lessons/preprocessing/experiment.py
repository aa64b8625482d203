"""Experiments with a network that is fed wrongly: break it on purpose, or find the fault."""

import html
import random
from functools import lru_cache

import ipywidgets
import torch

from tl_course import models, tasks
from tl_course.lessons.preprocessing import checks, faults
from tl_course.lessons.preprocessing.charts import FeedingDesk, Symptoms, counts
from tl_course.practice.experiment import Experiment

LEAVES = 100
INPUTS = [name for name, fault in faults.FAULTS.items() if fault.part == "inputs"]
ANSWERS = [name for name, fault in faults.FAULTS.items() if fault.part == "answers"]
NAMES = {faults.RIGHT: "nothing is wrong", **{name: name for name in faults.FAULTS}}


class _Clinic:
    """The leaf doctor, 100 leaves, and what it answered in each way of being fed, once asked."""

    def __init__(self):
        self.leaves = tasks.load("leaves_128").test.take(range(LEAVES))
        self._doctor = models.load("leaf_doctor")
        self.classes = self._doctor.classes
        self._right = self._doctor.preprocess
        self._found: dict[tuple, Symptoms] = {}
        self._asked: dict[tuple, tuple] = {}
        given = counts(self._right(self.leaves.inputs))
        self.desk = FeedingDesk(self.leaves.inputs, self.classes, given)
        # folders give one class after the other, and somebody else may shuffle
        self._sorted = self.leaves.labels.argsort(stable=True)
        self._mixed = torch.randperm(LEAVES, generator=torch.Generator().manual_seed(1))

    def symptoms(self, fed: str, training: bool, answers: str) -> Symptoms:
        """``fed``: right or a fault of the inputs; ``answers``: right or a fault of the answers."""
        key = (fed, training, answers)
        if key not in self._found:
            labels = self.leaves.labels
            if answers != faults.RIGHT:
                labels = faults.renamed(self.leaves, answers, self.classes).labels
            seen, shares, least, most = self._ask((fed, None), self._look)
            found, changed = self._ask((fed, training), self._answer)
            self._found[key] = Symptoms(seen, shares, least, most, found, labels, changed)
        return self._found[key]

    def of(self, fault: str) -> Symptoms:
        """What one fault alone shows."""
        fed, answers = (fault if fault in part else faults.RIGHT for part in (INPUTS, ANSWERS))
        return self.symptoms(fed, fault == "training mode", answers)

    def _ask(self, key: tuple, find) -> tuple:
        if key not in self._asked:
            with torch.inference_mode():
                self._asked[key] = find(*key)
        return self._asked[key]

    def _look(self, fed: str, _) -> tuple:
        ready = faults.preparation(self._doctor, fed)(self.leaves.inputs)
        return self._right.undone(ready), counts(ready), float(ready.min()), float(ready.max())

    def _answer(self, fed: str, training: bool) -> tuple[torch.Tensor, int]:
        """Probabilities, and how many answers are others where the leaves come in another order."""
        if not training:  # each leaf is answered by itself
            return faults.logits(self._doctor, self.leaves.inputs, fed).softmax(1), 0
        try:
            self._doctor.preprocess = faults.preparation(self._doctor, fed)
            twice = [
                faults.logits(self._doctor, self.leaves.inputs[order], "training mode")[
                    order.argsort()
                ].softmax(1)
                for order in (self._sorted, self._mixed)
            ]
        finally:
            self._doctor.preprocess = self._right
        answers = [found.argmax(1) for found in twice]
        return twice[0], int((answers[0] != answers[1]).sum())

    def says(self, found: Symptoms, index: int) -> str:
        """The same as the figure shows, in words."""
        sure, answers = found.probabilities.max(1)
        right = float((answers == found.labels).float().mean())
        label, answer = (self.classes[int(row[index])] for row in (found.labels, answers))
        least, most = (f"{value:,.1f}".replace("-", "−") for value in (found.least, found.most))
        return (
            f"Leaf {index}: the file says <b>{html.escape(label)}</b>, the network "
            f"<b>{html.escape(answer)}</b> ({sure[index]:.2f}). On {LEAVES} leaves: "
            f"<b>{right:.0%}</b> right, confidence {sure.mean():.2f}. Numbers from {least} to "
            f"{most}. Asked again in another order, <b>{found.changed}</b> answers change."
        )


@lru_cache(maxsize=1)
def _clinic() -> _Clinic:
    return _Clinic()


def _leaf() -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(description="leaf", min=0, max=LEAVES - 1)


def _choice(description: str, names: list, width: str) -> ipywidgets.Dropdown:
    return ipywidgets.Dropdown(
        description=description,
        options=[(NAMES[name], name) for name in names],
        style={"description_width": "initial"},
        layout={"width": width},
    )


def broken_on_purpose() -> Experiment:
    """Choose faults, one of each part, and see what the leaf doctor sees and says.

    The picture, the numbers that reach the network, its answer, and accuracy and confusion matrix
    on 100 leaves. A fault is computed when it is first chosen, and kept.
    """
    clinic = _clinic()
    leaf = _leaf()
    fed = _choice("pictures:", [faults.RIGHT, *INPUTS], "17em")
    training = ipywidgets.Checkbox(
        description="model.eval() forgotten", indent=False, layout={"width": "max-content"}
    )
    answers = _choice("labels:", [faults.RIGHT, *ANSWERS], "18em")
    picture, said, told = ipywidgets.Image(format="png"), ipywidgets.HTML(), ipywidgets.HTML()

    def draw(_=None) -> None:
        found = clinic.symptoms(fed.value, training.value, answers.value)
        picture.value = clinic.desk.png(found, leaf.value)
        said.value = clinic.says(found, leaf.value)
        chosen = [fed.value, "training mode" if training.value else "", answers.value]
        faults = [faults.FAULTS[name] for name in chosen if name in faults.FAULTS]
        told.value = "Nothing is wrong. Choose a fault, or several."
        if faults:
            lines = [f"{fault.name}: {fault.cause}. Cure: {fault.cure}." for fault in faults]
            told.value = "<br>".join(map(html.escape, lines))

    for control in (leaf, fed, training, answers):
        control.observe(draw, "value")
    draw()
    alt = (
        "A leaf, the same as the network sees it, its answer, a histogram of the numbers that "
        "reach it, and the confusion matrix of 100 leaves, with nothing wrong."
    )
    controls = [ipywidgets.HBox([fed, training, answers]), leaf]
    return Experiment([*controls, picture, said, told], bytes(picture.value), alt)


def mystery_fault(seed: int | None = None) -> Experiment:
    """The leaf doctor with a fault that is drawn by chance and hidden: diagnose it.

    The panels of ``broken_on_purpose``, for as many leaves as you like. Only the first diagnosis
    of a case counts. All faults come once, and once nothing is wrong, before any comes again.
    ``seed`` draws them.
    """
    return _Mystery(random.Random(seed)).experiment


class _Mystery:
    """The controls, the case that is open, and the score."""

    def __init__(self, draw: random.Random):
        self._clinic, self._random, self._deck = _clinic(), draw, []
        self._cases, self._right = 0, 0
        self._build()
        self._admit()
        alt = (
            "A leaf, the same as the network sees it, its answer, a histogram of the numbers that "
            "reach it, and the confusion matrix of 100 leaves, with a fault to be found."
        )
        shown = [self._leaf, self._picture, self._said, self._row, self._told, self._score]
        self.experiment = Experiment(shown, bytes(self._picture.value), alt)

    def _build(self) -> None:
        self._leaf = _leaf()
        self._picture, self._said = ipywidgets.Image(format="png"), ipywidgets.HTML()
        self._told, self._score = ipywidgets.HTML(), ipywidgets.HTML()
        self._diagnosis = _choice("diagnosis:", [*NAMES], "22em")
        self._diagnosis.options = [("choose …", ""), *self._diagnosis.options]
        self._diagnosis.value = ""
        self._button = ipywidgets.Button(description="Diagnose", button_style="primary")
        self._next = ipywidgets.Button(description="Next case")
        self._row = ipywidgets.HBox([self._diagnosis, self._button, self._next])
        self._leaf.observe(self._draw, "value")
        self._button.on_click(self._judge)
        self._next.on_click(self._turn)

    def _admit(self) -> None:
        """Open the next case."""
        if not self._deck:
            self._deck = [*NAMES]
            self._random.shuffle(self._deck)
        self.fault, self._tries, self._solved = self._deck.pop(), 0, False
        self._diagnosis.value, self._button.disabled = "", False
        self._draw()

    def _draw(self, _=None) -> None:
        found = self._clinic.of(self.fault)
        self._picture.value = self._clinic.desk.png(found, self._leaf.value)
        self._said.value = self._clinic.says(found, self._leaf.value)

    def _judge(self, _) -> None:
        guess = self._diagnosis.value
        if not guess:
            self._told.value = "Choose a diagnosis first."
            return
        self._tries += 1
        told = checks.diagnose_fault(self.fault, guess)
        if told.startswith("Right"):
            self._solved, self._button.disabled = True, True
            told += self._cure()
        if self._tries == 1:
            self._cases += 1
            self._right += self._solved
        self._told.value = html.escape(told)
        self._count()

    def _cure(self) -> str:
        fault = faults.FAULTS.get(self.fault)
        return f" Cause: {fault.cause}. Cure: {fault.cure}." if fault else ""

    def _count(self) -> None:
        cases = "case" if self._cases == 1 else "cases"
        self._score.value = f"Right at once: <b>{self._right}</b> of {self._cases} {cases}."

    def _turn(self, _) -> None:
        told = ""
        if not self._solved:
            clue = checks.CLUES[self.fault]
            told = f"The last case was: {NAMES[self.fault]}. It showed: {clue}.{self._cure()}"
            self._cases += not self._tries
            self._count()
        self._told.value = html.escape(told)
        self._admit()
