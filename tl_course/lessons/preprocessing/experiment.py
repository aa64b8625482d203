"""Experiments with a network that is fed wrongly: break it on purpose, or find the fault."""

import html
import random
from collections.abc import Iterator
from functools import cache

import ipywidgets
import torch

from tl_course import models, tasks
from tl_course.lessons.preprocessing import clues, faults
from tl_course.lessons.preprocessing.charts import FeedingDesk, Symptoms, counts
from tl_course.practice.experiment import Experiment, choice

LEAVES = 100
INPUTS = [name for name, fault in faults.FAULTS.items() if fault.part == "inputs"]
ANSWERS = [name for name, fault in faults.FAULTS.items() if fault.part == "answers"]
NAMES = {faults.RIGHT: "nothing is wrong", **{name: name for name in faults.FAULTS}}
PANELS = (
    "A leaf, the same as the network sees it, its answer, a histogram of the numbers that reach "
    "it, and the confusion matrix of 100 leaves"
)


class _Clinic:
    """The leaf doctor, 100 leaves, and what it answered in each way of being fed, once asked."""

    def __init__(self):
        self.leaves = tasks.load("leaves_128").test.take(range(LEAVES))
        self._doctor = models.load("leaf_doctor")
        self.classes = self._doctor.classes
        self._right = self._doctor.preprocess
        given = counts(self._right(self.leaves.inputs))
        self.desk = FeedingDesk(self.leaves.inputs, self.classes, given)
        # folders give one class after the other, and somebody else may shuffle
        self._sorted = self.leaves.labels.argsort(stable=True)
        self._mixed = torch.randperm(LEAVES, generator=torch.Generator().manual_seed(1))
        kept = self.symptoms, self._look, self._answer
        self.symptoms, self._look, self._answer = map(cache, kept)

    def symptoms(self, fed: str, training: bool, answers: str) -> Symptoms:
        """``fed``: right or a fault of the inputs; ``answers``: right or a fault of the answers."""
        labels = self.leaves.labels
        if answers != faults.RIGHT:
            labels = faults.renamed(self.leaves, answers, self.classes).labels
        found, changed = self._answer(fed, training)
        return Symptoms(*self._look(fed), found, labels, changed)

    def of(self, fault: str) -> Symptoms:
        """What one fault alone shows."""
        fed, answers = (fault if fault in part else faults.RIGHT for part in (INPUTS, ANSWERS))
        return self.symptoms(fed, fault == "training mode", answers)

    def _look(self, fed: str) -> tuple:
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

    def shown(self, found: Symptoms, index: int) -> dict:
        """The figure, and the same in words."""
        sure, answers = found.probabilities.max(1)
        right = float((answers == found.labels).float().mean())
        label, answer = (self.classes[int(row[index])] for row in (found.labels, answers))
        least, most = (f"{value:,.1f}".replace("-", "−") for value in (found.least, found.most))
        said = (
            f"Leaf {index}: the file says <b>{label}</b>, the network <b>{answer}</b> "
            f"({sure[index]:.2f}). On {LEAVES} leaves: <b>{right:.0%}</b> right, confidence "
            f"{sure.mean():.2f}. Numbers from {least} to {most}. Asked again in another order, "
            f"<b>{found.changed}</b> answers change."
        )
        return {"picture": self.desk.png(found, index), "said": said}


@cache
def _clinic() -> _Clinic:
    return _Clinic()


def _leaf() -> ipywidgets.IntSlider:
    return ipywidgets.IntSlider(description="leaf", min=0, max=LEAVES - 1)


def _choice(description: str, names: list, width: str, **more) -> ipywidgets.Dropdown:
    more |= {"style": {"description_width": "initial"}, "layout": {"width": width}}
    return choice(description, {NAMES[name]: name for name in names}, **more)


def broken_on_purpose() -> Experiment:
    """Choose faults, one of each part, and see what the leaf doctor sees and says.

    The picture, the numbers that reach the network, its answer, and accuracy and confusion matrix
    on 100 leaves. A fault is computed when it is first chosen, and kept.
    """
    clinic = _clinic()

    def draw(fed: str, training: bool, answers: str, leaf: int) -> dict:
        chosen = [fed, "training mode" if training else "", answers]
        wrong = [faults.FAULTS[name] for name in chosen if name in faults.FAULTS]
        lines = [f"{fault.name}: {fault.cause}. Cure: {fault.cure}." for fault in wrong]
        cures = "<br>".join(map(html.escape, lines))
        cures = cures or "Nothing is wrong. Choose a fault, or several."
        return clinic.shown(clinic.symptoms(fed, training, answers), leaf) | {"cures": cures}

    controls = {
        "fed": _choice("pictures:", [faults.RIGHT, *INPUTS], "17em"),
        "training": ipywidgets.Checkbox(
            description="model.eval() forgotten", indent=False, layout={"width": "max-content"}
        ),
        "answers": _choice("labels:", [faults.RIGHT, *ANSWERS], "18em"),
    }
    rows = [controls, {"leaf": _leaf()}, {"picture": bytes, "said": str, "cures": str}]
    return Experiment(rows, draw, f"{PANELS}, with nothing wrong.")


def mystery_fault(seed: int | None = None) -> Experiment:
    """The leaf doctor with a fault that is drawn by chance and hidden: diagnose it.

    The panels of ``broken_on_purpose``, for as many leaves as you like. Only the first diagnosis
    of a case counts. All faults come once, and once nothing is wrong, before any comes again.
    ``seed`` draws them.
    """
    return _mystery(_Game(random.Random(seed)))


def _mystery(game: "_Game") -> Experiment:
    clinic = _clinic()
    choice = _choice("diagnosis:", [*NAMES], "22em", undecided=True)
    button = ipywidgets.Button(description="Diagnose", button_style="primary")

    def draw(leaf: int) -> dict:
        return clinic.shown(clinic.of(game.fault), leaf) | {"score": game.score()}

    def judge(diagnosis: str) -> str:
        told = game.judge(diagnosis)
        button.disabled = game.solved
        return told

    def turn() -> str:
        choice.value, button.disabled = "", False
        return game.turn()

    row = {
        "diagnosis": choice,
        "diagnose": button,
        "next": ipywidgets.Button(description="Next case"),
    }
    rows = [{"leaf": _leaf()}, {"picture": bytes, "said": str}, row, {"score": str}]
    alt = f"{PANELS}, with a fault to be found."
    return Experiment(rows, draw, alt, on={"diagnose": judge, "next": turn})


class _Game:
    """The case that is open, and the score."""

    def __init__(self, draw: random.Random):
        self._faults = _shuffled(draw)
        self._cases, self._right = 0, 0
        self._open()

    def _open(self) -> None:
        self.fault, self.solved, self._tries = next(self._faults), False, 0

    def judge(self, guess: str) -> str:
        """What is told to a diagnosis."""
        if not guess:
            return "Choose a diagnosis first."
        self._tries += 1
        told = clues.diagnose_fault(self.fault, guess)
        self.solved = told.startswith("Right")
        if self._tries == 1:
            self._cases += 1
            self._right += self.solved
        return told + self._cure() if self.solved else told

    def turn(self) -> str:
        """What is told when the next case is wanted."""
        told = ""
        if not self.solved:
            clue = clues.CLUES[self.fault]
            told = f"The last case was: {NAMES[self.fault]}. It showed: {clue}.{self._cure()}"
            self._cases += not self._tries
        self._open()
        return told

    def score(self) -> str:
        """As HTML; empty before the first case is over."""
        if not self._cases:
            return ""
        cases = "case" if self._cases == 1 else "cases"
        return f"Right at once: <b>{self._right}</b> of {self._cases} {cases}."

    def _cure(self) -> str:
        fault = faults.FAULTS.get(self.fault)
        return f" Cause: {fault.cause}. Cure: {fault.cure}." if fault else ""


def _shuffled(draw: random.Random) -> Iterator[str]:
    while True:
        deck = [*NAMES]
        draw.shuffle(deck)
        yield from reversed(deck)
