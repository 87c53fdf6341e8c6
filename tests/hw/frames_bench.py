"""In the simulator: frames into a whole accelerator, results out, latency and interval to the cycle.

Parameters: `design`, the folder; `frames`, how many random ones. Expected values are the golden model's.
"""

import random

import cocotb
import numpy as np
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from bitwright_core import golden
from bitwright_core.design import Design
from bitwright_core.framing import pack_frames
from bitwright_sim.bench import bench_parameters, bench_seed, record


class Pauses:
    """Whether one side pauses: with probability `share`, cycle by cycle or in stretches of up to `longest` cycles."""

    def __init__(self, dice, share, longest):
        self.dice, self.share, self.longest = dice, share, longest
        self.left, self.paused = 0, False

    def now(self):
        if not self.left:
            self.left = self.dice.randint(1, self.longest)
            self.paused = self.dice.random() < self.share
        self.left -= 1
        return self.paused


async def run(dut, stall, *, long=False):
    """Sends all frames, pausing on both sides with probability `stall`; checks results, and cycles without stalls.

    With `long`, pauses last up to some times of what it takes to fill and to empty the accelerator.
    """
    parameters = bench_parameters()
    design = Design.load(parameters["design"])
    network, manifest = design.network, design.manifest
    dice = random.Random(bench_seed())
    shape = (parameters["frames"], network.input.size)
    frames = np.random.default_rng(bench_seed()).integers(0, 1 << network.input.bits, shape)
    expected = golden.outputs(network, frames)
    packed = pack_frames(network, design.plan, frames)
    width, beats = manifest.input.data_bits // 8, manifest.input.beats
    inputs = [name for name in dir(dut) if name.startswith(("s_axi_control_a", "s_axi_control_w"))]
    for name in [*inputs, "s_axis_tvalid", "s_axis_tdata", "s_axis_tkeep", "s_axis_tlast", "m_axis_tready", "aresetn"]:
        if not name.endswith("ready") or name == "m_axis_tready":
            getattr(dut, name).value = 0
    dut.s_axi_control_bready.value = 0
    dut.s_axi_control_rready.value = 0
    cocotb.start_soon(Clock(dut.aclk, 2, unit="ns").start())
    for _ in range(3):
        await FallingEdge(dut.aclk)
    dut.aresetn.value = 1

    queue = [(frame, beat) for frame in range(len(frames)) for beat in range(beats)]
    sent = cycle = 0
    offered = False
    first = None
    results, words, ends = [], [], []
    longest = 2 * manifest.latency_cycles + 20 * manifest.interval_cycles if long else 1
    pauses_in, pauses_out = (Pauses(dice, stall, longest) for _ in range(2))
    limit = 40 * len(frames) * manifest.interval_cycles + 4 * manifest.latency_cycles + 1000 + 40 * longest
    while len(results) < len(frames):
        pause = pauses_in.now()
        if not offered and sent < len(queue) and not pause:
            frame, beat = queue[sent]
            part = packed[frame, beat * width : (beat + 1) * width]
            dut.s_axis_tdata.value = int.from_bytes(part.tobytes(), "little")
            dut.s_axis_tkeep.value = (1 << min(width, manifest.input.bytes - beat * width)) - 1
            dut.s_axis_tlast.value = int(beat == beats - 1)
            offered = True
        dut.s_axis_tvalid.value = int(offered)
        ready = not pauses_out.now()
        dut.m_axis_tready.value = int(ready)
        await ReadOnly()
        if offered and int(dut.s_axis_tready.value):
            first = cycle if first is None else first
            sent, offered = sent + 1, False
        if int(dut.m_axis_tvalid.value) and ready:
            words.append(int(dut.m_axis_tdata.value))
            if int(dut.m_axis_tlast.value):
                results.append(words)
                ends.append(cycle)
                words = []
        await FallingEdge(dut.aclk)
        cycle += 1
        assert cycle < limit, f"stuck: {sent} of {len(queue)} beats sent, {len(results)} results came"
    classes, values = manifest.output.unpack(np.array(results, np.uint64))
    if classes is not None:
        assert np.array_equal(classes, expected.argmax(axis=1))
    if values is not None:
        assert np.array_equal(values, expected)
    assert classes is not None or values is not None
    record(frames=len(results))
    if not stall:
        assert ends[0] - first == manifest.latency_cycles, f"latency {ends[0] - first}"
        half = len(ends) // 2
        steps = {later - sooner for sooner, later in zip(ends[half:], ends[half + 1 :], strict=False)}
        assert steps == {manifest.interval_cycles}, f"intervals {steps}, expected {manifest.interval_cycles}"


@cocotb.test()
async def full_speed(dut):
    """Results, latency and steady interval with neither side pausing."""
    await run(dut, 0)


@cocotb.test()
async def random_stalls(dut):
    """The same results while both sides pause at random."""
    await run(dut, 0.4)


@cocotb.test()
async def long_stalls(dut):
    """The same results while both sides pause for so long that every buffer fills and runs empty."""
    await run(dut, 0.5, long=True)
