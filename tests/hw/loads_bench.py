"""In the simulator: other networks loaded and swapped in while frames run, with stalls on both streams.

Parameters: `design`, the folder; `networks` and `loads`, files of each network and of what makes the design compute it,
the first being the one that it begins with; `swaps`, how many.
"""

import random
from itertools import repeat

import cocotb
from cocotb.triggers import ClockCycles

from bitwright_core.loading import Load
from bitwright_core.network import load
from bitwright_core.registers import LOAD, LOAD_COMMANDS, LOAD_STATES
from bitwright_sim.accelerator_harness import Harness, expected_results
from bitwright_sim.axi import stalls
from bitwright_sim.bench import bench_parameters, record

START, SWAP, CANCEL = (LOAD.field(name).mask for name in LOAD_COMMANDS)
LOADING, READY, SWAPPING, FAILED, BANK = (LOAD.field(name).mask for name in LOAD_STATES)


class Loads:
    """The design under test, and all networks that it may compute."""

    def __init__(self, acc):
        self.acc = acc
        given = bench_parameters()
        self.networks = [load(file) for file in given["networks"]]
        self.loads = [Load.read(file) for file in given["loads"]]
        self.random = random.Random(acc.seed)

    def words(self, number):
        data = self.loads[number].data
        return [int.from_bytes(data[k : k + 4], "little") for k in range(0, len(data), 4)]

    async def status(self):
        """LOAD, but for the bank: resets, and so other tests before, keep it."""
        return await self.acc.register("LOAD") & ~BANK

    async def begin(self):
        """Brings the first network back."""
        if await self.acc.register("WEIGHTS_CRC") != self.loads[0].crc:
            assert await self.load(0) == READY
            await self.swap()

    async def bring(self, words):
        for word in words:
            await self.acc.write("LOAD_DATA", word)

    async def load(self, number):
        """A whole load, and the status behind it."""
        await self.acc.write("LOAD", START)
        await self.bring(self.words(number))
        await self.acc.write("WEIGHTS_CRC", self.loads[number].crc)
        return await self.status()

    async def swap(self):
        """Cycles in which it was asked for and seen to be done."""
        asked = self.acc.inputs.cycle
        await self.acc.write("LOAD", SWAP)
        while await self.status() & SWAPPING:
            pass
        return asked, self.acc.inputs.cycle


@cocotb.test()
async def swaps_under_traffic(dut):
    """Each result is wholly that of the network before or behind a swap, in this order, and none is lost."""
    acc = await Harness.start(dut)
    loads = Loads(acc)
    acc.source.stall(stalls(acc.seed, 0.3))
    acc.sink.stall(stalls(acc.seed + 1, 0.3))
    frames, results, running = [], [], [True]

    async def send():
        while running[0]:
            for data, _ in packed(acc, frames, loads.random.randint(1, 3)):
                acc.source.send(data)
            await ClockCycles(acc.clock, loads.random.randint(1, 2 * acc.manifest.interval_cycles))

    async def receive():
        while True:
            results.append(await acc.sink.receive())

    sending, receiving = cocotb.start_soon(send()), cocotb.start_soon(receive())
    order, times, bank = [0], [], await acc.register("LOAD")
    for _ in range(bench_parameters()["swaps"]):
        number = loads.random.choice([k for k in range(len(loads.loads)) if k != order[-1]])
        if loads.random.random() < 0.3:  # cut off, or damaged: the old network runs on
            await acc.write("LOAD", START)
            await loads.bring(loads.words(number)[: loads.random.randrange(len(loads.words(number)))])
            await acc.write("WEIGHTS_CRC", loads.loads[number].crc)
            assert await loads.status() == FAILED
            await acc.write("LOAD", SWAP)
            assert await loads.status() == FAILED
        assert await loads.load(number) == READY
        times.append(await loads.swap())
        order.append(number)
        assert await acc.register("WEIGHTS_CRC") == loads.loads[number].crc
        assert await acc.register("LOAD") == bank ^ (len(times) % 2 * BANK)
    running[0] = False
    await sending
    await acc.source.wait()
    acc.source.stall(None)
    acc.sink.stall(None)
    await ClockCycles(acc.clock, 4 * (acc.manifest.latency_cycles + 50 * acc.manifest.interval_cycles))
    receiving.cancel()
    assert len(results) == len(frames), f"{len(results)} results of {len(frames)} frames"
    every = [expected_results(network, acc.manifest.output, frames) for network in loads.networks]
    begun = acc.inputs.beats[:: acc.manifest.input.beats]
    swaps = mixed = 0
    for number, (got, cycle) in enumerate(zip(results, begun, strict=True)):
        while swaps < len(times) and cycle > times[swaps][1]:
            swaps += 1
        allowed = [swaps]
        if swaps < len(times) and cycle > times[swaps][0]:
            allowed.append(swaps + 1)
            mixed += 1
        fits = [k for k in allowed if every[order[k]][number] == got]
        assert fits, f"frame {number} gave what no network gives at swap {swaps}"
        swaps = min(fits)
    told = sum(len({each[k] for each in every}) > 1 for k in range(len(frames)))
    record(frames=len(frames), told=told, swaps=len(times), beside=mixed)


def packed(acc, frames, count):
    """So many random frames as they are sent; added to `frames`."""
    made = acc.random_frames(count)
    frames.extend(made)
    real = acc.manifest.input.bytes
    return [(data[:real], result) for data, result in acc._packed(made)]


@cocotb.test()
async def wrong_loads(dut):
    """A load that is cut off, too long, damaged or never begun changes nothing; nor does a swap without one; resets
    keep the network that runs."""
    acc = await Harness.start(dut)
    loads = Loads(acc)
    await loads.begin()
    words, crc = loads.words(1), loads.loads[1].crc
    first = loads.loads[0].crc

    async def refused(what):
        assert await loads.status() == FAILED, what
        await acc.write("LOAD", SWAP)
        assert await loads.status() == FAILED, what
        assert await acc.register("WEIGHTS_CRC") == first, what
        acc.send(2)
        await acc.check()

    await acc.write("LOAD", SWAP)
    await refused("a swap without a load")
    await loads.bring(words)
    await acc.write("WEIGHTS_CRC", crc)
    await refused("a load that was not begun")
    for what, sent, told in (
        ("cut off", words[:-1], crc),
        ("too long", [*words, 0], crc),
        ("a wrong word", [words[0] ^ 1, *words[1:]], crc),
        ("another CRC", words, crc ^ 1),
    ):
        await acc.write("LOAD", START)
        assert await loads.status() == LOADING, what
        await loads.bring(sent)
        await acc.write("WEIGHTS_CRC", told)
        await refused(what)
    # a soft reset in a load lets it go on; aresetn ends it
    await acc.write("LOAD", START)
    await loads.bring(words[:1])
    await acc.write("CONTROL", 1)
    while await acc.register("CONTROL"):
        pass
    await loads.bring(words[1:])
    await acc.write("WEIGHTS_CRC", crc)
    assert await loads.status() == READY
    await acc.reset()
    assert await loads.status() == 0
    acc.send(3)
    await acc.check()


@cocotb.test()
async def a_swap_waits_for_a_frame(dut):
    """A frame that is half in keeps a swap waiting, which can be taken back; resets keep what was swapped in."""
    acc = await Harness.start(dut)
    loads = Loads(acc)
    await loads.begin()
    assert await loads.load(1) == READY
    acc.sink.stall(repeat(True))
    frames = []
    ((data, _),) = packed(acc, frames, 1)
    acc.source.send(data)
    await ClockCycles(acc.clock, acc.manifest.latency_cycles + 20)
    await acc.write("LOAD", SWAP)
    await ClockCycles(acc.clock, 50)
    assert await loads.status() == READY | SWAPPING, "a result that is not taken keeps it waiting"
    await acc.write("LOAD", START)
    assert await loads.status() == READY | SWAPPING | FAILED, "no load may begin then"
    await acc.write("LOAD", CANCEL)
    assert await loads.status() == READY | FAILED
    acc.source.send(packed(acc, frames, 1)[0][0])
    acc.sink.stall(None)
    for each in expected_results(loads.networks[0], acc.manifest.output, frames):
        assert await acc.sink.receive() == each
    await loads.swap()
    assert await loads.status() == 0
    for reset in (None, "soft", "hard"):
        if reset == "soft":
            await acc.write("CONTROL", 1)
            while await acc.register("CONTROL"):
                pass
        elif reset == "hard":
            await acc.reset()
        frames = acc.random_frames(4)
        for data in frames[:, None]:
            acc.source.send(acc._packed(data)[0][0][: acc.manifest.input.bytes])
        for each in expected_results(loads.networks[1], acc.manifest.output, frames):
            assert await acc.sink.receive() == each, f"after a reset: {reset}"
    assert await acc.register("WEIGHTS_CRC") == loads.loads[1].crc
