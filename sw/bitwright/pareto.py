"""The points that no other beats."""

from collections.abc import Callable, Iterable
from typing import TypeVar

_Point = TypeVar("_Point")


def unbeaten(
    points: Iterable[_Point], cost: Callable[[_Point], float], worth: Callable[[_Point], float]
) -> tuple[_Point, ...]:
    """The points that no other beats in both `cost` (less is better) and `worth`, the cheapest first."""
    best: list[_Point] = []
    for point in sorted(points, key=lambda one: (cost(one), -worth(one))):
        if not best or worth(point) > worth(best[-1]):
            best.append(point)
    return tuple(best)
