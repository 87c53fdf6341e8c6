"""The constants of the cost model (bitwright_hw.estimate), which each family has fitted to Yosys (bench/costs.py)."""

from collections.abc import Callable
from dataclasses import dataclass

from bitwright_core.plan import ceil_div
from bitwright_hw.cells import Counts


@dataclass(frozen=True, kw_only=True)
class StraightLine:
    """base + slope * x."""

    base: float
    slope: float

    def at(self, x: float) -> float:
        return self.base + self.slope * x


@dataclass(frozen=True, kw_only=True)
class BlockShapes:
    """A block RAM: `blocks` is what it counts as, `cost` what Yosys says that it costs, `shapes` the widths that it can
    have, each with its words."""

    blocks: float
    cost: int
    shapes: tuple[tuple[int, int], ...]


@dataclass(frozen=True, kw_only=True)
class WindowCost:
    """LUTs of a window unit's control: base + counter * bits of its counters + address * bits of its addresses, or
    odd_address for a depth that is no power of two."""

    base: float
    counter: float
    address: float
    odd_address: float


@dataclass(frozen=True, kw_only=True)
class GearboxCost:
    """LUTs of gearboxes.

    To wider words: widen + bits of the narrow one + slot * words that it holds. To narrower ones: narrow + bits of the
    wide one, or odd_bits * those where a frame's last word has fewer parts. Between widths of which neither divides the
    other: `shifted` over the bits that the shifter's stages move, and, to narrower words, `narrowed` times those and
    `held` times the bits that wait; or, if their reader hardly ever waits, `flowing` over the bits that the stages move
    and those that wait.
    """

    widen: float
    slot: float
    narrow: float
    odd_bits: int
    shifted: StraightLine
    narrowed: float
    held: float
    flowing: StraightLine


@dataclass(frozen=True, kw_only=True)
class LevelCost:
    """LUTs of a threshold stage of several levels.

    chosen: those of a multiplexer of a bit, for each input but the first. compared: those of a comparator, for each
    bit. fixed: for each row that is compared at a time, and `base` once.
    """

    chosen: float
    compared: float
    fixed: float
    base: float


@dataclass(frozen=True, kw_only=True)
class LaneCost:
    """LUTs of arithmetic lane by lane.

    compared: for each bit of a sum that is compared with a constant; chosen: with one that differs from word to word.
    above: for each bit of an adder above its operand's, if that is unsigned: where only a carry comes in.
    """

    compared: float
    chosen: float
    above: float


@dataclass(frozen=True, kw_only=True)
class ScoreCost:
    """LUTs of scores, class and results: logic * (those of 7-series) + lane_bit * bits of the scores a cycle + results
    * (those of the results' control)."""

    logic: float
    lane_bit: float
    results: float


@dataclass(frozen=True, kw_only=True)
class EncoderCost:
    """LUTs of an encoder whose rows differ.

    `phase` times the bits of a pattern's counters; of tables in LUTs, read in the same cycle, `rom` for each bit of as
    many words as a LUT holds; and `compared` over the bits of a value, for a threshold that comes from a table.
    """

    phase: float
    rom: float
    compared: StraightLine


@dataclass(frozen=True, kw_only=True)
class FrontCost:
    """LUTs of what brings frames to lookup tables: guard, collector, and the queues of verdicts and tags.

    guard, collector and records: of each, whatever the widths. keep: for each bit of TKEEP but the first; padding: for
    each that is low in a frame's last beat. word: for each bit of the number of a frame's beats, and `wide` once where
    it has more than six; ahead: for each bit of the number of frames on their way; tag: for each bit of an address in
    the queue of tags. With AXI4-Lite registers, which set the batch mode and hear of errors, `registers` more, and
    registers_keep for each bit of TKEEP but the first.
    """

    guard: float
    collector: float
    records: float
    keep: float
    padding: float
    word: float
    wide: float
    ahead: float
    tag: float
    registers: float
    registers_keep: float


@dataclass(frozen=True, kw_only=True)
class CountsCost:
    """LUTs of scores that are counts themselves, as lookup tables end with, of the class and of the results.

    held: for each bit of the counts where they are shifted; klass: for each bit of a class; slot: for each bit but one
    of an address in the queue of classes; merge: for each bit of a comparison of two lanes. Where scores are sent,
    `sent` more, beside their memory, sent_word for each bit of its address, and sent_bit for each bit of a word of
    several scores.
    """

    base: float
    held: float
    klass: float
    slot: float
    merge: float
    sent: float
    sent_word: float
    sent_bit: float


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What parts take; LUTs unless said otherwise.

    rom(width, depth): a read-only memory of `width` distinct bits, each a function of the address, as Yosys makes it.
    buffer(width, depth): a small memory with a write port and a clocked read port, not in block RAM if the family
    can have it elsewhere, and the multiplexers behind it; register_file the same with a read port that is not clocked.
    """

    blocks: tuple[BlockShapes, ...]
    rom: Callable[[int, int], int]
    buffer: Callable[[int, int], Counts]
    register_file: Callable[[int, int], Counts]
    lut_memories: bool  # whether there are memories in LUTs
    multipliers: bool  # whether Yosys puts multiplications into the family's own
    lut_inputs: int
    encoder: EncoderCost
    portable_row: StraightLine  # of a row in plain Verilog, over its lanes
    tree_ffs: float  # flip-flops of a lane's sum, for each register in it
    engine_control: StraightLine  # over the bits of its counters
    preload_control: StraightLine  # over the bits of its counters
    levels: LevelCost
    lanes: LaneCost
    borders: int  # control of preloads that depend on the place in the image
    window: WindowCost
    pool: int  # control
    source: int  # control
    queue: StraightLine  # over the bits of its counters
    gearbox: GearboxCost
    control: int  # registers and AXI4-Lite
    guard: int  # beside a LUT a bit of the stream
    tags: int  # queues of verdicts and tags
    tag_lutram: int  # of them, memories
    tag_ffs: int
    result_beats: int  # counter of a result of bits
    scores: ScoreCost
    tables: tuple[float, ...]  # of a neuron that depends on 2, 3 ... 6 bits
    table_inputs: int  # of what Yosys makes one level of
    table_resets: bool  # whether a register is reset where a half of the table in front of it is 0
    ones: StraightLine  # of the number of ones among so many bits, in plain Verilog
    front: FrontCost
    counts: CountsCost

    def table(self, inputs: int) -> float:
        """LUTs of a neuron that depends on so many bits, 6 at the most: none where it is a wire."""
        return self.tables[inputs - 2] if inputs > 1 else 0

    def masks(self, bits: int) -> int:
        """LUTs that make so many bits of a beat 0 in front of their registers; one where their reset does."""
        return min(1, bits) if self.table_resets else bits

    @property
    def lut_bits(self) -> int:
        """Bits of a read-only memory that a LUT holds."""
        return 1 << self.lut_inputs

    @property
    def block_bits(self) -> int:
        """Bits of a block, parity included, at the most."""
        return max(round(width * words / block.blocks) for block in self.blocks for width, words in block.shapes)

    def block_rams(self, width: int, depth: int) -> float:
        """Blocks of a memory as Yosys maps it (memory_libmap): every block of one shape, the cheapest one.

        What is deeper than a block lies in banks side by side, a bit of one beside a bit of the next where a row has
        room for both; choosing among banks costs half a unit a bit and bank.
        """
        options = []
        for block in self.blocks:
            for shape, words in block.shapes:
                banks = ceil_div(depth, words)
                number = ceil_div(width * banks, shape)
                options.append((number * block.cost + 0.5 * width * (banks - 1), number * block.blocks))
        return min(options)[1]


def lut4_rom(width: int, depth: int, shares: tuple[float, ...]) -> int:
    """LUT4s of a ROM: a table of its address for each bit. Of 2 to the power of the address bits beyond four a table
    takes shares[those bits] times as many, from the last one on alike: what Yosys' sharing and its limits come to."""
    beyond = max(0, (depth - 1).bit_length() - 4)
    return round(width * 2**beyond * shares[min(len(shares) - 1, beyond)])


def lut4_memory(width: int, depth: int, taken: int) -> Counts:
    """A memory in LUT4s: 16 words of 4 bits occupy `taken` of them, and a LUT a bit joins each further 16 words."""
    groups = ceil_div(depth, 16)
    memory = taken * ceil_div(width, 4) * groups
    return Counts(luts=memory + (groups - 1) * width, lutram=memory)
