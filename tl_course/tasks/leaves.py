"""The leaf clinic: rendered photographs of leaves, healthy or with one of four conditions.

Lengths are in picture halves (the picture spans -1 … 1), so that a picture keeps its composition
at every size; colours are linear light. Scene, condition, mishaps and camera draw from streams
of their own: the same leaf can be seen in each of the five conditions.
"""

import colorsys
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tl_course.tasks import generated
from tl_course.tasks.generated import Array, Rng, developed, smooth
from tl_course.tasks.task import Task

CLASSES = ("healthy", "rust", "blight", "mildew", "mosaic")
OVERLAP = "slight: plants are in the background of source pictures, no class is a leaf"

Light = tuple[float, float]  # where it comes from: to the right, down
TABLE = 1024  # entries of an outline's table: finer than a pixel of any picture one would draw


@dataclass
class _Leaf:
    """One leaf on its pixel grid: where things lie on it, and what it looks like so far."""

    along: Array  # (n, n), leaf coordinates: 0 at the base of the rib, 1 at its tip
    across: Array  # distance to the rib, signed
    margin: Array  # distance to the outline, positive inside
    length: float  # of the leaf, in picture halves
    mask: Array  # (n, n), 0 … 1
    ribs: Array  # 1 on the midrib
    veins: Array  # 1 on the side veins
    cells: Array  # int, which field between two side veins
    bulge: Array  # 0 on a side vein, 0.5 half way to the next
    albedo: Array  # (3, n, n)
    height: Array  # (n, n), in picture halves
    gloss: Array  # (n, n), 0 … 1

    @property
    def side(self) -> int:
        return len(self.mask)


def load(
    title: str = "Leaf clinic", sizes: tuple[int, int, int] = (1500, 500, 1000), side: int = 64
) -> Task:
    """The leaf clinic at ``side`` × ``side``; ``sizes`` are those of train, val and test."""
    return generated.make(__name__, title, sizes, OVERLAP, side=side)


def pictures(labels: Array, seed: int, size: int = 64, first: int = 0) -> Array:
    """Photographs of leaves, one for each label (an index into ``CLASSES``).

    Returns uint8 (N, 3, ``size``, ``size``), RGB. Picture ``i`` depends on ``seed``,
    ``first + i``, ``labels[i]`` and ``size`` alone, and is the same on every run on one machine.
    """
    return generated.each(_picture, labels, seed, size, first)


def _picture(rng: Rng, label: int, size: int) -> Array:
    scene, illness, mishap, camera = rng.spawn(4)
    angle = scene.uniform(0, 2 * np.pi)
    steepness = scene.uniform(0.35, 0.95)
    light = (steepness * math.cos(angle), steepness * math.sin(angle))
    ground = _background(scene, light, size)
    # The leaf is drawn at twice the size and averaged down, which smooths its edges; what lies
    # behind it is out of focus anyway.
    leaf = _leaf(scene, 2 * size)
    CONDITIONS[label](illness, leaf)
    _mishaps(mishap, leaf, light)
    image = _compose(scene, leaf, _double(_double(ground, 1), 2), light)
    small = 0.25 * (
        image[:, ::2, ::2] + image[:, 1::2, ::2] + image[:, ::2, 1::2] + image[:, 1::2, 1::2]
    )
    return _photograph(camera, small)


# Noise and shapes


@functools.lru_cache(maxsize=8)
def _grid(n: int) -> tuple[Array, Array]:
    line = ((np.arange(n, dtype=np.float32) + 0.5) * (2 / n)) - 1
    x, y = np.meshgrid(line, line)
    x.flags.writeable = y.flags.writeable = False
    return x, y


def _double(values: Array, axis: int) -> Array:
    """Twice as many samples along ``axis``, by one step of quadratic spline subdivision."""
    values = values.swapaxes(0, axis)
    near, far = 0.75 * values, 0.25 * values
    result = np.empty((2 * len(values), *values.shape[1:]), np.float32)
    result[0::2] = near + np.concatenate([far[:1], far[:-1]])
    result[1::2] = near + np.concatenate([far[1:], far[-1:]])
    return result.swapaxes(0, axis)


def _noise(rng: Rng, n: int, low: int, high: int = 0, rough: float = 0.6) -> Array:
    """Smooth noise (n, n) of standard deviation 1, with octaves from ``low`` to ``high`` cells.

    Each octave is ``rough`` times the one before it. Where ``n`` cannot hold an octave it is left
    out, but still drawn, so that every size gets the same coarse shapes.
    """
    values = rng.standard_normal((low, low), np.float32)
    cells, weight = low, 1.0
    while cells < max(n, high):
        cells *= 2
        weight *= rough * 0.6  # a new octave has not been smoothed yet, so it counts for less
        fresh = rng.standard_normal((cells, cells), np.float32) if cells <= high else None
        if len(values) < n:
            values = _double(_double(values, 0), 1)
            if fresh is not None:
                values += weight * fresh
    if len(values) != n:
        pick = np.arange(n) * len(values) // n
        values = values[np.ix_(pick, pick)]
    return values / (values.std() + 1e-6)


def _curve(rng: Rng, where: Array, knots: int) -> Array:
    """Smooth noise in one dimension, read at ``where`` (0 … ``knots``, then again)."""
    line = rng.standard_normal(knots, np.float32)
    while len(line) < 8 * knots:
        line = _double(line, 0)
    pick = (where * (len(line) / knots)).astype(np.int32) % len(line)
    return line[pick]


def _step(values: Array, start: float, end: float) -> Array:
    """Smooth step: 0 at ``start``, 1 at ``end``."""
    return smooth((values - start) * (1 / (end - start)))


def _discs(
    n: int, xs: Array, ys: Array, radii: Array, reach: float = 1.0
) -> Iterator[tuple[tuple[slice, slice], Array, Array]]:
    """For each disc its window of the grid, and there the place (dx, dy) in radii.

    The windows of discs outside the picture are empty.
    """
    grid_x, grid_y = _grid(n)
    for x, y, radius in zip(xs, ys, radii, strict=True):
        extent = max(radius * reach, 3 / n)
        left, right = (int(max(0, (x + side * extent + 1) * n / 2)) for side in (-1, 1))
        top, bottom = (int(max(0, (y + side * extent + 1) * n / 2)) for side in (-1, 1))
        window = (slice(top, bottom + 2), slice(left, right + 2))
        yield window, (grid_x[window] - x) / radius, (grid_y[window] - y) / radius


def _turned(x: Array, y: Array, angle: float) -> tuple[Array, Array]:
    """Places along an axis at ``angle``, and across it."""
    cos, sin = math.cos(angle), math.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def _hsv(hue: float, saturation: float, value: float) -> Array:
    """Linear-light colour (3, 1, 1); ``hue`` in degrees."""
    colour = np.array(colorsys.hsv_to_rgb(hue / 360 % 1, saturation, value), np.float32)
    return (colour**2)[:, None, None]


def _blend(image: Array, alpha: Array, colour: Array) -> None:
    difference = colour - image
    difference *= alpha
    image += difference


def _slopes(height: Array) -> tuple[Array, Array]:
    down, across = (slope * (len(height) / 2) for slope in np.gradient(height))
    across[:, [0, -1]] = down[[0, -1]] = 0
    return across, down


# Backgrounds


def _background(rng: Rng, light: Light, n: int) -> Array:
    kinds = (_soil, _gravel, _wood, _grass, _cloth, _bokeh, _table, _foliage)
    ground = kinds[rng.integers(len(kinds))](rng, light, n)
    if rng.random() < 0.5:
        from scipy.ndimage import gaussian_filter

        radius = rng.uniform(0.005, 0.05) * n
        ground = gaussian_filter(ground, (0, radius, radius), mode="nearest", truncate=2)
    return np.maximum(ground, 0)


def _lit(colour: Array, height: Array, light: Light) -> Array:
    across, down = _slopes(height)
    shade = (1 - across * light[0] - down * light[1]) / np.sqrt(1 + across**2 + down**2)
    return colour * np.clip(shade, 0.15, 1.8)


def _soil(rng: Rng, light: Light, n: int) -> Array:
    coarse = _noise(rng, n, 8, 64, 0.9)
    colour = _hsv(rng.uniform(18, 40), rng.uniform(0.2, 0.6), rng.uniform(0.25, 0.65))
    colour = colour * (1 + 0.25 * _noise(rng, n, 4, 16))
    ground = _lit(colour, coarse * rng.uniform(0.015, 0.05), light)
    bits = int(rng.integers(0, 25))
    xs, ys = rng.uniform(-1, 1, (2, bits))
    tones = rng.uniform(0.4, 2.2, bits)
    radii = rng.uniform(0.015, 0.05, bits)
    for tone, (window, dx, dy) in zip(tones, _discs(n, xs, ys, radii), strict=True):
        ground[:, *window] *= 1 + (tone - 1) * _step(dx**2 + dy**2, 1.2, 0.6)
    return ground


def _gravel(rng: Rng, light: Light, n: int) -> Array:
    hue, saturation = rng.uniform(0, 60), rng.uniform(0.02, 0.3)
    ground = _soil(rng, light, n) * 0.4
    scale = rng.uniform(0.7, 1.6)
    count = int(70 / scale)
    radii = np.sort(scale * rng.uniform(0.07, 0.2, count))
    xs, ys = rng.uniform(-1.1, 1.1, (2, count))
    values = rng.uniform(0.3, 0.85, count)
    squash = rng.uniform(0.6, 1.4, count)
    discs = _discs(n, xs, ys, radii, 1.5)
    for value, tilt, (window, dx, dy) in zip(values, squash, discs, strict=True):
        distance = (dx * tilt) ** 2 + (dy / tilt) ** 2 + 0.3 * dx * dy
        shade = np.clip(0.75 + 0.45 * (dx * light[0] + dy * light[1]), 0.2, 1.3)
        stone = _hsv(hue + 20 * tilt, saturation, value) * shade
        part = ground[:, *window]
        part *= 1 - 0.6 * _step(distance, 2.0, 0.8)
        _blend(part, _step(distance, 1.0, 0.8), stone)
    return ground


def _wood(rng: Rng, light: Light, n: int) -> Array:
    along, across = _turned(*_grid(n), rng.uniform(0, np.pi))
    width = rng.uniform(0.3, 0.9)
    board = np.floor(across / width + 10)
    wave = across + 0.012 * _noise(rng, n, 4) + 0.06 * _curve(rng, along * 1.2 + 5 + 7 * board, 64)
    grain = _curve(rng, (wave + 3) * rng.uniform(14, 30) + 31 * board, 1024)
    tone = 1 + 0.22 * grain + 0.12 * _curve(rng, board * 3 + 1, 32)
    gap = np.abs(across / width + 10 - board - 0.5)
    colour = _hsv(rng.uniform(12, 40), rng.uniform(0.15, 0.6), rng.uniform(0.35, 0.85))
    return colour * (tone * (1 - 0.7 * _step(gap, 0.47, 0.495)))


def _grass(rng: Rng, light: Light, n: int) -> Array:
    hue = rng.uniform(60, 125)
    ground = np.broadcast_to(_hsv(hue, 0.6, 0.15), (3, n, n)).copy()
    for _ in range(4):
        _, across = _turned(*_grid(n), rng.normal(np.pi / 2, 0.5))
        bend = 0.25 * _noise(rng, n, 4)
        blade = _curve(rng, (across + 0.3 * bend + 3) * rng.uniform(7, 14), 128)
        colour = _hsv(hue + rng.normal(0, 12), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.7))
        _blend(ground, _step(blade + 0.6 * bend, 0.3, 0.6), colour * (0.6 + 0.3 * blade))
    return ground


def _cloth(rng: Rng, light: Light, n: int) -> Array:
    x, y = _grid(n)
    threads = rng.uniform(10, 45)
    folds = _noise(rng, n, 2, 4)
    warp = np.sin(threads * (x + 0.02 * folds)) * np.sin(threads * (y - 0.02 * folds))
    colour = _hsv(rng.uniform(0, 360), rng.uniform(0, 0.6), rng.uniform(0.25, 0.9))
    other = _hsv(rng.uniform(0, 360), rng.uniform(0, 0.5), rng.uniform(0.3, 0.9))
    stripes = _step(np.sin(x * rng.uniform(2, 12) + rng.uniform(0, 6)), 0.1, 0.3)
    if rng.random() < 0.5:
        colour = colour + stripes * (other - colour)
    return _lit(colour * (1 + 0.2 * warp), 0.12 * folds, light)


def _bokeh(rng: Rng, light: Light, n: int) -> Array:
    hue = rng.uniform(30, 220)
    ground = _hsv(hue, rng.uniform(0.2, 0.7), rng.uniform(0.15, 0.6))
    ground = ground * np.maximum(1 + 0.5 * _noise(rng, n, 2, 4), 0.1)
    count = int(rng.integers(4, 22))
    xs, ys = rng.uniform(-1, 1, (2, count))
    radii = rng.uniform(0.06, 0.25, count)
    hues = hue + rng.normal(0, 30, count)
    for spot_hue, (window, dx, dy) in zip(hues, _discs(n, xs, ys, radii), strict=True):
        disc = _step(dx**2 + dy**2, 1.0, 0.8) * (0.2 + 0.15 * (dx**2 + dy**2))
        _blend(ground[:, *window], disc, _hsv(spot_hue, 0.35, 0.9))
    return ground


def _table(rng: Rng, light: Light, n: int) -> Array:
    x, y = _grid(n)
    colour = _hsv(rng.uniform(0, 360), rng.uniform(0, 0.25), rng.uniform(0.2, 0.98))
    return colour * (1 - 0.25 * (x * light[0] + y * light[1]) + 0.04 * _noise(rng, n, 8, 64, 1.0))


def _foliage(rng: Rng, light: Light, n: int) -> Array:
    hue = rng.uniform(50, 140)
    ground = _hsv(hue, 0.6, 0.2) * np.maximum(1 + 0.5 * _noise(rng, n, 4, 16), 0.1)
    for _ in range(int(rng.integers(3, 7))):
        _other_leaf(rng, ground, hue)
    return ground


def _other_leaf(rng: Rng, ground: Array, hue: float) -> None:
    """Paint a leaf of the background: an outline, a rib and some shade, no more."""
    x, y = _grid(ground.shape[1])
    length, angle = rng.uniform(0.8, 1.8), rng.uniform(0, 2 * np.pi)
    x0, y0 = rng.uniform(-1.1, 1.1), rng.uniform(-1.1, 1.1)
    along, across = (place / length for place in _turned(x - x0, y - y0, angle))
    along = along + 0.5
    across = across + rng.uniform(-0.4, 0.4) * (along - 0.5) ** 2
    inner = np.clip(along, 0, 1)
    edge = rng.uniform(0.5, 1.1) * inner * (1 - inner) * (1.4 - 0.8 * inner) - np.abs(across)
    mask = np.clip(edge * length * len(x) / 2 + 0.5, 0, 1) * ((along > 0) & (along < 1))
    colour = _hsv(hue + rng.normal(0, 15), rng.uniform(0.35, 0.8), rng.uniform(0.2, 0.7))
    phase = (along - 0.7 * np.abs(across)) * rng.uniform(6, 12)
    shade = 0.85 + 0.12 * np.cos(2 * np.pi * phase) + np.sign(across) * rng.uniform(-0.2, 0.2)
    shade = shade + 0.5 * _step(np.abs(across), 0.02, 0.005)
    ground *= 1 - 0.5 * _step(edge, -0.08, 0.02) * ((along > -0.05) & (along < 1.05))
    _blend(ground, mask, colour * shade)


# The leaf


def _leaf(rng: Rng, n: int) -> _Leaf:
    grid_x, grid_y = _grid(n)
    wobble = _noise(rng, n, 4, 8)
    sway = rng.uniform(0.005, 0.035)
    x = grid_x + sway * wobble
    y = grid_y + sway * wobble.T
    length = rng.uniform(1.3, 2.3)
    angle = rng.uniform(0, 2 * np.pi)
    free = max(0.1, 1.1 - length / 2)
    x0, y0 = rng.uniform(-free, free), rng.uniform(-free, free)
    u, v = _turned(x - x0, y - y0, angle)
    u = u / length + 0.5
    v /= length * rng.uniform(0.7, 1)
    v += rng.normal(0, 0.25) * (u - 0.5) ** 2
    if rng.random() < 0.25:
        along, across, margin, side = _palmate(rng, u, v)
    else:
        along, across, margin, side = _simple(rng, u, v)
    mask = np.clip(margin * (length * n / 2) + 0.5, 0, 1).astype(np.float32)
    if rng.random() < 0.7:
        stalk = np.clip((0.014 - np.abs(v)) * (length * n / 2) + 0.5, 0, 1)
        stalk *= (u > -rng.uniform(0.1, 0.6)) & (u < 0.15)
        mask = np.maximum(mask, stalk)
    count = rng.uniform(5, 11)
    phase = (along - rng.uniform(0.35, 1.0) * np.abs(across)) * count
    phase += 0.5 * (side % 2)
    phase += (rng.uniform(0, 2.5) * count) * across**2
    cells = np.floor(phase + 0.5).astype(np.int32)
    bulge = np.abs(phase - cells.astype(np.float32))
    thickness = rng.uniform(0.006, 0.016)
    ribs = np.exp(-((across / (thickness * (1.3 - 0.8 * np.clip(along, 0, 1)))) ** 2))
    veins = np.exp(-((bulge / (count * thickness * 0.55)) ** 2)) * _step(margin, 0, 0.1)
    leaf = _Leaf(
        along, across, margin, length, mask, ribs, veins, 2 * cells + side, bulge,
        albedo=np.empty((3, n, n), np.float32), height=np.empty((n, n), np.float32),
        gloss=np.ones((n, n), np.float32),
    )  # fmt: skip
    net = _colour(rng, leaf)
    leaf.height = length * (
        rng.uniform(-0.5, 0.5) * np.abs(across)
        + rng.uniform(0.0, 0.02) * bulge * (1 - bulge)
        + rng.uniform(-0.01, 0.01) * ribs
        + rng.uniform(0.003, 0.02) * wobble[::-1]
        - rng.uniform(0.0003, 0.0014) * net
    )
    return leaf


def _simple(rng: Rng, u: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """A leaf with one rib: ovate, lanceolate, heart-shaped, obovate, oak-like or toothed."""
    family = rng.integers(5)
    start, end, width, heart = (
        (0.55, 0.9, rng.uniform(0.24, 0.36), 0.0),  # ovate
        (0.75, 1.0, rng.uniform(0.12, 0.2), 0.0),  # lanceolate
        (0.4, 1.1, rng.uniform(0.32, 0.42), rng.uniform(0.3, 0.55)),  # heart
        (1.1, 0.5, rng.uniform(0.2, 0.32), 0.0),  # obovate
        (0.7, 0.6, rng.uniform(0.22, 0.32), 0.0),  # oak
    )[family]
    t = np.linspace(0, 1, TABLE + 1, dtype=np.float32)
    table = t**start * (1 - t) ** end
    table *= width / table.max()
    if family == 4:
        table *= 1 + 0.28 * np.cos(2 * np.pi * rng.integers(3, 6) * t + rng.uniform(0, 6))
    elif rng.random() < 0.45:
        teeth = int(rng.integers(9, 26))
        table *= 1 + rng.uniform(0.6, 1.8) / teeth * (0.5 - t * teeth % 1)
    side = (v > 0).astype(np.int32)
    absolute = np.abs(v) * np.where(side, 1, rng.uniform(0.9, 1.1)).astype(np.float32)
    place = u + heart * absolute
    inner = np.clip(place, 0, 1)
    margin = table[(inner * TABLE).astype(np.int32)] - absolute - np.abs(place - inner)
    return u, v, margin, side


def _palmate(rng: Rng, u: Array, v: Array) -> tuple[Array, Array, Array, Array]:
    """A leaf whose ribs leave one point, like a maple's; distances are to the nearest rib."""
    centre = rng.uniform(0.2, 0.35)
    radius = np.hypot(u - centre, v)
    angle = np.arctan2(v, u - centre)
    spread = rng.uniform(0.75, 1.0)
    lobes = np.array([0, spread, -spread, 2.1 * spread, -2.1 * spread])
    lengths = (1 - centre) * np.array([1, 0.85, 0.85, 0.55, 0.55])
    t = np.linspace(-np.pi, np.pi, TABLE + 1)
    gap = (t[:, None] - lobes + np.pi) % (2 * np.pi) - np.pi
    width = rng.uniform(0.25, 0.45)
    power = rng.uniform(1.2, 2)
    reach = lengths * (0.4 + 0.6 * np.exp(-((np.abs(gap) / width) ** power)))
    outline = (reach.max(1) * (1 - 0.55 * _step(np.abs(t), 2.5, np.pi))).astype(np.float32)
    teeth = rng.integers(24, 50)
    outline *= 1 + rng.uniform(0, 0.09) * ((t * (teeth / 6)) % 1 - 0.5).astype(np.float32)
    nearest = np.abs(gap).argmin(1)
    pick = ((angle + np.pi) * (TABLE / (2 * np.pi))).astype(np.int32)
    turn = gap[np.arange(len(t)), nearest].astype(np.float32)[pick]
    margin = 0.7 * (outline[pick] - radius)
    side = 2 * nearest.astype(np.int32)[pick] + (turn > 0)
    return radius * np.cos(turn), radius * np.sin(turn), margin, side


def _colour(rng: Rng, leaf: _Leaf) -> Array:
    """The colours of the living leaf: green or autumnal, mottled, with veins of another tone.

    Returns the net of the finest veins (n, n).
    """
    autumn = rng.random() < 0.18
    hue = rng.uniform(28, 62) if autumn else np.clip(rng.normal(95, 18), 58, 150)
    saturation, value = rng.uniform(0.35, 0.75), rng.uniform(0.32, 0.72)
    base = _hsv(hue, saturation, value)
    other = _hsv(hue + rng.normal(0, 16), saturation * rng.uniform(0.7, 1.1), value)
    mottle = _noise(rng, leaf.side, 4, 64, 0.8)
    tip = rng.normal(0, 0.7) * (leaf.along - 0.5)
    share = np.clip(0.4 + rng.uniform(0, 0.3) * mottle + tip, 0, 1)
    leaf.albedo[:] = base + share * (other - base)
    leaf.albedo *= 1 + rng.uniform(0, 0.12) * mottle.T
    if rng.random() < 0.3:
        rim = _hsv(rng.uniform(-10, 60), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.8))
        _blend(leaf.albedo, 0.7 * _step(leaf.margin, rng.uniform(0.02, 0.1), 0), rim)
    tint = _hsv(hue + rng.normal(-8, 14), saturation * rng.uniform(0.3, 1), rng.uniform(0.3, 0.95))
    strength = rng.uniform(0.1, 0.75)
    _blend(leaf.albedo, strength * np.maximum(leaf.ribs, 0.6 * leaf.veins), tint)
    net = _step(np.abs(_noise(rng, leaf.side, 32, 64)), 0.3, 0.0)
    shade = 1 + rng.uniform(-0.2, 0.2) * net
    leaf.albedo *= shade * (1 - rng.uniform(0, 0.35) * _step(leaf.margin, 0.025, 0))
    return net


def _places(
    rng: Rng, leaf: _Leaf, count: int, sizes: tuple[float, float], weight: Array | None = None
) -> tuple[Array, Array, Array]:
    """1 … ``count`` discs (x, y, radius) on the leaf, likelier where ``weight`` is high."""
    xs, ys, radii, luck = rng.random((4, 12 * count + 200), np.float32)
    columns, rows = (xs * leaf.side).astype(int), (ys * leaf.side).astype(int)
    chance = leaf.mask[rows, columns] * (leaf.margin[rows, columns] > 0.005)
    if weight is not None:
        chance = chance * weight[rows, columns]
    keep = np.flatnonzero(luck < chance)[:count]
    if not len(keep):
        keep = chance.argmax(keepdims=True)
    return 2 * xs[keep] - 1, 2 * ys[keep] - 1, sizes[0] + (sizes[1] - sizes[0]) * radii[keep] ** 1.5


# Conditions: each paints on the leaf's albedo, height and gloss


def _healthy(rng: Rng, leaf: _Leaf) -> None:
    """Leave the leaf as it is."""


def _rust(rng: Rng, leaf: _Leaf) -> None:
    """Small raised orange-brown pustules in clusters, each in a pale halo."""
    severity = rng.uniform(0, 1)
    crowd = _step(_noise(rng, leaf.side, 4, 8), 0.5 - 1.2 * severity, 1.2 - 1.0 * severity)
    scale = rng.uniform(0.016, 0.026) * leaf.length / 1.5
    crowd = np.maximum(crowd, 0.06)
    discs = _places(rng, leaf, int(24 + 75 * severity), (0.45 * scale, 1.8 * scale), crowd)
    spots, halo = np.zeros_like(leaf.mask), np.zeros_like(leaf.mask)
    ages = rng.uniform(0.55, 1, 128).tolist()
    for age, (window, dx, dy) in zip(ages, _discs(leaf.side, *discs, 2.4), strict=False):
        distance = dx**2 + dy**2
        np.maximum(spots[window], age * _step(distance, 1.4, 0.6), out=spots[window])
        np.maximum(halo[window], _step(distance, 5, 0.3), out=halo[window])
    hue = rng.uniform(16, 34)
    pale = _hsv(rng.uniform(45, 70), rng.uniform(0.35, 0.7), rng.uniform(0.6, 0.9))
    _blend(leaf.albedo, rng.uniform(0.2, 0.5) * halo, pale)
    pale_leaf = leaf.albedo[0].mean() > 0.25  # there it shows as brown, on a dark one as orange
    rust = _hsv(hue, rng.uniform(0.65, 0.9), rng.uniform(0.35, 0.52) + 0.3 * (not pale_leaf))
    rust = rust * (1 - rng.uniform(0.2, 0.6) * _step(spots, 0.7, 1))  # the oldest are darkest
    _blend(leaf.albedo, np.minimum(1.25 * spots, 0.95), rust)
    leaf.height += 0.25 * scale * spots
    leaf.gloss *= 1 - 0.7 * spots


def _blight(rng: Rng, leaf: _Leaf) -> None:
    """Irregular dead patches with concentric rings and a yellow rim, often from the edge."""
    severity = rng.uniform(0, 1)
    rough = _noise(rng, leaf.side, 4, 32, 0.8)
    edge = _step(leaf.margin, 0.09, 0.0) if rng.random() < 0.65 else None
    sizes = (0.1 * leaf.length, (0.16 + 0.13 * severity) * leaf.length)
    patches = _places(rng, leaf, int(1.3 + 3.5 * severity * rng.random()), sizes, edge)
    grid_x, grid_y = _grid(leaf.side)
    distance = np.full((leaf.side, leaf.side), 9, np.float32)
    for x, y, radius in zip(*patches, strict=True):
        np.minimum(distance, np.hypot(grid_x - x, grid_y - y) / radius, out=distance)
    distance += rng.uniform(0.12, 0.24) * rough
    rim = _hsv(rng.uniform(42, 65), rng.uniform(0.45, 0.8), rng.uniform(0.55, 0.85))
    _blend(leaf.albedo, rng.uniform(0.4, 0.8) * _step(distance, 1.55, 1.0), rim)
    rings = np.sin(distance * rng.uniform(10, 22) + 1.3 * rough)
    dead = _hsv(rng.uniform(15, 38), rng.uniform(0.3, 0.6), rng.uniform(0.25, 0.55))
    dead = dead * (1 + rng.uniform(0.05, 0.25) * rings + 0.12 * rough)
    dead = dead * (1 + rng.uniform(0, 1.2) * _step(distance, 0.7, 0.1))
    dead = dead * (1 - rng.uniform(0, 0.5) * _step(np.abs(distance - 0.97), 0.14, 0.0))
    patch = _step(distance, 1.05, 0.95)
    _blend(leaf.albedo, 0.94 * patch, dead)
    leaf.height += 0.006 * patch * rings
    leaf.gloss *= 1 - 0.8 * patch


def _mildew(rng: Rng, leaf: _Leaf) -> None:
    """White to grey powder in diffuse round colonies that run into each other."""
    severity = rng.uniform(0, 1)
    film = _noise(rng, leaf.side, 8, 64, 0.9)
    powder = _noise(rng, leaf.side, 64, 128, 1.0)
    sizes = (0.05 * leaf.length, 0.16 * leaf.length)
    colonies = _places(rng, leaf, int(3 + 12 * severity), sizes)
    cover = np.zeros_like(leaf.mask)
    for window, dx, dy in _discs(leaf.side, *colonies, 1.6):
        cover[window] += np.exp(-1.6 * (dx**2 + dy**2))
    cover = _step(cover + 0.22 * film, 0.15, 1.1) * (1 + 0.2 * powder) * (1 - 0.35 * leaf.ribs)
    white = _hsv(rng.uniform(30, 220), rng.uniform(0, 0.12), rng.uniform(0.75, 0.97))
    _blend(leaf.albedo, np.clip(rng.uniform(0.5, 0.95) * cover, 0, 1), white)
    leaf.height += 0.0015 * cover * powder
    leaf.gloss *= 1 - 0.9 * np.clip(cover, 0, 1)


def _mosaic(rng: Rng, leaf: _Leaf) -> None:
    """Light and dark fields that the veins bound, blistered."""
    from scipy.ndimage import uniform_filter

    severity = rng.uniform(0, 1)
    rough = _noise(rng, leaf.side, 8, 32, 0.8)
    rows = np.abs(leaf.across) * rng.uniform(5, 10) + 0.5 * leaf.bulge + 0.25 * rough
    tones = rng.uniform(-1, 1, 251).astype(np.float32)
    field = tones[(leaf.cells * 31 + np.floor(rows).astype(np.int32) * 7) % 251]
    reach = 2 * int(leaf.side * rng.uniform(0.004, 0.014)) + 1
    field = uniform_filter(uniform_filter(field, reach), reach)
    soft = rng.uniform(0.1, 0.4)
    share = _step(field + 0.6 * rough, -soft, soft) * (1 - 0.7 * np.maximum(leaf.ribs, leaf.veins))
    light = _hsv(rng.uniform(55, 85), rng.uniform(0.4, 0.75), rng.uniform(0.6, 0.85))
    _blend(leaf.albedo, (rng.uniform(0.45, 0.6) + 0.35 * severity) * share, light)
    leaf.albedo *= 1 - (0.2 + 0.2 * severity) * (1 - share)
    leaf.height += leaf.length * (0.01 + 0.02 * severity) * (1 - share) * leaf.bulge


CONDITIONS = (_healthy, _rust, _blight, _mildew, _mosaic)  # in the order of CLASSES


# What happens to every leaf, whatever its condition: these must not tell the conditions apart


def _mishaps(rng: Rng, leaf: _Leaf, light: Light) -> None:
    if rng.random() < 0.35:
        dirt = _hsv(rng.uniform(5, 45), rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.6))
        specks = _places(rng, leaf, int(rng.integers(3, 30)), (0.008, 0.03))
        for window, dx, dy in _discs(leaf.side, *specks, 1.3):
            _blend(leaf.albedo[:, *window], 0.85 * _step(dx**2 + 2 * dy**2, 1.3, 0.8), dirt)
    if rng.random() < 0.3:
        _holes(rng, leaf)
    if rng.random() < 0.2:
        splashes = _places(rng, leaf, int(rng.integers(1, 4)), (0.03, 0.09))
        splash = _hsv(rng.uniform(20, 60), rng.uniform(0, 0.3), rng.uniform(0.6, 0.95))
        for window, dx, dy in _discs(leaf.side, *splashes, 1.3):
            core = rng.uniform(0.2, 0.7)
            cover = _step(_ragged(dx, dy, 9 * core), 1.2, core)
            _blend(leaf.albedo[:, *window], 0.8 * cover, splash)
    if rng.random() < 0.3:
        _drops(rng, leaf, light)


def _ragged(dx: Array, dy: Array, twist: float) -> Array:
    """Distance to the centre of a disc whose outline (distance 1) waves irregularly."""
    turn = np.arctan2(dy, dx)
    return np.hypot(dx, dy) + 0.1 * np.sin(3 * turn + twist) + 0.06 * np.sin(7 * turn + 2 * twist)


def _holes(rng: Rng, leaf: _Leaf) -> None:
    """Bites of an insect: the background shows through, the rim is dry."""
    bites = _places(rng, leaf, int(rng.integers(1, 7)), (0.02, 0.11))
    dry = _hsv(rng.uniform(25, 60), 0.5, rng.uniform(0.3, 0.7))
    squash = rng.uniform(0.6, 1.6, 7).tolist()
    for index, (window, dx, dy) in enumerate(_discs(leaf.side, *bites, 2.0)):
        distance = _ragged(dx * squash[index], dy, 9 * squash[index])
        _blend(leaf.albedo[:, *window], 0.6 * _step(distance, 1.35, 1.0), dry)
        leaf.mask[window] *= _step(distance, 0.95, 1.05)


def _drops(rng: Rng, leaf: _Leaf, light: Light) -> None:
    """Water: darker towards the light, brighter away from it, with one small highlight."""
    water = _places(rng, leaf, int(rng.integers(3, 16)), (0.02, 0.075))
    for window, dx, dy in _discs(leaf.side, *water, 1.4):
        distance = dx**2 + dy**2
        inside = _step(distance, 1.1, 0.85)
        slope = dx * light[0] + dy * light[1]
        part = leaf.albedo[:, *window]
        part *= 1 - 0.35 * _step(distance, 1.7, 0.9) * (1 - inside)
        part *= 1 + inside * np.clip(-0.9 * slope, -0.5, 0.9)
        spark = _step((dx - 0.4 * light[0]) ** 2 + (dy - 0.4 * light[1]) ** 2, 0.12, 0.03)
        part += 0.9 * spark


# Light and camera


def _compose(rng: Rng, leaf: _Leaf, ground: Array, light: Light) -> Array:
    """The lit leaf over its shadow on the background: linear light (3, n, n), made in place."""
    from scipy import ndimage

    distance = rng.uniform(0.01, 0.12)
    right, below = (int(-distance * part * leaf.side / 2) for part in light)
    soft = max(1, int(distance * leaf.side / 6))
    shadow = ndimage.uniform_filter(leaf.mask, 2 * soft + 1, mode="nearest")
    shadow = ndimage.shift(shadow, (below, right), order=0, mode="nearest")
    ground *= 1 - rng.uniform(0.3, 0.75) * shadow
    across, down = _slopes(leaf.height)
    ambient = rng.uniform(0.35, 0.65)
    steep = np.sqrt(1 + across**2 + down**2)
    facing = np.clip((1 - across * light[0] - down * light[1]) / steep, 0, 2)
    image = leaf.albedo
    image *= ambient + (1 - ambient) * facing
    polish = rng.uniform(0, 0.5) ** 1.5
    width = rng.uniform(0.02, 0.25)
    tilt = (across + 0.35 * light[0]) ** 2 + (down + 0.35 * light[1]) ** 2
    image += polish * leaf.gloss * np.exp(-tilt / width)
    _blend(ground, leaf.mask, image)
    if rng.random() < 0.25:
        dapple = _step(_noise(rng, leaf.side, 4, 8), rng.uniform(-0.5, 0.2), rng.uniform(0.3, 0.8))
        ground *= 1 - rng.uniform(0.3, 0.65) * dapple
    return ground


def _photograph(rng: Rng, image: Array) -> Array:
    """White balance, exposure, blur, noise and the tone curve: uint8 (3, size, size)."""
    from scipy.ndimage import gaussian_filter, uniform_filter1d

    size = image.shape[1]
    x, y = _grid(size)
    warmth, tint = rng.normal(0, 0.13), rng.normal(0, 0.05)
    image *= np.exp(np.array([warmth, tint, -warmth], np.float32))[:, None, None]
    sun = rng.uniform(0, 2 * np.pi)
    image *= 1 + rng.uniform(0, 0.35) * (x * math.cos(sun) + y * math.sin(sun))
    image *= 1 - rng.uniform(0, 0.2) * (x**2 + y**2)
    level = image.mean() + 1e-3
    image *= (rng.uniform(0.13, 0.34) / level) ** 0.55
    focus = size * rng.uniform(0, 0.013) if rng.random() < 0.6 else 0
    if focus > 0.2:
        image = gaussian_filter(image, (0, focus, focus), mode="nearest", truncate=3)
    streak = int(size * rng.uniform(0.02, 0.06)) if rng.random() < 0.15 else 0
    if streak > 1:
        image = uniform_filter1d(image, streak, axis=int(rng.integers(1, 3)), mode="nearest")
    grey = image.mean(0)
    image = grey + rng.uniform(0.7, 1.12) * (image - grey)
    image = np.sqrt(np.clip(image, 0, None))
    image = np.where(image > 0.8, 0.8 + 0.2 * np.tanh((image - 0.8) / 0.2), image)
    grain = rng.uniform(0.004, 0.025) * math.sqrt(64 / size)  # larger pictures, finer grain
    image += grain * rng.standard_normal(image.shape, np.float32)
    return developed(image)
