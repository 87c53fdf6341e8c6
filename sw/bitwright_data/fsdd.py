"""`fsdd`: spoken digits, six speakers, as images of log-mel energies (`speech.log_mel`), from the authors' WAV files.

Source: Z. Jackson and others, "Free Spoken Digit Dataset", github.com/Jakobovski/free-spoken-digit-dataset; takes 0 to
4 of every speaker and digit are its test set.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, HeldOut
from bitwright_data.speech import log_mel, read_wav

LABELS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_FOLDERS = ("fsdd/recordings", "fsdd", "free-spoken-digit-dataset/recordings", "recordings")
_NAME = re.compile(r"([0-9])_([a-z]+)_([0-9]+)\.wav")
_TEST_TAKES = 5
_FILES = "DIGIT_SPEAKER_TAKE.wav, such as 7_jackson_32.wav, in fsdd/ or free-spoken-digit-dataset/recordings/"


def _files(data_dir: Path | None) -> list[tuple[int, bool, Path]]:
    """Digit, whether it is for the test, and file, in the order of names. Raises DataError."""
    if data_dir is None:
        raise DataError(f"fsdd is read from files: give --data-dir, a folder with {_FILES}")
    if not data_dir.is_dir():
        hint = did_you_mean_path(data_dir)
        raise DataError(f"{data_dir}: no such folder{hint}; --data-dir must name the one with {_FILES}")
    folder = next((data_dir / name for name in _FOLDERS if any((data_dir / name).glob("*.wav"))), None)
    if folder is None:
        raise DataError(f"{data_dir}: no recordings; fsdd needs {_FILES}")
    found = []
    for path in sorted(folder.glob("*.wav")):
        parts = _NAME.fullmatch(path.name)
        if parts is None:
            raise DataError(f"{path}: not named as fsdd's recordings are ({_FILES}); move it elsewhere")
        found.append((int(parts[1]), int(parts[3]) < _TEST_TAKES, path))
    return found


def _part(files: list[tuple[int, bool, Path]], test: bool) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    chosen = [(digit, path) for digit, is_test, path in files if is_test == test]
    if not chosen:
        raise DataError(f"{files[0][2].parent}: no takes {'0 to 4' if test else 'from 5 on'}; fsdd needs {_FILES}")
    frames = np.stack([log_mel(read_wav(path)) for _, path in chosen])
    return frames, np.array([digit for digit, _ in chosen], np.int64)


def load_fsdd(data_dir: Path | None) -> Dataset:
    """`fsdd` from a folder of its recordings: images (n, 32, 32), bands by windows. Raises DataError."""
    files = _files(data_dir)
    train, test = _part(files, False), _part(files, True)
    return Dataset(
        name="fsdd",
        train_frames=train[0],
        train_labels=train[1],
        test_frames=test[0],
        test_labels=test[1],
        labels=LABELS,
    )


def load_fsdd_held_out(data_dir: Path | None) -> HeldOut:
    """Takes 0 to 4 alone. Raises DataError."""
    frames, labels = _part(_files(data_dir), True)
    return HeldOut(name="fsdd", frames=frames, labels=labels, classes=len(LABELS))
