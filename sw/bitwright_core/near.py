"""Near misses: the known word that somebody probably meant."""

import difflib
from collections.abc import Iterable

_ALIKE = 0.6  # share of equal letters, as difflib counts it


def near(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, whatever its case, `-` and `_`; None if none is."""
    plain = {_plain(name): name for name in reversed(list(known))}
    found = difflib.get_close_matches(_plain(word), plain, n=1, cutoff=_ALIKE)
    return plain[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to put behind `word` in a message: " (did you mean X?)", or nothing where nothing is near."""
    found = near(word, known)
    return "" if found is None or found == word else f" (did you mean {found}?)"


def _plain(word: str) -> str:
    return word.lower().replace("_", "-")
