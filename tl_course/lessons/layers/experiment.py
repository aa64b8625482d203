"""An experiment with the layers of a network: what each channel looks for, and finds."""

import html
from functools import lru_cache

import ipywidgets
import numpy as np
import torch

from tl_course import features, models, plots, store, tasks
from tl_course.lessons.layers import charts
from tl_course.practice.experiment import Experiment, Slider, choice
from tl_course.tasks import leaves, materials

SIZE = 256  # pixels a side of a picture on the screen; the network sees fewer
STAGES = ("stem", "layer1", "layer2", "layer3", "layer4")
DRAWN = 60  # pictures of each drawn task to look for patches in
LARGEST = 20_000_000  # bytes of a picture of one's own


def explorer(picture: str | None = None, stage: str = "layer3") -> Experiment:
    """Choose a picture, a stage and a channel of ``resnet10``; see what the channel finds.

    Shown are its map over the picture, the picture made for it (``features.stored_preferred``)
    and the patches that excite it most, out of some hundred leaves, materials and parts of
    photographs. A new picture or stage begins with its loudest channel: the one that the picture
    excites most beside what those patches' pictures do. One's own pictures can be added.
    ``picture`` is one of ``tasks.examples``, by default the first. Raises ``UnknownName`` for a
    picture or a stage that is not there.
    """
    shown = tasks.examples(SIZE)
    picture = store.choose("picture", next(iter(shown)) if picture is None else picture, shown)
    store.choose("stage", stage, STAGES)
    explorer = _Explorer()
    pictures = choice("picture", [*shown], value=picture)
    files = ipywidgets.FileUpload(description="your own", accept="image/*", multiple=False)
    stages = choice("stage", STAGES, value=stage)
    channels = Slider("channel", 0, 1)

    def look(which: str) -> None:
        explorer.look(shown[which])
        jump(stages.value)

    def jump(stage: str) -> None:
        channels.max = explorer.channels(stage) - 1
        channels.value = explorer.loudest(stage)

    def add(upload: tuple) -> str | None:
        if not upload:
            return None
        files.value = ()  # so that the same file can be chosen again
        name = upload[0]["name"]
        label = f"yours: {name[:40]}"
        try:
            shown[label] = _read(upload[0]["content"])
        except store.CourseError as error:
            return f"{name[:60]}: {error.cause}."
        pictures.options = [*shown]
        pictures.value = label
        return look(label)

    def draw(which: str, stage: str, channel: int) -> dict:
        said = explorer.sentence(stage, channel, which)
        return {"picture": explorer.picture(stage, channel), "said": said}

    loudest = ipywidgets.Button(description="Loudest channel")
    rows = [
        {"which": pictures, "upload": files, "stage": stages},
        {"channel": channels, "loudest": loudest},
    ]
    alt = (
        f"The picture “{picture}”, where one channel of {stage} is active in it, a picture made "
        "for that channel, and the patches that excite it most."
    )
    on = {"which": look, "stage": jump, "loudest": jump, "upload": add}
    experiment = Experiment(rows, draw, alt, on=on, cached=False)
    experiment.still = explorer.still()
    return experiment


class _Explorer:
    """What is known of every channel, and of the picture looked at."""

    def __init__(self):
        self._model = models.load("resnet10")
        self._pictures, self._names = _collection()
        self._found = features.responses(self._model, self._pictures, *STAGES)
        self._preferred = {stage: features.stored_preferred(stage) for stage in STAGES}
        self._fields = {s: features.receptive_field(self._model, s).size for s in STAGES}
        self._figure = None

    @torch.inference_mode()
    def look(self, picture: torch.Tensor) -> None:
        """Run the network on another picture, uint8 (3, H, W)."""
        self._picture = picture
        with features.Tap(self._model, *STAGES) as tap:
            self._model(self._model.preprocess(picture[None]))
        self._maps = {stage: tap[stage][0] for stage in STAGES}

    def channels(self, stage: str) -> int:
        return len(self._maps[stage])

    def ranking(self, stage: str) -> list[int]:
        """Channels, first those that this picture excites unusually much: by standard scores."""
        others = self._found[stage].mean
        spread = others.std(0)
        scores = (self._maps[stage].mean((1, 2)) - others.mean(0)) / spread
        return scores.where(spread > 0, -torch.inf).argsort(descending=True).tolist()

    def loudest(self, stage: str) -> int:
        return self.ranking(stage)[0]

    def picture(self, stage: str, channel: int) -> bytes:
        """The figure as JPEG."""
        self._figure = charts.channel(
            self._picture,
            self._maps[stage][channel],
            self._preferred[stage].pictures[channel],
            self._strongest(stage, channel).patches,
            f"{stage}, channel {channel}",
            self._figure,
        )
        return plots.jpeg(self._figure)

    def still(self) -> bytes:
        """The last figure as a PNG that does not make a notebook large."""
        return plots.small_png(self._figure)

    def sentence(self, stage: str, channel: int, name: str) -> str:
        """What the figure shows, in words, as HTML."""
        values, field = self._maps[stage][channel], self._fields[stage]
        count, size = self.channels(stage), self._model.preprocess.size
        text = f"<b>{stage}</b>, channel <b>{channel}</b> of {count}. The network gets "
        text += f"{size} × {size} pixels; one unit here sees "
        text += f"{field} × {field} of them. " if field < size else "nearly all of them. "
        if not self._found[stage].peak[:, channel].any() and not values.any():
            return text + "Nothing excites this channel: training has shrunk it to nothing."
        order = self.ranking(stage).index(channel) + 1
        names = dict.fromkeys(self._names[i] for i in self._strongest(stage, channel).indices)
        return text + (
            f"On “{html.escape(name)}” its mean activation is <b>{values.mean():.2f}</b>, and "
            f"<b>{(values > 0).float().mean():.0%}</b> of its {values.numel():,} units are active. "
            f"By how much more it is excited than by other pictures, it is number <b>{order}</b> "
            f"of {count} here. Its strongest patches come from: {', '.join(names)}."
        )

    def _strongest(self, stage: str, channel: int) -> features.Strongest:
        found = self._found[stage]
        return features.strongest(self._model, self._pictures, stage, channel, found=found)


def _read(content) -> torch.Tensor:
    data = bytes(content)
    if len(data) > LARGEST:
        cause = f"it has {len(data) / 1e6:.0f} MB, more than {LARGEST / 1e6:.0f}"
        raise store.BadInput("this picture", cause, "Shrink it")
    return torch.from_numpy(tasks.read_picture(data, SIZE).copy())


@lru_cache(maxsize=1)
def _collection() -> tuple[torch.Tensor, tuple[str, ...]]:
    """Pictures to look for patches in, uint8 (N, 3, 64, 64), and what each shows."""
    pictures, names = [], []
    for module, kind in ((leaves, "leaf: {}"), (materials, "{}")):
        labels = np.arange(DRAWN) % len(module.CLASSES)
        pictures.append(torch.from_numpy(module.pictures(labels, seed=1)))
        names += [kind.format(module.CLASSES[label]) for label in labels]
    for name in tasks.CREDITS:
        for side in (64, 128, 256):
            photograph = tasks.examples(side).get(name)
            if photograph is None:
                continue
            parts = photograph.unfold(1, 64, 64).unfold(2, 64, 64)  # (3, rows, columns, 64, 64)
            parts = parts.permute(1, 2, 0, 3, 4).reshape(-1, 3, 64, 64)
            pictures.append(parts)
            names += [name] * len(parts)
    return torch.cat(pictures), tuple(names)
