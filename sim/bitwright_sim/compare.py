"""What the hardware computed against the golden model: every integer of a chunk of frames."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bitwright_core.derived import CLASS, OUTPUT, SCORES, codes_of
from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.golden import Trace, margins, trace
from bitwright_core.network import MatrixLayer, Network
from bitwright_sim.native.build import Probe
from bitwright_sim.native.model import MISSING, NativeResult
from bitwright_sim.timing import settling_frames, steady_interval


@dataclass(frozen=True, kw_only=True)
class Mismatch:
    """The first integer that differs: in the first such frame, in the earliest layer of it."""

    frame: int
    layer: str  # a layer's name, or "scores", "class", "output" behind the last one
    neuron: int | None  # the neuron, class or bit; None where a count or the class itself is wrong
    expected: int | None
    got: int | None  # None: nothing came

    def __str__(self) -> str:
        where = f"frame {self.frame}, {self.layer}" + ("" if self.neuron is None else f", neuron {self.neuron}")
        got = "nothing" if self.got is None else self.got
        return f"{where}: expected {self.expected}, got {got}"


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """One chunk of n frames."""

    bad: NDArray[np.bool_]  # (n,)
    compared: dict[str, int]  # how many integers of each layer, and of what follows the last one
    first: Mismatch | None
    classes: NDArray[np.int64] | None  # (n,) of the hardware, -1 where missing
    golden_classes: NDArray[np.int64] | None
    bits: NDArray[np.int64] | None  # (n, outputs) of a network that gives bits, by the hardware, -1 where missing
    golden_bits: NDArray[np.int64] | None
    interval: float | None
    cycles: int


def expected_values(network: Network, frames: NDArray[Any]) -> tuple[Trace, dict[str, NDArray[np.integer]]]:
    """What each probe must show for frames (n, ...), by its name, then "class" or "output"; in that order."""
    golden = trace(network, frames)
    values: dict[str, NDArray[np.integer]] = {}
    for layer, integers in zip(network.layers, golden.layers, strict=True):
        if integers.accumulators is not None and layer.matrix is not None:
            values[layer.name] = margins(layer.matrix, integers.accumulators).reshape(len(frames), -1)
            if layer.matrix.gives_codes:
                values[codes_of(layer.name)] = signed_codes(layer.matrix, integers.values).reshape(len(frames), -1)
        elif layer.shows:
            values[layer.name] = layer.shows * integers.values.reshape(len(frames), -1).astype(np.int64)
    if golden.classes is not None:
        values[SCORES] = golden.layers[-1].values
        values[CLASS] = golden.classes[:, None]
    else:
        values[OUTPUT] = golden.layers[-1].values.reshape(len(frames), -1)
    return golden, values


def signed_codes(layer: MatrixLayer, activations: NDArray[np.integer]) -> NDArray[np.int64]:
    """Stored activations as the signed numbers that their bits are as a field of a probe."""
    bits = layer.edge.number.bits
    codes = activations.astype(np.int64) & ((1 << bits) - 1)
    return codes - ((codes >> (bits - 1)) << bits)


def got_values(
    design: Design, network: Network, result: NativeResult, probes: tuple[Probe, ...]
) -> dict[str, NDArray[np.int64]]:
    """What came, by the names of `expected_values` (layers by position); MISSING where nothing did."""
    names = {entry.name: layer.name for entry, layer in zip(design.manifest.layers, network.shown_nodes, strict=True)}
    names |= {codes_of(entry): codes_of(layer) for entry, layer in names.items()}
    values = {names.get(probe.layer, probe.layer): array for probe, array in zip(probes, result.probes, strict=True)}
    classes, rest = design.manifest.output.unpack(result.beats)
    arrived = (result.last_out != MISSING)[:, None]
    if classes is not None:
        values[CLASS] = np.where(arrived, classes[:, None], MISSING)
        if rest is not None:
            values[OUTPUT] = np.where(arrived, rest, MISSING)
    elif rest is not None:
        values[OUTPUT] = np.where(arrived, rest, MISSING)
    return values


def compare(
    design: Design,
    network: Network,
    frames: NDArray[Any],
    result: NativeResult,
    probes: tuple[Probe, ...],
    start: int = 0,
) -> Comparison:
    """Compares what `frames` (n, ...) gave; `start` is the number of the first one.

    Raises DesignError if `probes` or the result do not show something that the golden model has integers of.
    """
    golden, expected = expected_values(network, frames)
    got = got_values(design, network, result, probes)
    if golden.classes is not None and OUTPUT in got:
        expected[OUTPUT] = expected[SCORES]  # the scores as they left, beside those of the probe
    count = len(frames)
    if unseen := [name for name in expected if name not in got]:
        raise DesignError(
            f"{design.folder}: nothing shows the integers of {', '.join(unseen)}, so they cannot be compared; "
            "generate the design again"
        )
    wrong = {name: expected[name] != got[name] for name in expected}
    bad = np.zeros(count, np.bool_)
    for array in wrong.values():
        bad |= array.any(axis=1)
    first = None
    if bad.any():
        frame = int(np.argmax(bad))
        name = next(name for name, array in wrong.items() if array[frame].any())
        neuron = int(np.argmax(wrong[name][frame]))
        value = int(got[name][frame, neuron])
        first = Mismatch(
            frame=start + frame,
            layer=name,
            neuron=None if name == CLASS else neuron,
            expected=int(expected[name][frame, neuron]),
            got=None if value == MISSING else value,
        )
    surplus = _surplus(design, result, probes, count)
    if surplus is not None:
        what, frame, wanted, seen = surplus
        bad[frame] = True
        if first is None:
            first = Mismatch(frame=start + frame, layer=what, neuron=None, expected=wanted, got=seen)
    classes = got.get(CLASS)
    return Comparison(
        bad=bad,
        compared={name: array.size for name, array in wrong.items()},
        first=first,
        classes=None if classes is None else np.where(classes == MISSING, -1, classes)[:, 0],
        golden_classes=golden.classes,
        bits=None if golden.classes is not None else np.where(got[OUTPUT] == MISSING, -1, got[OUTPUT]),
        golden_bits=None if golden.classes is not None else expected[OUTPUT].astype(np.int64),
        interval=steady_interval(result, settling_frames(design)),
        cycles=result.cycles,
    )


def _surplus(
    design: Design, result: NativeResult, probes: tuple[Probe, ...], count: int
) -> tuple[str, int, int, int] | None:
    """What came too often or framed wrongly: its name, the frame to blame, the number due and the one seen."""
    for probe, words in zip(probes, result.probe_words, strict=True):
        if words != probe.words * count:
            return f"{probe.layer} (words)", count - 1, probe.words * count, words
    beats = design.manifest.output.beats * count
    if result.out_beats != beats:
        return "output (beats)", count - 1, beats, result.out_beats
    if result.first_bad is not None:
        return "output (beats with TLAST or TKEEP wrong)", min(result.first_bad, count - 1), 0, result.bad_framing
    return None
