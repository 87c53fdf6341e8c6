"""Names of layers: as training and the other importers give them, so that a plan for one fits the other.

Layers with weights are conv0, conv1, dense2, ...: the kind, and the place among layers with weights. A pool has the
number of the layer before it. What bitwright itself exported keeps its names.
"""

import re

_NAME = re.compile(r"[a-z][a-z0-9_]{0,47}")


def valid_name(name: str) -> bool:
    """Whether a Network takes it as a name."""
    return _NAME.fullmatch(name) is not None


class Names:
    """Gives each layer a name of its own; `given` are names to use first, in order."""

    def __init__(self, given: tuple[str, ...] = ()) -> None:
        self._used: set[str] = set()
        self.order: list[str] = []  # the names so far
        self._weighted = 0  # layers with weights so far
        self._given = [name for name in given if valid_name(name)]

    @property
    def coming(self) -> str | None:
        """The next of the names that are given; None where there are no more."""
        return self._given[0] if self._given else None

    def give(self, kind: str, wanted: str | None = None) -> str:
        """A name for the next layer, `wanted` if an export of bitwright's own says so.

        `kind` begins the name: conv or dense for a layer with weights, which are numbered, else the operator's own.
        """
        weighted = kind in ("conv", "dense")
        number = self._weighted if weighted else max(0, self._weighted - 1)
        self._weighted += weighted
        if wanted is None:
            wanted = self._given.pop(0) if self._given else f"{kind}{number}"
        name = wanted
        again = 1
        while name in self._used:
            again += 1
            name = f"{wanted[:40]}_{again}"
        self._used.add(name)
        self.order.append(name)
        return name
