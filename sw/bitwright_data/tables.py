"""Tables of numbers as bytes, and `yeast`: genes with 14 labels that each stand for themselves, from ARFF files.

Source: A. Elisseeff, J. Weston, "A Kernel Method for Multi-Labelled Classification", NIPS 2001; as Mulan has it
(mulan.sourceforge.net/datasets-mlc.html): yeast-train.arff and yeast-test.arff.
"""

import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_data.dataset import Dataset, HeldOut

VALUES = 103
_FILES = "yeast-train.arff and yeast-test.arff"
_ATTRIBUTE = re.compile(r"""@attribute\s+('[^']*'|"[^"]*"|\S+)\s+(.*)""", re.IGNORECASE)


def read_arff(path: Path) -> tuple[tuple[str, ...], NDArray[np.float64]]:
    """The names of an ARFF file's columns and its rows (n, columns), dense and of numbers alone. Raises DataError."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as text ({error})") from None
    names: list[str] = []
    rows: list[list[float]] = []
    in_data = False
    for number, raw in enumerate(lines, 1):
        line = raw.strip()
        if not line or line.startswith("%"):
            continue
        if not in_data:
            found = _ATTRIBUTE.fullmatch(line)
            if found:
                names.append(found[1].strip("'\""))
            in_data = line.lower() == "@data"
            continue
        try:
            rows.append([float(value) for value in line.split(",")])
        except ValueError:
            raise DataError(f"{path}: line {number} is no row of numbers with commas between them") from None
        if len(rows[-1]) != len(names):
            raise DataError(f"{path}: line {number} has {len(rows[-1])} values, but there are {len(names)} attributes")
    if not rows:
        raise DataError(f"{path}: no rows behind @data")
    return tuple(names), np.array(rows)


def bytes_of(train: NDArray[np.float64], test: NDArray[np.float64]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Columns as 0..255: each one's least to greatest training value, rounded; test values beyond are clipped."""
    least, greatest = train.min(axis=0), train.max(axis=0)
    span = np.where(greatest > least, greatest - least, 1)
    scaled = (np.rint(255 * np.clip((part - least) / span, 0, 1)).astype(np.uint8) for part in (train, test))
    return next(scaled), next(scaled)


def load_yeast(data_dir: Path | None) -> Dataset:
    """`yeast`: frames (n, 103) of bytes, labels (n, 14) of 0 and 1; Mulan's split. Raises DataError."""
    if data_dir is None:
        raise DataError(f"yeast is read from files: give --data-dir, a folder with yeast/ ({_FILES})")
    folder = data_dir / "yeast" if (data_dir / "yeast").is_dir() else data_dir
    parts = [read_arff(folder / f"yeast-{part}.arff") for part in ("train", "test")]
    (names, train), (other, test) = parts
    if names != other or len(names) <= VALUES:
        raise DataError(f"{folder}: {_FILES} must have the same columns, {VALUES} values and then labels")
    if not np.isin(np.concatenate((train, test))[:, VALUES:], (0, 1)).all():
        raise DataError(f"{folder}: labels of yeast must be 0 or 1, the last columns of {_FILES}")
    train_frames, test_frames = bytes_of(train[:, :VALUES], test[:, :VALUES])
    return Dataset(
        name="yeast",
        train_frames=train_frames,
        train_labels=train[:, VALUES:].astype(np.int64),
        test_frames=test_frames,
        test_labels=test[:, VALUES:].astype(np.int64),
        labels=names[VALUES:],
    )


def load_yeast_held_out(data_dir: Path | None) -> HeldOut:
    """The test genes; the training ones say what a byte means, so all are read. Raises DataError."""
    return load_yeast(data_dir).held_out
