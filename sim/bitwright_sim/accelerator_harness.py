"""An accelerator inside the simulator: its drivers, what was sent, and what must come out."""

import functools
import random
from collections.abc import Awaitable, Callable
from typing import Any

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotb.utils import get_sim_time
from numpy.typing import NDArray

from bitwright_core.design import Design
from bitwright_core.framing import OutputFormat, pack_frames
from bitwright_core.golden import trace
from bitwright_core.network import Network
from bitwright_core.plan import ceil_div
from bitwright_core.registers import EMPTY_STATE, LOAD, network_constants
from bitwright_sim.axi import ControlMaster, StreamMonitor, StreamSink, StreamSource
from bitwright_sim.bench import MARK, bench_parameters, bench_seed, record, report_progress

CLOCK_NS = 10
_started: list["Harness"] = []
_tests: list[str] = []


def register_test(function: Callable[[Any], Awaitable[None]]) -> Any:
    """`@cocotb.test()` that tells the runner how far it is, and how many frames and cycles the test took."""
    number = len(_tests)
    _tests.append(function.__name__)

    @functools.wraps(function)
    async def run(dut: Any) -> None:
        report_progress(number, len(_tests))
        _started.clear()
        record(**{f"{MARK}{function.__name__}": int(get_sim_time("step"))})
        try:
            await function(dut)
        finally:
            for accelerator in _started:
                record(frames=accelerator.frames, cycles=accelerator.outputs.cycle)
            report_progress(number + 1, len(_tests))

    return cocotb.test()(run)


def expected_results(network: Network, output: OutputFormat, frames: NDArray[Any]) -> list[bytes]:
    """The bytes of each frame's result, by the golden model."""
    golden = trace(network, frames)
    values = golden.layers[-1].values.reshape(len(frames), -1)
    return [row.tobytes() for row in output.pack(golden.classes, values)]


class Harness:
    """The design under test. `send` queues frames, `check` awaits their results and compares them."""

    def __init__(self, dut: Any):
        self.design = Design.load(bench_parameters()["design"])
        self.manifest = self.design.manifest
        self.network = self.design.network
        self.seed = bench_seed()
        self.clock = dut.aclk
        self.frames = 0  # checked so far
        self._dut = dut
        self._random = np.random.default_rng(self.seed)
        self._due: list[bytes] = []
        self.source = StreamSource(dut, "s_axis", dut.aclk, dut.aresetn)
        self.sink = StreamSink(dut, "m_axis", dut.aclk, dut.aresetn)
        self.has_registers = bool(self.manifest.registers)
        if self.has_registers:
            self.control = ControlMaster(dut, "s_axi_control", dut.aclk, dut.aresetn)
        self.inputs = StreamMonitor(dut, "s_axis", dut.aclk, dut.aresetn, output=False)
        self.outputs = StreamMonitor(dut, "m_axis", dut.aclk, dut.aresetn, output=True)

    @classmethod
    async def start(cls, dut: Any) -> "Harness":
        """Starts the clock and brings the design out of reset."""
        dut.aresetn.value = 0
        Clock(dut.aclk, CLOCK_NS, unit="ns").start()
        await ClockCycles(dut.aclk, 3)  # with the inputs undriven: reset alone must bring defined outputs
        accelerator = cls(dut)
        _started.append(accelerator)
        await accelerator.reset()
        await accelerator.begin()
        return accelerator

    async def begin(self) -> None:
        """Loads the design's own network into an accelerator that has no weights yet, and swaps it in."""
        load = self.design.first_load
        if load is None or not await self.register("LOAD") & LOAD.field(EMPTY_STATE).mask:
            return
        await self.write("LOAD", LOAD.field("start").mask)
        for word in np.frombuffer(load.data, "<u4").tolist():
            await self.write("LOAD_DATA", word)
        await self.write("WEIGHTS_CRC", load.crc)
        await self.write("LOAD", LOAD.field("swap").mask)
        while await self.register("LOAD") & LOAD.field("swapping").mask:
            pass
        found = await self.register("WEIGHTS_CRC")
        assert found == load.crc, f"the first load was not taken: WEIGHTS_CRC is {found:#x}, not {load.crc:#x}"

    async def reset(self) -> None:
        """Holds aresetn low for a few cycles, and forgets what was under way."""
        self._dut.aresetn.value = 0
        await ClockCycles(self.clock, 3)
        self.forget()
        await ClockCycles(self.clock, 3)
        self._dut.aresetn.value = 1
        await ClockCycles(self.clock, 4)

    @property
    def lanes(self) -> int:
        """Bytes of an input beat."""
        return self.manifest.input.data_bits // 8

    @property
    def filling_frames(self) -> int:
        """Frames after which every stage has work."""
        return ceil_div(self.manifest.latency_cycles, self.manifest.interval_cycles) + 1

    @property
    def capacity_bound(self) -> int:
        """More frames than can be inside at once: each stage's buffer covers its round trip, and no more."""
        return (len(self.manifest.layers) + 2) * (self.filling_frames + 4)

    def random_frames(self, count: int) -> NDArray[np.int64]:
        """Frames (count, ...) of several kinds: uniform, sparse, dark, bright."""
        top = (1 << self.network.input.bits) - 1
        shape = (count, *self.network.input.shape)
        frames = self._random.integers(0, top + 1, shape)
        for k in range(count):
            kind = self._random.integers(0, 8)
            if kind == 0:
                frames[k] = 0
            elif kind == 1:
                frames[k] = top
            elif kind in (2, 3):
                frames[k] *= self._random.random(shape[1:]) < self._random.random()
        return frames

    def send(self, count: int) -> None:
        """Queues `count` random frames, a packet each."""
        self.send_frames(self.random_frames(count))

    def send_frames(self, frames: NDArray[Any]) -> None:
        """Queues frames (n, ...), a packet each."""
        for data, result in self._packed(frames):
            self.source.send(data[: self.manifest.input.bytes])
            self._due.append(result)

    def send_batch(self, count: int) -> None:
        """Queues one packet of `count` random frames (batch mode)."""
        packed = self._packed(self.random_frames(count))
        keep = self.packet()[1] * count
        self.source.send(b"".join(data for data, _ in packed), keep)
        self._due.append(b"".join(result for _, result in packed))

    def _packed(self, frames: NDArray[Any]) -> list[tuple[bytes, bytes]]:
        data = pack_frames(self.network, self.design.plan, frames)
        results = expected_results(self.network, self.manifest.output, frames)
        self.frames += len(frames)
        return [(row.tobytes(), result) for row, result in zip(data, results, strict=True)]

    def packet(self) -> tuple[bytes, bytes]:
        """A random frame in whole beats, and the right TKEEP (0 or 1) of each byte."""
        data = pack_frames(self.network, self.design.plan, self.random_frames(1))[0].tobytes()
        real = self.manifest.input.bytes
        return data, bytes([1]) * real + bytes(len(data) - real)

    def forget(self) -> None:
        """No longer expects what was sent, nor keeps what came: the design was reset."""
        self.frames -= len(self._due)
        self._due.clear()
        self.source.drop()
        self.sink.drop()

    def clear_times(self) -> None:
        """Forgets the beats seen so far."""
        self.inputs.beats.clear()
        self.outputs.beats.clear()

    async def check(self) -> None:
        """Awaits a result for each packet sent, in order, and no more. Raises AssertionError for any difference."""
        manifest = self.manifest
        one = manifest.interval_cycles + manifest.latency_cycles + manifest.input.beats + manifest.output.beats
        size = 8 * manifest.output.beats
        for number, due in enumerate(self._due):
            cycles = 1000 + 40 * one * (len(due) // size)
            try:
                got = await with_timeout(self.sink.receive(), cycles * CLOCK_NS, "ns")
            except cocotb.triggers.SimTimeoutError:
                raise AssertionError(f"no result {number} within {cycles} cycles") from None
            assert len(got) == len(due), f"result {number} has {len(got)} bytes, not {len(due)}"
            assert got == due, f"result {number} is {_words(got)}, not {_words(due)}"
        self._due.clear()
        await ClockCycles(self.clock, 20)
        assert self.sink.waiting == 0, f"{self.sink.waiting} results too many"

    async def check_registers(self, **values: int) -> None:
        """Raises AssertionError unless registers have these values. A design without registers passes."""
        for name, value in values.items():
            found = await self.register(name) if self.has_registers else value
            assert found == value, f"{name} is {found}, not {value}"

    async def register(self, name: str) -> int:
        """Reads a register by name."""
        return await self.control.read(self.manifest.registers[name])

    async def write(self, name: str, value: int) -> None:
        """Writes a register by name."""
        await self.control.write(self.manifest.registers[name], value)

    def constant_registers(self) -> dict[str, int]:
        """Registers that never change, and their values."""
        return {
            **network_constants(self.network.digest),
            "INPUT_BYTES": self.manifest.input.bytes,
            "OUTPUT_BEATS": self.manifest.output.beats,
            "OUTPUTS": self.network.outputs,
        }


def _words(data: bytes) -> list[int]:
    return np.frombuffer(data, "<i8").tolist()[:16]


def seeded_random(accelerator: Harness) -> random.Random:
    """Python's generator, seeded with the run's seed."""
    return random.Random(accelerator.seed)
