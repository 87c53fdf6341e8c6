"""Near misses: the known word, or the file or folder, that somebody probably meant."""

import difflib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

_ALIKE = 0.6  # share of equal letters, as difflib counts it
_ENTRIES = 4096  # of a folder that are looked at


def near(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, whatever its case, `-` and `_`; None if none is."""
    plain = {_plain(name): name for name in reversed(list(known))}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=_ALIKE)
    return plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to put behind `word` in a message: " (did you mean X?)", or nothing where nothing is near."""
    found = near(word, known)
    return "" if found is None or found == word else f" (did you mean {found}?)"


def did_you_mean_path(path: Path, *, holds: str = "") -> str:
    """What to put behind a `path` that is not what was expected: " (did you mean X?)", or nothing.

    With `holds` a folder with that file in it is expected, and X is one: near by its name, or in the folder `path`.
    Without, a file is: one of the same suffix, or else any entry of a near name. Where a folder of the path is not
    there, it is that one's name which is near.
    """
    try:
        if holds and path.is_dir():
            inside = sorted(entry.name for entry in islice(path.iterdir(), _ENTRIES) if (entry / holds).is_file())
            found = path / inside[0] if inside else None
        else:
            found = _near_path(path, holds)
    except OSError:
        return ""
    return "" if found is None else f" (did you mean {found}?)"


def _near_path(path: Path, holds: str) -> Path | None:
    """The path that is most like `path` and there; None if there is none, or `path` is there itself."""
    missing = next((part for part in (*reversed(path.parents), path) if not part.exists()), None)
    if missing is None or not missing.parent.is_dir():
        return None
    rest = path.relative_to(missing)
    entries = sorted(entry.name for entry in islice(missing.parent.iterdir(), _ENTRIES) if entry.name[0] != ".")
    there = {name: missing.parent / name / rest for name in entries if (missing.parent / name / rest).exists()}
    if holds:
        fitting = {name: name for name, full in there.items() if (full / holds).is_file()}
    elif missing == path and path.suffix:
        fitting = {Path(name).stem: name for name, full in there.items() if full.suffix == path.suffix}
        if (found := near(path.stem, fitting)) is not None:
            return there[fitting[found]]
        fitting = {name: name for name in there if Path(name).suffix != path.suffix}
    else:
        fitting = {name: name for name in there}
    found = near(missing.name, fitting)
    return None if found is None else there[found]


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")
