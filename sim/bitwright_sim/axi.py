"""AXI drivers inside the simulator: the one module that touches cocotbext-axi.

cocotbext-axi 0.1.28 works with cocotb 2.1 but uses names that cocotb has deprecated; the warnings end here.
`StreamMonitor` is ours: it looks at every clock edge, keeps the time of each beat, and fails the test for an
X on a valid output or a broken rule of AXI4-Stream (Arm IHI 0051, 2.2.1: what is offered stays offered).
"""

import logging
import random
import warnings
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import cocotb
from cocotb.triggers import RisingEdge

warnings.filterwarnings("ignore", category=DeprecationWarning, module=r"cocotbext\.|cocotb_bus\.")
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from cocotbext.axi import (
        AxiLiteBus,
        AxiLiteMaster,
        AxiResp,
        AxiStreamBus,
        AxiStreamFrame,
        AxiStreamSink,
        AxiStreamSource,
    )


def stalls(seed: int, share: float) -> Iterator[bool]:
    """Cycles in which to stall, `share` of them, in runs of mixed length."""
    generator = random.Random(seed)
    while True:
        length = generator.choice((1, 1, 2, 5, 20))
        yield from repeat(generator.random() < share, length)


def _quiet(dut: Any) -> None:
    """The drivers log every port and packet, and each reset's loss as a warning."""
    logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.ERROR)


class StreamSource:
    """Sends packets on an AXI4-Stream, back to back unless stalled."""

    def __init__(self, dut: Any, prefix: str, clock: Any, reset_n: Any):
        _quiet(dut)
        self._source = AxiStreamSource(AxiStreamBus.from_prefix(dut, prefix), clock, reset_n, False)

    def send(self, data: bytes, keep: bytes | None = None) -> None:
        """Queues one packet; `keep` is 0 or 1 for each byte (default: 1 for `data`, 0 for what fills its beat)."""
        self._source.send_nowait(AxiStreamFrame(data, tkeep=None if keep is None else list(keep)))

    def stall(self, cycles: Iterator[bool] | None) -> None:
        """Offers nothing in the cycles that the iterator marks; None: never stalls."""
        self._source.set_pause_generator(cycles)
        if cycles is None:
            self._source.pause = False

    @property
    def pause(self) -> bool:
        return self._source.pause

    @pause.setter
    def pause(self, value: bool) -> None:
        self._source.pause = value

    def drop(self) -> None:
        """Forgets every packet, also the one on its way."""
        self._source.clear()
        self._source.assert_reset()

    async def wait(self) -> None:
        """Until every packet has been offered whole."""
        await self._source.wait()


class StreamSink:
    """Takes packets from an AXI4-Stream, in every cycle unless stalled."""

    def __init__(self, dut: Any, prefix: str, clock: Any, reset_n: Any):
        _quiet(dut)
        self._sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, prefix), clock, reset_n, False)

    async def receive(self) -> bytes:
        """The bytes of the next packet."""
        return bytes((await self._sink.recv()).tdata)

    def stall(self, cycles: Iterator[bool] | None) -> None:
        """Takes nothing in the cycles that the iterator marks; None: never stalls."""
        self._sink.set_pause_generator(cycles)
        if cycles is None:
            self._sink.pause = False

    @property
    def waiting(self) -> int:
        """Packets that have come and were not received yet."""
        return self._sink.count()

    def drop(self) -> None:
        """Forgets what has come, also a packet that is half there."""
        self._sink.clear()
        self._sink.assert_reset()


class ControlMaster:
    """Reads and writes registers over AXI4-Lite. Raises AssertionError for any answer but OKAY."""

    def __init__(self, dut: Any, prefix: str, clock: Any, reset_n: Any):
        _quiet(dut)
        self._master = AxiLiteMaster(AxiLiteBus.from_prefix(dut, prefix), clock, reset_n, False)

    async def read(self, address: int) -> int:
        answer = await self._master.read(address, 4)
        assert answer.resp == AxiResp.OKAY, f"read of {address:#x} answered {answer.resp!r}"
        return int.from_bytes(answer.data, "little")

    async def write(self, address: int, value: int) -> None:
        await self.write_bytes(address, value.to_bytes(4, "little"))

    async def write_bytes(self, address: int, data: bytes) -> None:
        """Writes bytes from `address` on; strobes are high for these alone."""
        answer = await self._master.write(address, data)
        assert answer.resp == AxiResp.OKAY, f"write of {address:#x} answered {answer.resp!r}"

    def stall(self, seed: int | None, share: float = 0.5) -> None:
        """Random stalls on all five channels; None: none."""
        write, read = self._master.write_if, self._master.read_if
        channels = (write.aw_channel, write.w_channel, write.b_channel, read.ar_channel, read.r_channel)
        for k, channel in enumerate(channels):
            channel.set_pause_generator(None if seed is None else stalls(seed + k, share))
            if seed is None:
                channel.pause = False


class StreamMonitor:
    """Watches one AXI4-Stream, `prefix`, at every clock edge. `output`: the design drives it (else: takes it).

    `beats` lists the cycles in which beats were taken, `cycle` counts edges. Raises AssertionError (which fails
    the test) for an X where a value must be, and, on an output, for a beat that changes or is taken back.
    `may_retract` lifts the latter, for a soft reset.
    """

    def __init__(self, dut: Any, prefix: str, clock: Any, reset_n: Any, *, output: bool):
        self.prefix = prefix
        self.beats: list[int] = []
        self.cycle = 0
        self.may_retract = False
        self._clock = clock
        self._reset_n = reset_n
        self._output = output
        self._valid = getattr(dut, f"{prefix}_tvalid")
        self._ready = getattr(dut, f"{prefix}_tready")
        self._payload = [getattr(dut, f"{prefix}_{name}") for name in ("tdata", "tkeep", "tlast")]
        cocotb.start_soon(self._watch())

    async def _watch(self) -> None:
        edge = RisingEdge(self._clock)
        offered = None
        while True:
            await edge
            self.cycle += 1
            if str(self._reset_n.value) != "1":
                offered = None
                continue
            valid, ready = str(self._valid.value), str(self._ready.value)
            driven = valid if self._output else ready
            assert driven in "01", f"{self.prefix}_{'tvalid' if self._output else 'tready'} is {driven}"
            if self._output:
                offered = self._rules(valid, offered)
            if valid == "1" and ready == "1":
                self.beats.append(self.cycle)
                offered = None

    def _rules(self, valid: str, offered: list[str] | None) -> list[str] | None:
        """Checks an output's beat and returns it, None if there is none."""
        if valid != "1":
            assert offered is None or self.may_retract, f"{self.prefix} took a beat back"
            return None
        payload = [str(signal.value) for signal in self._payload]
        assert all(set(text) <= {"0", "1"} for text in payload), f"{self.prefix} offers X: {payload}"
        assert offered in (None, payload) or self.may_retract, f"{self.prefix} changed a beat that it offered"
        return payload
