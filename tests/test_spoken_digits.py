"""Spoken digits as pictures of their sound: synthetic recordings, and the real ones."""

import fnmatch
import io
import wave
import zipfile

import numpy as np
import pytest
import torch

from tl_course import store, tasks
from tl_course.tasks import spoken_digits


def wav(samples: np.ndarray, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return buffer.getvalue()


def tone(pitch: float, seconds: float = 0.5, strength: float = 0.5) -> np.ndarray:
    moments = np.arange(round(8000 * seconds)) / 8000
    return strength * np.sin(2 * np.pi * pitch * moments)


def loud(pitch: float, seconds: float = 0.5) -> np.ndarray:
    return (2**15 * tone(pitch, seconds)).astype("<i2")


SPOKEN = {  # four recordings of every digit: two for the test, one to choose, one to train
    f"{digit}_{speaker}_{number}.wav": wav(loud(200 + 100 * digit + number))
    for digit in range(10)
    for speaker, number in (("anna", 0), ("anna", 9), ("theo", 14), ("theo", 15))
}


@pytest.fixture
def spoken(tmp_path, monkeypatch):
    """Zips the recordings, with some replaced or left out (``None``), and loads them."""
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))

    def load(top="free-spoken-digit-dataset/", changes=(), more=()):
        path = tmp_path / "free-spoken-digit-dataset.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in (SPOKEN | dict(changes)).items():
                if content is not None:
                    file.writestr(f"{top}recordings/{name}", content)
            for name, content in dict(more).items():
                file.writestr(name, content)
        return spoken_digits.load()

    return load


@pytest.mark.parametrize(
    "top", ["free-spoken-digit-dataset/", "free-spoken-digit-dataset-master/", "", "a/b/"]
)
def test_spoken_digits_in_whatever_folder(spoken, top):
    others = {
        f"{top}README.md": b"3,000 recordings",
        f"{top}utils/spectogramer.py": b"",
        f"__MACOSX/{top}recordings/._0_anna_0.wav": b"not a sound",
        f"{top}recordings/0_anna_0.png": b"not a sound",
    }
    task = spoken(top, more=others)
    assert task.classes == spoken_digits.CLASSES
    assert [len(s) for s in (task.train, task.val, task.test)] == [10, 10, 20]
    for split in (task.train, task.val, task.test):
        assert split.inputs.shape[1:] == (3, 64, 64) and split.inputs.dtype == torch.uint8
        assert split.labels.bincount().tolist() == [len(split) // 10] * 10
        assert torch.equal(split.inputs[:, 0], split.inputs[:, 2])  # grey
        rows = split.inputs[:, 0].float().mean(2).argmax(1)
        pitch = torch.stack([rows[split.labels == digit].float().mean() for digit in range(10)])
        assert (pitch.diff() < 0).all()  # a higher tone is further up


SOUND = SPOKEN["3_anna_0.wav"]


@pytest.mark.parametrize(
    ("broken", "cause"),
    [
        (wav(loud(300), rate=16_000), "8000 samples a second"),
        (wav(loud(300), channels=2), "one channel"),
        (wav(np.full(800, 200, np.uint8), width=1), "16 bits"),
        (wav(np.full(801, 200, np.uint8), width=1), "16 bits"),
        (wav(loud(300, 0.0)), "there is no sound in it"),
        (wav(np.zeros(4000, "<i2")), "it is silent"),
        (wav(np.full(16_000, 5, "<i2")), "it is silent"),  # a constant cannot be heard
        (b"", "it is cut short"),
        (b"<html>not found</html>", "cannot be read"),
        (SOUND[:6], "it is cut short"),
        (SOUND[:30], "cannot be read"),
        (SOUND[:44], "cannot be read"),
        (SOUND[:1000], "it ends after 478 of 4000 samples"),
        (SOUND[:1001], "cannot be read"),
        (SOUND[:-1], "cannot be read"),
    ],
)
def test_a_recording_that_is_damaged(spoken, broken, cause):
    with pytest.raises(store.CorruptFile) as found:
        spoken(changes={"3_anna_0.wav": broken})
    text = str(found.value)
    assert "free-spoken-digit-dataset.zip" in text and cause in text
    assert "3_anna_0.wav: it cannot be read (" in text and "()" not in text
    assert text.endswith("Get the published file again.")


def test_every_cut_through_a_recording_is_noticed():
    for end in [*range(60), 100, 101, len(SOUND) - 2, len(SOUND) - 1]:
        with pytest.raises((ValueError, EOFError, wave.Error)):
            spoken_digits._samples(SOUND[:end])
    assert len(spoken_digits._samples(SOUND)) == 4000


@pytest.mark.parametrize("missing", ["*", "7*", "*_[09].wav", "*_14.wav", "*_15.wav", "7_theo_15*"])
def test_digits_that_are_missing(spoken, missing):
    left_out = dict.fromkeys(fnmatch.filter(SPOKEN, missing))
    with pytest.raises(store.CorruptFile, match="recordings of all ten digits"):
        spoken(changes=left_out, more={"README.md": "no sound"})


def test_an_archive_damaged_inside(spoken, tmp_path):
    spoken()
    path = tmp_path / "free-spoken-digit-dataset.zip"
    whole = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        place = file.getinfo("free-spoken-digit-dataset/recordings/5_theo_14.wav")
        start = place.header_offset + 30 + len(place.filename)
    for position in (start, start + 1, start + place.compress_size // 2):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 0xFF]) + whole[position + 1 :])
        with pytest.raises(store.CorruptFile, match="5_theo_14.wav: it cannot be read"):
            spoken_digits.load()


def test_a_spectrogram_shows_pitch_from_low_to_high():
    rows = []
    for pitch in (100, 300, 1000, 2000, 3900):
        picture = spoken_digits.spectrogram(tone(pitch, 1.0))
        assert picture.shape == (64, 64) and picture.dtype == np.uint8 and picture.max() == 255
        rows.append(int(picture.astype(float).mean(1).argmax()))
        others = np.delete(picture, range(max(0, rows[-1] - 6), min(64, rows[-1] + 7)), axis=0)
        assert others[:, 8:-8].max(initial=0) < 200  # nothing else is as loud
    assert rows == sorted(rows, reverse=True) and rows[0] >= 58 and rows[-1] <= 3
    # 64 bands of equal width in mel from 50 to 4,000 Hz
    mel = [2595 * np.log10(1 + hertz / 700) for hertz in (50, 1000, 4000)]
    assert rows[2] == pytest.approx(63 - 64 * (mel[1] - mel[0]) / (mel[2] - mel[0]), abs=1.5)


def test_a_spectrogram_is_one_second_long():
    short = spoken_digits.spectrogram(tone(1000, 0.25))
    heard = np.flatnonzero(short.max(0) > 128)
    assert 14 <= len(heard) <= 20 and abs(heard.mean() - 32) < 2  # in the middle
    assert short[:, :20].max() == short[:, 44:].max() == 0  # silence is black
    long = spoken_digits.spectrogram(np.concatenate([tone(300, 1.0), tone(3000, 1.0)]))
    rows = long.argmax(0)
    assert rows[:28].min() > 40 and rows[36:].max() < 20  # the second half of one, then the other
    assert spoken_digits.spectrogram(tone(440, 1e-3)).shape == (64, 64)
    odd = spoken_digits.spectrogram(tone(440, 1.0)[:7999])
    assert odd.shape == (64, 64) and odd.max() == 255


def test_loudness_does_not_matter_and_silence_is_black():
    soft, strong = (spoken_digits.spectrogram(tone(700, 1, s)) for s in (0.05, 0.5))
    assert np.abs(soft.astype(int) - strong).max() <= 1
    assert not spoken_digits.spectrogram(np.zeros(8000)).any()
    assert not spoken_digits.spectrogram(np.zeros(0)).any()
    outside = np.zeros(16_000)
    outside[0] = 0.5  # the middle second is silent
    assert not spoken_digits.spectrogram(outside).any()


def test_six_hisses_high_up_and_one_does_not(real_data):
    task = tasks.load("spoken_digits")
    pictures, labels = task.train.inputs, task.train.labels
    assert (pictures.flatten(1).amax(1) == 255).all() and (labels.bincount() == 210).all()
    six, one = (pictures[labels == digit, 0, :12].float().mean() for digit in (6, 1))
    assert six > one
