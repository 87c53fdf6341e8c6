"""From a network and a plan to the graph of stages that computes it, with room in none of them yet.

What each operator becomes is said by its handler (`bitwright_hw.handlers`); here the network's graph is followed, and
the stages are connected. A value that is taken several times passes a fork.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bitwright_core.errors import PlanError
from bitwright_core.framing import RESULT_BITS, InputFormat, OutputFormat, input_format, output_format
from bitwright_core.network import ENCODED, MatrixLayer, Network, Node
from bitwright_core.plan import Fold, Plan, folds
from bitwright_hw.constant_bits import Known, known_inputs
from bitwright_hw.edges import Wiring
from bitwright_hw.encoder import lanes_in, values_in
from bitwright_hw.encoder_counts import plain_bits
from bitwright_hw.engines import engine_named
from bitwright_hw.handlers import HANDLERS, SCORES, Front, Step, frames
from bitwright_hw.input_bits import InputBits, input_bits
from bitwright_hw.stage_graph import EndStage, LayerStages, StageEdge, StageGraph, Stream
from bitwright_hw.stages.bits import BitsStage
from bitwright_hw.stages.classes import ClassStage, score_params
from bitwright_hw.stages.encode import EncodeStage, PaddingStage
from bitwright_hw.stages.engine import EngineStage
from bitwright_hw.stages.guard import GuardStage
from bitwright_hw.stages.lanes import sums_stage
from bitwright_hw.stages.source import SourceStage, source_params


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


@dataclass(frozen=True, kw_only=True)
class Given:
    """How a value comes: its stream, and how long its pixels were on their way since they were last kept."""

    stream: Stream
    around: int = 0


def in_front(
    gap: Gap,
    given: Mapping[str, Given],
    fold: Fold | None,
    *,
    plan: Plan,
    interval: int,
    latency: int = 0,
    joined: bool = False,
) -> list[tuple[Node, list[Step], Given]]:
    """The stages between one engine and the next: for each node of `gap`, its stages and how its value comes.

    `given` says how each value comes into the gap. The engine behind the gap has `fold` (None at the network's end) and
    `latency`; the last entry says what it takes. With `joined`, two hardwired engines follow each other, and the second
    takes the words of the first as they come, with no stage between.
    """
    found: list[tuple[Node, list[Step], Given]] = []
    values = dict(given)
    passed = 0
    for node in gap.before if gap.matrix is None or joined else (*gap.before, gap.matrix):
        taken = [values[name] for name in node.takes]
        around = max(each.around for each in taken)
        front = Front(
            place=gap.place,
            fold=fold,
            interval=interval,
            plan=plan,
            passed=passed,
            around=around + (latency if node is gap.matrix else 0),
        )
        steps = HANDLERS[node.operator.kind](node, [each.stream for each in taken], front)
        passed += len(steps)
        for step in steps:
            around = 0 if step.stage.keeps else around + step.stage.delay
        values[node.name] = Given(stream=steps[-1].gives, around=around)
        found.append((node, steps, values[node.name]))
    return found


def guard_stage(network: Network, plan: Plan, format: InputFormat, kept: InputBits | None) -> GuardStage:
    """The gate of the input stream."""
    plain = 0 if kept is not None else plain_bits(network, format)
    return GuardStage(
        name="guard",
        format=format,
        by_beat=network.takes_images,
        plain=plain,
        masks=kept is None,
        registers=plan.registers,
    )


def results_of(layer: MatrixLayer, fold: Fold) -> Stream:
    """The stream that the engine of `layer` gives under `fold`: activations, sums, or counts of scores."""
    bits = 1 if layer.gives_scores else layer.edge.number.bits
    pixels = None if layer.windows is None else layer.pixels
    return Stream(lanes=fold.pe, lane_bits=bits, size=layer.outputs, pixels=pixels)


def gives_sums(layer: MatrixLayer) -> bool:
    """Whether counts of its engine become sums, which other operators take."""
    return layer.output.compared is None and not layer.gives_scores


def end_of(network: Network, stream: Stream, fold: Fold | None, format: OutputFormat) -> tuple[list[Step], EndStage]:
    """What lies behind the last value of a network, which comes as `stream`, and the last stage. An engine that gives
    scores has `fold`."""
    if not network.gives_scores:
        found = frames(stream)
        lane_bits = stream.lane_bits
        stage = BitsStage(
            name="results",
            in_width=(found[-1].gives if found else stream).bits,
            out_width=RESULT_BITS // format.value_bits * lane_bits,
            bits=network.outputs * lane_bits,
            repeats=1,
            format=format,
            lane_bits=lane_bits,
        )
        return found, stage
    last = network.nodes[-1]
    if last.operator.matrix is not None:
        assert fold is not None
        params = score_params(last.operator.matrix, fold)
    else:
        params = SCORES[last.operator.kind](last, stream)
    counts = last.operator.matrix is None
    return [], ClassStage(name="results", params=params, format=format, layer=last.name, counts=counts)


def head(network: Network, plan: Plan, format: InputFormat) -> list[Step]:
    """What takes the beats of the input stream, up to lanes as the first layer takes them."""
    kept = input_bits(network, plan, format)
    guard = guard_stage(network, plan, format, kept)
    by_beat = guard.by_beat
    beat = Stream(lanes=format.data_bits, lane_bits=1, size=format.beats * format.data_bits)
    encoding = network.encoding
    lane_bits = format.value_bits if by_beat and encoding.tables is not None else encoding.number.bits
    lanes = lanes_in(network, format) // encoding.number.bits
    encoded = Stream(lanes=lanes, lane_bits=lane_bits, size=network.encoded_size)
    if kept is not None:
        encoded = Stream(lanes=kept.width, lane_bits=1, size=kept.bits, kept=kept)
    found = [
        Step(guard, beat),
        Step(EncodeStage(name="encoder", network=network, format=format, kept=kept), encoded),
    ]
    padded = format.values % values_in(format) != 0
    if padded and not by_beat and encoding.tables is not None and len(encoding.tables) == 1 and encoding.tables[0][0]:
        padding = PaddingStage(name="padding", width=encoded.bits, bits=format.values * encoding.number.bits)
        found.append(Step(padding, encoded))
    return found


def source(network: Network, format: InputFormat, layer_folds: Mapping[str, Fold], interval: int) -> Step:
    """The source of the pixels that the first operators take; `layer_folds` has those of layers with weights."""
    takers = [node for node in network.nodes if ENCODED in node.takes]
    windowed = all(node.operator.matrix is not None for node in takers)
    simd = max(layer_folds[node.name].simd for node in takers) if windowed else None
    params = source_params(network, format, simd=simd, interval=interval)
    bits = params.out_bits if params.tables else params.lane_bits
    pixels = Stream(lanes=params.width, lane_bits=bits, size=params.channels, pixels=params.pixels)
    return Step(SourceStage(name="source", params=params), pixels)


def lower(network: Network, plan: Plan) -> StageGraph:
    """The stages of `network` under `plan`, and the edges between them; none has room yet.

    Raises PlanError if the plan does not fit the network, or for pools without a convolution.
    """
    format, out_format = input_format(network, plan), output_format(network, plan)
    layer_folds = folds(network, plan)
    if network.takes_images and all(layer.windows is None for layer in network.matrix_layers):
        raise PlanError(f"network {network.name} has pools but no convolution, for which no hardware is made")
    engines = engine_stages(network, plan, layer_folds)
    slowest = max(format.beats, out_format.beats, *(fold.frame_cycles for fold in layer_folds))
    steps = head(network, plan, format)
    guard = steps[0].stage
    assert isinstance(guard, GuardStage)
    if network.takes_images:
        by_name = {layer.name: fold for layer, fold in zip(network.matrix_layers, layer_folds, strict=True)}
        steps.append(source(network, format, by_name, slowest))
    taken = [name for node in network.nodes for name in node.takes]
    wiring = Wiring(takers={name: taken.count(name) for name in taken})
    wiring.give(ENCODED, *wiring.chain(steps))
    given = {ENCODED: Given(stream=steps[-1].gives)}
    layers: list[LayerStages] = []
    between = gaps(network)
    for gap, fold, engine in zip(between[:-1], layer_folds, engines, strict=True):
        layers.append(_add_layer(wiring, gap, given, fold, engine, plan, slowest))
    for node, steps, comes in in_front(between[-1], given, None, plan=plan, interval=slowest):
        given[node.name] = comes
        wiring.give(node.name, *wiring.chain(steps, node.takes))
    result = network.last.name
    last_fold = layer_folds[-1] if layer_folds else None
    steps, end = end_of(network, given[result].stream, last_fold, out_format)
    wiring.chain([*steps, Step(end, given[result].stream)], [result])
    return StageGraph(
        network=network,
        plan=plan,
        input=format,
        output=out_format,
        guard=guard,
        stages=tuple(wiring.stages),
        edges=tuple(wiring.edges),
        layers=tuple(layers),
        end=end,
    )


def _add_layer(
    wiring: Wiring, gap: Gap, given: dict[str, Given], fold: Fold, engine: EngineStage, plan: Plan, interval: int
) -> LayerStages:
    """Adds an engine, and what lies in front of it."""
    node = gap.matrix
    assert node is not None and node.operator.matrix is not None
    wiring.add(engine)
    joined = engine.joins and wiring.passes_words(node.takes[0])
    queue = None
    found = in_front(gap, given, fold, plan=plan, interval=interval, latency=engine.latency, joined=joined)
    for before, steps, comes in found:
        last, stream = wiring.chain(steps, before.takes)
        if before is node:
            queue = last
            wiring.edges.append(StageEdge(giver=last, taker=engine.name, stream=stream))
        else:
            given[before.name] = comes
            wiring.give(before.name, last, stream)
    if joined:
        wiring.take(node.takes, engine.name)
    layer, results = node.operator.matrix, results_of(node.operator.matrix, fold)
    if gives_sums(layer):
        sums = wiring.add(sums_stage(f"sums_{gap.place}", layer, engine.bits, fold.pe))
        counts = replace(results, lane_bits=engine.bits)
        wiring.edges.append(StageEdge(giver=engine.name, taker=sums.name, stream=counts))
        wiring.give(node.name, sums.name, results)
        given[node.name] = Given(stream=results, around=sums.delay)
    else:
        wiring.give(node.name, engine.name, results, passes_words=engine.joins)
        given[node.name] = Given(stream=results)
    return LayerStages(layer=layer, engine=engine, queue=queue)


def engine_stages(network: Network, plan: Plan, layer_folds: Sequence[Fold]) -> list[EngineStage]:
    """The engine of each layer."""
    engines = [engine_named(choice.engine) for choice in plan.layers]
    nothing: list[Known] = [()] * len(engines)
    loadable = {choice.name for choice in plan.layers if choice.loadable}
    known = known_inputs(network, loadable) if any(engine.uses_known for engine in engines) else nothing
    layers = zip(engines, network.matrix_layers, layer_folds, plan.layers, known, strict=True)
    return [
        engine.stage(f"engine_{k}", layer, fold, choice, plan, constants)
        for k, (engine, layer, fold, choice, constants) in enumerate(layers)
    ]
