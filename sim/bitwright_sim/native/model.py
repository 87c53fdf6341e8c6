"""A simulated accelerator in this process: frames in, every integer out, at native speed.

`NativeModel.run` calls the harness through ctypes, which lets go of the interpreter's lock meanwhile, so that
several models run at once in threads.
"""

import ctypes
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.errors import DesignError
from bitwright_core.loading import Load
from bitwright_core.progress import Progress
from bitwright_core.registers import LOAD
from bitwright_sim.cache import BuildCache
from bitwright_sim.native.build import Probe, build_native, probes
from bitwright_sim.native.stalls import NO_STALLS, Pattern

MISSING = np.iinfo(np.int64).min  # stands where a probe gave no value
_STALLED, _FINISHED = 1, 2
_U64 = ctypes.c_uint64


class _Run(ctypes.Structure):
    """NativeRun of harness.cpp."""

    _fields_ = [
        ("frames", _U64),
        ("input", ctypes.c_void_p),
        ("results", ctypes.c_void_p),
        ("probes", ctypes.c_void_p),
        ("first_in", ctypes.c_void_p),
        ("last_out", ctypes.c_void_p),
        ("probe_words", ctypes.c_void_p),
        ("watchdog", _U64),
        ("quiet", _U64),
        ("seed", _U64),
        ("stall_in", _U64),
        ("stall_out", _U64),
        ("longest_in", _U64),
        ("longest_out", _U64),
        ("in_beats", _U64),
        ("out_beats", _U64),
        ("bad_framing", _U64),
        ("first_bad", _U64),
        ("cycles", _U64),
        ("trace", ctypes.c_void_p),
        ("trace_room", _U64),
        ("trace_length", _U64),
        ("last", ctypes.c_void_p),
        ("keep", ctypes.c_void_p),
        ("in_due", _U64),
        ("results_due", _U64),
    ]


@dataclass(frozen=True, kw_only=True, eq=False)
class NativeResult:
    """What n frames did. Cycles count from the model's start."""

    beats: NDArray[np.uint64]  # (n, output beats), zero where missing
    results: int  # whole results seen, also beyond n
    out_beats: int  # beats seen
    probes: tuple[NDArray[np.int64], ...]  # one a probe: (n, values), MISSING where none came
    probe_words: tuple[int, ...]  # words seen, also beyond what n frames give
    first_in: NDArray[np.int64]  # (n,) cycle in which the frame's first beat was taken
    last_out: NDArray[np.int64]  # (n,) cycle in which the result's last beat was taken, MISSING where none came
    bad_framing: int  # output beats with TLAST or TKEEP wrong
    first_bad: int | None  # frame of the first such beat
    cycles: int
    layers: tuple[Probe, ...]  # what each of `probes` is
    trace: NDArray[np.uint64]  # the handshakes of each cycle, see harness.cpp


def _pauses(stalls: Pattern) -> dict[str, int]:
    """`stalls` as the harness takes it: shares in thousandths."""
    return {
        "seed": stalls.seed,
        "stall_in": round(1000 * stalls.stall_in),
        "stall_out": round(1000 * stalls.stall_out),
        "longest_in": stalls.longest_in,
        "longest_out": stalls.longest_out,
    }


class NativeModel:
    """One simulated accelerator. Its state goes on from run to run until `reset`; not for two threads at once.

    One that begins without weights has its own network's loaded before anything else."""

    def __init__(
        self,
        design: Design,
        *,
        library: Path | None = None,
        trace: Path | None = None,
        cache: BuildCache | None = None,
        progress: Progress | None = None,
    ):
        """Takes the `library` that `build_native` gave for `design`, else builds it if need be.

        `trace` is the file for waves (VCD), which a library must have been built for. Raises ToolError.
        """
        self.design = design
        self.trace = trace
        self.probes: tuple[Probe, ...] = probes(design.manifest)
        if library is None:
            library = build_native(design, trace=trace is not None, cache=cache, progress=progress)
        loaded = ctypes.CDLL(str(library))
        loaded.native_new.restype = ctypes.c_void_p
        loaded.native_new.argtypes = [ctypes.c_char_p]
        loaded.native_reset.argtypes = loaded.native_free.argtypes = [ctypes.c_void_p]
        loaded.native_run.argtypes = [ctypes.c_void_p, ctypes.POINTER(_Run)]
        loaded.native_run.restype = ctypes.c_int
        if design.manifest.loads is not None:
            loaded.native_write.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, _U64]
            loaded.native_read.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p]
        self._library = loaded
        self._handle: int | None = loaded.native_new(None if trace is None else str(trace).encode())
        if design.first_load is not None:
            self.load(design.first_load)

    def __enter__(self) -> "NativeModel":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Frees the model; the waves are complete after this."""
        if self._handle is not None:
            self._library.native_free(self._handle)
            self._handle = None

    def reset(self) -> None:
        """Holds aresetn low for a few cycles."""
        self._library.native_reset(self._handle)

    def load(self, load: Load) -> None:
        """Brings `load` over the registers, and swaps it in. Raises DesignError if the accelerator does not take it."""
        data = np.frombuffer(load.data, "<u4")
        self._write("LOAD", LOAD.field("start").mask)
        self._write("LOAD_DATA", *data)
        self._write("WEIGHTS_CRC", load.crc)
        self._write("LOAD", LOAD.field("swap").mask)
        for _ in range(self.watchdog_cycles):
            status = self._read("LOAD")
            if not status & LOAD.field("swapping").mask:
                break
        if status & ~LOAD.field("bank").mask or self._read("WEIGHTS_CRC") != load.crc:
            raise DesignError(
                f"{self.design.manifest.top} did not take the weights of network {load.name} (LOAD reads "
                f"{status:#x}); generate the design again"
            )

    def _write(self, name: str, *values: int) -> None:
        """Writes values to a register, one after the other."""
        words = np.array(values, np.uint32)
        offset = self.design.manifest.registers[name]
        if self._library.native_write(self._handle, offset, words.ctypes.data, len(words)):
            raise DesignError(
                f"{self.design.manifest.top} does not answer a write of {name}; generate the design again"
            )

    def _read(self, name: str) -> int:
        value = np.zeros(1, np.uint32)
        if self._library.native_read(self._handle, self.design.manifest.registers[name], value.ctypes.data):
            raise DesignError(f"{self.design.manifest.top} does not answer a read of {name}; generate the design again")
        return int(value[0])

    @property
    def watchdog_cycles(self) -> int:
        """Cycles without any beat or probed word after which a run is ended: far more than any frame takes."""
        manifest = self.design.manifest
        return 1000 + 20 * (manifest.interval_cycles + manifest.latency_cycles)

    def run(
        self,
        packed: NDArray[np.uint8],
        stalls: Pattern = NO_STALLS,
        *,
        watchdog: int | None = None,
        trace: int = 0,
        quiet: int | None = None,
    ) -> NativeResult:
        """Sends frames (n, stride) of bytes, as `bitwright_core.framing` packs them, back to back.

        Both sides pause as `stalls` says. The handshakes of `trace` cycles are kept. Raises DesignError if the
        accelerator stops taking input.
        """
        manifest = self.design.manifest
        if packed.ndim != 2 or packed.shape[1] != manifest.input.stride:
            raise ValueError(f"packed frames must have shape (n, {manifest.input.stride}), not {packed.shape}")
        call = _Run(
            frames=len(packed),
            watchdog=self.watchdog_cycles if watchdog is None else watchdog,
            **_pauses(stalls),
        )
        return self._run(call, packed, len(packed), trace, quiet)

    def run_beats(
        self,
        beats: NDArray[np.uint8],
        last: NDArray[np.uint8],
        keep: NDArray[np.uint8],
        results: int,
        stalls: Pattern = NO_STALLS,
        *,
        trace: int = 0,
    ) -> NativeResult:
        """Sends single beats (n, bytes) with their TLAST (n,) and TKEEP (n, bytes, lane 0 in bit 0 of byte 0), of
        frames that may be broken, until as many `results` came as are due. Times of frames mean nothing."""
        size = max(8, self.design.manifest.input.data_bits // 64)
        whole = np.zeros((len(beats), size), np.uint8)
        whole[:, : keep.shape[1]] = keep
        last = np.ascontiguousarray(last, np.uint8)
        count = -(-len(beats) // self.design.manifest.input.beats)
        padded = np.zeros((count * self.design.manifest.input.beats, beats.shape[1]), np.uint8)
        padded[: len(beats)] = beats
        call = _Run(
            frames=count,
            watchdog=self.watchdog_cycles,
            **_pauses(stalls),
            last=last.ctypes.data,
            keep=whole.ctypes.data,
            in_due=len(beats),
            results_due=results * self.design.manifest.output.beats,
        )
        return self._run(call, padded.reshape(count, -1), results, trace)

    def _run(
        self, call: _Run, packed: NDArray[np.uint8], count: int, trace: int, quiet: int | None = None
    ) -> NativeResult:
        """Runs `call`, whose arrays are added here; `count` results are kept; `quiet` cycles follow the last one."""
        manifest, frames = self.design.manifest, int(call.frames)
        packed = np.ascontiguousarray(packed, np.uint8)
        beats = np.zeros((max(frames, count), manifest.output.beats), np.uint64)
        arrays = [np.full((frames, p.words * p.fields), MISSING, np.int64) for p in self.probes]
        first_in = np.full(frames, MISSING, np.int64)
        last_out = np.full(max(frames, count), MISSING, np.int64)
        words = np.zeros(max(1, len(arrays)), np.uint64)
        handshakes = np.zeros(trace, np.uint64)
        pointers = (ctypes.c_void_p * max(1, len(arrays)))(*(array.ctypes.data for array in arrays))
        call.input, call.results = packed.ctypes.data, beats.ctypes.data
        call.probes = ctypes.cast(pointers, ctypes.c_void_p).value
        call.first_in, call.last_out, call.probe_words = first_in.ctypes.data, last_out.ctypes.data, words.ctypes.data
        call.quiet = manifest.interval_cycles + manifest.latency_cycles if quiet is None else quiet
        call.trace, call.trace_room = handshakes.ctypes.data, trace
        status = self._library.native_run(self._handle, ctypes.byref(call))
        if status == _STALLED:
            raise DesignError(
                f"{manifest.top} hangs: for {call.watchdog} cycles it took no input, gave no output and computed "
                f"nothing, after {call.in_beats // manifest.input.beats} of {frames} frames in and "
                f"{call.out_beats // manifest.output.beats} results out (cycle {call.cycles})"
            )
        if status == _FINISHED:
            raise DesignError(f"{manifest.top} ended the simulation itself ($finish or $stop)")
        return NativeResult(
            beats=beats[:count],
            results=call.out_beats // manifest.output.beats,
            out_beats=call.out_beats,
            probes=tuple(
                array.reshape(frames, p.pixels, -1)[:, :, : p.values].reshape(frames, -1)
                for array, p in zip(arrays, self.probes, strict=True)
            ),
            probe_words=tuple(int(n) for n in words[: len(arrays)]),
            first_in=first_in,
            last_out=last_out[:count],
            bad_framing=call.bad_framing,
            first_bad=call.first_bad // manifest.output.beats if call.bad_framing else None,
            cycles=call.cycles,
            layers=self.probes,
            trace=handshakes[: call.trace_length],
        )
