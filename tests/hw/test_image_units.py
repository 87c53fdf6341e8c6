"""What lies around the windows, each against plain Python: pools, the source of pixels, engines at borders and on
integers, tokens."""

import random

import numpy as np
import pytest

from bitwright_core import golden
from bitwright_core.framing import InputFormat
from bitwright_core.network import Conv2d, Dense, NumberType, Scores, Thresholds, Windows
from bitwright_core.plan import Fold, ceil_div
from bitwright_hw.encoder import TableEncoder
from bitwright_hw.engine import MatrixEngine
from bitwright_hw.families import GENERIC
from bitwright_hw.frame_guard import FrameGuard
from bitwright_hw.image_pool import ImagePool, PoolParams
from bitwright_hw.integer_row import row_stages
from bitwright_hw.lookup import table_steps
from bitwright_hw.pixel_source import PixelSource, SourceParams
from bitwright_hw.row_pool import RowPool
from tests.hw.benches import SEED, bench, fields_of
from tests.hw.images import pixel_words, random_windows, windows_of
from tests.hw.test_components import GOOD, GOOD_OUT, SHORT, cases

SIGNED = NumberType(kind="signed", bits=5)


def pool_case(seed, windows, channels, width, frames=3):
    params = PoolParams(windows=windows, width=width, words=ceil_div(channels, width))
    images = np.random.default_rng(seed).integers(0, 2, (frames, *windows.image, channels))
    lanes = windows_of(images, windows).reshape(-1, windows.kernel[0] * windows.kernel[1], channels)
    return params, pixel_words(images, width), pixel_words(lanes.max(axis=1), width)


@cases(
    ("image", "kernel", "stride", "padding", "channels", "width"),
    [
        ((4, 6), (2, 2), (2, 2), (0, 0, 0, 0), 5, 2),
        ((7, 7), (3, 3), (2, 2), (1, 1, 1, 1), 3, 3),
        ((5, 6), (3, 2), (1, 1), (2, 0, 1, 0), 4, 4),
        ((9, 8), (2, 3), (3, 4), (0, 0, 0, 0), 7, 3),
        ((1, 9), (1, 4), (1, 3), (0, 0, 1, 1), 2, 1),
        ((3, 3), (1, 1), (1, 1), (0, 0, 0, 0), 2, 2),
    ],
    verilator=1,
)
def test_max_pool(image, kernel, stride, padding, channels, width, simulator, tmp_path):
    windows = Windows(image=image, kernel=kernel, stride=stride, padding=padding)
    params, words, expected = pool_case(SEED, windows, channels, width)
    bench(
        ImagePool(params=params),
        tmp_path,
        simulator,
        words=words,
        expected=expected,
        frame_words=params.words,
        constants={"grant__valid": 1},
    )


def test_pool_takes_a_token_for_each_pooled_pixel_alone(tmp_path):
    params, words, expected = pool_case(
        SEED, Windows(image=(4, 4), kernel=(2, 2), stride=(2, 2), padding=(0,) * 4), channels=3, width=3, frames=2
    )
    with pytest.raises(AssertionError, match="stuck"):  # without tokens the first pooled pixel never comes
        bench(
            ImagePool(params=params),
            tmp_path,
            "icarus",
            words=words,
            expected=expected,
            frame_words=1,
            constants={"grant__valid": 0},
            cycles=2000,
        )


def test_pools_whose_windows_end_at_once_are_refused():
    with pytest.raises(ValueError, match="two windows of a pool end in one row"):
        PoolParams(windows=Windows(image=(4, 4), kernel=(3, 3), stride=(1, 1), padding=(1, 1, 1, 1)), width=2, words=1)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_random_pools(seed, tmp_path):
    dice = random.Random(seed)
    windows, params = random_windows(dice, most=8, kernel=4), None
    while params is None:
        try:
            params = PoolParams(windows=windows, width=1, words=1)
        except ValueError:
            windows = random_windows(dice, most=8, kernel=4)
    channels = dice.randint(1, 6)
    params, words, expected = pool_case(seed, windows, channels, dice.randint(1, channels))
    bench(
        ImagePool(params=params),
        tmp_path,
        "icarus",
        words=words,
        expected=expected,
        frame_words=params.words,
        constants={"grant__valid": 1},
    )


@cases(
    ("beat_lanes", "lane_bits", "pixels", "channels", "width", "table"),
    [
        (8, 8, 9, 3, 3, "steps"),
        (4, 1, 7, 6, 2, ""),
        (3, 1, 5, 6, 6, ""),
        (2, 8, 4, 3, 1, "random"),
        (4, 1, 6, 4, 4, ""),
        (7, 1, 3, 5, 5, ""),
    ],
    verilator=1,
)
def test_pixel_source(beat_lanes, lane_bits, pixels, channels, width, table, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    tables = {
        "": (),
        "steps": tuple(range(-128, 0)) + tuple(range(1, 128)) + (127,),
        "random": rng.integers(-9, 9, 256),
    }
    values = tuple(int(value) for value in tables[table])
    out_bits = {"": lane_bits, "steps": 8, "random": 5}[table]
    source = SourceParams(
        beat_lanes=beat_lanes,
        lane_bits=lane_bits,
        pixels=pixels,
        channels=channels,
        width=width,
        tables=(values,) if values else (),
        out_bits=out_bits,
    )
    frames = rng.integers(0, 1 << lane_bits, (4, pixels * channels))
    words = [
        fields_of(frame[k : k + beat_lanes], lane_bits) for frame in frames for k in range(0, len(frame), beat_lanes)
    ]
    assert len(words) == 4 * source.beats
    lanes = np.array(values)[frames] if table else frames
    expected = pixel_words(lanes.reshape(-1, channels), width, out_bits)
    bench(
        PixelSource(params=source),
        tmp_path,
        simulator,
        words=words,
        expected=expected,
        frame_words=1,
        constants={"grant__valid": 1},
    )


def test_tables_of_few_steps_are_additions():
    assert table_steps(range(-128, 128)) == 0
    assert table_steps([*range(-128, 0), *range(1, 129)]) == 1
    assert table_steps([5] * 9) == 8


@cases(("table", "out_bits"), [((3, -4, 0, 1), 3), (tuple(range(-8, 8)), 4)], verilator=0)
def test_table_encoder(table, out_bits, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    beats = rng.integers(0, len(table), (12, 4))
    bench(
        TableEncoder(beat_bits=32, value_bits=8, table=table, out_bits=out_bits),
        tmp_path,
        simulator,
        words=[fields_of(beat, 8) for beat in beats],
        expected=[fields_of(np.array(table)[beat], out_bits) for beat in beats],
        times=[beat + TableEncoder.LATENCY for beat in range(12)],
    )


def integer_layer(rng, inputs, outputs, *, scores=False):
    weights = rng.integers(0, 2, (outputs, inputs))
    bound = inputs << SIGNED.bits - 1
    output = Thresholds(values=rng.integers(-bound // 4, bound // 4 + 1, (outputs, 1)))
    if scores:
        output = Scores(scale=rng.integers(0, 9, outputs), offset=rng.integers(-99, 99, outputs))
    return Dense(name="dense", weights=weights, output=output, takes=SIGNED)


@cases(
    ("inputs", "outputs", "pe", "simd", "scores"),
    [(9, 6, 3, 3, False), (12, 5, 2, 7, False), (10, 4, 4, 1, True), (8, 3, 3, 8, False), (5, 7, 2, 2, True)],
    verilator=1,
)
def test_engine_on_integers(inputs, outputs, pe, simd, scores, simulator, tmp_path):
    rng = np.random.default_rng(SEED)
    layer = integer_layer(rng, inputs, outputs, scores=scores)
    fold = Fold(inputs=inputs, outputs=outputs, pe=pe, simd=simd)
    engine = MatrixEngine(
        layer=layer, fold=fold, memory="auto", family=GENERIC, stages=row_stages(simd), rows=RowPool()
    )
    lanes = rng.integers(-(1 << SIGNED.bits - 1), 1 << SIGNED.bits - 1, (6, inputs))
    lanes[0], lanes[1] = -(1 << SIGNED.bits - 1), (1 << SIGNED.bits - 1) - 1
    values = golden.margins(layer, golden.accumulators(layer, lanes))
    # rows that only pad have weights 1 and a threshold beyond every count
    padding = lanes.sum(axis=1)[:, None] - (0 if scores else layer.largest_dot + 1)
    rows = fold.neuron_folds * pe
    values = np.concatenate([values, np.repeat(padding, rows - outputs, axis=1)], axis=1)
    folds = fold.synapse_folds
    expected = [fields_of(row, engine.bits) for row in values.reshape(-1, pe)]
    bench(
        engine,
        tmp_path,
        simulator,
        expected=expected,
        words=[
            word
            for frame in lanes
            for _ in range(fold.neuron_folds)
            for word in pixel_words(frame.reshape(1, -1), simd, SIGNED.bits)
        ],
        times=[engine.latency + folds - 1 + folds * k for k in range(len(expected))],
    )


@cases(("pe", "simd"), [(2, 5), (5, 18), (3, 2), (1, 18)], verilator=0)
def test_engine_with_thresholds_by_the_border(pe, simd, simulator, tmp_path):
    """Zeros pad: the threshold changes from pixel to pixel, and from frame to frame."""
    rng = np.random.default_rng(SEED)
    layer = Conv2d(
        name="conv",
        shape=(4, 5, 2),
        weights=rng.integers(0, 2, (5, 3, 3, 2)),
        padding=(1, 1, 1, 1),
        padding_value="zero",
        output=Thresholds(values=rng.integers(-6, 7, (5, 1))),
    )
    fold = Fold(inputs=layer.inputs, outputs=5, pe=pe, simd=simd, pixels=layer.pixels)
    engine = MatrixEngine(layer=layer, fold=fold, memory="auto", family=GENERIC, stages=1, rows=RowPool())
    images = rng.integers(0, 2, (2, *layer.shape))
    values = golden.margins(layer, golden.accumulators(layer, images)).reshape(-1, 5)
    windows = windows_of(images, layer.windows).reshape(-1, layer.inputs)
    padding = windows.sum(axis=1)[:, None] - layer.inputs - 1
    values = np.concatenate([values, np.repeat(padding, fold.neuron_folds * pe - 5, axis=1)], axis=1)
    bench(
        engine,
        tmp_path,
        simulator,
        words=[
            word
            for window in windows
            for _ in range(fold.neuron_folds)
            for word in pixel_words(window.reshape(1, -1), simd)
        ],
        expected=[fields_of(row, engine.bits) for row in values.reshape(-1, pe)],
    )


@pytest.mark.parametrize("simulator", ["icarus"])
def test_guard_with_a_token_for_each_beat(simulator, tmp_path):
    format = InputFormat(values=10, value_bits=8, data_bits=32, encoded=False)
    bench(
        FrameGuard(format=format, token_beats=1),
        tmp_path,
        simulator,
        words=[*GOOD, *SHORT, *GOOD],
        expected=[*GOOD_OUT, 0x33333333, 0, 0, *GOOD_OUT],
        monitors={"verdict": [2, 1, 2]},
        counts={"short": 1},
        constants={"space__valid": 1, "batch": 0},
    )
