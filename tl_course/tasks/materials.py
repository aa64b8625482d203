"""Procedural close-up photographs of materials: only texture tells them apart.

Colour, scale, light, rotation, sharpness and contrast are drawn from the same distributions for
every class, so a picture's average says nothing about its material.
"""

from dataclasses import dataclass

import numpy as np

from tl_course.tasks import generated
from tl_course.tasks.generated import Array, Rng, developed, smooth
from tl_course.tasks.task import Task

OVERLAP = "large: such surfaces are part of everyday photographs, though no class is one"

_SUPERSAMPLING = 2
_TABLE = 64  # side of a noise table: a power of two, so that wrapping around is a bit mask
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclass(frozen=True)
class _Surface:
    """What the light falls on; arrays (S, S), lengths in units of the material's own cell."""

    height: Array
    paint: Array  # 0 … 1: from the first colour of the palette to the second
    tint: Array | float = 1.0  # brightness of the paint
    gloss: float = 0.0


def _smooth(x: Array, low: float, high: float) -> Array:
    """Rise from 0 at ``low`` to 1 at ``high`` (which may be the smaller one) without a kink."""
    return smooth((x - low) / (high - low))


def _whole(x: Array) -> tuple[Array, Array]:
    """Integer part as table index, and the fraction that is left."""
    floor = np.floor(x)
    return floor.astype(np.int32), x - floor


def _noise(rng: Rng, u: Array, v: Array) -> Array:
    """Smooth value noise in 0 … 1 with blobs about one unit wide."""
    table = rng.random(_TABLE * _TABLE, dtype=np.float32)
    i, x = _whole(u)
    j, y = _whole(v)
    x, y = smooth(x), smooth(y)
    left, right = i & _TABLE - 1, (i + 1) & _TABLE - 1
    upper, lower = (j & _TABLE - 1) * _TABLE, ((j + 1) & _TABLE - 1) * _TABLE
    top = table[upper + left]
    top += x * (table[upper + right] - top)
    bottom = table[lower + left]
    bottom += x * (table[lower + right] - bottom)
    return top + y * (bottom - top)


def _per_cell(rng: Rng, i: Array, j: Array) -> Array:
    """One random number in 0 … 1 for each integer cell."""
    table = rng.random(_TABLE * _TABLE, dtype=np.float32)
    return table[(j & _TABLE - 1) * _TABLE + (i & _TABLE - 1)]


def _voronoi(rng: Rng, u: Array, v: Array, jitter: float) -> tuple[Array, Array, Array]:
    """Distance to the cell's border, to its centre, and a random number for each cell.

    Centres lie on a unit grid, moved by up to half of ``jitter`` (cellular noise, Worley 1996).
    """
    shift_u = (rng.random(_TABLE * _TABLE, dtype=np.float32) - 0.5) * jitter + 0.5
    shift_v = (rng.random(_TABLE * _TABLE, dtype=np.float32) - 0.5) * jitter + 0.5
    i, x = _whole(u)
    j, y = _whole(v)
    first = np.full(u.shape, 9, np.float32)
    second = first.copy()
    x1, y1, x2, y2 = (np.zeros_like(first) for _ in range(4))
    cell = np.zeros(u.shape, np.int32)
    for dj in (-1, 0, 1):
        row = ((j + dj) & _TABLE - 1) * _TABLE
        for di in (-1, 0, 1):
            index = row + ((i + di) & _TABLE - 1)
            dx = shift_u[index] + (di - x)
            dy = shift_v[index] + (dj - y)
            distance = dx * dx + dy * dy
            nearer = distance < first
            runner_up = ~nearer & (distance < second)
            for old, older, new in ((x1, x2, dx), (y1, y2, dy), (first, second, distance)):
                np.copyto(older, old, where=nearer)
                np.copyto(older, new, where=runner_up)
                np.copyto(old, new, where=nearer)
            np.copyto(cell, index, where=nearer)
    between = np.sqrt((x2 - x1) ** 2 + (y2 - y1) ** 2) + 1e-4
    border = (second - first) / (2 * between)
    return border, np.sqrt(first), rng.random(_TABLE * _TABLE, dtype=np.float32)[cell]


def _bricks(rng, u, v):
    v = v * 1.35
    j, y = _whole(v + 0.03 * np.sin(2 * u))
    i, x = _whole(u * 0.62 + 0.5 * (j & 1))
    rough = _noise(rng, u * 6, v * 6)
    edge = np.minimum(np.minimum(x, 1 - x) / 0.62, np.minimum(y, 1 - y) / 1.35)
    joint = rng.uniform(0.05, 0.09)
    body = _smooth(edge + 0.06 * (rough - 0.5), joint - 0.03, joint + 0.04)
    own = _per_cell(rng, i, j)
    height = 0.22 * body + 0.04 * rough + 0.05 * own * body
    return _Surface(height, 1 - body, 0.75 + 0.5 * own * body)


def _cracked_earth(rng, u, v):
    warp = _noise(rng, u * 1.3, v * 1.3) - 0.5
    fine = _noise(rng, u * 5, v * 5)
    u, v = u + 0.5 * warp + 0.06 * fine, v - 0.4 * warp + 0.06 * fine
    border, _, own = _voronoi(rng, u, v, 0.95)
    crack = rng.uniform(0.035, 0.07)
    plate = _smooth(border, crack * 0.5, crack * 1.5)
    curl = np.exp(-border * 6)
    height = 0.25 * plate + 0.14 * curl * plate + 0.05 * fine
    return _Surface(height, 0.25 * own + 0.4 * fine, (0.25 + 0.75 * plate) * (0.9 + 0.2 * own))


def _fur(rng, u, v):
    bend = _noise(rng, u * 0.35, v * 0.35) - 0.5
    u = u + 2.2 * bend
    tuft = _noise(rng, u * 1.6, v * 0.6)
    along = v * 0.9 + 1.2 * tuft
    hair = _noise(rng, u * 7 + 1.5 * np.sin(along * 1.7), along)
    fine = _noise(rng, u * 13 - 1.2 * np.sin(along * 1.3), along * 1.6)
    strand = 0.6 * hair + 0.4 * fine
    height = 0.15 * strand + 0.3 * tuft
    return _Surface(height, _smooth(strand, 0.3, 0.75), 0.45 + 0.7 * tuft * (0.4 + strand), 0.15)


def _honeycomb(rng, u, v):
    v = v / 0.866
    bend = 0.06 * np.sin(1.3 * u + rng.uniform(0, 6))
    v = v + bend
    best = np.full(u.shape, 9, np.float32)
    second = best.copy()
    cell_i, cell_j = (np.zeros(u.shape, np.int32) for _ in range(2))
    j0, _ = _whole(v)
    for dj in (0, 1):
        j = j0 + dj
        shift = 0.5 * (j & 1)
        i0, _ = _whole(u - shift)
        for di in (0, 1):
            i = i0 + di
            distance = (u - i - shift) ** 2 + ((v - j) * 0.866) ** 2
            nearer = distance < best
            second = np.minimum(second, np.where(nearer, best, distance))
            best = np.where(nearer, distance, best)
            np.copyto(cell_i, i, where=nearer)
            np.copyto(cell_j, j, where=nearer)
    border = (second - best) / 2
    own = _per_cell(rng, cell_i, cell_j)
    wall = _smooth(border, 0.13, 0.05)
    full = own < rng.uniform(0.0, 0.35)
    floor = np.where(full, 0.12, -0.25 * _smooth(border, 0.05, 0.3))
    height = 0.2 * wall + floor
    tint = np.where(full, 0.9, 0.3 + 0.5 * _smooth(border, 0.45, 0.1)) * (1 - wall) + wall
    return _Surface(height, 1 - wall, tint, 0.3)


def _knitting(rng, u, v):
    u = u + 0.08 * np.sin(1.1 * v + rng.uniform(0, 6))
    i, x = _whole(u)
    side = np.abs(x - 0.5) * 2
    j, y = _whole(v * 1.25 - 0.75 * side)
    yarn = np.clip(1 - (2 * y - 1) ** 2, 0, 1) * np.clip(1 - (2 * side - 1) ** 4, 0, 1)
    twist = np.sin((y * 2.2 + side * 2.5) * 6.28)
    loop = np.sqrt(yarn)
    fuzz = _noise(rng, u * 9, v * 9)
    height = 0.4 * loop + 0.03 * twist * loop + 0.06 * fuzz
    row = _per_cell(rng, np.zeros_like(i), j // int(rng.integers(1, 5)))
    return _Surface(height, _smooth(row, 0.55, 0.6), 0.3 + 0.7 * loop + 0.15 * fuzz)


def _marble(rng, u, v):
    cloud = _noise(rng, u * 0.7, v * 0.7)
    middle = _noise(rng, u * 1.9, v * 1.9)
    fine = _noise(rng, u * 5, v * 5)
    u, v = u + 1.1 * cloud + 0.5 * middle, v + 0.9 * middle - 0.7 * cloud
    vein = np.abs(_noise(rng, u * 0.9, v * 0.45) - 0.5) + 0.02 * fine
    thread = np.abs(_noise(rng, u * 1.4, v * 1.4) - 0.5) + 0.03 * fine
    dark = np.maximum(np.exp(-vein * 18), 0.7 * np.exp(-thread * 30))
    paint = np.clip(0.85 * dark + 0.35 * cloud * middle, 0, 1)
    return _Surface(0.02 * fine, paint, 0.85 + 0.3 * middle, 0.1)


def _water(rng, u, v):
    a, b = rng.uniform(0, 6, 2)
    sway = _noise(rng, u * 0.8, v * 0.8) - 0.5
    x = u + 0.35 * np.sin(1.7 * v + a) + 0.9 * sway
    y = v + 0.35 * np.sin(1.5 * u + b) - 0.9 * sway
    border, centre, _ = _voronoi(rng, x, y, 0.9)
    line = np.exp(-border * 11)
    second = np.abs(_noise(rng, y * 1.2, x * 1.2) - 0.5)
    light = np.clip(line + 0.5 * np.exp(-second * 16), 0, 1.3)
    height = 0.12 * centre + 0.25 * sway
    return _Surface(height, 0.8 - 0.6 * light, 0.5 + 0.8 * light, 0.4)


def _weave(rng, u, v):
    u = u * 1.4 + 0.07 * np.sin(1.3 * v + rng.uniform(0, 6))
    v = v * 1.4 + 0.07 * np.sin(1.1 * u + rng.uniform(0, 6))
    i, x = _whole(u)
    j, y = _whole(v)
    over = ((i + j) & 1 if rng.random() < 0.5 else ((i + j) & 3) >> 1) == 0
    across, along = np.where(over, x, y), np.where(over, y, x)
    thread = np.sqrt(np.clip(1 - (2 * across - 1) ** 2, 0, 1))
    crown = 1 - 0.6 * (2 * along - 1) ** 2
    fibre = np.sin((along * 2 + across * 1.5) * 6.28)
    height = 0.3 * thread * crown + 0.02 * fibre
    own = np.where(over, _per_cell(rng, i, np.zeros_like(j)), _per_cell(rng, np.zeros_like(i), j))
    tint = (0.25 + 0.75 * thread * crown) * (0.8 + 0.4 * own) + 0.05 * fibre
    return _Surface(height, np.where(over, 0.0, 1.0) * rng.uniform(0.2, 1) + 0 * u, tint)


def _wood(rng, u, v):
    wander = _noise(rng, u * 0.5, v * 0.12)
    centre_u, centre_v = rng.normal(0, 3, 2)
    heart = np.sqrt((u - u.mean() - centre_u) ** 2 + (0.18 * (v - v.mean() - centre_v)) ** 2 + 0.3)
    ring = (heart + 1.4 * wander) * 1.6
    _, phase = _whole(ring)
    late = phase**2 * _smooth(phase, 1.0, 0.86)
    fibre = _noise(rng, u * 14, v * 0.7)
    pore = _smooth(_noise(rng, u * 9, v * 1.1), 0.72, 0.85)
    paint = np.clip(1.1 * late + 0.25 * (fibre - 0.5), 0, 1)
    height = 0.03 * fibre - 0.06 * pore + 0.03 * late
    return _Surface(height, paint, 0.85 + 0.3 * fibre - 0.35 * pore, 0.1)


_RECIPES = (_bricks, _cracked_earth, _fur, _honeycomb, _knitting, _marble, _water, _weave, _wood)
CLASSES = tuple(recipe.__name__[1:].replace("_", " ") for recipe in _RECIPES)


def _viewpoint(rng: Rng, side: int) -> tuple[Array, Array, float]:
    """Material coordinates of each pixel, turned, scaled, tilted away and moved; cells across."""
    cells = 4.0 * 2.4 ** rng.random()
    line = (np.arange(side, dtype=np.float32) + 0.5) / side - 0.5
    x, y = line[None, :], line[:, None]
    tilt, towards, turn = rng.uniform(0, 0.35), *rng.uniform(0, 2 * np.pi, 2)
    depth = 1 + tilt * (x * np.cos(towards) + y * np.sin(towards))
    cos, sin = cells * np.cos(turn) / depth, cells * np.sin(turn) / depth
    u = x * cos - y * sin + rng.uniform(16, 48)
    v = x * sin + y * cos + rng.uniform(16, 48)
    return u.astype(np.float32), v.astype(np.float32), cells


def _palette(rng: Rng) -> Array:
    """Two colours (2, 3), hue and brightness at random; either one may be the lighter."""
    hue = rng.random() + rng.normal(0, 0.12, 2)
    saturation = rng.uniform(0.1, 0.65, 2)
    value = rng.permutation([rng.uniform(0.65, 1.0), rng.uniform(0.25, 0.55)])
    wheel = np.clip(np.abs((hue[:, None] + [0, 2 / 3, 1 / 3]) % 1 * 6 - 3) - 1, 0, 1)
    return (value[:, None] * (1 - saturation[:, None] * (1 - wheel))).astype(np.float32)


def _lit(rng: Rng, surface: _Surface, cells: float) -> Array:
    """Colours (3, S, S) of the surface under one lamp: diffuse, glossy and ambient light."""
    side = surface.height.shape[0]
    relief = np.float32(side / cells * rng.uniform(0.8, 1.4))
    slope_y, slope_x = (relief * g for g in np.gradient(surface.height))
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.0)
    lamp_x, lamp_y = np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation)
    lamp_z = np.sin(elevation)
    length = np.sqrt(1 + slope_x * slope_x + slope_y * slope_y)
    diffuse = np.maximum((lamp_z - lamp_x * slope_x - lamp_y * slope_y) / length, 0)
    half = np.sqrt(2 + 2 * lamp_z)
    shine = (1 + lamp_z - lamp_x * slope_x - lamp_y * slope_y) / (half * length)
    shine = np.maximum(shine, 0) ** 24 * surface.gloss
    first, second = _palette(rng)
    colour = first[:, None, None] + (second - first)[:, None, None] * surface.paint
    return colour * (surface.tint * (0.25 + diffuse)) + shine


def _photographed(rng: Rng, light: Array, size: int) -> Array:
    """Picture uint8 (3, size, size): lens, uneven lighting and exposure drawn at random."""
    from scipy import ndimage

    fine = _SUPERSAMPLING
    light = light.reshape(3, size, fine, size, fine).mean((2, 4))
    line = np.linspace(-1, 1, size, dtype=np.float32)
    fall_x, fall_y = rng.uniform(-0.35, 0.35, 2)
    light = light * (1 + fall_x * line + fall_y * line[:, None])
    light = np.maximum(light, 1e-3) ** np.float32(rng.uniform(0.6, 1.0))
    pixel = size / 64
    blurred = ndimage.gaussian_filter(light, (0, 0.7 * pixel, 0.7 * pixel))
    light = light + (light - blurred) * np.float32(rng.uniform(-0.9, 0.9))
    luma = np.tensordot(_LUMA, light, 1)
    contrast, level = rng.uniform(0.15, 0.21), rng.uniform(0.4, 0.56)
    light = (light - luma.mean()) * np.float32(contrast / max(luma.std(), 1e-3)) + level
    light += rng.normal(0, 0.012, light.shape).astype(np.float32)
    return developed(light)


def _picture(rng: Rng, label: int, size: int) -> Array:
    u, v, cells = _viewpoint(rng, size * _SUPERSAMPLING)
    surface = _RECIPES[label](rng, u, v)
    return _photographed(rng, _lit(rng, surface, cells), size)


def pictures(labels: Array, seed: int, size: int = 64, first: int = 0) -> Array:
    """Photographs of the materials that ``labels`` (N, indices into ``CLASSES``) name.

    Returns uint8 (N, 3, size, size), RGB. Picture i depends on (seed, first + i, labels[i],
    size) alone.
    """
    return generated.each(_picture, labels, seed, size, first)


def load(training: int = 800) -> Task:
    """Materials: ``training`` pictures to learn from, 200 to choose, 800 to test."""
    return generated.make(__name__, "Materials", (training, 200, 800), OVERLAP)
