"""Data sets: `digits` (embedded), those of files that a user fetches, and any user's .npz.

Files are IDX (`mnist`, `fashion-mnist`), CIFAR's records (`cifar10`), WAV (`fsdd`), mails (`spam`) and ARFF (`yeast`).

Importing this loads neither torch nor scikit-learn; the latter is loaded by `digits` alone.
"""

from pathlib import Path

from bitwright_core.errors import DataError
from bitwright_core.near import did_you_mean
from bitwright_data.dataset import Dataset, HeldOut
from bitwright_data.idx import LABELS as _IDX_SETS

NAMES = ("digits", *_IDX_SETS, "cifar10", "fsdd", "spam", "yeast")

__all__ = ["NAMES", "Dataset", "HeldOut", "load_dataset", "load_held_out"]


def load_dataset(name_or_path: str | Path, data_dir: Path | None = None) -> Dataset:
    """A data set by its name, or from a path that ends in .npz.

    `data_dir` is the folder with the files of `mnist`, `fashion-mnist`, `cifar10`, `fsdd`, `spam` and `yeast` (in
    it or in a folder of that name); a relative .npz path that does not exist is looked for there too. Raises
    DataError, in one sentence that names the file and what to do.
    """
    name = str(name_or_path)
    folder = None if data_dir is None else Path(data_dir)
    if name == "digits":
        from bitwright_data.digits import load_digits_dataset

        return load_digits_dataset()
    if name in _IDX_SETS:
        from bitwright_data.idx import load_idx_dataset

        return load_idx_dataset(name, folder)
    if name == "cifar10":
        from bitwright_data.cifar import load_cifar10

        return load_cifar10(folder)
    if name == "fsdd":
        from bitwright_data.fsdd import load_fsdd

        return load_fsdd(folder)
    if name == "spam":
        from bitwright_data.mails import load_spam

        return load_spam(folder)
    if name == "yeast":
        from bitwright_data.tables import load_yeast

        return load_yeast(folder)
    if name.endswith(".npz"):
        from bitwright_data.npz import load_npz_dataset

        return load_npz_dataset(_beside(name, folder))
    raise DataError(f"{_unknown(name)}, or the path of an .npz file")


def load_held_out(name_or_path: str | Path, data_dir: Path | None = None) -> HeldOut:
    """The test frames of `load_dataset`'s set, without asking for the training files or arrays; or an .npy of frames.

    Labels of an .npz may be missing; an .npy has none. Raises DataError.
    """
    name = str(name_or_path)
    folder = None if data_dir is None else Path(data_dir)
    if name in _IDX_SETS:
        from bitwright_data.idx import load_idx_held_out

        return load_idx_held_out(name, folder)
    if name == "cifar10":
        from bitwright_data.cifar import load_cifar10_held_out

        return load_cifar10_held_out(folder)
    if name == "fsdd":
        from bitwright_data.fsdd import load_fsdd_held_out

        return load_fsdd_held_out(folder)
    if name == "spam":
        from bitwright_data.mails import load_spam_held_out

        return load_spam_held_out(folder)
    if name == "yeast":
        from bitwright_data.tables import load_yeast_held_out

        return load_yeast_held_out(folder)
    if name.endswith((".npz", ".npy")):
        from bitwright_data.npz import load_npy_frames, load_npz_held_out

        path = _beside(name, folder)
        return load_npz_held_out(path) if name.endswith(".npz") else load_npy_frames(path)
    if name not in NAMES:
        raise DataError(f"{_unknown(name)}, random[:SEED], or the path of an .npz or .npy file")
    return load_dataset(name, folder).held_out


def _beside(name: str, folder: Path | None) -> Path:
    """A relative path that does not exist is looked for in the data folder, too."""
    path = Path(name)
    return folder / path if folder is not None and not path.is_file() and (folder / path).is_file() else path


def _unknown(name: str) -> str:
    hint = did_you_mean(name, NAMES)
    return f"no data set {name!r}{hint}: give one of {', '.join(NAMES)}"
