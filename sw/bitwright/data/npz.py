"""A user's own data set: an .npz file with x_train, y_train, x_test, y_test and, if wanted, labels."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright.data.dataset import Dataset
from bitwright.errors import DataError

_KEYS = ("x_train", "y_train", "x_test", "y_test")


def _whole(array: NDArray, path: Path, key: str, top: int) -> NDArray[np.integer]:
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


def load_npz_dataset(path: Path) -> Dataset:
    """x_*: (n, H, W[, C]) or (n, values), whole numbers 0..65535; y_*: (n,), 0..classes-1; labels: names.

    Read without pickle. Raises DataError for anything else.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such data file")
    try:
        with path.open("rb") as raw:  # numpy itself leaves a damaged file open
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise DataError(f"{path}: one array, not an .npz of {', '.join(_KEYS)}")
            missing = [key for key in _KEYS if key not in file.files]
            if missing:
                raise DataError(f"{path}: has no {', '.join(missing)}; an .npz data set holds {', '.join(_KEYS)}")
            arrays = {key: file[key] for key in _KEYS}
            names = file["labels"] if "labels" in file.files else None
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(
            f"{path}: not a readable .npz ({error}); write it with numpy.savez and no object arrays"
        ) from None
    frames = {}
    labels = {}
    for part in ("train", "test"):
        x = _whole(arrays[f"x_{part}"], path, f"x_{part}", (1 << 16) - 1)
        y = _whole(arrays[f"y_{part}"], path, f"y_{part}", (1 << 20) - 1)
        if y.ndim != 1 or y.size == 0:
            raise DataError(f"{path}: y_{part} must be a list of class numbers, not of shape {y.shape}")
        frames[part] = x
        labels[part] = y.astype(np.int64)
    wide = any(x.size and int(x.max()) > np.iinfo(np.uint8).max for x in frames.values())
    dtype = np.uint16 if wide else np.uint8
    if names is None:
        texts = tuple(str(n) for n in range(int(labels["train"].max()) + 1))
    elif names.ndim == 1 and names.dtype.kind == "U":
        texts = tuple(str(name) for name in names)
    else:
        raise DataError(f"{path}: labels must be a list of texts, not {names.dtype} of shape {names.shape}")
    return Dataset(
        name=path.stem,
        train_frames=frames["train"].astype(dtype),
        train_labels=labels["train"],
        test_frames=frames["test"].astype(dtype),
        test_labels=labels["test"],
        labels=texts,
    )
