"""Encodings of a row for each channel or value, in hardware: components, and whole accelerators at any stream width."""

from dataclasses import replace

import numpy as np
import pytest

from bitwright_core.network import Conv2d, Input, IntegerEncoding, Network, ThresholdEncoding, Thresholds
from bitwright_core.plan import LayerPlan, Plan, ceil_div
from bitwright_hw.estimate import estimate
from bitwright_hw.families import XC7
from bitwright_hw.pixel_source import PixelSource, SourceParams
from bitwright_hw.row_encoder import RowEncoder, RowTableEncoder
from bitwright_hw.row_pattern import row_pattern
from tests.hw.benches import SEED, bench, fields_of
from tests.hw.images import pixel_words
from tests.hw.test_accelerator import check
from tests.sw.conv_networks import random_conv_network, random_rows


def few(cases, quick=2):
    """The first cases always, the others with --slow."""
    return [*cases[:quick], *(pytest.param(*case, marks=pytest.mark.slow) for case in cases[quick:])]


def beats_of(frames, width):
    """Frames (n, values) to beats (n, beats, width), padded with 0."""
    beats = ceil_div(frames.shape[1], width)
    return np.pad(frames, ((0, 0), (0, beats * width - frames.shape[1]))).reshape(len(frames), beats, width)


def test_estimates_make_no_hardware():
    """One for each kind of encoder: warnings are errors here, also those of components that nobody uses."""
    for integers in (False, True):
        network, plan = dense_case("value", integers, 64, shape=(3, 3, 3))
        assert estimate(network, plan, family=XC7).total.luts > 0


def test_patterns():
    """Value i takes row i % rows, in as few phases as that repeats after, and 0 beyond the frame."""
    for rows, values, width in [(3, 75, 8), (3, 24, 8), (5, 5, 8), (6, 12, 4), (12, 12, 5), (1, 9, 4), (7, 70, 7)]:
        for blank in (True, False):
            pattern = row_pattern(rows, values, width, lambda row, blank=blank: blank)
            for word in range(pattern.words):
                for k, row in enumerate(pattern.cells[word % pattern.phases]):
                    index = word * width + k
                    assert row == index % rows if index < values else (row is None or blank)
            assert pattern.phases <= pattern.words
    assert row_pattern(3, 75, 8, lambda row: True).phases == 3
    assert row_pattern(3, 75, 8, lambda row: False).phases == 10
    assert row_pattern(4, 64, 8, lambda row: True).phases == 1


@pytest.mark.parametrize(
    ("count", "values", "width", "levels"),
    few([(3, 20, 4, 2), (23, 23, 2, 2), (3, 9, 2, 1), (2, 12, 4, 1), (9, 9, 4, 1)]),
)
def test_thresholds(count, values, width, levels, tmp_path):
    """Few phases and many, frames that fill their last beat and such that do not."""
    rng = np.random.default_rng(SEED + count)
    rows = np.sort(rng.integers(0, 17, (count, levels)), axis=1)
    frames = rng.integers(0, 16, (6, values))
    bits = frames[:, :, None] >= np.tile(rows, (values // count + 1, 1))[:values]
    words = beats_of(frames, width).reshape(-1, width)
    expected = beats_of(bits.reshape(6, -1).astype(int), width * levels).reshape(-1, width * levels)
    bench(
        RowEncoder(beat_bits=8 * width, value_bits=8, rows=rows.tolist(), values=values),
        tmp_path,
        "icarus",
        words=[fields_of(word, 8) for word in words],
        expected=[fields_of(word, 1) for word in expected],
        times=[beat + RowEncoder.LATENCY for beat in range(len(words))],
    )


TABLES = {
    "affine": lambda rng, rows: rng.integers(-9, 9, (rows, 1)) + np.arange(16) * rng.integers(-2, 3, (rows, 1)),
    "apart by a constant": lambda rng, rows: rng.integers(-99, 99, (rows, 1)) + np.arange(16) * 3,
    "any": lambda rng, rows: rng.integers(-99, 99, (rows, 16)),
}


@pytest.mark.parametrize("kind", ["any", pytest.param("affine", marks=pytest.mark.slow), "apart by a constant"])
@pytest.mark.parametrize(("count", "values", "width"), few([(3, 20, 4), (21, 21, 2), (4, 12, 4)], 1))
def test_tables(kind, count, values, width, tmp_path):
    rng = np.random.default_rng(SEED + count)
    rows = TABLES[kind](rng, count)
    frames = rng.integers(0, 16, (5, values))
    integers = rows[np.arange(values) % count, frames]
    words, expected = beats_of(frames, width).reshape(-1, width), beats_of(integers, width).reshape(-1, width)
    bench(
        RowTableEncoder(beat_bits=8 * width, value_bits=8, rows=rows.tolist(), values=values, out_bits=9),
        tmp_path,
        "icarus",
        words=[fields_of(word, 8) for word in words],
        expected=[fields_of(word, 9) for word in expected],
        times=[beat + RowTableEncoder.LATENCY for beat in range(len(words))],
    )


@pytest.mark.parametrize(
    ("kind", "count", "width"),
    few([(kind, count, width) for width in (2, 6) for count in ("value", "channel") for kind in TABLES], 2),
)
def test_pixel_sources(kind, count, width, tmp_path):
    rng = np.random.default_rng(SEED)
    pixels, channels, beat = 5, 6, 4
    rows = TABLES[kind](rng, channels if count == "channel" else pixels * channels)
    source = SourceParams(
        beat_lanes=beat,
        lane_bits=4,
        pixels=pixels,
        channels=channels,
        width=width,
        out_bits=9,
        tables=tuple(map(tuple, rows.tolist())),
    )
    frames = rng.integers(0, 16, (4, pixels * channels))
    integers = rows[np.arange(pixels * channels) % len(rows), frames]
    bench(
        PixelSource(params=source),
        tmp_path,
        "icarus",
        frame_words=1,
        constants={"grant__valid": 1},
        words=[fields_of(word, 4) for word in beats_of(frames, beat).reshape(-1, beat)],
        expected=pixel_words(integers.reshape(-1, channels), width, 9),
    )


def dense_case(rows, integers, width, *, shape, host=False, seed=0):
    network = random_conv_network(
        seed, shape=shape, bits=3, convs=0, pools=False, dense=(5,), classes=3, integers=integers, rows=rows
    )
    layers = tuple(LayerPlan(name=layer.name, pe=2, simd=3) for layer in network.matrix_layers)
    return network, Plan(layers=layers, scores=True, data_bits=width, encoding="host" if host else "hardware")


@pytest.mark.parametrize(
    ("width", "integers"), few([(64, True), (64, False), *((w, i) for w in (8, 32, 256) for i in (False, True))])
)
def test_dense_accelerators(width, integers, tmp_path):
    """27 values: one a beat, four, eight (the last beat not full), and all in one."""
    rows = "value" if width in (8, 64) else "channel"
    check(*dense_case(rows, integers, width, shape=(3, 3, 3)), tmp_path / "design", frames=6)


def test_frames_that_the_host_encodes(tmp_path):
    check(*dense_case("value", False, 16, shape=(1, 1, 11), host=True), tmp_path / "design", frames=6)


CONVOLUTIONS = [(32, "value", True), (64, "channel", False), (8, "channel", True), (128, "value", True)]
CONVOLUTIONS += [(8, "channel", False), (32, "value", False), (64, "channel", True), (128, "value", False)]


@pytest.mark.parametrize(("width", "rows", "integers"), few(CONVOLUTIONS, 1))
def test_convolutions(width, rows, integers, tmp_path):
    """Words of a pixel and of a part of one, by the first layer's SIMD."""
    network = random_conv_network(
        5,
        shape=(4, 5, 6),
        bits=3,
        convs=1,
        channels=(4,),
        pools=False,
        dense=(),
        classes=3,
        integers=integers,
        rows=rows,
    )
    simd = 2 if width in (8, 32) else 6
    layers = tuple(LayerPlan(name=layer.name, pe=2, simd=min(simd, layer.inputs)) for layer in network.matrix_layers)
    check(network, Plan(layers=layers, scores=True, data_bits=width), tmp_path / "design", frames=6)


@pytest.mark.slow
def test_wide_integers_with_zeros_around(tmp_path):
    """What a normalisation by channel becomes: 25 bits a lane."""
    rng = np.random.default_rng(SEED)
    network = random_conv_network(
        3, shape=(5, 4, 3), bits=3, convs=1, channels=(4,), dense=(), classes=3, integers=True
    )
    rows = random_rows(rng, Input(shape=(5, 4, 3), bits=3), "channel", integers=True)
    assert isinstance(rows, IntegerEncoding)

    encoding = IntegerEncoding(table=rows.table * (1 << 20) + rng.integers(0, 1 << 20, rows.table.shape))
    first = network.layers[0]
    assert isinstance(first, Conv2d)
    thresholds = Thresholds(values=rng.integers(-(1 << 24), 1 << 24, (first.outputs, 1)))
    first = replace(
        first,
        takes=encoding.number,
        output=thresholds,
        padding=tuple(min(1, k - 1) for k in first.kernel for _ in range(2)),
        padding_value="zero",
        stride=(1, 1),
    )
    layers = [first]
    classes = random_conv_network(4, shape=first.edge.shape, bits=1, convs=0, dense=(), classes=3).layers[-1]
    weights = rng.integers(0, 2, (3, first.edge.size), dtype=np.uint8)
    layers.append(replace(classes, weights=weights))
    wide = Network(name="wide", input=network.input, encoding=encoding, layers=tuple(layers))
    plan = Plan(
        layers=tuple(LayerPlan(name=layer.name, pe=2, simd=min(5, layer.inputs)) for layer in layers),
        scores=True,
        data_bits=32,
    )
    check(wide, plan, tmp_path / "design", frames=6)


def test_hardwired_layers(tmp_path):
    """Behind bits that are always the same, too."""
    network = random_conv_network(2, shape=(1, 1, 9), bits=3, convs=0, pools=False, dense=(6,), classes=3, rows="value")
    assert isinstance(network.encoding, ThresholdEncoding) and {0, 8} & set(
        network.encoding.thresholds.reshape(-1).tolist()
    )
    layers = tuple(
        LayerPlan(name=layer.name, pe=layer.outputs, simd=layer.inputs, engine="hardwired")
        for layer in network.matrix_layers
    )
    check(network, Plan(layers=layers, scores=True, data_bits=32), tmp_path / "design", frames=12)
