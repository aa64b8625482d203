"""What excites a channel, and where a picture speaks for a class."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from tl_course import store
from tl_course.features.extraction import evaluating, run, up_to
from tl_course.features.fields import receptive_field
from tl_course.features.tap import Tap
from tl_course.models import Preprocess, stages

# how red, green and blue (0 … 1) vary together in 15,600 pictures of Tiny ImageNet
COLOURS = ((0.0766, 0.0658, 0.0576), (0.0658, 0.0723, 0.0679), (0.0576, 0.0679, 0.0789))
DECAY = 1.4  # frequency f moves in steps of f ** -DECAY: photographs are mostly low frequencies
CONTRAST = 1.3  # root mean square, before the sigmoid
LEARNING_RATE = 0.05
STORED = "preferred_resnet10"
SHEET_COLUMNS = 16  # pictures beside each other in a stored sheet


@dataclass(frozen=True)
class Preferred:
    """Pictures made for channels of one stage.

    ``pictures``: uint8 (N, 3, S, S). ``activations``: float32 (N,), of those pictures, each a
    mean over the channel's map. ``best``, where known: the highest that any of 5,000 photographs
    reaches, float32 (N,).
    """

    pictures: torch.Tensor
    activations: torch.Tensor
    best: torch.Tensor | None = None


@dataclass(frozen=True)
class Responses:
    """How strongly N pictures excite the C channels of a stage.

    ``mean`` and ``peak``: float32 (N, C), over a channel's map. ``row`` and ``column``: int64
    (N, C), where on the map the peak is.
    """

    mean: torch.Tensor
    peak: torch.Tensor
    row: torch.Tensor
    column: torch.Tensor


@dataclass(frozen=True)
class Strongest:
    """The places that excite one channel most, strongest first, each from another picture.

    ``indices``: int64 (k,), which pictures. ``activations``: float32 (k,). ``patches``: uint8
    (k, 3, P, P), what the unit sees there, moved inside the picture at its edge.
    """

    indices: torch.Tensor
    activations: torch.Tensor
    patches: torch.Tensor


def preferred_picture(
    model: nn.Module, stage: str, channel: int, steps: int = 192, seed: int = 0
) -> tuple[torch.Tensor, float]:
    """A picture made to excite ``channel`` of ``stage``.

    Returns uint8 (3, S, S) and the activation it reaches, a mean over the channel's map. See
    ``preferred_pictures``.
    """
    found = preferred_pictures(model, stage, [channel], steps, seed)
    return found.pictures[0], float(found.activations[0])


def preferred_pictures(
    model: nn.Module, stage: str, channels: Sequence[int], steps: int = 192, seed: int = 0
) -> Preferred:
    """Pictures that excite one of ``channels`` each; together they take less time than alone.

    Noise is changed by gradient ascent. What is changed are the amplitudes of its frequencies, in
    colours that do not depend on each other, and the picture is moved, turned and zoomed a
    little in every step, else noise would win (Erhan et al. 2009; Olah et al. 2017,
    doi:10.23915/distill.00007). A channel that noise cannot wake gets grey. Raises
    ``UnknownName``, and ``BadInput`` for a stage without maps and a channel it does not have.
    """
    chain = up_to(model, stage)
    size, device = _picture_size(model), next(model.parameters()).device
    width = _channels(chain, model, stage, size)
    for wanted in channels if len(channels) else (None,):
        store.whole("channel", wanted, least=0, most=width - 1)
    with evaluating(model), torch.inference_mode(False), torch.enable_grad():
        own = torch.arange(len(channels)), torch.tensor([*channels])
        scale, palette = _frequencies(size).to(device), _palette().to(device)
        noise = torch.stack([_noise(size, seed, channel) for channel in channels]).to(device)
        spectra = (noise / scale.unsqueeze(-1)).requires_grad_()
        optimizer = torch.optim.Adam([spectra], LEARNING_RATE)
        rng = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            pictures = _moved(_paint(spectra, scale, palette), rng)
            excitement = chain(model.preprocess(pictures))[own].mean((1, 2)).sum()
            (spectra.grad,) = torch.autograd.grad(-excitement, spectra)
            optimizer.step()
        pictures = _paint(spectra, scale, palette).detach()
        pictures = (255 * pictures).round().byte().cpu()
    activations = run(model, lambda x: chain(model.preprocess(x)).mean((2, 3)), pictures)[own]
    pictures[activations == 0] = 128
    return Preferred(pictures, activations)


def stored_preferred(stage: str) -> Preferred:
    """The preferred pictures of all channels of a stage of the embedded ``resnet10``.

    Made by ``data_scripts/draw_preferred.py``. Raises ``UnknownName``.
    """
    import numpy as np

    with np.load(store.embedded(STORED), allow_pickle=False) as file:
        names = [key.removesuffix("_sheet") for key in file if key.endswith("_sheet")]
        store.choose("stage", stage, names)
        sheet, *numbers = (file[f"{stage}_{key}"] for key in ("sheet", "activations", "best"))
    return Preferred(unpacked(sheet.tobytes()), *map(torch.from_numpy, numbers))


def unpacked(sheet: bytes) -> torch.Tensor:
    """The pictures of an encoded sheet, uint8 (N, 3, S, S), ``SHEET_COLUMNS`` in a row."""
    import numpy as np
    from PIL import Image

    whole = np.array(Image.open(io.BytesIO(sheet)).convert("RGB"))
    size = whole.shape[1] // SHEET_COLUMNS
    tiles = whole.reshape(-1, size, SHEET_COLUMNS, size, 3).transpose(0, 2, 4, 1, 3)
    return torch.from_numpy(tiles.reshape(-1, 3, size, size))


def responses(model: nn.Module, pictures: torch.Tensor, *names: str) -> dict[str, Responses]:
    """How strongly uint8 ``pictures`` (N, 3, H, W) excite every channel of the named stages.

    One pass for all of them; without names all stages below the head. Raises ``UnknownName``,
    and ``BadInput`` for a stage without maps.
    """
    names = names or tuple(stages(model))[:-1]

    def measured(part: torch.Tensor) -> dict[str, torch.Tensor]:
        with Tap(model, *names) as tap:
            model(model.preprocess(part))
        return {name: _summary(tap[name], name) for name in names}

    return {
        name: Responses(found[:, 0], found[:, 1], found[:, 2].long(), found[:, 3].long())
        for name, found in run(model, measured, pictures).items()
    }


def strongest(
    model: nn.Module,
    pictures: torch.Tensor,
    stage: str,
    channel: int,
    k: int = 6,
    found: Responses | None = None,
) -> Strongest:
    """The ``k`` patches of uint8 ``pictures`` (N, 3, H, W) that excite a channel most.

    A patch is as large as what one unit sees (``receptive_field``). ``found`` are the stage's
    ``responses`` to the same pictures, where they are known already. Raises ``UnknownName``, and
    ``BadInput`` for a channel that is not there.
    """
    field, size = receptive_field(model, stage), _picture_size(model)
    if not len(pictures):
        raise store.BadInput("strongest", "there is no picture to look at", "Pass some")
    store.whole("k", k)
    found = found or responses(model, pictures, stage)[stage]
    store.whole("channel", channel, least=0, most=found.peak.shape[1] - 1)
    activations, indices = found.peak[:, channel].topk(min(k, len(pictures)))
    side = min(field.size, size)
    patches = []
    for index in indices.tolist():
        box = field.box(int(found.row[index, channel]), int(found.column[index, channel]))
        top, left = (min(max(edge, 0), size - side) for edge in box[:2])
        tall, wide = (edge / size for edge in pictures.shape[2:])
        rows = slice(round(top * tall), round((top + side) * tall))
        columns = slice(round(left * wide), round((left + side) * wide))
        patch = pictures[index, :, rows, columns]
        patches.append(F.interpolate(patch[None].float(), (side, side), mode="area")[0])
    return Strongest(indices, activations, torch.stack(patches).round().byte())


def grad_cam(
    model: nn.Module, picture: torch.Tensor, target: int | str, stage: str | None = None
) -> torch.Tensor:
    """Where ``picture`` speaks for a class, as the maps of ``stage`` show it.

    ``picture``: uint8 (3, H, W). ``target``: an index, or a name out of ``model.classes``.
    ``stage``: by default the last before the head. Channels count by the mean gradient of the
    class's logit, and what speaks against it is left out (Selvaraju et al. 2017,
    arXiv:1610.02391). Returns float32 (H, W) from 0 to 1; all zero where nothing speaks for it.
    Raises ``UnknownName``, and ``BadInput`` for a stage without maps and an unknown index.
    """
    names = [*stages(model)]
    stage = store.choose("stage", names[-2] if stage is None else stage, names)
    if isinstance(target, str):
        target = [*model.classes].index(store.choose("class", target, model.classes))
    device = next(model.parameters()).device
    with evaluating(model), torch.inference_mode(False), torch.enable_grad():
        inputs = model.preprocess(picture[None].to(device)).requires_grad_()
        with Tap(model, stage) as tap:
            logits = model(inputs)
        maps = _maps(tap[stage], stage)
        store.whole("target", target, least=0, most=logits.shape[1] - 1)
        (gradient,) = torch.autograd.grad(logits[0, target], maps)
    weights = gradient.mean((2, 3), keepdim=True)
    heat = F.relu((weights * maps.detach()).sum(1, keepdim=True))
    heat = F.interpolate(heat, picture.shape[-2:], mode="bilinear", align_corners=False)
    return (heat / heat.amax().clamp(min=1e-12))[0, 0].cpu()


def _maps(output: torch.Tensor, stage: str) -> torch.Tensor:
    if output.ndim != 4:
        raise store.BadInput(
            f"stage {stage!r}",
            f"it puts out shape {tuple(output.shape)}, no maps (N, channels, height, width)",
            "Choose a stage made of convolutions, such as 'layer2'",
        )
    return output


def _picture_size(model: nn.Module) -> int:
    if not isinstance(model.preprocess, Preprocess):
        raise store.BadInput(
            f"this {type(model).__name__}", "it takes no pictures", "Use a network for pictures"
        )
    return model.preprocess.size


def _channels(chain: nn.Module, model: nn.Module, stage: str, size: int) -> int:
    grey = torch.full((1, 3, size, size), 0.5)
    return run(model, lambda x: _maps(chain(model.preprocess(x)), stage), grey).shape[1]


def _summary(maps: torch.Tensor, stage: str) -> torch.Tensor:
    """(N, C, H, W) to (N, 4, C): mean, peak, and the peak's row and column."""
    flat = _maps(maps, stage).flatten(2)
    peak, place = flat.max(2)
    width = maps.shape[3]
    return torch.stack([flat.mean(2), peak, place // width, place % width], 1)


def _noise(size: int, seed: int, channel: int) -> torch.Tensor:
    """Amplitudes (3, S, S // 2 + 1, 2) of noise as rough as a photograph."""
    rng = torch.Generator().manual_seed(seed * 100_003 + channel)
    noise = torch.randn(3, size, size // 2 + 1, 2, generator=rng)
    return 0.5 * noise * _frequencies(size, decay=1.0).unsqueeze(-1)


def _frequencies(size: int, decay: float = DECAY) -> torch.Tensor:
    """How far each frequency may move in a step, (S, S // 2 + 1), on average 1."""
    down, across = torch.fft.fftfreq(size)[:, None], torch.fft.rfftfreq(size)[None]
    scale = torch.hypot(down, across).clamp(min=1 / size) ** -decay
    return scale / scale.mean()


def _palette() -> torch.Tensor:
    """(3, 3): columns are colours that vary independently in photographs, the commonest longest."""
    shares, colours = torch.linalg.eigh(torch.tensor(COLOURS))
    return colours * (shares / shares.amax()).sqrt()


def _paint(spectra: torch.Tensor, scale: torch.Tensor, palette: torch.Tensor) -> torch.Tensor:
    """Amplitudes (N, 3, S, S // 2 + 1, 2) to pictures in [0, 1] of limited contrast."""
    size = spectra.shape[2]
    planes = torch.fft.irfft2(torch.view_as_complex(spectra) * scale, s=(size, size), norm="ortho")
    colours = torch.einsum("rc,nchw->nrhw", palette, planes)
    contrast = colours.square().mean((1, 2, 3), keepdim=True).sqrt()
    return torch.sigmoid(colours * (CONTRAST / contrast).clamp(max=1))


def _moved(pictures: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """All pictures moved by up to an eighth, turned by up to 8° and zoomed by up to 20 %."""
    turn, zoom, right, down = (2 * torch.rand(4, generator=rng) - 1).tolist()
    angle, zoom = torch.tensor(turn * 8).deg2rad(), 1 + 0.2 * zoom
    cos, sin = zoom * angle.cos(), zoom * angle.sin()
    matrix = torch.tensor([[cos, -sin, 0.25 * right], [sin, cos, 0.25 * down]])
    grid = F.affine_grid(
        matrix.expand(len(pictures), 2, 3).to(pictures), pictures.shape, align_corners=False
    )
    return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)
