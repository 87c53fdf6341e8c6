"""A sliced simulator in this process: streams of frames in, integers compared or handed out, every handshake."""

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

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
    """What every lane sends: lane j sends rows order[j] of `rows` (n, stride), which are bytes, one after another.

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
        steps = order.shape[1]
        beats_of_step = 1 if stimulus.last is not None else manifest.input.beats
        due = (steps if stimulus.results is None else stimulus.results) * manifest.output.beats
        room = _Room(self, order.shape, due, trace, integers)
        rows = np.ascontiguousarray(stimulus.rows)
        last = None if stimulus.last is None else np.ascontiguousarray(stimulus.last, np.uint8)
        keep = None if stimulus.keep is None else np.ascontiguousarray(stimulus.keep, np.uint8)
        calls = _Calls(expected, progress)
        call = _Run(
            beats=steps * beats_of_step,
            lanes=len(order),
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
            expected=_EXPECTED(calls.expect),
            progress=_PROGRESS(calls.tell),
            out_beats_expected=due,
            control_only=int(control_only),
            **room.arguments,
        )
        status = self._library.sliced_run(self._handle, ctypes.byref(call))
        if calls.errors:
            raise calls.errors[0]
        if status == _STALLED:
            raise DesignError(
                f"{manifest.top} hangs: for {call.watchdog} cycles it took no input, gave no output and computed "
                f"nothing, after {call.in_beats} of {call.beats} beats in (cycle {call.cycles})"
            )
        return room.result(call)


class _Calls:
    """What C calls back; an error may not pass through it, and waits in `errors`."""

    def __init__(
        self,
        expected: Callable[[int, int], NDArray[np.uint8] | None] | None,
        progress: Callable[[int], None] | None,
    ):
        self.errors: list[BaseException] = []
        self._expected = expected
        self._progress = progress
        self._held: dict[int, NDArray[np.uint8] | None] = {}  # what C reads until the probe's next step

    def expect(self, probe: int, step: int) -> int | None:
        """The planes that a probe must show in a step."""
        try:
            self._held[probe] = None if self._expected is None or self.errors else self._expected(probe, step)
        except BaseException as error:
            self.errors.append(error)
            self._held[probe] = None
        planes = self._held[probe]
        return None if planes is None else planes.ctypes.data

    def tell(self, done: int) -> None:
        """Tells how far the run is."""
        try:
            if self._progress is not None:
                self._progress(done)
        except BaseException as error:
            self.errors.append(error)


class _Room:
    """The arrays that a run fills: (lanes, steps) of `shape`, `due` beats of results, `trace` cycles of handshakes."""

    def __init__(self, model: SlicedModel, shape: tuple[int, ...], due: int, trace: int, integers: int):
        self.probes = model.probes
        self.lanes, self.steps = shape
        self.due = due
        self.integers = integers
        count = len(self.probes) + 1
        self.bad = np.zeros((self.steps + 1, model.lanes // 8), np.uint8)
        self.first = np.full((count, model.lanes, 4), -1, np.int64)
        self.words = np.zeros(count, np.uint64)
        self.results = np.zeros((self.lanes, due), np.uint64)
        self.first_in = np.full(self.steps, MISSING, np.int64)
        self.last_out = np.full(self.steps + 1, MISSING, np.int64)
        self.trace = np.zeros(trace, np.uint64)
        self.widest = max((self._size(probe) for probe in self.probes), default=0)
        self.arrays = [np.zeros((self.lanes, self.widest), np.int64) for _ in self.probes] if integers else []
        self.pointers = (ctypes.c_void_p * count)(*(array.ctypes.data for array in self.arrays))

    def _size(self, probe: Probe) -> int:
        return probe.words * probe.fields * self.integers

    @property
    def arguments(self) -> dict[str, Any]:
        """The arrays as C takes them."""
        return {
            "bad": self.bad.ctypes.data,
            "first": self.first.ctypes.data,
            "probe_words": self.words.ctypes.data,
            "results": self.results.ctypes.data,
            "result_beats": self.due,
            "first_in": self.first_in.ctypes.data,
            "last_out": self.last_out.ctypes.data,
            "trace": self.trace.ctypes.data,
            "trace_room": len(self.trace),
            "integers": ctypes.cast(self.pointers, ctypes.c_void_p).value if self.integers else None,
            "integer_words": self.widest,
        }

    def result(self, call: _Run) -> SlicedResult:
        """What the run left in the arrays."""
        bad = np.unpackbits(self.bad[: self.steps], axis=1, bitorder="little")[:, : self.lanes].T.astype(np.bool_)
        shaped = [
            array[:, : self._size(p)].reshape(self.lanes, p.words * self.integers, p.fields)
            for array, p in zip(self.arrays, self.probes, strict=False)
        ]
        return SlicedResult(
            results=self.results,
            bad=bad,
            first=self.first,
            probe_words=tuple(int(n) for n in self.words),
            first_in=self.first_in,
            last_out=self.last_out[: self.steps],
            out_beats=call.out_beats,
            bad_framing=call.bad_framing,
            first_bad=call.first_bad if call.bad_framing else None,
            trace=self.trace[: call.trace_length],
            integers=tuple(shaped),
            cycles=call.cycles,
        )
