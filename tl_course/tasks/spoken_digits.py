"""Free Spoken Digit Dataset: ten digits by six speakers, as pictures of their sound.

Jackson et al., https://github.com/Jakobovski/free-spoken-digit-dataset.
"""

import io
import re
import wave

import numpy as np

from tl_course import store
from tl_course.tasks.task import Split, Task, expecting, published

CLASSES = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
RATE = 8_000  # samples a second
SECONDS = 1.0
SIDE = 64  # bands and moments of a picture
RANGE_DB = 80  # what is this much weaker than the loudest is black
SILENCE = 1e-10  # power
RECORDING = re.compile(r"(?:.*/)?recordings/(\d)_(\w+)_(\d+)\.wav")


def load() -> Task:
    """Spectrograms at 64×64, grey as RGB: pitch from low (bottom) to high, one second of time.

    Of 50 recordings of a digit by a speaker the first ten are the test, five choose, the rest
    train. The same six people speak in all three.
    """
    found: dict[str, list[tuple[np.ndarray, int]]] = {"train": [], "val": [], "test": []}
    with store.archive("spoken_digits") as archive:
        for name in sorted(archive.namelist()):
            match = RECORDING.fullmatch(name)
            if match:
                with expecting(f"{archive.filename}, {name}", "it cannot be read"):
                    picture = spectrogram(_samples(archive.read(name)))
                    if not picture.any():
                        raise ValueError("it is silent")
                found[_part(int(match[3]))].append((picture, int(match[1])))
    if any(len({label for _, label in rows}) < len(CLASSES) for rows in found.values()):
        raise store.CorruptFile(
            str(archive.filename),
            "it does not hold recordings of all ten digits, numbered from 0 to 49",
            "Get the published file again",
        )
    return published(
        "spoken_digits",
        "Spoken digits as spectrograms",
        CLASSES,
        [Split.grey(*zip(*rows, strict=True)) for rows in found.values()],
        overlap="none: the source has photographs, no pictures of sound",
    )


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Log-mel power of sound (N,) in [-1, 1] at 8 kHz: uint8 (64, 64), low pitch at the bottom.

    The middle second; what is shorter stands in the middle of silence. 80 dB from black to white,
    which is the loudest; silence alone is black.
    """
    from transformers.audio_utils import mel_filter_bank, window_function
    from transformers.audio_utils import spectrogram as power_spectrogram

    length = round(RATE * SECONDS)
    start = max(0, (len(samples) - length) // 2)
    samples = samples[start : start + length]
    before = (length - len(samples)) // 2
    samples = np.pad(samples, (before, length - len(samples) - before))
    bands = mel_filter_bank(129, SIDE, 50.0, RATE / 2, RATE, mel_scale="htk")
    power = power_spectrogram(
        samples,
        window_function(256, "hann"),
        frame_length=256,
        hop_length=length // SIDE,
        power=2.0,
        mel_filters=bands,
        mel_floor=SILENCE,
    )[:, :SIDE]
    if power.max() <= SILENCE:
        return np.zeros((SIDE, SIDE), dtype=np.uint8)
    decibels = 10 * np.log10(power / power.max())
    scaled = np.clip(1 + decibels / RANGE_DB, 0, 1)
    return (255 * scaled[::-1]).round().astype(np.uint8)


def _samples(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        kind = file.getnchannels(), file.getsampwidth(), file.getframerate()
        if kind != (1, 2, RATE):
            raise ValueError(f"expected sound in one channel, 16 bits, {RATE} samples a second")
        count = file.getnframes()
        samples = np.frombuffer(file.readframes(count), dtype="<i2")
    if not count:
        raise ValueError("there is no sound in it")
    if len(samples) < count:
        raise EOFError(f"it ends after {len(samples)} of {count} samples")
    return samples / 2**15


def _part(index: int) -> str:
    return "test" if index < 10 else "val" if index < 15 else "train"
