"""The sliding window against plain Python: shapes, folds, capacities, stalls, cycles."""

import random

import numpy as np
import pytest

from bitwright_core.network import Windows
from bitwright_core.plan import ceil_div
from bitwright_hw.window import Window
from tests.hw.benches import SEED, bench
from tests.hw.images import random_windows, window_case
from tests.hw.test_components import cases


def windows(image, kernel, stride=(1, 1), padding=(0, 0, 0, 0), **dilated):
    return Windows(image=image, kernel=kernel, stride=stride, padding=padding, **dilated)


SHAPES = {
    "plain": windows((5, 6), (3, 3)),
    "padded": windows((4, 5), (3, 3), padding=(1, 1, 1, 1)),
    "stride": windows((7, 8), (3, 2), stride=(2, 3), padding=(0, 1, 1, 0)),
    "gaps": windows((7, 7), (2, 2), stride=(3, 3)),
    "pixel": windows((3, 3), (1, 1)),
    "whole": windows((3, 3), (3, 3)),
    "small": windows((2, 2), (5, 4), padding=(2, 3, 2, 3)),
    "line": windows((1, 9), (1, 4), padding=(0, 0, 3, 1)),
    "dilated": windows((8, 9), (3, 3), padding=(2, 1, 4, 4), dilation=(2, 3), stride=(1, 2)),
}


def sends(shape, folder, simulator, **fold):
    """The window of `shape`, folded so, sends what it should, in its cycle."""
    params, words, expected = window_case(np.random.default_rng(SEED), shape, **fold)
    bench(
        Window(params=params),
        folder,
        simulator,
        words=words,
        expected=expected,
        frame_words=ceil_div(fold["channels"], fold["in_width"]),
        constants={"grant__valid": 1},
    )


@cases(
    ("shape", "channels", "in_width", "simd", "passes", "capacity", "lane_bits", "padding_lane"),
    [
        ("plain", 4, 2, 4, 2, 0, 1, 0),
        ("padded", 6, 4, 5, 3, 2, 1, 1),
        ("plain", 3, 3, 27, 1, 9, 1, 0),
        ("padded", 3, 3, 9, 2, 1, 1, 1),
        ("stride", 4, 3, 2, 2, 3, 1, 0),
        ("gaps", 5, 5, 1, 1, 0, 1, 0),
        ("pixel", 7, 3, 5, 4, 1, 1, 0),
        ("whole", 8, 4, 8, 2, 5, 1, 0),
        ("small", 2, 1, 13, 1, 2, 1, 1),
        ("line", 5, 2, 17, 2, 1, 1, 0),
        ("padded", 3, 3, 4, 2, 2, 8, 0),
        ("padded", 2, 2, 7, 1, 3, 5, 0),
        ("padded", 4, 1, 24, 1, 0, 1, 1),
        ("plain", 6, 5, 1, 1, 4, 1, 0),
    ],
    verilator=1,
)
def test_window(shape, channels, in_width, simd, passes, capacity, lane_bits, padding_lane, simulator, tmp_path):
    sends(
        SHAPES[shape],
        tmp_path,
        simulator,
        channels=channels,
        in_width=in_width,
        simd=simd,
        passes=passes,
        capacity=capacity,
        lane_bits=lane_bits,
        padding_lane=padding_lane,
    )


GROUPED = [
    ("padded", 6, 5, 9, 1, 0, 1, 1, 6, 4, "icarus"),
    ("dilated", 9, 4, 8, 1, 0, 2, 0, 3, 2, "icarus"),
]
MORE_GROUPED = [
    ("padded", 6, 2, 3, 1, 2, 1, 1, 6, 1, "icarus"),
    ("stride", 8, 3, 4, 2, 3, 1, 0, 2, 1, "icarus"),
    ("plain", 6, 6, 2, 3, 1, 1, 0, 2, 1, "icarus"),
    ("padded", 7, 1, 2, 1, 5, 4, 0, 7, 3, "icarus"),
    ("small", 6, 6, 7, 1, 2, 2, 0, 3, 2, "icarus"),
    ("dilated", 4, 3, 5, 2, 1, 1, 1, 1, 1, "icarus"),
    ("dilated", 6, 1, 24, 1, 3, 1, 0, 2, 1, "icarus"),
    ("padded", 6, 5, 9, 1, 0, 1, 1, 6, 4, "verilator"),
]


@pytest.mark.parametrize(
    (
        *("shape", "channels", "in_width", "simd", "passes", "capacity", "lane_bits", "padding_lane"),
        *("groups", "at_once", "simulator"),
    ),
    [*GROUPED, *(pytest.param(*case, marks=pytest.mark.slow) for case in MORE_GROUPED)],
)
def test_window_of_groups_and_dilated_taps(
    shape, channels, in_width, simd, passes, capacity, lane_bits, padding_lane, groups, at_once, simulator, tmp_path
):
    sends(
        SHAPES[shape],
        tmp_path,
        simulator,
        channels=channels,
        in_width=in_width,
        simd=simd,
        passes=passes,
        capacity=capacity,
        lane_bits=lane_bits,
        padding_lane=padding_lane,
        groups=groups,
        groups_at_once=at_once,
    )


def random_case(seed, *, more=False):
    """A window of random shape and fold; if `more`, of groups and with dilated taps, too."""
    dice = random.Random(seed)
    channels = dice.randint(1, 12)
    shape = random_windows(dice, most=7, dilation=3 if more else 1)
    groups = dice.choice([n for n in range(1, channels + 1) if channels % n == 0]) if more else 1
    grouped = {"groups": groups, "groups_at_once": dice.randint(1, groups)} if more else {}
    inputs = shape.kernel[0] * shape.kernel[1] * (channels // groups)
    lane_bits = dice.choice([1, 1, 1, 4])
    return window_case(
        np.random.default_rng(seed),
        shape,
        channels=channels,
        in_width=dice.randint(1, channels),
        simd=dice.randint(1, inputs),
        passes=dice.randint(1, 3),
        capacity=dice.randint(0, 9),
        lane_bits=lane_bits,
        padding_lane=dice.randint(0, 1) if lane_bits == 1 else 0,
        **grouped,
    )


@pytest.mark.slow
@pytest.mark.parametrize("more", [False, True])
@pytest.mark.parametrize("seed", range(60))
def test_random_windows(seed, more, tmp_path):
    params, words, expected = random_case(seed, more=more)
    bench(
        Window(params=params),
        tmp_path,
        "icarus",
        words=words,
        expected=expected,
        frame_words=ceil_div(params.channels, params.in_width),
        constants={"grant__valid": 1},
    )
