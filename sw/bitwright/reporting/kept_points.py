"""The frontier that `explore` left, read for a report, and drawn in the page's colours."""

import math
from pathlib import Path

import msgspec

from bitwright.frontier import POINTS
from bitwright.reporting.svg import drawing, element, path, text
from bitwright_core.errors import BitwrightError
from bitwright_core.untrusted import MAX_TEXT_BYTES, decode_json, file_inside

_WIDTH, _HEIGHT = 560, 300
_LEFT, _BELOW, _EDGE = 74, 42, 14


class FrontierError(BitwrightError):
    """A folder that holds no frontier."""


class KeptPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of the frontier."""

    interval_cycles: int
    frames_per_second: float
    luts: int
    block_rams: float
    chosen: bool


class KeptFrontier(msgspec.Struct, frozen=True, kw_only=True):
    """frontier.json."""

    network: str
    board: str
    clock_mhz: float
    points: list[KeptPoint]


def read_frontier(folder: Path, network: str) -> KeptFrontier:
    """What `explore` wrote to `folder` of `network`. Raises FrontierError if it wrote nothing there."""
    file = file_inside(folder, POINTS, FrontierError, limit=MAX_TEXT_BYTES, remedy="write it with: bitwright explore")
    try:
        found = decode_json(file.read_bytes(), KeptFrontier)
    except msgspec.DecodeError as error:
        raise FrontierError(f"{file}: damaged ({error}); explore again") from None
    if found.network != network:
        raise FrontierError(f"{folder}: is the frontier of network {found.network}, not of {network}; explore this one")
    if not found.points or min(p.frames_per_second for p in found.points) <= 0 or min(p.luts for p in found.points) < 1:
        raise FrontierError(f"{file}: damaged (it has no points, or points of nothing); explore again")
    return found


def draw_frontier(found: KeptFrontier, luts: int, interval: int) -> str:
    """Rate against LUTs, both on logarithmic scales; a design of `luts` and `interval` is marked, too."""
    rate = found.clock_mhz * 1e6 / interval
    points = sorted(found.points, key=lambda point: point.luts)
    xs = _scale([*(float(p.luts) for p in points), float(luts)], _LEFT, _WIDTH - _EDGE)
    ys = _scale([*(p.frames_per_second for p in points), rate], _HEIGHT - _BELOW, _EDGE)
    parts = []
    for value in xs.marks:
        x = xs.at(value)
        parts.append(path(f"M{x:.1f} {_EDGE}V{_HEIGHT - _BELOW}", class_="rule"))
        parts.append(text(x, _HEIGHT - _BELOW + 15, f"{value:,.0f}", class_="fact", text_anchor="middle"))
    for value in ys.marks:
        y = ys.at(value)
        parts.append(path(f"M{_LEFT} {y:.1f}H{_WIDTH - _EDGE}", class_="rule"))
        parts.append(text(_LEFT - 6, y + 4, f"{value:,.0f}", class_="fact", text_anchor="end"))
    places = [(xs.at(p.luts), ys.at(p.frames_per_second)) for p in points]
    parts.append(path("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in places), class_="curve"))
    for point, (x, y) in zip(points, places, strict=True):
        style = "point chosen" if point.chosen else "point"
        parts.append(element("circle", cx=x, cy=y, r=6 if point.chosen else 3, class_=style))
    x, y = xs.at(luts), ys.at(rate)
    parts.append(path(f"M{x - 7:.1f} {y:.1f}h14M{x:.1f} {y - 7:.1f}v14", class_="here"))
    parts.append(text((_LEFT + _WIDTH) / 2, _HEIGHT - 6, "LUTs (estimated)", class_="fact", text_anchor="middle"))
    parts.append(text(4, 11, "frames/s", class_="fact"))
    said = f"{len(points)} points; this design has {luts:,} LUTs and {rate:,.0f} frames a second"
    title = f"Rate against LUTs on {found.board} at {found.clock_mhz:g} MHz"
    return drawing(_WIDTH, _HEIGHT, title, said, *parts, class_="frontier")


class _Scale:
    """A logarithmic axis from pixel `first` to pixel `last`."""

    def __init__(self, low: float, high: float, first: float, last: float):
        self.low, self.span = math.log(low), math.log(high / low)
        self.first, self.last = first, last
        steps = [k * 10.0**e for e in range(-3, 13) for k in (1, 2, 5)]
        inside = [step for step in steps if low <= step <= high]
        self.marks = inside if len(inside) <= 6 else [step for step in inside if f"{step:e}"[0] == "1"]

    def at(self, value: float) -> float:
        return self.first + (self.last - self.first) * (math.log(value) - self.low) / self.span


def _scale(values: list[float], first: float, last: float) -> _Scale:
    return _Scale(min(values) / 1.3, max(values) * 1.3, first, last)
