"""The proof of every sliced run: frames of the set also through Verilator, every integer and every handshake equal."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.framing import pack_frames
from bitwright_core.network import Network
from bitwright_sim.native.model import NativeModel, NativeResult
from bitwright_sim.native.stalls import Pattern
from bitwright_sim.sliced.build import SlicedBuild
from bitwright_sim.sliced.model import SlicedModel, SlicedResult, Stimulus

_CYCLES = 60_000  # of a proof, about: frames of a lane follow each other as far as that goes
_MOST_FRAMES = 12
_STALLS = 0.3
_QUIET = 500  # cycles behind the last result; that none comes too many, the run of the whole set has seen
_STALL_CYCLES = 20_000  # of a frame, up to which the proof is done once more with stalls on both sides


@dataclass(frozen=True, kw_only=True)
class CrossCheck:
    """What went through both simulators, and was equal."""

    frames: int
    cycles: int  # in which every handshake was compared
    integers: int
    stalls: bool  # also with stalls on both streams


def cross_check(
    design: Design,
    network: Network,
    flat: NDArray[np.integer],
    starts: list[int],
    build: SlicedBuild,
    model: NativeModel,
) -> CrossCheck:
    """Frames from each of `starts` on through both simulators.

    Raises DesignError, naming what differs first, if they are not equal in every integer and every cycle.
    """
    manifest = design.manifest
    steps = min(_MOST_FRAMES, len(flat), 1 + max(0, _CYCLES - manifest.latency_cycles) // manifest.interval_cycles)
    order = np.array([[(start + k) % len(flat) for k in range(steps)] for start in starts])
    kinds = [(steps, 0.0)]
    if manifest.interval_cycles * steps <= _STALL_CYCLES:
        kinds.append((steps, _STALLS))
    frames = cycles = integers = 0
    with SlicedModel(design, build) as sliced:
        for count, stalls in kinds:
            rows = pack_frames(network, design.plan, flat)
            stimulus = Stimulus(rows=rows, order=order[:, :count], seed=1, stall_in=stalls, stall_out=stalls)
            ours = sliced.run(stimulus, trace=_room(design, count), integers=count, quiet=_QUIET)
            for lane, numbers in enumerate(order[:, :count]):
                model.reset()
                theirs = model.run(
                    rows[numbers],
                    Pattern(seed=1, stall_in=stalls, stall_out=stalls),
                    trace=_room(design, count),
                    quiet=_QUIET,
                )
                integers += compare_runs(design, ours, theirs, lane)
                cycles += len(theirs.trace)
                frames += count
    return CrossCheck(frames=frames, cycles=cycles, integers=integers, stalls=len(kinds) > 1)


def _room(design: Design, frames: int) -> int:
    manifest = design.manifest
    return 10_000 + 6 * ((frames + 2) * (manifest.interval_cycles + manifest.input.beats) + manifest.latency_cycles)


def compare_runs(design: Design, ours: SlicedResult, theirs: NativeResult, lane: int) -> int:
    """The integers compared of one lane; raises DesignError where the simulators differ."""
    where = f"{design.folder}: the sliced engine and Verilator differ"
    short = min(len(ours.trace), len(theirs.trace))
    differ = np.flatnonzero(ours.trace[:short] != theirs.trace[:short])
    if len(differ) or len(ours.trace) != len(theirs.trace):
        at = int(differ[0]) if len(differ) else short
        raise DesignError(f"{where} in the handshakes of cycle {at}; verify with --engine verilator")
    integers = 0
    for probe, mine, other in zip(theirs.layers, ours.integers, theirs.probes, strict=True):
        size = len(theirs.last_out)
        seen = mine[lane].reshape(size, probe.pixels, -1)[:, :, : probe.values].reshape(size, -1)
        integers += other.size
        wrong = np.argwhere(seen != other)
        if len(wrong):
            frame, neuron = wrong[0]
            raise DesignError(
                f"{where} in {probe.layer}, neuron {neuron} of frame {frame}: {seen[frame, neuron]} and "
                f"{other[frame, neuron]}; verify with --engine verilator"
            )
    mine_beats = ours.results[lane].reshape(theirs.beats.shape)
    if (mine_beats != theirs.beats).any():
        raise DesignError(f"{where} in a result; verify with --engine verilator")
    return integers + theirs.beats.size
