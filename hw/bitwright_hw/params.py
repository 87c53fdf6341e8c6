"""Derived parameters of an accelerator: all that follows from a network and a plan, and nothing a user sets.

The timing argument is in docs/hardware.md. In short: an accelerator is a chain of stages (the input stream,
each engine, the output stream), stage k busy T_k cycles a frame, with a buffer of B_k frames between k and
k + 1. It is a marked graph, whose steady interval is the largest ratio of delay to tokens over its
cycles (Commoner, Holt, Even, Pnueli 1971; Reiter 1968): T_k over 1 for each stage, and for each buffer the loop
"take a bank, fill it, read it, give it back" over B_k. So B_k = ceil(loop / T*) banks make the interval T*,
that of the slowest stage, and nothing more.
"""

from dataclasses import dataclass
from functools import cached_property

from bitwright.framing import RESULT_BITS, InputFormat, OutputFormat, input_format, output_format
from bitwright.network import Network, Scores
from bitwright.plan import Fold, LayerPlan, Plan, ceil_div, dense_layers, folds
from bitwright_hw.constant_bits import Known, known_inputs
from bitwright_hw.encoder import Encoder
from bitwright_hw.engine import MatrixEngine, accumulator_bits
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.results import ResultQueue
from bitwright_hw.rom import rom_place
from bitwright_hw.scores import ScoreParams
from bitwright_hw.scores import Scores as ScoreUnit
from bitwright_hw.timing import Pipeline, pipeline

MIN_BANKS = 2
HANDOVER = 4  # cycles of a bank's round trip outside filling and reading: commit, start, release, token


@dataclass(frozen=True, kw_only=True)
class QueueParams:
    """A frame queue: the arguments of FrameQueue."""

    in_width: int
    out_width: int
    bits: int
    banks: int
    repeats: int


def gearbox_times(arrivals: list[int], in_width: int, out_width: int, bits: int) -> list[int]:
    """When a narrow-to-wide Gearbox gives each word of a frame, given when each input word is taken."""
    if in_width == out_width:
        return arrivals
    times: list[int] = []
    for word in range(ceil_div(bits, out_width)):
        completing = min(ceil_div((word + 1) * out_width, in_width), len(arrivals)) - 1
        earliest = arrivals[completing] + 1
        times.append(max(earliest, times[-1] + 1) if times else earliest)
    return times


def queue_times(arrivals: list[int], queue: "QueueParams") -> list[int]:
    """When an idle FrameQueue gives each word of a frame's repeats, given when each input word comes."""
    width = max(queue.in_width, queue.out_width)
    written = gearbox_times(arrivals, queue.in_width, width, queue.bits)[-1]
    first = written + FrameBuffer.LATENCY + (1 if queue.out_width < width else 0)
    count = ceil_div(queue.bits, queue.out_width) * queue.repeats
    return list(range(first, first + count))


@dataclass(frozen=True, kw_only=True)
class EngineParams:
    """An engine, the queue in front of it, and what it costs in cycles.

    A hardwired engine behind another takes that one's words as they come, and has no queue.
    """

    fold: Fold
    pipeline: Pipeline
    queue: QueueParams | None
    latency: int
    hardwired: bool
    known: Known  # of each input the value that it always has, or None


@dataclass(frozen=True, kw_only=True)
class AcceleratorParams:
    """Everything the generator needs beside the network itself."""

    network: Network
    plan: Plan
    input: InputFormat
    output: OutputFormat
    engines: tuple[EngineParams, ...]
    result_slots: int
    result_queue: QueueParams | None  # for a network that gives bits
    interval_cycles: int
    latency_cycles: int

    @cached_property
    def frames_in_flight(self) -> int:
        """The most frames between the input's last beat and the output's last beat."""
        banks = sum(engine.queue.banks for engine in self.engines if engine.queue)
        tail = self.result_queue.banks if self.result_queue else self.result_slots
        return banks + len(self.engines) + tail


def engine_pipeline(fold: Fold, choice: LayerPlan, plan: Plan) -> Pipeline:
    """The registers of an engine folded so, for the plan's clock."""
    stored = choice.engine != "hardwired" and fold.cycles > 1
    block_ram = stored and rom_place(choice.memory, fold.cycles) == "block"
    return pipeline(fold.simd, plan.clock_mhz, plan.target, block_ram=block_ram)


def values_in(format: InputFormat) -> int:
    """Values of a beat that the accelerator reads: all, or a frame's where one beat holds a frame and padding."""
    return min(format.values, format.data_bits // format.value_bits)


def lanes_in(network: Network, format: InputFormat) -> int:
    """Bits of an encoded beat."""
    return values_in(format) * (1 if format.encoded else network.encoding.levels)


def derive(network: Network, plan: Plan) -> AcceleratorParams:
    """Raises PlanError if the plan does not fit the network."""
    in_format, out_format = input_format(network, plan), output_format(network, plan)
    layer_folds = folds(network, plan)
    interval = max(in_format.beats, out_format.beats, *(fold.cycles for fold in layer_folds))
    engines: list[EngineParams] = []

    width = lanes_in(network, in_format)  # of the words that the stage before gives
    arrivals = [beat + Encoder.LATENCY for beat in range(in_format.beats)]
    start = -1  # when the stage before took its token

    def bank_count(start: int, arrivals: list[int], queue: QueueParams, busy: int) -> int:
        filled = gearbox_times(arrivals, queue.in_width, max(queue.in_width, queue.out_width), queue.bits)[-1]
        loop = filled - start + busy + HANDOVER
        return max(MIN_BANKS, ceil_div(loop, interval))

    def make_queue(out_width: int, bits: int, repeats: int) -> QueueParams:
        queue = QueueParams(in_width=width, out_width=out_width, bits=bits, banks=MIN_BANKS, repeats=repeats)
        busy = ceil_div(bits, out_width) * repeats
        banks = bank_count(start, arrivals, queue, busy)
        return QueueParams(in_width=width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)

    layers = zip(dense_layers(network), layer_folds, plan.layers, known_inputs(network), strict=True)
    for layer, fold, choice, known in layers:
        registers = engine_pipeline(fold, choice, plan)
        hardwired = choice.engine == "hardwired"
        latency = (HardwiredEngine if hardwired else MatrixEngine).latency_of(registers)
        queue = None
        words = arrivals
        if not (hardwired and engines and engines[-1].hardwired):
            queue = make_queue(fold.simd, layer.inputs, fold.neuron_folds)
            words = queue_times(arrivals, queue)
            # the reader took its token one cycle before its first read, which came one cycle before the data
            start = words[0] - 2 - (1 if queue.out_width < queue.in_width else 0)
        engines.append(
            EngineParams(
                fold=fold, pipeline=registers, queue=queue, latency=latency, hardwired=hardwired, known=known
            )
        )  # fmt: skip
        arrivals = [word + latency for word in words[fold.synapse_folds - 1 :: fold.synapse_folds]]
        width = fold.pe

    last = dense_layers(network)[-1]
    result_queue = None
    if isinstance(last.output, Scores):
        scores = score_params(network, layer_folds[-1])
        # the scores of a word follow each other; the class comes after the frame's last
        decided = arrivals[-1] + ScoreUnit.LATENCY + scores.steps - 1 + scores.argmax_latency
        latency = decided + ResultQueue.LATENCY + out_format.beats - 1
        slots = max(MIN_BANKS, ceil_div(latency - start + HANDOVER, interval))
    else:
        result_queue = make_queue(RESULT_BITS, last.outputs, 1)
        latency = queue_times(arrivals, result_queue)[-1]
        slots = 0
    return AcceleratorParams(
        network=network, plan=plan, input=in_format, output=out_format, engines=tuple(engines),
        result_slots=slots, result_queue=result_queue, interval_cycles=interval, latency_cycles=latency,
    )  # fmt: skip


def score_params(network: Network, fold: Fold) -> ScoreParams:
    """The scores of a classifier whose last layer is folded so. Raises TypeError for one that gives bits."""
    last = dense_layers(network)[-1]
    if not isinstance(last.output, Scores):
        raise TypeError(f"network {network.name} gives bits, not scores")
    return ScoreParams(
        pe=fold.pe, bits=accumulator_bits(last, fold), spacing=fold.synapse_folds, inputs=last.inputs,
        scale=tuple(last.output.scale.tolist()), offset=tuple(last.output.offset.tolist()),
    )  # fmt: skip
