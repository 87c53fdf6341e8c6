"""Data sets: `digits` (embedded), those of files that a user fetches, and a user's own.

Files are IDX (`mnist`, `fashion-mnist`), CIFAR's records (`cifar10`), WAV (`fsdd`), mails (`spam`) and ARFF (`yeast`);
a user's own are an .npz, a .csv, or a folder of images or recordings for each class.

Importing this loads neither torch nor scikit-learn; the latter is loaded by `digits` alone.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean
from bitwright_data.chosen import held_out_of_classes, of_classes, split_classes
from bitwright_data.cifar import load_cifar10, load_cifar10_held_out
from bitwright_data.csv_table import load_csv_dataset
from bitwright_data.dataset import Dataset, HeldOut
from bitwright_data.digits import load_digits_dataset
from bitwright_data.folders import load_folder_dataset, load_folder_held_out
from bitwright_data.fsdd import load_fsdd, load_fsdd_held_out
from bitwright_data.idx import LABELS as _IDX_SETS
from bitwright_data.idx import load_idx_dataset, load_idx_held_out
from bitwright_data.mails import load_spam, load_spam_held_out
from bitwright_data.npz import load_npy_frames, load_npz_dataset, load_npz_held_out
from bitwright_data.tables import load_yeast, load_yeast_held_out

_Whole = Callable[[Path | None], Dataset]
_Part = Callable[[Path | None], HeldOut]

# how each set is read from the folder of data files: whole, and its test frames alone
_SETS: Mapping[str, tuple[_Whole, _Part]] = {
    "digits": (lambda folder: load_digits_dataset(), lambda folder: load_digits_dataset().held_out),
    **{name: (partial(load_idx_dataset, name), partial(load_idx_held_out, name)) for name in _IDX_SETS},
    "cifar10": (load_cifar10, load_cifar10_held_out),
    "fsdd": (load_fsdd, load_fsdd_held_out),
    "spam": (load_spam, load_spam_held_out),
    "yeast": (load_yeast, load_yeast_held_out),
}
NAMES = tuple(_SETS)
OWN = "the path of an .npz or .csv file or of a folder of classes"

__all__ = ["NAMES", "Dataset", "HeldOut", "load_dataset", "load_held_out"]


def load_dataset(name_or_path: str | Path, data_dir: Path | None = None) -> Dataset:
    """A data set by its name, or from a path: an .npz, a .csv, or a folder with a folder for each class.

    `:5-9` or `:0,2,4` behind the name chooses classes, which are then counted from 0. `data_dir` is the folder with the
    files of `mnist`, `fashion-mnist`, `cifar10`, `fsdd`, `spam` and `yeast` (in it or in a folder of that name); a
    relative path that does not exist is looked for there too. Raises DataError, in one sentence that names the file and
    what to do.
    """
    name, chosen = split_classes(str(name_or_path))
    whole = _whole(name, None if data_dir is None else Path(data_dir))
    return of_classes(whole, chosen, str(name_or_path)) if chosen else whole


def load_held_out(name_or_path: str | Path, data_dir: Path | None = None) -> HeldOut:
    """The test frames of `load_dataset`'s set, without asking for the training files or arrays; or an .npy of frames.

    Labels of an .npz may be missing; an .npy has none. Raises DataError.
    """
    name, chosen = split_classes(str(name_or_path))
    held = _held_out(name, None if data_dir is None else Path(data_dir))
    return held_out_of_classes(held, chosen, str(name_or_path)) if chosen else held


def _whole(name: str, folder: Path | None) -> Dataset:
    if name in _SETS:
        return _SETS[name][0](folder)
    path = _beside(name, folder)
    if name.endswith(".npz"):
        return load_npz_dataset(path)
    if name.endswith(".csv"):
        return load_csv_dataset(path)
    if path.is_dir():
        return load_folder_dataset(path)
    raise DataError(f"{_unknown(name)}, or {OWN}")


def _held_out(name: str, folder: Path | None) -> HeldOut:
    if name in _SETS:
        return _SETS[name][1](folder)
    path = _beside(name, folder)
    if name.endswith(".npz"):
        return load_npz_held_out(path)
    if name.endswith(".npy"):
        return load_npy_frames(path)
    if name.endswith(".csv"):
        return load_csv_dataset(path).held_out
    if path.is_dir():
        return load_folder_held_out(path)
    raise DataError(f"{_unknown(name)}, random[:SEED], {OWN} or of an .npy file")


def _beside(name: str, folder: Path | None) -> Path:
    """A relative path that does not exist is looked for in the data folder, too."""
    path = Path(name)
    return folder / path if folder is not None and not path.exists() and (folder / path).exists() else path


def _unknown(name: str) -> str:
    hint = did_you_mean(name, NAMES)
    return f"no data set {name!r}{hint}: give one of {', '.join(NAMES)}"
