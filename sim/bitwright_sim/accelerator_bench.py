"""The tests of a whole accelerator, inside the simulator. The runner is `bitwright_sim.simulate`.

Frames are random (seeded), expected values come from the golden model of the design's network alone.
"""

from typing import Any

from cocotb.triggers import ClockCycles

from bitwright_core.registers import CONTROL
from bitwright_sim.accelerator_harness import Harness, register_test, seeded_random
from bitwright_sim.axi import stalls

CONTROL_SOFT_RESET, CONTROL_BATCH = (CONTROL.field(name).mask for name in ("soft_reset", "batch"))
ERROR_SHORT, ERROR_LONG, ERROR_KEEP = 1, 2, 4


@register_test
async def single_frame_latency(dut: Any) -> None:
    """A frame into an idle accelerator takes exactly the latency of the manifest, three times over."""
    acc = await Harness.start(dut)
    for _ in range(3):
        acc.clear_times()
        acc.send(1)
        await acc.check()
        latency = acc.outputs.beats[-1] - acc.inputs.beats[0]
        assert latency == acc.manifest.latency_cycles, f"{latency} cycles, not {acc.manifest.latency_cycles}"
        await ClockCycles(acc.clock, 5)


@register_test
async def back_to_back_interval(dut: Any) -> None:
    """Frames without a gap come out at exactly the interval of the manifest, once the pipeline is full."""
    acc = await Harness.start(dut)
    measured = 4
    fill = acc.filling_frames + 2
    acc.send(fill + measured)
    await acc.check()
    ends = acc.outputs.beats[acc.manifest.output.beats - 1 :: acc.manifest.output.beats]
    total = ends[-1] - ends[-1 - measured]
    assert total == measured * acc.manifest.interval_cycles, (
        f"{total} cycles for {measured} frames, not {acc.manifest.interval_cycles} each"
    )


@register_test
async def random_stalls(dut: Any) -> None:
    """Results do not depend on gaps in the input nor on stalls of the output."""
    acc = await Harness.start(dut)
    for seed, (share_in, share_out) in enumerate(((0.5, 0.0), (0.0, 0.7), (0.4, 0.4), (0.9, 0.2), (0.2, 0.9))):
        acc.source.stall(stalls(acc.seed + 2 * seed, share_in) if share_in else None)
        acc.sink.stall(stalls(acc.seed + 2 * seed + 1, share_out) if share_out else None)
        acc.send(acc.filling_frames + 4 if seed == 2 else 3)
        await acc.check()
    acc.source.stall(None)
    acc.sink.stall(None)
    acc.send(2)
    await acc.check()


@register_test
async def long_output_stall(dut: Any) -> None:
    """With the output stalled for long, the input stops at last, and nothing is lost."""
    acc = await Harness.start(dut)
    acc.sink.stall(stalls(acc.seed, 2.0))
    count = acc.capacity_bound
    acc.send(count)
    quiet = acc.manifest.latency_cycles + 2 * acc.manifest.interval_cycles + 100
    taken = -1
    while len(acc.inputs.beats) != taken:
        taken = len(acc.inputs.beats)
        await ClockCycles(acc.clock, quiet)
    assert not acc.outputs.beats, "a beat was taken from a stalled output"
    assert taken < count * acc.manifest.input.beats, "the input never stopped"
    acc.sink.stall(None)
    await acc.check()
    await acc.check_registers(FRAMES_OUT=count)


@register_test
async def reset_in_a_frame(dut: Any) -> None:
    """aresetn drops everything in flight, at any moment; the next frame comes out right and in time."""
    acc = await Harness.start(dut)
    generator = seeded_random(acc)
    for _ in range(4):
        acc.send(3)
        await ClockCycles(acc.clock, generator.randrange(2, 2 + acc.manifest.latency_cycles))
        await acc.reset()
        acc.clear_times()
        acc.send(1)
        await acc.check()
        assert acc.outputs.beats[-1] - acc.inputs.beats[0] == acc.manifest.latency_cycles
        await acc.check_registers(FRAMES_IN=1)
    acc.send(4)
    await acc.check()


@register_test
async def soft_reset(dut: Any) -> None:
    """CONTROL bit 0 drops everything in flight and clears counters and errors; it clears itself."""
    acc = await Harness.start(dut)
    generator = seeded_random(acc)
    for _ in range(3):
        acc.send(3)
        await ClockCycles(acc.clock, generator.randrange(2, 2 + acc.manifest.latency_cycles))
        acc.source.pause = True
        acc.outputs.may_retract = True
        await acc.write("CONTROL", CONTROL_SOFT_RESET)
        acc.source.drop()
        await ClockCycles(acc.clock, 20)
        acc.sink.drop()
        acc.outputs.may_retract = False
        acc.source.pause = False
        acc.forget()
        assert await acc.register("CONTROL") == 0, "soft reset does not clear itself"
        for name in ("STATUS", "ERRORS", "FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED", "CYCLES_BUSY"):
            assert await acc.register(name) == 0, f"{name} is not cleared"
        acc.clear_times()
        acc.send(1)
        await acc.check()
        assert acc.outputs.beats[-1] - acc.inputs.beats[0] == acc.manifest.latency_cycles
    acc.send(4)
    await acc.check()
    assert await acc.register("FRAMES_OUT") == 5


@register_test
async def wrong_frames(dut: Any) -> None:
    """Short and long frames and wrong TKEEP are dropped, counted and flagged; the frame behind each is right."""
    acc = await Harness.start(dut)
    cases = wrong_packets(acc)
    for stalled in (False, True):
        acc.source.stall(stalls(acc.seed, 0.5) if stalled else None)
        before = await acc.register("FRAMES_DROPPED") if acc.has_registers else 0
        for number, (what, error, data, keep) in enumerate(cases):
            acc.source.send(data, keep)
            acc.send(1)
            await acc.check()
            if not acc.has_registers:
                continue
            flags = await acc.register("ERRORS")
            assert flags == error, f"{what}: ERRORS is {flags}, not {error}"
            await acc.write("ERRORS", 0)
            assert await acc.register("ERRORS") == error, "a write of 0 clears errors"
            await acc.write("ERRORS", 7 & ~error)
            assert await acc.register("ERRORS") == error, "a write of 1 clears another error"
            await acc.write("ERRORS", error)
            assert await acc.register("ERRORS") == 0, "a write of 1 does not clear the error"
            assert await acc.register("FRAMES_DROPPED") == before + number + 1, f"{what}: not counted as dropped"
    acc.source.stall(None)
    for _, _, data, keep in cases:
        acc.source.send(data, keep)
    acc.send(2)
    await acc.check()
    sent = 2 * len(cases) + 2
    await acc.check_registers(FRAMES_DROPPED=3 * len(cases), FRAMES_IN=sent, FRAMES_OUT=sent)


def wrong_packets(acc: Harness) -> list[tuple[str, int, bytes, bytes]]:
    """Packets that must be dropped: what is wrong, the flag that it sets, data and TKEEP."""
    lanes, beats, real = acc.lanes, acc.manifest.input.beats, acc.manifest.input.bytes
    cases = []
    for count in sorted({1, beats // 2, beats - 1} - {0, beats}):
        data, keep = acc.packet()
        cases.append((f"{count} of {beats} beats", ERROR_SHORT, data[: count * lanes], keep[: count * lanes]))
    for extra in (1, beats, 2 * beats + 1):
        data, keep = acc.packet()
        more = extra * lanes
        cases.append((f"{extra} beats too many", ERROR_LONG, data + bytes(more), keep + bytes([1]) * more))
    for at in sorted({0, real // 2, real - 1, min(real, beats * lanes - 1)}):
        data, keep = acc.packet()
        changed = bytearray(keep)
        changed[at] ^= 1
        cases.append((f"TKEEP of byte {at} wrong", ERROR_KEEP, data, bytes(changed)))
    return cases


@register_test
async def batches(dut: Any) -> None:
    """In batch mode packets hold several frames, and TLAST comes with a packet's last result alone."""
    acc = await Harness.start(dut)
    await acc.write("CONTROL", CONTROL_BATCH)
    for sizes in ((3,), (1, 2, 1), (acc.filling_frames + 2, 1)):
        for size in sizes:
            acc.send_batch(size)
        await acc.check()
    acc.sink.stall(stalls(acc.seed, 0.5))
    acc.source.stall(stalls(acc.seed + 1, 0.5))
    acc.send_batch(4)
    await acc.check()
    acc.sink.stall(None)
    acc.source.stall(None)
    assert await acc.register("ERRORS") == 0
    assert await acc.register("CONTROL") == CONTROL_BATCH
    await acc.write("CONTROL", 0)
    acc.send(3)
    await acc.check()


@register_test
async def registers(dut: Any) -> None:
    """Identity, digest and sizes; counters; byte strobes; read-only and unknown addresses; stalls on all channels."""
    acc = await Harness.start(dut)
    known = acc.constant_registers()
    generator = seeded_random(acc)
    for stalled in (False, True):
        acc.control.stall(acc.seed if stalled else None)
        for name, value in known.items():
            assert await acc.register(name) == value, f"{name} is not {value:#x}"
        for name in [*known, "STATUS", "FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED", "CYCLES_BUSY"]:
            before = await acc.register(name)
            await acc.write(name, generator.randrange(1 << 32))
            assert await acc.register(name) == before, f"{name} can be written"
        used = set(acc.manifest.registers.values())
        for address in [address for address in range(0, 256, 4) if address not in used]:
            await acc.control.write(address, 0xFFFFFFFF)
            assert await acc.control.read(address) == 0, f"unknown address {address:#x} does not read as 0"
        assert await acc.register("CONTROL") == 0
        control = acc.manifest.registers["CONTROL"]
        await acc.control.write_bytes(control, bytes([CONTROL_BATCH]))
        assert await acc.register("CONTROL") == CONTROL_BATCH, "a write with strobe 0 alone did not change bit 1"
        await acc.control.write_bytes(control + 1, b"\0\0\0")  # the drivers send 0 in byte 0
        assert await acc.register("CONTROL") == CONTROL_BATCH, "a write with strobe 0 low changed bit 1"
        await acc.control.write_bytes(control, b"\0")
    acc.control.stall(None)

    busy = await acc.register("CYCLES_BUSY")
    assert await acc.register("STATUS") == 0
    acc.send(5)
    await ClockCycles(acc.clock, acc.manifest.input.beats + 2)
    assert await acc.register("STATUS") == 1, "not busy with a frame in flight"
    await acc.check()
    assert await acc.register("STATUS") == 0, "busy when idle"
    assert [await acc.register(name) for name in ("FRAMES_IN", "FRAMES_OUT", "FRAMES_DROPPED")] == [5, 5, 0]
    busy = await acc.register("CYCLES_BUSY") - busy
    spent = acc.outputs.beats[-1] - acc.inputs.beats[0]
    assert spent - 4 <= busy <= spent + 4, f"CYCLES_BUSY counted {busy} of {spent} cycles"
    await ClockCycles(acc.clock, 50)
    assert await acc.register("CYCLES_BUSY") - busy == 0, "CYCLES_BUSY counts idle cycles"
