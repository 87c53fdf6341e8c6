"""Derived parameters of an accelerator: all that follows from a network and a plan, and nothing a user sets.

The timing argument is in docs/hardware.md; that of the convolutions at the front in `schedule`. In short: an
accelerator is a chain of stages (the input stream, each engine, the output stream), stage k busy T_k cycles a frame,
with a buffer of B_k frames between k and k + 1. It is a marked graph, whose steady interval is the largest ratio of
delay to tokens over its cycles (Commoner, Holt, Even, Pnueli 1971; Reiter 1968): T_k over 1 for each stage, and for
each buffer the loop "take a bank, fill it, read it, give it back" over B_k. So B_k = ceil(loop / T*) banks make the
interval T*, that of the slowest stage, and nothing more.
"""

from dataclasses import dataclass
from functools import cached_property

from bitwright_core.framing import RESULT_BITS, InputFormat, OutputFormat, input_format, output_format
from bitwright_core.network import Conv2d, MaxPool2d, Network, Scores, Votes
from bitwright_core.plan import Fold, LayerPlan, Plan, ceil_div, folds
from bitwright_hw.constant_bits import Known, known_inputs
from bitwright_hw.encoder import Encoder
from bitwright_hw.engine import MatrixEngine, accumulator_bits, count_range
from bitwright_hw.families import Family, family_named
from bitwright_hw.frame_buffer import FrameBuffer
from bitwright_hw.hardwired import HardwiredEngine
from bitwright_hw.image_params import ImageFront, image_front
from bitwright_hw.integer_row import row_stages
from bitwright_hw.max_pool import PoolParams
from bitwright_hw.results import ResultQueue
from bitwright_hw.rom import rom_place
from bitwright_hw.schedule import gearbox_times
from bitwright_hw.scores import ScoreParams
from bitwright_hw.scores import Scores as ScoreUnit
from bitwright_hw.timing import Pipeline, pipeline
from bitwright_hw.window_params import WindowParams

Path = tuple[PoolParams | WindowParams, ...]  # units on the way of pixels, in order

MIN_BANKS = 2
DIRECT_FRAMES = 4  # that can lie between the guard and the first buffer's last word, without convolutions
HANDOVER = 4  # cycles of a bank's round trip outside filling and reading: commit, start, release, token


@dataclass(frozen=True, kw_only=True)
class QueueParams:
    """A frame queue: the arguments of FrameQueue."""

    in_width: int
    out_width: int
    bits: int
    banks: int
    repeats: int


def queue_times(arrivals: list[int], queue: "QueueParams") -> list[int]:
    """When an idle FrameQueue gives each word of a frame's repeats, given when each input word comes."""
    width = max(queue.in_width, queue.out_width)
    written = gearbox_times(arrivals, queue.in_width, width, queue.bits)[-1]
    first = written + FrameBuffer.LATENCY + (1 if queue.out_width < width else 0)
    count = ceil_div(queue.bits, queue.out_width) * queue.repeats
    return list(range(first, first + count))


@dataclass(frozen=True, kw_only=True)
class EngineParams:
    """An engine, what is in front of it, and what it costs in cycles.

    In front of a convolution is a window unit, in front of a dense layer a queue; a hardwired engine behind another
    takes that one's words as they come, and has none. `path` lies before window or queue: pools, and what pads for
    them.
    """

    fold: Fold
    pipeline: Pipeline
    queue: QueueParams | None
    latency: int
    hardwired: bool
    known: Known  # of each input the value that it always has, or None
    window: WindowParams | None = None
    path: Path = ()


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
    front: ImageFront | None = None  # of a network that begins with images
    result_path: Path = ()  # what lies before the result queue of a network that ends in images

    @cached_property
    def family(self) -> Family:
        """The family that the plan's target names."""
        return family_named(self.plan.target)

    @cached_property
    def frames_in_flight(self) -> int:
        """The most frames between the input's last beat and the output's last beat."""
        banks = sum(engine.queue.banks for engine in self.engines if engine.queue)
        tail = self.result_queue.banks if self.result_queue else self.result_slots
        return banks + len(self.engines) + tail

    @cached_property
    def frames_before_queues(self) -> int:
        """The most frames between the input's last beat and the first queue's last word."""
        return DIRECT_FRAMES if self.front is None else self.front.frames


def engine_pipeline(fold: Fold, choice: LayerPlan, plan: Plan, *, binary: bool = True) -> Pipeline:
    """The registers of an engine folded so, for the plan's clock."""
    stored = choice.engine != "hardwired" and fold.cycles > 1
    block_ram = stored and rom_place(choice.memory, fold.cycles) == "block"
    found = pipeline(fold.simd, plan.clock_mhz, family_named(plan.target), block_ram=block_ram)
    return found if binary else Pipeline(read_latency=found.read_latency, stages=row_stages(fold.simd))


def values_in(format: InputFormat) -> int:
    """Values of a beat that the accelerator reads: all, or a frame's where one beat holds a frame and padding."""
    return min(format.values, format.data_bits // format.value_bits)


def lanes_in(network: Network, format: InputFormat) -> int:
    """Bits of an encoded beat."""
    lanes = values_in(format) * (1 if format.encoded else network.encoding.levels)
    return lanes * (1 if format.encoded else network.encoding.number.bits)


def derive(network: Network, plan: Plan) -> AcceleratorParams:
    """Raises PlanError if the plan does not fit the network."""
    in_format, out_format = input_format(network, plan), output_format(network, plan)
    layer_folds = folds(network, plan)
    interval = max(in_format.beats, out_format.beats, *(fold.frame_cycles for fold in layer_folds))
    engines: list[EngineParams] = []
    pipelines = [
        engine_pipeline(fold, choice, plan, binary=layer.takes.is_binary)
        for layer, fold, choice in zip(network.matrix_layers, layer_folds, plan.layers, strict=True)
    ]

    width = lanes_in(network, in_format)  # of the words that the stage before gives
    arrivals = [beat + Encoder.LATENCY for beat in range(in_format.beats)]
    start = -1  # when the stage before took its token
    filling: int | None = None  # cycles from there to a frame's last word, where the stage before is not at full speed

    front = None
    last_path: Path = ()
    if any(isinstance(layer, Conv2d | MaxPool2d) for layer in network.layers):
        latencies = [MatrixEngine.latency_of(registers) for registers in pipelines]
        front = image_front(
            network,
            folds=layer_folds,
            latencies=latencies,
            beat_lanes=values_in(in_format),
            encoded=in_format.encoded,
            value_bits=in_format.value_bits,
            interval=interval,
        )
        interval = front.interval
        path: Path = ()
        for stage in front.stages:
            if not stage.has_engine:
                path = (*path, *stage.pools, stage.window)
                continue
            k = len(engines)
            engines.append(
                EngineParams(
                    fold=layer_folds[k],
                    pipeline=pipelines[k],
                    queue=None,
                    latency=latencies[k],
                    hardwired=False,
                    known=(),
                    window=stage.window,
                    path=(*path, *stage.pools),
                )
            )
            path = ()
        last_path = (*path, *front.pools)
        width, arrivals, start, filling = front.word_bits, front.arrivals, front.started, front.filling

    def bank_count(start: int, arrivals: list[int], queue: QueueParams, busy: int) -> int:
        filled = gearbox_times(arrivals, queue.in_width, max(queue.in_width, queue.out_width), queue.bits)[-1]
        loop = filled - start + busy + HANDOVER
        if filling is not None:
            loop = filling + (filled - arrivals[-1]) + busy + HANDOVER
        return max(MIN_BANKS, ceil_div(loop, interval))

    def make_queue(out_width: int, bits: int, repeats: int) -> QueueParams:
        queue = QueueParams(in_width=width, out_width=out_width, bits=bits, banks=MIN_BANKS, repeats=repeats)
        busy = ceil_div(bits, out_width) * repeats
        banks = bank_count(start, arrivals, queue, busy)
        return QueueParams(in_width=width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)

    layers = zip(network.matrix_layers, layer_folds, plan.layers, known_inputs(network), pipelines, strict=True)
    for layer, fold, choice, known, registers in list(layers)[len(engines) :]:
        hardwired = choice.engine == "hardwired"
        latency = (HardwiredEngine if hardwired else MatrixEngine).latency_of(registers)
        queue = None
        words = arrivals
        if not (hardwired and engines and engines[-1].hardwired):
            bits = layer.takes.bits
            queue = make_queue(fold.simd * bits, layer.inputs * bits, fold.neuron_folds)
            words = queue_times(arrivals, queue)
            # the reader took its token one cycle before its first read, which came one cycle before the data
            start = words[0] - 2 - (1 if queue.out_width < queue.in_width else 0)
            filling = None
        engines.append(
            EngineParams(
                fold=fold,
                pipeline=registers,
                queue=queue,
                latency=latency,
                hardwired=hardwired,
                known=known,
                path=last_path,
            )
        )
        last_path = ()
        arrivals = [word + latency for word in words[fold.synapse_folds - 1 :: fold.synapse_folds]]
        width = fold.pe

    result_queue = None
    if network.gives_scores:
        scores = score_params(network, layer_folds[-1])
        # the scores of a word follow each other; the class comes after the frame's last
        decided = arrivals[-1] + ScoreUnit.LATENCY + scores.steps - 1 + scores.argmax_latency
        latency = decided + ResultQueue.LATENCY + out_format.beats - 1
        slots = max(MIN_BANKS, ceil_div(latency - start + HANDOVER, interval))
    else:
        result_queue = make_queue(RESULT_BITS, network.outputs, 1)
        latency = queue_times(arrivals, result_queue)[-1]
        slots = 0
    return AcceleratorParams(
        network=network,
        plan=plan,
        input=in_format,
        output=out_format,
        engines=tuple(engines),
        result_slots=slots,
        result_queue=result_queue,
        interval_cycles=interval,
        latency_cycles=latency,
        front=front,
        result_path=last_path,
    )


def score_params(network: Network, fold: Fold) -> ScoreParams:
    """The scores of a classifier whose last layer is folded so. Raises TypeError for one that gives bits.

    Votes are scores of activations: votes_c times the bit.
    """
    last = network.matrix_layers[-1]
    if isinstance(last.output, Votes):
        votes = tuple(last.output.votes.tolist())
        return ScoreParams(
            pe=fold.pe, bits=1, spacing=fold.synapse_folds, inputs=1, scale=votes, offset=(0,) * len(votes)
        )
    if not isinstance(last.output, Scores):
        raise TypeError(f"network {network.name} gives bits, not scores")
    least, largest = count_range(last)
    return ScoreParams(
        pe=fold.pe,
        bits=accumulator_bits(last, fold),
        spacing=fold.synapse_folds,
        inputs=largest,
        least=least,
        scale=tuple(last.output.scale.tolist()),
        offset=tuple(last.output.offset.tolist()),
    )
