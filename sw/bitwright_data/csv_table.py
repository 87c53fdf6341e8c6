"""A user's own table: a .csv file with a row for each frame, a column for its class and columns of numbers."""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, every_fifth
from bitwright_data.tables import bytes_of

_CLASS_NAMES = ("label", "class")
_SPLIT_NAME = "split"
_PARTS = ("train", "test")


def load_csv_dataset(path: Path) -> Dataset:
    """Frames (n, values) of a table; the rules are in docs/data.md. Raises DataError, naming the line.

    Whole numbers from 0 to 65,535 stay as they are. If there are others, each column's least to greatest training
    value becomes 0 to 255.
    """
    names, rows = _read(path)
    lowered = [name.lower() for name in names]
    split = lowered.index(_SPLIT_NAME) if _SPLIT_NAME in lowered else None
    own = [name for name in _CLASS_NAMES if name in lowered]
    left = [column for column in range(len(names)) if column != split]
    told = lowered.index(own[0]) if own else left[-1]
    columns = [column for column in left if column != told]
    if not columns:
        raise DataError(f"{path}: no column of values beside the class")
    classes, labels = _classes([cells[told].strip() for _, cells in rows], path)
    values = _values(rows, columns, names, path)
    test = every_fifth(labels) if split is None else _tested(rows, split, path)
    for part, among in zip(_PARTS, (~test, test), strict=True):
        if not among.any():
            raise DataError(f"{path}: no {part} row; a fifth of each class is for the test unless {_SPLIT_NAME} says")
    train, held = _integers(values, test)
    return Dataset(
        name=path.stem,
        train_frames=train,
        train_labels=labels[~test],
        test_frames=held,
        test_labels=labels[test],
        labels=classes,
    )


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The columns' names, and the rows with the number of their line. Raises DataError."""
    if not path.is_file():
        raise DataError(f"{path}: no such data file{did_you_mean_path(path)}")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: not a readable .csv ({error})") from None
    if not rows:
        raise DataError(f"{path}: no rows")
    first = [cell.strip() for cell in rows[0][1]]
    headed = not any(_number(cell) is not None for cell in first)
    names = first if headed else [f"column {k + 1}" for k in range(len(first))]
    rows = rows[1:] if headed else rows
    if not rows:
        raise DataError(f"{path}: a line of names, and no rows below it")
    for line, cells in rows:
        if len(cells) != len(names):
            raise DataError(f"{path}: line {line} has {len(cells)} values, but the first line has {len(names)}")
    return names, rows


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None


def _classes(texts: list[str], path: Path) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """The classes' names, numbers by value and texts by the alphabet, and the class of each row."""
    found = set(texts)
    if "" in found:
        raise DataError(f"{path}: a row has no class")
    numbers = all(text.isdecimal() for text in found)
    if not numbers and all(_number(text) is not None for text in found):
        raise DataError(
            f"{path}: the class column has numbers that are not whole, such as {min(found)}; name the column of the "
            f"class {_CLASS_NAMES[0]}"
        )
    names = sorted(found, key=int) if numbers else sorted(found)
    place = {name: index for index, name in enumerate(names)}
    return tuple(names), np.array([place[text] for text in texts], np.int64)


def _values(rows: list[tuple[int, list[str]]], columns: list[int], names: list[str], path: Path) -> NDArray[np.float64]:
    values = np.empty((len(rows), len(columns)))
    for row, (line, cells) in enumerate(rows):
        for k, column in enumerate(columns):
            number = _number(cells[column])
            if number is None or not np.isfinite(number):
                shown = cells[column].strip() or "nothing"
                raise DataError(f"{path}: line {line} has {shown!r} for {names[column]}, where a number is expected")
            values[row, k] = number
    return values


def _integers(
    values: NDArray[np.float64], test: NDArray[np.bool_]
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.unsignedinteger]]:
    """Training and test frames."""
    if (values != np.floor(values)).any() or values.min() < 0 or values.max() >= 1 << 16:
        return bytes_of(values[~test], values[test])
    frames = values.astype(np.uint16)
    if values.max() < 1 << 8:
        return frames[~test].astype(np.uint8), frames[test].astype(np.uint8)
    return frames[~test], frames[test]


def _tested(rows: list[tuple[int, list[str]]], split: int, path: Path) -> NDArray[np.bool_]:
    """Whether each row is for the test."""
    for line, cells in rows:
        if cells[split].strip().lower() not in _PARTS:
            raise DataError(f"{path}: line {line} has {cells[split]!r} for {_SPLIT_NAME}, which must be train or test")
    return np.array([cells[split].strip().lower() == "test" for _, cells in rows])
