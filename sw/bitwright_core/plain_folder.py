"""Folders whose names every tool takes as they are.

make splits names at spaces and colons, and scripts, shells and Tcl each have signs of their own. What such tools build
is built where no sign means anything, wherever the design, the cache or TMPDIR lie.
"""

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bitwright_core.errors import ToolError

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
_PLACES = ("/tmp", "/var/tmp")


def is_plain(path: Path | str) -> bool:
    """Whether make, shells and scripts take `path` as it is: letters, digits, . _ / + - alone."""
    return _PLAIN.fullmatch(str(path)) is not None


def plain_place() -> str:
    """The folder for temporary files, or another where its name is not plain. Raises ToolError if there is none."""
    first = tempfile.gettempdir()
    for place in (first, *_PLACES):
        if is_plain(place) and os.access(place, os.W_OK | os.X_OK):
            return place
    raise ToolError(
        f"make takes no folder with a name such as {first!r}; set TMPDIR to one of letters, digits, . _ / + - alone"
    )


@contextmanager
def plain_folder() -> Iterator[Path]:
    """A temporary folder with a plain name."""
    with tempfile.TemporaryDirectory(prefix="bitwright-", dir=plain_place()) as name:
        yield Path(name)


def plain_copies(files: list[Path], folder: Path) -> list[Path]:
    """`files`, those without plain names by copies in `folder` (tools follow links to the names), absolute."""
    found = []
    for index, file in enumerate(files):
        path = file.absolute()
        if not is_plain(path):
            copy = folder / f"source_{index}{path.suffix if is_plain(path.suffix or '.') else ''}"
            shutil.copyfile(path, copy)
            path = copy
        found.append(path)
    return found
