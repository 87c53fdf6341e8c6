"""From a network and a plan to the graph of stages that computes it, with room in none of them yet.

Each kind of operator has a handler that says what lies in front of its engine, or what it is itself: `HANDLERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bitwright_core.errors import PlanError
from bitwright_core.framing import RESULT_BITS, InputFormat, input_format, output_format
from bitwright_core.network import MatrixLayer, Network, Node
from bitwright_core.plan import Fold, Plan, folds
from bitwright_hw.constant_bits import Known, known_inputs
from bitwright_hw.encoder import lanes_in, values_in
from bitwright_hw.engines import engine_named
from bitwright_hw.stage_graph import EndStage, LayerStages, StageEdge, StageGraph, Stream
from bitwright_hw.stages.bits import BitsStage
from bitwright_hw.stages.classes import ClassStage, score_params
from bitwright_hw.stages.encode import EncodeStage, PaddingStage
from bitwright_hw.stages.engine import EngineStage
from bitwright_hw.stages.frames import FrameTokensStage, RepackStage
from bitwright_hw.stages.guard import GuardStage
from bitwright_hw.stages.pool import PoolStage, pool_params
from bitwright_hw.stages.queue import QueueStage
from bitwright_hw.stages.source import SourceStage, source_params
from bitwright_hw.stages.stage import Stage
from bitwright_hw.stages.window import WindowStage, window_params


@dataclass(frozen=True)
class Step:
    """A stage and what it gives."""

    stage: Stage
    gives: Stream


@dataclass(frozen=True, kw_only=True)
class Front:
    """Where a handler's stages stand: in front of engine `place` ("0", "1" ... or "last"), with `fold` of its layer;
    `passed` of them are there already, and pixels were on their way for `around` cycles since the last window."""

    place: str
    fold: Fold | None
    passed: int = 0
    around: int = 0


def _max_pool(node: Node, stream: Stream, front: Front) -> list[Step]:
    """The pool, and in front of it a window that pads the image, where windows overlap in the padding."""
    assert node.operator.pooling is not None
    pool, padding = pool_params(node.operator.pooling, stream.lanes)
    found = []
    if padding is not None:
        window = WindowStage(name=f"path_{front.place}_{front.passed}", params=padding, around=front.around)
        found.append(Step(window, replace(stream, pixels=padding.windows.pixels)))
    name = f"path_{front.place}_{front.passed + len(found)}"
    return [*found, Step(PoolStage(name=name, params=pool), replace(stream, pixels=node.pixels))]


def _convolution(node: Node, stream: Stream, front: Front) -> list[Step]:
    """The window in front of its engine."""
    matrix, windows = node.operator.matrix, node.operator.windows
    assert matrix is not None and windows is not None and front.fold is not None
    window = window_params(matrix, windows, front.fold, stream.lanes)
    name = f"queue_{front.place}"
    gives = Stream(lanes=front.fold.simd, lane_bits=stream.lane_bits, size=front.fold.inputs, pixels=node.pixels)
    return [Step(WindowStage(name=name, params=window, around=front.around), gives)]


def _dense(node: Node, stream: Stream, front: Front) -> list[Step]:
    """The queue in front of its engine."""
    assert node.operator.matrix is not None and front.fold is not None
    found = _frames(stream)
    width = found[-1].gives.bits if found else stream.bits
    bits = node.operator.matrix.takes.bits
    queue = QueueStage(
        name=f"queue_{front.place}",
        in_width=width,
        out_width=front.fold.simd * bits,
        bits=node.inputs * bits,
        repeats=front.fold.neuron_folds,
    )
    return [*found, Step(queue, Stream(lanes=front.fold.simd, lane_bits=bits, size=node.inputs))]


HANDLERS: dict[str, Callable[[Node, Stream, Front], list[Step]]] = {
    "dense": _dense,
    "conv2d": _convolution,
    "max_pool2d": _max_pool,
}


def _frames(stream: Stream) -> list[Step]:
    """Pixels to words of frames: with a token for each frame, and without gaps between pixels."""
    if stream.pixels is None:
        return []
    frame = replace(stream, size=stream.size * stream.pixels, pixels=None)
    found = [Step(FrameTokensStage(name="frames", pixels=stream.pixels), frame)]
    if stream.size % stream.lanes and stream.pixels > 1:
        repack = RepackStage(name="repack", narrow=stream.bits, wide=stream.size * stream.lane_bits)
        found.append(Step(repack, replace(frame, lanes=stream.size)))
    return found


@dataclass(frozen=True, kw_only=True)
class Gap:
    """The nodes in front of engine `place` ("0", "1" ... or "last" for the output stream): some without weights, then,
    unless it is the last, the engine's own."""

    place: str
    before: tuple[Node, ...]
    matrix: Node | None


def gaps(network: Network) -> list[Gap]:
    """The gap in front of each layer with weights, and behind the last one."""
    found: list[Gap] = []
    before: list[Node] = []
    for node in network.nodes:
        if node.operator.matrix is None:
            before.append(node)
        else:
            found.append(Gap(place=str(len(found)), before=tuple(before), matrix=node))
            before = []
    return [*found, Gap(place="last", before=tuple(before), matrix=None)]


def in_front(gap: Gap, stream: Stream, fold: Fold | None, *, latency: int = 0, joined: bool = False) -> list[Step]:
    """What lies between `stream` and an engine that is folded so and has this latency: pools, and a window or a queue.

    `joined` says that the engine takes its words as they come from one that is of its kind.
    """
    found: list[Step] = []
    front = Front(place=gap.place, fold=fold)
    for node in gap.before if gap.matrix is None or joined else (*gap.before, gap.matrix):
        stream = found[-1].gives if found else stream
        around = _around(found) + (latency if node is gap.matrix else 0)
        found += HANDLERS[node.operator.kind](node, stream, replace(front, passed=len(found), around=around))
    return found


def _around(steps: Sequence[Step]) -> int:
    """Cycles that pixels are on their way behind the last window among these stages."""
    total = 0
    for step in steps:
        total = 0 if isinstance(step.stage, WindowStage) else total + step.stage.delay
    return total


def guard_stage(network: Network, format: InputFormat) -> GuardStage:
    """The gate of the input stream."""
    return GuardStage(name="guard", format=format, by_beat=network.takes_images)


def results_of(layer: MatrixLayer, fold: Fold) -> Stream:
    """What the engine of `layer` gives, folded so: activations, a bit each, or scores' counts."""
    return Stream(
        lanes=fold.pe, lane_bits=1, size=layer.outputs, pixels=None if layer.windows is None else layer.pixels
    )


def bits_end(network: Network, gap: Gap, stream: Stream) -> tuple[list[Step], BitsStage]:
    """What lies behind the last engine of a network that gives bits, where the last gap is, and the last stage."""
    found = in_front(gap, stream, None)
    found += _frames(found[-1].gives if found else stream)
    width = (found[-1].gives if found else stream).bits
    return found, BitsStage(name="results", in_width=width, out_width=RESULT_BITS, bits=network.outputs, repeats=1)


def head(network: Network, guard: GuardStage) -> list[Step]:
    """What takes the beats of the input stream, up to lanes as the first layer takes them."""
    format, by_beat = guard.format, guard.by_beat
    beat = Stream(lanes=format.data_bits, lane_bits=1, size=format.beats * format.data_bits)
    encoding = network.encoding
    lane_bits = format.value_bits if by_beat and encoding.tables is not None else encoding.number.bits
    lanes = lanes_in(network, format) // encoding.number.bits
    encoded = Stream(lanes=lanes, lane_bits=lane_bits, size=network.encoded_size)
    found = [
        Step(guard, beat),
        Step(EncodeStage(name="encoder", network=network, format=format), encoded),
    ]
    padded = format.values % values_in(format) != 0
    if padded and not by_beat and encoding.tables is not None and len(encoding.tables) == 1 and encoding.tables[0][0]:
        padding = PaddingStage(name="padding", width=encoded.bits, bits=format.values * encoding.number.bits)
        found.append(Step(padding, encoded))
    return found


def source(network: Network, format: InputFormat, fold: Fold | None, interval: int) -> Step:
    """The source of the pixels that the first operator takes; `fold` is that of the first layer with weights."""
    simd = fold.simd if fold is not None and network.layers[0].matrix is not None else None
    params = source_params(network, format, simd=simd, interval=interval)
    bits = params.out_bits if params.tables else params.lane_bits
    pixels = Stream(lanes=params.width, lane_bits=bits, size=params.channels, pixels=params.pixels)
    return Step(SourceStage(name="source", params=params), pixels)


def lower(network: Network, plan: Plan) -> StageGraph:
    """Raises PlanError if the plan does not fit the network, or for pools without a convolution."""
    format, out_format = input_format(network, plan), output_format(network, plan)
    layer_folds = folds(network, plan)
    if network.takes_images and network.matrix_layers[0].windows is None:
        raise PlanError(f"network {network.name} has pools but no convolution, for which no hardware is made")
    engines = engine_stages(network, plan, layer_folds)
    guard = guard_stage(network, format)
    steps = head(network, guard)
    if network.takes_images:
        slowest = max(format.beats, out_format.beats, *(fold.frame_cycles for fold in layer_folds))
        steps.append(source(network, format, layer_folds[0], slowest))
    between = gaps(network)
    modules: list[Stage] = [step.stage for step in steps]
    layers: list[LayerStages] = []
    for k, (layer, fold, engine) in enumerate(zip(network.matrix_layers, layer_folds, engines, strict=True)):
        joined = k > 0 and engine.joins and engines[k - 1].joins
        front = in_front(between[k], steps[-1].gives, fold, latency=engine.latency, joined=joined)
        steps += [*front, Step(engine, results_of(layer, fold))]
        modules += [engine, *(step.stage for step in front)]
        layers.append(LayerStages(layer=layer, engine=engine, queue=None if joined else front[-1].stage.name))
    end: EndStage
    after: list[Step] = []
    if network.gives_scores:
        params = score_params(network.matrix_layers[-1], layer_folds[-1])
        end = ClassStage(name="results", params=params, format=out_format)
    else:
        after, end = bits_end(network, between[-1], steps[-1].gives)
    steps += after
    modules += [step.stage for step in after] + [end]
    edges = [
        StageEdge(giver=giver.stage.name, taker=taker.name, stream=giver.gives)
        for giver, taker in zip(steps, [*(step.stage for step in steps[1:]), end], strict=True)
    ]
    return StageGraph(
        network=network,
        plan=plan,
        input=format,
        output=out_format,
        guard=guard,
        stages=tuple(modules),
        edges=tuple(edges),
        layers=tuple(layers),
        end=end,
    )


def engine_stages(network: Network, plan: Plan, layer_folds: Sequence[Fold]) -> list[EngineStage]:
    """The engine of each layer."""
    engines = [engine_named(choice.engine) for choice in plan.layers]
    nothing: list[Known] = [()] * len(engines)
    known = known_inputs(network) if any(engine.uses_known for engine in engines) else nothing
    layers = zip(engines, network.matrix_layers, layer_folds, plan.layers, known, strict=True)
    return [
        engine.stage(f"engine_{k}", layer, fold, choice, plan, constants)
        for k, (engine, layer, fold, choice, constants) in enumerate(layers)
    ]
