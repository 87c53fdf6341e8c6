"""One frame through the simulated accelerator, with what its streams and layers did in each cycle."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_core.progress import Progress
from bitwright_sim.native.build import Probe, build_native
from bitwright_sim.native.model import NativeModel, NativeResult
from bitwright_sim.tools import Verilator

MOST_CYCLES = 4_000_000  # that are kept
_AFTER = 6  # cycles that follow the result
_PROBES = 56  # whose bits the harness keeps apart (sim/bitwright_sim/native/harness.cpp)
_IN_VALID, _IN_READY, _IN_LAST, _OUT_VALID, _OUT_READY, _OUT_LAST, _FIRST_PROBE = 0, 1, 2, 3, 4, 5, 8


@dataclass(frozen=True, kw_only=True, eq=False)
class Signal:
    """One signal of one bit, cycle by cycle."""

    name: str
    high: NDArray[np.bool_]  # (cycles,)


@dataclass(frozen=True, kw_only=True, eq=False)
class Bus:
    """What a stream or a probe shows: `words[k]` in cycle `cycles[k]`; nothing in the others."""

    name: str
    cycles: NDArray[np.int64]
    words: tuple[str, ...]
    lowest_last: bool = False  # whether a word is one number, whose end says more than its beginning


@dataclass(frozen=True, kw_only=True, eq=False)
class Handshakes:
    """A frame's cycles, from its first beat on offer to some after its result."""

    simulator: str
    cycles: int
    streams: tuple[Signal, ...]  # s_axis_tvalid and so on
    probes: tuple[Signal, ...]  # of each layer, and of the scores: a word of results
    buses: dict[str, Bus]
    first_in: int
    last_out: int
    classes: int | None  # what the accelerator told
    result: NativeResult

    @property
    def latency(self) -> int:
        return self.last_out - self.first_in


def run_frame(
    design: Design, frame: NDArray[Any], *, quick: bool = True, progress: Progress | None = None
) -> Handshakes:
    """Simulates `frame` (1, values) in an idle accelerator.

    A `quick` simulator is built in less time; another is the one that `verify` keeps, which may be there already.
    Raises ToolError without a simulator, DesignError for an accelerator that hangs.
    """
    library = build_native(design, quick=quick, progress=progress)
    packed = pack_frames(design.network, design.plan, frame)
    manifest = design.manifest
    room = min(MOST_CYCLES, 4 * (manifest.latency_cycles + manifest.interval_cycles) + 4096)
    with NativeModel(design, library=library) as model:
        result = model.run(packed, trace=room, quiet=_AFTER)
    return _read(design, packed, result)


def _read(design: Design, packed: NDArray[np.uint8], result: NativeResult) -> Handshakes:
    def high(bit: int) -> NDArray[np.bool_]:
        return (result.trace >> np.uint64(bit) & np.uint64(1)).astype(np.bool_)

    beat_in, beat_out = high(_IN_VALID) & high(_IN_READY), high(_OUT_VALID) & high(_OUT_READY)
    streams = (
        Signal(name="s_axis_tvalid", high=high(_IN_VALID)),
        Signal(name="s_axis_tready", high=high(_IN_READY)),
        Signal(name="s_axis_tlast", high=high(_IN_LAST) & high(_IN_VALID)),
        Signal(name="m_axis_tvalid", high=high(_OUT_VALID)),
        Signal(name="m_axis_tready", high=high(_OUT_READY)),
        Signal(name="m_axis_tlast", high=high(_OUT_LAST)),
    )
    layers = result.layers[:_PROBES]
    probes = tuple(Signal(name=probe.layer, high=high(_FIRST_PROBE + k)) for k, probe in enumerate(layers))
    buses = {
        "s_axis_tdata": Bus(
            name="s_axis_tdata", cycles=np.flatnonzero(beat_in), words=_beats(design, packed), lowest_last=True
        ),
        "m_axis_tdata": Bus(
            name="m_axis_tdata", cycles=np.flatnonzero(beat_out), words=tuple(_signed(w) for w in result.beats[0])
        ),
    }
    for k, (probe, signal) in enumerate(zip(layers, probes, strict=True)):
        at = np.flatnonzero(signal.high)
        buses[probe.layer] = Bus(name=probe.layer, cycles=at, words=_words(probe, result.probes[k][0], len(at)))
    classes, _ = design.manifest.output.unpack(result.beats)
    into, out = np.flatnonzero(beat_in), np.flatnonzero(beat_out)
    return Handshakes(
        simulator=Verilator.find().name,
        cycles=len(result.trace),
        streams=streams,
        probes=probes,
        buses=buses,
        first_in=int(into[0]) if len(into) else 0,
        last_out=int(out[-1]) if len(out) else len(result.trace) - 1,
        classes=None if classes is None else int(classes[0]),
        result=result,
    )


def _beats(design: Design, packed: NDArray[np.uint8]) -> tuple[str, ...]:
    """The beats of the input, in hexadecimal digits, the last byte first."""
    lanes = design.manifest.input.data_bits // 8
    return tuple(bytes(beat[::-1]).hex() for beat in packed.reshape(-1, lanes))


def _signed(word: np.uint64) -> str:
    return str(int(np.int64(word.astype(np.int64))))


def _words(probe: Probe, values: NDArray[np.int64], count: int) -> tuple[str, ...]:
    """The integers of each word, pad fields left out."""
    each = probe.words // probe.pixels
    found = []
    for word in range(count):
        pixel, part = divmod(word, each)
        start = pixel * probe.values + part * probe.fields
        stop = min(start + probe.fields, (pixel + 1) * probe.values)
        found.append(", ".join(map(str, values[start:stop].tolist())) or "pad")
    return tuple(found)
