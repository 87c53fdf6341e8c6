"""In the simulator: words in, words out, for any component with streams `i` and `o`.

Parameters: `words` to send and `expected` words to come, all in order; `pace`, cycles from one word sent to the
next; `times`, the cycle of each expected word after the first word sent, without stalls; `frame_words`, if a token
of `space` is to be taken before each frame of so many words; `drops`, what `drop` is for each frame; `constants`,
ports held at a value; `monitors`, name to the payloads that pass while NAME__valid is high; `counts`, port to the
number of cycles in which it is high; `cycles`, after which it counts as stuck; `ports`, the names of the component's
ports (a wire inside may be called like a port that is not there).
"""

import random
from dataclasses import dataclass, field

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

from bitwright_sim.bench import bench_parameters, bench_seed, record

STALL = 0.4
DRAIN = 200  # idle cycles after which no further word is waited for


@dataclass
class Driver:
    """Sends and checks, one clock cycle at a time."""

    dut: object
    parameters: dict
    dice: random.Random
    stall: float
    sent: int = 0
    wait: int = 0
    offered: bool = False
    token: bool = False
    frames: int = 0
    first: int | None = None
    got: list = field(default_factory=list)
    times: list = field(default_factory=list)

    def __post_init__(self):
        p = self.parameters
        self.pauses_in, self.pauses_out = "i__ready" in p["ports"], "o__ready" in p["ports"]
        self.seen = {name: [] for name in p.get("monitors", {})}
        self.high = dict.fromkeys(p.get("counts", {}), 0)
        self.frame_words = p.get("frame_words")

    def drive(self):
        p, dut = self.parameters, self.dut
        starts = self.frame_words and self.sent % self.frame_words == 0 and not self.offered
        wants_token = bool(starts and not self.token and self.sent < len(p["words"]))
        if self.frame_words:
            dut.space__ready.value = int(wants_token)
        may_start = not starts or self.token
        idle = not self.offered and may_start and self.sent < len(p["words"]) and self.wait == 0
        if idle and self.dice.random() >= self.stall:
            dut.i__payload.value = p["words"][self.sent]
            self.offered, self.token = True, False
        dut.i__valid.value = int(self.offered)
        self.ready = not self.pauses_out or self.dice.random() >= self.stall
        if self.pauses_out:
            dut.o__ready.value = int(self.ready)
        if drops := p.get("drops"):
            dut.drop.value = int(drops[min(self.frames, len(drops) - 1)])
        return wants_token

    def sample(self, cycle, wants_token):
        p, dut = self.parameters, self.dut
        self.wait = max(0, self.wait - 1)
        if wants_token and int(dut.space__valid.value):
            self.token = True
        if self.offered and (not self.pauses_in or int(dut.i__ready.value)):
            self.first = cycle if self.first is None else self.first
            self.sent, self.offered, self.wait = self.sent + 1, False, p.get("pace", 1) - 1
        if p.get("drops") and int(dut.done.value):
            self.frames += 1
        for name in self.high:
            self.high[name] += int(getattr(dut, name).value)
        for name, values in self.seen.items():
            if int(getattr(dut, f"{name}__valid").value):
                values.append(int(getattr(dut, f"{name}__payload").value))
        if not (int(dut.o__valid.value) and self.ready):
            return False
        word, expected = int(dut.o__payload.value), p["expected"]
        assert len(self.got) < len(expected), f"word {len(self.got)} came, only {len(expected)} were expected"
        want = expected[len(self.got)]
        assert word == want, f"word {len(self.got)} is {word:#x}, expected {want:#x}"
        self.got.append(word)
        self.times.append(cycle - (self.first or 0))
        return True

    async def run(self):
        p = self.parameters
        idle = cycle = 0
        while idle < DRAIN:
            wants_token = self.drive()
            await ReadOnly()
            came = self.sample(cycle, wants_token)
            idle = 0 if came or self.sent < len(p["words"]) else idle + 1
            await FallingEdge(self.dut.clk)
            cycle += 1
            stuck = cycle >= p.get("cycles", 100_000)
            assert not stuck, f"stuck: {self.sent} of {len(p['words'])} words sent, {len(self.got)} came"
        assert len(self.got) == len(p["expected"]), f"{len(self.got)} words of {len(p['expected'])} came"
        for name, values in p.get("monitors", {}).items():
            assert self.seen[name] == values, f"{name}: {self.seen[name]}, expected {values}"
        for name, count in p.get("counts", {}).items():
            assert self.high[name] == count, f"{name} was high in {self.high[name]} cycles, expected {count}"
        record(words=len(self.got))
        return self.times


async def start(dut, parameters):
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns").start())
    for name, value in parameters.get("constants", {}).items():
        getattr(dut, name).value = value
    inputs = ["i__valid", "i__payload", "o__ready", "drop", *(["space__ready"] if "frame_words" in parameters else [])]
    for name in inputs:
        if name in parameters["ports"] and name not in parameters.get("constants", {}):
            getattr(dut, name).value = 0
    await reset(dut)


async def reset(dut):
    dut.rst.value = 1
    for _ in range(2):
        await FallingEdge(dut.clk)
    dut.rst.value = 0


@cocotb.test()
async def back_to_back(dut):
    """Without stalls, each word comes in its cycle."""
    p = bench_parameters()
    await start(dut, p)
    times = await Driver(dut, p, random.Random(0), 0).run()
    if p.get("times") is not None:
        assert times == p["times"], f"words came in cycles {times}, expected {p['times']}"


@cocotb.test()
async def random_stalls(dut):
    """With both sides pausing at random, the same words come."""
    p = bench_parameters()
    await start(dut, p)
    await Driver(dut, p, random.Random(bench_seed()), STALL).run()


@cocotb.test()
async def reset_in_the_middle(dut):
    """A reset in the middle of a frame forgets it; what follows comes out whole."""
    p = bench_parameters()
    dice = random.Random(bench_seed() + 1)
    await start(dut, p)
    cut = {**p, "words": p["words"][: max(1, len(p["words"]) // 3 + dice.randrange(-1, 2))]}
    before = Driver(dut, cut, dice, STALL)
    for cycle in range(3 * len(cut["words"]) + 3):
        wants_token = before.drive()
        await ReadOnly()
        before.sample(cycle, wants_token)
        await FallingEdge(dut.clk)
    dut.i__valid.value = 0
    await reset(dut)
    await Driver(dut, p, dice, STALL).run()
