"""Functional coverage: named situations that a bench is there to bring about, counted, and those that never came."""

from collections.abc import Iterable, Mapping


class Coverage:
    """Counts of named situations. `points` are all that there are; a name that is none of them is refused."""

    def __init__(self, points: Iterable[str]):
        self.counts = dict.fromkeys(points, 0)

    def count(self, name: str, by: int = 1) -> None:
        if name not in self.counts:
            raise KeyError(f"no situation is called {name!r}")
        self.counts[name] += int(by)

    def add(self, counts: Mapping[str, int]) -> None:
        """Counts of another run, by name."""
        for name, by in counts.items():
            self.count(name, by)

    @property
    def holes(self) -> list[str]:
        """The situations that never came."""
        return [name for name, count in self.counts.items() if not count]

    def __str__(self) -> str:
        """A table of all situations, then the holes by name."""
        width = max(map(len, self.counts), default=0)
        lines = [
            f"  {name:<{width}} {count or 'HOLE':>12{',' if count else ''}}" for name, count in self.counts.items()
        ]
        told = f"holes: {', '.join(self.holes)}" if self.holes else "no holes"
        return "\n".join(["coverage:", *lines, told])
