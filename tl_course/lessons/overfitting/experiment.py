"""Experiments with learning by heart: a laboratory of cures, and curves to be told apart."""

import html
import threading
import time
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import ipywidgets

from tl_course import plots, store, tasks, train
from tl_course.lessons.overfitting import charts, checks, recipe
from tl_course.practice.experiment import Experiment

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
    """The controls, the runs so far, and the thread in which one trains."""

    def __init__(self, first: "History | None"):
        self._runs: dict[_Setting, _Run] = {}
        self._earlier: deque[History] = deque(maxlen=KEPT)
        self._now: _Setting | None = None
        self._opened, self._running, self._stopping, self._figure = 0, False, False, None
        if first is not None:
            self._now = _Setting()
            self._runs[self._now] = _Run(first, max(first.train_accuracy[-1:], default=0.0))
        self._build()
        self._limit()
        self._draw()
        self._speak()
        parts = [self._picture, self._said, self._tested]
        alt = "Loss and accuracy by epoch, on training and on validation leaves, of the last run."
        self.experiment = Experiment([*self._rows, *parts], bytes(self._picture.value), alt)

    def _build(self) -> None:
        wide = {"description_width": "initial"}

        def slider(name: str, options: tuple, value, shown=str) -> ipywidgets.SelectionSlider:
            return ipywidgets.SelectionSlider(
                description=name,
                options=[(shown(option), option) for option in options],
                value=value,
                style=wide,
                continuous_update=False,
            )

        self._controls = {
            "labels": slider("labels", LABELS, 100),
            "frozen": ipywidgets.Dropdown(description="frozen", options=[*FROZEN], style=wide),
            "epochs": ipywidgets.IntSlider(
                description="epochs", min=1, max=EPOCHS, value=EPOCHS, continuous_update=False
            ),
            "decay": slider("weight decay", (0.0, 0.1, 1.0, 10.0), 0.0, "{:g}".format),
            "dropout": slider("dropout", (0.0, 0.25, 0.5, 0.75), 0.0, "{:g}".format),
            "augment": ipywidgets.Checkbox(description="augment", indent=False),
        }
        self._train = ipywidgets.Button(description="Train", button_style="primary")
        self._stop = ipywidgets.Button(description="Stop", disabled=True)
        self._open = ipywidgets.Button(
            description="Open the test set", button_style="warning", disabled=True
        )
        self._picture, self._said = ipywidgets.Image(format="png"), ipywidgets.HTML()
        self._tested = ipywidgets.HTML()
        first = [self._controls[name] for name in ("labels", "frozen", "epochs")]
        second = [self._controls[name] for name in ("decay", "dropout", "augment")]
        buttons = [self._train, self._stop, self._open]
        self._rows = [ipywidgets.HBox(row) for row in (first, second, buttons)]
        self._controls["labels"].observe(self._limit, "value")
        for control in self._controls.values():
            control.observe(self._speak, "value")
        self._train.on_click(self._begin)
        self._stop.on_click(self._end)
        self._open.on_click(self._test)

    @property
    def _chosen(self) -> _Setting:
        names = [field.name for field in fields(_Setting)]
        return _Setting(**{name: self._controls[name].value for name in names})

    def _limit(self, _=None) -> None:
        most = min(EPOCHS, MOST // self._controls["labels"].value)
        self._controls["epochs"].max = most

    def _busy(self, busy: bool) -> None:
        for control in (*self._controls.values(), self._train):
            control.disabled = busy
        self._stop.disabled = not busy

    def _begin(self, _) -> None:
        if self._running:  # a second click, made before the button was disabled
            return
        setting = self._chosen
        self._running, self._stopping = True, False
        self._busy(True)
        self._open.disabled = True
        # a thread of its own, else the kernel would hear of "Stop" only when all is over
        threading.Thread(target=self._learn, args=(setting,), daemon=True).start()

    def _end(self, _) -> None:
        self._stopping = True
        self._stop.disabled = True

    def _learn(self, setting: _Setting) -> None:
        seen: list[train.Epoch] = []
        drawn = time.monotonic()

        def watch(number: int, epoch: train.Epoch) -> None:
            nonlocal drawn
            seen.append(epoch)
            if self._stopping:
                raise KeyboardInterrupt  # which fit takes as the wish to end
            if time.monotonic() - drawn > REDRAW:
                self._say(
                    f"Epoch {number} of {setting.epochs}: training {epoch.train_accuracy:.0%}, "
                    f"validation {epoch.val_accuracy:.0%} …"
                )
                columns = zip(*seen, strict=True)
                growing = dict(zip(train.Epoch._fields, columns, strict=True))
                self._draw(growing, setting.epochs)
                drawn = time.monotonic()

        try:
            self._say(f"Training: {setting} …")
            if self._now is not None:
                self._earlier.append(self._runs[self._now].history)
            task = tasks.load("leaves").few(setting.labels, seed=0)
            model, history = recipe.learn(task, 0, watch, **setting.changes())
            known = train.evaluate(model, task.train).accuracy
            old = self._runs.get(setting)
            tested = old.tested if old else None
            self._now = setting
            kept = None if history.stopped else model
            self._runs[setting] = _Run(history, known, kept, tested)
            for other, run in self._runs.items():
                if other != setting:
                    run.model = None  # only the last network is kept
            self._draw()
            self._speak()
        except store.CourseError as error:
            self._say(html.escape(str(error)))
        except Exception as error:  # nobody else would hear of it in a thread
            self._say(html.escape(f"It stopped with {type(error).__name__}: {error}."))
        finally:
            self._running = False
            self._busy(False)

    def _test(self, _) -> None:
        run = self._runs[self._now]
        self._open.disabled = True
        self._opened += 1
        run.tested = train.evaluate(run.model, tasks.load("leaves").test).accuracy
        self._speak()

    def _draw(self, growing: dict | None = None, epochs: int = 0) -> None:
        run = self._runs.get(self._now)
        shown = growing or (run.history if run else {})
        title = "" if growing or not run else str(self._now)
        self._figure = charts.fit_curves(shown, [*self._earlier], title, self._figure, epochs)
        self._picture.value = plots.png(self._figure)

    def _say(self, text: str) -> None:
        self._said.value = text

    def _speak(self, _=None) -> None:
        """What the last run gave, and whether the controls still stand as they did for it."""
        run = self._runs.get(self._now)
        ready = bool(run and run.model is not None and run.tested is None)
        self._open.disabled = not ready or self._now != self._chosen
        self._tested.value = self._count()
        if run is None:
            self._say("Press <b>Train</b>.")
            return
        history = run.history
        text = f"{html.escape(str(self._now))}: "
        if not history.val_accuracy:
            self._say(f"{text}{html.escape(history.stopped or 'no epoch ended')}.")
            return
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
        if self._now != self._chosen:
            text += " The controls have moved since: press <b>Train</b>."
        self._say(text)

    def _count(self) -> str:
        if not self._opened:
            return "The test set is closed."
        times = "once" if self._opened == 1 else f"{self._opened} times"
        text = f"The test set was opened <b>{times}</b>."
        if self._opened > 1:
            text += " If you choose by what it says, it is a second validation set."
        return text


def which_is_overfitting() -> Experiment:
    """Six pairs of curves from real runs: choose one, say what is wrong with it, hear why.

    The runs are trained now, from features of leaves and digits, within seconds.
    """
    cases = checks.curve_cases()
    picture = plots.small_png(charts.curve_cases({c.title: c.curves for c in cases.values()}))
    image = ipywidgets.Image(value=picture, format="png")
    letter = ipywidgets.ToggleButtons(
        description="curves", options=[*cases], style={"button_width": "50px"}
    )
    diagnosis = ipywidgets.Dropdown(
        description="show",
        options=[("choose …", ""), *[(name, name) for name in checks.LOOKS]],
        layout={"width": "max-content"},
    )
    button = ipywidgets.Button(description="Answer")
    said, score = ipywidgets.HTML(), ipywidgets.HTML("Right so far: none of 6.")
    right: dict[str, bool] = {}

    def answer(_) -> None:
        if not diagnosis.value:
            said.value = "Choose what the curves show first."
            return
        found = checks.diagnose(letter.value, diagnosis.value)
        right[letter.value] = right.get(letter.value, False) or found.startswith("Right")
        said.value = f"{letter.value}, {diagnosis.value}. {html.escape(found)}"
        known = [name for name in cases if right.get(name)]
        score.value = f"Right so far: {', '.join(known) or 'none'} of {len(cases)}."

    def turn(_) -> None:
        diagnosis.value = ""
        said.value = ""

    button.on_click(answer)
    letter.observe(turn, "value")
    alt = (
        "Six pairs of curves, A to F: loss and accuracy by epoch in training and validation. "
        "One overfits, one underfits, one is fine, and three have other troubles."
    )
    controls = [ipywidgets.HBox([letter]), ipywidgets.HBox([diagnosis, button])]
    return Experiment([image, *controls, said, score], picture, alt)
