"""Each component against plain Python: words, cycles, stalls, and a reset in the middle; in both simulators."""

import random

import numpy as np
import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.sim import Simulator

from bitwright_core import golden
from bitwright_core.framing import InputFormat
from bitwright_core.network import Scores as ScoreConstants
from bitwright_core.plan import Fold, ceil_div
from bitwright_hw.encoder import Encoder, at_least
from bitwright_hw.engine import MatrixEngine
from bitwright_hw.engine_numbers import accumulator_bits
from bitwright_hw.families import GENERIC
from bitwright_hw.frame_guard import FrameGuard
from bitwright_hw.frame_queue import FrameQueue
from bitwright_hw.gearbox import Gearbox, gearbox_times
from bitwright_hw.marked_graph import Actor
from bitwright_hw.row_pool import RowPool
from bitwright_hw.scores import ArgMax, ScoreParams, ScoreUnit
from bitwright_hw.stages.queue import QueueStage
from bitwright_hw.stages.stage import Timing, Words
from bitwright_hw.timing import Pipeline
from tests.hw.benches import SEED, SIMULATORS, bench, fields_of, words_of
from tests.sw.networks import middle_layer


def cases(names, values, verilator=2):
    """Every case in Icarus, which is quick to build and shows X; the first ones in Verilator too."""
    rows = [(*value, "icarus") for value in values] + [
        pytest.param(*value, "verilator", marks=[pytest.mark.slow] if index else [])
        for index, value in enumerate(values[:verilator])
    ]
    return pytest.mark.parametrize((*names, "simulator"), rows)


simulators = pytest.mark.parametrize("simulator", SIMULATORS)


@cases(
    ("in_width", "out_width", "bits"),
    [(4, 12, 40), (12, 4, 30), (7, 13, 50), (13, 7, 50), (1, 5, 11), (5, 1, 7), (3, 11, 2), (6, 4, 1)],
)
def test_gearbox(in_width, out_width, bits, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    frames = rng.integers(0, 2, (7, bits))
    component = Gearbox(in_width=in_width, out_width=out_width, bits=bits)
    words = [word for frame in frames for word in words_of(frame, in_width)]
    expected = [word for frame in frames for word in words_of(frame, out_width)]
    assert len(words) == 7 * component.words_in
    assert len(expected) == 7 * component.words_out
    times = None
    if in_width <= out_width:
        each = component.words_in
        times = []
        for frame in range(7):
            arrivals = list(range(frame * each, (frame + 1) * each))
            new = gearbox_times(arrivals, in_width, out_width, bits)
            shift = max(0, times[-1] + 1 - new[0]) if times else 0
            times += [time + shift for time in new]
    bench(component, tmp_path, simulator, words=words, expected=expected, times=times)


@cases(
    ("in_width", "out_width", "bits", "banks", "repeats"),
    [(4, 12, 40, 2, 3), (12, 4, 30, 3, 1), (7, 13, 50, 2, 4), (13, 7, 50, 2, 2), (8, 8, 20, 5, 1), (3, 11, 2, 4, 1)],
)
def test_frame_queue(in_width, out_width, bits, banks, repeats, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    frames = rng.integers(0, 2, (9, bits))
    drops = [False, False, True, False, True, True, False, False, False]
    kept = [frame for frame, drop in zip(frames, drops, strict=True) if not drop]
    queue = FrameQueue(in_width=in_width, out_width=out_width, bits=bits, banks=banks, repeats=repeats)
    bench(
        queue,
        tmp_path,
        simulator,
        words=[word for frame in frames for word in words_of(frame, in_width)],
        expected=[word for frame in kept for _ in range(repeats) for word in words_of(frame, out_width)],
        frame_words=ceil_div(bits, in_width),
        drops=drops,
        constants={"grant__valid": 1},
    )


@cases(("in_width", "out_width", "bits", "repeats"), [(4, 12, 40, 3), (12, 4, 30, 2), (8, 8, 20, 1)])
def test_frame_queue_latency(in_width, out_width, bits, repeats, simulator, tmp_path):
    """One frame, at full speed: each word in the cycle that the schedule says."""
    frame = np.random.default_rng(SEED).integers(0, 2, bits)
    words = words_of(frame, in_width)
    queue = QueueStage(name="queue", in_width=in_width, out_width=out_width, bits=bits, banks=2, repeats=repeats)
    bench(
        FrameQueue(in_width=in_width, out_width=out_width, bits=bits, banks=2, repeats=repeats),
        tmp_path,
        simulator,
        words=words,
        expected=words_of(frame, out_width) * repeats,
        frame_words=len(words),
        constants={"grant__valid": 1},
        times=queue_times(len(words), queue),
    )


def queue_times(count, queue):
    """When an idle queue gives its words for a frame of `count` words, one in each cycle from cycle 0 on."""
    timing = Timing()
    none = np.zeros(1, np.int64)
    giver = Actor(name="giver", firings=1, cycles=count)
    timing.actors.append(giver)
    given = queue.times(timing, [Words(actor=giver.name, takes=none, makes=none, after=np.arange(count))])
    (start,) = timing.graph.first_frame({"queue": queue.banks})["queue"]
    return (start + given.after).tolist()


@cases(("value_bits", "thresholds"), [(8, [128]), (8, [1, 100, 255]), (16, [40000]), (1, [1])])
def test_encoder(value_bits, thresholds, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    lanes = 32 // value_bits
    beats = rng.integers(0, 1 << value_bits, (20, lanes))
    beats[0] = 0
    beats[1] = (1 << value_bits) - 1
    beats[2, :] = thresholds[-1]
    beats[3, :] = thresholds[0] - 1
    bits = (beats[:, :, None] >= np.array(thresholds)).reshape(20, -1)
    bench(
        Encoder(beat_bits=32, value_bits=value_bits, thresholds=thresholds),
        tmp_path,
        simulator,
        words=[fields_of(beat, value_bits) for beat in beats],
        expected=[fields_of(row, 1) for row in bits],
        times=[beat + Encoder.LATENCY for beat in range(20)],
    )


def test_every_comparison_of_eight_bits():
    m, value = Module(), Signal(8)
    reached = Signal(255)
    m.d.comb += reached.eq(Cat(at_least(value, threshold) for threshold in range(1, 256)))

    async def check(ctx):
        for number in range(256):
            ctx.set(value, number)
            assert ctx.get(reached) == (1 << number) - 1  # the thresholds 1 to number

    simulator = Simulator(m)
    simulator.add_testbench(check)
    simulator.run()


def beat(data=0, keep=0xF, last=0):
    return data | keep << 32 | last << 36


GOOD = [beat(0x11111111), beat(0x22222222), beat(0xFFFFFFFF, keep=0x3, last=1)]  # ten bytes
GOOD_OUT = [0x11111111, 0x22222222, 0xFFFF]
SHORT = [beat(0x33333333, last=1)]
LONG = [beat(0x44444444), beat(0x55555555), beat(0x66666666, keep=0x3), beat(0x77777777), beat(0x8888, last=1)]
BAD_KEEP = [beat(0x99999999, keep=0x7), beat(0xAAAAAAAA), beat(0xBBBB, keep=0x3, last=1)]
TOO_MANY_BYTES = [beat(1), beat(2), beat(3, keep=0xF, last=1)]
DROP, LAST = 1, 2


@simulators
def test_frame_guard_flags_and_repairs(simulator, tmp_path):
    """Good, short, good, long, good, wrong TKEEP, too many bytes, good: always whole frames, with their verdicts."""
    format = InputFormat(values=10, value_bits=8, data_bits=32, encoded=False)
    bench(
        FrameGuard(format=format),
        tmp_path,
        simulator,
        words=[*GOOD, *SHORT, *GOOD, *LONG, *GOOD, *BAD_KEEP, *TOO_MANY_BYTES, *GOOD],
        expected=[
            *GOOD_OUT,
            0x33333333,
            0,
            0,
            *GOOD_OUT,
            0x44444444,
            0x55555555,
            0x6666,
            *GOOD_OUT,
            0x99999999,
            0xAAAAAAAA,
            0xBBBB,
            1,
            2,
            3,
            *GOOD_OUT,
        ],
        monitors={"verdict": [LAST, DROP, LAST, DROP, LAST, DROP | LAST, DROP | LAST, LAST]},
        counts={"short": 1, "long": 1, "keep": 2},
        constants={"space__valid": 1, "batch": 0},
    )


@simulators
def test_frame_guard_in_batch_mode(simulator, tmp_path):
    """Three frames in a packet, the padding's TKEEP not looked at; a packet that ends inside a frame."""
    format = InputFormat(values=10, value_bits=8, data_bits=32, encoded=False)
    inner = [beat(0x11111111), beat(0x22222222), beat(0xFFFFFFFF)]
    bench(
        FrameGuard(format=format),
        tmp_path,
        simulator,
        words=[*inner, *inner, *GOOD, *inner, *SHORT, *GOOD],
        expected=[*GOOD_OUT * 4, 0x33333333, 0, 0, *GOOD_OUT],
        monitors={"verdict": [0, 0, LAST, 0, DROP, LAST]},
        counts={"short": 1, "long": 0, "keep": 0},
        constants={"space__valid": 1, "batch": 1},
    )


def engine_case(inputs, outputs, pe, simd, *, scores=False, stages=2, read_latency=1, target=GENERIC, frames=4):
    """An engine, its input words and the fields it must give, from the golden model."""
    rng = np.random.default_rng(SEED)
    layer = middle_layer(rng, inputs, outputs, scores=scores)
    fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    engine = MatrixEngine(
        layer=layer, fold=fold, memory="auto", family=target, stages=stages, rows=RowPool(), read_latency=read_latency
    )
    bits = rng.integers(0, 2, (frames, inputs)).astype(np.uint8)
    counts = golden.accumulators(layer, bits)
    values = counts if scores else counts - layer.output.values[:, 0]
    rows = fold.neuron_folds * pe
    # rows that only pad have weights 1 and threshold inputs + 1
    padding = bits.sum(axis=1, dtype=np.int64)[:, None] - (0 if scores else inputs + 1)
    values = np.concatenate([values, np.repeat(padding, rows - outputs, axis=1)], axis=1)
    words = [word for frame in bits for _ in range(fold.neuron_folds) for word in words_of(frame, simd)]
    expected = [fields_of(row, engine.bits) for row in values.reshape(-1, pe)]
    return engine, words, expected


@cases(
    ("inputs", "outputs", "pe", "simd", "scores"),
    [
        (24, 16, 4, 8, False),
        (23, 13, 5, 7, False),
        (9, 6, 6, 9, False),
        (1, 1, 1, 1, False),
        (40, 3, 1, 1, False),
        (10, 10, 3, 10, True),
        (12, 7, 7, 5, True),
        (64, 20, 20, 64, False),
    ],
)
def test_engine(inputs, outputs, pe, simd, scores, simulator, tmp_path):
    engine, words, expected = engine_case(inputs, outputs, pe, simd, scores=scores)
    folds = engine.fold.synapse_folds
    times = [engine.latency + folds - 1 + folds * k for k in range(len(expected))]
    bench(engine, tmp_path, simulator, words=words, expected=expected, times=times)


@pytest.mark.parametrize(("stages", "read_latency"), [(0, 1), (1, 1), (3, 1), (6, 1), (0, 2), (1, 2), (3, 2)])
def test_engine_latency_follows_the_registers(stages, read_latency, tmp_path):
    engine, words, expected = engine_case(30, 8, 2, 15, stages=stages, read_latency=read_latency)
    assert engine.latency == read_latency + stages + 1
    assert engine.latency == MatrixEngine.latency_of(
        Pipeline(read_latency=read_latency, stages=stages), engine.layer, engine.fold
    )
    times = [engine.latency + 1 + 2 * k for k in range(len(expected))]
    bench(engine, tmp_path, "verilator", words=words, expected=expected, times=times)


def score_case(classes, pe, spacing, inputs=30):
    rng = np.random.default_rng(SEED)
    constants = ScoreConstants(scale=rng.integers(0, 999, classes), offset=rng.integers(-9999, 9999, classes))
    layer = middle_layer(rng, inputs, classes, scores=True)
    fold = Fold(inputs=inputs, outputs=classes, pe=pe, simd=inputs)
    params = ScoreParams(
        pe=pe,
        bits=accumulator_bits(layer, fold),
        spacing=spacing,
        inputs=inputs,
        scale=tuple(constants.scale.tolist()),
        offset=tuple(constants.offset.tolist()),
    )
    counts = rng.integers(0, inputs + 1, (6, classes))
    counts[1] = counts[0]
    scores = constants.scale * counts + constants.offset
    return params, counts, scores


@cases(("classes", "pe", "spacing"), [(10, 1, 5), (10, 10, 1), (10, 4, 2), (7, 7, 3), (2, 2, 2)])
def test_scores(classes, pe, spacing, simulator, tmp_path):
    params, counts, scores = score_case(classes, pe, spacing)
    rows = ceil_div(classes, pe) * pe
    padded = np.zeros((len(counts), rows), np.int64)
    padded[:, :classes] = counts
    low = np.full((len(counts), rows), params.lowest, np.int64)
    low[:, :classes] = scores
    times = [
        word * spacing + ScoreUnit.LATENCY + step
        for word in range(len(counts) * rows // pe)
        for step in range(params.steps)
    ]
    bench(
        ScoreUnit(params=params),
        tmp_path,
        simulator,
        pace=spacing,
        words=[fields_of(word, params.bits) for word in padded.reshape(-1, pe)],
        expected=[fields_of(word, params.score_bits) for word in low.reshape(-1, params.lanes)],
        times=times,
    )


@cases(("classes", "pe", "spacing"), [(10, 1, 5), (10, 10, 1), (10, 4, 2), (257, 8, 2), (1, 1, 1)])
def test_argmax_takes_the_first_largest(classes, pe, spacing, simulator, tmp_path):
    params, _, scores = score_case(classes, pe, spacing)
    dice = random.Random(SEED)
    rows = params.words * params.lanes
    low = np.full((len(scores), rows), params.lowest, np.int64)
    low[:, :classes] = scores
    for frame in low[1:4]:  # ties, everywhere or between two
        frame[:classes] = params.lowest if dice.random() < 0.3 else frame[dice.randrange(classes)]
    low[4, :classes] = np.where(low[4, :classes] == low[4, :classes].max(), low[4, :classes].min(), low[4, :classes])
    low[4, [0, classes - 1]] = low.max()
    expected = low[:, :classes].argmax(axis=1).tolist()
    bench(
        ArgMax(params=params),
        tmp_path,
        simulator,
        words=[fields_of(word, params.score_bits) for word in low.reshape(-1, params.lanes)],
        expected=expected,
        times=[params.words * (k + 1) - 1 + params.argmax_latency for k in range(len(low))],
    )
