"""Whether something can be written where a user wants it, asked before the work that it would spoil.

Permission bits tell little (root, read-only mounts, /proc), so a nameless file is made in the folder and closed again.
Folders that are missing are not made: what is asked is the nearest one that is there.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

from bitwright_core.errors import OutputError


def check_file(path: Path, *, inputs: Iterable[Path | None] = ()) -> None:
    """Raises OutputError unless a file can be written at `path`, which must be none of `inputs`."""
    if path.is_dir():
        raise OutputError(f"{path}: a folder is in the way of the file to write; name a file")
    for given in inputs:
        if given is not None and path.exists() and given.exists() and path.samefile(given):
            raise OutputError(f"{path}: is what is read, and would be written over; name another file")
    _check_parents(path)


def check_folder(path: Path) -> None:
    """Raises OutputError unless files can be written to folder `path`, which may be missing."""
    if path.is_dir():
        _try(path, path)
        return
    if path.exists():
        raise OutputError(f"{path}: a file is in the way of the folder to write; name another")
    _check_parents(path)


def _check_parents(path: Path) -> None:
    for parent in path.absolute().parents:
        if parent.is_dir():
            _try(parent, path)
            return
        if parent.exists() or parent.is_symlink():
            raise OutputError(f"{path}: cannot be written, as {parent} is no folder; name another place")


def _try(folder: Path, path: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        where = "" if folder == path else f" in {folder}"
        raise OutputError(
            f"{path}: nothing can be written{where} ({error.strerror or error}); name another place"
        ) from None
