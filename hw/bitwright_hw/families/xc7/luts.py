"""The 7-series cells of a popcount, with their functions: LUT6, LUT6_2 and CARRY4.

A LUT6_2 whose sixth input is 1 gives two functions of its other five inputs. A position i of a CARRY4 gives
O = S ^ C and passes on S ? C : DI, where C is the carry from position i - 1 (Xilinx UG474).
"""

from collections.abc import Callable, Sequence

from amaranth.hdl import C, Cat, Instance, Module, Signal, Value

from bitwright_hw.products import Gate

Function = Callable[..., int]


def table(function: Function, inputs: int) -> int:
    """The truth table of a function of `inputs` bits: bit i is its value where input k is bit k of i."""
    return sum((function(*(i >> k & 1 for k in range(inputs))) & 1) << i for i in range(1 << inputs))


def parity(*bits: int) -> int:
    return sum(bits) & 1


_GATES: dict[Gate, Callable[[int, int], int]] = {
    "xnor": lambda x, w: 1 ^ x ^ w,
    "and": lambda x, w: x & w,
    "nand": lambda x, w: 1 ^ (x & w),
}


def leaf_bit(output: int, lanes: int, gate: Gate = "xnor") -> Function:
    """Bit `output` of the number of agreeing lanes (or of those whose gate is 1) and set bits; x and w of each lane
    come first."""
    one = _GATES[gate]

    def function(*inputs: int) -> int:
        agree = sum(one(x, w) for x, w in zip(inputs[: 2 * lanes : 2], inputs[1 : 2 * lanes : 2], strict=True))
        return (agree + sum(inputs[2 * lanes :])) >> output & 1

    return function


def half_is_one(*five: int) -> int:
    """Half of the number of ones, rounded down, is 1: the second position of a counter of seven passes a carry."""
    return int(sum(five) >> 1 == 1)


def half_is_two(*five: int) -> int:
    """Whether half is 2: the second position makes a carry."""
    return int(sum(five) >> 1 == 2)


def lut(m: Module, function: Function, inputs: Sequence[Value]) -> Signal:
    """One LUT6."""
    out = Signal(name="o6")
    padded = [*inputs, *[C(0, 1)] * (6 - len(inputs))]
    ports = {f"i_I{k}": value for k, value in enumerate(padded)}
    # unused inputs are 0, so only the table's first entries matter; repeating them is what synthesis writes
    init = table(function, len(inputs))
    for k in range(len(inputs), 6):
        init |= init << (1 << k)
    m.submodules += Instance("LUT6", p_INIT=C(init, 64), o_O=out, **ports)
    return out


def lut_pair(m: Module, o6: Function, o5: Function, inputs: Sequence[Value]) -> tuple[Signal, Signal]:
    """One LUT6_2: two functions of at most five inputs."""
    out6, out5 = Signal(name="o6"), Signal(name="o5")
    padded = [*inputs, *[C(0, 1)] * (5 - len(inputs)), C(1, 1)]
    ports = {f"i_I{k}": value for k, value in enumerate(padded)}
    tables = []
    for function in (o5, o6):
        init = table(function, len(inputs))
        for k in range(len(inputs), 5):
            init |= init << (1 << k)
        tables.append(init)
    m.submodules += Instance("LUT6_2", p_INIT=C(tables[1] << 32 | tables[0], 64), o_O6=out6, o_O5=out5, **ports)
    return out6, out5


def carry_chain(
    m: Module, propagate: Sequence[Value], generate: Sequence[Value], carry: Value
) -> tuple[list[Value], Value]:
    """CARRY4s in a row, as many as it takes: the sum bit of each position, and the carry out of the last."""
    size = len(propagate)
    sums: list[Value] = []
    for start in range(0, size, 4):
        used = min(4, size - start)
        blank = [C(0, 1)] * (4 - used)
        out, carries = Signal(4, name="sum"), Signal(4, name="carry")
        m.submodules += Instance(
            "CARRY4",
            i_CYINIT=carry if start == 0 else C(0, 1),
            i_CI=C(0, 1) if start == 0 else carry,
            i_S=Cat(*propagate[start : start + used], *blank),
            i_DI=Cat(*generate[start : start + used], *blank),
            o_O=out,
            o_CO=carries,
        )
        sums.extend(out[k] for k in range(used))
        carry = carries[used - 1]
    return sums, carry
