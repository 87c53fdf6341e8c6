"""A sliced simulator in this process: streams of frames in, integers compared or handed out, every handshake."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_sim.native.build import Probe, probes
from bitwright_sim.native.model import MISSING
from bitwright_sim.sliced.build import SlicedBuild

_U64 = ctypes.c_uint64
_POINTER = ctypes.c_void_p
_EXPECTED = ctypes.CFUNCTYPE(ctypes.c_void_p, _U64, _U64)
_PROGRESS = ctypes.CFUNCTYPE(None, _U64)
_STALLED = 1
OUTPUT = -1  # the number of the output stream among the probes


class _Run(ctypes.Structure):
    """SlicedRun of harness.inc."""

    _fields_ = [
        ("beats", _U64),
        ("lanes", _U64),
        ("input", _POINTER),
        ("frame_of", _POINTER),
        ("steps", _U64),
        ("stride", _U64),
        ("step_beats", _U64),
        ("last", _POINTER),
        ("keep", _POINTER),
        ("seed", _U64),
        ("stall_in", _U64),
        ("stall_out", _U64),
        ("watchdog", _U64),
        ("quiet", _U64),
        ("expected", _EXPECTED),
        ("progress", _PROGRESS),
        ("out_beats_expected", _U64),
        ("bad", _POINTER),
        ("first", _POINTER),
        ("probe_words", _POINTER),
        ("results", _POINTER),
        ("result_beats", _U64),
        ("first_in", _POINTER),
        ("last_out", _POINTER),
        ("trace", _POINTER),
        ("trace_room", _U64),
        ("integers", _POINTER),
        ("control_only", _U64),
        ("integer_words", _U64),
        ("in_beats", _U64),
        ("out_beats", _U64),
        ("bad_framing", _U64),
        ("first_bad", _U64),
        ("cycles", _U64),
        ("trace_length", _U64),
        ("status", _U64),
    ]


@dataclass(frozen=True, kw_only=True)
class Stimulus:
    """What every lane sends: `rows` (n, stride) of bytes, of which lane j sends rows order[j] one after another.

    Without `last` and `keep` a row is a frame; with them it is a beat, whose TLAST and TKEEP they give (for all lanes).
    """

    rows: NDArray[np.uint8]
    order: NDArray[np.int64]  # (lanes, steps)
    last: NDArray[np.uint8] | None = None  # (steps,)
    keep: NDArray[np.uint8] | None = None  # (steps, bytes of TKEEP)
    results: int | None = None  # results that are due; None: one a step
    seed: int = 0
    stall_in: float = 0.0
    stall_out: float = 0.0


@dataclass(frozen=True, kw_only=True, eq=False)
class SlicedResult:
    """What a run did. Cycles count from the end of reset."""

    results: NDArray[np.uint64]  # (lanes, beats)
    bad: NDArray[np.bool_]  # (lanes, steps): an integer differs from what was expected
    first: NDArray[np.int64]  # (probes, lanes, 4): step, word, field and value of the first that differs; step -1: none
    probe_words: tuple[int, ...]  # words seen of each probe, beats of the output last
    first_in: NDArray[np.int64]  # (steps,)
    last_out: NDArray[np.int64]  # (steps,), MISSING where no result came
    out_beats: int
    bad_framing: int
    first_bad: int | None
    trace: NDArray[np.uint64]  # handshakes of each cycle: see harness.inc
    integers: tuple[NDArray[np.int64], ...]  # of each probe (lanes, words, fields), as far as asked for
    cycles: int


class SlicedModel:
    """One simulator. Every run starts from reset; not for two threads at once."""

    def __init__(self, design: Design, build: SlicedBuild):
        self.design = design
        self.probes: tuple[Probe, ...] = probes(design.manifest)
        library = ctypes.CDLL(str(build.library))
        library.sliced_new.restype = ctypes.c_void_p
        library.sliced_new.argtypes = [ctypes.c_void_p]
        library.sliced_free.argtypes = [ctypes.c_void_p]
        library.sliced_run.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Run)]
        library.sliced_planes.argtypes = [_POINTER, _U64, _U64, _U64, _POINTER]
        self.lanes = int(library.sliced_lanes())
        self._library = library
        self._roms = np.load(build.roms)
        self._handle: int | None = library.sliced_new(self._roms.ctypes.data)

    def __enter__(self) -> "SlicedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self._handle is not None:
            self._library.sliced_free(self._handle)
            self._handle = None

    def planes(self, values: NDArray[np.integer], bits: int) -> NDArray[np.uint8]:
        """Integers (n, count), row j of lane j, as bit planes.

        The result (count, bits, bytes of a vector) has bit `lane` of plane (value, bit).
        """
        values = np.ascontiguousarray(values)
        if values.dtype.itemsize not in (2, 4, 8):
            values = values.astype(np.int32)
        if bits > 8 * values.dtype.itemsize:
            values = values.astype(np.int64)
        rows = np.arange(self.lanes) % len(values)
        pointers = (values.ctypes.data + rows * values.strides[0]).astype(np.uint64)
        raw = np.empty(values.shape[1] * bits * self.lanes // 8 + 64, np.uint8)
        planes = raw[-raw.ctypes.data % 64 :][: values.shape[1] * bits * self.lanes // 8]
        self._library.sliced_planes(
            pointers.ctypes.data, values.dtype.itemsize, values.shape[1], bits, planes.ctypes.data
        )
        return planes.reshape(values.shape[1], bits, self.lanes // 8)

    def run(
        self,
        stimulus: Stimulus,
        *,
        expected: Callable[[int, int], NDArray[np.uint8] | None] | None = None,
        progress: Callable[[int], None] | None = None,
        trace: int = 0,
        integers: int = 0,
        control_only: bool = False,
        quiet: int | None = None,
    ) -> SlicedResult:
        """Runs from reset until all results that are due came and no more for a while.

        `expected(probe, step)` gives the planes that a probe (the output is the last) must show in a step; `trace`
        cycles of handshakes are kept, and the probes' integers of the first `integers` steps. With `control_only`
        nothing is computed but the handshakes. `quiet` cycles follow the last result (None: as many as a frame
        takes).
        Raises DesignError if the accelerator stops taking input.
        """
        manifest, order = self.design.manifest, np.ascontiguousarray(stimulus.order, np.int64)
        lanes, steps = order.shape
        beats_of_step = 1 if stimulus.last is not None else manifest.input.beats
        due = (steps if stimulus.results is None else stimulus.results) * manifest.output.beats
        count = len(self.probes) + 1
        bad = np.zeros((steps + 1, self.lanes // 8), np.uint8)
        first = np.full((count, self.lanes, 4), -1, np.int64)
        words = np.zeros(count, np.uint64)
        results = np.zeros((lanes, due), np.uint64)
        first_in, last_out = np.full(steps, MISSING, np.int64), np.full(steps + 1, MISSING, np.int64)
        room = np.zeros(trace, np.uint64)
        sizes = [p.words * p.fields * integers for p in self.probes]
        arrays = [np.zeros((lanes, max(sizes, default=0)), np.int64) for _ in self.probes] if integers else []
        pointers = (ctypes.c_void_p * count)(*(array.ctypes.data for array in arrays))
        rows = np.ascontiguousarray(stimulus.rows)
        last = None if stimulus.last is None else np.ascontiguousarray(stimulus.last, np.uint8)
        keep = None if stimulus.keep is None else np.ascontiguousarray(stimulus.keep, np.uint8)
        held: dict[int, NDArray[np.uint8] | None] = {}
        errors: list[BaseException] = []

        def wanted(probe: int, step: int) -> int | None:
            try:
                held[probe] = None if expected is None or errors else expected(probe, step)
            except BaseException as error:  # it may not pass through C
                errors.append(error)
                held[probe] = None
            planes = held[probe]
            return None if planes is None else planes.ctypes.data

        def told(done: int) -> None:
            try:
                if progress is not None:
                    progress(done)
            except BaseException as error:
                errors.append(error)

        call = _Run(
            beats=steps * beats_of_step,
            lanes=lanes,
            input=rows.ctypes.data,
            frame_of=order.ctypes.data,
            steps=steps,
            stride=rows.shape[1],
            step_beats=beats_of_step,
            last=None if last is None else last.ctypes.data,
            keep=None if keep is None else keep.ctypes.data,
            seed=stimulus.seed,
            stall_in=round(1000 * stimulus.stall_in),
            stall_out=round(1000 * stimulus.stall_out),
            watchdog=1000 + 20 * (manifest.interval_cycles + manifest.latency_cycles),
            quiet=manifest.interval_cycles + manifest.latency_cycles if quiet is None else quiet,
            expected=_EXPECTED(wanted),
            progress=_PROGRESS(told),
            out_beats_expected=due,
            bad=bad.ctypes.data,
            first=first.ctypes.data,
            probe_words=words.ctypes.data,
            results=results.ctypes.data,
            result_beats=due,
            first_in=first_in.ctypes.data,
            last_out=last_out.ctypes.data,
            trace=room.ctypes.data,
            trace_room=trace,
            integers=ctypes.cast(pointers, ctypes.c_void_p).value if integers else None,
            integer_words=max(sizes, default=0),
            control_only=int(control_only),
        )
        status = self._library.sliced_run(self._handle, ctypes.byref(call))
        if errors:
            raise errors[0]
        if status == _STALLED:
            raise DesignError(
                f"{manifest.top} hangs: for {call.watchdog} cycles it took no input, gave no output and computed "
                f"nothing, after {call.in_beats} of {call.beats} beats in (cycle {call.cycles})"
            )
        lanes_bad = np.unpackbits(bad[:steps], axis=1, bitorder="little")[:, :lanes].T.astype(np.bool_)
        shaped = []
        for array, p in zip(arrays, self.probes, strict=False):
            size = p.words * p.fields * integers
            shaped.append(array[:, :size].reshape(lanes, p.words * integers, p.fields))
        return SlicedResult(
            results=results,
            bad=lanes_bad,
            first=first,
            probe_words=tuple(int(n) for n in words),
            first_in=first_in,
            last_out=last_out[:steps],
            out_beats=call.out_beats,
            bad_framing=call.bad_framing,
            first_bad=call.first_bad if call.bad_framing else None,
            trace=room[: call.trace_length],
            integers=tuple(shaped),
            cycles=call.cycles,
        )
