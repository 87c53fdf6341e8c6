"""A compressor's counters as hardware, with registers where the schedule has them."""

from collections.abc import Callable, Sequence

from amaranth.hdl import Module, Signal, Value

from bitwright_hw.arithmetic.compressor import Compressor, Counter, Placement

MakeCounter = Callable[[Module, Counter, Sequence[Value], Sequence[Value]], Sequence[Value]]


def compress(
    m: Module, tree: Compressor, plan: Placement, stages: int, x: Value, w: Value, make: MakeCounter
) -> list[list[Value]]:
    """The columns of `tree` for lanes x and w, all behind `stages` registers.

    `make` gives a counter's outputs for its lanes' inputs (x and w in turn) and its bits. The registers have a reset,
    which keeps Yosys from making a shift register, that is a LUT, of a bit that waits for several cycles.
    """
    at: list[list[Value]] = []  # of each bit, its value behind each further register

    def value(bit: int, stage: int) -> Value:
        chain = at[bit]
        while plan.bits[bit] + len(chain) <= stage:
            register = Signal(name=f"bit_{bit}_r{len(chain)}")
            m.d.sync += register.eq(chain[-1])
            chain.append(register)
        return chain[stage - plan.bits[bit]]

    for counter in tree.counters:
        stage = plan.bits[counter.outputs[0]]
        lanes = [lane for i in counter.lanes for lane in (x[i], w[i])]
        outputs = make(m, counter, lanes, [value(bit, stage) for bit in counter.bits])
        at += [[output] for output in outputs]
    return [[value(bit, stages) for bit in column] for column in tree.columns]
