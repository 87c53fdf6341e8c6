"""Data sets: `digits` (embedded), `mnist` and `fashion-mnist` (IDX files), `cifar10` (binary), any user's .npz.

Importing this loads neither torch nor scikit-learn; the latter is loaded by `digits` alone.
"""

from pathlib import Path

from bitwright.data.dataset import Dataset
from bitwright.data.idx import LABELS as _IDX_SETS
from bitwright.errors import DataError

NAMES = ("digits", *_IDX_SETS, "cifar10")

__all__ = ["NAMES", "Dataset", "load_dataset"]


def load_dataset(name_or_path: str | Path, data_dir: Path | None = None) -> Dataset:
    """A data set by its name, or from a path that ends in .npz.

    `data_dir` is the folder with the files of `mnist`, `fashion-mnist` and `cifar10` (in it or in a folder of that
    name); a relative .npz path that does not exist is looked for there too. Raises DataError, in one
    sentence that names the file and what to do.
    """
    name = str(name_or_path)
    folder = None if data_dir is None else Path(data_dir)
    if name == "digits":
        from bitwright.data.digits import load_digits_dataset

        return load_digits_dataset()
    if name in _IDX_SETS:
        from bitwright.data.idx import load_idx_dataset

        return load_idx_dataset(name, folder)
    if name == "cifar10":
        from bitwright.data.cifar import load_cifar10

        return load_cifar10(folder)
    if name.endswith(".npz"):
        from bitwright.data.npz import load_npz_dataset

        path = Path(name)
        if folder is not None and not path.is_file() and (folder / path).is_file():
            path = folder / path
        return load_npz_dataset(path)
    raise DataError(f"no data set {name!r}: give one of {', '.join(NAMES)}, or the path of an .npz file")
