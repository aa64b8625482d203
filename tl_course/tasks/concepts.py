"""Probe sets: pictures whose answer is known because they were drawn, all else left to chance.

Colours, backgrounds, places, sizes, angles, sharpness and noise come from the same distributions
for every answer. A part or object is told from the same pieces lying loose: each picture holds one
that is put together and one other taken apart, so that pieces alone give no more than a half.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tl_course.tasks import generated
from tl_course.tasks.generated import Array, Rng
from tl_course.tasks.task import Task

CLASSES = {
    "edges": ("horizontal", "rising", "vertical", "falling"),
    "corners": ("straight", "corner", "curve"),
    "parts": ("eye", "wheel", "leaf"),
    "objects": ("face", "car", "animal", "tree"),
}
SIZE = 64
_FINE = 2 * SIZE  # drawn at this size, then shrunk

Points = Array  # (n, 2), x to the right and y down
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class _Piece:
    """One filled shape of a thing, in the thing's own frame from -1 to 1; or a line with width."""

    points: Points
    width: float = 0.0  # of a line; 0 for a filled shape
    inner: Points | None = None  # a second shape on top, in another colour

    def centred(self) -> "_Piece":
        middle = (self.points.min(0) + self.points.max(0)) / 2
        inner = None if self.inner is None else self.inner - middle
        return replace(self, points=self.points - middle, inner=inner)


def _ellipse(x: float, y: float, a: float, b: float, n: int = 32) -> Points:
    t = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.stack([x + a * np.cos(t), y + b * np.sin(t)], 1)


def _almond(width: float, height: float, tilt: float = 0.0) -> Points:
    x = np.linspace(-1, 1, 17)
    bow = height * (1 - x**2) * (1 + tilt * x)
    return np.concatenate([np.stack([width * x, -bow], 1), np.stack([width * x, bow], 1)[::-1]])


def _polygon(*points: tuple[float, float]) -> Points:
    return np.array(points, float)


def _eye(rng: Rng) -> list[_Piece]:
    look = rng.uniform(-0.25, 0.25)
    iris = rng.uniform(0.36, 0.44)
    white = _Piece(_almond(1, rng.uniform(0.5, 0.65)))
    return [white, _Piece(_ellipse(look, 0, iris, iris)), _Piece(_ellipse(look, 0, 0.18, 0.18))]


def _wheel(rng: Rng) -> list[_Piece]:
    rim = rng.uniform(0.62, 0.75)
    count = rng.integers(3, 6)
    angles = np.pi * np.arange(count) / count
    ends = 0.66 * np.stack([np.cos(angles), np.sin(angles)], 1)
    spokes = [_Piece(np.stack([-end, end]), width=0.12) for end in ends]
    tyre = _Piece(_ellipse(0, 0, 0.95, 0.95), inner=_ellipse(0, 0, rim, rim))
    return [tyre, *spokes, _Piece(_ellipse(0, 0, 0.2, 0.2))]


def _leaf(rng: Rng) -> list[_Piece]:
    blade = _Piece(_almond(1, rng.uniform(0.4, 0.55), rng.uniform(-0.4, 0.4)))
    rib = _Piece(_polygon((-1.25, 0), (0.9, 0)), width=0.1)
    veins = [
        _Piece(_polygon((x, 0), (x + 0.25, side * rng.uniform(0.25, 0.33))), width=0.07)
        for x in (-0.55, -0.15, 0.25)
        for side in (-1, 1)
    ]
    return [blade, rib, *veins]


def _face(rng: Rng) -> list[_Piece]:
    apart, level = rng.uniform(0.28, 0.4), rng.uniform(-0.3, -0.1)
    size = rng.uniform(0.1, 0.16)
    bend = rng.uniform(-0.15, 0.2)
    x = np.linspace(-0.35, 0.35, 7)
    mouth = np.stack([x, 0.5 + bend * (1 - (x / 0.35) ** 2)], 1)
    return [
        _Piece(_ellipse(0, 0, rng.uniform(0.7, 0.85), 0.98)),
        _Piece(_ellipse(-apart, level, size, size)),
        _Piece(_ellipse(apart, level, size, size)),
        _Piece(_polygon((0, level + 0.1), (-0.12, 0.25), (0.12, 0.25))),
        _Piece(mouth, width=0.12),
    ]


def _car(rng: Rng) -> list[_Piece]:
    wheel, axle = rng.uniform(0.22, 0.28), rng.uniform(0.5, 0.6)
    roof, left, right = rng.uniform(-0.6, -0.45), rng.uniform(-0.5, -0.3), rng.uniform(0.2, 0.45)
    body = _polygon((-1, 0.3), (-1, -0.1), (0.9, -0.1), (1, 0.05), (1, 0.3))
    cabin = _polygon((left - 0.3, -0.1), (left, roof), (right, roof), (right + 0.3, -0.1))
    wheels = [_ellipse(side * axle, 0.35, wheel, wheel) for side in (-1, 1)]
    return [
        _Piece(body),
        _Piece(cabin),
        *(_Piece(w, inner=0.5 * w + 0.5 * w.mean(0)) for w in wheels),
    ]


def _animal(rng: Rng) -> list[_Piece]:
    height = rng.uniform(0.28, 0.4)
    legs = [
        _Piece(_polygon((x, 0.15), (x + rng.uniform(-0.1, 0.1), 0.85)), width=0.16)
        for x in (-0.5, -0.3, 0.25, 0.45)
    ]
    ears = [_Piece(_polygon((x, -0.6), (x + 0.06, -0.95), (x + 0.2, -0.6))) for x in (0.58, 0.85)]
    tail = _Piece(_polygon((-0.6, -0.1), (-1, rng.uniform(-0.6, 0.3))), width=0.12)
    head = _Piece(_ellipse(0.8, -0.45, 0.27, 0.24))
    return [tail, *legs, _Piece(_ellipse(-0.05, 0, 0.68, height)), *ears, head]


def _tree(rng: Rng) -> list[_Piece]:
    width = rng.uniform(0.1, 0.18)
    trunk = _Piece(_polygon((-width, 1), (-width, -0.1), (width, -0.1), (width, 1)))
    if rng.random() < 0.5:
        tops = [
            _polygon((-s, y + 0.45), (0, y - 0.35), (s, y + 0.45))
            for s, y in ((0.75, -0.1), (0.6, -0.4), (0.42, -0.65))
        ]
    else:
        tops = [_ellipse(x, y, 0.45, 0.42) for x, y in ((-0.38, -0.2), (0.38, -0.25), (0, -0.6))]
    return [trunk, *(_Piece(top) for top in tops)]


_THINGS = {make.__name__[1:]: make for make in (_eye, _wheel, _leaf, _face, _car, _animal, _tree)}
_STRAIGHT = _polygon((-3, 0), (0, 0), (3, 0))


def load(kind: str) -> Task:
    """Probe set ``kind``: 800 pictures to train, 200 to choose, 600 to test."""
    overlap = "of concepts alone: the source has photographs, these are drawings"
    return generated.make(__name__, f"Concepts: {kind}", (800, 200, 600), overlap, kind)


def pictures(kind: str, labels: Sequence[int], seed: int, first: int = 0) -> Array:
    """Pictures of probe set ``kind`` with those ``labels``: uint8 (N, 3, 64, 64).

    Picture i depends on ``seed``, ``first + i`` and ``labels[i]`` alone.
    """
    draw = {"edges": _edge, "corners": _contour}.get(kind, _thing)
    classes = CLASSES[kind]
    return generated.each(
        lambda rng, label, size: draw(rng, classes, label), np.asarray(labels), seed, SIZE, first
    )


def _edge(rng: Rng, classes: Sequence[str], label: int) -> Array:
    """Two regions and the straight edge between them, at 45° times the label, give or take 12°."""
    angle = -np.pi / 4 * label + np.radians(rng.uniform(-12, 12))
    return _halves(rng, _STRAIGHT, angle, rng.uniform(-0.35, 0.35, 2))


def _contour(rng: Rng, classes: Sequence[str], label: int) -> Array:
    """Two regions whose border is straight, has a corner or bends evenly, turned at random.

    The smaller region takes the same share of the picture, whatever its border: else brightness
    and contrast would tell.
    """
    turn = np.radians(rng.uniform(60, 120)) / 2
    arm = 3 * np.array([np.cos(turn), np.sin(turn)])
    if classes[label] == "straight":
        border = _STRAIGHT
    elif classes[label] == "corner":
        border = np.stack([arm * (-1, 1), np.zeros(2), arm])
    else:  # an arc that turns as much as the corner, and then goes straight on
        radius = rng.uniform(0.5, 0.8)
        t = np.linspace(-turn, turn, 15)
        arc = radius * np.stack([np.sin(t), 1 - np.cos(t)], 1)
        border = np.concatenate([[arc[0] + arm * (-1, 1)], arc, [arc[-1] + arm]])
    angle, side = rng.uniform(0, 2 * np.pi), rng.uniform(-0.2, 0.2)
    wanted = rng.uniform(0.2, 0.35)
    shifts = [_turn(angle) @ (side, depth) for depth in np.linspace(-0.9, 0.9, 37)]
    shares = [np.asarray(_mask(border, shift, angle, 48)).mean() / 255 for shift in shifts]
    return _halves(rng, border, angle, shifts[np.abs(np.array(shares) - wanted).argmin()])


def _halves(rng: Rng, border: Points, angle: float, shift: Points) -> Array:
    """A picture cut in two by ``border``, which runs from left to right before it is turned."""
    one, two = _colours(rng, 2)
    picture = _ground(rng, one)
    picture.paste(_ground(rng, two), mask=_mask(border, shift, angle, _FINE))
    return _finish(rng, picture)


def _mask(border: Points, shift: Points, angle: float, size: int) -> Image.Image:
    """White below the border, in a picture of ``size`` × ``size``."""
    below = np.concatenate([border, [[border[-1][0], 4], [border[0][0], 4]]])
    mask = Image.new("L", (size, size))
    ImageDraw.Draw(mask).polygon(_place(below, shift, 1.0, angle, False, size), fill=255)
    return mask


def _thing(rng: Rng, classes: Sequence[str], label: int) -> Array:
    """One thing put together, and another taken apart, its pieces strewn around."""
    other = (label + int(rng.integers(1, len(classes)))) % len(classes)
    whole, loose = (_THINGS[classes[index]](rng) for index in (label, other))
    ground, *colours = _colours(rng, 4)
    picture = _ground(rng, ground)
    draw = ImageDraw.Draw(picture)
    scale = rng.uniform(0.46, 0.56)
    side = rng.uniform(-0.4, 0.4), rng.choice([-0.4, 0.4])  # the whole leaves room beside it
    centre = np.array(side if rng.random() < 0.5 else side[::-1])
    mirrored = rng.random() < 0.5
    tilt = np.radians(15) if classes is CLASSES["objects"] else np.pi
    taken = [centre]
    for piece in loose:
        room = max(1 - scale * np.ptp(piece.points, axis=0).max() / 2, 0.1)
        spots = rng.uniform(-room, room, (30, 2))
        away = [np.abs(spots - spot).max(1) for spot in taken]
        spot = spots[np.min(away, axis=0).argmax()]
        taken.append(spot)
        place = spot, scale, rng.uniform(-tilt, tilt), mirrored
        _paint(draw, rng, piece.centred(), colours, place)
    place = centre, scale, rng.uniform(-tilt, tilt), mirrored
    for piece in whole:
        _paint(draw, rng, piece, colours, place)
    return _finish(rng, picture)


def _paint(draw, rng: Rng, piece: _Piece, colours: Sequence[Colour], place: tuple) -> None:
    colour, second = (colours[i] for i in rng.permutation(len(colours))[:2])
    outline = tuple(int(0.45 * value) for value in colour)
    points = _place(piece.points, *place)
    scale = place[1] * _FINE / 2
    if piece.width:
        draw.line(points, fill=outline, width=round(piece.width * scale), joint="curve")
        return
    draw.polygon(points, fill=colour, outline=outline, width=max(1, round(0.06 * scale)))
    if piece.inner is not None:
        draw.polygon(_place(piece.inner, *place), fill=second, outline=outline)


def _turn(angle: float) -> Array:
    """The matrix (2, 2) that turns by ``angle``."""
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def _place(
    points: Points, centre: Points, scale: float, angle: float, mirrored: bool, size: int = _FINE
) -> list[tuple[float, float]]:
    """Points of a thing's own frame as pixels of a picture of ``size`` × ``size``."""
    points = points * (-1, 1) if mirrored else points
    placed = (scale * points @ _turn(angle).T + centre + 1) * size / 2
    return [tuple(point) for point in placed]


def _colours(rng: Rng, count: int) -> list[Colour]:
    """Random colours whose brightness differs, in random order."""
    levels = rng.permutation(np.linspace(45, 215, count)) + rng.uniform(-20, 20, count)
    tints = rng.uniform(-45, 45, (count, 3))
    tints -= tints.mean(1, keepdims=True)
    return [
        tuple(np.clip(level + tint, 0, 255).astype(int).tolist())
        for level, tint in zip(levels, tints, strict=True)
    ]


def _ground(rng: Rng, colour: Colour) -> Image.Image:
    """An uneven surface around one colour, at the fine size."""
    coarse = rng.normal(0, 9, (5, 5, 3)) + rng.normal(0, 6, (5, 5, 1)) + np.array(colour)
    small = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8))
    return small.resize((_FINE, _FINE), Image.Resampling.BICUBIC)


def _finish(rng: Rng, picture: Image.Image) -> Array:
    """Blur, shrink, add noise: uint8 (3, 64, 64)."""
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0, 2)))
    small = np.asarray(picture.resize((SIZE, SIZE), Image.Resampling.BOX), float)
    noisy = small + rng.normal(0, rng.uniform(1, 8), small.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8).transpose(2, 0, 1)
