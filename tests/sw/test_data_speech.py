"""Log-mel images in whole numbers, WAV files, and the folder of spoken digits."""

import hashlib
import wave

import numpy as np
import pytest

from bitwright_core.errors import DataError
from bitwright_data import load_dataset, load_held_out
from bitwright_data.speech import log_mel, read_wav


def tone(frequency, seconds=0.4, height=8000):
    """A sine of whole numbers."""
    time = np.arange(round(8000 * seconds)) / 8000
    return np.rint(height * np.sin(2 * np.pi * frequency * time)).astype(np.int16)


def write(path, samples, rate=8000, channels=1, width=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def float_log_mel(samples):
    """The same features in floating point, by an FFT: bands (32, 32) in units of 20/255 octave below the loudest."""
    window, size = 256, 512
    begins = np.arange(32) * (len(samples) - window) // 31
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)
    spectrum = np.fft.rfft(samples.astype(float)[begins[:, None] + np.arange(window)] * hann, size)
    mel = np.linspace(2595 * np.log10(1 + 60 / 700), 2595 * np.log10(1 + 4000 / 700), 34)
    edge = 700 * (10 ** (mel / 2595) - 1)
    frequency = np.arange(size // 2 + 1) * 8000 / size
    left, middle, right = edge[:-2, None], edge[1:-1, None], edge[2:, None]
    filters = np.clip(np.minimum((frequency - left) / (middle - left), (right - frequency) / (right - middle)), 0, None)
    octaves = np.log2(filters @ np.abs(spectrum.T) ** 2 + 1)
    return np.clip(255 * (1 + (octaves - octaves.max()) / 20), 0, 255)


def test_tones_are_where_they_belong():
    places = [int(log_mel(tone(frequency)).sum(axis=1).argmax()) for frequency in (200, 500, 1000, 2000, 3500)]
    assert places == sorted(set(places)) and places[0] <= 3 and places[-1] >= 28


def test_whole_numbers_are_near_the_floating_point_ones():
    """Within one step of 255 on average, eight at most."""
    noise = np.rint(np.random.default_rng(1).normal(0, 3000, 5000) * np.hanning(5000)).astype(np.int16)
    image = log_mel(noise)
    assert image.shape == (32, 32) and image.dtype == np.uint8 and image.max() == 255
    difference = np.abs(image - float_log_mel(noise))
    assert difference.mean() < 1 and difference.max() < 8


def test_every_machine_gives_the_same_bytes():
    rng = np.random.default_rng(2)
    recordings = [
        rng.integers(-(1 << bits), 1 << bits, size).astype(np.int16) for bits, size in ((15, 4000), (9, 1200))
    ]
    digest = hashlib.sha256(b"".join(log_mel(samples).tobytes() for samples in recordings)).hexdigest()
    assert digest == "ad640c1987208e3987afb8f889fbaec26d7600df3690faa36e4c3e3ecb466db0"


@pytest.mark.parametrize("samples", [np.zeros(4000, np.int16), np.full(100, -32768, np.int16), tone(440, 2.5, 32767)])
def test_silence_shortness_and_the_largest_values(samples):
    image = log_mel(samples)
    assert image.shape == (32, 32) and image.max() == 255


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two speakers, three digits, seven takes: takes 0 to 4 are for the test."""
    root = tmp_path_factory.mktemp("data")
    place = root / "free-spoken-digit-dataset" / "recordings"
    place.mkdir(parents=True)
    for digit in (0, 4, 9):
        for speaker in ("ann", "bo"):
            for take in range(7):
                write(place / f"{digit}_{speaker}_{take}.wav", tone(200 + 300 * digit + 5 * take, 0.1))
    return root


def test_the_folder_of_spoken_digits(folder):
    data = load_dataset("fsdd", folder)
    assert data.train_frames.shape == (12, 32, 32) and data.test_frames.shape == (30, 32, 32)
    assert data.train_labels.tolist() == sorted([0, 4, 9] * 4) and data.labels[9] == "nine"
    one = read_wav(folder / "free-spoken-digit-dataset" / "recordings" / "0_ann_0.wav")
    np.testing.assert_array_equal(data.test_frames[0], log_mel(one))
    held = load_held_out("fsdd", folder)
    np.testing.assert_array_equal(held.frames, data.test_frames)
    np.testing.assert_array_equal(held.labels, data.test_labels)
    assert held.classes == 10


def test_folders_and_files_that_do_not_do(folder, tmp_path):
    with pytest.raises(DataError, match="give --data-dir"):
        load_dataset("fsdd")
    with pytest.raises(DataError, match="no recordings; fsdd needs"):
        load_dataset("fsdd", tmp_path)
    (tmp_path / "fsdd").mkdir()
    write(tmp_path / "fsdd" / "1_ann_2.wav", tone(300))
    with pytest.raises(DataError, match="no takes from 5 on"):
        load_dataset("fsdd", tmp_path)
    write(tmp_path / "fsdd" / "other.wav", tone(300))
    with pytest.raises(DataError, match=r"other\.wav: not named as fsdd's recordings are"):
        load_held_out("fsdd", tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rate": 16000}, "1 channels, 16 bits and 16000 samples a second, not 1, 16 and 8000"),
        ({"channels": 2}, "2 channels"),
        ({"width": 1}, "8 bits"),
    ],
)
def test_wav_files_of_another_form(tmp_path, options, message):
    with pytest.raises(DataError, match=message):
        read_wav(write(tmp_path / "a.wav", tone(300), **options))


def test_wav_files_that_are_none(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"RIFF")
    with pytest.raises(DataError, match="not a readable WAV file"):
        read_wav(tmp_path / "a.wav")
    with pytest.raises(DataError, match="holds no samples"):
        read_wav(write(tmp_path / "b.wav", np.zeros(0, np.int16)))
