"""What every interactive experiment is, and the questions asked before one."""

import html
from collections.abc import Sequence

import ipywidgets

from tl_course import practice


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
    kept = practice.recall(key)
    options = ipywidgets.RadioButtons(
        options=[*choices],
        value=kept if kept in choices else None,
        layout={"width": "max-content"},
    )
    button = ipywidgets.Button(description="Commit")
    answer = ipywidgets.HTML()

    def keep(_) -> None:
        if options.value is None:
            answer.value = "Choose one of the lines first."
            return
        try:
            practice.commit(key, options.value)
        except OSError as error:
            answer.value = f"Not kept: {html.escape(error.strerror or str(error))}. Note it down."
        else:
            answer.value = f"Kept: <b>{html.escape(options.value)}</b>. Now run the experiment."

    button.on_click(keep)
    return ipywidgets.VBox([ipywidgets.HTML(f"<b>{question}</b>"), options, button, answer])
