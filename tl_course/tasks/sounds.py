"""Half a second of sound, made by the course: what does the pitch do?"""

import numpy as np

from tl_course.tasks.task import Split, Task

CLASSES = ("rising", "falling", "steady", "warbling", "noise")
RATE = 16_000  # samples a second
SAMPLES = RATE // 2
SIZES = (300, 100, 300)


def sounds(labels, seed: int) -> np.ndarray:
    """One sound a label: float32 (N, 8000) in [-1, 1]; pitch, timbre, loudness by chance."""
    rng = np.random.default_rng(seed)
    return np.stack([_sound(rng, CLASSES[int(label)]) for label in labels])


def _sound(rng: np.random.Generator, kind: str) -> np.ndarray:
    time = np.linspace(0, 1, SAMPLES)
    pitch = rng.uniform(300, 900)
    reach = rng.uniform(0.4, 1.0)  # octaves
    shape = {
        "rising": reach * (time - 0.5),
        "falling": reach * (0.5 - time),
        "steady": 0 * time,
        "warbling": reach / 4 * np.sin(2 * np.pi * (rng.uniform(3, 6) * time + rng.random())),
    }
    if kind == "noise":
        tone = np.convolve(rng.normal(size=SAMPLES), np.hanning(rng.integers(4, 12)), "same")
    else:
        phase = 2 * np.pi * np.cumsum(pitch * 2 ** shape[kind]) / RATE
        tone = sum((rng.uniform(0.2, 1) / k * np.sin(k * phase) for k in (1, 2, 3)), 0 * time)
    ends = np.clip(np.minimum(time, 1 - time) / rng.uniform(0.02, 0.2), 0, 1)
    noise = rng.uniform(0.01, 0.1) * rng.normal(size=SAMPLES)
    sound = rng.uniform(0.3, 0.9) * tone / np.abs(tone).max() * ends + noise
    return np.clip(sound, -1, 1).astype(np.float32)


def load() -> Task:
    """Sounds as float32 (N, 8000) at 16 kHz."""
    import torch

    splits = []
    for seed, size in enumerate(SIZES):
        labels = np.arange(size) % len(CLASSES)
        splits.append(Split(torch.from_numpy(sounds(labels, seed)), torch.from_numpy(labels)))
    train, val, test = splits
    return Task(
        "sounds",
        "What the pitch does",
        CLASSES,
        train,
        val,
        test,
        licence="MIT (made by this course)",
        source=__name__,
        overlap="none: speech networks have heard people, not tones",
    )
