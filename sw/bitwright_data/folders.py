"""A user's own folder: a folder for each class, with its images, or with its recordings as WAV files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.errors import DataError
from bitwright_core.extras import install
from bitwright_core.near import did_you_mean_path
from bitwright_data.dataset import Dataset, HeldOut, every_fifth
from bitwright_data.speech import log_mel, read_wav

IMAGES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff")
SOUNDS = (".wav",)
_PARTS = ("train", "test")
_WANTED = "a folder for each class with its images or WAV files, or train/ and test/ with such folders"
_Found = list[tuple[str, Path]]  # class and file


def load_folder_dataset(folder: Path) -> Dataset:
    """Frames of the images, (n, H, W) where all are grey, else (n, H, W, 3); of WAV files as `speech.log_mel` has them.

    Without train/ and test/ every fifth file of a class, by its name, is for the test. Raises DataError.
    """
    train, test = _parts(folder)
    classes = tuple(sorted({name for name, _ in train}))
    strange = sorted({name for name, _ in test} - set(classes))
    if strange:
        raise DataError(f"{folder}: class {strange[0]} has test files and none to train with")
    frames = _frames([*train, *test], folder)
    return Dataset(
        name=folder.resolve().name,
        train_frames=frames[: len(train)],
        train_labels=_labels(train, classes),
        test_frames=frames[len(train) :],
        test_labels=_labels(test, classes),
        labels=classes,
    )


def load_folder_held_out(folder: Path) -> HeldOut:
    """The test files alone. Raises DataError."""
    train, test = _parts(folder)
    classes = tuple(sorted({name for name, _ in [*train, *test]}))
    return HeldOut(
        name=folder.resolve().name, frames=_frames(test, folder), labels=_labels(test, classes), classes=len(classes)
    )


def _parts(folder: Path) -> tuple[_Found, _Found]:
    """The files for training and for the test, in the order of classes and names."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder{did_you_mean_path(folder)}")
    if all((folder / part).is_dir() for part in _PARTS):
        train, test = (_files(folder / part) for part in _PARTS)
        return train, test
    found = _files(folder)
    names = sorted({name for name, _ in found})
    held = every_fifth(_labels(found, tuple(names)))
    return (
        [each for each, is_test in zip(found, held, strict=True) if not is_test],
        [each for each, is_test in zip(found, held, strict=True) if is_test],
    )


def _files(folder: Path) -> _Found:
    """The files of each class below `folder`; hidden ones are passed over. Raises DataError."""
    found = [
        (place.name, file)
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
        for file in sorted(place.iterdir())
        if file.is_file() and not file.name.startswith(".")
    ]
    if not found:
        raise DataError(f"{folder}: no files in folders of classes; {_WANTED} are needed")
    for _, file in found:
        if file.suffix.lower() not in (*IMAGES, *SOUNDS):
            raise DataError(f"{file}: neither an image nor a WAV file; move it elsewhere")
    return found


def _labels(files: _Found, classes: tuple[str, ...]) -> NDArray[np.int64]:
    place = {name: index for index, name in enumerate(classes)}
    return np.array([place[name] for name, _ in files], np.int64)


def _frames(files: _Found, folder: Path) -> NDArray[np.uint8]:
    sounds = {file.suffix.lower() in SOUNDS for _, file in files}
    if len(sounds) > 1:
        raise DataError(f"{folder}: images and WAV files together; a data set is of one of them")
    if sounds.pop():
        return np.stack([log_mel(read_wav(file)) for _, file in files])
    read = _reader()
    arrays = [read(file) for _, file in files]
    for (_, file), array in zip(files, arrays, strict=True):
        if array.shape[:2] != arrays[0].shape[:2]:
            size, first = (" x ".join(map(str, each.shape[1::-1])) for each in (array, arrays[0]))
            raise DataError(
                f"{file}: {size} pixels, but {files[0][1]} has {first}; scale them first, so that all are of one size"
            )
    if all(array.ndim == 2 for array in arrays):
        return np.stack(arrays)
    return np.stack([array if array.ndim == 3 else np.repeat(array[:, :, None], 3, axis=2) for array in arrays])


def _reader() -> Callable[[Path], NDArray[np.uint8]]:
    """What reads an image: (H, W) of a grey one, else (H, W, 3). Raises DataError where Pillow is missing."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(f"images are read by Pillow, which is not installed: {install('train')}") from None

    def read(file: Path) -> NDArray[np.uint8]:
        damaged: tuple[type[Exception], ...] = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)
        try:
            with Image.open(file) as image:
                if image.mode.startswith("I;16") or image.mode in ("I", "F"):
                    raise DataError(f"{file}: values of more than 8 bits; save it with 8 bits a value")
                kept: Any = image.convert("L" if image.mode in ("1", "L", "LA") else "RGB")
                return np.asarray(kept, np.uint8)
        except damaged as error:
            if isinstance(error, DataError):
                raise
            raise DataError(f"{file}: not a readable image ({error})") from None

    return read
