"""Waves as drawings: all of a frame's cycles at a glance, and cuts in which each cycle can be read."""

import numpy as np
from numpy.typing import NDArray

from bitwright.reporting.handshakes import Bus, Handshakes, Signal
from bitwright.reporting.svg import drawing, path, rect, text

_NAMES = 118  # room for the names of signals
_ROW, _HIGH = 22, 14  # of a signal, and how high it goes
_BINS = 720  # pixels of the overview's time axis
_CUT = 22  # cycles of a cut
_CYCLE = 42  # pixels of a cycle in a cut
_LETTER = 6.9  # pixels, about


def overview(found: Handshakes) -> str:
    """Every cycle of the frame: where beats go in, where each layer gives results, where the result comes out."""
    streams = {signal.name: signal.high for signal in found.streams}
    rows = [
        Signal(name="input beats", high=streams["s_axis_tvalid"] & streams["s_axis_tready"]),
        *found.probes,
        Signal(name="result beats", high=streams["m_axis_tvalid"] & streams["m_axis_tready"]),
    ]
    parts = []
    for k, row in enumerate(rows):
        y = 4 + _ROW * k
        parts.append(text(_NAMES - 6, y + _HIGH - 2, _short(row.name), class_="fact", text_anchor="end"))
        parts.append(path(f"M{_NAMES} {y + _HIGH}h{_BINS}", class_="rule"))
        parts.append(path(_activity(row.high, y), class_="busy"))
    y = 4 + _ROW * len(rows)
    for k in range(5):
        x = _NAMES + _BINS * k / 4
        parts.append(path(f"M{x:.1f} {y - 4}v4", class_="rule"))
        anchor = "start" if k == 0 else "end" if k == 4 else "middle"
        parts.append(text(x, y + 12, f"{found.cycles * k // 4:,}", class_="fact", text_anchor=anchor))
    said = ", ".join(f"{row.name} {int(row.high.sum()):,} times" for row in rows)
    return drawing(_NAMES + _BINS + 4, y + 18, f"{found.cycles:,} cycles of one frame", said, *parts, class_="waves")


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"


def _activity(high: NDArray[np.bool_], y: float) -> str:
    """Bars whose height is the share of a pixel's cycles in which the signal is high."""
    bins = min(_BINS, len(high))
    edges = np.arange(bins + 1) * len(high) // bins
    sums = np.concatenate([[0], np.cumsum(high)])
    share = (sums[edges[1:]] - sums[edges[:-1]]) / np.diff(edges)
    width = _BINS / bins
    d = []
    for k in np.flatnonzero(share):
        tall = max(2.0, _HIGH * float(share[k]))
        d.append(
            f"M{_NAMES + width * int(k):.1f} {y + _HIGH - tall:.1f}h{max(width, 0.8):.2f}v{tall:.1f}h-{width:.2f}z"
        )
    return "".join(d)


def going_in(found: Handshakes) -> str:
    """The cut in which the frame's first beats are taken."""
    first = max(0, found.first_in - 1)
    names = ("s_axis_tvalid", "s_axis_tready", "s_axis_tlast")
    return _cut(found, first, names, ("s_axis_tdata",), "The frame goes in")


def coming_out(found: Handshakes) -> str:
    """The cut that ends with the result's last beat."""
    first = max(0, found.last_out + 3 - _CUT)
    last = [probe.name for probe in found.probes][-2:]
    names = ("m_axis_tvalid", "m_axis_tready", "m_axis_tlast")
    return _cut(found, first, names, (*last, "m_axis_tdata"), "The result comes out")


def _cut(found: Handshakes, first: int, signals: tuple[str, ...], buses: tuple[str, ...], title: str) -> str:
    stop = min(first + _CUT, found.cycles)
    count = stop - first
    streams = {signal.name: signal.high for signal in found.streams}
    rows = ["aclk", *(name for name in buses if name not in ("s_axis_tdata", "m_axis_tdata")), *signals]
    rows += [name for name in buses if name in ("s_axis_tdata", "m_axis_tdata")]
    parts = []
    for k in range(0, count, 5):
        x = _NAMES + _CYCLE * k
        parts.append(path(f"M{x} 14V{18 + _ROW * len(rows)}", class_="rule"))
        parts.append(text(x + 2, 10, f"{first + k:,}", class_="fact"))
    for k, name in enumerate(rows):
        y = 20 + _ROW * k
        parts.append(text(_NAMES - 6, y + _HIGH - 3, _short(name), class_="fact", text_anchor="end"))
        if name == "aclk":
            d = f"M{_NAMES} {y + _HIGH}" + f"v-{_HIGH}h{_CYCLE // 2}v{_HIGH}h{_CYCLE // 2}" * count
            parts.append(path(d, class_="wave"))
        elif name in streams:
            parts.append(path(_line(streams[name][first:stop], y), class_="wave"))
        else:
            parts += _bus(found.buses[name], first, stop, y)
    said = "; ".join(_said(found.buses[name], first, stop) for name in buses)
    return drawing(
        _NAMES + _CYCLE * count + 4,
        24 + _ROW * len(rows),
        f"{title}: cycles {first:,} to {stop - 1:,}",
        said,
        *parts,
        class_="waves cut",
    )


def _said(bus: Bus, first: int, stop: int) -> str:
    within = [word for cycle, word in zip(bus.cycles.tolist(), bus.words, strict=False) if first <= cycle < stop]
    return f"{bus.name} shows {len(within)} words" + (f", the last {within[-1][:60]}" if within else "")


def _line(high: NDArray[np.bool_], y: float) -> str:
    level = [y if now else y + _HIGH for now in high.tolist()]
    d = f"M{_NAMES} {level[0]:g}h{_CYCLE}"
    for at in level[1:]:
        d += f"V{at:g}h{_CYCLE}"
    return d


def _bus(bus: Bus, first: int, stop: int, y: float) -> list[str]:
    """Words as boxes; a line in the middle where there is none."""
    parts = [path(f"M{_NAMES} {y + _HIGH / 2}h{_CYCLE * (stop - first)}", class_="rule")]
    for cycle, word in zip(bus.cycles.tolist(), bus.words, strict=False):
        if not first <= cycle < stop:
            continue
        x = _NAMES + _CYCLE * (cycle - first)
        parts.append(rect(x + 0.5, y - 1, _CYCLE - 1, _HIGH + 2, rx=3, class_="word"))
        room = int((_CYCLE - 2) / _LETTER)
        shown = word if len(word) <= room else word[: room - 1] + "…"
        if len(word) > room and bus.lowest_last:
            shown = "…" + word[1 - room :]
        parts.append(text(x + _CYCLE / 2, y + _HIGH - 3, shown, class_="fact", text_anchor="middle"))
    return parts
