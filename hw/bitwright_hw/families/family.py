"""A family of FPGAs: all that differs from one to another, as one object.

Components, the estimate and the tools' flows take a Family and ask it; none asks for its name.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from amaranth.hdl import Module, Signal, Value
from amaranth.lib import wiring

from bitwright_core.families import FamilyName
from bitwright_hw.arithmetic.shared_sums import Reduce, SharedSums
from bitwright_hw.cells import BlockRam
from bitwright_hw.families.costs import Costs
from bitwright_hw.families.flow import Flow, TopFlow
from bitwright_hw.families.synthesis import Synthesis
from bitwright_hw.products import Gate


@dataclass(frozen=True, kw_only=True)
class Delays:
    """Nanoseconds, each with the wire behind it."""

    register: float  # clock to output, and the setup of the next
    block_ram: float  # the same for a block RAM without output register
    level: float  # a LUT, or an addition of few bits


@dataclass(frozen=True, kw_only=True)
class GatedLanes:
    """Lanes of a bit: those where `gate` of x and w is 1 count `1 << shift` each."""

    x: Value
    w: Value
    shift: int
    gate: Gate


@dataclass(frozen=True, kw_only=True)
class Rows:
    """How XNOR, popcount and accumulation are made: functions that add logic to module m.

    - accumulated(m, x, w, accumulator, preload, stages): (accumulator OR preload) + the number of agreeing lanes of x
      and w `stages` cycles ago. One of accumulator and preload is 0.
    - counted(m, x, w, width, stages): the number of agreeing lanes, in `width` bits.
    - weighted(m, lanes, accumulator, preload, stages): as accumulated, for several `GatedLanes`, each of as many lanes.
    - levels(simd, stages): levels of logic between registers of a row, at most: LUTs, or additions of a few bits.
    - luts(simd, bits, stages, single): the LUTs of a row, exactly as Yosys counts them, beside the one that joins
      `last` and reset for all rows of an engine. None where the synthesizer maps the row as it likes.
    - weighted_luts(simd, products, bits, stages, single): the same for several `GatedLanes`, whose shifts and gates are
      `products`.

    With `inverted_weights`, w comes complemented wherever XNORs take it; with `inverted_preload`, the preload does, and
    none of it is all ones.
    """

    inverted_weights: bool
    accumulated: Callable[[Module, Value, Value, Value, Value, int], Value]
    counted: Callable[[Module, Value, Value, int, int], Value]
    levels: Callable[[int, int], float]
    weighted: Callable[[Module, Sequence[GatedLanes], Value, Value, int], Value]
    luts: Callable[[int, int, int, bool], int] | None = None
    weighted_luts: Callable[[int, tuple[tuple[int, Gate], ...], int, int, bool], int] | None = None
    inverted_preload: bool = False


@dataclass(frozen=True, kw_only=True)
class HardwiredSums:
    """How the sums of a hardwired layer's rows are made.

    A full adder that `least_share` sums have in common is shared. reduce(builder, columns, last) adds counters of a
    sum's own. held(constant): what the sum holds of its row's constant.

    totals(m, sums, inputs, constants, bits, seen_bits, stages): for each row k its value, `stages` + 2 cycles after the
    inputs: 2 * sum k + ~s + constants[k] - 2 * held(constants[k]) modulo 2 ** bits, where s, of `seen_bits` bits, is
    the last sum.

    ones(m, inputs, width, stages): how many inputs were 1 `stages` cycles ago, in `width` bits. ones_luts(inputs,
    stages): the LUTs of its cells; None where the synthesizer maps it as it likes.
    """

    least_share: int
    reduce: Reduce | None
    held: Callable[[int], int]
    totals: Callable[[Module, SharedSums, Value, Sequence[int], int, int, int], list[Signal]]
    ones: Callable[[Module, Value, int, int], Value]
    ones_luts: Callable[[int, int], int] | None = None


def nothing_held(constant: int) -> int:
    """Holds no constants: the answer of sums that have room for none."""
    return 0


@dataclass(frozen=True, kw_only=True)
class LutRoms:
    """Read-only memories in LUTs that are written out, because Yosys would make more of them.

    make(width, words): a component with `addr`, `en` and `data`, which has word `addr` a cycle after `en`.
    luts(words, columns): its LUTs for so many words, and columns that differ.
    """

    make: Callable[[int, Sequence[int]], wiring.Component]
    luts: Callable[[int, int], int]


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """A family. Two are equal if they are the same object.

    `name` is what plans, manifests, boards and options say, `title` the maker's. Without `lut_roms` a read-only memory
    in LUTs is plain Verilog with an attribute. `simulation_models` are Verilog models of the cells that designs
    instantiate: a simulator needs them, a tool for the family brings its own. Without `synthesis` and
    `costs` nothing counts its designs: so it is with what is made for any FPGA. `ultra` synthesizes those with UltraRAM
    in place of `synthesis`; without it the family has none. Without `flow` nothing here places
    them. With `vivado` AMD's tool does.
    """

    name: FamilyName
    title: str
    rows: Rows
    sums: HardwiredSums
    delays: Delays
    block_ram: BlockRam
    lut_roms: LutRoms | None = None
    simulation_models: tuple[Path, ...] = ()
    synthesis: Synthesis | None = None
    ultra: Synthesis | None = None
    costs: Costs | None = None
    flow: Flow | None = None
    vivado: TopFlow | None = None
