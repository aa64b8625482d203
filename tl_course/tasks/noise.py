"""Noise with a structure and no content: eight kinds of random texture, in random colours.

Each kind is noise with a power spectrum of its own; networks can learn from such pictures
(Baradad et al. 2021, arXiv:2106.05963).
"""

import numpy as np

from tl_course.tasks import generated
from tl_course.tasks.generated import Array, Rng
from tl_course.tasks.task import Task

CLASSES = ("white", "pink", "brown", "fine", "coarse", "streaks", "spots", "patches")


def load() -> Task:
    """250 textures a kind to train, 25 to choose, 50 to test."""
    return generated.make(
        __name__, "Noise textures", (2000, 200, 400), "of textures alone: no photograph is noise"
    )


def pictures(labels: Array, seed: int, size: int = 64, first: int = 0) -> Array:
    """Textures of noise, one for each label (an index into ``CLASSES``).

    Returns uint8 (N, 3, ``size``, ``size``), RGB. Picture ``i`` depends on ``seed``,
    ``first + i`` and ``labels[i]`` alone.
    """
    return generated.each(_picture, labels, seed, size, first)


def _picture(rng: Rng, label: int, size: int) -> Array:
    grey = _texture(CLASSES[label], rng, size)
    grey = (grey - grey.mean()) / (grey.std() + 1e-9)
    dark = rng.uniform(0, 1, (3, 1, 1))
    light = (dark + rng.uniform(0.4, 0.6, (3, 1, 1))) % 1  # far from it in every channel
    mixed = np.clip(0.5 + rng.uniform(0.15, 0.4) * grey, 0, 1)
    return (255 * (dark + (light - dark) * mixed)).round()


def _texture(kind: str, rng: Rng, size: int) -> Array:
    down, across = np.meshgrid(np.fft.fftfreq(size), np.fft.fftfreq(size), indexing="ij")
    radius = np.hypot(down, across)
    radius[0, 0] = 1 / size  # the mean: any finite weight will do, it is taken out again
    spectrum = {
        "white": lambda: np.ones_like(radius),
        "pink": lambda: 1 / radius,
        "brown": lambda: 1 / radius**2,
        "fine": lambda: _band(radius, rng.uniform(0.25, 0.35)),
        "coarse": lambda: _band(radius, rng.uniform(0.08, 0.12)),
        "streaks": lambda: _streaks(down, across, rng.uniform(0, np.pi)),
        "spots": lambda: _band(radius, rng.uniform(0.08, 0.12)),
        "patches": lambda: 1 / radius**1.5,
    }[kind]()
    noise = np.fft.fft2(rng.standard_normal((size, size)))
    texture = np.fft.ifft2(noise * spectrum).real
    if kind == "spots":
        return texture > np.quantile(texture, rng.uniform(0.8, 0.9))
    if kind == "patches":
        return np.digitize(texture, np.quantile(texture, (0.25, 0.5, 0.75)))
    return texture


def _band(radius: Array, centre: float) -> Array:
    return np.exp(-(((radius - centre) / (0.2 * centre)) ** 2))


def _streaks(down: Array, across: Array, angle: float) -> Array:
    """Long along ``angle`` and thin across it."""
    along = down * np.sin(angle) + across * np.cos(angle)
    beside = across * np.sin(angle) - down * np.cos(angle)
    return np.exp(-((along / 0.02) ** 2) - (beside / 0.25) ** 2)
