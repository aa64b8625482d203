"""Teach a pretrained network your own things by camera, upload or folder, and see it answer."""

import base64
import html
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import anywidget
import torch
import traitlets
from matplotlib.figure import Figure
from torch import nn

from tl_course import plots, store
from tl_course.plots.pictures import photograph
from tl_course.plots.style import blank, legible
from tl_course.practice.experiment import told_of
from tl_course.practice.pupil import FOLDER, MOST_CLASSES, Answers, Example, Pupil, encoded
from tl_course.tasks import read_picture
from tl_course.tasks.pictures import refused

THUMBS, SMALL = 5, 56  # pictures shown of a class, and their side in pixels
NETWORKS = ("pretrained", "from scratch")
HERE = Path(__file__).parent


class Teach(Pupil, anywidget.AnyWidget):
    """A page on which a pretrained network learns two or more classes, and answers live.

    ``model``: a network for pictures, such as ``models.load("lite0")``, of which a copy is used; a
    head on its features learns anew after each picture. ``classes``: up to 8 names. ``seconds``:
    the longest that the same network is trained from scratch. ``scratch``: gives a network with
    random weights and so many outputs; needed where the course cannot build ``model`` itself.
    Nothing is written before ``keep``, the page's Keep. Raises ``BadInput``.
    """

    _esm, _css = HERE / "teach.js", HERE / "teach.css"
    state = traitlets.Dict().tag(sync=True)  # what the page shows, but for live answers

    def __init__(
        self,
        model: nn.Module,
        classes: Sequence[str] = ("mug", "hand"),
        seconds: float = 20,
        scratch: Callable[[int], nn.Module] | None = None,
    ):
        anywidget.AnyWidget.__init__(self)
        self._busy, self._asked, self._heads = False, 0, ThreadPoolExecutor(1)
        Pupil.__init__(self, model, classes, seconds, scratch)
        self._does: dict[str, Callable[[dict, bytes], object]] = {
            "look": self._look,
            "collect": self._collect,
            "upload": self._upload,
            "try": lambda told, data: self.show(_sent(told, data), "Your picture"),
            "rename": lambda told, _: self.rename(self._which(told), told.get("name", "")),
            "new": lambda told, _: self.new(),
            "clear": lambda told, _: self._clear(self._which(told)),
            "show": lambda told, _: self.show_new(),
            "drawn": lambda told, _: self._work(self.use_drawn),
            "folder": lambda told, _: self._work(self.add, str(told.get("path") or "")),
            "scratch": lambda told, _: self._work(self.train_scratch),
            "keep": lambda told, _: self._work(self.keep, str(told.get("path") or "")),
        }
        self.on_msg(self._received)
        self._refresh()
        self._relearn()  # nothing yet, but what it imports takes a second

    def say(self, text: str) -> str:
        """Tell ``text`` on the page; returns it."""
        self.said = text
        self._refresh()
        return text

    def close(self) -> None:
        """Stop what runs, and leave the page."""
        self.stopped = True
        self._heads.shutdown(wait=False, cancel_futures=True)
        super().close()

    def _received(self, _, told: Any, buffers: Sequence) -> None:
        """A message of the page; each gets a reply, on which the page waits."""
        told = told if isinstance(told, dict) else {}
        reply = None
        try:
            do = self._does.get(str(told.get("kind")))
            if do is None:
                cause, cure = "it is none that is known here", "Run the cell again"
                raise store.BadInput("a message of the page", cause, cure)
            reply = do(told, bytes(buffers[0]) if buffers else b"")
            if do != self._look:
                self._refresh()
        except Exception as error:  # nobody else would hear of it
            self._tell(error)
        self.send({"n": told.get("n"), **(reply if isinstance(reply, dict) else {})})

    def _tell(self, error: Exception) -> None:
        self.say(html.unescape(told_of(error)))

    def _which(self, told: dict) -> int:
        return store.whole("class", told.get("place"), least=0, most=len(self.classes) - 1)

    def _look(self, told: dict, data: bytes) -> dict:
        return {"answers": self._answers(read_picture(data, self._size))}

    def _collect(self, told: dict, data: bytes) -> None:
        place = self._which(told)
        self._teach(data, place)
        self.shown, self._pressed = None, True
        many = len(self.classes[place].examples)
        self.say(f"Pictures of {self.classes[place].name}: {many}.")
        self._relearn()

    def _upload(self, told: dict, data: bytes) -> None:
        """One file of several, the ``first`` or a later one."""
        if told.get("first"):
            self._taken, self._left = 0, {}
        content = partial(_sent, told, data)
        self._take(f"{told.get('name')!s:.80}", self._which(told), content)
        self.say(self._account())
        self._relearn()

    def _clear(self, place: int) -> None:
        name = self.classes[place].name
        self.clear(place)
        self.say(f"{name} is empty again.")
        self._relearn()

    def _relearn(self) -> None:
        """A new head soon; of several that are asked for at once, the last is made."""
        self._asked += 1

        def learn(asked: int) -> None:
            try:
                if asked == self._asked:
                    self._fit_head()
                    self._refresh()
            except Exception as error:
                self._tell(error)

        if not self.stopped:
            self._heads.submit(learn, self._asked)

    def _work(self, work: Callable, *given) -> None:
        """What takes its time, in a thread; one at a time."""

        def run() -> None:
            try:
                work(*given)
            except Exception as error:
                self._tell(error)
            finally:
                self._busy = False
                self._refresh()

        if self._busy:
            self.say("Something is still at work. Wait until it has ended.")
        else:
            self._busy = True
            self._refresh()
            threading.Thread(target=run, daemon=True).start()

    def _refresh(self) -> None:
        shown = None
        if self.shown:
            pixels, caption, answers = self.shown
            shown = {"src": _url(encoded(pixels, "JPEG")), "caption": caption, "answers": answers}
        with self._lock:
            classes = [
                {
                    "name": each.name,
                    "count": len(each.examples),
                    "held": sum(one.held for one in each.examples),
                    "thumbs": [_thumb(one) for one in each.examples[-THUMBS:]],
                }
                for each in self.classes
            ]
        self.state = {
            "classes": classes,
            "said": self.said,
            "busy": self._busy,
            "shown": shown,
            "full": len(classes) >= MOST_CLASSES,
            "folder": FOLDER,
            "colours": {network: plots.COLOURS[network] for network in NETWORKS},
        }

    def _repr_mimebundle_(self, **options):
        bundle = super()._repr_mimebundle_(**options)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle or {}, {})
        counts = [f"{len(each.examples)} of {each.name}" for each in self.classes]
        alt = f"Pictures that a network learned from: {', '.join(counts)}. {self.said}"
        data = {**data, "image/png": plots.small_png(self._still()), "text/plain": alt}
        return data, {**metadata, "image/png": {"alt": alt}}

    def _still(self) -> Figure:
        """What the page shows, as a chart."""
        if not any(each.examples for each in self.classes):
            figure = blank(8, 0.6)
            figure.text(0.01, 0.5, legible(self.said, 200), va="center")
            return figure
        figure = blank(8, 2.6)
        sheet, picture, bars = figure.subplots(1, 3, width_ratios=(5, 2.2, 3))
        names = [each.name for each in self.classes]
        pixels = torch.cat([*self.examples().values()])
        counts = torch.tensor([len(each.examples) for each in self.classes])
        places = torch.arange(len(names)).repeat_interleave(counts)
        plots.contact_sheet(pixels, places, names, columns=THUMBS, ax=sheet)
        sheet.set_title("learned from", fontsize=10)
        for ax in (picture, bars):
            ax.set_axis_off()
        if self.shown:
            shown, caption, answers = self.shown
            photograph(picture, torch.tensor(shown))
            picture.set_title(legible(caption), fontsize=10)
            _bars(bars, names, answers)
        return figure


@plots.style.styled
def _bars(ax, names: Sequence[str], answers: Answers) -> None:
    """A bar for each class and network, with its number."""
    ax.set_axis_on()
    height = 0.28
    for row, (network, values) in enumerate(answers.items()):
        for place, value in enumerate(values):
            level = place + (row - (len(answers) - 1) / 2) * height
            ax.barh(level, value or 0, 0.9 * height, color=plots.COLOURS[network])
            said = network if value is None else f"{value:.0%} {network}"
            ax.text((value or 0) + 0.03, level, said, va="center", fontsize=8)
    ax.set_yticks(range(len(names)), map(legible, names))
    ax.set(xlim=(0, 1.9), ylim=(len(names) - 0.5, -0.5), xticks=[])
    ax.spines[:].set_visible(False)
    ax.tick_params(length=0)


@lru_cache(MOST_CLASSES * THUMBS)
def _thumb(example: Example) -> str:
    return _url(encoded(example.pixels, "JPEG", SMALL))


def _sent(told: dict, data: bytes) -> bytes:
    """A file that the page sent, unless it was ``cut``. Raises ``BadInput``."""
    if told.get("cut") and data[4:8] != b"ftyp":  # else it is HEIC, as reading it will tell
        raise refused("it is too large to send, and the browser cannot shrink it", "Use Add folder")
    return data


def _url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
