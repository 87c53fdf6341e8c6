"""A user's own data set: an .npz file with x_train, y_train, x_test, y_test and, if wanted, labels.

Running a network takes x_test alone, or an .npy of frames.
"""

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, HeldOut

# what numpy raises for a file that is damaged, of another kind, or promises more than memory holds
_UNREADABLE = (OSError, ValueError, EOFError, SyntaxError, MemoryError, zipfile.BadZipFile, zlib.error)
_KEYS = ("x_train", "y_train", "x_test", "y_test")


def _whole(array: NDArray[Any], path: Path, key: str, top: int) -> NDArray[np.integer]:
    """An array of whole numbers 0..top as integers; floats are taken if every one of them is whole."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype.kind == "f":
        if np.isnan(array).any():
            raise DataError(f"{path}: {key} holds NaN; remove or replace those values")
        if not np.isfinite(array).all() or np.any(array != np.floor(array)):
            raise DataError(
                f"{path}: {key} holds fractions or infinities; store whole numbers "
                "(for values in 0..1: (255 * x).round().astype('uint8'))"
            )
    elif array.dtype.kind not in "iu":
        raise DataError(f"{path}: {key} must hold numbers, not {array.dtype}")
    if array.size and (array.min() < 0 or array.max() > top):
        raise DataError(f"{path}: {key} must lie in 0..{top}, not {array.min()}..{array.max()}")
    return array if array.dtype.kind in "iu" else array.astype(np.int64)


def _read(path: Path, needed: tuple[str, ...], wanted: tuple[str, ...], kind: str) -> dict[str, NDArray[Any]]:
    """The arrays `needed`, and those of `wanted` that are there. Read without pickle. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such data file{did_you_mean_path(path)}")
    try:
        with path.open("rb") as raw:  # numpy itself leaves a damaged file open
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: one array, not an .npz of {', '.join(needed)}")
            missing = [key for key in needed if key not in file.files]
            if missing:
                there = f"; this one holds {', '.join(file.files)}" if file.files else ""
                raise DataError(f"{path}: has no {', '.join(missing)}; {kind} holds {', '.join(needed)}{there}")
            return {key: file[key] for key in (*needed, *wanted) if key in file.files}
    except _UNREADABLE as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: not a readable .npz ({error}); write it with numpy.savez and no object arrays"
        ) from None


def _labels(array: NDArray[Any], path: Path, key: str) -> NDArray[np.int64]:
    y = _whole(array, path, key, (1 << 20) - 1)
    if y.ndim not in (1, 2, 3) or y.size == 0:
        raise DataError(
            f"{path}: {key} must be a list of class numbers, 0 and 1 of shape (frames, labels), or maps of classes "
            f"(frames, height, width), not of shape {y.shape}"
        )
    return y.astype(np.int64)


def _names(names: NDArray[Any], path: Path) -> tuple[str, ...]:
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{path}: labels must be a list of texts, not {names.dtype} of shape {names.shape}")
    return tuple(str(name) for name in names)


def _dtype(*frames: NDArray[Any]) -> type[np.unsignedinteger]:
    wide = any(x.size and int(x.max()) > np.iinfo(np.uint8).max for x in frames)
    return np.uint16 if wide else np.uint8


def load_npz_dataset(path: Path) -> Dataset:
    """x_*: (n, H, W[, C]) or (n, values), whole numbers 0..65535; y_*: (n,), 0..classes-1; labels: names.

    y_* of shape (n, labels), of 0 and 1, are labels that each stand for themselves; of shape (n, height, width) maps of
    classes. Raises DataError for anything else.
    """
    arrays = _read(path, _KEYS, ("labels",), "an .npz data set")
    train, test = (_whole(arrays[key], path, key, (1 << 16) - 1) for key in ("x_train", "x_test"))
    train_labels, test_labels = (_labels(arrays[key], path, key) for key in ("y_train", "y_test"))
    dtype = _dtype(train, test)
    if train_labels.ndim != test_labels.ndim:
        raise DataError(f"{path}: y_train has shape {train_labels.shape}, but y_test {test_labels.shape}")
    if "labels" in arrays:
        texts = _names(arrays["labels"], path)
    else:
        count = train_labels.shape[1] if train_labels.ndim == 2 else int(train_labels.max()) + 1
        texts = tuple(map(str, range(count)))
    return Dataset(
        name=path.stem,
        train_frames=train.astype(dtype),
        train_labels=train_labels,
        test_frames=test.astype(dtype),
        test_labels=test_labels,
        labels=texts,
    )


def load_npz_held_out(path: Path) -> HeldOut:
    """x_test, and y_test and labels where they are there: what `load_npz_dataset` takes them for. Raises DataError."""
    arrays = _read(path, ("x_test",), ("y_test", "labels"), "an .npz of test frames")
    frames = _whole(arrays["x_test"], path, "x_test", (1 << 16) - 1)
    return HeldOut(
        name=path.stem,
        frames=frames.astype(_dtype(frames)),
        labels=_labels(arrays["y_test"], path, "y_test") if "y_test" in arrays else None,
        classes=len(_names(arrays["labels"], path)) if "labels" in arrays else None,
    )


def load_npy_frames(path: Path) -> HeldOut:
    """One array of frames, (n, H, W[, C]) or (n, values), whole numbers 0..65535, without labels. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such data file{did_you_mean_path(path)}")
    try:
        with path.open("rb") as raw:
            array = np.load(raw, allow_pickle=False)
    except _UNREADABLE as error:
        raise DataError(f"{path}: not a readable .npy ({error}); write it with numpy.save") from None
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path}: an .npz under the name of an .npy; rename it")
    frames = _whole(array, path, "the array", (1 << 16) - 1)
    return HeldOut(name=path.stem, frames=frames.astype(_dtype(frames)))
