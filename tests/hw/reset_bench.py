"""In the simulator: `aresetn` low for 1, 2 and 3 cycles at every point of a frame, and every pin afterwards.

Parameters: `design`, the folder. What follows a reset must be, pin by pin and cycle by cycle, what follows power-up.
"""

import itertools

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_sim.bench import bench_parameters, record

INPUTS = ("s_axis_tvalid", "s_axis_tdata", "s_axis_tkeep", "s_axis_tlast", "m_axis_tready")
OUTPUTS = ("s_axis_tready", "m_axis_tvalid", "m_axis_tdata", "m_axis_tlast")
CHANNELS = ("awready", "wready", "bvalid", "arready", "rvalid", "rdata")


class Pins:
    """Drives all inputs, a cycle at a time: frame after frame if `sending`, reads of registers if `reading`."""

    def __init__(self, dut, design):
        self.dut, self.manifest = dut, design.manifest
        frame = pack_frames(design.network, design.plan, [[k % 2 for k in range(design.network.input.size)]])[0]
        width = self.manifest.input.data_bits // 8
        self.beats = [int.from_bytes(frame[k : k + width].tobytes(), "little") for k in range(0, len(frame), width)]
        last = self.manifest.input.bytes - (len(self.beats) - 1) * width
        self.keeps = [(1 << width) - 1] * (len(self.beats) - 1) + [(1 << last) - 1]

    async def start(self):
        for name in dir(self.dut):
            if name.startswith("s_axi_control_") and name[14:] not in (*CHANNELS, "bresp", "rresp"):
                getattr(self.dut, name).value = 0
        self.dut.s_axi_control_rready.value = 1
        self.dut.s_axi_control_bready.value = 1
        self.dut.aresetn.value = 0
        self.idle()
        cocotb.start_soon(Clock(self.dut.aclk, 2, unit="ns").start())
        for _ in range(4):
            await FallingEdge(self.dut.aclk)

    def idle(self):
        for name in INPUTS:
            getattr(self.dut, name).value = 0
        self.dut.s_axi_control_arvalid.value = 0
        self.beat = 0

    async def cycle(self, *, ready, sending=True, address=None):
        """One clock cycle; returns the outputs before its edge."""
        dut = self.dut
        dut.s_axis_tvalid.value = int(sending)
        dut.s_axis_tdata.value = self.beats[self.beat]
        dut.s_axis_tkeep.value = self.keeps[self.beat]
        dut.s_axis_tlast.value = int(self.beat == len(self.beats) - 1)
        dut.m_axis_tready.value = int(ready)
        dut.s_axi_control_arvalid.value = int(address is not None)
        dut.s_axi_control_araddr.value = address or 0
        await ReadOnly()
        seen = {name: str(getattr(dut, name).value) for name in OUTPUTS}
        seen |= {name: str(getattr(dut, f"s_axi_control_{name}").value) for name in CHANNELS}
        if sending and seen["s_axis_tready"] == "1":
            self.beat = (self.beat + 1) % len(self.beats)
        await FallingEdge(dut.aclk)
        for valid, payload in (("m_axis_tvalid", ("m_axis_tdata", "m_axis_tlast")), ("rvalid", ("rdata",))):
            if seen[valid] == "0":
                seen |= dict.fromkeys(payload, "")
        return seen

    async def after(self):
        """Every register, then a few frames: all pins in every cycle."""
        self.dut.aresetn.value = 1
        self.idle()
        registers = self.manifest.registers.values()
        trace = [await self.cycle(ready=False, sending=False, address=address) for address in [*registers, 0]]
        for cycle in range(self.manifest.latency_cycles + 12):
            trace.append(await self.cycle(ready=cycle % 3 != 0, address=self.manifest.registers["CYCLES_BUSY"]))
        return trace


@cocotb.test()
async def short_resets(dut):
    """Registers and pins after a reset of 1 to 3 cycles at any point are those after power-up."""
    design = Design.load(bench_parameters()["design"])
    pins = Pins(dut, design)
    await pins.start()
    first = await pins.after()
    assert any(seen["m_axis_tvalid"] == "1" for seen in first)
    points = design.manifest.latency_cycles + design.manifest.interval_cycles
    for point, low, ready in itertools.product(range(points), (1, 2, 3), (0, 1)):
        if ready and low > 1:
            continue
        dut.aresetn.value = 0
        pins.idle()
        for _ in range(4):
            await FallingEdge(dut.aclk)
        dut.aresetn.value = 1
        for cycle in range(point):
            await pins.cycle(ready=ready, address=cycle % 64 // 4 * 4)
        dut.aresetn.value = 0
        pins.idle()
        for _ in range(low):
            await FallingEdge(dut.aclk)
        again = await pins.after()
        for cycle, (was, now) in enumerate(zip(first, again, strict=True)):
            differ = {name: (was[name], now[name]) for name in was if was[name] != now[name]}
            assert not differ, f"{low} cycles low at cycle {point}: {cycle} cycles later {differ}"
    record(resets=points)
