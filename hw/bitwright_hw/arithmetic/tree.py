"""The portable popcount: counters of three lanes, then a balanced tree of adders of exact width, for any target."""

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Signal, Value

CHUNK = 63  # lanes that are counted in one word: a simulator's registers have 64 bits


def agreeing(m: Module, x: Value, w: Value) -> Signal:
    """The XNOR of each lane."""
    agree = Signal(len(x))
    m.d.comb += agree.eq(~(x ^ w))
    return agree


def registered_levels(levels: int, stages: int) -> list[int]:
    """How many of `stages` registers follow each of `levels` levels of logic, behind which one more comes."""
    after = [0] * levels
    for stage in range(stages if levels else 0):
        after[max(1, (stage + 1) * (levels + 1) // (stages + 1)) - 1] += 1
    return after


def longest_run(levels: int, stages: int) -> int:
    """Levels between registers, at most, the one behind the last level included."""
    longest = run = 0
    for registers in registered_levels(levels, stages):
        run += 1
        if registers:
            longest, run = max(longest, run), 0
    return max(longest, run + 1)


def tree_levels(lanes: int) -> int:
    """Levels of logic of adder_tree."""
    chunks = [min(CHUNK, lanes - start) for start in range(0, lanes, CHUNK)]
    return 2 + (sum(-(-chunk // 6) for chunk in chunks) - 1).bit_length()


def adder_tree(m: Module, bits: Value | Sequence[Value], stages: int) -> Signal:
    """The number of ones among `bits`, `stages` cycles later."""
    lanes = bits if isinstance(bits, Value) else Cat(*bits)
    chunks = [lanes[start : start + CHUNK] for start in range(0, len(lanes), CHUNK)]
    levels = tree_levels(len(lanes))
    registers = registered_levels(levels, stages)
    level: list[tuple[Value, int]] = []  # numbers, each with the largest value that it takes
    for k, chunk in enumerate(chunks):
        level += _sixes(m, chunk, registers[:2], k)
    for depth in range(2, levels):
        sums: list[tuple[Value, int]] = []
        for i in range(0, len(level), 2):
            parts = level[i : i + 2]
            most = sum(limit for _, limit in parts)
            total = Signal(range(most + 1), name=f"sum_{depth}_{i // 2}")
            m.d.comb += total.eq(parts[0][0] if len(parts) == 1 else parts[0][0] + parts[1][0])
            sums.append((_delayed(m, total, registers[depth]), most))
        level = sums
    total = Signal(range(len(lanes) + 1), name="ones")
    m.d.comb += total.eq(level[0][0])
    return total


def _sixes(m: Module, lanes: Value, registers: list[int], chunk: int) -> list[tuple[Value, int]]:
    """Counts of up to six lanes each, with the largest value that each takes.

    Full adders count three lanes each, all in one word with three bits for each count; one addition adds the word's
    upper half to its lower one, since no count passes three bits. That is as many LUTs as separate adders take,
    and a simulator does it in a dozen operations.
    """
    fields = -(-len(lanes) // 3)
    ones = Const(sum(1 << 3 * i for i in range(fields)), 3 * fields)
    first, second, third = (Signal(3 * fields, name=f"lanes_{chunk}_{k}") for k in range(3))
    m.d.comb += [first.eq(lanes & ones), second.eq((lanes >> 1) & ones), third.eq((lanes >> 2) & ones)]
    odd, carry, threes = (Signal(3 * fields, name=f"{name}_{chunk}") for name in ("odd", "carry", "threes"))
    m.d.comb += [
        odd.eq(first ^ second),
        carry.eq((first & second) | (odd & third)),
        threes.eq((odd ^ third) | (carry << 1)),
    ]
    threes = _delayed(m, threes, registers[0])
    limits = [min(3, len(lanes) - 3 * i) for i in range(fields)]
    half = -(-fields // 2)
    sixes = Signal(3 * half, name=f"sixes_{chunk}")
    m.d.comb += sixes.eq(threes[: 3 * half] + threes[3 * half :])
    sixes = _delayed(m, sixes, registers[1])
    return [(sixes[3 * i : 3 * i + 3], limits[i] + sum(limits[i + half : i + half + 1])) for i in range(half)]


def _delayed(m: Module, value: Signal, registers: int) -> Signal:
    for k in range(registers):
        delayed = Signal(len(value), name=f"{value.name}_r{k}", reset_less=True)
        m.d.sync += delayed.eq(value)
        value = delayed
    return value
