"""The portable popcount: a balanced tree of adders with named sums of exact width, for any target."""

from amaranth.hdl import Module, Signal, Value


def agreeing(m: Module, x: Value, w: Value) -> list[Signal]:
    """The XNOR of each lane."""
    simd = len(x)
    agree = Signal(simd)
    m.d.comb += agree.eq(~(x ^ w))
    lanes = [Signal(name=f"lane_{i}") for i in range(simd)]
    m.d.comb += [lane.eq(agree[i]) for i, lane in enumerate(lanes)]
    return lanes


def registered_levels(levels: int, stages: int) -> list[int]:
    """How many of `stages` registers follow each of `levels` levels of logic, behind which one more comes."""
    after = [0] * levels
    for stage in range(stages if levels else 0):
        after[max(1, (stage + 1) * (levels + 1) // (stages + 1)) - 1] += 1
    return after


def adder_tree(m: Module, bits: list[Signal], stages: int) -> Signal:
    """The number of ones among `bits`, `stages` cycles later."""
    level = [(bit, 1) for bit in bits]  # each with the largest value that it takes
    widths: list[int] = []
    count = len(bits)
    while True:
        arity = 3 if not widths else 2
        widths.append(arity)
        count = -(-count // arity)
        if count == 1:
            break
    for depth, (arity, registers) in enumerate(zip(widths, registered_levels(len(widths), stages), strict=True)):
        sums = []
        for i in range(0, len(level), arity):
            parts = level[i : i + arity]
            most = sum(limit for _, limit in parts)
            total = Signal(range(most + 1), name=f"sum_{depth}_{i // arity}")
            expression: Value = parts[0][0]
            for part, _ in parts[1:]:
                expression = expression + part
            m.d.comb += total.eq(expression)
            for k in range(registers):
                delayed = Signal(range(most + 1), name=f"sum_{depth}_{i // arity}_r{k}")
                m.d.sync += delayed.eq(total)
                total = delayed
            sums.append((total, most))
        level = sums
    return level[0][0]
