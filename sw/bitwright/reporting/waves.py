"""Waves as drawings: all of a frame's cycles at a glance, and cuts in which each cycle can be read."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright.reporting.handshakes import Bus, Handshakes, Signal
from bitwright.reporting.svg import drawing, path, rect, text

_ROW, _HIGH = 22, 14  # of a signal, and how high it goes
_CUT = 22  # cycles of a cut
_LETTER = 6.9  # pixels, about
_FEW = 16  # words of a row that are drawn as pulses to be seen
_PULSE = 3  # least width of one


@dataclass(frozen=True, kw_only=True)
class Paper:
    """How large waves are drawn, in pixels where nothing else is said."""

    style: str
    names: int  # room for the names of signals
    axis: int  # of all cycles
    ticks: int  # parts of that axis, each with a number
    cycle: int  # of a cut
    across: int  # cycles of a cut that lie side by side


ROOMY = Paper(style="roomy", names=118, axis=720, ticks=4, cycle=42, across=_CUT)
PHONE = Paper(style="phone", names=88, axis=252, ticks=2, cycle=31, across=8)


def overview(found: Handshakes, paper: Paper = ROOMY) -> str:
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
        parts.append(text(paper.names - 6, y + _HIGH - 2, _short(row.name, paper), class_="fact", text_anchor="end"))
        parts.append(path(f"M{paper.names} {y + _HIGH}h{paper.axis}", class_="rule"))
        if 0 < int(row.high.sum()) <= _FEW:
            parts += _pulses(row.high, y, paper)
        else:
            parts.append(path(_activity(row.high, y, paper), class_="busy"))
    y = 4 + _ROW * len(rows)
    for k in range(paper.ticks + 1):
        x = paper.names + paper.axis * k / paper.ticks
        parts.append(path(f"M{x:.1f} {y - 4}v4", class_="rule"))
        anchor = "start" if k == 0 else "end" if k == paper.ticks else "middle"
        parts.append(text(x, y + 12, f"{found.cycles * k // paper.ticks:,}", class_="fact", text_anchor=anchor))
    said = ", ".join(f"{row.name} {int(row.high.sum()):,} times" for row in rows)
    title = f"{found.cycles:,} cycles of one frame"
    width = paper.names + paper.axis + 4
    return drawing(width, y + 18, title, said, *parts, class_=f"waves {paper.style}")


def _short(name: str, paper: Paper) -> str:
    room = int((paper.names - 6) / 6.2)
    return name if len(name) <= room else name[: room - 1] + "…"


def _pulses(high: NDArray[np.bool_], y: float, paper: Paper) -> list[str]:
    """Few cycles, each as high as the row and wide enough to be seen; the first with its number."""
    at = np.flatnonzero(high)
    scale = paper.axis / len(high)
    wide = max(_PULSE, scale)
    places = [paper.names + min(scale * int(cycle), paper.axis - wide) for cycle in at]
    d = "".join(f"M{x:.1f} {y}h{wide:.2f}v{_HIGH}h-{wide:.2f}z" for x in places)
    number = f"{int(at[0]):,}"
    left = places[0] - 5 > paper.names + _LETTER * len(number)
    x = places[0] - 5 if left else places[-1] + wide + 5
    anchor = "end" if left else "start"
    return [
        path(d, class_="busy pulse"),
        text(x, y + _HIGH - 3, number, class_="fact", text_anchor=anchor),
    ]


def _activity(high: NDArray[np.bool_], y: float, paper: Paper) -> str:
    """Bars as high as the share of a pixel's cycles in which the signal is high, set beside the row's largest."""
    bins = min(paper.axis, len(high))
    edges = np.arange(bins + 1) * len(high) // bins
    sums = np.concatenate([[0], np.cumsum(high)])
    share = (sums[edges[1:]] - sums[edges[:-1]]) / np.diff(edges)
    width = paper.axis / bins
    most = float(share.max()) or 1.0
    d = []
    for k in np.flatnonzero(share):
        tall = max(2.0, _HIGH * float(share[k]) / most)
        d.append(
            f"M{paper.names + width * int(k):.1f} {y + _HIGH - tall:.1f}h{max(width, 0.8):.2f}v{tall:.1f}h-{width:.2f}z"
        )
    return "".join(d)


def going_in(found: Handshakes, paper: Paper = ROOMY) -> tuple[str, ...]:
    """The cut in which the frame's first beats are taken, in pieces of as many cycles as `paper` has side by side."""
    first = max(0, found.first_in - 1)
    names = ("s_axis_tvalid", "s_axis_tready", "s_axis_tlast")
    return _pieces(found, first, names, ("s_axis_tdata",), "The frame goes in", paper)


def coming_out(found: Handshakes, paper: Paper = ROOMY) -> tuple[str, ...]:
    """The cut that ends with the result's last beat, in pieces."""
    first = max(0, found.last_out + 3 - _CUT)
    last = [probe.name for probe in found.probes][-2:]
    names = ("m_axis_tvalid", "m_axis_tready", "m_axis_tlast")
    return _pieces(found, first, names, (*last, "m_axis_tdata"), "The result comes out", paper)


def _pieces(
    found: Handshakes, first: int, signals: tuple[str, ...], buses: tuple[str, ...], title: str, paper: Paper
) -> tuple[str, ...]:
    stop = min(first + _CUT, found.cycles)
    starts = range(first, stop, paper.across)
    return tuple(_cut(found, at, min(at + paper.across, stop), signals, buses, title, paper) for at in starts)


def _cut(
    found: Handshakes,
    first: int,
    stop: int,
    signals: tuple[str, ...],
    buses: tuple[str, ...],
    title: str,
    paper: Paper,
) -> str:
    count, names, wide = stop - first, paper.names, paper.cycle
    streams = {signal.name: signal.high for signal in found.streams}
    rows = ["aclk", *(name for name in buses if name not in ("s_axis_tdata", "m_axis_tdata")), *signals]
    rows += [name for name in buses if name in ("s_axis_tdata", "m_axis_tdata")]
    parts = []
    for k in range(0, count, min(5, paper.across // 2)):
        x = names + wide * k
        parts.append(path(f"M{x} 14V{18 + _ROW * len(rows)}", class_="rule"))
        parts.append(text(x + 2, 10, f"{first + k:,}", class_="fact"))
    for k, name in enumerate(rows):
        y = 20 + _ROW * k
        parts.append(text(names - 6, y + _HIGH - 3, _short(name, paper), class_="fact", text_anchor="end"))
        if name == "aclk":
            d = f"M{names} {y + _HIGH}" + f"v-{_HIGH}h{wide / 2:g}v{_HIGH}h{wide / 2:g}" * count
            parts.append(path(d, class_="wave"))
        elif name in streams:
            parts.append(path(_line(streams[name][first:stop], y, paper), class_="wave"))
        else:
            parts += _bus(found.buses[name], first, stop, y, paper)
    said = "; ".join(_said(found.buses[name], first, stop) for name in buses)
    return drawing(
        names + wide * paper.across + 4,
        24 + _ROW * len(rows),
        f"{title}: cycles {first:,} to {stop - 1:,}",
        said,
        *parts,
        class_=f"waves cut {paper.style}",
    )


def _said(bus: Bus, first: int, stop: int) -> str:
    within = [word for cycle, word in zip(bus.cycles.tolist(), bus.words, strict=False) if first <= cycle < stop]
    return f"{bus.name} shows {len(within)} word{'' if len(within) == 1 else 's'}" + (
        f", the last {within[-1][:60]}" if within else ""
    )


def _line(high: NDArray[np.bool_], y: float, paper: Paper) -> str:
    level = [y if now else y + _HIGH for now in high.tolist()]
    d = f"M{paper.names} {level[0]:g}h{paper.cycle}"
    for at in level[1:]:
        d += f"V{at:g}h{paper.cycle}"
    return d


def _bus(bus: Bus, first: int, stop: int, y: float, paper: Paper) -> list[str]:
    """Words as boxes; a line in the middle where there is none."""
    parts = [path(f"M{paper.names} {y + _HIGH / 2}h{paper.cycle * (stop - first)}", class_="rule")]
    for cycle, word in zip(bus.cycles.tolist(), bus.words, strict=False):
        if not first <= cycle < stop:
            continue
        x = paper.names + paper.cycle * (cycle - first)
        parts.append(rect(x + 0.5, y - 1, paper.cycle - 1, _HIGH + 2, rx=3, class_="word"))
        room = int((paper.cycle - 2) / _LETTER)
        shown = word if len(word) <= room else word[: room - 1] + "…"
        if len(word) > room and bus.lowest_last:
            shown = "…" + word[1 - room :]
        parts.append(text(x + paper.cycle / 2, y + _HIGH - 3, shown, class_="fact", text_anchor="middle"))
    return parts
