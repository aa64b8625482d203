"""Experiments with learning by heart: a laboratory of cures, and curves to be told apart."""

import html
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

import ipywidgets

from tl_course import plots, tasks, train
from tl_course.lessons.overfitting import charts, curves, recipe
from tl_course.practice.experiment import Experiment, choice, seldom, steps

if TYPE_CHECKING:
    from torch import nn

    from tl_course.train import History

MOST = 3000  # pictures in all, labels times epochs: about ten seconds on two slow cores
EPOCHS = 30
LABELS = (25, 50, 100, 200)
FROZEN = {
    "nothing": "",
    "to layer1": "layer1",
    "to layer2": "layer2",
    "to layer3": "layer3",
    "all but the head": "layer4",
}
KEPT = 3  # earlier runs that stay in view
REDRAW = 0.4  # seconds between two pictures while it trains


@dataclass(frozen=True)
class _Setting:
    """What was chosen for a run."""

    labels: int = 100
    frozen: str = "nothing"
    decay: float = 0.0
    augment: bool = False
    dropout: float = 0.0
    epochs: int = EPOCHS

    def changes(self) -> dict:
        """As ``recipe.learn`` takes them."""
        return {
            "frozen": FROZEN[self.frozen],
            "weight_decay": self.decay,
            "augment": self.augment,
            "dropout": self.dropout,
            "epochs": self.epochs,
        }

    def __str__(self) -> str:
        parts = [f"{self.labels} labels", f"frozen: {self.frozen}", f"{self.epochs} epochs"]
        parts += [f"weight decay {self.decay:g}"] if self.decay else []
        parts += ["augmented"] if self.augment else []
        parts += [f"dropout {self.dropout:g}"] if self.dropout else []
        return ", ".join(parts)


@dataclass
class _Run:
    """A run that has ended, and what the test set said of it, once it was opened."""

    history: "History"
    known: float  # accuracy on the training leaves afterwards, nothing dropped or augmented
    model: "nn.Module | None" = None
    tested: float | None = None


def lab(first: "History | None" = None) -> Experiment:
    """Choose labels, frozen stages and restraints; train on leaves, see both pairs of curves grow.

    Every run starts alike (seed 0) and keeps its last epoch; a setting trains at most 3,000
    pictures, labels times epochs. The last three runs stay in view. The test set has a button of
    its own, which opens it once for each setting and counts. ``first``: the history of the recipe
    as it stands, 100 labels and 30 epochs, to begin with.
    """
    return _Lab(first).experiment


class _Lab:
    """The runs so far, and the experiment that shows them."""

    def __init__(self, first: "History | None"):
        self._runs: dict[_Setting, _Run] = {}
        self._earlier: deque[History] = deque(maxlen=KEPT)
        self._now: _Setting | None = None
        self._opened, self._figure = 0, None
        if first is not None:
            self._now = _Setting()
            self._runs[self._now] = _Run(first, max(first.train_accuracy[-1:], default=0.0))
        self._epochs = ipywidgets.IntSlider(
            description="epochs", min=1, max=EPOCHS, value=EPOCHS, continuous_update=False
        )
        self._open = ipywidgets.Button(description="Open the test set", button_style="warning")
        self.experiment = Experiment(
            [
                {
                    "labels": steps("labels", LABELS, value=100),
                    "frozen": choice("frozen", [*FROZEN]),
                    "epochs": self._epochs,
                },
                {
                    "decay": steps("weight decay", (0.0, 0.1, 1.0, 10.0), "{:g}".format),
                    "dropout": steps("dropout", (0.0, 0.25, 0.5, 0.75), "{:g}".format),
                    "augment": ipywidgets.Checkbox(description="augment", indent=False),
                },
                {
                    "train": ipywidgets.Button(description="Train", button_style="primary"),
                    "stop": ipywidgets.Button(description="Stop", disabled=True),
                    "open": self._open,
                },
                {"picture": bytes, "said": str, "tested": str},
            ],
            self._speak,
            "Loss and accuracy by epoch, on training and on validation leaves, of the last run.",
            on={"labels": self._limit},
            run={"train": self._learn, "open": self._test},
            cached=False,
        )
        run = self._runs.get(self._now)
        self._draw(run.history if run else {}, str(self._now) if run else "")

    def _limit(self, labels: int) -> None:
        self._epochs.max = min(EPOCHS, MOST // labels)

    def _learn(self, **chosen) -> None:
        setting, seen = _Setting(**chosen), []
        self.experiment.show(said=f"Training: {setting} …")
        last = self._runs.get(self._now)
        if last and last.history not in self._earlier:  # it is where a training has stopped
            self._earlier.append(last.history)

        @seldom(REDRAW)
        def growing(number: int) -> None:
            columns = dict(zip(train.Epoch._fields, zip(*seen, strict=True), strict=True))
            self._draw(columns, epochs=setting.epochs)
            self.experiment.show(
                said=f"Epoch {number} of {setting.epochs}: training "
                f"{seen[-1].train_accuracy:.0%}, validation {seen[-1].val_accuracy:.0%} …"
            )

        def watch(number: int, epoch: train.Epoch) -> None:
            seen.append(epoch)
            if self.experiment.stopping:
                raise KeyboardInterrupt  # which fit takes as the wish to end
            growing(number)

        task = tasks.load("leaves").few(setting.labels, seed=0)
        model, history = recipe.learn(task, 0, watch, **setting.changes())
        known = train.evaluate(model, task.train).accuracy
        tested = self._runs[setting].tested if setting in self._runs else None
        for run in self._runs.values():
            run.model = None  # only the last network is kept
        self._now = setting
        self._runs[setting] = _Run(history, known, None if history.stopped else model, tested)
        self._draw(history, str(setting))

    def _test(self) -> None:
        run = self._runs[self._now]
        self._opened += 1
        run.tested = train.evaluate(run.model, tasks.load("leaves").test).accuracy

    def _draw(self, curves: "History | dict", title: str = "", epochs: int = 0) -> None:
        self._figure = charts.fit_curves(curves, [*self._earlier], title, self._figure, epochs)
        self.experiment.show(picture=plots.png(self._figure))

    def _speak(self, **chosen) -> dict:
        """What the last run gave, and whether the controls still stand as they did for it."""
        run, moved = self._runs.get(self._now), self._now != _Setting(**chosen)
        ready = run is not None and run.model is not None and run.tested is None
        self._open.disabled = moved or not ready
        said = "Press <b>Train</b>." if run is None else _sentence(self._now, run, moved)
        return {"said": said, "tested": _count(self._opened)}


def _sentence(setting: _Setting, run: _Run, moved: bool) -> str:
    """What a run gave, as HTML."""
    history, text = run.history, f"{setting}: "
    if not history.val_accuracy:
        return f"{text}{html.escape(history.stopped or 'no epoch ended')}."
    val = history.val_accuracy[-1]
    text += (
        f"training <b>{run.known:.0%}</b>, validation <b>{val:.0%}</b>, a gap of "
        f"{100 * (run.known - val):.0f} points. Validation loss {history.val_loss[-1]:.2f}, "
        f"at its lowest {min(history.val_loss):.2f}. {history.seconds:.1f} s."
    )
    if run.known > history.train_accuracy[-1] + 0.02:
        text += (
            f" While it learned, training was at {history.train_accuracy[-1]:.0%}: then the "
            "pictures were changed, or features dropped."
        )
    if history.stopped:
        asked = history.stopped.startswith("interrupted")
        text += f" {'You stopped it' if asked else html.escape(history.stopped)}: the test set "
        text += "stays closed for a run that did not end."
    if run.tested is not None:
        text += f" Test <b>{run.tested:.0%}</b>."
    if moved:
        text += " The controls have moved since: press <b>Train</b>."
    return text


def _count(opened: int) -> str:
    if not opened:
        return "The test set is closed."
    text = f"The test set was opened <b>{'once' if opened == 1 else f'{opened} times'}</b>."
    if opened > 1:
        text += " If you choose by what it says, it is a second validation set."
    return text


def which_is_overfitting() -> Experiment:
    """Six pairs of curves from real runs: choose one, say what is wrong with it, hear why.

    The runs are trained now, from features of leaves and digits, within seconds.
    """
    cases = curves.curve_cases()
    picture = plots.small_png(charts.curve_cases({c.title: c.curves for c in cases.values()}))
    diagnoses = choice("show", [*curves.LOOKS], undecided=True, layout={"width": "max-content"})
    right: set[str] = set()

    def turn(letter: str) -> None:
        diagnoses.value = ""

    def answer(letter: str, diagnosis: str) -> str:
        if not diagnosis:
            return "Choose what the curves show first."
        found = curves.diagnose(letter, diagnosis)
        if found.startswith("Right"):
            right.add(letter)
        return f"{letter}, {diagnosis}. {found}"

    def draw() -> dict:
        known = ", ".join(sorted(right)) or "none"
        return {"picture": picture, "score": f"Right so far: {known} of {len(cases)}."}

    letters = ipywidgets.ToggleButtons(
        description="curves", options=[*cases], style={"button_width": "50px"}
    )
    return Experiment(
        [
            {"picture": bytes},
            {"letter": letters},
            {"diagnosis": diagnoses, "answer": ipywidgets.Button(description="Answer")},
            {"score": str},
        ],
        draw,
        "Six pairs of curves, A to F: loss and accuracy by epoch in training and validation. "
        "One overfits, one underfits, one is fine, and three have other troubles.",
        on={"letter": turn, "answer": answer},
    )
