"""ECP5 carry chains: additions put behind one another in CCU2C cells.

Half of a CCU2C adds two functions of two inputs each and the carry from the half before, at one LUT4 for the
sum bit and the carry together (Lattice FPGA-DS-02012; the cell model of Yosys). The second function must be 0
when its inputs are, as the cell takes its own carry from the first two inputs alone: entries 0 to 3 of its table.

Inputs that no function has are 1, which a slice gives by itself. A 0 at the third or fourth would be a wire: nextpnr
brings one net to all of them, and in a large design they are a quarter of what it has to route.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from amaranth.hdl import C, Instance, Module, Signal, Value

from bitwright_hw.families.chains import ChainFamily, ChainOperand

CHAIN = 32  # halves in a row; each pair adds 43 ps to a carry that timing analysis believes to run through


@dataclass(frozen=True, kw_only=True)
class Half:
    """Half of a CCU2C: its four inputs and its table (bit i: inputs i)."""

    inputs: tuple[Value, ...]
    init: int


def adding(one: ChainOperand, other: ChainOperand) -> Half:
    """Adds both and the carry."""
    init = sum((one.at(i & 3) ^ other.at(i >> 2)) << i for i in range(16))
    return Half(inputs=(*_pair(one.inputs), *_pair(other.inputs)), init=init)


def entering(carry: ChainOperand) -> Half:
    """Starts a carry, and gives out the one before as its sum bit: with the last input 1 nothing is added."""
    return Half(inputs=(*_pair(carry.inputs), *_pair(())), init=sum(carry.at(i) << i for i in range(4)))


def _pair(inputs: Sequence[Value]) -> list[Value]:
    return [*inputs, *[C(1, 1)] * (2 - len(inputs))]


class ChainLength:
    """How many halves additions take in chains, alone."""

    def __init__(self) -> None:
        self.total = 0
        self.open = 0
        self.top = False

    def fits(self, width: int) -> bool:
        """Whether an addition of `width` positions can join the open chain and still end it."""
        return self.open + width + 2 <= CHAIN

    def add(self, width: int, top: bool) -> None:
        """An addition of `width` positions, of which the carry out counts if `top`."""
        if not self.fits(width):
            self.close()
        self.open += width + 1
        self.top = top

    def close(self) -> None:
        self.open += self.top
        self.total += self.open + self.open % 2
        self.open, self.top = 0, False


class Chains:
    """Adds numbers in carry chains, as many additions to a chain as `CHAIN` allows. `close` when all are there.

    An addition starts with a half by which its carry enters. That half adds nothing, so that its sum bit is the
    carry out of the addition before, which therefore needs no half to get out.
    """

    def __init__(self, m: Module):
        self.m = m
        self.halves: list[Half] = []
        self.sums: list[Signal] = []
        self.length = ChainLength()
        self.top: Signal | None = None  # the carry that the next half gives out

    def add(
        self, one: Sequence[ChainOperand], other: Sequence[ChainOperand], carry: ChainOperand, bits: int
    ) -> list[Signal]:
        """The lowest `bits` bits of one + other + carry, at most one more than the longer number has."""
        width = max(len(one), len(other))
        if not self.length.fits(width):
            self.close()
        self.length.add(width, bits > width)
        self._put(entering(carry), self.top if self.top is not None else Signal(name="unused"))
        out = [Signal(name=f"sum_{k}") for k in range(width + 1)]
        for k in range(width):
            self._put(adding(_at(one, k), _at(other, k)), out[k])
        self.top = out[width] if bits > width else None
        return out[:bits]

    def _put(self, half: Half, total: Signal) -> None:
        self.halves.append(half)
        self.sums.append(total)

    def close(self) -> None:
        """Ends the chain: makes its cells."""
        self.length.close()
        if self.top is not None:
            self._put(entering(ChainOperand.zero()), self.top)
            self.top = None
        if len(self.halves) % 2:
            self._put(entering(ChainOperand.zero()), Signal(name="unused"))
        carry: Value = C(0, 1)
        for k in range(0, len(self.halves), 2):
            ports: dict[str, Value] = {}
            for i in range(2):
                for name, value in zip("ABCD", self.halves[k + i].inputs, strict=True):
                    ports[f"i_{name}{i}"] = value
            out = Signal(name="carry")
            self.m.submodules += Instance(
                "CCU2C",
                p_INIT0=C(self.halves[k].init, 16),
                p_INIT1=C(self.halves[k + 1].init, 16),
                p_INJECT1_0="NO",
                p_INJECT1_1="NO",
                i_CIN=carry,
                o_S0=self.sums[k],
                o_S1=self.sums[k + 1],
                o_COUT=out,
                **ports,
            )
            carry = out
        self.halves, self.sums = [], []


def _at(number: Sequence[ChainOperand], k: int) -> ChainOperand:
    return number[k] if k < len(number) else ChainOperand.zero()


def _none(functions: int) -> int:
    """LUTs beside the chains: a position takes two functions of two inputs each, and a carry another."""
    return 0


CHAINS = ChainFamily(
    chains=Chains,
    length=ChainLength,
    spare=_none,
    agree=ChainOperand.different,
    start=ChainOperand.either,
    preload=ChainOperand.bit,
    inverted_weights=True,
    inverted_preload=False,
)
