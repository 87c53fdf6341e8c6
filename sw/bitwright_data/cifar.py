"""CIFAR-10 from its binary files: five of training frames and one of test frames.

A record is a label byte, then 1,024 bytes each of red, green and blue, rows from the top. Source: A. Krizhevsky,
"Learning Multiple Layers of Features from Tiny Images", 2009; https://www.cs.toronto.edu/~kriz/cifar.html ("binary
version").
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, HeldOut

LABELS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_SIDE = 32
_RECORD = 1 + 3 * _SIDE * _SIDE
_FOLDERS = ("cifar10", "cifar-10-batches-bin")
_TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
_TEST = ("test_batch.bin",)


def read_records(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Frames (n, 32, 32, 3) and labels (n,) of one file. Raises DataError for a file that is not one."""
    try:
        raw = np.frombuffer(path.read_bytes(), np.uint8)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if not raw.size or raw.size % _RECORD:
        raise DataError(
            f"{path}: {raw.size} bytes are no whole records of {_RECORD}; fetch the binary version of the set again"
        )
    records = raw.reshape(-1, _RECORD)
    if records[:, 0].max() >= len(LABELS):
        raise DataError(f"{path}: label {int(records[:, 0].max())}, but cifar10 has 0..{len(LABELS) - 1}")
    planes = records[:, 1:].reshape(-1, 3, _SIDE, _SIDE)
    return np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), records[:, 0].astype(np.int64)


def load_cifar10(data_dir: Path | None) -> Dataset:
    """`cifar10` from data_dir/cifar10, data_dir/cifar-10-batches-bin or data_dir itself. Raises DataError."""
    train, test = _read_parts(data_dir, f"{_TRAIN[0]} to {_TRAIN[-1]} and {_TEST[0]}", _TRAIN, _TEST)
    return Dataset(
        name="cifar10",
        train_frames=train[0],
        train_labels=train[1],
        test_frames=test[0],
        test_labels=test[1],
        labels=LABELS,
    )


def load_cifar10_held_out(data_dir: Path | None) -> HeldOut:
    """The test frames alone, of which the training files are not needed. Raises DataError."""
    ((frames, labels),) = _read_parts(data_dir, _TEST[0], _TEST)
    return HeldOut(name="cifar10", frames=frames, labels=labels, classes=len(LABELS))


def _read_parts(
    data_dir: Path | None, files: str, *parts: tuple[str, ...]
) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Frames and labels of each part, whose files are named; `files` names them all, for messages."""
    if data_dir is None:
        raise DataError(f"cifar10 is read from files: give --data-dir, a folder with cifar10/ ({files})")
    if not data_dir.is_dir():
        hint = did_you_mean_path(data_dir)
        raise DataError(f"{data_dir}: no such folder{hint}; --data-dir must name the one with cifar10/ ({files})")
    folder = next((data_dir / name for name in _FOLDERS if (data_dir / name).is_dir()), data_dir)
    missing = [name for part in parts for name in part if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: {missing[0]} is missing; cifar10 needs {files}")
    found = []
    for names in parts:
        frames, labels = zip(*(read_records(folder / name) for name in names), strict=True)
        found.append((np.concatenate(frames), np.concatenate(labels)))
    return found
