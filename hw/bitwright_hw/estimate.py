"""What a network takes on an FPGA under a plan, and its cycles, without synthesis: a model of Yosys' results.

Rows are exact (popcount.row_luts), block RAM follows Yosys' own choice among the shapes of a block, weights in LUTs are
the distinct columns of the memory. Control is linear in the widths of its counters, fitted to Yosys.
"""

from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from bitwright_core.errors import PlanError
from bitwright_core.framing import InputFormat
from bitwright_core.network import Network, Scores
from bitwright_core.plan import Fold, LayerPlan, Plan, ceil_div
from bitwright_hw.cells import Counts, LayerCounts
from bitwright_hw.encoder_counts import encoder_counts, source_table_counts
from bitwright_hw.engine import Matrix, MatrixEngine, accumulator_bits, preload_borders, preload_count
from bitwright_hw.families import COUNTED, Family, family_named
from bitwright_hw.families.costs import Costs
from bitwright_hw.gearbox import shift_params
from bitwright_hw.integer_row import chain_length
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


@dataclass(frozen=True, kw_only=True)
class LayerEstimate(LayerCounts):
    """What a layer takes, and its cycles a frame."""

    cycles: int


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a design is expected to take on `family`, and its steady interval."""

    family: Family
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
        memory = self.family.block_ram
        layers = [{"name": layer.name, **layer.total.to_dict(memory), "cycles": layer.cycles} for layer in self.layers]
        total = self.total.to_dict(memory)
        return {**total, "cycles": self.cycles, "layers": layers, "other": self.other.to_dict(memory)}


def estimate(network: Network, plan: Plan, *, family: Family) -> Estimate:
    """Estimates the design that `generate(network, plan)` would write. Raises PlanError for a plan that does not fit.

    LUTs of a plan whose target is `family` come out within 15 % of Yosys' (`make bench` shows the worst), those
    of another target's portable rows within a third; block RAM exactly, but for deep weight
    memories (thousands of words), which take a little less. Flip-flops are rough.
    """
    costs = costs_of(family)
    params = derive(network, plan)
    for choice in plan.layers:
        if choice.engine == "hardwired":
            raise PlanError(
                f"layer {choice.name} is hardwired, and its LUTs depend on its weights; count them with synth"
            )
    layers = []
    for layer, engine, choice in zip(network.matrix_layers, params.engines, plan.layers, strict=True):
        counts = engine_counts(layer, engine.fold, choice, plan, costs)
        if engine.window is not None:
            queue = window_counts(engine.window, costs)
        elif engine.queue is not None:
            queue = queue_counts(engine.queue, costs)
        else:
            raise PlanError(f"layer {layer.name} is hardwired: its LUTs depend on its weights; count them with synth")
        layers.append(LayerEstimate(name=layer.name, engine=counts, queue=queue, cycles=engine.fold.frame_cycles))
    return Estimate(family=family, layers=tuple(layers), other=_other(params, costs), cycles=params.interval_cycles)


def costs_of(family: Family) -> Costs:
    """Raises PlanError for what is no FPGA, whose resources could be counted."""
    if family.costs is None:
        names = ", ".join(counted.name for counted in COUNTED)
        raise PlanError(f"family {family.name} is no FPGA, whose resources could be counted; say one of {names}")
    return family.costs


def _bits(count: int) -> int:
    """Bits of a counter with `count` states."""
    return max(1, (count - 1).bit_length())


def engine_counts(
    layer: Matrix, fold: Fold, choice: LayerPlan, plan: Plan, costs: Costs, *, exact: bool = True
) -> Counts:
    """An engine. Unless `exact`, weights in LUTs count for every lane, equal ones and constant ones too."""
    binary = layer.takes.is_binary
    registers, memory = engine_pipeline(fold, choice, plan, binary=binary), choice.memory
    target = family_named(plan.target)
    stages = registers.stages
    bits = accumulator_bits(layer, fold)
    single = fold.synapse_folds == 1
    values = preload_count(layer, fold, bits)
    if binary:
        row = row_luts(simd=fold.simd, bits=bits, target=target, costs=costs, stages=stages, single=single)
    else:
        row = integer_row_luts(fold.simd, layer.takes.bits, bits)
    if values == 1 and not stages:
        row -= bits  # a constant preload is blanked for nothing
    scores = isinstance(layer.output, Scores)
    kept = bits * (0 if single else 1) + (bits if scores else 1)
    row_ffs = kept + (bits if stages and values > 1 else 0)
    tree_ffs = round(costs.tree_ffs * fold.lanes * stages)
    again = (registers.read_latency - 1) * (fold.simd + fold.lanes)  # words and weights wait a cycle more
    counter = _bits(fold.cycles) + _bits(fold.synapse_folds)
    total = Counts(
        luts=fold.pe * row + max(1, round(costs.engine_control.at(counter))),
        ffs=fold.pe * row_ffs + tree_ffs + counter + again + fold.simd + 3 * MatrixEngine.latency_of(registers),
    )
    if not binary:
        total += _integer_terms(fold, layer.takes.bits)
    if fold.cycles > 1 and rom_place(memory, fold.cycles) == "block":
        total += Counts(block_rams=costs.block_rams(fold.lanes, fold.cycles))
    elif fold.cycles > 1:
        columns = _distinct_columns(layer.rows, fold) if exact else min(fold.lanes, 1 << min(32, fold.cycles))
        made = target.lut_roms
        luts = costs.rom(columns, fold.cycles) if made is None else made.luts(fold.cycles, columns)
        total += Counts(luts=luts, ffs=columns)
    if values == 1:
        return total
    borders = preload_borders(layer)
    if borders is not None:
        total += Counts(luts=costs.borders, ffs=_bits(len(borders.rows)) + _bits(len(borders.columns)) + 8)
    step = ceil_div(fold.pe, fold.synapse_folds)
    steps = ceil_div(fold.pe, step)
    words = steps * values
    control = 2 * _bits(words) + _bits(steps)
    merged = 0 if stages else fold.pe  # without a register the blanking shares the final adder's LUTs
    total += Counts(luts=round(costs.preload_control.at(control)) - merged, ffs=steps * step * bits + control)
    if rom_place("auto", words, limit=NARROW_WORDS) == "block":
        return total + Counts(block_rams=costs.block_rams(step * bits, words))
    return total + Counts(luts=costs.rom(step * bits, words))


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


def window_counts(window: WindowParams, costs: Costs) -> Counts:
    """A sliding window: its line buffers, addresses and counters, and the gearboxes around it."""
    width = window.storage_lanes * window.lane_bits
    address, cycles = _bits(window.depth), window.cycles.bit_length()
    counters = _bits(window.image_pixels) + _bits(window.capacity) + cycles + _bits(window.windows.pixels)
    control = costs.window
    each = control.address if window.depth & (window.depth - 1) == 0 else control.odd_address
    total = Counts(
        luts=round(control.base + control.counter * counters + each * address),
        ffs=2 * counters + 3 * address + window.read_lanes * window.lane_bits,
    )
    writers = (window.tile[0] - 1) * (address + 2)
    total += Counts(luts=writers + address, ffs=window.copies * address)
    if any(window.windows.padding):
        total += Counts(luts=window.read_lanes * window.lane_bits // 2 + 16, ffs=sum(window.windows.kernel) + 1)
    for _ in range(window.copies):
        total += _buffer(width, window.depth, costs)
    total += gearbox_counts(window.in_width * window.lane_bits, width, window.channels * window.lane_bits, costs)
    return total + gearbox_counts(
        window.read_lanes * window.lane_bits, window.simd * window.lane_bits, window.inputs * window.lane_bits, costs
    )


def _buffer(width: int, depth: int, costs: Costs) -> Counts:
    """A memory with a write and a clocked read port, in LUTs or in block RAM."""
    if ram_place(width, depth) == "block":
        return Counts(block_rams=costs.block_rams(width, depth))
    return costs.buffer(width, depth)


def pool_counts(pool: PoolParams, costs: Costs) -> Counts:
    """A max-pool: partial results, and the tables of where windows begin and end."""
    rows, columns = pool.axes
    total = Counts(luts=costs.pool, ffs=4 * _bits(rows.size) + 4 * _bits(columns.size) + 2)
    for axis, inner in ((columns, pool.words), (rows, columns.count * pool.words)):
        total += Counts(ffs=pool.width + 1)
        for slot in range(min(axis.slots, axis.count)):
            total += Counts(luts=pool.width if slot else pool.width // 2)
            total += costs.register_file(pool.width, inner) if inner > 1 else Counts(ffs=pool.width)
    return total


def source_counts(source: SourceParams, costs: Costs) -> Counts:
    """What brings the beats to the first window."""
    beat = source.beat_lanes * source.lane_bits
    width = source.width * source.lane_bits
    total = Counts(luts=costs.source, ffs=20) + costs.register_file(beat, DEPTH)
    total += gearbox_counts(beat, width, source.pixels * source.channels * source.lane_bits, costs)
    if source.tables:
        total += source_table_counts(source, costs)
    return total


def queue_counts(queue: QueueParams, costs: Costs) -> Counts:
    """The buffer and the gearboxes around it."""
    width = max(queue.in_width, queue.out_width)
    words = ceil_div(queue.bits, width)
    depth = queue.banks * words
    counters = 4 * _bits(depth) + 2 * _bits(words) + _bits(queue.repeats) + 2 * (queue.banks).bit_length()
    total = Counts(luts=round(costs.queue.at(counters)), ffs=counters + width + 2)
    total += _buffer(width, depth, costs)
    total += gearbox_counts(queue.in_width, width, queue.bits, costs)
    return total + gearbox_counts(width, queue.out_width, queue.bits, costs)


def gearbox_counts(in_width: int, out_width: int, bits: int, costs: Costs) -> Counts:
    if in_width == out_width:
        return Counts()
    cost = costs.gearbox
    words = ceil_div(bits, in_width)
    if out_width % in_width == 0:
        slots = out_width // in_width
        return Counts(
            luts=round(cost.widen + in_width + cost.slot * slots),
            ffs=out_width + 1 + _bits(slots) + _bits(words),
        )
    if in_width % out_width == 0:
        even = bits % in_width == 0  # otherwise a frame's last word has fewer parts, which ECP5's wide LUTs pay for
        return Counts(
            luts=round((1 if even else cost.odd_bits) * in_width + cost.narrow),
            ffs=in_width + _bits(in_width // out_width + 1) + (0 if words == 1 else _bits(words)),
        )
    box = shift_params(in_width, out_width, bits)
    width = box.capacity * box.unit
    stages, moved = 0, in_width
    for bit in range(box.furthest.bit_length()):
        moved = min(moved + (box.unit << bit), width)
        stages += moved
    wide = round(cost.narrowed * stages + cost.held * width) if in_width > out_width else 0
    return Counts(
        luts=round(cost.shifted.at(stages)) + wide,
        ffs=width + box.capacity.bit_length() + _bits(words),
    )


def shell_counts(network: Network, stream: InputFormat, costs: Costs) -> Counts:
    """What is the same for every fold: control, guard, encoder."""
    width = stream.data_bits
    total = Counts(luts=costs.control, ffs=181)
    total += Counts(luts=costs.guard + width, ffs=4 + _bits(stream.beats))
    lanes = lanes_in(network, stream)
    total += Counts(ffs=lanes + 1)
    total += encoder_counts(network, stream, costs)
    # the verdicts' and tags' queues
    return total + Counts(luts=costs.tags, lutram=costs.tag_lutram, ffs=costs.tag_ffs)


def _other(params: AcceleratorParams, costs: Costs) -> Counts:
    """The shell, sources and pools, and what follows the last engine."""
    total = shell_counts(params.network, params.input, costs)
    if params.front is not None:
        total += source_counts(params.front.source, costs)
        for path in (params.result_path, *(engine.path for engine in params.engines)):
            for unit in path:
                total += pool_counts(unit, costs) if isinstance(unit, PoolParams) else window_counts(unit, costs)
    if params.result_queue is not None:
        beats = params.output.beats
        return total + queue_counts(params.result_queue, costs) + Counts(luts=costs.result_beats, ffs=_bits(beats))
    fold = params.engines[-1].fold
    return total + score_counts(params.network, fold, costs, sent=params.plan.scores)


def score_counts(network: Network, fold: Fold, costs: Costs, *, sent: bool) -> Counts:
    """Scores, class and results of a classifier whose last layer is folded so."""
    scores = score_params(network, fold)
    held = scores.pe * scores.bits
    size = scores.score_bits
    scale_bits = max(scores.scale).bit_length()
    dsp = costs.multipliers and scale_bits > 1 and scale_bits + scores.bits >= 9
    shift = held * 0.7 if scores.steps > 1 else 0
    constants = scores.lanes * (scale_bits + size) * (1 if scores.words > 4 else 0.4)
    argmax = (scores.lanes - 1) * 1.5 * size + 1.5 * size
    luts = shift + constants + argmax + (0 if dsp else scores.lanes * prod((scale_bits, scores.bits)))
    results = 60 if sent else 12
    each = costs.scores
    return Counts(
        luts=round(each.logic * luts + each.lane_bit * scores.lanes * size + each.results * results),
        ffs=held + round(3.2 * scores.lanes * size),
        lutram=(8 if sent else 4) if costs.lut_memories else 0,
        dsps=scores.lanes if dsp else 0,
    )
