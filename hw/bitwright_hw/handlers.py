"""What each kind of operator becomes: the stages in front of its engine, or those that it is itself.

Each kind has a handler: `HANDLERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from bitwright_core.network import GroupSum, LaneRule, Luts, Node, Operand
from bitwright_core.numbers import NumberType, unsigned_type
from bitwright_core.plan import Fold, Plan, ceil_div
from bitwright_hw.families import family_named
from bitwright_hw.group_sums import count_bits
from bitwright_hw.lane_unit import LaneParams
from bitwright_hw.pixel_class import PixelClassParams
from bitwright_hw.scores import ScoreParams
from bitwright_hw.stage_graph import Stream
from bitwright_hw.stages.arg_max import ArgMaxStage
from bitwright_hw.stages.collect import CollectStage, frames_ahead
from bitwright_hw.stages.frames import FrameTokensStage, RepackStage
from bitwright_hw.stages.join import JoinStage, join_params
from bitwright_hw.stages.lanes import LaneStage
from bitwright_hw.stages.luts import GroupSumStage, LutsStage, group_score_params
from bitwright_hw.stages.pool import PoolStage, pool_params
from bitwright_hw.stages.queue import QueueStage
from bitwright_hw.stages.stage import Stage
from bitwright_hw.stages.window import WindowStage, window_params
from bitwright_hw.timing import pipeline_for
from bitwright_hw.window_params import WindowParams


@dataclass(frozen=True)
class Step:
    """A stage and what it gives."""

    stage: Stage
    gives: Stream


@dataclass(frozen=True, kw_only=True)
class Front:
    """Where a handler's stages stand: in front of engine `place` ("0", "1" ... or "last"), with `fold` of its layer;
    `passed` of them are there already, pixels were on their way for `around` cycles since the last window, and no stage
    should take more than `interval` cycles a frame. `plan` has the clock and the family."""

    place: str
    fold: Fold | None
    interval: int
    plan: Plan
    passed: int = 0
    around: int = 0

    def name(self, number: int = 0) -> str:
        """The name of a handler's stage `number` that is no queue of an engine."""
        return f"path_{self.place}_{self.passed + number}"


def _pool(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The pool, and in front of it a window that pads the image, where windows overlap in the padding; behind a sum of
    bits, or of unsigned numbers, what makes it the sum of what they are worth."""
    (stream,) = streams
    assert node.operator.pooling is not None
    number = node.given[0].edge.number
    pool, padding = pool_params(node.operator.pooling, stream.lanes, number)
    found = []
    if padding is not None:
        window = WindowStage(name=front.name(), params=padding, around=front.around)
        found.append(Step(window, replace(stream, pixels=padding.windows.pixels)))
    pooled = replace(stream, lane_bits=pool.reduction.bits, pixels=node.pixels)
    found.append(Step(PoolStage(name=front.name(len(found)), params=pool), pooled))
    if pool.reduction.rule == "sum" and not number.signed:
        taps = node.inputs // node.outputs
        rule = LaneRule(
            operands=(Operand(number=unsigned_type(pool.reduction.bits), scales=(number.value(1) - number.value(0),)),),
            offsets=(number.value(0) * taps,),
            levels=None,
            base=0,
            gives=node.edge.number,
        )
        params = LaneParams(rule=rule, size=stream.size, lanes=stream.lanes)
        stage = LaneStage(name=front.name(len(found)), params=params)
        found.append(Step(stage, replace(pooled, lane_bits=node.edge.number.bits)))
    return found


def _upsample(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """A window of a pixel, which gives each as often as it must, in words wide enough to keep the interval."""
    (stream,) = streams
    assert node.operator.windows is not None
    lanes = max(stream.lanes, ceil_div(stream.size, max(1, front.interval // node.pixels)))
    params = WindowParams(
        windows=node.operator.windows,
        channels=stream.size,
        in_width=stream.lanes,
        simd=lanes,
        passes=1,
        capacity=1,
        lane_bits=stream.lane_bits,
    )
    stage = WindowStage(name=front.name(), params=params, around=front.around)
    return [Step(stage, replace(stream, lanes=lanes, pixels=node.pixels))]


def _convolution(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The window in front of its engine."""
    (stream,) = streams
    matrix, windows = node.operator.matrix, node.operator.windows
    assert matrix is not None and windows is not None and front.fold is not None
    window = window_params(matrix, windows, front.fold, stream.lanes)
    name = f"queue_{front.place}"
    fold = front.fold
    size = fold.inputs * fold.groups_at_once
    gives = Stream(lanes=fold.word_lanes, lane_bits=stream.lane_bits, size=size, pixels=node.pixels)
    return [Step(WindowStage(name=name, params=window, around=front.around), gives)]


def _dense(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The queue in front of its engine."""
    assert node.operator.matrix is not None and front.fold is not None
    (stream,) = streams
    found = frames(stream)
    width = found[-1].gives.bits if found else stream.bits
    bits = node.operator.matrix.takes.bits
    queue = QueueStage(
        name=f"queue_{front.place}",
        in_width=width,
        out_width=front.fold.simd * bits,
        bits=node.inputs * bits,
        repeats=front.fold.neuron_folds * front.fold.plane_products,
    )
    return [*found, Step(queue, Stream(lanes=front.fold.simd, lane_bits=bits, size=node.inputs))]


def _join(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """A join of all values; those that follow each other are made numbers of one type first, and frames."""
    rule = node.operator.join
    assert rule is not None
    before: list[list[Step]] = [[] for _ in streams]
    if not rule.beside:
        before = [
            _alike(stream, value.edge.number, node.edge.number, flat=rule.pixels is None)
            for stream, value in zip(streams, node.given, strict=True)
        ]
        streams = [steps[-1].gives if steps else stream for steps, stream in zip(before, streams, strict=True)]
    params = join_params(rule, streams, front.interval)
    stage = JoinStage(
        name=front.name(),
        params=params,
        pixels=rule.pixels,
        before=tuple(tuple(step.stage for step in steps) for steps in before) if any(before) else (),
    )
    words = params.inputs[0]
    lanes = words.out_width // streams[0].lane_bits
    if params.beside and not rule.beside:
        lanes = rule.lanes
    bits = sum(stream.lane_bits for stream in streams) if rule.beside else streams[0].lane_bits
    return [Step(stage, replace(streams[0], lanes=lanes, lane_bits=bits, size=rule.lanes, apart=None))]


def _alike(stream: Stream, number: NumberType, wanted: NumberType, *, flat: bool) -> list[Step]:
    """What makes numbers of the type that is wanted, and of an image a frame if values are to be flat."""
    found = []
    if number != wanted:
        rule = LaneRule(
            operands=(Operand(number=number, scales=(1,)),), offsets=(0,), levels=None, base=0, gives=wanted
        )
        stage = LaneStage(name="numbers", params=LaneParams(rule=rule, size=stream.size, lanes=stream.lanes))
        stream = replace(stream, lane_bits=wanted.bits, apart=None)
        found.append(Step(stage, stream))
    return [*found, *frames(stream)] if flat else found


def _lanes(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """A join, if there are several values, and the arithmetic of their lanes."""
    rule = node.operator.lanes
    assert rule is not None
    found = [] if node.operator.join is None else _join(node, streams, front)
    before = found[-1].gives if found else streams[0]
    params = LaneParams(rule=rule, size=before.size, lanes=before.lanes)
    stage = LaneStage(name=front.name(len(found)), params=params)
    return [*found, Step(stage, replace(before, lane_bits=rule.gives.bits, apart=None))]


def _arg_max(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The class of each pixel, a word each."""
    (stream,) = streams
    params = PixelClassParams(number=node.given[0].edge.number, channels=stream.size, lanes=stream.lanes)
    gives = replace(stream, lanes=1, lane_bits=params.class_bits, size=1, apart=None)
    return [Step(ArgMaxStage(name=front.name(), params=params), gives)]


def _luts(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The tables, and a collector of frames in front of the first of several such layers."""
    found, stream = _collected(streams[0], front)
    layer, before = cast(Luts, node.operator), stream.tables
    if before and before[-1].name != node.given[0].name:
        before = ()
    stage = LutsStage(name=front.name(len(found)), layer=layer, kept=streams[0].kept, before=before)
    gives = replace(stream, lanes=node.outputs, size=node.outputs, tables=(*before, layer))
    return [*found, Step(stage, gives)]


def _group_sum(node: Node, streams: Sequence[Stream], front: Front) -> list[Step]:
    """The sums, whose registers are those that the clock asks of a popcount of the largest group."""
    found, stream = _collected(streams[0], front)
    layer = cast(GroupSum, node.operator)
    target = family_named(front.plan.target)
    stages = pipeline_for(max(layer.groups), front.plan.clock_mhz, target, block_ram=False).stages
    stage = GroupSumStage(name=front.name(len(found)), layer=layer, target=target, stages=stages)
    counts = replace(stream, lanes=layer.outputs, lane_bits=count_bits(layer.groups), size=layer.outputs)
    return [*found, Step(stage, counts)]


def _collected(stream: Stream, front: Front) -> tuple[list[Step], Stream]:
    """What makes one word of each frame that `stream` brings, nothing where it does; and the stream of these words."""
    if stream.apart is not None:
        return [], stream
    found = frames(stream)
    given = found[-1].gives if found else stream
    size = given.size * given.lane_bits
    collect = CollectStage(name=front.name(len(found)), in_width=given.bits, bits=size, ahead=frames_ahead(given.words))
    gives = Stream(lanes=given.size, lane_bits=given.lane_bits, size=given.size, apart=given.words)
    return [*found, Step(collect, gives)], gives


# what lies in front of the engine of an operator, or what it is itself: a chain, whose first stage takes all its values
HANDLERS: dict[str, Callable[[Node, Sequence[Stream], Front], list[Step]]] = {
    "dense": _dense,
    "conv2d": _convolution,
    "max_pool2d": _pool,
    "sum_pool2d": _pool,
    "upsample2d": _upsample,
    "concat": _join,
    "add": _lanes,
    "quantize": _lanes,
    "arg_max": _arg_max,
    "luts": _luts,
    "group_sum": _group_sum,
}


def _group_scores(node: Node, stream: Stream) -> ScoreParams:
    assert stream.apart is not None
    return group_score_params(cast(GroupSum, node.operator), stream.apart)


# the scores of a last operator without an engine, of the counts that it gives
SCORES: dict[str, Callable[[Node, Stream], ScoreParams]] = {"group_sum": _group_scores}


def frames(stream: Stream) -> list[Step]:
    """Pixels to words of frames: with a token for each frame, and without gaps between pixels."""
    if stream.pixels is None:
        return []
    frame = replace(stream, size=stream.size * stream.pixels, pixels=None)
    found = [Step(FrameTokensStage(name="frames", pixels=stream.pixels), frame)]
    if stream.size % stream.lanes and stream.pixels > 1:
        repack = RepackStage(name="repack", narrow=stream.bits, wide=stream.size * stream.lane_bits)
        found.append(Step(repack, replace(frame, lanes=stream.size)))
    return found
