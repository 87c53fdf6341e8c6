"""Names of layers: the node's own where it suits, else the kind of layer and a number."""

import re

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def valid_name(name: str) -> bool:
    """Whether a Network takes it as a name."""
    return _NAME.fullmatch(name) is not None


class Names:
    """Gives each layer a name of its own; `given` are names to use first, in order."""

    def __init__(self, given: tuple[str, ...] = ()) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}
        self._given = [name for name in given if valid_name(name)]

    def give(self, node: str, kind: str) -> str:
        """A name for the layer made from `node`."""
        wanted = self._given.pop(0) if self._given else node
        if not valid_name(wanted) or wanted in self._used:
            while True:
                number = self._counts.get(kind, 0)
                self._counts[kind] = number + 1
                wanted = f"{kind}{number}"
                if wanted not in self._used:
                    break
        self._used.add(wanted)
        return wanted
