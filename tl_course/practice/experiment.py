"""What every interactive experiment is, and the questions asked before one."""

import html
import logging
import math
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache, partial, wraps
from inspect import Parameter, signature

import ipywidgets
import torch

from tl_course import store
from tl_course.practice import predictions

PLACES = {bytes: ipywidgets.Image, str: ipywidgets.HTML}  # by what is shown there
KEPT = 64  # drawings that need not be made again
LOG = logging.getLogger(__name__)


def choice(
    description: str, options: Mapping | Sequence, undecided: bool = False, **more
) -> ipywidgets.Dropdown:
    """A list to choose from. ``options``: values, or by what is shown; ``""`` while undecided."""
    pairs = options.items() if isinstance(options, Mapping) else zip(options, options, strict=True)
    options = [*([("choose …", "")] if undecided else []), *pairs]
    return ipywidgets.Dropdown(**{**_called(description), "options": options, **more})


def steps(description: str, options: Iterable, shown: Callable = str, **more):
    """A slider through a few values, which answers when it is let go."""
    options = [(shown(option), option) for option in options]
    more = {**_called(description), "options": options, **more}
    return ipywidgets.SelectionSlider(continuous_update=False, **more)


def _called(description: str) -> dict:
    """A control's name; a long one takes the room it needs."""
    wide = {"style": {"description_width": "initial"}} if len(description) > 10 else {}
    return {"description": description, **wide}


class Slider(ipywidgets.IntSlider):
    """A slider with a number box beside it, ``number``, so that its value can also be typed."""

    def __init__(self, description: str, least: int, most: int, width: str = "50%", **options):
        super().__init__(
            description=description, min=least, max=most, layout={"width": width}, **options
        )
        self.number = ipywidgets.BoundedIntText(min=least, max=most, layout={"width": "80px"})
        for name in ("max", "value", "disabled"):
            ipywidgets.link((self, name), (self.number, name))


class Experiment(ipywidgets.VBox):
    """Controls, and what a function draws from their values.

    ``rows``: from top to bottom, controls by name, those of a row side by side, and the places in
    which something is shown, ``bytes`` for a picture and ``str`` for HTML, one below the other; by
    default ``picture`` and ``said`` below the controls.

    ``draw`` is called once whenever a control was changed, in inference mode, with the values of
    those that its parameters name. It gives what to show by the names of the places, which is kept
    where ``cached``. An error is told in ``said`` and nothing else that it draws is shown.

    ``on``: what a control does before that, by name. Such a function gets values in the same way
    and may change other controls; that of a control with a value is called once at the start, too.

    ``run``: what a button does that takes its time. All controls are disabled meanwhile. If one of
    them is called ``stop``, it runs in a thread of its own and should end when ``stopping`` is set.

    What a function of ``on`` or ``run`` returns or raises is told as plain text below the controls.
    The traceback of an error that is not the course's own goes to the log; while the experiment is
    made, such errors are raised. A page without a kernel shows ``still``, by default the last
    picture, with ``alt``.
    """

    still, made = b"", False

    def __init__(
        self,
        rows: Sequence[Mapping[str, ipywidgets.Widget | type]],
        draw: Callable[..., Mapping[str, bytes | str]],
        alt: str,
        on: Mapping[str, Callable[..., str | None]] | None = None,
        run: Mapping[str, Callable[..., str | None]] | None = None,
        cached: bool = True,
    ):
        self._draw = lru_cache(KEPT if cached else 0)(draw)
        self._on, self._run, self._alt = on or {}, run or {}, alt
        self.controls: dict[str, ipywidgets.Widget] = {}
        self.places: dict[str, ipywidgets.Widget] = {}
        self.told, self.stopping, self.busy = ipywidgets.HTML(), False, True
        self._drawn: set[str] = set()
        super().__init__(self._laid_out(rows))
        for name, control in self.controls.items():
            if isinstance(control, ipywidgets.Button):
                control.on_click(partial(self._press, name))
            else:
                self._act(self._on.get(name))
                control.observe(partial(self._change, name), "value")
        self.refresh()
        self.busy, self.made = False, True

    def _laid_out(self, rows: Sequence[Mapping]) -> list[ipywidgets.Widget]:
        """One below the other; what is told stands below the last controls."""
        if not any(part in PLACES for row in rows for part in row.values()):
            rows = [*rows, {"picture": bytes, "said": str}]
        children: list[ipywidgets.Widget] = []
        last = 0
        for row in rows:
            if any(part in PLACES for part in row.values()):
                places = {name: PLACES[part]() for name, part in row.items()}
                self.places |= places
                children += places.values()
            else:
                self.controls |= row
                children.append(_side_by_side(row.values()))
                last = len(children)
        return [*children[:last], self.told, *children[last:]]

    def refresh(self) -> None:
        """Draw for the values that the controls have now."""
        try:
            with torch.inference_mode():
                shown = self._draw(**self._values(self._draw))
                self.show(**shown)
            self._drawn |= {*shown}
        except BaseException as error:
            told = self._failed(error)
            self.show(**dict.fromkeys(self._drawn, ""))  # what a run has shown stays
            self.places.get("said", self.told).value = told

    def show(self, **shown: bytes | str) -> None:
        """Show pictures and sentences by the names of their places; an empty picture hides."""
        for name, value in shown.items():
            place = self.places[name]
            if isinstance(place, ipywidgets.Image):
                place.layout.display = None if value else "none"
                place.format = "jpeg" if value[:2] == b"\xff\xd8" else "png"
                value = value or b""
            place.value = value

    def _press(self, name: str, _=None) -> None:
        if name == "stop":
            self.stopping = self.controls[name].disabled = True
        elif name not in self._run:
            self._draw.cache_clear()
            self._change(name)
        elif not self.busy:  # else a second click, made before the button was disabled
            self.busy, self.stopping = True, False
            before = {control: control.disabled for control in self.controls.values()}
            for other, control in self.controls.items():
                control.disabled = other != "stop"
            if "stop" in self.controls:  # else the kernel would hear of it only when all is over
                threading.Thread(target=self._work, args=(name, before), daemon=True).start()
            else:
                self._work(name, before)

    def _work(self, name: str, before: Mapping[ipywidgets.Widget, bool]) -> None:
        try:
            self._act(self._run[name])
        finally:
            for control, disabled in before.items():
                control.disabled = disabled
            self._draw.cache_clear()
            self._refreshed()

    def _change(self, name: str, _=None) -> None:
        if self.busy:  # what changed this control is followed by a drawing anyway
            return
        self.busy = True
        try:
            self._act(self._on.get(name))
        finally:
            self._refreshed()

    def _refreshed(self) -> None:
        """Draw, and let the controls answer again."""
        try:
            self.refresh()
        finally:
            self.busy = False

    def _act(self, action: Callable[..., str | None] | None) -> None:
        if action is None:
            return
        self.told.value = ""
        try:
            self.told.value = _plain(action(**self._values(action)) or "")
        except BaseException as error:
            self.told.value = self._failed(error)

    def _failed(self, error: BaseException) -> str:
        """What is told of an error: nobody else would hear of it, in a thread or from a control."""
        if not (self.made or isinstance(error, store.CourseError)):
            raise error  # for the cell that makes the experiment
        return told_of(error)

    def _values(self, function: Callable) -> dict:
        """The values of the controls that a function's parameters name; of all, for ``**``."""
        parameters = signature(function).parameters
        every = any(each.kind is Parameter.VAR_KEYWORD for each in parameters.values())
        valued = (name for name, part in self.controls.items() if hasattr(part, "value"))
        return {name: self.controls[name].value for name in (valued if every else parameters)}

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        *_, picture = (
            place for place in self.places.values() if isinstance(place, ipywidgets.Image)
        )
        still = self.still or bytes(picture.value)
        data = {**data, "image/png": still, "text/plain": self._alt}
        return data, {**metadata, "image/png": {"alt": self._alt}}


def seldom(seconds: float) -> Callable[[Callable], Callable]:
    """A function that does nothing when it was called less than so many seconds ago: a drawing of
    curves that grow, say.
    """

    def slowed(function: Callable) -> Callable:
        last = -math.inf

        @wraps(function)
        def called(*args, **options):
            nonlocal last
            if time.monotonic() - last >= seconds:
                function(*args, **options)
                last = time.monotonic()

        return called

    return slowed


def _side_by_side(controls: Iterable[ipywidgets.Widget]) -> ipywidgets.Widget:
    """Controls in a row, each slider with its number box."""
    row = [part for each in controls for part in (each, getattr(each, "number", None)) if part]
    return row[0] if len(row) == 1 else ipywidgets.HBox(row)


def told_of(error: BaseException) -> str:
    """An error as one line of HTML. What is not the course's own keeps its traceback in the log."""
    if isinstance(error, store.CourseError):
        return _plain(str(error))
    LOG.error("An experiment stopped", exc_info=error)
    said = "".join(traceback.format_exception_only(error)).strip()  # whatever its text does
    return _plain(f"It stopped with {said}. For more, open View > Show Log Console.")


def _plain(text: str) -> str:
    """Plain text as one line of HTML."""
    return html.escape(" ".join(text.split()))


def predict(key: str, question: str, choices: Sequence[str]) -> ipywidgets.VBox:
    """Ask for a prediction before the experiment; it is kept by ``practice`` under ``key``."""
    kept = predictions.recall(key)
    options = ipywidgets.RadioButtons(
        options=[*choices],
        value=kept if kept in choices else None,
        layout={"width": "max-content"},
    )
    missing = "Choose one of the lines first."
    return _asked(key, question, [options], lambda: (options.value or "", missing))


def predict_ranking(key: str, question: str, names: Sequence[str]) -> ipywidgets.VBox:
    """Ask for an order, best first; it is kept by ``practice`` under ``key`` as "a > b > c"."""
    kept = (predictions.recall(key) or "").split(" > ")
    start = kept if sorted(kept) == sorted(names) else [""] * len(names)
    layout = {"width": "max-content"}
    places = [
        choice(f"{place}.", names, undecided=True, value=value, layout=layout)
        for place, value in enumerate(start, 1)
    ]

    def order() -> tuple[str, str]:
        values = [place.value for place in places]
        missing = [name for name in names if name not in values]
        return "" if missing else " > ".join(values), f"Not placed yet: {', '.join(missing)}."

    return _asked(key, question, places, order)


def _asked(
    key: str,
    question: str,
    inputs: Sequence[ipywidgets.Widget],
    value: Callable[[], tuple[str, str]],
) -> ipywidgets.VBox:
    """``value()`` gives the prediction, empty while there is none, and what to say then."""
    button = ipywidgets.Button(description="Commit")
    answer = ipywidgets.HTML()

    def keep(_) -> None:
        chosen, missing = value()
        if not chosen:
            answer.value = html.escape(missing)
            return
        try:
            predictions.commit(key, chosen)
        except Exception as error:
            answer.value = f"Not kept, so note it down. {told_of(error)}"
        else:
            answer.value = f"Kept: <b>{html.escape(chosen)}</b>. Now run the experiment."

    button.on_click(keep)
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{question}</b>"), *inputs, button, answer])
