"""What a network takes on an FPGA under a plan, and its cycles, without synthesis: a model of Yosys' results.

Rows are exact (popcount.row_luts), block RAM follows Yosys' own choice among the shapes of a block, weights in LUTs are
the distinct columns of the memory. Control is linear in the widths of its counters, fitted to Yosys.
"""

from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np

from bitwright.errors import PlanError
from bitwright.families import FamilyName
from bitwright.framing import InputFormat
from bitwright.network import Network, Scores
from bitwright.plan import Fold, LayerPlan, Plan, ceil_div
from bitwright_hw.cells import Counts, LayerCounts
from bitwright_hw.encoder_counts import encoder_counts, source_table_counts
from bitwright_hw.engine import Matrix, MatrixEngine, accumulator_bits, preload_borders, preload_count
from bitwright_hw.families import family_named
from bitwright_hw.gearbox import shift_params
from bitwright_hw.integer_row import chain_length
from bitwright_hw.lut_rom import lut_rom_luts
from bitwright_hw.max_pool import PoolParams
from bitwright_hw.params import (
    AcceleratorParams,
    QueueParams,
    derive,
    engine_pipeline,
    lanes_in,
    score_params,
)
from bitwright_hw.pixel_source import DEPTH, SourceParams
from bitwright_hw.popcount import row_luts
from bitwright_hw.rom import NARROW_WORDS, ram_place, rom_place
from bitwright_hw.window_params import WindowParams

Family = Literal["xc7", "ecp5"]
Part = FamilyName  # what a model is for: the families that Yosys counts, and one that is rough

# widths of the shapes of a block, each as deep as its data bits fill it (a width that is no power of two holds parity)
_WIDTHS = {4: (2, 4, 8, 16), 18: (1, 2, 4, 9, 18, 36), 36: (1, 2, 4, 9, 18, 36, 72)}
# kbit of a block with parity, blocks (RAMB36, EBR), and what Yosys says that it costs
_BLOCKS: dict[Part, tuple[tuple[int, float, int], ...]] = {
    "xc7": ((18, 0.5, 129), (36, 1.0, 257)),
    "ecp5": ((18, 1.0, 128),),
    "ice40": ((4, 1.0, 1),),
}


def weights_a_block(family: Part) -> int:
    """Bits of a block, parity included: no weight memory puts more into one."""
    return max(round(kbit * 1024 / blocks) for kbit, blocks, _ in _BLOCKS[family])


def weights_a_lut(family: Part) -> int:
    """Weights of a layer for each LUT that it takes, at the most, where they lie in no block RAM: a LUT's bits.

    Folds of so few cycles that columns of the memory repeat take more LUTs in their rows.
    """
    return 64 if family == "xc7" else 16


def block_rams(width: int, depth: int, family: Part) -> float:
    """Blocks of a read-only memory: every block of one shape, the cheapest one."""
    options = []
    for kbit, blocks, cost in _BLOCKS[family]:
        for shape in _WIDTHS[kbit]:
            words = 4096 // shape if kbit == 4 else kbit // 9 * 8192 // (shape // 9 * 8 or shape)
            number = ceil_div(width, shape) * ceil_div(depth, words)
            options.append((number * cost, number * blocks))
    return min(options)[1]


@dataclass(frozen=True, kw_only=True)
class LayerEstimate(LayerCounts):
    """What a layer takes, and its cycles a frame."""

    cycles: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a design is expected to take on `family`, and its steady interval."""

    family: Part
    layers: tuple[LayerEstimate, ...]
    other: Counts
    cycles: int

    @property
    def total(self) -> Counts:
        total = self.other
        for layer in self.layers:
            total += layer.total
        return total

    def to_dict(self) -> dict[str, Any]:
        """As `bitwright synth --json` prints it."""
        memory = family_named(self.family).block_ram
        layers = [{"name": layer.name, **layer.total.to_dict(memory), "cycles": layer.cycles} for layer in self.layers]
        total = self.total.to_dict(memory)
        return {**total, "cycles": self.cycles, "layers": layers, "other": self.other.to_dict(memory)}


def estimate(network: Network, plan: Plan, *, family: Part) -> Estimate:
    """Estimates the design that `generate(network, plan)` would write. Raises PlanError for a plan that does not fit.

    LUTs of a plan whose target is `family` come out within 15 % of Yosys' (`make bench` shows the worst), those
    of another target's portable rows within a third; block RAM exactly, but for deep weight
    memories (thousands of words), which take a little less. Flip-flops are rough.
    """
    params = derive(network, plan)
    for choice in plan.layers:
        if choice.engine == "hardwired":
            raise PlanError(
                f"layer {choice.name} is hardwired, and its LUTs depend on its weights; count them with synth"
            )
    layers = []
    for layer, engine, choice in zip(network.matrix_layers, params.engines, plan.layers, strict=True):
        counts = engine_counts(layer, engine.fold, choice, plan, family=family)
        if engine.window is not None:
            queue = window_counts(engine.window, family)
        elif engine.queue is not None:
            queue = queue_counts(engine.queue, family)
        else:
            raise PlanError(f"layer {layer.name} is hardwired: its LUTs depend on its weights; count them with synth")
        layers.append(LayerEstimate(name=layer.name, engine=counts, queue=queue, cycles=engine.fold.frame_cycles))
    return Estimate(family=family, layers=tuple(layers), other=_other(params, family), cycles=params.interval_cycles)


def _bits(count: int) -> int:
    """Bits of a counter with `count` states."""
    return max(1, (count - 1).bit_length())


def _either(family: Part, xc7: float, ecp5: float) -> int:
    return round(xc7 if family == "xc7" else ecp5)


def _counted(family: Part) -> Family:
    return "xc7" if family == "xc7" else "ecp5"


def _rom(width: int, depth: int, family: Part) -> int:
    """LUTs of a read-only memory of `width` distinct bits, each a function of the address, as Yosys makes it."""
    address = _bits(depth)
    if family == "xc7":
        return width * 2 ** max(0, address - 6)
    beyond = max(0, address - 4)  # above a LUT4's inputs; Yosys' sharing falls behind for deep ones
    return round(width * 2**beyond * (1, 1, 1.05, 1.6, 1.5)[min(4, beyond)])


def engine_counts(
    layer: Matrix, fold: Fold, choice: LayerPlan, plan: Plan, *, family: Part, exact: bool = True
) -> Counts:
    """An engine. Unless `exact`, weights in LUTs count for every lane, equal ones and constant ones too."""
    binary = layer.takes.is_binary
    registers, target, memory = engine_pipeline(fold, choice, plan, binary=binary), plan.target, choice.memory
    stages = registers.stages
    bits = accumulator_bits(layer, fold)
    single = fold.synapse_folds == 1
    values = preload_count(layer, fold, bits)
    if binary:
        row = row_luts(simd=fold.simd, bits=bits, target=target, stages=stages, single=single, family=_counted(family))
    else:
        row = integer_row_luts(fold.simd, layer.takes.bits, bits)
    if values == 1 and not stages:
        row -= bits  # a constant preload is blanked for nothing
    scores = isinstance(layer.output, Scores)
    kept = bits * (0 if single else 1) + (bits if scores else 1)
    row_ffs = kept + (bits if stages and values > 1 else 0)
    tree_ffs = _either(family, 0.33 * fold.lanes * stages, 0.4 * fold.lanes * stages)
    again = (registers.read_latency - 1) * (fold.simd + fold.lanes)  # words and weights wait a cycle more
    counter = _bits(fold.cycles) + _bits(fold.synapse_folds)
    total = Counts(
        luts=fold.pe * row + max(1, _either(family, 0.93 * counter - 4, 2.5 * counter - 9)),
        ffs=fold.pe * row_ffs + tree_ffs + counter + again + fold.simd + 3 * MatrixEngine.latency_of(registers),
    )
    if not binary:
        total += _integer_terms(fold, layer.takes.bits)
    if fold.cycles > 1 and rom_place(memory, fold.cycles) == "block":
        total += Counts(block_rams=block_rams(fold.lanes, fold.cycles, family))
    elif fold.cycles > 1:
        columns = _distinct_columns(layer.rows, fold) if exact else min(fold.lanes, 1 << min(32, fold.cycles))
        luts = lut_rom_luts(fold.cycles, columns) if target == "xc7" else _rom(columns, fold.cycles, family)
        total += Counts(luts=luts, ffs=columns)
    if values == 1:
        return total
    borders = preload_borders(layer)
    if borders is not None:
        total += Counts(luts=_either(family, 30, 60), ffs=_bits(len(borders.rows)) + _bits(len(borders.columns)) + 8)
    step = ceil_div(fold.pe, fold.synapse_folds)
    steps = ceil_div(fold.pe, step)
    words = steps * values
    control = 2 * _bits(words) + _bits(steps)
    merged = 0 if stages else fold.pe  # without a register the blanking shares the final adder's LUTs
    total += Counts(
        luts=_either(family, 3 + 0.9 * control, 1.4 * control + 5) - merged, ffs=steps * step * bits + control
    )
    if rom_place("auto", words, limit=NARROW_WORDS) == "block":
        return total + Counts(block_rams=block_rams(step * bits, words, family))
    return total + Counts(luts=_rom(step * bits, words, family))


def _distinct_columns(weights: np.ndarray, fold: Fold) -> int:
    """Bits of the weight memory that are neither constant nor equal to another one."""
    padded = np.ones((fold.neuron_folds * fold.pe, fold.synapse_folds * fold.simd), np.uint8)
    padded[: weights.shape[0], : weights.shape[1]] = weights
    words = padded.reshape(fold.neuron_folds, fold.pe, fold.synapse_folds, fold.simd).transpose(0, 2, 1, 3)
    columns = np.unique(words.reshape(fold.cycles, fold.lanes), axis=1)
    return int((columns.min(axis=0) != columns.max(axis=0)).sum())


def integer_row_luts(simd: int, lane_bits: int, bits: int) -> int:
    """LUTs of an IntegerRow: an adder a term, whose operand takes a LUT a bit where it is the first."""
    terms = chain_length(simd)
    if terms == 1:
        return lane_bits + 1 + 2 * bits
    chain = sum(lane_bits + 1 + term.bit_length() for term in range(1, terms))
    return lane_bits + 1 + chain + bits


def _integer_terms(fold: Fold, lane_bits: int) -> Counts:
    """What the rows on integers share: sums and differences, and registers that skew words and weights."""
    pairs, terms = fold.simd // 2, chain_length(fold.simd)
    skew = terms * (terms - 1) // 2
    return Counts(
        luts=2 * pairs * (lane_bits + 1),
        ffs=2 * pairs * (lane_bits + 1) + skew * 2 * (lane_bits + 1 + fold.pe) + fold.pe * terms * (lane_bits + 2),
    )


def window_counts(window: WindowParams, family: Part) -> Counts:
    """A sliding window: its line buffers, addresses and counters, and the gearboxes around it."""
    width = window.storage_lanes * window.lane_bits
    address, cycles = _bits(window.depth), window.cycles.bit_length()
    counters = _bits(window.image_pixels) + _bits(window.capacity) + cycles + _bits(window.windows.pixels)
    odd = window.depth & (window.depth - 1) != 0
    total = Counts(
        luts=_either(family, 22 + 1.2 * counters + (6 if odd else 3) * address, 40 + 3 * counters + 9 * address),
        ffs=2 * counters + 3 * address + window.read_lanes * window.lane_bits,
    )
    writers = (window.tile[0] - 1) * (address + 2)
    total += Counts(luts=writers + address, ffs=window.copies * address)
    if any(window.windows.padding):
        total += Counts(luts=window.read_lanes * window.lane_bits // 2 + 16, ffs=sum(window.windows.kernel) + 1)
    for _ in range(window.copies):
        total += _buffer(width, window.depth, family)
    total += _gearbox(window.in_width * window.lane_bits, width, window.channels * window.lane_bits, family)
    return total + _gearbox(
        window.read_lanes * window.lane_bits, window.simd * window.lane_bits, window.inputs * window.lane_bits, family
    )


def _buffer(width: int, depth: int, family: Part) -> Counts:
    """A memory with a write and a read port, in LUTs or in block RAM."""
    if ram_place(width, depth) == "block":
        return Counts(block_rams=block_rams(width, depth, family))
    return _lut_memory(width, depth, family)


def pool_counts(pool: PoolParams, family: Part) -> Counts:
    """A max-pool: partial results, and the tables of where windows begin and end."""
    rows, columns = pool.axes
    total = Counts(luts=_either(family, 30, 60), ffs=4 * _bits(rows.size) + 4 * _bits(columns.size) + 2)
    for axis, inner in ((columns, pool.words), (rows, columns.count * pool.words)):
        total += Counts(ffs=pool.width + 1)
        for slot in range(min(axis.slots, axis.count)):
            total += Counts(luts=pool.width if slot else pool.width // 2)
            total += _lut_memory(pool.width, inner, family) if inner > 1 else Counts(ffs=pool.width)
    return total


def source_counts(source: SourceParams, family: Part) -> Counts:
    """What brings the beats to the first window."""
    beat = source.beat_lanes * source.lane_bits
    width = source.width * source.lane_bits
    total = Counts(luts=_either(family, 20, 50), ffs=20) + _lut_memory(beat, DEPTH, family)
    total += _gearbox(beat, width, source.pixels * source.channels * source.lane_bits, family)
    if source.tables:
        total += source_table_counts(source, family)
    return total


def queue_counts(queue: QueueParams, family: Part) -> Counts:
    """The buffer and the gearboxes around it."""
    width = max(queue.in_width, queue.out_width)
    words = ceil_div(queue.bits, width)
    depth = queue.banks * words
    counters = 4 * _bits(depth) + 2 * _bits(words) + _bits(queue.repeats) + 2 * (queue.banks).bit_length()
    total = Counts(luts=_either(family, 18 + 0.45 * counters, 15 + 2 * counters), ffs=counters + width + 2)
    total += _buffer(width, depth, family)
    total += _gearbox(queue.in_width, width, queue.bits, family)
    return total + _gearbox(width, queue.out_width, queue.bits, family)


def _lut_memory(width: int, depth: int, family: Part) -> Counts:
    """A memory with a write and a read port, in LUTs, and the multiplexers behind it."""
    if family == "ice40":
        return Counts(block_rams=block_rams(width, depth, family))
    if family == "ecp5":
        groups = ceil_div(depth, 16)
        memory, ways = 6 * ceil_div(width, 4) * groups, groups - 1
    elif depth <= 32:
        memory, ways = 4 * ceil_div(width, 6), 0
    else:
        groups = ceil_div(depth, 64)
        memory, ways = 4 * ceil_div(width, 3) * groups, ceil_div(groups - 1, 3)
    return Counts(luts=memory + ways * width, lutram=memory)


def _gearbox(in_width: int, out_width: int, bits: int, family: Part) -> Counts:
    if in_width == out_width:
        return Counts()
    words = ceil_div(bits, in_width)
    if out_width % in_width == 0:
        slots = out_width // in_width
        return Counts(
            luts=_either(family, 10 + in_width + slots, 15 + in_width + 2 * slots),
            ffs=out_width + 1 + _bits(slots) + _bits(words),
        )
    if in_width % out_width == 0:
        even = bits % in_width == 0  # otherwise a frame's last word has fewer parts, which ECP5's wide LUTs pay for
        return Counts(
            luts=_either(family, in_width + 8, (1 if even else 3) * in_width + 10),
            ffs=in_width + _bits(in_width // out_width + 1) + (0 if words == 1 else _bits(words)),
        )
    box = shift_params(in_width, out_width, bits)
    width = box.capacity * box.unit
    stages, moved = 0, in_width
    for bit in range(box.furthest.bit_length()):
        moved = min(moved + (box.unit << bit), width)
        stages += moved
    wide = _either(family, 0.28 * stages + 0.7 * width, 0.4 * stages + 3 * width) if in_width > out_width else 0
    return Counts(
        luts=_either(family, 38 + 0.58 * stages, 15 + 1.8 * stages) + wide,
        ffs=width + box.capacity.bit_length() + _bits(words),
    )


def shell_counts(network: Network, stream: InputFormat, family: Part) -> Counts:
    """What is the same for every fold: control, guard, encoder."""
    width = stream.data_bits
    total = Counts(luts=_either(family, 130, 370), ffs=181)
    total += Counts(luts=_either(family, 23 + width, 45 + width), ffs=4 + _bits(stream.beats))
    lanes = lanes_in(network, stream)
    total += Counts(ffs=lanes + 1)
    total += encoder_counts(network, stream, family)
    # the verdicts' and tags' queues
    return total + Counts(luts=_either(family, 37, 61), lutram=_either(family, 8, 12), ffs=21)


def _other(params: AcceleratorParams, family: Part) -> Counts:
    """The shell, sources and pools, and what follows the last engine."""
    total = shell_counts(params.network, params.input, family)
    if params.front is not None:
        total += source_counts(params.front.source, family)
        for path in (params.result_path, *(engine.path for engine in params.engines)):
            for unit in path:
                total += pool_counts(unit, family) if isinstance(unit, PoolParams) else window_counts(unit, family)
    if params.result_queue is not None:
        beats = params.output.beats
        return total + queue_counts(params.result_queue, family) + Counts(luts=_either(family, 4, 8), ffs=_bits(beats))
    fold = params.engines[-1].fold
    return total + score_counts(params.network, fold, sent=params.plan.scores, family=family)


def score_counts(network: Network, fold: Fold, *, sent: bool, family: Part) -> Counts:
    """Scores, class and results of a classifier whose last layer is folded so."""
    scores = score_params(network, fold)
    held = scores.pe * scores.bits
    size = scores.score_bits
    scale_bits = max(scores.scale).bit_length()
    dsp = scale_bits > 1 and scale_bits + scores.bits >= 9
    shift = held * 0.7 if scores.steps > 1 else 0
    constants = scores.lanes * (scale_bits + size) * (1 if scores.words > 4 else 0.4)
    argmax = (scores.lanes - 1) * 1.5 * size + 1.5 * size
    luts = shift + constants + argmax + (0 if dsp else scores.lanes * prod((scale_bits, scores.bits)))
    results = 60 if sent else 12
    return Counts(
        luts=_either(family, luts + results, 1.4 * luts + scores.lanes * size + 2.4 * results),
        ffs=held + round(3.2 * scores.lanes * size),
        lutram=8 if sent else 4,
        dsps=scores.lanes if dsp else 0,
    )
