"""An experiment with heads: what is left of a network when it gets a new job, and what is new."""

from collections import Counter
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import ipywidgets
import torch
from torch import nn

from tl_course import models, plots, store, surgery, tasks
from tl_course.lessons.head import charts
from tl_course.practice.experiment import Experiment, Slider, choice

if TYPE_CHECKING:
    import pandas
    from matplotlib.axes import Axes

FEWEST, MOST = 2, 20  # classes
SENTENCE = "The rain stopped just before the picnic began."
RATE, PITCH, SECONDS = 16_000, 440, 0.5
EXAMPLES = {
    "pictures": "One picture",
    "text": f"“{SENTENCE}” as code points",
    "sound": "A tone of half a second at 16 kHz",
    "boxes": "One picture",
}
READY = {
    "pictures": "resized to",
    "text": "cut into tokens",
    "sound": "turned into a spectrogram",
    "boxes": "resized to",
}
FAMILIES = {name: e for name, e in models.catalogue().items() if e.purpose in EXAMPLES}
NOTHING = "nothing"
LAYERS = {  # what a layer is called, and more of them; where there is no plural they are uncounted
    nn.modules.batchnorm._BatchNorm: ("BatchNorm", ""),
    nn.GroupNorm: ("GroupNorm", ""),
    nn.modules.conv._ConvNd: ("convolution", "convolutions"),
    nn.Linear: ("linear layer", "linear layers"),
    nn.Embedding: ("embedding", "embeddings"),
    (models.Pool, nn.MaxPool2d, nn.AdaptiveAvgPool2d): ("pooling", ""),
}
ENDINGS = {  # of the names of other classes; GPT-2's linear layers are called Conv1D
    "Attention": ("attention", ""),
    "LayerNorm": ("LayerNorm", ""),
    "Conv1D": LAYERS[nn.Linear],
}
CELL = 'style="text-align: left; padding: 3px 8px; line-height: 1.4"'
TABLE = f"""<div style="overflow-x: auto"><table>
<caption>The network before and after</caption><thead>
<tr><th rowspan="2" {CELL}>stage</th><th rowspan="2" {CELL}>holds</th>
<th colspan="2" scope="colgroup" {CELL}>before</th>
<th colspan="3" scope="colgroup" {CELL}>after</th></tr>
<tr><th {CELL}>output</th><th {CELL}>weights</th>
<th {CELL}>output</th><th {CELL}>weights</th><th {CELL}>in training</th></tr>
</thead><tbody>{{rows}}</tbody></table></div>"""


def bench(family: str = "resnet10", classes: int = 2) -> Experiment:
    """Choose a network, the number of classes and what is frozen; see what the surgery changes.

    ``family``: a network for pictures, text, sound or boxes, by its name in
    ``models.catalogue()``. Except ``resnet10`` and ``resnet18`` it is a small one of the same class
    with random weights, of the same stages' names and the same head. Raises ``UnknownName`` for
    another name, and ``BadInput`` for a number of classes below 2 or above 20.
    """
    store.choose("family", family, FAMILIES)
    classes = store.whole("classes", classes, FEWEST, MOST)
    load = cache(_on_bench)
    last = choice("frozen up to", [NOTHING])
    every = ipywidgets.Checkbox(description="freeze all but the head", value=True, indent=False)
    number = Slider("classes", FEWEST, MOST, value=classes, continuous_update=False)
    ax = plots.axes(9.4, 3.1)
    ax.get_figure().set_layout_engine("none")  # finding the same places again takes time
    ax.set_position((0.01, 0.02, 0.98, 0.87))

    def choose(network: str) -> None:
        try:
            body = load(network).body
        except store.CourseError:  # draw will raise it again
            body = []
        for control in (last, every, number):
            control.disabled = not body
        if body:
            before, last.options = last.value, [NOTHING, *body]
            last.value = body[-1] if every.value else before if before in body else NOTHING
            freeze(last.value)

    def freeze_all(whole: bool) -> None:
        last.value = last.options[-1] if whole else NOTHING

    def freeze(frozen: str) -> None:
        every.value = frozen == last.options[-1]

    def draw(network: str, frozen: str, classes: int) -> dict:
        bench = load(network)
        bench.operate(classes, frozen)
        ax.clear()
        bench.draw(ax)
        picture, table = plots.png(ax.get_figure()), bench.table()
        said, official = bench.sentence(), _official(network)
        return {"picture": picture, "said": said, "table": table, "official": official}

    networks = {f"{e.family}: {e.purpose} ({name})": name for name, e in FAMILIES.items()}
    network = choice("network", networks, value=family, layout={"width": "max-content"})
    experiment = Experiment(
        [
            {"network": network, "frozen": last, "whole": every},
            {"classes": number},
            {"picture": bytes, "said": str, "table": str, "official": str},
        ],
        draw,
        f"The stages of {family} as boxes, the higher the more weights they have: all are frozen "
        f"but the head, whose last layer is new, for {classes} classes.",
        on={"network": choose, "whole": freeze_all, "frozen": freeze},
    )
    experiment.still = plots.small_png(ax.get_figure())
    return experiment


def _on_bench(name: str) -> "_Bench":
    """Raises ``CourseError``, also where a library is broken."""
    try:
        return _Bench(name)
    except store.CourseError:
        raise
    except (ImportError, OSError, RuntimeError) as error:
        cause = f"it cannot be loaded ({type(error).__name__}: {error})"
        raise store.NotAvailable(name, cause, "") from error


class _Bench:
    """A network on the bench, and what one example input becomes in it."""

    def __init__(self, name: str):
        self._name, self._purpose = name, FAMILIES[name].purpose
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            self._model = models.load(name, pretrained=name == "resnet10")
        parts = surgery.stages(self._model)
        *self.body, self._head = parts
        raw, self._example = _example(self._purpose)
        self._holds = {stage: _holds(part) for stage, part in parts.items()}
        with torch.inference_mode():
            values = self._model.preprocess(raw)
            self._given = [tuple(shown.shape[1:]) for shown in (raw, values)]
            shapes = []
            for part in parts.values():
                self._features, values = values, part(values)  # the body is never changed
                shapes.append(tuple(values.shape[1:]))
        self._before = surgery.summary(self._model).assign(shape=shapes)
        self._replaced = models.classifier(self._model)
        self._head_name = models.head_name(self._model)

    def operate(self, classes: int, last: str) -> None:
        """Give the network a new head, and freeze it up to the stage ``last``."""
        model = self._model
        self._classes = classes + (self._purpose == "boxes")  # one of them is that of no object
        self._frozen = self.body[: self.body.index(last) + 1] if last != NOTHING else []
        surgery.unfreeze(model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            surgery.replace_head(model, self._classes)
        if self._frozen:
            surgery.freeze(model, *self._frozen)
        with torch.inference_mode():
            logits = models.stages(model)[self._head](self._features)
            self._answers = logits.softmax(-1)[0]
        shapes = [*self._before["shape"][:-1], tuple(logits.shape[1:])]
        new = [0] * len(self.body) + [_count_new(self._name, model)]
        self._now = surgery.summary(model).assign(shape=shapes, new=new)

    def draw(self, ax: "Axes") -> None:
        """The stages in a row."""
        title = f"{self._name}: {self._head_name} was {_shown(self._replaced)}, "
        title += f"is {_shown(models.classifier(self._model))}"
        charts.anatomy(self._now, title, self._before, self._example, self._answers, ax)

    def sentence(self) -> str:
        """What is trained, and what the example becomes, as HTML."""
        now, answers = self._now, models.answers(self._model)
        features = f"({models.classifier(self._model).in_features},) features"
        text = f"<b>{now.trained.sum():,} of {now.parameters.sum():,} weights are trained</b>: "
        text += f"{self._trained()}. {EXAMPLES[self._purpose]} "
        raw, ready = self._given
        text += f"{raw}" if raw == ready else f"{raw}, {READY[self._purpose]} {ready},"
        if answers > 1:
            text += f" becomes {answers} × {features}, one for each box it may draw (100 in the "
            text += f"official network). Each box has {self._classes} logits: "
            text += f"your {self._classes - 1} classes and “no object”. "
        else:
            text += f" becomes {features} and {self._classes} logits. "
        highest = float(self._answers.reshape(-1, self._classes)[0].max())
        text += "The new layer has learned nothing: the highest probability"
        text += " of the first box" if answers > 1 else ""
        return text + f" is <b>{highest:.2f}</b>, guessing gives {1 / self._classes:.2f}."

    def _trained(self) -> str:
        """The stages that are trained, in words."""
        head = self._now.iloc[-1]
        whole = head.new == head.parameters
        free = [f"<code>{stage}</code>" for stage in self.body[len(self._frozen) :]]
        if not free:
            return "the new head alone" if whole else "the head alone, whose last layer is new"
        text = "the new head and " if whole else "the head, whose last layer is new, and "
        if not self._frozen:
            return f"{text}all stages before it"
        return text + free[0] + (f" to {free[-1]}" if len(free) > 1 else "")

    def table(self) -> str:
        """The network before and after, a row a stage and one for the last layer, as HTML."""
        rows = ""
        for stage, now in self._now.iterrows():
            before = self._before.loc[stage]
            cells = [self._holds[stage], before["shape"], f"{before.parameters:,}"]
            rows += _row(stage, [*cells, now["shape"], f"{now.parameters:,}", _state(now)])
        cells = []
        for layer in (self._replaced, models.classifier(self._model)):
            name = f'<span style="white-space: nowrap">{_shown(layer)}</span>'
            cells += [name, f"{sum(weight.numel() for weight in layer.parameters()):,}"]
        cells[2] = _framed("from scratch", f"<b>{cells[2]}</b>")
        last = f"└ {self._head_name}, its last layer"
        return TABLE.format(rows=rows + _row(last, [*cells, "new"], span=2))


def _row(name: str, cells: list, span: int = 1) -> str:
    inside = "".join(f"<td {CELL}>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row" colspan="{span}" {CELL}>{name}</th>{inside}</tr>'


def _framed(colour: str, text: str) -> str:
    """The text in a frame of one of the course's colours, which reads in light and in dark."""
    style = f"border: 2px solid {plots.COLOURS[colour]}; padding: 0 5px; white-space: nowrap"
    return f'<span style="{style}">{text}</span>'


def _state(row: "pandas.Series") -> str:
    """What becomes of a stage's weights in training, as HTML."""
    if not row.trained:
        return _framed("frozen", "❄ frozen") if row.parameters else "no weights"
    found = [_framed("from scratch", f"{row.new:,} new")] if row.new else []
    if row.trained > row.new:
        old = "trained" if row.trained == row.parameters else f"{row.trained - row.new:,} trained"
        found.append(_framed("fine-tuning", old))
    if row.trained < row.parameters:
        found.append(f"{row.parameters - row.trained:,} fixed by design")
    return " ".join(found)


def _official(name: str) -> str:
    """What the network that others download is, as HTML."""
    entry = FAMILIES[name]
    size = f"a download of {entry.download} MB" if entry.download else "part of this package"
    text = f"The official <b>{name}</b>: {entry.parameters:,} weights, {size}. {entry.licence}. "
    if name == "resnet10":
        return text + "It is the one on the bench."
    if name == "resnet18":
        return text + "On the bench: the same network, with random weights."
    text += "On the bench: a small network of its class, with random weights; its stages and its "
    text += "head have the same names"
    if entry.purpose in ("text", "sound"):
        text += ". The official file has no layer for classes, so the one before is random too"
    return text + "."


def _example(purpose: str) -> "tuple[torch.Tensor, torch.Tensor | str]":
    """An input for the network, as in ``Split``, and the same to be drawn."""
    if purpose == "text":
        return torch.tensor([[*map(ord, SENTENCE)]]), SENTENCE
    if purpose == "sound":
        time = torch.arange(int(SECONDS * RATE)) / RATE
        tone = torch.sin(2 * torch.pi * PITCH * time) * torch.exp(-6 * time)
        return tone[None], tone
    picture = tasks.examples(64)["leaf with rust"]
    return picture[None], picture


def _shown(layer: nn.Linear) -> str:
    return f"Linear({layer.in_features} → {layer.out_features})"


def _count_new(name: str, model: nn.Module) -> int:
    """Weights that begin at random: the last layer's, and those that no official file holds."""
    new = {id(weight): weight for weight in models.classifier(model).parameters()}
    if isinstance(model, models.Adapted):
        family = import_module(f"tl_course.models.{FAMILIES[name].purpose}").FAMILIES
        for place, weight in model.network.named_parameters():
            if place.startswith(family[name].new):
                new[id(weight)] = weight
    return sum(weight.numel() for weight in new.values())


def _holds(part: nn.Module) -> str:
    """What a stage is made of, in a few words."""
    found = Counter(_layers("", part))
    return ", ".join(
        f"{count} {plural}" if plural and count > 1 else name
        for (name, plural), count in found.items()
    )


def _layers(place: str, module: nn.Module) -> Iterator[tuple[str, str]]:
    """The layers of a module by name, in their order; attention is one whatever is in it."""
    known = [said for types, said in LAYERS.items() if isinstance(module, types)]
    known += [said for end, said in ENDINGS.items() if type(module).__name__.endswith(end)]
    if known:
        yield known[0]
        return
    for name, _ in module.named_parameters(recurse=False):
        # a weight on its own is a module with one value, called by its place
        yield (place if name == "value" else name).replace("_", " "), ""
    for name, child in module.named_children():
        yield from _layers(name, child)
