"""MNIST and Fashion-MNIST: four IDX files, raw or gzipped, in a folder of the user's.

IDX, after http://yann.lecun.com/exdb/mnist/: two zero bytes, a type byte (8 is unsigned bytes), the number
of dimensions, each dimension as a big-endian 32-bit number, then the values in C order.
"""

import gzip
import math
import zlib
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, HeldOut

_UNSIGNED_BYTES = 8
_MAX_VALUES = 1 << 30
_DIGITS = tuple("0123456789")
_FASHION = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
LABELS = {"mnist": _DIGITS, "fashion-mnist": _FASHION}
_IMAGE_DIMENSIONS = 3
_SIDE = 28


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array in an IDX file of unsigned bytes with that many dimensions; gzipped if its name ends in .gz.

    Raises DataError for a file that is missing, damaged, cut short, too long or of another kind.
    """
    again = "fetch the file again"
    try:
        with cast(BinaryIO, gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")) as file:
            header = file.read(4 + 4 * dimensions)
            if len(header) < 4:
                raise DataError(f"{path}: cut short inside its header; {again}")
            if header[:2] != b"\0\0" or header[2] != _UNSIGNED_BYTES:
                raise DataError(
                    f"{path}: not an IDX file of unsigned bytes (it starts with {header[:4].hex()}, "
                    f"not 0000080{dimensions}); {again}"
                )
            if header[3] != dimensions:
                raise DataError(
                    f"{path}: has {header[3]} dimensions where {dimensions} are expected; "
                    "is it an image file in the place of a label file, or the reverse?"
                )
            if len(header) < 4 + 4 * dimensions:
                raise DataError(f"{path}: cut short inside its header; {again}")
            shape = tuple(int(n) for n in np.frombuffer(header, ">u4", offset=4))
            count = math.prod(shape)
            if not 0 < count <= _MAX_VALUES:
                raise DataError(f"{path}: impossible dimensions {list(shape)}; {again}")
            body = file.read(count + 1)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{path}: damaged or cut gzip file ({error}); {again}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if len(body) != count:
        found = "more" if len(body) > count else str(len(body))
        raise DataError(f"{path}: promises {count} values but holds {found}; {again}")
    return np.frombuffer(body, np.uint8).reshape(shape)


def _find(folders: tuple[Path, ...], stem: str, kind: str) -> Path | None:
    for folder in folders:
        for name in (f"{stem}-{kind}-ubyte", f"{stem}.{kind}-ubyte"):
            for path in (folder / f"{name}.gz", folder / name):
                if path.is_file():
                    return path
    return None


def load_idx_dataset(name: str, data_dir: Path | None) -> Dataset:
    """`mnist` or `fashion-mnist` from data_dir/NAME or data_dir itself. Raises DataError."""
    files = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k, each raw or as .gz"
    train, test = _read_parts(name, data_dir, files, "train", "t10k")
    return Dataset(
        name=name,
        train_frames=train[0],
        train_labels=train[1],
        test_frames=test[0],
        test_labels=test[1],
        labels=LABELS[name],
    )


def load_idx_held_out(name: str, data_dir: Path | None) -> HeldOut:
    """The test frames alone, of which the training files are not needed. Raises DataError."""
    files = "t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte, each raw or as .gz"
    ((frames, labels),) = _read_parts(name, data_dir, files, "t10k")
    return HeldOut(name=name, frames=frames, labels=labels, classes=len(LABELS[name]))


def _read_parts(
    name: str, data_dir: Path | None, files: str, *stems: str
) -> list[tuple[NDArray[np.uint8], NDArray[np.int64]]]:
    """Images and labels of each stem; `files` names all files, for messages."""
    if data_dir is None:
        raise DataError(f"{name} is read from files: give --data-dir, a folder with {name}/ ({files})")
    if not data_dir.is_dir():
        hint = did_you_mean_path(data_dir)
        raise DataError(f"{data_dir}: no such folder{hint}; --data-dir must name the one with {name}/ ({files})")
    folders = (data_dir / name,) if (data_dir / name).is_dir() else (data_dir,)
    found = []
    for stem in stems:
        arrays = {}
        for what, kind, dimensions in (("images", "idx3", _IMAGE_DIMENSIONS), ("labels", "idx1", 1)):
            path = _find(folders, f"{stem}-{what}", kind)
            if path is None:
                raise DataError(f"{folders[0]}: {stem}-{what}-{kind}-ubyte (or .gz) is missing; {name} needs {files}")
            values = read_idx(path, dimensions)
            if what == "images" and values.shape[1:] != (_SIDE, _SIDE):
                raise DataError(f"{path}: images of {values.shape[1:]} pixels, but {name} has {(_SIDE, _SIDE)}")
            if what == "labels" and values.max() >= len(LABELS[name]):
                raise DataError(f"{path}: label {int(values.max())}, but {name} has 0..{len(LABELS[name]) - 1}")
            arrays[what] = values
        if len(arrays["images"]) != len(arrays["labels"]):
            raise DataError(
                f"{folders[0]}: {len(arrays['images'])} {stem} images but "
                f"{len(arrays['labels'])} labels; the files belong to different sets"
            )
        found.append((arrays["images"], arrays["labels"].astype(np.int64)))
    return found
