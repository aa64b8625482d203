"""What every interactive experiment is, and the questions asked before one."""

import html
from collections.abc import Callable, Sequence

import ipywidgets

from tl_course.practice import predictions


class Experiment(ipywidgets.VBox):
    """A widget whose stored output is its first picture, for pages without a kernel."""

    def __init__(self, children: Sequence[ipywidgets.Widget], picture: bytes, alt: str):
        super().__init__(children)
        self._picture, self._alt = picture, alt

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        data = {**data, "image/png": self._picture, "text/plain": self._alt}
        return data, {**metadata, "image/png": {"alt": self._alt}}


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
    start = kept if sorted(kept) == sorted(names) else [None] * len(names)
    places = [
        ipywidgets.Dropdown(
            description=f"{place}.",
            options=[("choose …", None), *[(name, name) for name in names]],
            value=value,
            layout={"width": "max-content"},
        )
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
        except OSError as error:
            answer.value = f"Not kept: {html.escape(error.strerror or str(error))}. Note it down."
        else:
            answer.value = f"Kept: <b>{html.escape(chosen)}</b>. Now run the experiment."

    button.on_click(keep)
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{question}</b>"), *inputs, button, answer])
